#!/usr/bin/env bash
# pyreadstat 1.3.7: with user_missing=True, a plain missing value of a Stata file becomes 0.
#
# Expected: user_missing=True tells .a to .z apart from ., and . stays missing.
# Happens: in a column of integers that holds a .a anywhere, every . arrives as the number 0: a
#   patient whose relapses are unknown has none. Without user_missing=True all are missing.
#   Nothing is warned.
# Source: none found; the documentation of read_dta says that user-missing values are returned
#   as letters, and nothing of the others.
# Seen: 1, 0, .a, ., 1, . are read as 1, 0, 'a', 0, 1, 0; mean 0.4 instead of 0.67.
# tauhat: it takes the values of .dta files from pandas, which keeps them apart, and counts
#   each kind of missing value; pyreadstat only gives the labels.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    pyreadstat==1.3.7 numpy==2.4.6 pandas==3.1.1
cd "$dir"
"$dir/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
import pyreadstat

given = [1, 0, "a", np.nan, 1, np.nan]
pyreadstat.write_dta(
    pd.DataFrame({"relapses": given}), "trial.dta", missing_user_values={"relapses": ["a"]}
)
plain = pyreadstat.read_dta("trial.dta")[0]["relapses"]
with_letters = pyreadstat.read_dta("trial.dta", user_missing=True)[0]["relapses"]
print("written:", given)
print("read:", plain.tolist())
print("with user_missing=True:", with_letters.tolist())
assert plain.isna().tolist() == [False, False, True, True, False, True]
assert with_letters.tolist() == [1, 0, "a", 0, 1, 0]
numbers = pd.to_numeric(with_letters, errors="coerce")
print(f"mean {plain.mean():.2f}, with user_missing=True {numbers.mean():.2f}")
assert abs(numbers.mean() - plain.mean()) > 0.2
PY
