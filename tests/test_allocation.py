"""Blocks with different shares of treated must not pass for an effect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat._typing import FloatArray
from tauhat.data import TrialData, validate_trial
from tauhat.ensembles.together import fit_together
from tauhat.fitting.allocation import without_level_of_allocation
from tauhat.fitting.bootstrap import t_quantile
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.learning_view import learning_view
from tauhat.numerics.seeds import derive_seed

SHARES = np.tile([0.25, 0.75], 6)


def _trial(
    seed: int,
    *,
    persons: int = 1,
    units: int = 20,
    effect: float = 0.5,
    shares: FloatArray = SHARES,
) -> TrialData:
    """Blocks in which many are treated have high outcomes, by twice the effect."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(len(shares)), units)
    arm = np.concatenate([rng.permutation(np.arange(units) < units * p) for p in shares])
    level = 4 * (shares - 0.5)[block]
    if persons > 1:
        level = level + 0.3 * rng.normal(size=len(block))
    unit = np.repeat(np.arange(len(block)), persons)
    X = rng.normal(size=(len(unit), 2))
    y = level[unit] + 0.5 * X[:, 0] + arm[unit] * effect * (1 + 0.6 * X[:, 0])
    y = y + rng.normal(size=len(unit))
    clusters = unit if persons > 1 else None
    return validate_trial(X, y, arm[unit].astype(int), clusters, blocks=block[unit])


def test_with_one_probability_nothing_is_done() -> None:
    rng = np.random.default_rng(1)
    arm, block = np.tile([0, 1], 30), np.repeat([0, 1, 2], 20)
    data = validate_trial(rng.normal(size=(60, 2)), rng.normal(size=60), arm, blocks=block)
    assert without_level_of_allocation(data) is data


def test_what_is_taken_out_is_a_function_of_the_probability_and_is_taken_once() -> None:
    data = _trial(2)
    adjusted = without_level_of_allocation(data)
    gone = data.y - adjusted.working
    many = data.propensity > 0.5
    assert np.ptp(gone[many]) == pytest.approx(0, abs=1e-12)
    assert np.ptp(gone[~many]) == pytest.approx(0, abs=1e-12)
    # The levels lie 2 apart; the treatment's own part stays.
    assert gone[many][0] - gone[~many][0] == pytest.approx(2, abs=0.35)
    assert gone.mean() == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(adjusted.y, data.y)
    view = learning_view(data)
    assert learning_view(view) is view
    part = view.take(np.arange(50))
    np.testing.assert_array_equal(learning_view(part).working, view.working[:50])


@pytest.mark.parametrize("name", ["LMM", "GAMM", "T-Linear", "X-RF", "BRM"])
def test_no_learner_takes_the_difference_between_blocks_for_an_effect(name: str) -> None:
    data = _trial(3)
    found = th.estimator(name, random_state=1).fit_data(data)
    average = th.average_effects(data).individual
    # The arms as they are differ by 1.5.
    assert data.y[data.treatment == 1].mean() - data.y[data.treatment == 0].mean() > 1.2
    assert abs(found.predict_effect(data.X).mean() - average.estimate) < 0.1


@pytest.mark.parametrize("name", ["LMM", "X-GAMM-RF", "Additive-Boosting", "BRM"])
def test_nor_in_cluster_trials(name: str) -> None:
    data = _trial(4, persons=10, units=4)
    found = th.estimator(name, random_state=1).fit_data(data)
    average = th.average_effects(data).individual
    assert abs(found.predict_effect(data.X).mean() - average.estimate) < 0.1


def test_swapped_arms_flip_the_sign_and_shared_fits_are_the_same() -> None:
    data = _trial(5)
    swapped = validate_trial(data.X, data.y, 1 - data.treatment, blocks=data.blocks)
    one = th.estimator("LMM").fit_data(data).predict_effect(data.X)
    other = th.estimator("LMM").fit_data(swapped).predict_effect(data.X)
    np.testing.assert_allclose(one, -other, atol=1e-6)
    together = fit_together({"LMM": th.estimator("LMM")}, data, seed=1)["LMM"].estimator
    np.testing.assert_array_equal(together.predict_effect(data.X), one)


def test_many_probabilities_take_no_more_than_three_powers() -> None:
    rng = np.random.default_rng(6)
    known = np.repeat(rng.uniform(0.2, 0.8, 40), 25)
    arm = (rng.uniform(size=1000) < known).astype(int)
    X = rng.normal(size=(1000, 2))
    y = 3 * known**2 + 0.5 * arm + rng.normal(size=1000)
    data = validate_trial(X, y, arm, propensity=known)
    effect = th.estimator("LMM").fit_data(data).predict_effect(X).mean()
    assert effect == pytest.approx(0.5, abs=0.2)
    gone = data.y - without_level_of_allocation(data).working
    powers = np.vander(data.propensity, 4)
    fitted = powers @ np.linalg.lstsq(powers, gone, rcond=None)[0]
    np.testing.assert_allclose(fitted, gone, atol=1e-9)


class _DifferenceInMeans(CateEstimator):
    """The same effect for all: the difference between the arms' means of the working outcome."""

    def __init__(self, random_state: Any = None, n_jobs: int = 1) -> None:
        self.random_state, self.n_jobs = random_state, n_jobs

    def declare_nuisances(self, data: TrialData, seed: int) -> tuple[()]:
        return ()

    def fit_effect(self, data: TrialData, nuisances: Any, seed: int) -> None:
        treated, control = (data.working[data.treatment == arm].mean() for arm in (1, 0))
        self.difference_ = treated - control

    def predict_effect(self, X: FloatArray) -> FloatArray:
        return np.full(len(X), self.difference_)


@pytest.mark.parametrize("persons", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_the_bootstrap_makes_the_adjustment_anew(persons: int) -> None:
    """Taken over from the whole trial, its error would be missing from the interval's width."""
    shares, widths = np.tile([0.1, 0.9], 3), []
    for seed in range(3):
        data = _trial(100 + seed, persons=persons, units=40, shares=shares)
        model = _DifferenceInMeans(random_state=seed).fit_data(data)
        lower, upper = model.effect_interval(data.X[:1], n_bootstrap=40)
        view = learning_view(data)
        samples = [view.resample(derive_seed(seed, r)) for r in range(40)]
        taken_over = [_DifferenceInMeans().fit_data(one).difference_ for one in samples]
        half = t_quantile(0.95, data.n_units - 2) * np.std(taken_over, ddof=1)
        widths.append([(upper - lower)[0], 2 * half])
    anew, without = np.mean(widths, axis=0)
    # Over 100 trials the estimates have a standard deviation of .211 (persons) and .141 (clusters);
    # mean bootstrap errors of six trials were .203 and .134 anew, .148 and .098 taken over.
    assert 1.15 < anew / without < 1.7


def test_the_design_check_says_so() -> None:
    data = _trial(7)
    frame = pd.DataFrame(data.X, columns=["x", "z"]).assign(
        y=data.y, arm=data.treatment, block=data.blocks
    )
    roles = {"outcome": "y", "treatment": "arm", "covariates": ["x", "z"]}
    notes = th.Trial(frame, block="block", **roles).check().notes
    assert any(
        "probability of treatment differs between units (25% to 75%)" in note for note in notes
    )
    assert not any("probability" in note for note in th.Trial(frame, **roles).check().notes)
