#!/usr/bin/env bash
# stochtree 0.4.5: a large observation weight makes an observation count less.
#
# Expected, and documented: residual variance sigma^2 / w, so larger weights increase an
#   observation's influence.
# Happens: the weight multiplies the variance. A sample of two halves, weighted 100 to 1, is
#   fitted as if it had been weighted 1 to 100.
# Source: docstring of `observation_weights` in stochtree/bart.py, against what the samplers do with
#   the vector that add_variance_weights is handed unchanged.
# Seen: halves with means 0 and 3, weights 1 and 100: weighted mean 2.96, inversely weighted mean
#   0.02, fitted mean 0.08.
# tauhat: it does not use `observation_weights`. Who needs weights passes their inverse, and checks
#   it again with each release.
set -euo pipefail
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    stochtree==0.4.5 numpy==2.4.6 pandas==3.1.1 scikit-learn==1.9.1 scipy==1.17.1
"$dir/bin/python" -W ignore - <<'PY'
import numpy as np
from stochtree import BARTModel

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 1))  # says nothing about the outcome
upper = np.arange(300) % 2 == 1
y = np.where(upper, 3.0, 0.0) + rng.normal(size=300)
weights = np.where(upper, 100.0, 1.0)
model = BARTModel()
model.sample(
    X_train=X, y_train=y, observation_weights=weights,
    num_gfr=5, num_burnin=0, num_mcmc=50, general_params={"random_seed": 1},
)
fitted = model.y_hat_train.mean()
right, inverse = np.average(y, weights=weights), np.average(y, weights=1 / weights)
print(f"weighted mean {right:.2f}, inversely weighted {inverse:.2f}, fitted {fitted:.2f}")
assert abs(fitted - inverse) < 0.3 and abs(fitted - right) > 2
PY
