#!/usr/bin/env bash
# pandas 3.1.1: read_sas reads a zero in a SAS transport file as 5.4e-79.
#
# Expected: 0.0, which the file holds as eight bytes of zero and which other readers return.
# Happens: the smallest number of the format. No row of a 0/1 column equals 0: `arm == 0` selects
#   nobody, `arm != 0` everybody, and astype(bool) makes every control treated. Rounded or
#   made an integer it is 0, so a printed table looks right.
# Source: pandas/io/sas/sas_xport.py, _parse_float_vec, which has no case for a fraction of zero.
#   Issues 30051 and 50670 of pandas-dev/pandas.
# Seen: pandas [5.397605346934028e-79, 1.0, 5.397605346934028e-79, 1.0], pyreadstat [0, 1, 0, 1].
# tauhat: it reads CSV and Parquet; a transport file goes through pyreadstat first.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    pandas==3.1.1 numpy==2.4.6 pyreadstat==1.3.7
"$dir/bin/python" -W ignore - "$dir/trial.xpt" <<'PY'
import sys

import pandas as pd
import pyreadstat

path = sys.argv[1]
trial = pd.DataFrame({"TRTPN": [0.0, 1.0, 0.0, 1.0]})
pyreadstat.write_xport(trial, path, file_format_version=5)
by_pandas = pd.read_sas(path, format="xport")["TRTPN"]
by_pyreadstat = pyreadstat.read_xport(path)[0]["TRTPN"]
print("pandas", by_pandas.tolist(), "pyreadstat", by_pyreadstat.tolist())
assert by_pyreadstat.tolist() == [0, 1, 0, 1]
assert (by_pandas == 0).sum() == 0
assert by_pandas.astype(bool).all()
assert (by_pandas.round() == [0, 1, 0, 1]).all()
PY
