#!/usr/bin/env bash
# statsmodels 0.15.0 and gpboost 1.8.0: everyone without a cluster is put into one cluster.
#
# Expected: a missing cluster is refused, as scikit-learn's group folds do, or its rows are dropped,
#   as GEE of statsmodels does, or each such row is a cluster of its own.
# Happens: where the treated were taught in groups and the controls were not, the column of the
#   group is empty for the controls. Cluster-robust errors of statsmodels (OLS, GLM, Logit) take
#   NaN as one more cluster. The residuals of all controls then sum to zero, so the control mean
#   has a standard error of zero, and its uncertainty is lacking in the error of the effect too.
#   gpboost gives all controls one common random intercept, which it reports as variance between
#   groups. Nothing is warned.
# Source: statsmodels/stats/sandwich_covariance.py, group_sums over codes of numpy.unique, which
#   holds NaN once; gpboost/basic.py turns groups into text, so that all are "nan". That a missing
#   group is a group is not documented as far as we found.
# Seen: standard error of the control mean 1e-16; of 400 trials without an effect, 30 controls and
#   150 treated in 15 groups, 29 % significant at 5 % (4 % with each control a cluster); gpboost
#   calls the 30 controls one group of 16.
# tauhat: an empty cluster in one arm is a design of its own ("clusters in one arm only"), in which
#   every control counts as one unit; elsewhere it is an error.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    statsmodels==0.15.0 gpboost==1.8.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
"$dir/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from gpboost import GPModel
from scipy.stats import t

rng = np.random.default_rng(1)
group = np.r_[np.repeat(np.arange(15.0), 10), np.full(30, np.nan)]
alone = np.where(np.isnan(group), 100 + np.arange(180), group)
arm = 1.0 * ~np.isnan(group)


def fit(outcome, groups):
    """Ordinary least squares with cluster-robust standard errors."""
    table = pd.DataFrame({"outcome": outcome, "arm": arm})
    return smf.ols("outcome ~ arm", table).fit(cov_type="cluster", cov_kwds={"groups": groups})


outcome = rng.normal(size=180)
error = fit(outcome, group).bse["Intercept"]
each = fit(outcome, alone).bse["Intercept"]
print(f"standard error of the control mean: {error:.2g}, each control a cluster: {each:.2g}")
assert error < 1e-12

rejected = {"missing": 0, "alone": 0}
for _ in range(400):
    outcome = rng.normal(size=180) + 0.2 * np.r_[np.repeat(rng.normal(size=15), 10), np.zeros(30)]
    for name, groups in (("missing", group), ("alone", alone)):
        found = fit(outcome, groups)
        rejected[name] += int(2 * t.sf(abs(found.tvalues["arm"]), 14) < 0.05)
print("significant without an effect, of 400:", rejected)
assert rejected["missing"] > 80 > 40 > rejected["alone"]

model = GPModel(group_data=group, likelihood="gaussian", num_parallel_threads=1)
model.fit(y=outcome, X=np.column_stack([np.ones(180), arm]))
intercepts = model.predict_training_data_random_effects().iloc[:, 0].to_numpy()
different = len(set(intercepts.round(9))), len(set(intercepts[arm == 0].round(9)))
print("gpboost: different intercepts of all and of controls:", different)
assert different == (16, 1)
PY
