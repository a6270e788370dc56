#!/usr/bin/env bash
# pyfixest 0.60.0: randomization inference tosses a fair coin, whatever the trial's allocation was.
#
# Expected: ritest() permutes the treatment, as Stata's and R's ritest do, so that as many units as
#   in the trial are treated in each repetition.
# Happens: each unit (or cluster) gets one of the distinct values of the treatment with equal
#   probability. With one unit in five treated, the trial's estimate is compared with those of
#   trials with half of the units treated, which vary less: the default test ("randomization-c", the
#   coefficient) rejects a true null too often. Nothing is warned.
# Source: pyfixest/estimation/post_estimation/ritest.py, _resample() draws with replacement from
#   np.unique() of the treatment. The docstring says "resampled" and nothing of probabilities.
# Seen: with 12 of 60 persons treated, standard deviation of the estimate .228 over its repetitions
#   and .280 over permutations (.280 over trials): estimates that 5 % of trials without effect exceed
#   are called significant in 11 %.
# tauhat: permutes whole units within blocks, so that arms keep their numbers.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    pyfixest==0.60.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
"$dir/bin/python" -W ignore - 2>/dev/null <<'PY'
import numpy as np
import pandas as pd
import pyfixest
from scipy.stats import norm

rng = np.random.default_rng(1)
arm = np.repeat([1.0, 0.0], [12, 48])
y = rng.normal(size=60)
fit = pyfixest.feols("y ~ arm", pd.DataFrame({"y": y, "arm": arm}))
fit.ritest(
    "arm", reps=499, rng=np.random.default_rng(2), choose_algorithm="slow",
    store_ritest_statistics=True,
)
orders = rng.permuted(np.tile(y, (4999, 1)), axis=1)
permuted = np.std(orders[:, :12].mean(axis=1) - orders[:, 12:].mean(axis=1))
ritest = np.std(fit._ritest_statistics)
exact = np.std(y) * np.sqrt(60 / 59 * (1 / 12 + 1 / 48))
size = 2 * norm.sf(norm.isf(0.025) * ritest / exact)
print(f"12 of 60 treated, SD of the estimate: ritest {ritest:.3f}, permuted {permuted:.3f}")
print(f"formula {exact:.3f}; size of ritest at a nominal .05: {size:.2f}")
assert abs(permuted / exact - 1) < 0.05
assert ritest < 0.9 * exact
assert size > 0.08
PY
