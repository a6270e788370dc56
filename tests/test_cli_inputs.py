"""The command's configuration, and inputs that it refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cli_runs import (
    ROLES,
    arguments,
    leave_out_the_slow,
    run_of,
    small_trial,
    small_trial_csv,
)
from tauhat.cli import main
from tauhat.cli.settings import read_config
from tauhat.errors import TrialError
from tauhat.trial.trial import Trial


@pytest.fixture
def trial_csv(tmp_path: Path) -> Path:
    return small_trial_csv(tmp_path)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_the_slow(monkeypatch)


CONFIG = """\
file = "trial.csv"
outcome = "sbp"
treatment = "arm"
control = "HIC"
cluster = "clinic"
covariates = ["age", "female", "urban"]
models = "LMM"
jobs = 1
seed = 9
out = "from-config"
"""


def test_config_has_the_same_keys_and_the_command_line_wins(
    trial_csv: Path, tmp_path: Path
) -> None:
    config = tmp_path / "trial.toml"
    config.write_text(CONFIG)
    assert main(["run", "--config", str(config)]) == 0
    assert run_of(tmp_path / "from-config")["seed"] == 9
    words = ["run", "--config", str(config), "--seed", "4", "--out", str(tmp_path / "o")]
    assert main([*words, "--covariates", "age"]) == 0
    run = run_of(tmp_path / "o")
    assert run["seed"] == 4
    assert run["design"]["covariates"] == ["age"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("outcom = 'sbp'", "unknown key 'outcom'; did you mean outcome?"),
        ("zzz = 1", "unknown key 'zzz'; known: file, outcome"),
        ("outcome = 'sbp", "is not TOML"),
        ("outcome = 3", "outcome must be a text in quotes, got 3"),
        ("seed = 1.5", "seed must be a whole number, got 1.5"),
        ("jobs = true", "jobs must be a whole number, got True"),
        ("level = '0.9'", "level must be a number, got '0.9'"),
        ("covariates = [['a']]", "covariates must be a list"),
        ("cluster-size = 1", "cluster_size must be true or false"),
        ("higher-is-better = 'yes'", "higher_is_better must be true or false"),
        (
            "higher-is-better = true\nlower_is_better = true",
            "has both higher-is-better and lower-is-better; give one of them",
        ),
        ("backend = 2", "backend must be a text in quotes"),
        ("file = 1", "file must be a path in quotes"),
    ],
)
def test_config_errors_name_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.toml"
    path.write_text(text)
    with pytest.raises(TrialError, match=r"t\.toml") as caught:
        read_config(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "higher"),
    [
        ("lower-is-better = true", False),
        ("lower_is_better = false", True),
        ("higher-is-better = false", False),
    ],
)
def test_either_direction_is_a_key(tmp_path: Path, text: str, *, higher: bool) -> None:
    path = tmp_path / "t.toml"
    path.write_text(text)
    assert read_config(path).higher_is_better is higher


def wide_file(folder: Path) -> Path:
    path = folder / "wide.csv"
    path.write_text(",".join(f"c{k}" for k in range(30_000)) + "\n")
    return path


def huge_file(folder: Path) -> Path:
    """A file of 3 GB that takes no space on disk."""
    path = folder / "huge.csv"
    with path.open("wb") as file:
        file.write(b"sbp,arm,clinic,age,female,urban\n1,HIC,1,1,1,1\n")
        file.truncate(3 * 1024**3)
    return path


def changed(**columns: Any) -> Callable[[Path], Path]:
    """A file with some columns replaced."""

    def write(folder: Path) -> Path:
        path = folder / "changed.csv"
        small_trial().assign(**columns).to_csv(path, index=False)
        return path

    return write


def text_file(text: str, name: str = "text.csv") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return write


def utf_16(folder: Path) -> Path:
    (folder / "unicode.csv").write_text("a,b\n1,2\n", encoding="utf-16")
    return folder / "unicode.csv"


def as_it_is(folder: Path) -> Path:
    return changed()(folder)


def stray_text(df: pd.DataFrame) -> list[Any]:
    return ["about sixty", *df.age.astype(str).tolist()[1:]]


WRONG_INPUTS: dict[str, tuple[Callable[[Path], Path], dict[str, str | None], str]] = {
    "missing file": (lambda folder: folder / "nowhere.csv", {}, "there is no file"),
    "folder": (lambda folder: folder, {}, "is a folder"),
    "unknown extension": (text_file("a", "trial.docx"), {}, "unknown extension '.docx'"),
    "empty file": (text_file(""), {}, "is empty"),
    "header only": (text_file("sbp,arm,clinic,age,female,urban\n"), {}, "no rows"),
    "binary": (text_file("a\0b\n1\n"), {}, "binary data"),
    "UTF-16": (utf_16, {}, "is text in UTF-16"),
    "not a table": (text_file("sbp,arm\n1,2\n1,2,3,4\n"), {}, "is not a table"),
    "not parquet": (text_file("sbp", "t.parquet"), {}, "not a Parquet table"),
    "too wide": (wide_file, {}, "30,000 columns, more than 20,000"),
    "too large": (huge_file, {}, "3.00 GiB, more than 2.00 GiB"),
    "no outcome named": (as_it_is, {"outcome": None}, "missing --outcome"),
    "no treatment named": (as_it_is, {"treatment": None}, "missing --treatment"),
    "missing column": (as_it_is, {"outcome": "spb"}, "no column 'spb'; did you mean 'sbp'?"),
    "missing covariate": (as_it_is, {"covariates": "age,femal"}, "did you mean 'female'?"),
    "one column in two roles": (as_it_is, {"covariates": "age,sbp"}, "cannot be both"),
    "control not named": (as_it_is, {"control": None}, "say which is the control"),
    "unknown control": (as_it_is, {"control": "placebo"}, "there is no arm 'placebo'"),
    "an arm spelt in two ways": (
        changed(arm=np.repeat(["HIC", "TASSH", "Tassh", "HIC"], 40)),
        {},
        "has 3 arms: 'HIC' (80), 'TASSH' (40), 'Tassh' (40); choose two or more",
    ),
    "treatment varies within cluster": (
        changed(arm=["HIC", "TASSH"] * 80),
        {},
        "treatment varies within 16 of 16 clusters",
    ),
    "one cluster an arm": (
        changed(clinic=np.repeat(["a", "b"], 80), arm=np.repeat(["HIC", "TASSH"], 80)),
        {},
        "at least two in each arm",
    ),
    "text in a numeric column": (
        changed(age=stray_text),
        {},
        "column 'age' is numeric except for 1 of 153 values, such as 'about sixty'",
    ),
    "text in the outcome": (
        changed(sbp=[*map(str, range(158)), "high", "low"]),
        {},
        "column 'sbp' holds 2 values that are not numbers",
    ),
    "all outcomes missing": (changed(sbp=np.nan), {}, "'sbp' is missing in all 160 rows"),
    "constant outcome": (changed(sbp=1.0), {}, "'sbp' is constant"),
    "dates": (changed(age="2024-01-31"), {}, "'age' holds dates"),
    "unknown model": (as_it_is, {"models": "X-Forest"}, "unknown estimator 'X-Forest'; did you"),
    "model twice": (as_it_is, {"models": "LMM,LMM"}, "models are named twice: LMM"),
    "default among others": (as_it_is, {"models": "default,LMM"}, "name it alone"),
    "no jobs": (as_it_is, {"jobs": "0"}, "--jobs must be at least 1"),
    "jobs not a number": (as_it_is, {"jobs": "many"}, "--jobs"),
    "level of 95": (as_it_is, {"level": "95"}, "--level must lie between 0 and 1, got 95"),
    "negative seed": (as_it_is, {"seed": "-1"}, "--seed must not be negative"),
    "propensity of 1": (as_it_is, {"propensity": "1"}, "propensity must lie strictly between"),
    "unknown backend": (as_it_is, {"backend": "spark"}, "--backend must be one of loky, dask"),
    "address without a cluster": (as_it_is, {"address": "a:1"}, "--address needs --backend dask"),
    "one arm named": (as_it_is, {"arms": "HIC", "control": None}, "--arms needs the labels of two"),
    "no such option": (as_it_is, {"outcomes": "sbp"}, "--outcomes"),
    "no such config": (as_it_is, {"config": "nowhere.toml"}, "there is no file nowhere.toml"),
}


@pytest.mark.parametrize("case", WRONG_INPUTS, ids=str)
def test_wrong_input_gets_one_clear_line_and_leaves_nothing(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_file, changes, message = WRONG_INPUTS[case]
    start = time.monotonic()
    assert main(arguments(make_file(tmp_path), tmp_path / "out", **changes)) == 2
    assert time.monotonic() - start < 20
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 1, said.err
    assert lines[0].startswith("tauhat: error: ")
    assert message in lines[0]
    assert not (tmp_path / "out").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".tauhat")]


def test_folder_that_cannot_be_written_is_refused_before_the_work(
    trial_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "occupied").write_text("a file")
    assert main(arguments(trial_csv, tmp_path / "occupied" / "out")) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "occupied is not a folder" in said[0]
    assert main(arguments(trial_csv, tmp_path / "occupied")) == 2
    assert (tmp_path / "occupied").read_text() == "a file"


def leaking_trial(folder: Path) -> Path:
    df = small_trial()
    path = folder / "leak.csv"
    df.assign(sbp_again=df.sbp * 2 + 1).to_csv(path, index=False)
    return path


def test_failed_check_stops_unless_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = leaking_trial(tmp_path)
    words = arguments(file, tmp_path / "o", covariates="age,female,sbp_again")
    assert main(words) == 3
    said = capsys.readouterr()
    assert "'sbp_again' is the outcome in other units" in said.err
    assert said.out == ""
    assert not (tmp_path / "o").exists()
    assert main([*words, "--force"]) == 0
    assert run_of(tmp_path / "o")["check"]["passed"] is False
    report = (tmp_path / "o" / "report.html").read_text("utf-8")
    assert report.index("The design check failed") < report.index("<main>")


def test_check_prints_the_table_and_fails_with_the_same_code(
    trial_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roles = [w for name, value in ROLES.items() for w in (f"--{name}", value)]
    assert main(["check", str(trial_csv), *roles]) == 0
    said = capsys.readouterr().out
    assert "16 (8 control, 8 treated)" in said
    assert "ICC of the outcome within arm" in said
    file = leaking_trial(tmp_path)
    assert main(["check", str(file), *roles, "--covariates", "sbp_again", "--json"]) == 3
    content = json.loads(capsys.readouterr().out)
    assert content["passed"] is False
    assert "sbp_again" in content["failures"][0]
    assert main(["check", str(trial_csv), "--outcome", "sbp"]) == 2


def test_which_outcome_is_good_reaches_the_analysis(
    trial_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tauhat.cli import commands

    seen: list[bool | None] = []

    def look(trial: Trial, *, higher_is_better: bool | None = None, **settings: Any) -> None:
        seen.append(higher_is_better)
        raise TrialError("seen enough")

    monkeypatch.setattr(commands, "analyze", look)
    config = tmp_path / "trial.toml"
    config.write_text(CONFIG + "higher-is-better = true\n")
    for words in (
        arguments(trial_csv, tmp_path / "o"),
        arguments(trial_csv, tmp_path / "o", "--higher-is-better"),
        arguments(trial_csv, tmp_path / "o", "--lower-is-better"),
        ["run", "--config", str(config)],
        ["run", "--config", str(config), "--lower-is-better"],
    ):
        assert main(words) == 2
    assert seen == [None, True, False, True, False]
