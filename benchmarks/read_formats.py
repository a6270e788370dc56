"""Time and peak memory of reading one large table in every format, the whole process tree."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from process_tree import measure

OUT = Path("out/benchmarks/formats")
READ = "import sys, tauhat; print(tauhat.read_table(sys.argv[1]).shape)"
# No library writes SAS data sets; the C source of pyreadstat can (make_sas7bdat.c).
FORMATS = ("csv", "parquet", "feather", "xlsx", "dta", "sav", "zsav", "por", "xpt", "rds")


def table(n: int, columns: int) -> pd.DataFrame:
    """Numbers for the most part, a tenth of them missing in every other column, and some text."""
    rng = np.random.default_rng(1)
    made: dict[str, object] = {"id": [f"P{k:06}" for k in range(n)]}
    made["site"] = rng.choice(["north", "south", "east", "west"], n)
    made["arm"] = rng.integers(0, 2, n).astype(float)
    for k in range(3, columns):
        values = rng.normal(50, 10, n).round(2) if k % 4 else rng.integers(0, 5, n).astype(float)
        made[f"x{k}"] = np.where(rng.random(n) < 0.1, np.nan, values) if k % 2 else values
    return pd.DataFrame(made)


def write(df: pd.DataFrame, path: Path) -> None:
    """Write a table in the format that the extension says."""
    import pyreadstat

    kind = path.suffix[1:]
    if kind == "csv":
        df.to_csv(path, index=False)
    elif kind == "parquet":
        df.to_parquet(path)
    elif kind == "feather":
        df.to_feather(path)
    elif kind == "dta":
        pyreadstat.write_dta(df, path)
    elif kind in ("sav", "zsav"):
        pyreadstat.write_sav(df, path, compress=kind == "zsav")
    elif kind == "por":
        pyreadstat.write_por(df.rename(columns=str.upper), path)
    elif kind == "xpt":
        pyreadstat.write_xport(df, path, file_format_version=5)
    elif kind == "rds":
        source = path.with_suffix(".csv")
        code = f"saveRDS(read.csv('{source}'), '{path}')"
        subprocess.run(["Rscript", "-e", code], check=True)
    else:
        write_workbook(df, path)


def write_workbook(df: pd.DataFrame, path: Path) -> None:
    """Write a workbook row by row, which takes minutes and little memory."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("trial")
    sheet.append(list(df.columns))
    for row in df.astype(object).where(df.notna(), None).itertuples(index=False, name=None):
        sheet.append(row)
    book.save(path)


def cost_of(path: Path) -> dict[str, object]:
    """Cost of reading a file in a process of its own."""
    cost = measure([sys.executable, "-c", READ, str(path)])
    row = {
        "format": path.suffix[1:],
        "file_MiB": round(path.stat().st_size / 1024**2, 1),
        "seconds": round(cost.seconds, 1),
        "cpu_seconds": round(cost.cpu_seconds, 1),
        "peak_MiB": round(cost.peak_mebibytes),
    }
    print(row, flush=True)
    return row


def main() -> None:
    """Write the table in each format, read it and print the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--formats", nargs="+", default=list(FORMATS))
    parser.add_argument("--sas", type=Path, help="a .sas7bdat file that make_sas7bdat.c wrote")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    df = table(options.rows, options.columns)
    write(df, OUT / "t.csv")
    rows = []
    for kind in options.formats:
        if kind == "rds" and shutil.which("Rscript") is None:
            print("rds is left out: there is no R here", file=sys.stderr)
            continue
        path = OUT / f"t.{kind}"
        if kind != "csv":
            write(df, path)
        rows.append(cost_of(path))
        if kind != "csv":
            path.unlink()
    if options.sas is not None:
        rows.append(cost_of(options.sas))
    found = pd.DataFrame(rows)
    found.to_csv(OUT / "read_formats.csv", index=False)
    print(found.to_string(index=False))


if __name__ == "__main__":
    main()
