"""An outcome with two values has effects within their distance: estimates are cut, and counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.analysis import analyze
from tauhat.data import validate_trial
from tauhat.ensembles import ConsensusAverage
from tauhat.ensembles.together import fit_together
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.estimate import Estimate

RNG = np.random.default_rng(3)
N = 200
X = pd.DataFrame({"risk": RNG.normal(size=N), "age": RNG.normal(60, 10, N)})
# In the order in which `effect` passes rows on: last bits depend on it.
VALUES = np.ascontiguousarray(X.to_numpy())
ARM = RNG.permutation(N) % 2
# Treatment helps those at high risk and harms the others: straight lines go beyond 1.
Y = (np.where(ARM == 1, X.risk > 0, X.risk < 0) ^ (RNG.random(N) < 0.03)).astype(float)


def fitted(name: str, y: Any = Y, **settings: Any) -> Any:
    return th.estimator(name, random_state=1, **settings).fit(X, y, treatment=ARM)


@pytest.fixture(scope="module")
def model() -> Any:
    return fitted("T-Linear")


def test_effects_and_intervals_of_a_binary_outcome_are_possible(model: Any) -> None:
    raw = model.predict_effect(VALUES)
    assert (np.abs(raw) > 1).sum() > 10
    effect = model.effect(X)
    assert np.abs(effect).max() == 1
    inside = np.abs(raw) <= 1
    np.testing.assert_array_equal(effect[inside], raw[inside])
    np.testing.assert_array_equal(model.predict(X), effect)
    lower, upper = model.effect_interval(X)
    assert -1 <= lower.min() <= upper.max() <= 1
    assert ((lower <= effect) & (effect <= upper)).all()
    lower, upper = model.effect_interval(X.iloc[:5], n_bootstrap=3)
    assert -1 <= lower.min() <= upper.max() <= 1
    assert f"{(~inside).sum()} of them were larger" in model.text


def test_other_outcomes_are_left_alone() -> None:
    for y in (Y + RNG.normal(size=N), np.where(np.arange(N) == 0, 2.0, Y)):
        model = fitted("T-Linear", y)
        np.testing.assert_array_equal(model.effect(X), model.predict_effect(VALUES))
        assert "larger than" not in model.text


@pytest.mark.parametrize(("low", "high"), [(0.0, 100.0), (1.0, 2.0), (-1.0, 1.0)])
def test_the_bound_is_the_distance_of_the_two_values(low: float, high: float) -> None:
    model = fitted("T-Linear", low + (high - low) * Y)
    assert np.abs(model.effect(X)).max() == high - low
    np.testing.assert_allclose(
        model.effect(X), (high - low) * fitted("T-Linear").effect(X), atol=1e-9 * (high - low)
    )


def test_posterior_draws_are_possible() -> None:
    model = th.estimator("BRM", random_state=1).set_params(n_chains=2, draws=60, burn_in=60)
    model.fit(X, Y, treatment=ARM)
    # A model of risks has nothing to cut.
    assert np.abs(model.draw_effect(X.to_numpy())).max() <= 1
    np.testing.assert_array_equal(model.effect_draws(X), model.draw_effect(X.to_numpy()))
    lower, upper = model.effect_interval(X)
    assert -1 <= lower.min() <= upper.max() <= 1


def test_members_of_an_ensemble_are_not_cut_before_they_are_averaged() -> None:
    members = [(name, th.estimator(name)) for name in ("T-Linear", "LMM", "GAMM")]
    ensemble = ConsensusAverage(members, random_state=1).fit(X, Y, treatment=ARM)
    rows = X.to_numpy()
    raw = sum(
        w * ensemble.members_[name].predict_effect(rows) for name, w in ensemble.weights_.items()
    )
    assert np.abs(raw).max() > 1
    np.testing.assert_allclose(ensemble.effect(X), np.clip(raw, -1, 1), atol=1e-12)


def test_saved_models_know_what_is_possible(model: Any, tmp_path: Path) -> None:
    for with_data in (True, False):
        th.save(model, tmp_path / "model.tauhat", with_data=with_data)
        loaded = th.load(tmp_path / "model.tauhat")
        np.testing.assert_array_equal(loaded.effect(X), model.effect(X))


def test_blocks_and_folds_do_not_hide_that_the_outcome_is_binary() -> None:
    blocks = np.arange(N) % 5
    model = th.estimator("T-Linear").fit(X, Y, treatment=ARM, blocks=blocks)
    assert np.abs(model.effect(X)).max() == 1
    data = validate_trial(X, Y, ARM, blocks=blocks)
    assert data.take(data.y == 1).endpoint.largest_effect == 1


def test_held_out_effects_and_what_describes_them_are_possible() -> None:
    fit = th.cross_fit((X, Y, ARM), "T-Linear", n_splits=2)
    assert np.abs(fit.effects).max() == 1
    few = np.zeros(N, dtype=bool)
    few[np.argsort(X.risk)[-12:]] = True
    # Scores of single persons go beyond 1, so that small groups have such estimates.
    steep = replace(fit, outcome=fit.outcome - 0.4)
    group = th.group_effect(steep, few)
    for estimate, largest in ((group.inside, 1), (group.outside, 1), (group.difference, 2)):
        assert -largest <= estimate.lower <= estimate.estimate <= estimate.upper <= largest
    curve = th.effect_curve(fit, "risk").table
    assert curve.lower.min() >= -1
    assert curve.upper.max() <= 1


def test_the_average_effect_of_a_tiny_binary_trial_is_possible() -> None:
    clusters = np.repeat(np.arange(4), 3)
    y = np.array([0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1.0])
    found = th.average_effects((np.arange(12.0)[:, None] % 5, y, clusters % 2, clusters))
    assert found.individual.se > 0.2
    for one in (found.individual, found.cluster):
        assert one is not None
        assert -1 <= one.lower < one.upper <= 1
    assert found.individual.upper == 1


def test_estimates_within_what_is_possible_stay_as_they_are() -> None:
    estimate = Estimate.from_t(0.2, 0.1, degrees_of_freedom=20, level=0.95)
    assert estimate.within(1.0) == estimate
    assert estimate.within(np.inf) is estimate


@pytest.mark.usefixtures("quick_run")
def test_an_analysis_counts_the_estimates_that_were_cut() -> None:
    trial = th.Trial(X.assign(arm=ARM, y=Y), outcome="y", treatment="arm")
    found = analyze(trial, models=["T-Linear", "LMM"], random_state=1, n_permutations=99)
    numbers = found.effects[["effect", "lower", "upper"]].to_numpy()
    assert np.abs(numbers).max() <= 1
    assert found.n_cut == (found.effects.effect.abs() == 1).sum() > 0
    assert found.to_json()["effects"]["n_cut"] == found.n_cut
    assert f"The estimates of {found.n_cut} of 200 persons were larger" in found.to_html()
    assert found.member_effects.abs().to_numpy().max() <= 1


def test_every_registered_estimator_is_bounded_in_the_base_class() -> None:
    for name in th.estimator_names(every=True):
        kind = type(th.estimator(name))
        assert kind.effect is CateEstimator.effect
        assert kind.effect_draws is CateEstimator.effect_draws


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tauhat.TauhatWarning")
def test_no_registered_estimator_gives_impossible_effects() -> None:
    names = {name: th.estimator(name) for name in th.estimator_names()}
    fits = fit_together(names, validate_trial(X, Y, ARM), seed=1)
    cut = 0
    for name in names:
        model: Any = fits[name].estimator
        effect = model.effect(X)
        assert np.abs(effect).max() <= 1, name
        cut += int((np.abs(effect) == 1).sum())
        lower, upper = model.effect_interval(X.iloc[::20])
        assert -1 <= lower.min() <= upper.max() <= 1, name
    assert cut > 0
