"""Cluster-robust regression against closed forms, brute force and published numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import fractional_matrix_power

from tauhat.numerics.cluster_robust import Absorbed, cluster_robust_regression

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def example(seed=3, sizes=(3, 5, 4, 7, 2, 6, 5)):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    n = len(clusters)
    X = np.column_stack([np.ones(n), clusters % 2, rng.normal(size=n)])
    y = X @ [1.0, 0.5, -1.0] + rng.normal(size=len(sizes))[clusters] + rng.normal(size=n)
    return X, y, clusters


def brute_force_cr2(X, y, clusters, contrast):
    """CR2 and Satterthwaite df with explicit n by n matrices, as in their definitions."""
    bread = np.linalg.inv(X.T @ X)
    hat = X @ bread @ X.T
    residual = y - hat @ y
    meat, columns = 0, []
    for label in np.unique(clusters):
        rows = clusters == label
        adjust = fractional_matrix_power(np.eye(rows.sum()) - hat[np.ix_(rows, rows)], -0.5).real
        score = X[rows].T @ adjust @ residual[rows]
        meat = meat + np.outer(score, score)
        columns.append((np.eye(len(y)) - hat)[:, rows] @ adjust @ X[rows] @ bread @ contrast)
    G = np.column_stack(columns)
    values = np.linalg.eigvalsh(G.T @ G)
    return bread @ meat @ bread, values.sum() ** 2 / (values**2).sum()


def test_cr2_agrees_with_its_definition():
    X, y, clusters = example()
    contrast = np.array([0.0, 1.0, 0.5])
    covariance, df = brute_force_cr2(X, y, clusters, contrast)
    fit = cluster_robust_regression(X, y, clusters)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-9)
    assert fit.contrast(contrast).degrees_of_freedom == pytest.approx(df, rel=1e-9)


def test_two_arm_cr2_is_the_unequal_variance_t_test_on_cluster_means():
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(10), 6)
    arm = (clusters >= 4).astype(float)
    y = rng.normal(size=10)[clusters] + rng.normal(size=60)
    means = y.reshape(10, 6).mean(axis=1)
    test = cluster_robust_regression(np.column_stack([np.ones(60), arm]), y, clusters).coefficient(
        1
    )
    expected = means[:4].var(ddof=1) / 4 + means[4:].var(ddof=1) / 6
    assert test.se == pytest.approx(np.sqrt(expected), rel=1e-9)
    # Welch's degrees of freedom with equal variances: (1/4 + 1/6)^2 / (1/16/3 + 1/36/5).
    assert test.degrees_of_freedom == pytest.approx((5 / 12) ** 2 / (1 / 48 + 1 / 180), rel=1e-9)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_absorbed_columns_and_levels_count_as_columns_of_the_regression(single, weighted):
    _, y, clusters = example(sizes=(3, 5, 4, 7, 2, 6, 5, 3, 4, 6))
    n, rng = len(y), np.random.default_rng(5)
    level = clusters % 3
    clusters = np.arange(n) if single else clusters
    weight = rng.uniform(0.5, 2, n) if weighted else np.ones(n)
    other, kept = rng.normal(size=(n, 2)), rng.normal(size=(n, 3))
    root = np.sqrt(weight)[:, None]
    on_level = np.eye(3)[level] * root
    on_level /= np.sqrt((on_level**2).sum(axis=0))
    scaled = np.column_stack([kept, y]) * root
    free = other * root - on_level @ (on_level.T @ (other * root))
    left = np.linalg.qr(free)[0]
    basis = np.column_stack([left, on_level])
    scaled -= basis @ (basis.T @ scaled)
    absorbed = Absorbed(left, level, on_level.sum(axis=1))
    found = cluster_robust_regression(scaled[:, :3], scaled[:, 3], clusters, absorbed=absorbed)
    whole = np.column_stack([kept, other, np.eye(3)[level]])
    wanted = cluster_robust_regression(whole, y, clusters, weight=weight)
    np.testing.assert_allclose(found.coefficients, wanted.coefficients[:3], rtol=1e-9)
    np.testing.assert_allclose(found.covariance, wanted.covariance[:3, :3], rtol=1e-8)
    arm = np.unique(clusters) % 2
    for parts in (None, arm):
        one = found.contrast(np.array([1.0, -1.0, 0.0]), parts=parts)
        two = wanted.contrast(np.r_[1.0, -1.0, np.zeros(6)], parts=parts)
        assert one.degrees_of_freedom == pytest.approx(two.degrees_of_freedom, rel=1e-8)
        assert one.se == pytest.approx(two.se, rel=1e-8)
    together = [fit.joint(np.eye(len(fit.coefficients))[1:3]) for fit in (found, wanted)]
    assert together[0].statistic == pytest.approx(together[1].statistic, rel=1e-8)
    assert together[0].denominator == pytest.approx(together[1].denominator, rel=1e-8)


def test_cr0_is_the_plain_sandwich_and_smaller_than_cr2_here():
    X, y, clusters = example()
    bread = np.linalg.inv(X.T @ X)
    residual = y - X @ (bread @ X.T @ y)
    scores = np.array([X[clusters == g].T @ residual[clusters == g] for g in range(7)])
    plain = cluster_robust_regression(X, y, clusters, kind="CR0")
    np.testing.assert_allclose(plain.covariance, bread @ scores.T @ scores @ bread, rtol=1e-10)
    assert plain.coefficient(1).se < cluster_robust_regression(X, y, clusters).coefficient(1).se


def test_order_and_labels_of_clusters_do_not_matter():
    X, y, clusters = example()
    shuffled = np.random.default_rng(0).permutation(len(y))
    one = cluster_robust_regression(X, y, clusters).coefficient(1)
    two = cluster_robust_regression(X[shuffled], y[shuffled], 50 - 3 * clusters[shuffled])
    assert two.coefficient(1).se == pytest.approx(one.se, rel=1e-10)
    assert two.coefficient(1).p_value == pytest.approx(one.p_value, rel=1e-9)


def test_integer_weights_give_the_coefficients_of_repeated_rows():
    X, y, clusters = example()
    count = np.random.default_rng(2).integers(1, 4, size=len(y))
    weighted = cluster_robust_regression(X, y, clusters, weight=count.astype(float), kind="CR0")
    repeated = cluster_robust_regression(
        *(np.repeat(part, count, axis=0) for part in (X, y, clusters)), kind="CR0"
    )
    np.testing.assert_allclose(weighted.coefficients, repeated.coefficients, rtol=1e-10)
    np.testing.assert_allclose(weighted.covariance, repeated.covariance, rtol=1e-10)


def test_one_sided_p_values_add_up():
    X, y, clusters = example()
    test = cluster_robust_regression(X, y, clusters).coefficient(2)
    smaller = min(test.p_value_greater, 1 - test.p_value_greater)
    assert test.p_value == pytest.approx(2 * smaller)


def test_dependent_columns_are_refused():
    X, y, clusters = example()
    with pytest.raises(ValueError, match="linearly dependent"):
        cluster_robust_regression(np.column_stack([X, X[:, 1] * 2]), y, clusters)


@pytest.mark.skipif(not DATA.exists(), reason="real trial data are not on this machine")
def test_star_agrees_with_clubsandwich():
    """R: lm(math ~ small), clubSandwich::coef_test(vcov = "CR2"): 7.853, SE 3.77, df 218."""
    star = pd.read_csv(DATA / "star_kindergarten.csv")
    rows = star.cltype.isin(["small", "reg"]) & (star.class_n >= 5) & star.math.notna()
    star = star[rows]
    X = np.column_stack([np.ones(len(star)), star.cltype == "small"]).astype(float)
    clusters = star.class_id.to_numpy()
    test = cluster_robust_regression(X, star.math.to_numpy(), clusters).coefficient(1)
    assert test.estimate == pytest.approx(7.853, abs=0.001)
    assert test.se == pytest.approx(3.77, abs=0.005)
    assert test.degrees_of_freedom == pytest.approx(218, abs=1)
