"""Simulated effects on the covariates of a real trial."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pandas as pd
import pytest

import tauhat.simulate
from tauhat.data import validate_trial
from tauhat.simulate import (
    ClusterTrial,
    SemiSynthetic,
    scenario,
)
from variance_parts import components


@pytest.fixture(scope="module")
def real_trial() -> tauhat.simulate.SimulatedTrial:
    """Stands in for a real trial: its X, y, treatment and clusters are all that is used."""
    return ClusterTrial(n_clusters=60, icc=0.3).draw(random_state=12)


def effect_of_x1(X: pd.DataFrame) -> np.ndarray:
    return (2.0 * X["x1"]).to_numpy()


def test_semi_synthetic_keeps_covariates_residuals_and_clusters(
    real_trial: tauhat.simulate.SimulatedTrial,
) -> None:
    design = SemiSynthetic(trial=real_trial, effect=effect_of_x1)
    one, two = design.draw(random_state=1), design.draw(random_state=2)
    assert np.array_equal(one.tau, 2 * one.X["x1"])
    pd.testing.assert_frame_equal(one.X, two.X)
    assert np.array_equal(one.nodes["y0"], two.nodes["y0"])
    assert not np.array_equal(one.treatment, two.treatment)
    # The untreated outcome is the real one less the real average effect where treated.
    real = validate_trial(real_trial.X, real_trial.y, real_trial.treatment, real_trial.clusters)
    difference = real.y - one.nodes["y0"]
    assert np.allclose(difference[real.treatment == 0], 0)
    assert np.ptp(difference[real.treatment == 1]) < 1e-9
    assert np.array_equal(one.clusters, real.clusters)
    arm = pd.Series(one.treatment).groupby(one.clusters)
    assert (arm.nunique() == 1).all()
    assert arm.first().sum() == 30
    validate_trial(*one)


@pytest.mark.parametrize("residuals", ["shuffled", "normal"])
def test_semi_synthetic_new_residuals_keep_the_variances(
    real_trial: tauhat.simulate.SimulatedTrial, residuals: str
) -> None:
    design = SemiSynthetic(
        trial=real_trial, effect=effect_of_x1, residuals=residuals, prognosis=lambda X: X["x2"]
    )
    trials = [design.draw(random_state=seed) for seed in range(20)]
    assert np.array_equal(trials[0].mu0, trials[0].X["x2"])
    found = np.array(
        [components(t.nodes["y0"] - t.mu0, t.clusters) for t in trials if t.clusters is not None]
    )
    base = design._base
    assert base.between_variance / (base.between_variance + base.within_variance) > 0.15
    assert found[:, 0].mean() == pytest.approx(base.between_variance, rel=0.15)
    assert found[:, 1].mean() == pytest.approx(base.within_variance, rel=0.03)
    correlation = np.mean([np.corrcoef(t.nodes["y0"] - t.mu0, t.X["x1"])[0, 1] for t in trials])
    assert abs(correlation) < 0.05


def test_semi_synthetic_sizes(real_trial: tauhat.simulate.SimulatedTrial) -> None:
    design = SemiSynthetic(trial=tuple(real_trial), effect=effect_of_x1)
    smaller, larger = design.draw(300, 1), design.draw(3500, 1)
    assert smaller.n == 300
    assert larger.n == 3500
    assert smaller.nodes["real_row"].is_unique
    # Used again, a cluster is a new one: nobody twice in one cluster.
    seen = larger.nodes.assign(cluster=larger.clusters)
    assert not seen.duplicated(["real_row", "cluster"]).any()
    assert larger.clusters is not None
    assert larger.clusters.max() + 1 > 120
    assert design.population(777, 1).n == 777
    same = design.draw(300, 1)
    assert smaller.y.tobytes() == same.y.tobytes()


def test_semi_synthetic_from_an_individual_trial() -> None:
    real = scenario("linear").draw(200, 3)
    for residuals in ("own", "shuffled", "normal"):
        design = scenario(
            "semi-synthetic", trial=real, effect=effect_of_x1, residuals=residuals,
            share_treated=0.3,
        )  # fmt: skip
        trial = design.draw(random_state=1)
        assert trial.clusters is None
        assert trial.treatment.sum() == 60
        assert (trial.nodes["y0"] - trial.mu0).std() == pytest.approx(
            sqrt(design._base.within_variance), rel=0.15
        )
    assert design.population_values(5000).sd_effect == pytest.approx(2.0, rel=0.15)


def test_semi_synthetic_errors(real_trial: tauhat.simulate.SimulatedTrial) -> None:
    with pytest.raises(ValueError, match="residuals must be one of"):
        SemiSynthetic(trial=real_trial, effect=effect_of_x1, residuals="fitted")
    with pytest.raises(ValueError, match="the function effect must return"):
        SemiSynthetic(trial=real_trial, effect=lambda X: np.zeros(2)).draw(random_state=1)
    with pytest.raises(ValueError, match="trial must have X, y, treatment"):
        SemiSynthetic(trial=(1, 2), effect=effect_of_x1).draw(random_state=1)
