"""The mixed model by rows is the mixed model by columns."""

import numpy as np
import pytest

from tauhat.numerics import ridge_posterior
from tauhat.numerics.kernel_model import KernelMixedModel
from tauhat.numerics.nested_model import mixed_model
from tauhat.numerics.ridge_posterior import posterior_model, sample_ridge_posterior


def both(clusters=True, nesting=True, weighted=True, seed=1):
    """Forty rows of 70 columns in two blocks, ten clusters in three blocks."""
    rng = np.random.default_rng(seed)
    n = 40
    fixed = np.column_stack([np.ones(n), rng.normal(size=n)])
    blocks = [rng.normal(size=(n, 50)) / 7, rng.normal(size=(n, 20)) / 4]
    group = np.arange(n) // 4
    y = fixed @ [1.0, 2.0] + blocks[0][:, 0] + rng.normal(size=10)[group] + rng.normal(size=n)
    weight = rng.uniform(0.5, 2, n) if weighted else None
    own = group if clusters else None
    outer = np.arange(10) % 3 if nesting else None
    by_columns = mixed_model(y, fixed, blocks, own, weight, None, outer)
    return KernelMixedModel(y, fixed, blocks, own, weight, outer), by_columns


KINDS = [(False, False, False), (True, False, True), (True, True, False), (True, True, True)]


@pytest.mark.parametrize(("clusters", "nesting", "weighted"), KINDS)
def test_deviance_and_gradient_are_the_same(clusters, nesting, weighted):
    by_rows, by_columns = both(clusters, nesting, weighted)
    assert by_rows.n_ratios == by_columns.n_ratios
    for low in (-3.0, -1.0):
        point = np.linspace(low, 1.0, by_rows.n_ratios)
        value, gradient = by_rows.objective(point)
        assert value == pytest.approx(by_columns.deviance(point), rel=1e-11)
        assert by_rows.deviance(point) == value
        np.testing.assert_allclose(gradient, by_columns.objective(point)[1], rtol=1e-7)


@pytest.mark.parametrize("form", ["rows", "columns"])
@pytest.mark.parametrize(("clusters", "nesting", "weighted"), KINDS)
def test_draws_have_the_mean_and_the_covariance_of_the_posterior(clusters, nesting, weighted, form):
    by_rows, by_columns = both(clusters, nesting, weighted)
    point = np.linspace(-2.0, 0.5, by_rows.n_ratios)
    fit = by_columns.at(point)
    given = (by_rows if form == "rows" else by_columns).conditional(point)
    draws, variances = given.draws(4000, np.random.default_rng(3))
    df = by_rows.degrees_of_freedom
    assert variances.mean() == pytest.approx(fit.residual_variance * df / (df - 2), rel=0.02)
    inverse = np.linalg.inv(fit.covariance_root)
    covariance = variances.mean() * inverse @ inverse.T
    errors = np.sqrt(np.diag(covariance) / len(draws))
    distance = (draws.mean(axis=0) - fit.coefficients) / errors
    assert np.abs(distance).max() < 4.5
    assert (distance**2).mean() == pytest.approx(1, abs=0.6)
    # Also across fixed effects and blocks, along directions of little and of much variance.
    contrasts = np.random.default_rng(4).normal(size=(6, draws.shape[1])) * ([[1]] * 3 + [[5]] * 3)
    contrasts[3:, 2:] = 0
    expected = np.einsum("ij,jk,ik->i", contrasts, covariance, contrasts)
    np.testing.assert_allclose((draws @ contrasts.T).var(axis=0), expected, rtol=0.12)


def test_the_form_does_not_depend_on_rows_with_few_covariates():
    rng = np.random.default_rng(1)
    outcome, fixed, columns = rng.normal(size=30), np.ones((30, 1)), [rng.normal(size=(30, 50))]
    few = posterior_model(outcome, fixed, columns, None, None, None, 25)
    many = posterior_model(outcome, fixed, columns, None, None, None, 26)
    tall = posterior_model(outcome, fixed, [columns[0][:, :29]], None, None, None, 26)
    kinds = [isinstance(model, KernelMixedModel) for model in (few, many, tall)]
    assert kinds == [False, True, False]


@pytest.mark.slow
def test_a_posterior_by_rows_is_that_by_columns(monkeypatch):
    rng = np.random.default_rng(1)
    X, treatment = rng.normal(size=(80, 30)), np.tile([0, 1], 40)
    clusters = np.arange(80) // 2 % 10
    y = X[:, 0] + treatment * (1 + X[:, 1]) + rng.normal(size=80)
    by_rows = sample_ridge_posterior(X, y, treatment, clusters, None, 1).effect_draws(X)
    monkeypatch.setattr(ridge_posterior, "MANY_COVARIATES", 30)
    by_columns = sample_ridge_posterior(X, y, treatment, clusters, None, 1).effect_draws(X)
    spread = by_columns.std(axis=0)
    assert np.abs(by_rows.mean(axis=0) - by_columns.mean(axis=0)).max() < 0.35 * spread.mean()
    assert by_rows.std(axis=0).mean() == pytest.approx(spread.mean(), rel=0.06)


def test_a_perfect_fit_has_a_finite_deviance():
    rng = np.random.default_rng(1)
    model = KernelMixedModel(np.ones(20), np.ones((20, 1)), [rng.normal(size=(20, 30))])
    assert np.isfinite(model.objective(np.array([0.1]))[0])
