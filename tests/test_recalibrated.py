"""Recalibration: wrong sizes are put right, noise is flattened, nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from tauhat.ensembles.recalibrated import (
    CalibrationProblem,
    Recalibrated,
    monotone_columns,
    posterior_slope,
)
from tauhat.inference.inputs import as_trial_data
from tauhat.learners import LinearMixedEffect
from tauhat.numerics.whitening import whitening
from tauhat.simulate import ClusterTrial, calibration_slope, srmse
from tauhat.testing import check_cate_estimator


class Doubled(LinearMixedEffect):
    """Effects twice as large as they should be."""

    def predict_effect(self, X):
        return 2 * super().predict_effect(X)


class Noise(LinearMixedEffect):
    """Effects that follow a covariate without any bearing on the effect."""

    def predict_effect(self, X):
        return X[:, -1]


def linear_trial(m=60, size=20, seed=1, delta=1.0):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    arm = clusters % 2
    X = rng.normal(size=(m * size, 3))
    tau = 0.5 + delta * X[:, 0]
    y = X[:, 1] + arm * tau + 0.5 * rng.normal(size=m)[clusters] + rng.normal(size=m * size)
    return (X, y, arm, clusters), tau


@pytest.mark.parametrize("method", ["linear", "isotonic"])
def test_doubled_effects_are_halved(method):
    trial, tau = linear_trial()
    doubled = Doubled().fit(*trial).effect(trial[0])
    assert calibration_slope(doubled, tau) == pytest.approx(0.5, abs=0.05)
    model = Recalibrated(Doubled(), method, random_state=1).fit(*trial)
    effect = model.effect(trial[0])
    assert calibration_slope(effect, tau) == pytest.approx(1.0, abs=0.15)
    assert model.slope_ == pytest.approx(0.5, abs=3 * model.slope_se_)
    assert srmse(effect, tau) < 0.25 < 0.9 < srmse(doubled, tau)


def test_right_effects_stay_as_they_are():
    trial, tau = linear_trial()
    plain = LinearMixedEffect().fit(*trial).effect(trial[0])
    model = Recalibrated(LinearMixedEffect(), random_state=1).fit(*trial)
    effect = model.effect(trial[0])
    assert model.used_slope_ == pytest.approx(1, abs=0.12)
    assert srmse(effect, tau) < srmse(plain, tau) + 0.12


@pytest.mark.parametrize("method", ["linear", "isotonic"])
def test_effects_that_are_noise_are_flattened(method):
    """Over draws, since the posterior never rules a slope out."""
    spread = []
    for seed in range(4):
        trial, _ = linear_trial(seed=seed, delta=0.0)
        effect = Recalibrated(Noise(), method, random_state=1).fit(*trial).effect(trial[0])
        spread.append(effect.std())
        assert effect.mean() == pytest.approx(0.5, abs=0.5)
    assert np.mean(spread) < 0.06


def test_isotonic_keeps_the_order_and_bends():
    """A learner that is right in order and wrong in shape."""

    class Squeezed(LinearMixedEffect):
        def predict_effect(self, X):
            return np.sinh(1.5 * X[:, 0])

    trial, tau = linear_trial(m=100)
    raw = np.sinh(1.5 * trial[0][:, 0])
    fitted = {
        method: Recalibrated(Squeezed(), method, random_state=1).fit(*trial).effect(trial[0])
        for method in ("linear", "isotonic")
    }
    order = np.argsort(raw)
    assert (np.diff(fitted["isotonic"][order]) >= -1e-12).all()
    assert srmse(fitted["isotonic"], tau) < srmse(fitted["linear"], tau) - 0.1


def test_constant_effects_become_the_average_effect():
    class Constant(LinearMixedEffect):
        def predict_effect(self, X):
            return np.full(len(X), 7.0)

    trial, _ = linear_trial()
    model = Recalibrated(Constant(), random_state=1).fit(*trial)
    effect = model.effect(trial[0])
    assert np.ptp(effect) == 0
    assert effect[0] == pytest.approx(0.5, abs=0.5)
    assert model.used_slope_ == 0
    assert np.isnan(model.slope_)


def test_units_of_the_learner_do_not_matter_without_the_prior():
    trial, _ = linear_trial()
    settings = {"shrink": False, "random_state": 1}
    one = Recalibrated(LinearMixedEffect(), **settings).fit(*trial).effect(trial[0])
    two = Recalibrated(Doubled(), **settings).fit(*trial).effect(trial[0])
    np.testing.assert_allclose(one, two, rtol=1e-8)


def test_slope_of_individual_trials_is_weighted_least_squares():
    """Regression of r / a on the held-out effects with weights a^2, level and origin free."""
    rng = np.random.default_rng(3)
    n = 120
    X, arm = rng.normal(size=(n, 2)), np.tile([0, 0, 1], n // 3)
    data = as_trial_data((X, X[:, 1] + arm * X[:, 0] + rng.normal(size=n), arm))
    mean, effects = rng.normal(size=n), data.X[:, 0]
    folds = np.zeros(n, dtype=np.int64)
    problem = CalibrationProblem.of(data, mean, effects, folds)
    contrast = data.treatment - 1 / 3
    design = np.column_stack([np.ones(n), contrast, contrast * effects])
    coefficients, rss, _, _ = np.linalg.lstsq(design, data.y - mean, rcond=None)
    slope, se = problem.slope()
    assert slope == pytest.approx(coefficients[2])
    expected = np.sqrt(rss[0] / (n - 3) * np.linalg.inv(design.T @ design)[2, 2])
    assert se == pytest.approx(expected)


def test_curve_is_the_penalised_minimum():
    rng = np.random.default_rng(4)
    n = 400
    clusters = np.repeat(np.arange(20), 20)
    contrast = clusters % 2 - 0.5
    effects = rng.normal(size=n)
    residual = contrast * np.tanh(2 * effects) + rng.normal(size=n)
    white = whitening(contrast, clusters, 0.2)
    problem = CalibrationProblem(white, residual, contrast, effects)
    line = problem.line(shrink=True)
    knots, rises = problem.curve(line, shrink=True)
    widths = np.diff(knots)
    columns = np.column_stack([problem.column(c) for c in monotone_columns(effects, knots).T])
    left = problem.target - columns @ (line * widths)
    variance = left @ left / (n - 3)

    def penalised(candidate):
        misfit = problem.target - columns @ candidate
        return misfit @ misfit + variance * (((candidate / widths - line) / 0.5) ** 2).sum()

    best = minimize(penalised, rises, bounds=[(0, None)] * len(rises), method="L-BFGS-B")
    assert penalised(rises) <= best.fun * (1 + 1e-9)
    assert (rises >= 0).all()


def test_posterior_slope_believes_data_and_doubts_noise():
    assert posterior_slope(0.5, 0.01) == pytest.approx(0.5, abs=0.01)
    assert posterior_slope(2.0, 0.01) == pytest.approx(2.0, abs=0.02)
    assert posterior_slope(0.0, 0.05) < 0.05
    assert posterior_slope(-3.0, 0.1) == 0
    assert posterior_slope(0.0, 100.0) == pytest.approx(0.8, abs=0.01)
    slopes = [posterior_slope(b, 0.3) for b in np.linspace(-1, 2, 31)]
    assert (np.diff(slopes) >= 0).all()


@pytest.mark.parametrize("method", ["linear", pytest.param("isotonic", marks=pytest.mark.slow)])
def test_common_suite(method):
    check_cate_estimator(Recalibrated(LinearMixedEffect(), method, n_folds=3))


def test_bad_settings():
    trial, _ = linear_trial(m=8)
    with pytest.raises(ValueError, match="method must be 'linear' or 'isotonic', got 'spline'"):
        Recalibrated(LinearMixedEffect(), "spline").fit(*trial)
    with pytest.raises(ValueError, match="n_folds must be at least 2"):
        Recalibrated(LinearMixedEffect(), n_folds=1).fit(*trial)


@pytest.mark.slow
def test_recalibration_costs_little_where_it_is_not_needed():
    """Nonlinear effects, 50 clusters: LMM as it is, doubled, and both recalibrated."""
    errors: dict[str, list[float]] = {"plain": [], "linear": [], "isotonic": [], "doubled": []}
    for seed in range(6):
        settings = ClusterTrial(effect="linear", n_clusters=50)
        trial = settings.draw(random_state=seed)
        persons = settings.population(2000, random_state=seed)
        plain = LinearMixedEffect().fit(*trial)
        errors["plain"].append(srmse(plain.effect(persons.X), persons.tau))
        for method in ("linear", "isotonic"):
            model = Recalibrated(LinearMixedEffect(), method, random_state=1).fit(*trial)
            errors[method].append(srmse(model.effect(persons.X), persons.tau))
        model = Recalibrated(Doubled(), random_state=1).fit(*trial)
        errors["doubled"].append(srmse(model.effect(persons.X), persons.tau))
    mean = {name: np.mean(values) for name, values in errors.items()}
    assert mean["linear"] < mean["plain"] + 0.08
    assert mean["isotonic"] < mean["plain"] + 0.15
    assert mean["doubled"] < mean["plain"] + 0.12
