#!/usr/bin/env bash
# lightgbm 4.7.0: in a trial of under 200 persons a column of categories is never used.
#
# Expected: a site that raises the outcome by 3 standard deviations is found, as it is when the same
#   column holds numbers.
# Happens: a categorical column with four or more levels can be split only where each side has
#   min_data_per_group = 100 rows, so under 200 rows never: the prediction is a constant. With three
#   levels, or with the codes as numbers, the site is found. Nothing is warned.
# Source: docs/Parameters.rst has min_data_per_group (default 100, "minimal number of data per
#   categorical group") and max_cat_to_onehot (default 4); that the limit holds for the rows on each
#   side of a split is in src/treelearner/feature_histogram.cpp (see also issue 5669 of the
#   repository). There the bins are counted, one more than the levels, so four levels are already
#   over the four; that is not documented as far as we found.
# Seen, 198 persons, true difference 3: three levels 3.2; four levels 0.0, as numbers 3.1, with
#   min_data_per_group=20 3.1.
# tauhat: it makes 0/1 columns of categories before any engine sees them; the limit never applies.
set -euo pipefail
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    lightgbm==4.7.0 scikit-learn==1.9.1 numpy==2.4.6 pandas==3.1.1
"$dir/bin/python" -W ignore - <<'PY'
import lightgbm
import numpy as np
import pandas as pd

n = 198


def difference(levels, *, category=True, **settings):
    """Predicted mean at site 0 minus that elsewhere."""
    site = np.arange(n) % levels
    y = 3.0 * (site == 0) + np.random.default_rng(1).normal(size=n)
    X = pd.DataFrame({"site": pd.Categorical(site) if category else site})
    fitted = lightgbm.LGBMRegressor(verbose=-1, **settings).fit(X, y).predict(X)
    return fitted[site == 0].mean() - fitted[site != 0].mean()


three, four = difference(3), difference(4)
numbers, lower = difference(4, category=False), difference(4, min_data_per_group=20)
print(f"3 levels {three:.1f}; 4 levels {four:.1f}, as numbers {numbers:.1f}, limit 20 {lower:.1f}")
assert abs(four) < 1e-9
assert min(three, numbers, lower) > 2.5
PY
