"""Spoilt input files through the command: exit code 0, 2 or 3, and never a traceback."""

from __future__ import annotations

import functools
import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest

from tauhat.cli import main
from tauhat.fitting import reference_posterior
from tauhat.numerics.ridge_posterior import sample_ridge_posterior
from tauhat.report import plots

# Files of the long search; TAUHAT_FUZZ_FILES asks for more or fewer. One in so many is analysed.
MANY = int(os.environ.get("TAUHAT_FUZZ_FILES", "3000"))
ANALYSED = 50
# Bounds of the long search: address space, and CPU time of a file, which others' work does not use.
MEMORY = 6 * 2**30
SECONDS = 60
RNG = np.random.default_rng(3)
CLINIC = np.repeat(np.arange(8), 5)
TABLE = pd.DataFrame(
    {
        "id": [f"p{k}" for k in range(40)],
        "clinic": [f"c{k}" for k in CLINIC],
        "arm": np.where(CLINIC % 2, "new", "old"),
        "age": RNG.normal(60, 10, 40).round(1),
        "site": RNG.choice(["north", "south", "east"], 40),
        "visit": pd.date_range("2024-01-01", periods=40).astype(str),
        "sbp": RNG.normal(140, 10, 40).round(1),
    }
)
CONFIG = """file = "trial.csv"
outcome = "sbp"
treatment = "arm"
control = "old"
cluster = "clinic"
covariates = ["age", "site"]
propensity = 0.5
cluster_size = false
"""
WORDS = (
    "|,|,,|[]|{}|-|arm|sbp|nan|NA|inf|-1e400|1e308|=1+1|0x1F|é|true|2024-13-45|1,5|  |#|;|\\|"
    "\n|\r|\t|\"|'|\0|\ufeff|\x1b[31m|99999999999999999999999999"
)
TOKENS = [*(word.encode() for word in WORDS.split("|")), b"\xff\xfe", b"9" * 400]
ROLES = ["--outcome", "sbp", "--treatment", "arm", "--control", "old", "--cluster", "clinic"]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A few random cuts, insertions, repetitions and replacements."""
    spoilt = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(spoilt) + 1))
        token = TOKENS[int(rng.integers(len(TOKENS)))]
        end = at + int(rng.integers(0, 30))
        kind = int(rng.integers(6))
        if kind == 0:
            spoilt[at:at] = token
        elif kind == 1:
            spoilt[at:end] = token
        elif kind == 2:
            spoilt[at:at] = spoilt[at:end] * int(rng.integers(1, 4))
        elif kind == 3:
            del spoilt[at : at + int(rng.integers(1, len(spoilt) + 2))]
        elif kind == 4 and at < len(spoilt):
            spoilt[at] ^= 1 << int(rng.integers(8))
        else:
            lines = bytes(spoilt).split(b"\n")
            order = rng.permutation(len(lines)) if rng.random() < 0.3 else np.arange(len(lines))
            cells = lines[int(order[0])].split(b",")
            cells[int(rng.integers(len(cells)))] = token
            lines[int(order[0])] = b",".join(cells)
            spoilt = bytearray(b"\n".join(lines[int(k)] for k in order))
    return bytes(spoilt)


def originals() -> dict[str, bytes]:
    parquet = io.BytesIO()
    TABLE.assign(visit=pd.to_datetime(TABLE["visit"])).to_parquet(parquet)
    csv = TABLE.to_csv(index=False).encode()
    return {"trial.csv": csv, "trial.parquet": parquet.getvalue(), "trial.toml": CONFIG.encode()}


def too_long(signal_number: int, frame: object) -> NoReturn:
    raise AssertionError(f"a file took more than {SECONDS} seconds of CPU time")


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Address space of this process is bounded meanwhile."""
    resource = pytest.importorskip("resource", reason="memory is bounded by setrlimit")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    before = signal.signal(signal.SIGPROF, too_long)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def fuzz(
    folder: Path,
    n_files: int,
    seed: int,
    capsys: pytest.CaptureFixture[str],
    command: str = "check",
    seconds: float = 0,
) -> set[int]:
    """Run a command on mutated files; the exit codes that came."""
    more = [] if command == "check" else ["--models", "LMM", "--jobs", "1"]
    rng = np.random.default_rng(seed)
    files = originals()
    codes = set()
    for number in range(n_files):
        kind = ("trial.csv", "trial.parquet", "trial.toml")[int(rng.choice(3, p=[0.6, 0.15, 0.25]))]
        for name in ("trial.csv", kind):
            (folder / name).write_bytes(files[name])
        data = mutated(files[kind], rng)
        (folder / kind).write_bytes(data)
        if kind == "trial.toml":
            words = [command, str(folder / "trial.csv"), "--config", str(folder / kind)]
        else:
            words = [command, str(folder / kind), *ROLES]
            if rng.random() < 0.8:
                words += ["--covariates", "age,site"]
        if command == "run":
            # Results of other data in a folder would be kept.
            words += ["--out", f"out{number}"]
        if seconds:
            signal.setitimer(signal.ITIMER_PROF, seconds)
        code = main([*words, *more])
        said = capsys.readouterr()
        assert code in (0, 2, 3), (number, kind, data, said.err)
        assert "Traceback" not in said.err
        if code == 2:
            assert said.err.splitlines()[-1].startswith("tauhat: error: ")
            assert len(said.err.splitlines()) == 1 or command == "run"
            assert said.err.splitlines()[-1].isprintable()
        codes.add(code)
    return codes


def test_mutated_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz(tmp_path, 60, 1, capsys) >= {0, 2}


def test_a_parquet_column_of_lists_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trial.parquet"
    TABLE.assign(visit=[[k] for k in range(40)]).to_parquet(path)
    assert main(["check", str(path), *ROLES]) == 2
    assert "column 'visit' holds values of type ndarray" in capsys.readouterr().err


@pytest.mark.slow
def test_thousands_of_mutated_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with bounded_memory():
        assert fuzz(tmp_path, MANY, 2, capsys, seconds=SECONDS) >= {0, 2}


@pytest.mark.slow
def test_mutated_files_through_the_whole_analysis(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = functools.partial(sample_ridge_posterior, n_points=16, draws=20)
    monkeypatch.setattr(reference_posterior, "sample_ridge_posterior", short)
    monkeypatch.setattr(plots, "to_data_uri", lambda figure: "data:,")
    monkeypatch.chdir(tmp_path)
    with bounded_memory():
        assert fuzz(tmp_path, MANY // ANALYSED, 3, capsys, "run", SECONDS) >= {0, 2}
