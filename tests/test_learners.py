"""The meta-learners and mixed models: algebra, recovery and what an S-learner must be given."""

import numpy as np
import pytest

from tauhat.data import validate_trial
from tauhat.learners.additive_mixed_effect import AdditiveMixedEffect
from tauhat.learners.dr import DRLearner
from tauhat.learners.effect_boosting import EffectBoosting
from tauhat.learners.linear_mixed_effect import LinearMixedEffect
from tauhat.learners.r import RLearner
from tauhat.learners.s import SLearner
from tauhat.learners.t import TLearner
from tauhat.learners.x import XLearner
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.reml_search import exponential_prior
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.outcome.linear_mixed import LinearMixedModel


def individual(n=600, seed=1, noise=0.5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    A = rng.permutation(np.repeat([0, 1], n // 2))
    tau = 1 + X[:, 0] - 0.5 * X[:, 1]
    return X, X[:, 2] + A * tau + noise * rng.normal(size=n), A, tau


def clustered(m=40, size=25, seed=1, between=0.3, shape=None):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    A = rng.permutation(np.repeat([0, 1], m // 2))[clusters]
    X = rng.normal(size=(m * size, 3))
    X[:, 2] = rng.normal(size=m)[clusters]
    tau = 1 + X[:, 0] if shape is None else shape(X)
    b = np.sqrt(between) * rng.normal(size=m)[clusters]
    return X, np.sin(X[:, 1]) + A * tau + b + rng.normal(size=m * size), A, clusters, tau


@pytest.mark.parametrize("learner", [SLearner, TLearner, XLearner, DRLearner, RLearner])
def test_linear_effects_are_recovered(learner):
    X, y, A, tau = individual()
    model = learner(LinearMixedModel(shrinkage=False), random_state=1).fit(X, y, treatment=A)
    error = np.sqrt(np.mean((model.effect(X) - tau) ** 2)) / tau.std()
    # The R-learner's pseudo-outcome is divided by +-1/2: four times the variance.
    assert error < (0.25 if learner is RLearner else 0.12)


def test_t_learner_is_the_difference_of_two_least_squares_fits():
    X, y, A, _ = individual(n=60)
    design = np.column_stack([np.ones(60), X])
    coefficients = [np.linalg.lstsq(design[a == A], y[a == A], rcond=None)[0] for a in (0, 1)]
    expected = design @ (coefficients[1] - coefficients[0])
    model = TLearner(LinearMixedModel(shrinkage=False), random_state=1).fit(X, y, treatment=A)
    np.testing.assert_allclose(model.effect(X), expected, rtol=1e-8)


def test_x_learner_weighs_the_arms_by_the_known_propensity():
    X, y, A, _ = individual(n=60)
    linear = LinearMixedModel(shrinkage=False)
    model = XLearner(linear, random_state=1).fit(X, y, treatment=A, propensity=0.3)
    from_control, from_treated = (m.predict(X) for m in model.effect_models_)
    np.testing.assert_allclose(model.effect(X), 0.3 * from_control + 0.7 * from_treated)


def test_dr_learner_is_unbiased_when_the_outcome_models_are_wrong():
    # The outcome depends on x squared, which a line in each arm cannot see.
    effects = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(400, 1))
        A = rng.permutation(np.repeat([0, 1], [300, 100]))
        y = 3 * X[:, 0] ** 2 + A * (1 + X[:, 0]) + rng.normal(size=400)
        learner = DRLearner(LinearMixedModel(shrinkage=False), random_state=1)
        model = learner.fit(X, y, treatment=A)
        effects.append(model.effect(np.array([[0.0], [1.0]])))
    mean = np.mean(effects, axis=0)
    error = np.std(effects, axis=0) / np.sqrt(20)
    assert np.abs(mean - [1.0, 2.0]).max() < 3 * error.max()


def test_an_additive_model_gets_interactions_in_an_s_learner():
    X, y, A, tau = individual()
    effect = SLearner(LinearMixedModel(), random_state=1).fit(X, y, treatment=A).effect(X)
    assert np.corrcoef(effect, tau)[0, 1] > 0.98


def test_fixed_interactions_are_the_mixed_model_of_lme4():
    X, y, A, clusters, _ = clustered()
    fit = LinearMixedEffect(interactions="fixed").fit(X, y, treatment=A, clusters=clusters)
    z = A[:, None].astype(float)
    design = np.hstack([np.ones((len(y), 1)), z, z * X, X])
    reference = MixedModel(y, design, clusters=clusters).fit()
    np.testing.assert_allclose(fit.effect(np.zeros((1, 3))), reference.coefficients[1], rtol=1e-5)
    np.testing.assert_allclose(
        fit.coefficients_.estimate[1:], reference.coefficients[2:5], rtol=1e-5
    )
    errors = reference.standard_errors(np.eye(8)[2:5])
    np.testing.assert_allclose(fit.coefficients_.se[1:], errors, rtol=1e-5)
    components = fit.variance_components_
    assert components.between_cluster == pytest.approx(reference.between_cluster_variance, rel=1e-5)


def test_shared_interactions_shrink_noise_more_than_signal():
    X, y, A, clusters, _ = clustered(m=20)
    rng = np.random.default_rng(2)
    wide = np.hstack([X, rng.normal(size=(len(y), 12))])
    fits = {
        name: LinearMixedEffect(interactions=name).fit(wide, y, treatment=A, clusters=clusters)
        for name in ("shared", "fixed")
    }
    slope = {name: fit.coefficients_.estimate[1] for name, fit in fits.items()}
    noise = {name: np.abs(fit.coefficients_.estimate[4:]).mean() for name, fit in fits.items()}
    assert slope["shared"] > 0.7
    assert noise["shared"] < noise["fixed"]


def test_linear_mixed_intervals_cover_a_linear_effect():
    covered = []
    for seed in range(60):
        X, y, A, clusters, tau = clustered(m=20, size=15, seed=seed)
        model = LinearMixedEffect().fit(X, y, treatment=A, clusters=clusters)
        low, high = model.model_interval(X)
        covered.append(np.mean((low <= tau) & (tau <= high)))
    # 60 trials with a standard deviation of about .12: a standard error of .016.
    assert 0.90 < np.mean(covered) <= 1.0


def test_gamm_follows_a_curve_that_a_line_cannot():
    X, y, A, clusters, tau = clustered(m=50, shape=lambda X: 1.5 * np.abs(X[:, 0]))
    error = {}
    for model in (AdditiveMixedEffect(), LinearMixedEffect()):
        effect = model.fit(X, y, treatment=A, clusters=clusters).effect(X)
        error[type(model).__name__] = np.std(effect - tau) / tau.std()
    assert error["AdditiveMixedEffect"] < 0.5
    assert error["LinearMixedEffect"] > 0.9


def test_gamm_is_nearly_constant_without_heterogeneity():
    spread = []
    for seed in range(10):
        X, y, A, clusters, _ = clustered(m=20, seed=seed, shape=lambda X: np.full(len(X), 0.4))
        fit = AdditiveMixedEffect().fit(X, y, treatment=A, clusters=clusters)
        spread.append(fit.effect(X).std())
    assert np.mean(spread) < 0.12


def test_exponential_prior_switches_off_a_block_of_noise():
    rng = np.random.default_rng(4)
    y, Z = rng.normal(size=200), rng.normal(size=(200, 5))
    model = MixedModel(y, np.ones((200, 1)), [Z])
    free = model.fit().block_variances[0]
    shrunk = model.fit(penalty=exponential_prior([0], 20.0)).block_variances[0]
    assert shrunk <= free
    assert shrunk < 1e-4


@pytest.mark.parametrize("make", [LinearMixedEffect, AdditiveMixedEffect, EffectBoosting])
def test_no_learner_loses_the_effect_of_a_cluster_level_treatment(make):
    errors = []
    for seed in range(12):
        X, y, A, clusters, tau = clustered(m=20, size=15, seed=seed)
        model = make(random_state=1).fit(X, y, treatment=A, clusters=clusters)
        errors.append(model.effect(X).mean() - tau.mean())
    # The standard error of one mean effect is .29, of their mean .085.
    assert abs(np.mean(errors)) < 0.2


def test_effect_boosting_beats_the_line_it_starts_from_on_a_step():
    X, y, A, clusters, tau = clustered(m=50, shape=lambda X: 2.0 * (X[:, 0] > 0))
    boosted = EffectBoosting(random_state=1).fit(X, y, treatment=A, clusters=clusters)
    linear = LinearMixedEffect().fit(X, y, treatment=A, clusters=clusters)
    assert boosted.n_rounds_ > 0
    errors = [np.std(m.effect(X) - tau) for m in (boosted, linear)]
    assert errors[0] < 0.75 * errors[1]


def test_mixed_models_recover_the_variance_components():
    parts = []
    for seed in range(20):
        X, y, A, clusters, _ = clustered(m=30, seed=seed)
        fit = AdditiveMixedEffect().fit(X, y, treatment=A, clusters=clusters)
        parts.append([fit.variance_components_.between_cluster, fit.variance_components_.residual])
    between, residual = np.mean(parts, axis=0)
    assert between == pytest.approx(0.3, rel=0.2)
    assert residual == pytest.approx(1.0, rel=0.05)


def test_additive_outcome_model_ignores_clusters_it_has_not_got():
    X, y, A, _ = individual()
    model = AdditiveMixedModel().fit(X[A == 0], y[A == 0])
    assert model.variance_components_.between_cluster == 0.0
    assert model.variance_components_.residual == pytest.approx(0.25, rel=0.2)


def test_weights_of_ones_change_nothing():
    X, y, A, clusters, _ = clustered(m=20)
    for model in (LinearMixedEffect(), AdditiveMixedEffect()):
        plain = model.fit(X, y, treatment=A, clusters=clusters).effect(X)
        ones = model.fit(
            X, y, treatment=A, clusters=clusters, sample_weight=np.ones(len(y))
        ).effect(X)
        np.testing.assert_allclose(plain, ones, rtol=1e-9)


def test_blocks_set_the_propensity():
    X, y, A, _ = individual(n=60)
    blocks = np.repeat(["a", "b"], 30)
    data = validate_trial(X, y, A, blocks=blocks)
    for block in range(2):
        rows = data.blocks == block
        share = data.treatment[rows].mean()
        np.testing.assert_allclose(data.propensity[rows], share)


def test_prior_switches_the_shared_block_off_without_evidence():
    rng = np.random.default_rng(6)
    spread = {0.0: [], 10.0: []}
    slope = {0.0: [], 10.0: []}
    for _ in range(12):
        clusters = np.repeat(np.arange(20), 20)
        A, X = clusters % 2, rng.normal(size=(400, 5))
        noise = 0.3 * rng.normal(size=20)[clusters] + rng.normal(size=400)
        for rate in spread:
            model = LinearMixedEffect(prior_rate=rate)
            spread[rate].append(
                model.fit(X, A + noise, treatment=A, clusters=clusters).effect(X).std()
            )
            y = A * X[:, 0] + noise
            fitted = model.fit(X, y, treatment=A, clusters=clusters)
            slope[rate].append(fitted.coefficients_.estimate[1])
    assert np.mean(spread[10.0]) < 0.7 * np.mean(spread[0.0])
    assert np.mean(slope[10.0]) == pytest.approx(np.mean(slope[0.0]), rel=0.05)
    assert np.mean(slope[0.0]) == pytest.approx(1, abs=0.15)
