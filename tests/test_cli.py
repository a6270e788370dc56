from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.analysis import workflow
from tauhat.cli import main
from tauhat.cli.settings import read_config
from tauhat.errors import TrialError
from tauhat.inference.average_effects import average_effects
from tauhat.registry import estimator
from tauhat.report import plots
from tauhat.report.plots import Plot
from tauhat.trial import Trial

NAMES = ["report.html", "effects.csv", "run.json"]


def small_trial(clusters: int = 16, size: int = 10) -> pd.DataFrame:
    """A cluster trial whose effect grows with age; 7 persons have no outcome."""
    rng = np.random.default_rng(7)
    n = clusters * size
    clinic = np.repeat(np.arange(clusters), size)
    arm = (clinic % 2).astype(int)
    age = rng.normal(60, 10, n).round(1)
    sbp = 150 + 0.3 * age - arm * (4 + 0.3 * (age - 60)) + rng.normal(0, 2, clusters)[clinic]
    sbp += rng.normal(0, 6, n)
    df = pd.DataFrame(
        {
            "patient": [f"p{k:03d}" for k in range(n)],
            "clinic": [f"c{k}" for k in clinic],
            "arm": np.where(arm == 1, "TASSH", "HIC"),
            "age": age,
            "female": rng.integers(0, 2, n),
            "urban": (clinic % 3 == 0).astype(int),
            "sbp": sbp,
        }
    )
    df.loc[[3, 20, 21, 60, 61, 100, 159][: n // 20], "sbp"] = np.nan
    return df


ROLES = {
    "outcome": "sbp",
    "treatment": "arm",
    "control": "HIC",
    "cluster": "clinic",
    "covariates": "age,female,urban",
}


def arguments(file: Path, out: Path | None, *more: str, **roles: str | None) -> list[str]:
    """Arguments of `tauhat run` on the small trial, with some roles replaced or left out."""
    chosen = {"models": "LMM", "jobs": "1", **ROLES, **roles}
    words = ["run", str(file)]
    for name, value in chosen.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", value]
    return [*words, *([] if out is None else ["--out", str(out)]), *more]


@pytest.fixture
def trial_csv(tmp_path: Path) -> Path:
    path = tmp_path / "trial.csv"
    small_trial().to_csv(path, index=False)
    return path


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No drawing and no held-out effects: others test them, and they take most of a small run."""
    monkeypatch.setattr(plots, "to_data_uri", lambda figure: "data:,")
    monkeypatch.setattr(workflow, "held_out_effects", lambda *args, **settings: "Left out.")


def effects_of(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "effects.csv")


def run_of(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "run.json").read_text("utf-8"))
    return content


def test_run_writes_three_files_and_tells_on_two_streams(
    trial_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    assert main(arguments(trial_csv, out)) == 0
    assert sorted(p.name for p in out.iterdir()) == sorted(NAMES)
    said = capsys.readouterr()
    assert "individual-average" in said.out
    assert "cluster-average" in said.out
    assert str(out / "report.html") in said.out
    steps = [line.split("s  ")[1] for line in said.err.splitlines()]
    assert [step for step in steps if ":" not in step] == [
        "checking the design",
        "estimating the average effects",
        "testing whether effects differ",
        "fitting the models",
        "making intervals",
        "describing what the effects depend on",
        "describing groups by held-out effects",
        "asking what the results hang on",
        "writing the report",
    ]


def test_effects_are_those_of_the_estimator_for_the_rows_of_the_file(
    trial_csv: Path, tmp_path: Path
) -> None:
    assert main(arguments(trial_csv, tmp_path / "o", "--id", "patient", "--seed", "3")) == 0
    effects = effects_of(tmp_path / "o")
    assert effects.columns.tolist() == ["row", "effect", "lower", "upper", "patient"]
    df = small_trial()
    observed = df.index[df.sbp.notna()]
    assert effects.row.tolist() == (observed + 1).tolist()
    assert effects.patient.tolist() == df.patient[observed].tolist()
    trial = Trial(
        df,
        outcome="sbp",
        treatment="arm",
        control="HIC",
        cluster="clinic",
        covariates=["age", "female", "urban"],
    )
    tau = estimator("LMM", random_state=3).fit(*trial).effect(trial.X)
    assert effects.effect.to_numpy() == pytest.approx(tau, rel=1e-8)
    assert (effects.lower < effects.effect).all()
    assert (effects.effect < effects.upper).all()


def test_run_json_has_the_promised_keys_and_values(
    trial_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    words = arguments(trial_csv, out, "--json", "--seed", "5", "--level", "0.9", id="patient")
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    run = run_of(out)
    assert printed == run
    df = small_trial()
    trial = Trial(
        df,
        outcome="sbp",
        treatment="arm",
        control="HIC",
        cluster="clinic",
        id="patient",
        covariates=["age", "female", "urban"],
    )
    expected = average_effects(trial, level=0.9)
    for name in ("individual", "cluster"):
        for key in ("estimate", "se", "lower", "upper", "p_value"):
            value = getattr(getattr(expected, name), key)
            assert run["average_effect"][name][key] == pytest.approx(value)
    assert {"statistic", "p_value", "method"} <= set(run["heterogeneity_test"])
    assert run["seed"] == 5
    assert run["interval"]["level"] == 0.9
    assert run["command"].startswith("tauhat run ")
    assert run["command"].endswith("--json --seed 5 --level 0.9")
    assert run["data_sha256"] == hashlib.sha256(trial_csv.read_bytes()).hexdigest()
    design = run["design"]
    assert design["type"] == "cluster"
    assert design["n"] == 153
    assert design["n_missing_outcome"] == 7
    assert design["clusters"] == 16
    assert design["arms"]["control"]["label"] == "HIC"
    assert design["arms"]["control"]["clusters"] == 8
    assert design["arms"]["control"]["n"] + design["arms"]["treated"]["n"] == 153
    assert design["icc"] == pytest.approx(trial.check().icc.value)
    assert design["cluster_covariates"] == ["urban"]
    assert [m["name"] for m in run["models"]] == ["LMM"]
    assert run["models"][0]["seconds"] > 0
    assert run["variance_components"][0]["model"] == "LMM"
    assert {"tauhat", "python", "numpy", "scikit-learn"} <= set(run["versions"])


def test_same_seed_same_bytes_and_other_seed_other_intervals(
    trial_csv: Path, tmp_path: Path
) -> None:
    for name, more in {"a": [], "b": [], "c": ["--seed", "2"]}.items():
        assert main(arguments(trial_csv, tmp_path / name, *more, models="T-Linear")) == 0
    first, again, other = ((tmp_path / n / "effects.csv").read_bytes() for n in "abc")
    assert first == again
    assert first != other


def test_jobs_do_not_change_a_byte(trial_csv: Path, tmp_path: Path) -> None:
    for jobs in ("1", "2"):
        assert main(arguments(trial_csv, tmp_path / jobs, models="LMM,T-Linear", jobs=jobs)) == 0
    one, two = ((tmp_path / jobs / "effects.csv").read_bytes() for jobs in "12")
    assert one == two


def test_parquet_and_semicolons_give_the_effects_of_the_csv(
    trial_csv: Path, tmp_path: Path
) -> None:
    df = small_trial()
    df.to_parquet(tmp_path / "trial.parquet")
    df.to_csv(tmp_path / "german.csv", sep=";", decimal=",", index=False)
    texts = []
    for file in (trial_csv, tmp_path / "trial.parquet", tmp_path / "german.csv"):
        assert main(arguments(file, tmp_path / "o")) == 0
        texts.append((tmp_path / "o" / "effects.csv").read_bytes())
    assert texts[0] == texts[1] == texts[2]


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
    "three arms": (
        changed(arm=np.repeat(["HIC", "TASSH", "SMS", "HIC"], 40)),
        {},
        "has 3 arms: 'HIC' (80), 'SMS' (40), 'TASSH' (40); choose two",
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
    from tauhat import files

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
    assert text.splitlines()[1].endswith(",12345678901234")


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


def test_which_outcome_is_good_reaches_the_analysis(
    trial_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tauhat.cli import commands

    seen: list[bool | None] = []

    def look(trial: Trial, *, higher_is_better: bool | None, **settings: Any) -> None:
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


def test_demo_is_labelled_synthetic_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "d"), "--models", "LMM", "--jobs", "1"]) == 0
    assert "SYNTHETIC DATA" in capsys.readouterr().out
    assert "made up by a computer" in run_of(tmp_path / "d")["synthetic"]
    report = (tmp_path / "d" / "report.html").read_text("utf-8")
    assert report.index("Synthetic data.") < report.index("<main>")
    assert effects_of(tmp_path / "d")["patient_id"].str.startswith("synthetic-").all()


def test_estimators_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimators"]) == 0
    listed = capsys.readouterr().out
    for name in ("BCF-RE", "LMM", "CBA", "X-RF", "CF-DML-forest"):
        assert f"\n{name} " in listed
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tauhat 0.")
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out
    assert main(["run", "--help"]) == 0
    helped = capsys.readouterr().out
    for option in ("--cluster-covariates", "--propensity", "--config", "--json", "--force"):
        assert option in helped


def processes_of_session(session: int) -> list[int]:
    """Live processes of a session (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def interrupt(words: Sequence[str], number: signal.Signals, after: str) -> tuple[int, str, int]:
    """Run the command, send a signal once ``after`` shows; exit code, stderr, session."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tauhat", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if after in line:
            # As a terminal does: to the workers as well.
            os.killpg(process.pid, number)
            break
    _, rest = process.communicate(timeout=60)
    return process.returncode, seen + rest, process.pid


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("number", "jobs", "after", "code"),
    [
        (signal.SIGINT, "1", "fitting the models", 130),
        (signal.SIGINT, "2", "making intervals", 130),
        (signal.SIGTERM, "2", "making intervals", 143),
    ],
    ids=["ctrl-c", "ctrl-c with workers", "terminated with workers"],
)
def test_interruption_half_way_leaves_no_file_and_no_process(
    number: signal.Signals, jobs: str, after: str, code: int, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    small_trial(clusters=40, size=30).to_csv(file, index=False)
    out = tmp_path / "deep" / "out"
    words = arguments(file, out, models="X-RF,X-Boosting,LMM", jobs=jobs)
    returned, said, session = interrupt(words, number, after)
    assert returned == code, said
    assert said.splitlines()[-1] == "tauhat: interrupted; no results were written"
    assert "Traceback" not in said
    assert not (tmp_path / "deep").exists()
    deadline = time.monotonic() + 10
    while processes_of_session(session) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of_session(session) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes that can be closed")
@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["estimators"],
        ["power", "--persons", "90", "--power", "0.8"],
    ],
    ids=["typer", "rich", "print"],
)
def test_a_pipe_that_nobody_reads_ends_quietly(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "tauhat", *words]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    # As `tauhat ... | head` in a shell: 128 + SIGPIPE.
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_closed_streams_are_no_error() -> None:
    command = f"{sys.executable} -m tauhat --version >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=60, check=False).returncode == 0


def test_flags_of_the_report_and_its_figures(
    trial_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Plot, "svg", lambda self: "<svg/>")
    monkeypatch.setattr(Plot, "png", lambda self: b"PNG")
    plain, asked = tmp_path / "plain", tmp_path / "asked"
    assert main(arguments(trial_csv, plain)) == 0
    more = ["--patient-level", "--figures", "--seeds", "1"]
    assert main(arguments(trial_csv, asked, *more, "--id", "patient")) == 0
    assert 'id="persons"' not in (plain / "report.html").read_text("utf-8")
    page = (asked / "report.html").read_text("utf-8")
    assert 'id="persons"' in page
    assert str(effects_of(asked).patient[0]) in page
    figures = asked / "figures"
    endings = {path.suffix for path in figures.iterdir()}
    assert endings == {".svg", ".png", ".csv"}
    intervals = pd.read_csv(figures / "average-effects.csv")
    individual = run_of(asked)["average_effect"]["individual"]
    assert intervals.estimate[0] == pytest.approx(individual["estimate"])
    changes = [row["change"] for row in run_of(asked)["sensitivity"]["members"]]
    assert changes == ["all models fitted again, 1"]
    assert "--seeds 1" in run_of(asked)["rerun"]
    # The effects are the same whatever is shown of them.
    assert effects_of(asked).effect.tolist() == effects_of(plain).effect.tolist()


def test_flags_of_the_report_in_a_file_and_out_of_range(
    trial_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "t.toml"
    config.write_text("patient-level = true\nseeds = 0\nfigures = false\n", "utf-8")
    out = tmp_path / "o"
    assert main(arguments(trial_csv, out, "--config", str(config))) == 0
    assert 'id="persons"' in (out / "report.html").read_text("utf-8")
    assert not (out / "figures").exists()
    assert main(arguments(trial_csv, out, "--seeds", "-1")) == 2
    config.write_text('patient_level = "yes"\n', "utf-8")
    assert main(arguments(trial_csv, out, "--config", str(config))) == 2
    assert "patient_level must be true or false" in capsys.readouterr().err
