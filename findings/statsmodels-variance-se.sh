#!/usr/bin/env bash
# statsmodels 0.15.0: MixedLM prints a variance with a standard error in other units.
#
# Expected: with the outcome in other units, ten times the numbers, the printed between-group
#   variance and its standard error are both 100 times as large.
# Happens: the variance is, the standard error beside it only ten times: the summary multiplies
#   the standard error of the ratio to the residual variance by the residual SD instead of the
#   residual variance. It is right only where that variance is 1. `bse` and `params` hold the
#   ratio itself, under the name "group Var".
# Source: statsmodels/regression/mixed_linear_model.py, MixedLMResults.summary and bse_re (square
#   root of the scale); the docstring calls it the standard error of the variance parameters. Issues
#   2231 and 3532 of statsmodels/statsmodels discuss the two scales of params and summary.
# Seen: 1.045 (SE 0.309), and 104.469 (SE 3.091) for ten times the outcome.
# tauhat: it computes variance components itself and takes none of these standard errors.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    statsmodels==0.15.0 patsy==1.0.3 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$dir/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

rng = np.random.default_rng(2)
group = np.repeat(np.arange(30), 10)
y = rng.normal(size=30)[group] + rng.normal(size=300)
printed = {}
for factor in (1, 10):
    trial = pd.DataFrame({"y": factor * y, "group": group})
    fit = smf.mixedlm("y ~ 1", trial, groups="group").fit()
    row = fit.summary().tables[1].loc["group Var"]
    printed[factor] = float(row["Coef."]), float(row["Std.Err."])
    print(f"outcome times {factor}: variance {row['Coef.']}, SE {row['Std.Err.']}")
    assert abs(fit.params["group Var"] * fit.scale / fit.cov_re.iloc[0, 0] - 1) < 1e-6
assert abs(printed[10][0] / printed[1][0] / 100 - 1) < 0.02
assert abs(printed[10][1] / printed[1][1] / 10 - 1) < 0.02
PY
