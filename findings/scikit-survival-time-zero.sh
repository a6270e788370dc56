#!/usr/bin/env bash
# scikit-survival 0.28.0: a predicted survival curve is below 1 at time 0.
#
# Expected: survival 1 from time 0 until the first event.
# Happens: the curve says that its domain starts at 0, but before the first time in the data it
#   returns the value at that time. With outcomes dated by visit that is the survival at the
#   first visit: a mean survival time read off the curves is too short, and the difference between
#   the arms is off by their difference at the first visit.
# Source: sksurv/functions.py, StepFunction.__call__, which moves earlier times up to the first
#   one. The documented formula f(z) = a y_i + b for x_i <= z < x_(i+1) leaves them open.
# Seen: survival at time 0 in the two arms .79 and .84 (Cox model), .76 and .84 (forest).
# tauhat: it takes no censored outcome. Who prepares restricted mean times for it with such
#   curves adds the point (0, 1) first.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    scikit-survival==0.28.0 scikit-learn==1.9.1 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$dir/bin/python" -W ignore - <<'PY'
import numpy as np
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

rng = np.random.default_rng(0)
arm = np.repeat([0, 1], 100)
visit = np.ceil(rng.exponential(np.where(arm == 1, 4.0, 2.5))).clip(max=6)
y = Surv.from_arrays(visit < 6, visit)
X = arm[:, None].astype(float)
for model in (CoxPHSurvivalAnalysis(), RandomSurvivalForest(n_estimators=20, random_state=0)):
    curves = model.fit(X, y).predict_survival_function(np.array([[0.0], [1.0]]))
    at_zero = [curve(0.0) for curve in curves]
    print(type(model).__name__, "domain", curves[0].domain, "survival at 0:", np.round(at_zero, 2))
    assert curves[0].domain[0] == 0
    assert all(curve(0.0) == curve(0.9) == curve(1.0) < 0.9 for curve in curves)
PY
