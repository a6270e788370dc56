"""Plans, methods and variance tables of trials with periods."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tauhat as th
from tauhat.analysis.record import design_record
from tauhat.cli import main
from tauhat.protocol.analysis_plan import read_plan
from tauhat.report.paper import paper
from test_baseline_period import sections
from test_periods import ROLES, wedge

pytestmark = pytest.mark.usefixtures("short_chains")

PLAN = """
title = "Pressure"

[run]
outcome = "sbp"
treatment = "arm"
cluster = "clinic"
period = "year"
models = "LMM"
seed = 5

[expected]
persons = 400
clusters = 20
icc = 0.05
sd = 2.0

[[modifiers]]
name = "age"
direction = "larger effect at larger values"
rationale = "Pressure is higher in the old."
difference = 0.3
sd = 1.0
icc = 0.01
"""


def test_a_plan_knows_a_baseline_and_no_stepped_wedge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trial.toml").write_text(PLAN)
    out = tmp_path / "plan"
    assert read_plan(tmp_path / "trial.toml").clustered
    assert main(["plan", str(tmp_path / "trial.toml"), "--out", str(out)]) == 0
    text = " ".join(next(out.glob("*.html")).read_text("utf-8").split())
    assert "Periods (year) before any cluster is treated are a baseline" in text
    table = wedge().rename(columns={"month": "year", "y": "sbp"})
    table.to_csv(tmp_path / "wedge.csv", index=False)
    lock = out / "plan.lock"
    capsys.readouterr()
    words = ["run", str(tmp_path / "wedge.csv"), "--plan", str(lock)]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert "this is a stepped wedge, and a plan describes parallel arms" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_follows_a_plan_with_a_baseline(tmp_path: Path) -> None:
    (tmp_path / "trial.toml").write_text(PLAN)
    out = tmp_path / "plan"
    assert main(["plan", str(tmp_path / "trial.toml"), "--out", str(out)]) == 0
    sections().to_csv(tmp_path / "trial.csv", index=False)
    words = ["run", str(tmp_path / "trial.csv"), "--plan", str(out / "plan.lock")]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    found = json.loads((tmp_path / "run" / "run.json").read_text())
    assert found["plan"]["deviations"] == []
    assert found["design"]["covariates"] == ["age", "baseline mean of sbp"]


@pytest.mark.slow
def test_methods_and_variances_of_a_stepped_wedge(tmp_path: Path) -> None:
    trial = th.Trial(wedge(), **ROLES)
    analysis = th.analyze(trial, models=["LMM"], random_state=1, n_permutations=99)
    run = json.loads(json.dumps(analysis.to_json()))
    (row,) = run["variance_components"]
    assert row["between_period"] == trial.fit("LMM").variance_components_.between_period
    page = analysis.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Between periods of a cluster" in page
    text = str(paper(run))
    assert "stepped wedge over 4 periods, clusters randomized to sequences" in text
    assert "BMJ 363:k1614" in text
    assert "Fang and others 2026" in text
    assert "Li and others 2025" not in text


def test_sizes_are_of_the_clusters_of_every_sequence() -> None:
    drawn = th.simulate.scenario("stepped-wedge").draw(random_state=3)
    table = drawn.X.assign(y=drawn.y, arm=drawn.treatment, clinic=drawn.clusters, year=drawn.period)
    trial = th.Trial(table, outcome="y", treatment="arm", cluster="clinic", period="year")
    counts = table.groupby("clinic").size()
    sizes = design_record(trial, None)["cluster_size"]
    assert (sizes["min"], sizes["median"], sizes["max"]) == (
        counts.min(), counts.median(), counts.max()
    )  # fmt: skip
