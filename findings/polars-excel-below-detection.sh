#!/usr/bin/env bash
# polars 2.1.0 with fastexcel 0.21.0: what a column of a workbook holds after its first 100 rows is
# made missing if it is of another kind, and a number among yes and no becomes yes.
#
# Expected: a laboratory value is a number for the first 150 patients and "<5", below detection, for
#   the 40 after them: read as text, or refused. So it is with the same table as CSV: read_csv stops
#   and names the value.
# Happens: read_excel takes the kind of a column from its first 100 rows, and every "<5" arrives as
#   missing: the mean is that of the patients with higher values. Among True and False, 2 (unknown)
#   arrives as True. Nothing is warned. With infer_schema_length=None nothing is lost.
# Source: the page of polars.read_excel says that this many rows are scanned, and nothing of what
#   becomes of the others.
# Seen: 40 of 200 values missing, mean 32.8 for the 160 others; read_csv: ComputeError.
# tauhat: reads workbooks itself and looks at every row, so that "<5" is named; of a table that came
#   from polars it cannot know (docs/files.md).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    polars==2.1.0 fastexcel==0.21.0 XlsxWriter==3.3.1
cd "$dir"
"$dir/bin/python" -W error - <<'PY'
import polars as pl
import xlsxwriter

crp = [10 + k % 50 for k in range(150)] + ["<5"] * 40 + [7] * 10
event = [k % 3 == 0 for k in range(150)] + [2] * 50
with xlsxwriter.Workbook("trial.xlsx") as book:
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["id", "crp", "event"])
    for row, values in enumerate(zip(range(200), crp, event)):
        sheet.write_row(row + 1, 0, values)
with open("trial.csv", "w") as file:
    file.write("id,crp\n" + "\n".join(f"{k},{value}" for k, value in enumerate(crp)))

read = pl.read_excel("trial.xlsx")
whole = pl.read_excel("trial.xlsx", infer_schema_length=None)
try:
    text = str(pl.read_csv("trial.csv").schema)
except Exception as error:
    text = f"{type(error).__name__}: {str(error).splitlines()[0]}"
print("read_excel:", read.schema)
print("missing", read["crp"].null_count(), "mean", read["crp"].mean())
print("the 2 of event:", set(read["event"].tail(50)))
print("read_csv:", text)
assert read["crp"].dtype == pl.Int64
assert read["crp"].null_count() == 40
assert whole["crp"].null_count() == 0
assert whole["crp"].dtype == pl.String
assert set(read["event"].tail(50)) == {True}
assert text.startswith("ComputeError")
assert "<5" in text
PY
