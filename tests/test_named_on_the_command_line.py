"""Modifiers, subgroups, adjustment and a relevant effect, named on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.analysis.named import named_effects, named_record, relevance
from tauhat.analysis.run_fields import differences
from tauhat.cli import main


def table() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    clinic = np.repeat(np.arange(10), 8)
    df = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "age": rng.normal(60, 9, 80).round(1)})
    df["sex"] = np.where(rng.random(80) < 0.5, "Girl", "Boy")
    df["region"] = np.array(["north", "south, far"])[clinic // 2 % 2]
    df["later"] = rng.normal(size=80)
    df["y"] = (df.arm * (df.sex == "Girl") * 4 + rng.normal(size=80)).round(3)
    return df


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    table().to_csv(tmp_path / "t.csv", index=False)
    roles = ["--outcome", "y", "--treatment", "arm", "--cluster", "clinic"]
    return [str(tmp_path / "t.csv"), *roles, "--covariates", "age"]


SUBGROUP = 'sex == "Girl" and region in ("north", "south, far")'


@pytest.mark.usefixtures("quick_run")
def test_named_modifiers_from_the_command_line_to_the_report(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ["--modifiers", "sex,region", "--subgroup", SUBGROUP, "--subgroup", "age > 60"]
    more = [
        "--adjust",
        "age",
        "--mcid",
        "2",
        "--higher-is-better",
        "--models",
        "LMM",
        "--jobs",
        "1",
    ]
    assert main(["run", *words, *named, *more, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "Girl less Boy" in printed
    assert "A gain of at least 2 in y (higher is better)" in printed
    run = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert differences(run) == []
    found = run["named_modifiers"]
    modifiers = [test["modifier"] for test in found["tests"]]
    assert modifiers == ["sex", "region", f"'{SUBGROUP}'", "'age > 60'"]
    assert found["adjusted_for"] == ["age"]
    assert run["design"]["covariates"] == ["age", "sex", "region"]
    assert run["better"] == "higher"
    trial = th.Trial(
        table(), outcome="y", treatment="arm", cluster="clinic", covariates=["age", "sex", "region"]
    )
    asked = ["sex", "region", SUBGROUP, "age > 60"]
    again = th.interaction_effects(trial, asked, adjust=["age"])
    estimates = [one["estimate"] for one in found["comparisons"]]
    np.testing.assert_allclose(estimates, again.table.estimate, rtol=1e-9)
    p = [test["p_adjusted"] for test in found["tests"]]
    np.testing.assert_allclose(p, again.tests.p_adjusted, rtol=1e-9)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert page.index('id="test"') < page.index('id="named"') < page.index('id="modifiers"')
    assert "found with power 80%" in page


def test_the_same_in_a_toml_file_and_by_check(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "trial.toml"
    config.write_text('modifiers = ["sex"]\nsubgroup = "age > 60"\nadjust = ["age"]\n')
    assert main(["check", *words, "--config", str(config), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["named_modifiers"]
    assert [row["group"] for row in told["groups"]] == ["Boy", "Girl", "outside", "in"]
    assert sum(row["persons"] for row in told["groups"]) == 2 * 80
    assert "estimate" not in told["groups"][0]
    assert main(["check", *words, "--config", str(config)]) == 0
    assert "Adjusted for: age." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--modifiers", "height"], "height"),
        (["--modifiers", "clinic"], "--modifiers: column 'clinic' is the cluster: it has one arm"),
        (["--modifiers", "arm"], "--modifiers: column 'arm' is the arm: effects compare the arms"),
        (["--modifiers", "age,y"], "--modifiers: column 'y' is the outcome: what is measured"),
        (["--subgroup", "age > 1000"], "holds everyone or no one"),
        (["--subgroup", "age >"], "subgroup: "),
        (["--subgroup", "__import__('os')"], "subgroup: "),
        (["--subgroup", "later > 0"], "column 'later' is no covariate: add it to --covariates"),
        (["--subgroup", "clinic == 3"], "column 'clinic' is the cluster: it has one arm only"),
        (["--subgroup", "age > 60 and arm == 1"], "column 'arm' is the arm: effects compare"),
        (["--subgroup", "y > 0"], "column 'y' is the outcome"),
        (["--adjust", "age"], "--adjust needs --modifiers"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_what_cannot_be_analysed_is_refused_before_any_work(
    command: str,
    given: list[str],
    said: str,
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = ["--out", str(tmp_path / "out")] if command == "run" else []
    assert main([command, *words, *given, *out]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "run.json").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--mcid", "5"], "--higher-is-better or --lower-is-better"),
        (["--mcid", "-5", "--lower-is-better"], "--mcid must be a positive number"),
        (
            ["--mcid", "5", "--lower-is-better", "--higher-is-better"],
            "--higher-is-better and --lower-is-better were both given; give one",
        ),
    ],
)
def test_a_benefit_needs_a_size_and_a_direction(
    given: list[str], said: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *words, *given]) == 2
    assert said in capsys.readouterr().err
    trial = th.Trial(table(), outcome="y", treatment="arm", cluster="clinic", covariates=["age"])
    with pytest.raises(th.TrialError, match="say which outcome is better"):
        th.analyze(trial, models=["LMM"], mcid=5)


def test_a_benefit_that_no_one_can_have_is_refused() -> None:
    rng = np.random.default_rng(6)
    df = pd.DataFrame({"arm": np.arange(60) % 2, "age": rng.normal(60, 9, 60)})
    df["died"], df["time"] = rng.integers(0, 2, 60), rng.uniform(1, 9, 60)
    died = th.Trial(df, outcome="died", treatment="arm", covariates=["age"])
    times = {"outcome": "time", "treatment": "arm", "event": "died", "covariates": ["age"]}
    lived = th.Trial(df, **times, horizon=5, endpoint="survival")  # type: ignore[arg-type]
    rmst = th.Trial(df, **times, horizon=5)  # type: ignore[arg-type]
    for trial, mcid, said in (
        (died, 3, r"mcid= is too large: a difference in risks is at most 1, got 3 .* it is 0.03"),
        (lived, 10, r"at most 1, got 10 .* it is 0.1"),
        (rmst, 10, "no effect is longer than the horizon, 5, got 10"),
    ):
        with pytest.raises(th.TrialError, match=said):
            th.analyze(trial, models=["LMM"], mcid=mcid, higher_is_better=False)


def test_gains_count_towards_what_is_better_and_few_are_not_told() -> None:
    effect = np.linspace(-10, 10, 101)
    table = pd.DataFrame({"effect": effect, "lower": effect - 1, "upper": effect + 2})
    every = np.ones(101, dtype=bool)
    up, down = (relevance(table, every, 5.0, better) for better in (True, False))
    assert up is not None
    assert down is not None
    assert (up.expected, up.shown, up.excluded) == (26, 21, 65)
    assert (down.expected, down.shown, down.excluded) == (26, 16, 70)
    few = relevance(table, every, 9.5, True)
    assert few is not None
    assert few.record()["expected"] is None
    assert few.record()["share_excluded"] == pytest.approx(few.excluded / 101)


def test_a_group_of_few_persons_is_not_told_nor_what_would_tell_it() -> None:
    df = table().assign(sex=lambda d: np.where(np.isin(d.index, [0, 9, 17]), "Girl", "Boy"))
    roles: dict[str, Any] = {"outcome": "y", "treatment": "arm", "covariates": ["sex", "age"]}
    trial = th.Trial(df, cluster="clinic", **roles)
    record = named_record(named_effects(trial, ["sex"], [], None, 0.95), of_persons=False)
    assert record is not None
    assert [row["persons"] for row in record["groups"]] == [None, None]
    assert record["groups"][1]["estimate"] is None
