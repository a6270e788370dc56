"""Clusters of equal weight share one matrix of products: the same numbers."""

import numpy as np
import pytest

from tauhat.numerics import cluster_sums
from tauhat.numerics import standardised_columns as columns_module
from tauhat.numerics.cluster_sums import ClusterSums
from tauhat.numerics.nested_model import mixed_model


@pytest.fixture
def sums():
    """240 clusters of 2 or 3 rows in two groups, with products shared and apart."""
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(240), np.tile([2, 3], 120))
    columns, y = rng.normal(size=(600, 5)), rng.normal(size=600)
    groups = rng.integers(0, 2, 240)
    return clusters, columns, y, groups


def test_sums_are_those_of_each_cluster(sums):
    clusters, columns, y, groups = sums
    weight = np.random.default_rng(2).uniform(0.5, 2, 600)
    model = mixed_model(y, columns, (), clusters, weight, groups)
    found, own = model.clusters, clusters == 7
    np.testing.assert_allclose(found.columns[7], weight[own] @ columns[own])
    assert found.weight[7] == pytest.approx(weight[own].sum())
    assert found.outcome[7] == pytest.approx(weight[own] @ y[own])
    assert found.members.sum(axis=1).tolist() == np.bincount(groups).tolist()


@pytest.mark.parametrize("nesting", [None, np.arange(240) // 8])
@pytest.mark.parametrize("grouped", [False, True])
def test_shared_products_give_the_same_deviance_and_gradient(sums, monkeypatch, nesting, grouped):
    clusters, columns, y, groups = sums
    fixed, blocks = np.ones((600, 1)), [columns[:, :3], columns[:, 3:]]
    arguments = (y, fixed, blocks, clusters, None, groups if grouped else None, nesting)
    shared = mixed_model(*arguments)
    monkeypatch.setattr(cluster_sums, "_MANY_CLUSTERS", 1000)
    apart = mixed_model(*arguments)
    assert shared.clusters._products.shape == (4 if grouped else 2, 5 + 1, 5 + 1)
    assert apart.clusters._products is None
    point = np.log([0.2, 0.1, 0.4, 0.7, 0.3][: shared.n_ratios])
    assert shared.deviance(point) == pytest.approx(apart.deviance(point), rel=1e-12)
    np.testing.assert_allclose(shared.objective(point)[1], apart.objective(point)[1], rtol=1e-9)
    coefficients = shared.at(point).coefficients
    np.testing.assert_allclose(coefficients, apart.at(point).coefficients, rtol=1e-10)


def test_clusters_of_many_weights_keep_their_own_products(sums):
    clusters, columns, y, _ = sums
    weight = np.random.default_rng(2).uniform(0.5, 2, 600)
    assert mixed_model(y, columns, (), clusters, weight).clusters._products is None


def test_rows_in_parts_give_the_same_model(sums, monkeypatch):
    clusters, columns, y, groups = sums
    weight = np.random.default_rng(2).uniform(0.5, 2, 600)
    arguments = (y, np.ones((600, 1)), [columns], clusters, weight, groups)
    whole = mixed_model(*arguments)
    monkeypatch.setattr(columns_module, "_FEWEST_ROWS", 77)
    monkeypatch.setattr(columns_module, "_NUMBERS_AT_ONCE", 0)
    parts = mixed_model(*arguments)
    for name in ("cross", "cross_y", "sum_squares"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)
    for name in ("weight", "columns", "outcome"):
        np.testing.assert_allclose(getattr(parts.clusters, name), getattr(whole.clusters, name))


def test_no_clusters_take_nothing_off(sums):
    columns = sums[1]
    found = ClusterSums(np.zeros(0), np.zeros((0, 5)), np.zeros(0))
    cross = columns.T @ columns
    np.testing.assert_array_equal(found.less(cross, np.zeros(0)), cross)
    assert found.members.shape == (0, 0)
    assert found.leverage(np.zeros(0), np.eye(5)).shape == (0,)
