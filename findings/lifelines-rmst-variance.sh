#!/usr/bin/env bash
# lifelines 0.30.3: the variance beside a restricted mean survival time is not that of the estimate.
#
# Expected: restricted_mean_survival_time(kmf, t, return_variance=True) gives an estimate and its
#   variance, whose square root is a standard error, as R's survfit prints it.
# Happens: it gives the variance of one participant's restricted survival time, min(T, t). It does
#   not fall with the number of participants: taken for a squared standard error, the interval of a
#   trial of 400 is about twenty times too wide, and two arms never differ.
# Source: lifelines/utils/__init__.py, restricted_mean_survival_time: 2 x integral of tau S(tau)
#   less the squared mean. The docstring describes the other arguments and is silent on this one.
# Seen: with 100, 400 and 1,600 participants 18.3, 19.2 and 18.5; the variance of the mean of
#   min(T, t) is .183, .048 and .012.
# tauhat: it takes no restricted means from lifelines; where they are compared, the standard error
#   is that of a jackknife or of R's survfit.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    lifelines==0.30.3 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$dir/bin/python" -W ignore - <<'PY'
import numpy as np
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

HORIZON = 12
rng = np.random.default_rng(1)
for n in (100, 400, 1600):
    # Nobody is censored, so that everything can be counted by hand.
    time = rng.exponential(10, n)
    fitted = KaplanMeierFitter().fit(time)
    mean, variance = restricted_mean_survival_time(fitted, t=HORIZON, return_variance=True)
    restricted = np.minimum(time, HORIZON)
    of_one, of_mean = restricted.var(), restricted.var() / n
    print(f"{n} participants: {mean:.3f}, variance {variance:.3f}; one participant's {of_one:.3f}, "
          f"the mean's {of_mean:.4f}")
    assert abs(mean - restricted.mean()) < 1e-3
    assert abs(variance / of_one - 1) < 0.01
    assert variance > 50 * of_mean
PY
