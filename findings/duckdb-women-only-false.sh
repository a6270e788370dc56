#!/usr/bin/env bash
# duckdb 2.0.1: in a trial of women, `sex` is read from CSV as False.
#
# Expected: a column of the letter F is text, as it is where M occurs too, and as pandas, polars and
#   pyarrow read it.
# Happens: a column that holds nothing but F and T, or "yes" and "no", is taken for BOOLEAN. A sex of F
#   for everyone becomes False for everyone; an arm of T and F (treatment, placebo to its makers)
#   becomes True and False. Two sites, of which one recruited women only, put together by name: from
#   tables, the women of that site are "false" and those of the other "F", two levels of one
#   covariate; the same union over the files in one query gives "F" for all. Nothing is warned.
# Source: duckdb.org/docs/stable/data/csv/auto_detection: BOOLEAN is the first type tried. That F
#   alone is enough was not found there; duckdb issue 14928 has "yes" and "no" since 1.1.0.
# Seen: site 1 [False, False, False], site 2 ['F', 'M', 'F']; tables put together: 'false' and 'F'.
# tauhat: reads CSV with pandas, where F is text; a table that comes from DuckDB shows its levels in
#   the design check.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet duckdb==2.0.1 polars==2.1.0
cd "$dir"
"$dir/bin/python" - <<'PY'
from pathlib import Path

import duckdb
import polars

Path("site1.csv").write_text("id,sex,arm,consent\n1,F,T,yes\n2,F,F,no\n3,F,T,yes\n")
Path("site2.csv").write_text("id,sex,arm,consent\n4,F,T,yes\n5,M,F,no\n6,F,T,yes\n")


def column(query, name):
    """One column of a query's answer."""
    return [row[0] for row in duckdb.sql(f"select {name} from ({query}) order by id").fetchall()]


first, second = (f"select * from read_csv('site{site}.csv')" for site in (1, 2))
print("site 1:", {name: column(first, name) for name in ("sex", "arm", "consent")})
print("site 2:", {name: column(second, name) for name in ("sex", "arm", "consent")})
assert column(first, "sex") == [False, False, False]
assert column(first, "arm") == column(first, "consent") == [True, False, True]
assert column(second, "sex") == ["F", "M", "F"]

files = column(f"({first}) union all by name ({second})", "sex")
duckdb.sql(f"create table one as {first}")
duckdb.sql(f"create table two as {second}")
tables = column("from one union all by name from two", "sex")
print("put together by name, files:", files, "tables:", tables)
assert files == ["F", "F", "F", "F", "M", "F"]
assert tables == ["false", "false", "false", "F", "M", "F"]

assert polars.read_csv("site1.csv")["sex"].to_list() == ["F", "F", "F"]
PY
