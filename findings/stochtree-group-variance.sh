#!/usr/bin/env bash
# stochtree 0.4.5: the variance between groups is given as if there were twice as many groups.
#
# Expected: given the intercepts of m groups, their variance has an inverse gamma distribution with
#   half of m added to its shape; its logarithm then has a standard deviation of about root(2 / m).
# Happens: all of m is added, so that the standard deviation is root(1 / m), and intervals of the
#   variance, and of the intraclass correlation, are too narrow. The mean is about right.
# Source: VarianceComponentShape in src/random_effects.cpp (prior shape + number of groups). The
#   residual variance, in include/stochtree/variance_model.h, adds half. Not documented as far as we
#   found.
# Seen: 40 data sets of 20 groups with a true variance of 1 and nearly known means: standard deviation
#   of the logarithm .23, where root(2 / 20) = .32; the 90% interval holds the truth in 29 of 40.
# tauhat: it uses the engine for trees only and draws intercepts and their variance itself
#   (`tauhat.numerics.intercept_draws`).
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

n_groups, n_sets = 20, 40
group = np.repeat(np.arange(n_groups), 20)
spread, held = [], 0
for seed in range(n_sets):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(len(group), 1))  # says nothing about the outcome
    y = rng.normal(size=n_groups)[group] + 0.3 * rng.normal(size=len(group))
    model = BARTModel()
    model.sample(
        X_train=X, y_train=y, rfx_group_ids_train=group,
        num_gfr=0, num_burnin=300, num_mcmc=1000,
        general_params={"random_seed": seed + 1, "num_threads": 1},
        mean_forest_params={"num_trees": 1},
        random_effects_params={"model_spec": "intercept_only"},
    )
    draws = model.rfx_container.extract_parameter_samples()
    # An intercept is alpha times xi, and sigma is the variance of xi.
    variance = np.ravel(draws["alpha_samples"]) ** 2 * np.ravel(draws["sigma_samples"])
    variance *= model.y_std**2
    low, high = np.quantile(variance, [0.05, 0.95])
    held += int(low <= 1 <= high)
    spread.append(np.log(variance).std())
print(
    f"standard deviation of the log variance {np.mean(spread):.3f}, "
    f"root(2 / m) {np.sqrt(2 / n_groups):.3f}, root(1 / m) {np.sqrt(1 / n_groups):.3f}; "
    f"90% intervals that hold the truth: {held} of {n_sets}"
)
assert np.mean(spread) < 0.26 and held <= 33
PY
