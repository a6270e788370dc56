"""run.json holds the keys that its records declare, in real runs, the fixture and the docs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import run_json

from tauhat.analysis import analyze
from tauhat.analysis.run_fields import differences, fields
from tauhat.analysis.run_schema import SCHEMA
from tauhat.cli import main
from tauhat.trial.trial import Trial

ROOT = Path(__file__).resolve().parent.parent


def table(n: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    clinic = np.repeat(np.arange(16), n // 16)
    df = pd.DataFrame(
        {"clinic": clinic, "site": clinic // 4, "person_arm": rng.integers(0, 2, n)}
        | {"arm": clinic % 2, "age": rng.normal(60, 9, n), "sex": rng.choice(["f", "m"], n)}
    )
    df["y"] = df.arm * (1 + (df.age - 60) / 9) + rng.normal(size=n)
    df.loc[::40, "y"] = np.nan
    return df


CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "clusters in blocks": ({"treatment": "arm", "cluster": "clinic", "block": "site"}, ["LMM"]),
    "persons": ({"treatment": "person_arm"}, ["LMM", "T-LMM"]),
    "quick models": ({"treatment": "person_arm", "propensity": 0.5}, "quick"),
}


pytestmark = pytest.mark.usefixtures("short_chains")


@pytest.mark.parametrize("case", CASES)
def test_keys_of_real_runs_are_those_declared(case: str) -> None:
    roles, models = CASES[case]
    trial = Trial(table(), outcome="y", covariates=["age", "sex"], **roles)
    run = analyze(trial, models=models, random_state=1, n_permutations=99).to_json()
    assert run["schema"] == SCHEMA == 1
    assert next(iter(run)) == "schema"
    assert differences(run) == []
    assert run["held_out"]["given"] == (models != "quick")


@pytest.mark.usefixtures("quick_run")
def test_the_set_that_the_command_writes_has_the_hashes_too(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "trial.csv", index=False)
    words = ["run", str(tmp_path / "trial.csv"), "--outcome", "y", "--treatment", "person_arm"]
    words += ["--covariates", "age,sex", "--models", "LMM", "--out", str(tmp_path / "out")]
    assert main([*words, "--seed", "1"]) == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert differences(run) == []
    assert set(run["files"]) == {"report.html", "effects.csv"}


def test_the_fixture_of_the_report_tests_is_a_run() -> None:
    run = json.loads((ROOT / "tests" / "report_run.json").read_text("utf-8"))
    assert differences(run) == []


def test_held_out_effects_are_whole_or_not_there() -> None:
    run = json.loads((ROOT / "tests" / "report_run.json").read_text("utf-8"))
    run["held_out"] = {"given": False, "reason": "The trial is small."}
    assert differences(run) == []
    run["held_out"] = {"given": True}
    assert "held_out.reason is missing" in differences(run)


def test_departures_are_told_with_their_place() -> None:
    run = json.loads((ROOT / "tests" / "report_run.json").read_text("utf-8"))
    del run["design"]["arms"]["control"]["n"]
    run["models"][1]["weights"] = 0.5
    run["effects"]["mean"] = "3"
    run["seed"] = True
    assert differences(run) == [
        "seed: True is not whole number",
        "design.arms.control.n is missing",
        "models[].weights is unknown",
        "effects.mean: '3' is not number",
    ]


def test_every_key_has_one_meaning_and_stands_in_the_docs() -> None:
    paths = [field.path for field in fields()]
    assert len(set(paths)) == len(paths) > 200
    assert all(field.meaning for field in fields())
    page = run_json.PAGE.read_text("utf-8")
    assert run_json.renewed(page) == page, "run `python docs/run_json.py`"
