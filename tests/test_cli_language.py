"""What the command says is in its own language, and it loses no results of other data."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tauhat.analysis.models import model_names
from tauhat.cli import main
from tauhat.cli.language import in_options
from tauhat.cli.result_files import refuse_other_results
from tauhat.errors import TrialError
from tauhat.report import plots
from tauhat.trial.unsafe_covariates import comma_list

ARGUMENT = re.compile(r"(?<![\w'\"-])[a-z_]+=(?=$|[\s.,;:)\['\"])")


def table(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"arm": np.arange(80) % 2, "age": rng.normal(50, 9, 80).round()})
    return df.assign(visit=rng.normal(size=80), y=rng.normal(size=80))


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--outcome", "y", "--treatment", "arm"],
        ["check", "--outcome", "y", "--treatment", "arm", "--covariates", "age", "--mcid", "2"],
        ["run", "--outcome", "y", "--treatment", "arm", "--covariates", "age", "--mcid", "2"],
        ["run", "--outcome", "y", "--treatment", "arm", "--covariates", "age", "--horizon", "2"],
        ["run", "--outcome", "y", "--treatment", "arm", "--covariates", "age", "--modifiers",
         "age > 3"],
        ["check", "--outcome", "y", "--treatment", "arm", "--covariates", "age",
         "--exposure", "visit"],
    ],
)  # fmt: skip
def test_messages_name_options(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "trial.csv"
    df = table()
    df.loc[:5, "y"] = np.nan
    df.to_csv(file, index=False)
    out = ["--out", str(tmp_path / "out")] if words[0] == "run" else []
    assert main([words[0], str(file), *words[1:], *out]) in (0, 2, 3)
    said = "".join(capsys.readouterr())
    assert said
    assert ARGUMENT.findall(said) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "trial.csv", "--horizon", "soon"], "--horizon must be a number, got 'soon'"),
        (["check", "trial.csv", "--horizon="], "--horizon must be a number, got ''"),
        (["simulate", "cluster", "--seed", "1.5"], "--seed must be a whole number, got '1.5'"),
    ],
)
def test_a_value_that_is_no_number_is_named(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == f"tauhat: error: {said}\n"


def test_labels_of_the_data_stay_as_they_are() -> None:
    for said in ("cluster=5", "'event=yes'", "sex=event=1", "event=dead (12)"):
        assert in_options(said) == said
    assert in_options("give cluster= or accept=['heap']") == "give --cluster or --accept heap"


def test_a_list_is_not_said_twice_whatever_its_names() -> None:
    for names, told in (
        (["age", "(Intercept)"], "'age,(Intercept)'"),
        (["a b", "c"], "'a b,c'"),
        (["age", "bmi, kg/m2"], "'age,\"bmi, kg/m2\"'"),
        (["bmi [kg], now", "it's"], comma_list(["bmi [kg], now", "it's"])),
        ([" age "], "'\" age \"'"),
    ):
        said = f"it is covariates={names!r} (--covariates {comma_list(names)})"
        assert in_options(said) == f"it is --covariates {told}"


def test_the_code_of_an_event_is_given_by_its_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table().assign(y=lambda df: 1 + (df.y > 0)).to_csv(tmp_path / "t.csv", index=False)
    words = ["check", str(tmp_path / "t.csv"), "--outcome", "y", "--treatment", "arm"]
    assert main([*words, "--covariates", "age"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "give --event-value 1, otherwise --event-value 2." in said
    assert in_options("the level 'event_value=1'") == "the level 'event_value=1'"


def test_a_name_with_blanks_about_it_is_taken_as_advised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table().rename(columns={"age": " age "}).to_csv(tmp_path / "t.csv", index=False)
    words = ["check", str(tmp_path / "t.csv"), "--outcome", "y", "--treatment", "arm"]
    assert main([*words, "--covariates", " age "]) == 2
    said = capsys.readouterr().err
    assert said.endswith(
        "there is no column 'age'; did you mean ' age ' (in a list of columns, with its blanks, "
        "'\" age \"')?\n"
    )
    [advised] = shlex.split(said[said.index("blanks, ") + len("blanks, ") : -3])
    assert main([*words, "--covariates", advised]) == 0


@pytest.mark.parametrize("out", [["--out", ""], ["--out", " "], ["--out="]])
def test_a_folder_needs_a_name(
    out: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "trial.csv"
    table().to_csv(file, index=False)
    roles = ["--outcome", "y", "--treatment", "arm", "--covariates", "age"]
    assert main(["run", str(file), *roles, *out]) == 2
    assert "--out is empty; give a name, or . for the current folder" in capsys.readouterr().err
    config = tmp_path / "t.toml"
    config.write_text('out = ""\n')
    assert main(["run", str(file), *roles, "--config", str(config)]) == 2
    assert "out must be a path in quotes, got ''" in capsys.readouterr().err


def test_results_of_other_data_are_not_replaced(tmp_path: Path) -> None:
    refuse_other_results(tmp_path, "a")
    (tmp_path / "run.json").write_text(json.dumps({"data": {"sha256": "a", "file": "one.csv"}}))
    refuse_other_results(tmp_path, "a")
    with pytest.raises(TrialError, match=r"other data \(one.csv\).*--out.*--force"):
        refuse_other_results(tmp_path, "b")
    (tmp_path / "run.json").write_text("no JSON")
    refuse_other_results(tmp_path, "b")


def test_a_run_keeps_what_a_run_of_other_data_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    seal = tmp_path / "out" / "run.json"
    seal.write_text(json.dumps({"data": {"sha256": "a", "file": "one.csv"}}))
    table().to_csv(tmp_path / "trial.csv", index=False)
    words = ["run", str(tmp_path / "trial.csv"), "--outcome", "y", "--treatment", "arm",
             "--covariates", "age", "--out", str(tmp_path / "out")]  # fmt: skip
    assert main(words) == 2
    assert "holds the results of other data (one.csv)" in capsys.readouterr().err
    assert json.loads(seal.read_text())["data"]["sha256"] == "a"


def test_names_of_models_may_be_typed_in_small_letters() -> None:
    assert model_names(["lmm", "x-gamm-rf"], "cluster") == ("LMM", "X-GAMM-RF")
    assert model_names("QUICK", "cluster") == model_names("quick", "cluster")
    for typed, meant in (("lmn", "LMM"), ("quik", "quick"), ("Defualt", "default")):
        with pytest.raises(TrialError, match=f"unknown estimator '{typed}'; did you mean {meant}"):
            model_names([typed], "cluster")
    with pytest.raises(TrialError, match="named twice: LMM"):
        model_names(["lmm", "LMM"], "cluster")


def test_study_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study"]) == 0
    said = capsys.readouterr()
    assert "Usage: tauhat study" in said.out
    assert "summar" in said.out
    assert said.err == ""


def test_estimators_say_which_to_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimators"]) == 0
    assert "Which to take: Robust" in capsys.readouterr().out


def test_effects_of_each_model_are_written_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "to_data_uri", lambda figure: "data:,")
    table().to_csv(tmp_path / "trial.csv", index=False)
    words = ["run", str(tmp_path / "trial.csv"), "--outcome", "y", "--treatment", "arm",
             "--covariates", "age", "--models", "lmm,t-linear",
             "--jobs", "1", "--out", str(tmp_path / "out")]  # fmt: skip
    assert main([*words, "--member-effects"]) == 0
    found = pd.read_csv(tmp_path / "out" / "effects.csv")
    assert {"effect: LMM", "effect: T-Linear"} <= set(found.columns)
    assert found["effect: LMM"].notna().all()
    assert not np.allclose(found["effect: LMM"], found["effect: T-Linear"])
