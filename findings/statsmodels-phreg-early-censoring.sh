#!/usr/bin/env bash
# statsmodels 0.15.0: one participant censored before the first event, and every cluster-robust
# standard error of a Cox model is NaN.
#
# Expected: someone who leaves before anything has happened adds nothing to the partial likelihood,
#   so leaving him out changes neither coefficients nor standard errors.
# Happens: PHReg(...).fit(groups=clusters) returns the right coefficients and NaN for all standard
#   errors, p-values and limits. The score residual of someone at risk at no event is set to NaN, and
#   one NaN reaches every sum over clusters. Without him the errors equal those of lifelines. In a
#   stratified model one such participant in one stratum is enough. Nothing is warned.
# Source: statsmodels/duration/hazard_regression.py, the end of score_residuals, and
#   robust_covariance, which sums them. Neither docstring mentions it; no issue was found.
# Seen: with him NaN and NaN; without him .1918 and .0646, as lifelines has with and without him.
# tauhat: has estimators of its own for times; a participant censored at once stays in the analysis.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    statsmodels==0.15.0 lifelines==0.30.3 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$dir/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from statsmodels.api import PHReg

rng = np.random.default_rng(0)
cluster = np.repeat(np.arange(20), 15)
arm = 1.0 * (cluster % 2)
age = rng.normal(size=300)
frailty = 0.5 * np.repeat(rng.normal(size=20), 15)
death = rng.exponential(np.exp(-0.5 * arm - 0.3 * age + frailty)) + 0.01
left = rng.exponential(2, 300) + 0.02
trial = pd.DataFrame({"time": np.minimum(death, left), "event": 1 * (death <= left),
                      "arm": arm, "age": age, "cluster": cluster})
first = trial.time[trial.event == 1].min()
trial = trial[(trial.event == 1) | (trial.time >= first)]
early = pd.DataFrame({"time": [first / 2], "event": [0], "arm": [1.0], "age": [0.3], "cluster": [1]})


def errors(table):
    """Cluster-robust standard errors of statsmodels and of lifelines, and coefficients."""
    covariates = table[["arm", "age"]].to_numpy()
    fit = PHReg(table.time.to_numpy(), covariates, status=table.event.to_numpy()).fit(
        groups=table.cluster.to_numpy())
    other = CoxPHFitter().fit(table, "time", "event", cluster_col="cluster")
    return fit.bse, other.standard_errors_.to_numpy(), fit.params


without, reference, coefficients = errors(trial)
with_him, other, same = errors(pd.concat([trial, early], ignore_index=True))
print("without him: statsmodels", without, "lifelines", reference)
print("with him:    statsmodels", with_him, "lifelines", other)
assert np.allclose(without, reference, rtol=1e-5) and np.allclose(other, reference, rtol=1e-5)
assert np.allclose(coefficients, same, rtol=1e-5)
assert np.isnan(with_him).all()
PY
