#!/usr/bin/env bash
# causalml 0.18.0: the bootstrap draws 10,000 rows from a trial of any size.
#
# Expected: a bootstrap sample has as many rows as the data, so that its spread is the estimate's.
# Happens: `bootstrap_size` is 10,000 by default. In a trial of 200 the interval is narrower by
#   the root of 50, for the average effect (`estimate_ate(bootstrap_ci=True)`) and for each
#   person's (`fit_predict(return_ci=True)`). Nothing is warned.
# Source: causalml/inference/meta/tlearner.py and base.py (`bootstrap`: rng.choice(..., size=size)).
#   The docstring gives the default and not what it does to a small table.
# Seen: standard error of the average effect 0.141 by formula, 0.140 with
#   bootstrap_size=200, 0.022 by default; width of a person's interval 0.89 and 0.13.
# tauhat: its bootstrap takes as many units as the trial has, whole clusters within arm and block.
#   Who compares the two sets bootstrap_size to the number of persons.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    causalml==0.18.0 numpy==2.4.6 pandas==3.1.1 scikit-learn==1.9.1
"$dir/bin/python" -W ignore - 2> "$dir/progress" <<'PY' || { cat "$dir/progress" >&2; exit 1; }
import numpy as np
from causalml.inference.meta import BaseTRegressor
from sklearn.linear_model import LinearRegression

n = 200
rng = np.random.default_rng(0)
X = rng.normal(size=(n, 2))
arm = np.repeat([0, 1], n // 2)
y = arm + X[:, 0] + rng.normal(size=n)


def standard_error(**settings):
    np.random.seed(1)
    _, low, high = BaseTRegressor(LinearRegression()).estimate_ate(
        X, arm, y, bootstrap_ci=True, n_bootstraps=200, **settings
    )
    return ((high - low) / (2 * 1.96)).item()


def mean_width(**settings):
    np.random.seed(1)
    _, low, high = BaseTRegressor(LinearRegression()).fit_predict(
        X, arm, y, return_ci=True, n_bootstraps=200, **settings
    )
    return (high - low).mean()


formula = 2 / np.sqrt(n)
own_size, default = standard_error(bootstrap_size=n), standard_error()
print(f"SE by formula {formula:.3f}, with n rows drawn {own_size:.3f}, default {default:.3f}")
assert abs(own_size / formula - 1) < 0.25
assert default < formula / 5
wide, narrow = mean_width(bootstrap_size=n), mean_width()
print(f"width of a person's interval: {wide:.2f}, default {narrow:.2f}")
assert narrow < wide / 5
PY
