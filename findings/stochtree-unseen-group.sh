#!/usr/bin/env bash
# stochtree 0.4.5: a group that was not in the data gets the random effect of another group.
#
# Expected: a draw from the prior, zero, or the error that sample() raises for a test group that is
#   not among the training groups.
# Happens: predict() gives it the effect of the group with the smallest id, with that group's narrow
#   posterior. The prediction for a new hospital is that for hospital 1, whatever its number.
# Source: stochtree/bart.py, predict: the ids go to the container's predict without the check that
#   sample makes. Not documented as far as we found.
# Seen: three groups with means -5, 0 and 5 (ids 10, 20, 30), predicted mean for ids 10, 20, 30, 99:
#   -5.1, 0.0, 5.0, -5.1.
# tauhat: an effect is for a person in a new cluster and never uses the effect of a cluster in the
#   data; a test of every estimator holds it to that.
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
group = np.repeat([10, 20, 30], 60)
X = rng.normal(size=(180, 1))
y = (group - 20) / 2.0 + rng.normal(size=180)
settings = {"num_gfr": 5, "num_burnin": 0, "num_mcmc": 100, "general_params": {"random_seed": 1}}
train = {"X_train": X, "y_train": y, "rfx_group_ids_train": group,
         "rfx_basis_train": np.ones((180, 1))}
model = BARTModel()
model.sample(**train, **settings)
asked = np.array([10, 20, 30, 99])
draws = model.predict(
    X=np.zeros((4, 1)), rfx_group_ids=asked, rfx_basis=np.ones((4, 1)), terms="y_hat"
)
print("predicted mean", dict(zip(asked.tolist(), draws.mean(1).round(1).tolist())))
assert draws[1].mean() - draws[0].mean() > 3
assert np.allclose(draws[3], draws[0])
try:
    BARTModel().sample(
        **train, **settings, X_test=np.zeros((1, 1)), rfx_group_ids_test=np.array([99]),
        rfx_basis_test=np.ones((1, 1)),
    )
    raise SystemExit("sample takes an unseen group")
except ValueError as error:
    print("sample:", error)
PY
