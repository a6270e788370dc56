"""Levels of randomization blocks are noise to no learner, and nothing but levels is taken out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tauhat as th
from tauhat._typing import FloatArray
from tauhat.data import TrialData, validate_trial
from tauhat.fitting.block_intercepts import without_block_intercepts
from tauhat.fitting.learning_view import learning_view
from tauhat.outcome_model import VarianceComponents


def _persons(seed: int, *, sites: int = 10, size: int = 25, spread: float = 1.0) -> TrialData:
    """Persons randomized by halves within sites that differ in their outcomes."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(sites), size)
    arm = np.concatenate([rng.permutation(np.arange(size) % 2) for _ in range(sites)])
    X = rng.normal(size=(len(site), 3))
    y = spread * rng.normal(size=sites)[site] + X[:, 0] + arm * (0.5 + 0.5 * X[:, 1])
    return validate_trial(X, y + rng.normal(size=len(site)), arm, blocks=site)


def _clusters(
    seed: int, *, strata: int = 10, size: int = 2, persons: int = 15, spread: float = 1.0
) -> TrialData:
    """Clusters randomized by halves within strata that differ in their outcomes."""
    rng = np.random.default_rng(seed)
    stratum = np.repeat(np.arange(strata), size)
    arm = np.concatenate([rng.permutation(np.arange(size) % 2) for _ in range(strata)])
    level = spread * rng.normal(size=strata)[stratum] + 0.3 * rng.normal(size=len(stratum))
    unit = np.repeat(np.arange(len(stratum)), persons)
    X = rng.normal(size=(len(unit), 3))
    y = level[unit] + X[:, 0] + arm[unit] * (0.5 + 0.5 * X[:, 1]) + rng.normal(size=len(unit))
    return validate_trial(X, y, arm[unit], unit, blocks=stratum[unit])


def _effect(name: str, data: TrialData) -> FloatArray:
    fitted = th.estimator(name, random_state=1)
    fitted.fit(data.X, data.y, treatment=data.treatment, clusters=data.clusters, blocks=data.blocks)
    effect: FloatArray = fitted.effect(data.X)
    return effect


def test_nothing_is_done_where_no_block_holds_several_units() -> None:
    rng = np.random.default_rng(1)
    X, y, arm = rng.normal(size=(60, 2)), rng.normal(size=60), np.tile([0, 1], 30)
    alone = validate_trial(X, y, arm)
    one = validate_trial(X, y, arm, blocks=np.zeros(60))
    assert without_block_intercepts(alone) is alone
    assert without_block_intercepts(one) is one
    assert alone.design.intercepts().groups is None
    clinic = np.repeat(np.arange(12), 5)
    by_clinic = validate_trial(X, y, clinic % 2, clinic)
    assert without_block_intercepts(by_clinic) is by_clinic
    assert by_clinic.design.intercepts().nesting is None


@pytest.mark.parametrize("data", [_persons(2), _clusters(2)], ids=["persons", "clusters"])
def test_one_level_a_block_is_taken_out_once_and_the_outcome_stays(data: TrialData) -> None:
    view = learning_view(data)
    np.testing.assert_array_equal(view.y, data.y)
    np.testing.assert_allclose(view.working_with_blocks, data.y, atol=1e-12)
    level = view.working_with_blocks - view.working
    for block in range(10):
        assert np.ptp(level[data.blocks == block]) == pytest.approx(0, abs=1e-12)
    assert view.working.std() < 0.95 * data.y.std()
    assert learning_view(view) is view
    part = view.take(np.arange(40))
    np.testing.assert_array_equal(learning_view(part).working, view.working[:40])
    np.testing.assert_array_equal(part.working_with_blocks, view.working_with_blocks[:40])
    np.testing.assert_array_equal(part.as_it_is().working, data.y[:40])


def test_level_is_the_shrunken_mean_of_what_covariates_and_arms_leave() -> None:
    data = _persons(3, sites=40, size=10)
    level = data.y - without_block_intercepts(data).working
    left = data.y - data.X[:, 0] - data.treatment * (0.5 + 0.5 * data.X[:, 1])
    means = np.bincount(data.blocks, left - left.mean()) / 10
    found = level[np.unique(data.blocks, return_index=True)[1]]
    # Variances 1 and 1: ten persons' mean is shrunk by 10 / 11.
    slope = found @ means / (means @ means)
    assert slope == pytest.approx(10 / 11, abs=0.04)
    assert np.corrcoef(found, means)[0, 1] > 0.99


@pytest.mark.parametrize("interactions", ["shared", "fixed"])
@pytest.mark.parametrize("data", [_persons(4), _clusters(4)], ids=["persons", "clusters"])
def test_linear_model_is_generalised_least_squares_at_its_variances(
    data: TrialData, interactions: str
) -> None:
    model = th.learners.LinearMixedEffect(interactions).fit_data(data)
    parts = model.variance_components_
    blocks = np.eye(10)[data.blocks]
    V = parts.residual * np.eye(data.n) + parts.between_block * (blocks @ blocks.T)
    if data.clusters is not None:
        units = np.eye(20)[data.clusters]
        V += parts.between_cluster * (units @ units.T)
    Z = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0)
    contrast = (data.treatment - 0.5)[:, None]
    fixed = np.hstack([np.ones((data.n, 1)), contrast, Z])
    if interactions == "fixed":
        fixed = np.hstack([fixed, contrast * Z])
        solved = np.linalg.solve(V, fixed)
        beta = np.linalg.solve(fixed.T @ solved, solved.T @ data.y)
        expected = beta[1] + Z @ beta[5:]
    else:
        # What REML shrinks: the slopes are draws with a variance of their own.
        slope = model.effect_coefficients_[1:]
        solved = np.linalg.solve(V, fixed)
        left = data.y - contrast[:, 0] * (Z @ slope)
        beta = np.linalg.solve(fixed.T @ solved, solved.T @ left)
        expected = beta[1] + Z @ slope
    np.testing.assert_allclose(model.effect(data.X), expected, atol=1e-6)


def test_variances_of_blocks_clusters_and_persons_are_recovered() -> None:
    data = _clusters(5, strata=60, size=4, persons=8, spread=0.7)
    for name in ("LMM", "GAMM", "BRM"):
        parts = th.estimator(name, random_state=1).fit_data(data).variance_components_
        assert parts.between_block == pytest.approx(0.49, abs=0.2)
        assert parts.between_cluster == pytest.approx(0.09, abs=0.04)
        assert parts.residual == pytest.approx(1, abs=0.1)
    persons = th.estimator("LMM").fit_data(_persons(5, sites=60)).variance_components_
    assert persons.between_block == pytest.approx(1, abs=0.4)
    assert persons.between_cluster == 0


def test_components_name_the_blocks() -> None:
    parts = VarianceComponents(0.1, 0.9, between_block=0.5)
    assert parts.icc == pytest.approx(0.1)
    assert parts.table["component"].tolist()[0] == "between blocks"
    assert "between blocks 0.5" in parts.text
    assert "blocks" not in VarianceComponents(0.1, 0.9).text


@pytest.mark.parametrize("name", ["LMM", "GAMM", "T-Linear", "BRM"])
def test_labels_and_order_of_the_blocks_change_nothing(name: str) -> None:
    data = _clusters(6)
    order = np.random.default_rng(1).permutation(data.n)
    names = np.array([f"town {(7 * b) % 10}" for b in data.blocks])
    fitted = th.estimator(name, random_state=1).fit(
        data.X[order],
        data.y[order],
        treatment=data.treatment[order],
        clusters=data.clusters[order],
        blocks=names[order],
    )
    np.testing.assert_allclose(fitted.effect(data.X), _effect(name, data), atol=1e-9)


@pytest.mark.parametrize("data", [_persons(7), _clusters(7)], ids=["persons", "clusters"])
@pytest.mark.parametrize("name", ["LMM", "GAMM", "T-Linear"])
def test_levels_of_any_size_and_swapped_arms(name: str, data: TrialData) -> None:
    effect = _effect(name, data)
    swapped = validate_trial(data.X, data.y, 1 - data.treatment, data.clusters, blocks=data.blocks)
    np.testing.assert_allclose(_effect(name, swapped), -effect, atol=1e-5)
    # However far apart the levels are: within blocks all is as it was.
    far = validate_trial(
        data.X,
        data.y + 100.0 * data.blocks,
        data.treatment,
        data.clusters,
        blocks=data.blocks,
    )
    assert np.abs(_effect(name, far) - effect).max() < 0.25 * (effect.std() + 0.2)


@pytest.mark.parametrize("name", ["T-Linear", pytest.param("X-RF", marks=pytest.mark.slow)])
def test_learners_are_nearer_the_truth_with_the_blocks(name: str) -> None:
    errors = []
    for seed in range(4):
        data = _persons(100 + seed, spread=2.0)
        truth = 0.5 + 0.5 * data.X[:, 1]
        knows = th.estimator(name, random_state=1)
        knows.fit(data.X, data.y, treatment=data.treatment, blocks=data.blocks)
        blind = th.estimator(name, random_state=1).fit(data.X, data.y, treatment=data.treatment)
        errors.append([np.mean((one.effect(data.X) - truth) ** 2) for one in (knows, blind)])
    mine, theirs = np.sqrt(np.mean(errors, axis=0))
    assert mine < 0.75 * theirs


def test_intervals_in_pairs_allow_for_what_a_pair_hides() -> None:
    """Taking out predicted levels of pairs leaves too little noise; the reference has them all."""
    inside, ratios = [], []
    for seed in range(3):
        data = _persons(200 + seed, sites=100, size=2)
        truth = 0.5 + 0.5 * data.X[:, 1]
        model = th.estimator("T-Linear", random_state=1).fit_data(data)
        lower, upper = model.effect_interval(data.X)
        inside.append(np.mean((lower <= truth) & (truth <= upper)))
        reference = model.reference_posterior()
        ratios.append(reference.residual.mean())
        assert without_block_intercepts(data).working.var() < 0.8 * data.y.var()
    assert np.mean(inside) > 0.93
    assert np.mean(ratios) == pytest.approx(1, abs=0.25)


def test_a_model_with_blocks_is_saved_whole(tmp_path: Path) -> None:
    data = _clusters(8)
    model = th.estimator("LMM").fit_data(data)
    th.save(model, tmp_path / "model.tauhat")
    loaded = th.load(tmp_path / "model.tauhat")
    for ours, theirs in zip(
        loaded.effect_interval(data.X), model.effect_interval(data.X), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert loaded.variance_components_ == model.variance_components_
