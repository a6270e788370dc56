"""The simulated baseline period: what its means tell, studies and settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tauhat as th
from tauhat.simulate import BaselinePeriodTrial, scenario
from tauhat.study import load_plan
from tauhat.study.measures import METRICS
from tauhat.study.tasks import run_task


def test_means_correlate_with_the_clusters_as_said() -> None:
    source = scenario(
        "crt-baseline", n_clusters=4000, icc=0.3, autocorrelation=0.6, prognosis="nonlinear"
    )
    trial = replace(source, mean_size=12, baseline_size=400).draw(random_state=1)
    first = np.unique(trial.clusters, return_index=True)[1]
    level = trial.nodes["cluster_effect"].to_numpy()[first]
    mean = trial.X["baseline_mean"].to_numpy()[first]
    # Cluster-level covariates and the chance of 400 persons are in the mean as well.
    w = trial.X[["w1", "w2"]].to_numpy()[first]
    rest = (
        mean
        - np.column_stack([np.ones(len(w)), w])
        @ np.linalg.lstsq(np.column_stack([np.ones(len(w)), w]), mean, rcond=None)[0]
    )
    assert np.cov(rest, level)[0, 1] == pytest.approx(0.6 * 0.3, abs=0.015)
    assert level.var() == pytest.approx(0.3, abs=0.02)


def test_the_mean_sharpens_the_average_and_changes_nothing_else() -> None:
    with_mean = BaselinePeriodTrial(n_clusters=40, icc=0.3, autocorrelation=0.9)
    trials = [replace(with_mean, baseline_covariate=shown).draw(random_state=2)
              for shown in (True, False)]  # fmt: skip
    np.testing.assert_array_equal(trials[0].y, trials[1].y)
    assert "baseline_mean" not in trials[1].X
    errors = [th.average_effects(trial.data).individual.se for trial in trials]
    assert errors[0] < 0.75 * errors[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"baseline_size": 0}, "baseline_size must be at least 1"),
        ({"autocorrelation": -0.1}, "autocorrelation"),
        ({"cluster_effects": "skewed"}, "must be normal beside a baseline"),
        ({"size_covariate": True}, "size_covariate has no place"),
    ],
)
def test_settings_that_make_no_trial(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BaselinePeriodTrial(**settings)


def test_a_unit_of_the_study() -> None:
    plan = load_plan("baseline-period")
    assert len(plan.rows) == 12
    short = replace(plan, estimators=plan.estimators[:1], intervals=False, average_effects=False)
    found = run_task(short, plan.rows[0], 1)
    assert not found.messages
    assert 0 < dict(zip(METRICS, found.metrics[0], strict=True))["srmse"] < 1.5
