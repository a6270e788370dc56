"""BRM, BCF and BART of events: risks of new clusters, invariances, separation, saving."""

import warnings

import numpy as np
import pytest
from scipy.special import ndtr

import tauhat as th
from tauhat.data import validate_trial
from tauhat.fitting.reference_posterior import overlooked_by
from tauhat.learners import BayesianCausalForest, BayesianRidgeEffect, SLearner
from tauhat.outcome import MixedBART

SHORT = {"n_chains": 2, "n_grow": 4, "n_burn_in": 15, "n_draws": 25}
MAKE = {
    "BRM": lambda: BayesianRidgeEffect(n_chains=2, burn_in=20, draws=40, thin=1, random_state=1),
    "BCF-RE": lambda: BayesianCausalForest(
        **SHORT, n_outcome_trees=30, n_effect_trees=20, random_intercept=True, random_state=1
    ),
    "BART-RE": lambda: SLearner(MixedBART(n_trees=30, **SHORT), random_state=1),
}
ALL = pytest.mark.parametrize("name", list(MAKE))
pytestmark = pytest.mark.filterwarnings("ignore::tauhat.TauhatWarning")


def trial(seed=0, m=24, size=25, level=-0.4, between=0.1, slope=0.8):
    """X, events, arm, clusters and the true risks of new clusters."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    X, A = rng.normal(size=(m * size, 3)), clusters % 2
    without = level + 0.5 * X[:, 1]
    effect = 0.4 + slope * (X[:, 0] > 0) - slope / 2
    z = without + A * effect + np.sqrt(between) * rng.normal(size=m)[clusters]
    scale = np.sqrt(1 + between)
    risks = np.column_stack([ndtr(without / scale), ndtr((without + effect) / scale)])
    return X, (z + rng.normal(size=len(z)) > 0).astype(float), A, clusters, risks


@pytest.fixture(scope="module")
def fits():
    X, y, A, clusters, _ = trial()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            name: make().fit(X, y, treatment=A, clusters=clusters) for name, make in MAKE.items()
        }


@ALL
def test_effects_are_differences_of_risks_and_both_are_means_of_draws(fits, name):
    model, X = fits[name], trial()[0]
    assert model.models_risks
    assert model.has_draws
    risks, draws = model.predict_risks(X), model.draw_risks(X)
    assert draws.shape == (len(model.effect_draws(X)), len(X), 2)
    assert ((draws > 0) & (draws < 1)).all()
    np.testing.assert_allclose(risks, draws.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(model.effect(X), risks[:, 1] - risks[:, 0], atol=1e-12)
    np.testing.assert_allclose(model.effect_draws(X), draws[..., 1] - draws[..., 0], atol=1e-12)


@ALL
def test_risks_are_recovered(fits, name):
    X, _, _, _, risks = trial()
    found = fits[name].predict_risks(X)
    assert np.sqrt(np.mean((found - risks) ** 2)) < 0.12
    assert np.corrcoef(found[:, 0], risks[:, 0])[0, 1] > 0.8
    effect = risks[:, 1] - risks[:, 0]
    assert np.corrcoef(fits[name].effect(X), effect)[0, 1] > 0.4


@pytest.mark.slow
@ALL
def test_risks_are_those_of_new_clusters(name):
    # With a wide intercept the risk at an intercept of zero is far from the mean one.
    X, y, A, clusters, risks = trial(4, m=60, size=12, level=-1.2, between=2.0, slope=0.0)
    found = MAKE[name]().fit(X, y, treatment=A, clusters=clusters).predict_risks(X)
    at_zero = ndtr(-1.2)
    assert risks[:, 0].mean() > 2 * at_zero
    assert found[:, 0].mean() == pytest.approx(y[A == 0].mean(), abs=0.05)


@ALL
def test_order_of_rows_labels_and_number_of_workers_change_nothing(fits, name):
    X, y, A, clusters, _ = trial()
    order = np.random.default_rng(0).permutation(len(y))
    names = np.array([f"clinic {(7 * c) % 24}" for c in clusters])
    again = MAKE[name]().set_params(n_jobs=2)
    again.fit(X[order], y[order], treatment=A[order], clusters=names[order])
    assert again.predict_risks(X).tobytes() == fits[name].predict_risks(X).tobytes()


@pytest.mark.slow
@ALL
def test_other_codes_of_arms_and_event_turn_the_sign(fits, name):
    X, y, A, clusters, _ = trial()
    swapped = MAKE[name]().fit(X, y, treatment=1 - A, clusters=clusters)
    absence = MAKE[name]().fit(X, 1 - y, treatment=A, clusters=clusters)
    effect, draws = fits[name].effect(X), fits[name].effect_draws(X)
    spread = draws.std(axis=0).mean()
    for other in (swapped, absence):
        assert np.abs(other.effect(X) + effect).mean() < spread
    risks = fits[name].predict_risks(X)
    assert np.abs(swapped.predict_risks(X)[:, ::-1] - risks).mean() < 0.04
    assert np.abs(1 - absence.predict_risks(X) - risks).mean() < 0.04


@ALL
@pytest.mark.parametrize(
    "case",
    [
        "no event in an arm",
        pytest.param("rare", marks=pytest.mark.slow),
        "six clusters",
        pytest.param("separated", marks=pytest.mark.slow),
    ],
)
def test_thin_data_give_finite_and_calm_risks(name, case):
    X, y, A, clusters, _ = trial(2, m=6 if case == "six clusters" else 20, size=20)
    if case == "no event in an arm":
        y = y * A
    elif case == "rare":
        y = (np.random.default_rng(1).random(len(y)) < 0.03).astype(float)
    elif case == "separated":
        y = (X[:, 0] > 0.3).astype(float)
    model = MAKE[name]().fit(X, y, treatment=A, clusters=clusters)
    risks = model.predict_risks(X)
    assert ((risks > 0) & (risks < 1)).all()
    draws = model.effect_draws(X[:5])
    assert np.isfinite(draws).all()
    assert (draws.std(axis=0) > 0).all()
    if case == "no event in an arm":
        assert risks[:, 0].mean() < 0.05
        assert risks[:, 1].mean() == pytest.approx(y[A == 1].mean(), abs=0.1)
    elif case == "rare":
        assert np.abs(model.effect(X)).mean() < 0.04
    elif case == "separated":
        assert risks[X[:, 0] > 1].mean() > 0.8 > 0.2 > risks[X[:, 0] < -0.5].mean()


@pytest.mark.slow
@ALL
def test_weights_count_persons(name):
    X, y, A, clusters, _ = trial(3)
    weight = np.where(y == 1, 3.0, 1.0)
    model = MAKE[name]().fit(X, y, treatment=A, clusters=clusters, sample_weight=weight)
    found, seen = model.predict_risks(X), np.average(y, weights=weight)
    assert np.average(found[np.arange(len(y)), A], weights=weight) == pytest.approx(seen, abs=0.06)


@ALL
def test_saved_models_give_the_same_risks(fits, name, tmp_path):
    X = trial()[0]
    path = tmp_path / "model.tauhat"
    th.save(fits[name], path)
    loaded = th.load(path)
    assert loaded.models_risks
    assert loaded.draw_risks(X).tobytes() == fits[name].draw_risks(X).tobytes()


@pytest.mark.slow
@ALL
def test_fitted_to_numbers_again_it_has_no_risks(name):
    X, y, A, clusters, _ = trial(m=8)
    model = MAKE[name]().fit(X, y, treatment=A, clusters=clusters)
    model.fit(X, y + X[:, 0], treatment=A, clusters=clusters)
    assert not model.models_risks
    with pytest.raises(NotImplementedError, match="does not model risks"):
        model.predict_risks(X)
    assert np.isfinite(model.effect(X)).all()


@ALL
def test_levels_of_blocks_do_not_pass_for_effects(name):
    # Most of a low block is treated and few of a high one; both have the same small effect.
    rng = np.random.default_rng(1)
    block = np.repeat([0, 1], 300)
    A = np.r_[np.arange(300) % 4 > 0, np.arange(300) % 4 == 0].astype(int)
    X = rng.normal(size=(600, 2))
    y = (rng.random(600) < np.where(block == 0, 0.15, 0.6)).astype(float)
    naive = y[A == 1].mean() - y[A == 0].mean()
    assert naive < -0.12
    data = validate_trial(X, y, A, blocks=block)
    assert abs(MAKE[name]().fit_data(data).effect(X).mean()) < 0.08


def test_intervals_of_events_are_narrower_than_those_of_numbers(fits):
    X, y, A, clusters, _ = trial()
    numbers = validate_trial(X, y, A, clusters, endpoint="continuous")
    before = MAKE["BRM"]().fit_data(numbers)
    widths = [np.mean(np.diff(one.effect_interval(X), axis=0)) for one in (before, fits["BRM"])]
    assert not before.models_risks
    assert widths[1] < widths[0]


@pytest.mark.parametrize("clustered", [pytest.param(True, marks=pytest.mark.slow), False])
def test_intervals_mix_the_trees_with_the_reference(fits, clustered):
    X, y, A, clusters, _ = trial(1, m=16)
    model = MAKE["BCF-RE"]().fit(X, y, treatment=A, clusters=clusters if clustered else None)
    model.reference_posterior_ = fits["BRM"].posterior_
    own, reference = model.effect_draws(X), model.reference_posterior().effect_draws(X)
    share = 0.6 if clustered else 0.3
    low, high = model.effect_interval(X)
    middle = share * own.mean(axis=0) + (1 - share) * reference.mean(axis=0)
    inside = (low < model.effect(X)) & (model.effect(X) < high) & (low > -1) & (high < 1)
    np.testing.assert_allclose(((low + high) / 2)[inside], middle[inside], atol=1e-9)
    assert inside.mean() > 0.9


def test_intervals_of_events_are_no_narrower_than_what_a_trial_may_overlook() -> None:
    rng = np.random.default_rng(6)
    X, A = rng.normal(size=(200, 2)), np.arange(200) % 2
    model = th.estimator("LMM", random_state=1).fit(X, rng.random(200) < 0.4 - 0.1 * A, treatment=A)
    posterior, effect = model.reference_posterior(), model.effect(X)
    assert posterior.overlooked == 0.2
    spread = np.sqrt(((posterior.effect_draws(X) - effect) ** 2).mean(axis=0))
    risk = posterior.log_odds.risks(X).mean(axis=1)
    least = 0.2 * np.sqrt(risk * (1 - risk))
    error = posterior.expected_error(X, effect)
    np.testing.assert_allclose(error, np.maximum(0.9 * spread, least))
    assert (0.9 * spread < least).any()
    # Larger trials overlook less, and rates are another matter.
    assert overlooked_by(125_000) == pytest.approx(0.02)
    counts = th.estimator("LMM", random_state=1).fit_data(
        validate_trial(X, rng.poisson(2, 200), A, endpoint="count")
    )
    assert counts.reference_posterior().overlooked == 0
