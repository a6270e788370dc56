#!/usr/bin/env bash
# formulaic 1.2.2 and patsy 1.0.3 within statsmodels 0.15.0: with a boolean arm, the same formula is
# another model, and the effect of the treatment another number.
#
# Expected: "outcome ~ 0 + arm + age" gives the means of both arms at an age of zero, and
#   "outcome ~ arm:female" the means of four groups, as in R; whichever of the two libraries for
#   formulas statsmodels uses.
# Happens: patsy takes True and False for two categories, formulaic for the numbers 1 and 0. With
#   formulaic the first formula has one coefficient of arm and forces the line of the controls
#   through zero; the second has one coefficient for treated women and puts everyone else together.
#   statsmodels takes patsy where it is installed and formulaic where it is not, or as
#   SM_FORMULA_ENGINE says; linearmodels and pyfixest always take formulaic. Nothing is warned.
#   And a level that the fit has not seen: patsy refuses to predict, formulaic predicts what it
#   predicts for the reference level, with a warning.
# Source: patsy's manual says that booleans are categories; formulaic's pages on moving from patsy do
#   not name them, as far as we found. statsmodels/formula/_manager.py chooses.
# Seen: difference between the arms 1.86 (patsy) and 2.48 (formulaic), true 2; four coefficients and
#   two; for a site not seen, an error and the prediction of the first site.
# tauhat: has no formulas; its arms are labels, and a new level is named when effects are predicted.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    statsmodels==0.15.0 formulaic==1.2.2 patsy==1.0.3 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$dir/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from statsmodels.formula import options

rng = np.random.default_rng(0)
trial = pd.DataFrame({"arm": rng.uniform(size=200) < 0.5, "female": rng.uniform(size=200) < 0.5,
                      "age": rng.normal(50, 10, 200), "site": rng.choice(["a", "b"], 200)})
trial["outcome"] = 10 + 2 * trial.arm + trial.female + rng.normal(size=200)

found = {}
for engine in ("patsy", "formulaic"):
    options.formula_engine = engine
    means = smf.ols("outcome ~ 0 + arm + age", trial).fit().params
    groups = smf.ols("outcome ~ arm:female", trial).fit().params
    site = smf.ols("outcome ~ arm + site", trial).fit()
    new = pd.DataFrame({"arm": [True, True], "site": ["a", "never seen"]})
    try:
        predicted = site.predict(new).round(2).tolist()
    except Exception as error:
        predicted = type(error).__name__
    print(engine, means.round(2).to_dict(), groups.round(2).to_dict(), predicted)
    found[engine] = means, groups, predicted
arms = found["patsy"][0]
assert abs(arms["arm[True]"] - arms["arm[False]"] - 2) < 0.2
assert found["formulaic"][0]["arm"] > 2.4
assert len(found["patsy"][1]) == 4 and len(found["formulaic"][1]) == 2
assert found["patsy"][2] == "PatsyError"
assert found["formulaic"][2][0] == found["formulaic"][2][1]
PY
