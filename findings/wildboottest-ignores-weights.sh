#!/usr/bin/env bash
# wildboottest 0.3.2: given a weighted regression, it tests the unweighted one.
#
# Expected: wildboottest(model, ...) with a weighted least-squares model of statsmodels bootstraps the
#   weighted fit, or refuses it, as it refuses instruments. Weights are how a trial with unequal
#   sampling or with lost outcomes is analysed.
# Happens: statistic and p-value are those of ordinary least squares on the same rows. Nothing is
#   warned.
# Source: wildboottest/wildboottest.py takes outcome and design matrix of the model; a comment says
#   that its weights are not used yet. Issue 19 asks for weights; readme and docstring do not say that
#   a weighted model is taken and its weights are dropped.
# Seen: t of the arm 1.25 in the weighted fit, .63 in the unweighted one; the bootstrap of either gives
#   .63 and the same p-value.
# tauhat: weights enter every average, group and test, and their scale does not matter
#   (tests/test_weights.py).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    wildboottest==0.3.2 statsmodels==0.15.0 pandas==2.3.3 scipy==1.17.1
"$dir/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from wildboottest.wildboottest import wildboottest

rng = np.random.default_rng(0)
cluster = np.repeat(np.arange(10), 20)
trial = pd.DataFrame({"cluster": cluster, "arm": 1.0 * (cluster < 5)})
old = rng.uniform(size=200) < 0.5  # few of the old were sampled, and only they benefit
trial["outcome"] = 0.5 * np.repeat(rng.normal(size=10), 20) + rng.normal(size=200) + trial.arm * old
trial["weight"] = np.where(old, 3.0, 0.5)


def of_fit(model):
    """The cluster-robust t of the arm."""
    groups = {"groups": trial.cluster}
    return model.fit(cov_type="cluster", cov_kwds=groups).tvalues["arm"]


def of_bootstrap(model):
    """Statistic and p-value of the wild cluster bootstrap."""
    table = wildboottest(model, param="arm", cluster=trial.cluster, B=999, seed=1, show=False)
    return float(table["statistic"].iloc[0]), float(table["p-value"].iloc[0])


unweighted = smf.ols("outcome ~ arm", trial)
weighted = smf.wls("outcome ~ arm", trial, weights=trial.weight)
print(f"t, unweighted {of_fit(unweighted):.3f}, weighted {of_fit(weighted):.3f}")
print("bootstrap, unweighted", of_bootstrap(unweighted), "weighted", of_bootstrap(weighted))
assert of_bootstrap(weighted) == of_bootstrap(unweighted)
assert np.isclose(of_bootstrap(weighted)[0], of_fit(unweighted))
assert abs(of_fit(weighted) - of_fit(unweighted)) > 0.5
PY
