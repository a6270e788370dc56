"""Changed files of every format, in bounded memory: ``python fuzz_formats.py SEED COUNT``.

Each change is small; packed formats are also changed inside and packed anew, so that it is the
reader of the part that has to notice. Files are read in a process of their own, as the
command does. Printed: how many were read, and how many refused. Anything else fails.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from file_readers import FILES
from tauhat.errors import TrialError
from tauhat.tables.reading import read_table

MEMORY = 4 * 2**30
TABLE = pd.DataFrame(
    {
        "arm": [0.0, 1] * 20,
        "age": np.arange(40) + 20.5,
        "site": ["north", "south", "east", ""] * 10,
        "seen": [21974.0 + k for k in range(40)],
    }
)


def originals(folder: Path) -> dict[str, bytes]:
    """A small file of each format."""
    import pyreadstat

    labels = {"arm": {0: "old", 1: "new"}}
    columns = ["Arm", "Age, years", "Site", "Date"]
    TABLE.to_csv(folder / "t.csv", index=False)
    TABLE.to_parquet(folder / "t.parquet")
    TABLE.to_feather(folder / "t.feather")
    TABLE.to_excel(folder / "t.xlsx", index=False)
    pyreadstat.write_sav(
        TABLE, folder / "t.sav", variable_value_labels=labels, missing_ranges={"age": [99]}
    )
    pyreadstat.write_sav(TABLE, folder / "t.zsav", compress=True, column_labels=columns)
    pyreadstat.write_por(TABLE.rename(columns=str.upper), folder / "t.por")
    pyreadstat.write_dta(
        TABLE, folder / "t.dta", variable_value_labels=labels, variable_format={"seen": "%td"}
    )
    for version in (5, 8):
        pyreadstat.write_xport(
            TABLE,
            folder / f"v{version}.xpt",
            file_format_version=version,
            variable_format={"seen": "DATE9"},
        )
    made = [path for path in folder.iterdir() if path.suffix != ".changed"]
    kept = [FILES / name for name in ("trial.rds", "one.RData", "trial.sas7bdat")]
    return {path.name: path.read_bytes() for path in sorted([*made, *kept])}


def changed_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, cut out, repeated or put in."""
    spoilt = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        # Headers, where what matters stands, come first.
        within = len(spoilt) if rng.random() < 0.5 else min(len(spoilt), 1500)
        at = int(rng.integers(within + 1))
        end = at + int(rng.integers(1, 12))
        kind = int(rng.integers(6))
        if kind == 0 and at < len(spoilt):
            spoilt[at] ^= 1 << int(rng.integers(8))
        elif kind == 1 and at < len(spoilt):
            spoilt[at] = int(rng.choice([0, 1, 127, 128, 254, 255]))
        elif kind == 2:
            spoilt[at:at] = rng.bytes(int(rng.integers(1, 6)))
        elif kind == 3:
            del spoilt[at:end]
        elif kind == 4:
            spoilt[at:at] = spoilt[at:end]
        elif rng.random() < 0.2:
            del spoilt[at:]
    return bytes(spoilt)


def changed(name: str, data: bytes, rng: np.random.Generator) -> bytes:
    """A file with something changed, inside what is packed or outside of it."""
    if name.endswith((".rds", ".RData")) and rng.random() < 0.7:
        return gzip.compress(changed_bytes(gzip.decompress(data), rng))
    if not name.endswith(".xlsx") or rng.random() < 0.2:
        return changed_bytes(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        members = {member: packed.read(member) for member in packed.namelist()}
    chosen = sorted(members)[int(rng.integers(len(members)))]
    members[chosen] = changed_bytes(members[chosen], rng)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for member, content in members.items():
            packed.writestr(member, content)
    return target.getvalue()


def main(seed: int, count: int) -> None:
    """Try changed files one after the other."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        files = originals(Path(folder))
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            name = sorted(files)[number % len(files)]
            path = Path(folder) / f"changed{Path(name).suffix}"
            path.write_bytes(changed(name, files[name], rng))
            try:
                assert len(read_table(path)) > 0
                outcomes["read"] += 1
            except TrialError as error:
                outcomes["refused"] += 1
                if "broke off" in str(error) or "could not be read in" in str(error):
                    outcomes[f"library ended: {Path(name).suffix}"] += 1
            except BaseException:
                print(f"{name}: change {number} of seed {seed}", file=sys.stderr)
                raise
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
