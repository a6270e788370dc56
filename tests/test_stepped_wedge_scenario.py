"""The simulated stepped wedge: its design, its variances, studies and the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.cli import main
from tauhat.simulate import SteppedWedgeTrial, scenario
from tauhat.study import load_plan
from tauhat.study.measures import AVERAGES, METRICS
from tauhat.study.tasks import run_task


def test_the_design_and_its_variances() -> None:
    source = scenario("stepped-wedge", n_clusters=4000, icc=0.3, autocorrelation=0.6, trend=1.0)
    trial = source.draw(random_state=1)
    assert trial.period is not None
    assert trial.clusters is not None
    assert np.bincount(trial.clusters * 5 + trial.period).min() >= 2
    rest = trial.y - trial.mu0 - trial.treatment * trial.tau - trial.period
    cells = pd.DataFrame({"cluster": trial.clusters, "period": trial.period, "rest": rest})
    means = cells.groupby(["cluster", "period"])["rest"].mean().unstack()
    # Covariance of a cluster's means in two periods: autocorrelation times icc.
    between = means.cov().to_numpy()
    assert between[~np.eye(5, dtype=bool)].mean() == pytest.approx(0.18, abs=0.012)
    assert rest.var() == pytest.approx(1.0, abs=0.02)
    design = scenario("stepped-wedge").draw(random_state=1).data.design
    assert design.name == "stepped wedge"
    assert np.bincount(design.arm).tolist() == [3, 3, 3, 3]


def test_sizes_and_seeds() -> None:
    source = SteppedWedgeTrial(n_clusters=8)
    one, again = (source.draw(400, random_state=3) for _ in range(2))
    assert len(one.y) == 400
    np.testing.assert_array_equal(one.y, again.y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_periods": 2}, "n_periods must be a whole number of at least 3"),
        ({"n_periods": 14}, "at each step"),
        ({"min_size": 4}, "seen in each"),
        ({"autocorrelation": 1.2}, "autocorrelation"),
        ({"share_treated": 0.3}, "no place in a stepped wedge"),
    ],
)
def test_settings_that_make_no_trial(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SteppedWedgeTrial(**settings)  # type: ignore[arg-type]


def test_a_file_for_an_analysis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "trial.csv"
    assert main(["simulate", "--scenario", "stepped-wedge", "--out", str(out)]) == 0
    assert "--cluster cluster --period period" in capsys.readouterr().out
    df = pd.read_csv(out)
    roles = {"outcome": "outcome", "treatment": "treatment", "cluster": "cluster"}
    trial = th.Trial(df, **roles, id="person", period="period")  # type: ignore[arg-type]
    assert trial.design == "stepped wedge"


def test_a_unit_of_the_study() -> None:
    plan = load_plan("stepped-wedge")
    assert [row.settings["n_clusters"] for row in plan.rows] == [12, 12, 20, 20, 40, 40]
    found = run_task(
        replace(plan, estimators=plan.estimators[:1], intervals=False), plan.rows[1], 1
    )
    assert not found.messages
    row = dict(zip(METRICS, found.metrics[0], strict=True))
    assert 0 < row["srmse"] < 1
    averages = dict(zip(AVERAGES, found.averages, strict=True))
    assert len([value for value in averages.values() if abs(value - 0.55) < 0.01]) == 2
