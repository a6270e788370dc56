"""Same data and seed: the same bytes in effects.csv, whatever computes them and in which order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cli_runs import leave_out_the_slow
from tauhat.cli import main

# One with trees, one with folds, one with clusters.
MODELS = "LMM,X-Boosting,T-Linear"


def table() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    clinic = np.repeat(np.arange(14), 9)
    n = len(clinic)
    df = pd.DataFrame({"clinic": [f"clinic {k}" for k in clinic], "arm": clinic % 2})
    df["age"] = rng.normal(60, 10, n)
    df["site"] = rng.choice(["north", "south", "east"], n)
    df["sbp"] = 140 + 0.2 * df["age"] * df["arm"] + rng.normal(0, 8, n)
    return df


def words(file: Path, out: Path, *more: str) -> list[str]:
    roles = ["--outcome", "sbp", "--treatment", "arm", "--cluster", "clinic"]
    return ["run", str(file), *roles, "--models", MODELS, "--seed", "4", "--out", str(out), *more]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trial") / "trial.csv"
    table().to_csv(path, index=False)
    return path


# effects.csv has neither figures nor held-out effects.
pytestmark = pytest.mark.usefixtures("quick_run")


def effects(file: Path, out: Path, *more: str) -> str:
    assert main(words(file, out, *more)) == 0
    return (out / "effects.csv").read_text()


@pytest.fixture(scope="module")
def one(file: Path) -> str:
    """What one job in this process writes."""
    with pytest.MonkeyPatch.context() as patch:
        leave_out_the_slow(patch)
        return effects(file, file.parent / "one", "--jobs", "1")


@pytest.mark.slow
def test_jobs_and_dask_give_the_same_bytes(file: Path, one: str, tmp_path: Path) -> None:
    assert one.count("\n") == 127
    assert effects(file, tmp_path / "2", "--jobs", "2") == one
    pytest.importorskip("distributed", reason="tauhat[dask] is missing")
    assert effects(file, tmp_path / "dask", "--jobs", "2", "--backend", "dask") == one


# As quick_run.
FRESH = """
import sys
import pytest
from cli_runs import leave_out_the_slow
from tauhat.cli import main
leave_out_the_slow(pytest.MonkeyPatch())
sys.exit(main(sys.argv[1:]))
"""


def test_a_fresh_process_with_other_hashes_gives_the_same_bytes(
    file: Path, one: str, tmp_path: Path
) -> None:
    seed = "1234" if os.environ.get("PYTHONHASHSEED") != "1234" else "0"
    subprocess.run(
        [sys.executable, "-c", FRESH, *words(file, tmp_path / "out", "--jobs", "1")],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "out" / "effects.csv").read_text() == one


def test_order_of_rows_and_names_of_clusters_change_no_byte(one: str, tmp_path: Path) -> None:
    first = one.splitlines()
    rng = np.random.default_rng(5)
    order = rng.permutation(126)
    moved = table().iloc[order]
    names = moved["clinic"].unique()
    moved["clinic"] = moved["clinic"].map(
        dict(zip(names, rng.permutation(len(names)), strict=True))
    )
    moved.to_csv(tmp_path / "moved.csv", index=False)
    other = effects(tmp_path / "moved.csv", tmp_path / "other", "--jobs", "1").splitlines()
    assert first[0] == other[0]
    # Row k of the moved file is row order[k] of the first.
    back = {
        int(order[int(row) - 1]) + 1: rest for row, rest in (r.split(",", 1) for r in other[1:])
    }
    assert [f"{row},{back[row]}" for row in sorted(back)] == first[1:]
