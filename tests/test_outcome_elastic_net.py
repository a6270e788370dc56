"""Elastic net: agreement with scikit-learn, weights, whole-cluster folds."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Lasso, LassoCV

from tauhat.design.folds import cluster_folds
from tauhat.numerics.elastic_net_path import fit_elastic_net
from tauhat.outcome import ElasticNetModel


def make_data(n=200, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.arange(1, p + 1) + 3
    return X, X[:, 0] - 0.2 * X[:, 1] + rng.normal(size=n)


def test_solution_is_scikit_learns_at_the_chosen_penalty():
    X, y = make_data()
    folds = cluster_folds(200, None, 5, 1)
    ours = fit_elastic_net(X, y, folds, l1_ratios=(0.5,), tolerance=1e-10)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    theirs = ElasticNet(alpha=ours.penalty, l1_ratio=0.5, tol=1e-12).fit(Z, y)
    np.testing.assert_allclose(ours.coef, theirs.coef_ / X.std(axis=0), atol=1e-7)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(Z), atol=1e-6)


def test_penalty_is_scikit_learns_on_the_same_folds_and_grid():
    X, y = make_data()
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    folds = cluster_folds(200, None, 5, 1)
    ours = fit_elastic_net(Z, y, folds)
    largest = np.abs(Z.T @ (y - y.mean())).max() / 200
    splits = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(5)]
    theirs = LassoCV(alphas=largest * np.logspace(0, -3, 50), cv=splits).fit(Z, y)
    assert ours.penalty == pytest.approx(theirs.alpha_)
    assert ours.cv_error == pytest.approx(theirs.mse_path_.mean(axis=1).min(), rel=1e-4)


def test_steps_of_more_columns_than_rows_are_scikit_learns_solution():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4))
    Z = np.hstack([x > cut for cut in np.linspace(-1.2, 1.2, 25)]).astype(float)
    y = x[:, 0] + (x[:, 1] > 0) + rng.normal(size=80)
    folds = cluster_folds(80, None, 5, 1)
    ours = fit_elastic_net(Z, y, folds, tolerance=1e-10, smallest_penalty=1e-2)
    spread = Z.std(axis=0)
    theirs = Lasso(alpha=ours.penalty, tol=1e-12, max_iter=100_000).fit(Z / spread, y)
    np.testing.assert_allclose(ours.predict(Z), theirs.predict(Z / spread), atol=1e-6)


def test_walk_that_ends_early_chooses_what_the_whole_grid_does():
    rng = np.random.default_rng(3)
    Z = rng.normal(size=(120, 70))
    y = Z[:, :5] @ np.ones(5) + 2 * rng.normal(size=120)
    folds = cluster_folds(120, None, 5, 1)
    early, whole = (fit_elastic_net(Z, y, folds, patience=patience) for patience in (12, 1000))
    assert early.penalty == whole.penalty
    np.testing.assert_array_equal(early.coef, whole.coef)


def test_weight_two_is_a_row_twice():
    X, y = make_data(60)
    weight = np.where(np.arange(60) < 20, 2.0, 1.0)
    twice = np.r_[np.arange(60), np.arange(20)]
    folds = cluster_folds(60, None, 5, 1)
    weighted = fit_elastic_net(X, y, folds, sample_weight=weight, tolerance=1e-9)
    repeated = fit_elastic_net(X[twice], y[twice], folds[twice], tolerance=1e-9)
    assert weighted.penalty == pytest.approx(repeated.penalty)
    np.testing.assert_allclose(weighted.coef, repeated.coef, atol=1e-6)


def test_pure_noise_gives_a_nearly_empty_model():
    rng = np.random.default_rng(0)
    model = ElasticNetModel(random_state=1).fit(rng.normal(size=(200, 20)), rng.normal(size=200))
    assert np.abs(model.coef_).sum() < 0.3


def test_coefficients_give_the_predictions_in_the_users_units():
    X, y = make_data()
    model = ElasticNetModel(random_state=1).fit(X, y)
    np.testing.assert_allclose(model.intercept_ + X @ model.coef_, model.predict(X), atol=1e-7)
    assert model.coef_[0] == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("bad", [(), (0.0,), (0.5, 1.1)])
def test_impossible_mixing_is_refused(bad):
    X, y = make_data(30)
    with pytest.raises(ValueError, match="l1_ratios must lie in"):
        ElasticNetModel(l1_ratios=bad).fit(X, y)


def test_inner_folds_are_whole_clusters_of_equal_total():
    clusters = np.repeat(np.arange(12), [30, 5, 5, 5, 5, 10, 10, 10, 5, 5, 5, 5])
    folds = cluster_folds(100, clusters, 3, seed=4)
    assert all(len(set(folds[clusters == c])) == 1 for c in range(12))
    assert sorted(np.bincount(folds)) == [30, 35, 35]
    assert np.array_equal(folds, cluster_folds(100, clusters, 3, seed=4))
    assert not np.array_equal(folds, cluster_folds(100, clusters, 3, seed=5))


def test_inner_folds_of_persons_differ_by_one_and_of_one_cluster_are_persons():
    assert sorted(np.bincount(cluster_folds(14, None, 4, 0))) == [3, 3, 4, 4]
    assert sorted(np.bincount(cluster_folds(14, np.full(14, 9), 4, 0))) == [3, 3, 4, 4]
    assert cluster_folds(2, None, 5, 0).max() == 1


def test_a_cluster_level_column_is_not_rewarded_for_knowing_the_cluster():
    # 30 columns that differ between 20 clusters only: persons' folds would find them useful.
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(20), 15)
    X = rng.normal(size=(20, 30))[clusters]
    y = rng.normal(size=20)[clusters] + 0.3 * rng.normal(size=300)
    blind = ElasticNetModel(random_state=1).fit(X, y)
    aware = ElasticNetModel(random_state=1).fit(X, y, clusters=clusters)
    assert np.var(aware.predict(X)) < 0.5 * np.var(blind.predict(X))
