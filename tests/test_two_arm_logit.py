"""Marginal risks of both arms: contrasts, shrinkage, hopeless data, and the scenarios' truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from tauhat.numerics.marginal_risks import (
    SCALES,
    contrast,
    draw_interval,
    log_contrast,
    marginal_mean,
    possible,
)
from tauhat.numerics.responses import Binomial, Counts
from tauhat.numerics.two_arm_logit import TwoArmModel
from tauhat.simulate import BinaryTrial


@pytest.mark.parametrize(("sd", "error"), [(0.3, 1e-12), (1.0, 1e-8), (2.0, 1e-5), (3.0, 1e-3)])
def test_marginal_risk_equals_numerical_integration(sd, error):
    predictor = np.linspace(-6, 6, 13)
    exact = [quad(lambda b, x=x: expit(x + sd * b) * norm.pdf(b), -10, 10)[0] for x in predictor]
    found = marginal_mean(predictor, sd**2, "logit")
    np.testing.assert_allclose(found, exact, atol=error)
    assert marginal_mean(np.zeros(1), sd**2, "log")[0] == pytest.approx(np.exp(sd**2 / 2))


def test_contrasts_of_certain_risks_are_finite():
    treated, control = np.array([1.0, 0.0, 0.3]), np.array([0.0, 0.0, 0.3])
    assert contrast(treated, control, "difference").tolist() == [1.0, 0.0, 0.0]
    for scale in ("ratio", "odds ratio"):
        logs = log_contrast(treated, control, scale)
        assert np.isfinite(logs).all()
        assert logs[1:].tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="scale must be one of difference, ratio, odds ratio"):
        contrast(treated, control, "hazard ratio")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("df", [None, 3.0])
def test_intervals_keep_to_what_is_possible(scale, df):
    rng = np.random.default_rng(1)
    treated, control = rng.beta(0.3, 0.1, (500, 4)), rng.beta(0.1, 0.4, (500, 4))
    low, high = draw_interval(treated, control, scale, "logit", degrees_of_freedom=df)
    assert (low < high).all()
    assert (possible(low, scale, "logit") == low).all()
    assert (possible(high, scale, "logit") == high).all()
    centre = contrast(treated, control, scale).mean(axis=0)
    if scale == "difference":
        assert ((low < centre) & (centre < high)).all()


def cluster_trial(seed=1, m=24, size=20, effect=0.0):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    A = (np.arange(m) % 2)[clusters]
    X = rng.normal(size=(m * size, 3))
    log_odds = -0.8 + 0.6 * X[:, 0] + A * (0.7 + effect * X[:, 1])
    y = rng.random(m * size) < expit(log_odds + 0.4 * rng.normal(size=m)[clusters])
    return X, y.astype(float), A, clusters


def test_exchanged_arms_exchange_the_risks():
    X, y, A, clusters = cluster_trial(effect=0.8)
    one, other = (
        TwoArmModel(Binomial(y), a, [X], [X], clusters=clusters).fit() for a in (A, 1 - A)
    )
    control, treated = one.risks(X, X)
    treated_as_control, control_as_treated = other.risks(X, X)
    np.testing.assert_allclose(treated_as_control, treated, atol=1e-5)
    np.testing.assert_allclose(control_as_treated, control, atol=1e-5)


def test_mean_risk_is_the_share_of_events_once_intercepts_are_integrated_out():
    shares, gaps = [], []
    for seed in range(6):
        design = BinaryTrial(n_clusters=30, mean_size=10.0, base_risk=0.1, icc=0.25)
        trial = design.draw(random_state=seed)
        X = trial.X[["x1", "x3"]].to_numpy()
        model = TwoArmModel(Binomial(trial.y), trial.treatment, [X], [], clusters=trial.clusters)
        fit, quasi = model.fit(), model.model.fit()
        variance = float(quasi.cluster_variances[0])
        before = replace(fit, model=quasi, intercept_variances=(variance, variance))
        none = np.zeros((len(X), 0))
        for one in (before, fit):
            control, treated = one.risks(X, none)
            gaps.append(np.where(trial.treatment == 1, treated, control).mean() - trial.y.mean())
        shares.append(trial.y.mean())
    before, after = np.reshape(gaps, (6, 2)).mean(axis=0)
    assert 0.1 < np.mean(shares) < 0.25
    assert before > 0.005
    assert abs(after) < 0.002


def test_clusters_in_blocks_have_their_intercepts_integrated_out_too():
    gaps, variances = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        block = np.repeat(np.arange(8), 4)
        clusters = np.repeat(np.arange(32), 10)
        A = np.tile([0, 1], 16)[clusters]
        level = 0.5 * rng.normal(size=8)[block] + 1.1 * rng.normal(size=32)
        x = rng.normal(size=(320, 1))
        y = (rng.random(320) < expit(-2.2 + 0.7 * x[:, 0] + level[clusters])).astype(float)
        model = TwoArmModel(Binomial(y), A, [x], [], clusters=clusters, nesting=block)
        fit, quasi = model.fit(), model.model.fit()
        variances.append([quasi.cluster_variances[0], fit.model.cluster_variances[0]])
        none = np.zeros((320, 0))
        control, treated = fit.risks(x, none)
        gaps.append(np.where(A == 1, treated, control).mean() - y.mean())
        # Without blocks that differ it is the model without them, but for their variance.
        assert fit.model.covariance_root.shape == (3, 3)
        assert len(fit.model.nesting_effects) == 8
        assert len(fit.model.effective) == model.model.n_variances
    before, after = np.mean(variances, axis=0)
    assert after > 1.1 * before
    assert abs(np.mean(gaps)) < 0.01


def test_blocks_that_do_not_differ_leave_the_fit_without_them():
    X, y, A, clusters = cluster_trial(effect=0.5)
    block = np.arange(24) // 4
    with_blocks = TwoArmModel(Binomial(y), A, [X], [X], clusters=clusters, nesting=block)
    plain = TwoArmModel(Binomial(y), A, [X], [X], clusters=clusters)
    held = np.array([0.1, 0.1, 0.2, 1e-5])
    one, other = with_blocks.fit(held).model, plain.fit(held[:3]).model
    np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-3)
    errors = [fit.standard_errors(np.eye(len(other.coefficients))) for fit in (one, other)]
    np.testing.assert_allclose(errors[0], errors[1], rtol=1e-3)


def test_interactions_are_switched_off_without_evidence_and_found_with_it():
    X, y, A, clusters = cluster_trial(effect=0.0)
    fit = TwoArmModel(Binomial(y), A, [X], [X], clusters=clusters).fit()
    assert fit.model.block_variances[1] < 1e-3
    X, y, A, clusters = cluster_trial(effect=1.0, size=40)
    fit = TwoArmModel(Binomial(y), A, [X], [X], clusters=clusters).fit()
    assert fit.model.coefficients[-2] == pytest.approx(1.0, abs=0.3)


def test_draws_have_the_models_standard_errors():
    X, y, A, clusters = cluster_trial(effect=0.5)
    fit = TwoArmModel(Binomial(y), A, [X], [X], clusters=clusters).fit()
    draws = fit.model.draws(20_000, np.random.default_rng(1))
    errors = fit.model.standard_errors(np.eye(draws.shape[1]))
    np.testing.assert_allclose(draws.std(axis=0), errors, rtol=0.03)
    control, treated = fit.risk_draws(X[:7], X[:7], 50, np.random.default_rng(1))
    assert control.shape == treated.shape == (50, 7)
    assert ((control > 0) & (control < 1)).all()


def hopeless():
    """Outcomes that leave something undetermined, by name."""
    X, y, A, _ = cluster_trial()
    nothing = np.zeros(len(y))
    one = nothing.copy()
    one[5] = 1
    return {
        "no event in the treated": y * (1 - A),
        "every control an event": np.where(A == 0, 1.0, y),
        "no event": nothing,
        "events only": nothing + 1,
        "one event": one,
        "a covariate decides": (X[:, 0] > 0).astype(float),
        "the arm decides": A.astype(float),
    }


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("name", hopeless())
def test_hopeless_outcomes_have_finite_answers(name, grouped):
    X, _, A, clusters = cluster_trial()
    y = hopeless()[name]
    fit = TwoArmModel(Binomial(y), A, [X], [X], clusters=clusters if grouped else None).fit()
    control, treated = fit.risks(X, X)
    draws = np.array(fit.risk_draws(X, X, 20, np.random.default_rng(1)))
    assert fit.model.settled
    assert np.isfinite(draws).all()
    observed = [y[A == 0].mean(), y[A == 1].mean()]
    assert [control[A == 0].mean(), treated[A == 1].mean()] == pytest.approx(observed, abs=0.03)


def test_counts_without_events_and_a_huge_one():
    X, _, A, clusters = cluster_trial()
    offset = np.log(np.linspace(0.1, 3000, len(A)))
    counts = np.zeros(len(A))
    for largest in (0.0, 1e6):
        counts[3] = largest
        response = Counts(counts, fits_overdispersion=True)
        fit = TwoArmModel(response, A, [X], [X], clusters=clusters, offset=offset).fit()
        assert np.isfinite(fit.risks(X, X)).all()


def test_overdispersion_keeps_noise_out_of_the_curves():
    rng = np.random.default_rng(2)
    X, _, A, clusters = cluster_trial(size=30)
    mean = np.exp(0.3 * X[:, 0] - 0.3 * A) * rng.gamma(0.5, 2.0, len(A))
    counts = rng.poisson(mean).astype(float)
    plain, scattered = (
        TwoArmModel(Counts(counts, fits_overdispersion=fits), A, [X], [X], clusters=clusters).fit()
        for fits in (False, True)
    )
    assert scattered.model.response.overdispersion == pytest.approx(2.0, abs=0.6)
    assert scattered.model.block_variances[1] < 0.2 * plain.model.block_variances[1]


# --- scenarios ------------------------------------------------------------------------------


@pytest.mark.parametrize("clusters", [None, 2000])
@pytest.mark.parametrize("effect", ["odds-ratio", "additive-risk"])
def test_scenario_risks_are_those_of_people_in_new_clusters(clusters, effect):
    design = BinaryTrial(effect=effect, n_clusters=clusters, base_risk=0.1, icc=0.2)
    trial = design.draw(40_000, 1)
    for arm, risk in ((0, trial.mu0), (1, trial.mu0 + trial.tau)):
        happened = trial.nodes[f"y{arm}"].to_numpy()
        for high in (True, False):
            group = (risk > np.median(risk)) == high
            assert happened[group].mean() == pytest.approx(risk[group].mean(), abs=0.012)
    assert trial.mu0.mean() == pytest.approx(0.1, abs=0.006)


def test_scenario_effects_are_what_they_are_called():
    X = BinaryTrial().population(3000, 1).X
    control, treated = BinaryTrial(effect="odds-ratio", effect_scale=0.5).log_odds(X)
    np.testing.assert_allclose(treated - control, 0.4)
    constant = BinaryTrial(effect="risk-difference", base_risk=0.05, effect_scale=0.625)
    people = constant.population(3000, 1)
    np.testing.assert_allclose(people.tau, 0.05, atol=1e-4)
    assert not BinaryTrial(effect="null").population(100, 1).tau.any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_risk": 0.0}, "base_risk must lie strictly between 0 and 1, got 0.0"),
        ({"icc": 1.0}, r"icc must lie in \[0, 1\), got 1.0"),
        ({"effect": "linear"}, "effect must be one of odds-ratio, linear-log-odds"),
        ({"n_clusters": 3}, "n_clusters must be a whole number of at least 4"),
        ({"mean_size": 2.0}, r"mean_size \(2.0\) must not be below min_size"),
        ({"size_cv": -1.0}, "size_cv must not be negative"),
    ],
)
def test_scenario_settings_that_make_no_trial(settings, message):
    with pytest.raises(ValueError, match=message):
        BinaryTrial(**settings)
