#!/usr/bin/env bash
# statsmodels 0.15.0: a Series of clusters is matched to the rows by position, not by its index.
#
# Expected: a pandas Series of clusters is matched to the rows by its index, or refused when its
#   order is another: OLS(y, X) refuses a y and an X whose indices differ.
# Happens: with the same labels in another order (one of the two was sorted) the coefficient is
#   right and the standard error is that of clusters made up at random, mostly far too small. So
#   with OLS and cov_type="cluster", with GEE and with MixedLM. Nothing is warned.
# Source: statsmodels/base/covtype.py and stats/sandwich_covariance.py take the groups as an array.
#   The docstrings ask for an array of groups; that an index is ignored is not documented as far as
#   we found.
# Seen: standard error of the arm 0.36 to 0.37 with each person's own cluster, 0.15 with the same
#   Series in another order.
# tauhat: clusters, arm and outcome are columns of one table, so they cannot come apart.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    statsmodels==0.15.0 patsy==1.0.3 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$dir/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

rng = np.random.default_rng(3)
cluster = np.repeat(np.arange(40), 10)
arm = cluster % 2
y = rng.normal(size=40)[cluster] + rng.normal(size=400)
person = [f"P{number:03d}" for number in range(400)]
trial = pd.DataFrame({"y": y, "arm": arm, "cluster": cluster}, index=person)
elsewhere = trial["cluster"].sample(frac=1, random_state=0)
assert elsewhere.loc[person].equals(trial["cluster"])

try:
    sm.OLS(trial["y"], sm.add_constant(trial["arm"]).loc[elsewhere.index])
    raise SystemExit("OLS takes a y and an X in different orders")
except ValueError as error:
    print("y and X in different orders:", error)

models = {
    "OLS": lambda groups: smf.ols("y ~ arm", trial).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    ),
    "GEE": lambda groups: smf.gee("y ~ arm", groups, trial).fit(),
    "MixedLM": lambda groups: smf.mixedlm("y ~ arm", trial, groups=groups).fit(),
}
for name, fit in models.items():
    own, other = (fit(groups).bse["arm"] for groups in (trial["cluster"], elsewhere))
    print(f"{name}: SE {own:.3f}, clusters in another order {other:.3f}")
    assert other < 0.7 * own
PY
