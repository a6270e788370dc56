#!/usr/bin/env bash
# pyreadstat 1.3.7: a second data set in a SAS transport file arrives as patients of the first.
#
# Expected: a transport file may hold several data sets (members), as PROC COPY writes a library.
#   A reader gives the first, asks which one, or refuses.
# Happens: the header of the second member and its rows are read as more rows of the first. Nothing
#   is warned; number_rows says so many too.
# Source: ReadStat's src/sas/readstat_xport_read.c reads rows to the end of the file. The
#   documentation of read_xport says nothing of members.
# Seen: two members of 2 patients each give 92 rows; the letters of the header become ages, the
#   median is 1.0e-20.
# tauhat: it counts the members of a file and refuses more than one.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    pyreadstat==1.3.7 numpy==2.4.6 pandas==3.1.1
cd "$dir"
"$dir/bin/python" -W ignore - <<'PY'
from pathlib import Path

import pandas as pd
import pyreadstat

LIBRARY_HEADER = 240  # bytes before the first member
parts = []
for name, ages in (("DM", [50.0, 60.0]), ("EX", [41.0, 42.0])):
    pyreadstat.write_xport(
        pd.DataFrame({"AGE": ages}), f"{name}.xpt", file_format_version=5, table_name=name
    )
    parts.append(Path(f"{name}.xpt").read_bytes())
Path("both.xpt").write_bytes(parts[0] + parts[1][LIBRARY_HEADER:])
table, metadata = pyreadstat.read_xport("both.xpt")
print(f"DM has 2 patients, EX has 2; read: {len(table)} rows of {metadata.table_name}")
print("the first five:", table["AGE"].head(5).tolist())
print("the last two:", table["AGE"].tail(2).tolist())
print(f"median age {table['AGE'].median():.3g}")
assert table["AGE"].median() < 1e-10
assert metadata.number_rows == len(table) == 92
assert table["AGE"].tail(2).tolist() == [41.0, 42.0]
PY
