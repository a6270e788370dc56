#!/usr/bin/env bash
# causalml 0.18.0: where persons share a score, Qini and AUUC depend on the order of the rows.
#
# Expected: a model that gives everybody the same effect ranks nobody, so that it is as good as chance
#   whatever the order of the rows: Qini 0, normalised AUUC .5.
# Happens: persons with the same score are ranked in the order of the table. In one that is sorted by
#   arm, as many trial files are, the first half of the curve has one arm only.
# Source: causalml/metrics/visualize.py (get_cumlift: sort_values by the score, then cumulative sums).
#   Not documented as far as we found.
# Seen: 1,000 persons, the same effect for all: Qini -.01 in random order, -.23 with controls first, -.37
#   with treated first, AUUC .50, .60 and .23. Two values of the score, as a tree gives: .35, .32, .39.
# tauhat: its own scores of rankings give tied persons the same rank. Who computes these shuffles
#   the rows first, and looks whether another shuffle gives the same.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    causalml==0.18.0 numpy==2.4.6 pandas==3.1.1 scikit-learn==1.9.1
"$dir/bin/python" -W ignore - 2> "$dir/progress" <<'PY' || { cat "$dir/progress" >&2; exit 1; }
import numpy as np
import pandas as pd
from causalml.metrics import auuc_score, qini_score

n = 1000
rng = np.random.default_rng(0)
gains, arm = rng.integers(0, 2, n), rng.integers(0, 2, n)
y = arm * gains + rng.normal(size=n)
table = pd.DataFrame({"y": y, "arm": arm, "same": 0.5, "two": gains.astype(float)})
tables = {
    "in random order": table,
    "controls first": table.sort_values("arm", kind="stable").reset_index(drop=True),
    "treated first": table.sort_values("arm", kind="stable", ascending=False).reset_index(drop=True),
}
columns = {"outcome_col": "y", "treatment_col": "arm"}
qini = {name: qini_score(rows, **columns) for name, rows in tables.items()}
for name, rows in tables.items():
    auuc = auuc_score(rows, **columns)
    print(
        f"{name:16s} Qini {qini[name]['same']:.2f} (two scores {qini[name]['two']:.2f}), "
        f"AUUC {auuc['same']:.2f} (two scores {auuc['two']:.2f})"
    )
assert abs(qini["in random order"]["same"]) < 0.05
assert qini["controls first"]["same"] < -0.15 and qini["treated first"]["same"] < -0.25
PY
