"""Learners of the log odds of an event: recovery, invariance, hopeless data."""

import warnings

import numpy as np
import pytest
from scipy.special import expit, logit

import tauhat as th
from tauhat.ensembles.robust import RobustEnsemble, recipe_for
from tauhat.errors import TrialError
from tauhat.learners import AdditiveMixedEffect, LinearMixedEffect, RiskEffect
from tauhat.numerics.marginal_risks import marginal_mean
from tauhat.numerics.responses import Binomial
from tauhat.numerics.risk_mixture import RiskMixture
from tauhat.numerics.two_arm_logit import TwoArmModel
from tauhat.simulate import BinaryTrial

NAMES = ("LMM", "GAMM", "Constant-Odds-Ratio", "Risk")
WITH_INTERACTIONS = ("LMM", "GAMM")


def cluster_trial(seed=1, m=24, size=20, effect=0.0, level=-0.8):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    A = (np.arange(m) % 2)[clusters]
    X = rng.normal(size=(m * size, 3))
    log_odds = level + 0.6 * X[:, 0] + A * (0.7 + effect * X[:, 1])
    y = rng.random(m * size) < expit(log_odds + 0.4 * rng.normal(size=m)[clusters])
    return X, y.astype(float), A, clusters


def fitted(name, X, y, A, clusters=None, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return th.estimator(name, random_state=1).fit(X, y, A, clusters, **more)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("clusters", [60, None])
def test_a_constant_odds_ratio_is_recovered(name, clusters):
    design = BinaryTrial(n_clusters=clusters, mean_size=40.0, base_risk=0.2, icc=0.05)
    trial = design.draw(2400, 1)
    model = th.estimator(name, random_state=1).fit(*trial)
    risks = model.predict_risks(trial.X.to_numpy())
    assert np.corrcoef(risks[:, 0], trial.mu0)[0, 1] > 0.9
    assert risks[:, 0].mean() == pytest.approx(trial.mu0.mean(), abs=0.04)
    effect = model.effect(trial.X)
    error = np.sqrt(np.mean((effect - trial.tau) ** 2))
    # A straight line on 0 and 1 cannot bend with the risk.
    lines = LinearMixedEffect(link="identity").fit(*trial).effect(trial.X)
    assert error < 0.045
    assert error < 0.9 * np.sqrt(np.mean((lines - trial.tau) ** 2))


@pytest.mark.parametrize("name", WITH_INTERACTIONS)
def test_interactions_on_the_log_odds_are_recovered(name):
    trial = BinaryTrial(effect="linear-log-odds", n_clusters=60, mean_size=50.0).draw(3000, 2)
    effect = th.estimator(name).fit(*trial).effect(trial.X)
    assert np.corrcoef(effect, trial.tau)[0, 1] > 0.85
    assert np.sqrt(np.mean((effect - trial.tau) ** 2)) < 0.6 * trial.tau.std()


def test_the_risk_model_finds_an_odds_ratio_that_changes_with_the_risk():
    rng = np.random.default_rng(3)
    A, X = np.arange(4000) % 2, rng.normal(size=(4000, 2))
    prognosis = -1 + X @ [1.0, 0.5]
    y = rng.random(4000) < expit(prognosis + A * (-0.3 - 0.5 * (prognosis + 1)))
    model = RiskEffect().fit(X, y, treatment=A)
    at = np.array([[-1.5, 0.0], [0.0, 0.0], [1.5, 0.0]])
    level = -1 + at @ [1.0, 0.5]
    truth = expit(level - 0.3 - 0.5 * (level + 1)) - expit(level)
    np.testing.assert_allclose(model.effect(at), truth, atol=0.05)
    # Persons with the same risk without treatment have the same effect.
    risk, effect = model.predict_risks(X)[:, 0], model.effect(X)
    order = np.argsort(risk)
    nearly_same = np.diff(risk[order]) < 1e-4
    assert np.abs(np.diff(effect[order]))[nearly_same].max() < 0.002


def test_risk_finds_no_gradient_along_a_prediction_of_nothing() -> None:
    rng = np.random.default_rng(0)
    X, A = rng.normal(size=(128, 8)), np.arange(128) % 2
    model = RiskEffect().fit(X, rng.random(128) < 0.45 - 0.2 * A, treatment=A)
    # Log odds that differ by .0002, in units of their own, made effects that differed by .07.
    assert model.effect(X).std() < 0.001


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("grouped", [True, False])
def test_exchanged_arms_exchange_the_risks_and_no_event_mirrors_them(name, grouped):
    X, y, A, clusters = cluster_trial(effect=0.8)
    clusters = clusters if grouped else None
    risks = fitted(name, X, y, A, clusters).predict_risks(X)
    swapped = fitted(name, X, y, 1 - A, clusters).predict_risks(X)
    np.testing.assert_allclose(swapped, risks[:, ::-1], atol=1e-6)
    mirrored = fitted(name, X, 1 - y, A, clusters).predict_risks(X)
    np.testing.assert_allclose(mirrored, 1 - risks, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_order_and_labels_change_no_digit(name):
    X, y, A, clusters = cluster_trial(effect=0.8)
    order = np.random.default_rng(1).permutation(len(y))
    labels = np.array([f"site {(7 * c) % 29}" for c in clusters], dtype=object)
    one = fitted(name, X, y, A, clusters)
    other = fitted(name, X[order], y[order], A[order], labels[order])
    np.testing.assert_array_equal(other.predict_risks(X), one.predict_risks(X))
    np.testing.assert_array_equal(other.draw_risks(X), one.draw_risks(X))


def hopeless():
    """Outcomes that leave something undetermined, by name."""
    X, y, A, _ = cluster_trial()
    one = np.zeros(len(y))
    one[5] = 1
    return {
        "no event in the treated": y * (1 - A),
        "every control an event": np.where(A == 0, 1.0, y),
        "one event": one,
        "a covariate decides": (X[:, 0] > 0).astype(float),
        "the arm decides": A.astype(float),
    }


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_hopeless_outcomes_have_finite_and_sensible_answers(name, grouped):
    X, _, A, clusters = cluster_trial()
    for y in hopeless().values():
        model = fitted(name, X, y, A, clusters if grouped else None)
        risks = model.predict_risks(X)
        assert ((risks >= 0) & (risks <= 1)).all()
        for arm in (0, 1):
            assert risks[arm == A, arm].mean() == pytest.approx(y[arm == A].mean(), abs=0.04)
        draws = model.draw_risks(X[:5])
        assert ((draws >= 0) & (draws <= 1)).all()


@pytest.mark.parametrize("name", NAMES)
def test_four_clusters_and_unequal_arms(name):
    X, y, A, clusters = cluster_trial(m=4, effect=1.0)
    assert np.abs(fitted(name, X, y, A, clusters).effect(X)).max() < 0.8
    X, y, _, clusters = cluster_trial(m=15)
    few = (clusters < 3).astype(int)
    assert np.abs(fitted(name, X, y, few, clusters).effect(X)).max() < 0.8


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_of_two_is_two_persons(name):
    X, y, A, _ = cluster_trial(effect=0.8)
    twice = np.repeat(np.arange(len(y)), np.where(np.arange(len(y)) % 3 == 0, 2, 1))
    weight = np.where(np.arange(len(y)) % 3 == 0, 2.0, 1.0)
    weighted = fitted(name, X, y, A, sample_weight=weight).predict_risks(X)
    doubled = fitted(name, X[twice], y[twice], A[twice]).predict_risks(X)
    # Curves have other knots, and weights have mean one, so that the priors count for more.
    np.testing.assert_allclose(weighted, doubled, atol=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_unequal_allocation_between_blocks_is_no_effect(name):
    rng = np.random.default_rng(5)
    block = np.repeat([0, 1, 2, 3], 300)
    A = (rng.random(1200) < np.array([0.25, 0.25, 0.75, 0.75])[block]).astype(int)
    X = rng.normal(size=(1200, 2))
    y = (rng.random(1200) < np.array([0.2, 0.2, 0.6, 0.6])[block]).astype(float)
    crude = y[A == 1].mean() - y[A == 0].mean()
    effect = fitted(name, X, y, A, blocks=block).effect(X)
    assert crude > 0.15
    assert abs(effect.mean()) < 0.06


def test_numbers_are_refused_by_models_of_risks_and_kept_as_means_by_the_others():
    X, _, A, clusters = cluster_trial()
    y = np.random.default_rng(1).normal(size=len(A))
    for name in ("Constant-Odds-Ratio", "Risk"):
        with pytest.raises(TrialError, match=f"{name} models the risk of an event"):
            fitted(name, X, y, A, clusters)
    for name in WITH_INTERACTIONS:
        model = fitted(name, X, y, A, clusters)
        assert not model.models_risks
        assert not model.has_draws
        again = th.estimator(name, random_state=1).set_params(link="identity")
        np.testing.assert_array_equal(again.fit(X, y, A, clusters).effect(X), model.effect(X))
    with pytest.raises(ValueError, match="link must be 'endpoint' or 'identity', got 'log'"):
        AdditiveMixedEffect(link="log").fit(X, y, A, clusters)


@pytest.mark.parametrize("name", NAMES)
def test_a_refit_forgets_the_form_of_the_fit_before(name):
    X, y, A, clusters = cluster_trial()
    model = fitted(name, X, y, A, clusters)
    assert model.models_risks
    if name in WITH_INTERACTIONS:
        model.fit(X, X[:, 0], A, clusters)
        assert not model.models_risks


def test_variance_components_are_those_of_the_latent_outcome():
    trial = BinaryTrial(n_clusters=100, mean_size=40.0, icc=0.1).draw(random_state=1)
    components = th.estimator("GAMM").fit(*trial).variance_components_
    assert components.residual == pytest.approx(np.pi**2 / 3)
    assert components.icc == pytest.approx(0.1, abs=0.04)
    by_arm = AdditiveMixedEffect(between_cluster="by-arm").fit(*trial).variance_components_
    assert by_arm.between_by_arm is not None
    assert np.mean(by_arm.between_by_arm) == pytest.approx(components.between_cluster, rel=0.3)


def test_the_mixture_is_the_posterior_of_its_draws():
    X, y, A, clusters = cluster_trial(effect=0.8)
    two_arms = TwoArmModel(Binomial(y), A.astype(float), [X], [X], clusters=clusters)
    fit = two_arms.fit()
    mixture = RiskMixture.of(two_arms, fit)
    assert mixture.shares.sum() == pytest.approx(1)
    assert mixture.effect_sds[np.argmax(mixture.shares), 0] in (0.4, 0.8)
    draws = mixture.risk_draws(X[:50], X[:50], 4000, np.random.default_rng(1))
    np.testing.assert_allclose(draws.mean(axis=0), mixture.risks(X[:50], X[:50]), atol=0.004)
    # At one standard deviation it is the model's own normal posterior about its mode.
    one = RiskMixture.of(two_arms, fit, average=False)
    np.testing.assert_allclose(one.coefficients[0], fit.model.coefficients)
    errors = fit.model.standard_errors(np.eye(len(one.coefficients[0])))
    inverse = np.linalg.inv(one.covariance_roots[0])
    np.testing.assert_allclose(np.sqrt((inverse**2).sum(axis=1)), errors, rtol=0.02)
    middle = one.predictors(X[:5], X[:5])[:, 0]
    variance = fit.intercept_variances[0]
    # The mean over what is not known of the coefficients is nearer to one half.
    mode, mean = marginal_mean(middle, variance, "logit"), one.risks(X[:5], X[:5])[:, 0]
    assert (np.abs(logit(mean)) < np.abs(logit(mode))).all()


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [20, None])
def test_intervals_cover_and_are_narrower_than_those_on_numbers(clusters):
    inside, widths = [], []
    for seed, effect in enumerate(["odds-ratio", "linear-log-odds", "additive-risk"] * 3):
        design = BinaryTrial(n_clusters=clusters, mean_size=40.0, effect=effect, icc=0.05)
        trial = design.draw(None if clusters else 600, seed)
        for link in ("endpoint", "identity"):
            model = AdditiveMixedEffect(link=link, random_state=1).fit(*trial)
            low, high = model.effect_interval(trial.X)
            inside.append(np.mean((low <= trial.tau) & (trial.tau <= high)))
            widths.append(np.mean(high - low))
    covered, width = np.reshape(inside, (-1, 2)), np.reshape(widths, (-1, 2))
    assert covered[:, 0].mean() > 0.94
    assert width[:, 0].mean() < 0.8 * width[:, 1].mean()


@pytest.mark.parametrize("clusters", [12, None])
def test_robust_is_the_plain_mean_of_its_members_for_an_event(clusters):
    trial = BinaryTrial(n_clusters=clusters, mean_size=15.0).draw(180, 1)
    members = [(name, th.estimator(name)) for name in ("LMM", "Risk")]
    model = RobustEnsemble(members, random_state=1).fit(*trial)
    assert model.weights_ == {"LMM": 0.5, "Risk": 0.5}
    mean = np.mean([one.effect(trial.X) for one in model.members_.values()], axis=0)
    np.testing.assert_allclose(model.effect(trial.X), mean, atol=1e-12)
    assert "All of the weight was fixed in advance." in model.explain().text
    recipe = recipe_for(model.trial_data_)
    assert {"GAMM", "GAMM-identity", "Risk"} < set(recipe.members)
    assert ("BCF-RE" in recipe.members) == (clusters is not None)
    # A score is weighed as before.
    again = RobustEnsemble([*members[:1], ("GAMM", th.estimator("GAMM"))], random_state=1)
    score = trial.X["x1"] + np.random.default_rng(1).normal(size=180)
    again.fit(trial.X, score, treatment=trial.treatment, clusters=trial.clusters)
    assert again.weighing_.earned
