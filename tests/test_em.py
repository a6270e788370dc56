"""The random intercept beside a fixed part: EM, projection, leave-out variances."""

import numpy as np
import pytest
from scipy import optimize

from tauhat.numerics.em import RandomIntercept, cluster_basis, identified_clusters


def draw(m=30, sizes=None, between=0.5, seed=0, weighted=False):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 30, m) if sizes is None else np.asarray(sizes)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    n = len(clusters)
    weight = rng.uniform(0.5, 1.5, n) if weighted else np.ones(n)
    weight = weight / weight.mean()
    noise = rng.normal(size=n) / np.sqrt(weight)
    return clusters, weight, np.sqrt(between) * rng.normal(size=len(sizes))[clusters] + noise


def marginal_deviance(residual, clusters, weight, between, variance):
    """-2 log likelihood by dense matrices."""
    covariance = between * (clusters[:, None] == clusters) + np.diag(variance / weight)
    _, logdet = np.linalg.slogdet(covariance)
    return logdet + residual @ np.linalg.solve(covariance, residual)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_equals_the_matrix_formulas(weighted):
    clusters, weight, residual = draw(m=6, weighted=weighted)
    random = RandomIntercept(clusters, weight)
    first = random.step(residual, random.start(residual))
    fit = random.step(residual, first)
    D, s2 = first.between, first.residual
    effects, spread, total = [], [], 0.0
    for c in range(6):
        rows = clusters == c
        Z = np.ones((rows.sum(), 1))
        R = np.diag(s2 / weight[rows])
        V = D * Z @ Z.T + R
        b = float((D * Z.T @ np.linalg.solve(V, residual[rows]))[0])
        e = residual[rows] - b
        # E[e e' | y] has the covariance R - R V^-1 R beside the conditional mean.
        conditional = R - R @ np.linalg.solve(V, R)
        total += float(weight[rows] @ (e**2 + np.diag(conditional)))
        effects.append(b)
        spread.append(float((D - D * Z.T @ np.linalg.solve(V, Z) * D)[0, 0]))
    np.testing.assert_allclose(fit.effects, effects, rtol=1e-10)
    np.testing.assert_allclose(fit.residual, total / len(residual), rtol=1e-10)
    np.testing.assert_allclose(fit.between, np.mean(np.square(effects) + spread), rtol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
def test_em_climbs_to_the_maximum_likelihood(weighted):
    clusters, weight, residual = draw(weighted=weighted, seed=1)
    random = RandomIntercept(clusters, weight)
    fit = random.start(residual)
    deviances = []
    for _ in range(300):
        deviances.append(
            marginal_deviance(residual, clusters, weight, fit.between, fit.residual)
        ) if len(deviances) < 20 else None
        fit = random.step(residual, fit)
    assert (np.diff(deviances) <= 1e-9).all()
    best = optimize.minimize(
        lambda v: marginal_deviance(residual, clusters, weight, *np.exp(v)),
        np.log([0.3, 1.0]),
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-10},
    )
    np.testing.assert_allclose([fit.between, fit.residual], np.exp(best.x), rtol=1e-4)


def test_no_variance_between_clusters_goes_to_zero():
    clusters, weight, residual = draw(m=20, between=0.0, seed=5)
    means = np.bincount(clusters, residual) / np.bincount(clusters)
    residual = residual - 0.9 * means[clusters]
    fit = RandomIntercept(clusters, weight)
    assert fit.converge(residual, fit.start(residual), max_steps=2000, tolerance=0).between < 0.01
    assert fit.reml(residual).between == 0
    assert fit.leave_out_variances(residual, residual)[0] == 0


def test_projected_intercepts_are_orthogonal_to_every_cluster_level_column():
    clusters, weight, residual = draw(m=24, seed=2, weighted=True)
    rng = np.random.default_rng(3)
    treatment = (np.arange(24) % 2)[clusters] - 0.5
    size = rng.normal(size=24)[clusters]
    X = np.column_stack([rng.normal(size=len(clusters)), treatment, size])
    random = RandomIntercept(clusters, weight, X)
    residual = residual + treatment
    fit = random.converge(residual, random.start(residual))
    rows = fit.effects[clusters]
    for column in (np.ones(len(rows)), treatment, size):
        assert abs(weight @ (rows * column)) < 1e-9
    plain = RandomIntercept(clusters, weight)
    absorbed = plain.converge(residual, plain.start(residual)).effects[clusters]
    assert weight @ (absorbed * treatment) > 0.1 * weight.sum() * 0.25
    assert np.corrcoef(rows, absorbed)[0, 1] > 0.7


def test_projection_leaves_most_directions_to_the_intercepts():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(8), 5)
    X = rng.normal(size=(8, 100))[clusters]
    basis = cluster_basis(X, clusters, np.full(8, 5.0))
    assert basis.shape == (8, 3)
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)
    constant = cluster_basis(np.ones((40, 2)), clusters, np.full(8, 5.0))
    np.testing.assert_allclose(constant, np.full((8, 1), 1 / np.sqrt(8)))


def test_leave_out_variances_are_unbiased_where_residuals_are_not():
    """Least squares on 8 of 60 columns: in-sample 13 % too small, leave-one-out too large."""
    rng = np.random.default_rng(1)
    products, inside, outside = [], [], []
    for _ in range(400):
        X, y = rng.normal(size=(60, 8)), rng.normal(size=60)
        hat = X @ np.linalg.solve(X.T @ X, X.T)
        own = y - hat @ y
        left_out = own / (1 - np.diag(hat))
        random = RandomIntercept(None, np.ones(60))
        products.append(random.leave_out_variances(own, left_out)[1])
        inside.append(np.mean(own**2))
        outside.append(np.mean(left_out**2))
    error = np.std(products) / 20
    assert abs(np.mean(products) - 1) < 3 * error
    assert np.mean(inside) < 1 - 5 * error
    assert np.mean(outside) > 1 + 5 * error


def test_leave_out_variances_between_clusters():
    fits = []
    for seed in range(60):
        clusters, weight, residual = draw(m=40, between=0.3, seed=seed)
        random = RandomIntercept(clusters, weight)
        fits.append(random.leave_out_variances(residual, residual))
    between, within = np.mean(fits, axis=0)
    assert abs(between - 0.3) < 0.04
    assert abs(within - 1) < 0.03


def test_reml_agrees_with_the_moments_when_sizes_are_equal():
    clusters, weight, residual = draw(sizes=[10] * 30, seed=4)
    random = RandomIntercept(clusters, weight)
    centred = residual - residual.mean()
    between, within = random.leave_out_variances(centred, centred)
    fit = random.reml(residual)
    np.testing.assert_allclose(within, fit.residual, rtol=1e-8)
    # The moments do not know that a mean was taken out: a factor 29/30 of a cluster's variance.
    np.testing.assert_allclose(between + within / 10, (29 / 30) * (fit.between + fit.residual / 10))


def test_level_is_the_generalised_least_squares_mean():
    clusters, weight, residual = draw(m=5, seed=6, weighted=True)
    covariance = 0.7 * (clusters[:, None] == clusters) + np.diag(1.3 / weight)
    solved = np.linalg.solve(covariance, np.column_stack([np.ones(len(residual)), residual]))
    expected = solved[:, 1].sum() / solved[:, 0].sum()
    assert RandomIntercept(clusters, weight).level(residual, 0.7, 1.3) == pytest.approx(expected)


def test_what_is_not_identified_has_no_intercept():
    assert identified_clusters(None) is None
    assert identified_clusters(np.zeros(5, dtype=np.int64)) is None
    assert identified_clusters(np.arange(5)) is None
    assert identified_clusters(np.array([3, 3, 9])).tolist() == [0, 0, 1]
    random = RandomIntercept(None, np.ones(4))
    fit = random.converge(np.array([1.0, -1, 1, -1]), random.start(np.ones(4)))
    assert (fit.between, fit.residual, fit.effects.tolist()) == (0.0, 1.0, [0.0])
