#!/usr/bin/env bash
# statsmodels 0.15.0: naming a second random effect in MixedLM removes the random intercept.
#
# Expected: `vc_formula` adds variance components to the default, a random intercept per group.
# Happens: with `vc_formula` and no `re_formula` the groups have no intercept. In a trial that
#   randomized schools, adding rooms to the model makes the standard error of the arm smaller, as
#   if the rooms had been randomized.
# Source: statsmodels/regression/mixed_linear_model.py, from_formula. The docstring of
#   `re_formula` says that the default gives a random intercept for each group; the examples for
#   nested groups pass re_formula="1" and do not say what happens without it.
# Seen: standard error of the arm .398 with schools, .304 with rooms by `vc_formula` alone, .398
#   with re_formula="1" as well.
# tauhat: its random intercept is that of the randomized cluster and cannot be left out. Who checks
#   it against MixedLM passes re_formula="1".
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

rng = np.random.default_rng(1)
school = np.repeat(np.arange(30), 12)
room = np.tile(np.repeat([0, 1], 6), 30)
arm = school % 2
y = rng.normal(size=30)[school] + 0.7 * rng.normal(size=(30, 2))[school, room]
y += rng.normal(size=school.size)
trial = pd.DataFrame({"y": y, "arm": arm, "school": school, "room": room})
rooms = {"room": "0 + C(room)"}


def standard_error(**settings):
    return smf.mixedlm("y ~ arm", trial, groups="school", **settings).fit().bse["arm"]


schools = standard_error()
rooms_only = standard_error(vc_formula=rooms)
both = standard_error(vc_formula=rooms, re_formula="1")
print(f"SE of arm: schools {schools:.3f}, vc_formula alone {rooms_only:.3f}, both {both:.3f}")
assert abs(both / schools - 1) < 0.02
assert rooms_only < 0.85 * both
fit = smf.mixedlm("y ~ arm", trial, groups="school", vc_formula=rooms).fit()
assert fit.cov_re.shape == (0, 0), "the groups have an intercept again"
PY
