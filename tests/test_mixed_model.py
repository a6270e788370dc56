"""The REML routine against its own algebra; test_lme4.py compares it with R."""

import numpy as np
import pytest

from tauhat.numerics import reml_search
from tauhat.numerics.mixed_model import MixedModel, fit_random_intercept
from tauhat.numerics.nested_model import mixed_model
from tauhat.numerics.standardised_columns import independent_columns


def simulate(m=30, size=20, between=0.5, seed=1):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    X = np.column_stack([np.ones(m * size), rng.normal(size=(m * size, 2))])
    y = X @ [1.0, 2.0, -1.0] + np.sqrt(between) * rng.normal(size=m)[clusters]
    return X, y + rng.normal(size=m * size), clusters


def test_equals_the_dense_formula():
    X, y, clusters = simulate(m=8, size=5)
    model = MixedModel(y, X, [X[:, 1:] ** 2], clusters)
    log_ratios = np.log([0.3, 0.7])
    Z = np.equal.outer(clusters, np.arange(8)).astype(float)
    Q = X[:, 1:] ** 2
    V = np.eye(len(y)) + 0.3 * Q @ Q.T + 0.7 * Z @ Z.T
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    beta = np.linalg.solve(information, X.T @ inverse @ y)
    residual = y - X @ beta
    rss = residual @ inverse @ residual
    df = len(y) - 3
    fit = model.at(log_ratios)
    np.testing.assert_allclose(fit.coefficients[:3], beta, rtol=1e-9)
    np.testing.assert_allclose(fit.residual_variance, rss / df, rtol=1e-9)
    loglik = -0.5 * (
        df * (np.log(2 * np.pi * rss / df) + 1)
        + np.linalg.slogdet(V)[1]
        + np.linalg.slogdet(information)[1]
    )
    np.testing.assert_allclose(fit.restricted_log_likelihood, loglik, rtol=1e-9)


def test_gradient_is_that_of_the_objective():
    X, y, clusters = simulate(m=10, size=6)
    weight = np.random.default_rng(3).uniform(0.5, 2, len(y))
    model = MixedModel(y, X, [X[:, 1:], np.sin(X[:, 1:])], clusters, weight)
    point = np.log([0.2, 0.05, 0.6])
    gradient = model.objective(point)[1]
    for j in range(3):
        step = np.zeros(3)
        step[j] = 1e-5
        numeric = (model.objective(point + step)[0] - model.objective(point - step)[0]) / 2e-5
        assert gradient[j] == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def grouped(seed=2):
    """Clusters in three groups of unequal variance, with weights."""
    X, y, clusters = simulate(m=12, size=5, seed=seed)
    weight = np.random.default_rng(3).uniform(0.5, 2, len(y))
    groups = np.arange(12) % 3
    return MixedModel(y, X, [X[:, 1:] ** 2], clusters, weight, groups), groups


def test_groups_of_clusters_equal_the_dense_formula():
    model, groups = grouped()
    X, y, clusters = simulate(m=12, size=5, seed=2)
    weight = np.random.default_rng(3).uniform(0.5, 2, len(y))
    ratios = np.array([0.3, 0.0, 0.7, 2.0])
    Z = np.equal.outer(clusters, np.arange(12)).astype(float)
    Q = X[:, 1:] ** 2
    V = np.diag(1 / weight) + 0.3 * Q @ Q.T + (Z * ratios[1:][groups]) @ Z.T
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    beta = np.linalg.solve(information, X.T @ inverse @ y)
    residual = y - X @ beta
    rss = residual @ inverse @ residual
    df = len(y) - 3
    fit = model.at(np.log(np.maximum(ratios, 1e-30)))
    np.testing.assert_allclose(fit.coefficients[:3], beta, rtol=1e-8)
    loglik = -0.5 * (
        df * (np.log(2 * np.pi * rss / df) + 1)
        + np.linalg.slogdet(V)[1]
        + np.linalg.slogdet(information)[1]
    )
    np.testing.assert_allclose(fit.restricted_log_likelihood, loglik, rtol=1e-9)
    np.testing.assert_allclose(fit.between_cluster_variances, ratios[1:] * rss / df, rtol=1e-9)
    effects = ratios[1:][groups] * (Z.T @ inverse @ residual)
    np.testing.assert_allclose(fit.cluster_effects, effects, rtol=1e-8, atol=1e-12)


def test_gradient_and_search_with_groups_of_clusters():
    model, _ = grouped()
    point = np.log([0.2, 0.05, 0.6, 1.5])
    gradient = model.objective(point)[1]
    for j in range(4):
        step = np.zeros(4)
        step[j] = 1e-5
        numeric = (model.deviance(point + step) - model.deviance(point - step)) / 2e-5
        assert gradient[j] == pytest.approx(numeric, rel=1e-5, abs=1e-6)
    fit = model.fit()
    free = fit.log_ratios > -17
    assert np.abs(model.objective(fit.log_ratios)[1][free]).max() < 1e-6
    assert fit.between_cluster_variance == pytest.approx(fit.between_cluster_variances.mean())
    assert 1 < model.satterthwaite(fit, np.eye(5)[0]) < 60


def test_weights_count_like_repeated_rows():
    X, y, clusters = simulate(m=6, size=6)
    twice = np.r_[np.arange(36), np.arange(18)]
    weight = np.where(np.arange(36) < 18, 2.0, 1.0)
    repeated = MixedModel(y[twice], X[twice], clusters=clusters[twice]).at(np.log([0.4]))
    weighted = MixedModel(y, X, clusters=clusters, weight=weight).at(np.log([0.4]))
    np.testing.assert_allclose(weighted.coefficients, repeated.coefficients, rtol=1e-9)


def test_recovers_the_variance_components_on_average():
    between, residual = [], []
    for seed in range(40):
        X, y, clusters = simulate(m=30, size=20, between=0.5, seed=seed)
        fit = MixedModel(y, X, clusters=clusters).fit()
        between.append(fit.between_cluster_variance)
        residual.append(fit.residual_variance)
    # Standard errors over 40 draws: .14 / sqrt(40) = .022 and .059 / sqrt(40) = .009.
    assert np.mean(between) == pytest.approx(0.5, abs=0.07)
    assert np.mean(residual) == pytest.approx(1.0, abs=0.03)


def test_no_variation_between_clusters_gives_zero():
    X, y, clusters = simulate(m=20, size=10, between=0.0, seed=5)
    means = np.bincount(clusters, y - X @ [1.0, 2.0, -1.0]) / 10
    fit = fit_random_intercept(y - means[clusters], X, clusters)
    assert fit.between_cluster_variance == 0.0
    np.testing.assert_array_equal(np.abs(fit.cluster_effects) < 1e-5, True)


def test_perfect_fit_and_too_few_rows():
    X, _, clusters = simulate(m=5, size=4)
    fit = MixedModel(X @ [1.0, 2.0, 3.0], X, clusters=clusters).fit()
    np.testing.assert_allclose(fit.coefficients, [1, 2, 3], rtol=1e-6)
    with pytest.raises(ValueError, match="3 rows cannot determine 3 fixed coefficients"):
        MixedModel(np.arange(3.0), np.eye(3), clusters=None)


def test_independent_columns_drops_what_earlier_ones_span():
    rng = np.random.default_rng(1)
    base = rng.normal(size=(30, 4))
    fixed = np.column_stack([base, base @ [1, 2, 3, 4], np.zeros(30), rng.normal(size=30)])
    assert independent_columns(fixed).tolist() == [0, 1, 2, 3, 6]


@pytest.mark.parametrize("between", [0.0, 0.02, 0.5, 20.0])
def test_one_ratio_is_found_where_several_are(between):
    """By the root of the slope as by the general search, at zero and far from it."""
    for seed in range(4):
        X, y, clusters = simulate(m=12, size=6, between=between, seed=seed)
        model = MixedModel(y, X, clusters=clusters)
        found = reml_search.search(model.objective, np.log([0.1]))
        general = reml_search._polish(
            model.objective, reml_search._minimise(model.objective, np.log([0.3]))
        )
        assert model.deviance(found) <= model.deviance(general) + 1e-9
        free = not reml_search.at_zero(found).any()
        if free and not reml_search.at_zero(general).any():
            np.testing.assert_allclose(found, general, rtol=1e-8, atol=1e-8)


def test_without_a_cluster_a_zero_is_settled_by_the_slope():
    """From the estimates of all clusters: the same minimum, zero or not, from fewer evaluations."""
    asked = []
    found, rises = [], 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        cell = np.repeat(np.arange(40), 4)
        y = rng.normal(size=160) + 0.15 * rng.normal(size=10)[cell // 4]
        fixed = np.column_stack([np.ones(160), cell // 4 % 2, rng.normal(size=160)])

        def deviance(keep, y=y, fixed=fixed, cell=cell):
            groups = np.unique(cell[keep], return_inverse=True)[1]
            lies_in = np.unique(cell[keep] // 4, return_inverse=True)[1]
            nesting = lies_in[np.searchsorted(groups, np.arange(groups.max() + 1))]
            model = mixed_model(y[keep], fixed[keep], clusters=groups, nesting=nesting)

            def counted(log_ratios):
                asked.append(len(keep))
                return model.objective(log_ratios)

            return counted

        everyone = reml_search.search(deviance(np.arange(160)), np.log([0.1, 0.1]))
        for one in range(3):
            own = deviance(np.flatnonzero(cell // 4 != one))
            counts, pair = [], []
            for near in (False, True):
                asked.clear()
                pair.append(reml_search.search(own, everyone, near=near))
                counts.append(len(asked))
            found.append(pair)
            rises += counts[1] < 0.5 * counts[0]
    general, near = np.exp(np.array(found)).swapaxes(0, 1)
    np.testing.assert_allclose(near, general, atol=1e-9)
    assert 10 <= rises < len(found)
    assert (near[:, 1] > 0.01).any()


def test_a_zero_from_which_the_deviance_falls_is_left():
    """Starting there, a search does not see it: all is flat on the logarithmic scale."""

    def deviance(x):
        ratio = np.exp(x)
        return float(((ratio - 0.02) ** 2).sum()), 2 * (ratio - 0.02) * ratio

    found = reml_search.search(deviance, np.full(2, -18.0), near=True)
    np.testing.assert_allclose(np.exp(found), 0.02, rtol=1e-6)


def test_a_second_minimum_is_left_to_the_general_search():
    """A deviance that falls from zero to a hump, with a lower valley beyond it."""

    def deviance(x):
        value = -np.exp(-((x[0] - 1.5) ** 2)) + 0.01 * x[0]
        slope = 2 * (x[0] - 1.5) * np.exp(-((x[0] - 1.5) ** 2)) + 0.01
        return float(value), np.array([slope])

    found = reml_search.search(deviance, np.array([-2.3]))
    assert found[0] == pytest.approx(1.495, abs=0.01)
