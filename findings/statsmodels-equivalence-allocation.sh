#!/usr/bin/env bash
# statsmodels 0.15.0: where the arms differ in size, the power of an equivalence test of two event
# rates is wrong, and can be negative.
#
# Expected: power_equivalence_poisson_2indep(rate1, rate2, nobs1, low, upp, nobs_ratio=k) with k
#   times as many in the reference arm is the share of such trials whose 90 % interval of the rate
#   ratio lies between the margins.
# Happens: right for k = 1. For k = 3 a power of .9996 is promised where .82 of simulated trials
#   succeed; for k = 1/3 the power is -.48 (.07 succeed). The variance is one per participant of the
#   first arm, but it is divided by the number in the second. The same function for negative
#   binomial counts, power_equivalence_neginb_2indep, is right. Nothing is warned.
# Source: statsmodels/stats/rates.py, power_equivalence_poisson_2indep hands nobs2 to
#   _power_equivalence_het. No issue was found.
# Seen: 120 in the first arm, both rates 2, margins .8 and 1.25: see the table below.
# tauhat: plans no equivalence trials; `tauhat power` takes unequal arms, held by a simulation.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    statsmodels==0.15.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$dir/bin/python" - <<'PY'
import numpy as np
from statsmodels.stats.rates import power_equivalence_neginb_2indep as negative_binomial
from statsmodels.stats.rates import power_equivalence_poisson_2indep as poisson

rng = np.random.default_rng(1)
low, high, rate, first = 0.8, 1.25, 2.0, 120


def succeed(second, trials=40_000):
    """Share of trials whose 90 % interval of the rate ratio lies between the margins."""
    one, two = rng.poisson(rate * first, trials), rng.poisson(rate * second, trials)
    difference = np.log(one / first) - np.log(two / second)
    error = np.sqrt(1 / one + 1 / two)
    above = (difference - np.log(low)) / error > 1.645
    below = (difference - np.log(high)) / error < -1.645
    return np.mean(above & below)


found = {}
for ratio in (1, 3, 1 / 3):
    promised = float(poisson(rate, rate, first, low, high, nobs_ratio=ratio))
    other = float(negative_binomial(rate, rate, first, low, high, nobs_ratio=ratio, dispersion=0))
    found[ratio] = promised, other, succeed(round(first * ratio))
    print(f"second arm {round(first * ratio):3d}: promised {promised:.4f}, as a negative binomial "
          f"without dispersion {other:.4f}, simulated {found[ratio][2]:.3f}")
assert abs(found[1][0] - found[1][2]) < 0.02
assert found[3][0] > 0.99 and found[3][2] < 0.85
assert found[1 / 3][0] < 0 < found[1 / 3][2]
assert abs(found[3][1] - found[3][2]) < 0.02
PY
