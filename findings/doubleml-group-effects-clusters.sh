#!/usr/bin/env bash
# doubleml 0.11.4: in clustered data, group effects have errors as if every row were independent.
#
# Expected: DoubleMLIRM on data with cluster_cols clusters its standard errors, so gate() and cate()
#   of the same fit do too, or say that they do not.
# Happens: the average effect's error is clustered, those of groups come from a regression with HC0:
#   in a trial of 40 clusters, whose arms differ by nothing, the average has a fair p-value and the
#   group of everybody, which is the same number, an error less than half as large. Nothing is warned.
# Source: doubleml/utils/blp.py, DoubleMLBLP.fit(cov_type="HC0"); the docstring of gate() names
#   cov_type as a keyword for statsmodels, and says nothing of clusters.
#   gate(groups, cov_type="cluster", cov_kwds={"groups": ...}) gives the clustered error.
# Seen: over 60 trials without effect, mean error .244 of the average and .090 of the group of
#   everybody; significant at .05 in 5 % and 43 %.
# tauhat: group_effect deletes whole clusters, and its group of everybody has the average's error.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    doubleml==0.11.4 scikit-learn==1.9.1 statsmodels==0.15.0 numpy==2.4.6 pandas==3.1.1
"$dir/bin/python" -W ignore - <<'PY'
import doubleml
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression

average, everybody, clustered = [], [], []
for seed in range(60):
    rng = np.random.default_rng(seed)
    np.random.seed(seed)
    cluster = np.repeat(np.arange(40), 20)
    arm = (rng.permutation(40) % 2)[cluster]
    age = rng.normal(size=800)
    y = age + 0.7 * rng.normal(size=40)[cluster] + rng.normal(size=800)
    trial = pd.DataFrame({"y": y, "arm": arm, "age": age, "cluster": cluster})
    data = doubleml.DoubleMLData(trial, "y", "arm", x_cols=["age"], cluster_cols="cluster")
    model = doubleml.DoubleMLIRM(data, LinearRegression(), LogisticRegression()).fit()
    groups = pd.DataFrame({"everybody": np.ones(800, dtype=bool)})
    by_row = model.gate(groups)
    by_cluster = model.gate(groups, cov_type="cluster", cov_kwds={"groups": cluster})
    assert abs(model.coef[0] - by_row.summary["coef"].iloc[0]) < 0.05
    average.append((model.se[0], model.pval[0]))
    everybody.append((by_row.summary["std err"].iloc[0], by_row.summary["P>|t|"].iloc[0]))
    clustered.append((by_cluster.summary["std err"].iloc[0], by_cluster.summary["P>|t|"].iloc[0]))


def told(name, results):
    error, share = np.mean([e for e, _ in results]), np.mean([p < 0.05 for _, p in results])
    print(f"{name}: mean error {error:.3f}, significant {share:.2f}")
    return error, share


error, share = told("average effect", average)
group_error, group_share = told("gate of everybody", everybody)
told("gate of everybody, clusters named again", clustered)
assert share < 0.2 < 0.3 < group_share
assert group_error < 0.6 * error
PY
