"""Changed files of every format, in bounded memory: ``python fuzz_formats.py SEED COUNT``.

Each change is small; packed formats are also changed inside and packed anew, so that it is the
reader of the part that has to notice. ``tauhat check`` takes each file in a process of its own, of
bounded memory and CPU time. Printed: how many were read (exit code 0 or 3), how many refused (2),
how often the library ended the process, for which a user gets an error since the command reads
such files apart, and the largest memory that a process used. Anything else fails: another code, a
traceback, a message of several lines.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import io
import json
import os
import resource
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from file_readers import FILES, read_here
from tauhat.cli import main as command
from tauhat.tables import reading
from tauhat.tables.formats import FORMATS
from tauhat.tables.reading import read_table

MEMORY = 4 * 2**30
SECONDS = 60
READ, FAULT, REFUSED, FAILED = 0, 1, 2, 3
FOUND = {READ: "read", FAILED: "read", REFUSED: "refused"}
APART = (*tuple(suffix for suffix, one in FORMATS.items() if one.apart), ".RData")
TABLE = pd.DataFrame(
    {
        "arm": [0.0, 1] * 20,
        "age": np.arange(40) + 20.5,
        "site": ["north", "south", "east", ""] * 10,
        "seen": [21974.0 + k for k in range(40)],
    }
)


def write_originals(folder: Path) -> int:
    """Write a small file of each format."""
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
    return READ


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


def checked(path: Path) -> int:
    """Exit code of the command on a file; what it says has to be what it promises."""
    out, err = io.StringIO(), io.StringIO()
    words = ["check", str(path), "--outcome", "age", "--treatment", "arm", "--covariates", "site"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command([*words, "--control", "0"])
    said = err.getvalue()
    assert code in (0, REFUSED, FAILED), code
    assert "Traceback" not in said, said
    if code == REFUSED:
        assert said.startswith("tauhat: error: "), said
        assert said.count("\n") == 1, said
    return code


def in_a_process(work: Callable[[], int]) -> tuple[int, float]:
    """Exit code of a process that works, negative if a signal ended it, and its memory in MiB.

    Arrow's threads do not outlive a fork, so this process itself never uses them.
    """
    process = os.fork()
    if process == 0:
        code = FAULT
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            code = work()
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    _, status, usage = os.wait4(process, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024


def main(seed: int, count: int) -> None:
    """Try changed files one after the other."""
    warnings.simplefilter("ignore")
    # Imported once, here.
    readers = ("pyreadstat", "rdata.parser", "python_calamine", "pyarrow.parquet")
    for name in (*readers, "tauhat.cli.commands"):
        importlib.import_module(name)
    # The process made here for each file stands for the one that reads it otherwise.
    reading.read_apart = read_here
    outcomes: Counter[str] = Counter()
    largest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        assert in_a_process(lambda: write_originals(Path(folder)))[0] == READ
        paths = [*Path(folder).iterdir()]
        paths += [FILES / name for name in ("trial.rds", "one.RData", "trial.sas7bdat")]
        files = {path.name: path.read_bytes() for path in paths}
        for path in paths:
            there = in_a_process(lambda path=path: READ if len(read_table(path)) else FAULT)
            assert there[0] == READ, path
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            name = sorted(files)[number % len(files)]
            path = Path(folder) / f"changed{Path(name).suffix}"
            path.write_bytes(changed(name, files[name], rng))
            code, memory = in_a_process(lambda path=path: checked(path))
            largest = max(largest, memory)
            # After a signal a user gets an error, since the file was read apart.
            found = "ended" if code < 0 else FOUND.get(code, "fault")
            outcomes[found] += 1
            if found == "fault" or (found == "ended" and not name.endswith(APART)):
                sys.exit(f"{name}: change {number} of seed {seed}")
    print(json.dumps({**outcomes, "largest_MiB": round(largest)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
