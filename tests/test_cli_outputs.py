"""What the command writes, whatever the trial holds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cli_runs import (
    NAMES,
    arguments,
    leave_out_the_slow,
    run_of,
    small_trial,
    small_trial_csv,
)
from tauhat.cli import main


@pytest.fixture
def trial_csv(tmp_path: Path) -> Path:
    return small_trial_csv(tmp_path)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_the_slow(monkeypatch)


def test_other_files_in_the_folder_stay_and_old_results_are_replaced(
    trial_csv: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "run.json").write_text("old")
    assert main(arguments(trial_csv, out)) == 0
    assert (out / "notes.txt").read_text() == "mine"
    assert run_of(out)["seed"] == 1
    assert sorted(p.name for p in out.iterdir()) == sorted([*NAMES, "notes.txt"])


def test_failure_while_writing_leaves_no_half_written_file(
    trial_csv: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tauhat.runtime import files

    def disk_full(path: Path, text: str) -> None:
        path.write_text(text[:100])
        if path.name == "effects.csv":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write_flushed", disk_full)
    out = tmp_path / "deep" / "o"
    assert main(arguments(trial_csv, out)) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not (tmp_path / "deep").exists()


def test_internal_error_is_one_line_and_the_traceback_is_on_request(
    trial_csv: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tauhat.cli import commands

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a bug\nover two lines")

    monkeypatch.setattr(commands, "analyze", broken)
    words = arguments(trial_csv, tmp_path / "o")
    assert main(words) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == (
        "tauhat: error: internal error, RuntimeError: a bug over two lines; "
        "run `tauhat --debug ...` to see where, and please report it"
    )
    assert not any("Traceback" in line for line in said)
    assert main(["--debug", *words]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_spreadsheets_run_nothing_from_the_data(tmp_path: Path) -> None:
    df = small_trial().rename(columns={"patient": "@id"})
    attacks = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", " =1+1", "＝1", "-5"]
    df["@id"] = attacks + df["@id"].tolist()[len(attacks) :]
    df.to_csv(tmp_path / "t.csv", index=False)
    assert main(arguments(tmp_path / "t.csv", tmp_path / "o", id="@id")) == 0
    with (tmp_path / "o" / "effects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][-1] == "'@id"
    written = {row[-1] for row in rows[1:]}
    assert "'=cmd|' /C calc'!A0" in written
    assert "-5" in written
    for row in rows:
        for value in row:
            start = value.lstrip().lstrip("'")
            harmless = value.startswith("'") or not start.startswith(tuple("=+-@＝"))
            assert harmless or float(value) is not None


def test_numeric_ids_stay_as_they_are(tmp_path: Path) -> None:
    df = small_trial().assign(patient=np.arange(160) + 12_345_678_901_234)
    df["patient"] = df["patient"].astype("float64")
    df.to_csv(tmp_path / "t.csv", index=False)
    assert main(arguments(tmp_path / "t.csv", tmp_path / "o", id="patient")) == 0
    text = (tmp_path / "o" / "effects.csv").read_text()
    assert text.splitlines()[1].endswith(",12345678901234.0")


def test_individually_randomized_trial(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    df = pd.DataFrame({"age": rng.normal(50, 9, 200), "arm": rng.integers(0, 2, 200)})
    df["y"] = df.age * 0.1 + df.arm * 2 + rng.normal(0, 1, 200)
    df.to_csv(tmp_path / "t.csv", index=False)
    words = ["run", str(tmp_path / "t.csv"), "--outcome", "y", "--treatment", "arm"]
    assert main([*words, "--models", "T-Linear", "--out", str(tmp_path / "o")]) == 0
    run = run_of(tmp_path / "o")
    assert run["design"]["type"] == "individual"
    assert run["design"]["clusters"] is None
    assert run["average_effect"]["cluster"] is None
    assert run["average_effect"]["individual"]["estimate"] == pytest.approx(2, abs=0.5)
    assert run["design"]["covariates"] == ["age"]


def test_two_of_three_arms_and_names_with_commas(tmp_path: Path) -> None:
    df = small_trial().assign(arm=np.repeat(["HIC", "SMS", "TASSH", "HIC"], 40))
    df.loc[40:79, "arm"] = np.repeat(["SMS", "TASSH"], 20)
    df.rename(columns={"age": "age, years"}).to_csv(tmp_path / "t.csv", index=False)
    words = arguments(
        tmp_path / "t.csv",
        tmp_path / "o",
        control=None,
        arms="HIC,TASSH",
        covariates='"age, years",female',
    )
    assert main(words) == 0
    design = run_of(tmp_path / "o")["design"]
    assert design["n_excluded"] == 20
    assert design["covariates"] == ["age, years", "female"]
