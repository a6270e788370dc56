"""Held-out risks beside what became of the persons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tauhat.disclosure import is_small
from tauhat.inference import cross_fit
from tauhat.inference.cross_fitting import CrossFit
from tauhat.inference.risk_calibration import risk_calibration
from tauhat.report.plots import risk_calibration_plot
from tauhat.simulate import BinaryTrial


@pytest.fixture(scope="module")
def fit() -> CrossFit:
    trial = BinaryTrial(n_clusters=30, mean_size=40, base_risk=0.3, effect="odds-ratio").draw(
        random_state=2
    )
    return cross_fit(trial, n_splits=2, random_state=1)


def test_predicted_risks_come_true_in_both_arms(fit: CrossFit) -> None:
    table = risk_calibration(fit)
    assert table is not None
    assert table.groupby("arm").persons.sum().tolist() == np.bincount(fit.data.treatment).tolist()
    for arm, own in table.groupby("arm"):
        assert len(own) == 5
        assert own.predicted.is_monotonic_increasing
        assert np.corrcoef(own.predicted, own.observed)[0, 1] > 0.8
        of_arm = fit.data.y[fit.data.treatment == arm].mean()
        assert np.average(own.observed, weights=own.persons) == pytest.approx(of_arm)
    # Nine of ten intervals or so hold the prediction.
    assert ((table.lower <= table.predicted) & (table.predicted <= table.upper)).sum() >= 7


def test_persons_of_a_cluster_count_together() -> None:
    rng = np.random.default_rng(5)
    X, pair = rng.normal(size=(300, 2)), np.arange(600) // 2
    y = (rng.random(300) < 0.4).astype(float)
    twice = (X[pair], y[pair], pair % 2, pair)
    table = risk_calibration(cross_fit(twice, n_splits=1, random_state=1))
    assert table is not None
    binomial = np.sqrt(table.observed * (1 - table.observed) / (table.persons / 2))
    half = (table.upper - table.lower) / 2
    # As if half as many persons; a pair may be torn between two groups.
    assert np.median(half / binomial) == pytest.approx(2.03, abs=0.08)


def test_no_group_tells_of_few_persons() -> None:
    rng = np.random.default_rng(3)
    X, arm = rng.normal(size=(400, 2)), np.arange(400) % 2
    y = (rng.random(400) < np.where(arm == 1, 0.02, 0.3)).astype(float)
    table = risk_calibration(cross_fit((X, y, arm), n_splits=2, random_state=1))
    assert table is not None
    assert set(table.arm) == {0}
    counts = table.observed * table.persons
    assert not is_small(np.round(counts)).any()
    assert not is_small(np.round(table.persons - counts)).any()


def test_other_outcomes_have_no_risks(fit: CrossFit) -> None:
    rng = np.random.default_rng(3)
    X, arm = rng.normal(size=(200, 2)), np.arange(200) % 2
    assert risk_calibration(cross_fit((X, rng.normal(size=200), arm), n_splits=1)) is None


def test_the_figure_is_in_risks_per_100(fit: CrossFit) -> None:
    table = risk_calibration(fit)
    assert isinstance(table, pd.DataFrame)
    drawn = risk_calibration_plot(table, arms=("usual care", "new"))
    np.testing.assert_allclose(drawn.data.observed, 100 * table.observed)
    assert "usual care: predicted" in drawn.text
