"""Random forest, boosted trees and BART: what the common suite does not say."""

import pickle

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from tauhat.outcome import BART, BoostedTrees, MixedBART, RandomForest
from tauhat.outcome.grown_trees import GrownForest, TreeGrower

# Enough to tell intercepts apart; the variances are those of whole chains.
SHORT = {"n_trees": 20, "n_chains": 2, "n_burn_in": 100, "n_draws": 100, "random_state": 1}


def clustered(seed, between=0.1, m=30, size=25):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    X = rng.normal(size=(m * size, 6))
    intercepts = rng.normal(size=m) * np.sqrt(between)
    noise = rng.normal(size=m * size) * np.sqrt(0.9)
    return X, X[:, 0] + intercepts[clusters] + noise, clusters, intercepts


def test_out_of_bag_predictions_are_honest():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 5)), 10 + rng.normal(size=200)
    forest = RandomForest(oob_score=True, random_state=1).fit(X, y)
    assert np.mean((y - forest.predict(X)) ** 2) < 0.7 * y.var()
    plain = RandomForest(random_state=1).fit(X, y)
    np.testing.assert_array_equal(plain.predict(X), forest.predict(X))
    assert not hasattr(plain, "oob_prediction_")
    assert np.mean((y - forest.oob_prediction_) ** 2) > 0.95 * y.var()
    assert abs(forest.oob_prediction_.mean() - 10) < 0.3


def test_boosting_stops_at_once_on_noise_and_goes_on_with_signal():
    idle, busy = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, noise = rng.normal(size=(150, 5)), rng.normal(size=150)
        idle.append(BoostedTrees(random_state=1).fit(X, noise).n_rounds_)
        signal = 3 * np.sin(2 * X[:, 0])
        busy.append(BoostedTrees(random_state=1).fit(X, signal + 0.3 * noise).n_rounds_)
    assert np.median(idle) < 10
    assert min(busy) > 30


def test_boosting_with_no_rounds_predicts_the_mean():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(50, 5)), rng.normal(size=50)
    model = BoostedTrees(max_rounds=0, random_state=1).fit(X, y)
    assert model.n_rounds_ == 0
    np.testing.assert_allclose(model.predict(X), y.mean())


def test_boosting_rounds_are_chosen_on_whole_clusters():
    X, y, clusters, _ = clustered(0, between=2.0)
    X = np.column_stack([X, np.random.default_rng(1).normal(size=30)[clusters]])
    blind = BoostedTrees(random_state=1).fit(X, y)
    aware = BoostedTrees(random_state=1).fit(X, y, clusters=clusters)
    assert aware.n_rounds_ < 0.7 * blind.n_rounds_


@pytest.mark.slow
def test_bart_with_intercept_recovers_the_variances():
    fits = [clustered(seed) for seed in range(5)]
    found = [
        MixedBART(n_trees=20, random_state=1).fit(X, y, clusters=c).variance_components_
        for X, y, c, _ in fits
    ]
    realised = np.mean([b.var(ddof=1) for *_, b in fits])
    # The SE of the mean of five variances of 30 intercepts is about .1 * sqrt(2/29/5) = .012.
    assert np.mean([v.between_cluster for v in found]) == pytest.approx(realised, abs=0.035)
    assert np.mean([v.residual for v in found]) == pytest.approx(0.90, abs=0.05)


def test_bart_with_intercept_finds_the_intercepts_and_leaves_them_out_of_predictions():
    X, y, clusters, intercepts = clustered(3, between=1.0)
    model = MixedBART(**SHORT).fit(X, y, clusters=clusters + 100)
    assert model.cluster_labels_.tolist() == list(range(100, 130))
    assert np.corrcoef(model.cluster_effects_, intercepts)[0, 1] > 0.95
    missed = y - model.predict(X)
    by_cluster = np.bincount(clusters, missed) / 25
    assert np.corrcoef(by_cluster, intercepts)[0, 1] > 0.95


def test_intercepts_belong_to_their_codes_in_any_order_of_rows():
    X, y, clusters, intercepts = clustered(3, between=1.0)
    shuffled = np.random.default_rng(0).permutation(len(y))
    model = MixedBART(**SHORT).fit(X[shuffled], y[shuffled], clusters=clusters[shuffled])
    assert np.corrcoef(model.cluster_effects_, intercepts)[0, 1] > 0.95


def test_no_intercept_where_it_is_not_identified():
    X, y, _, _ = clustered(0, m=4)
    plain = BART(n_trees=10, n_draws=10, random_state=1).fit(X, y)
    for clusters in (None, np.zeros(100, dtype=np.int64), np.arange(100)):
        mixed = MixedBART(n_trees=10, n_burn_in=50, n_draws=10, random_state=1)
        mixed.fit(X, y, clusters=clusters)
        assert mixed.variance_components_.between_cluster == 0
        assert np.array_equal(mixed.predict(X), plain.predict(X))


def test_draws_average_to_the_prediction_and_cover_the_truth():
    X, _, _, _ = clustered(0)
    rng = np.random.default_rng(1)
    y = 50 + 10 * X[:, 0] + 5 * rng.normal(size=750)
    model = BART(random_state=1).fit(X, y)
    draws = model.predict_draws(X)
    assert draws.shape == (200, 750)
    np.testing.assert_allclose(draws.mean(axis=0), model.predict(X))
    lower, upper = np.quantile(draws, [0.05, 0.95], axis=0)
    assert 0.7 < np.mean((lower < 50 + 10 * X[:, 0]) & (50 + 10 * X[:, 0] < upper)) < 0.99
    deviation = model.posterior_traces()["residual standard deviation"]
    assert deviation.shape == (4, 50)
    assert deviation.mean() == pytest.approx(5, abs=0.4)


@pytest.mark.parametrize("weight", [None, "unequal"], ids=["equal", "weighted"])
def test_differences_need_only_the_trees_that_split_on_what_differs(weight):
    X, y, clusters, _ = clustered(0, m=10)
    given = None if weight is None else 0.5 + np.arange(len(y)) % 3
    other = X.copy()
    other[:, 0] += 1.0
    model = MixedBART(n_chains=2, n_burn_in=5, n_draws=10, random_state=1)
    model.fit(X, y, clusters=clusters, sample_weight=given)
    draws = model.predict_draws(X) - model.predict_draws(other)
    assert np.abs(draws).max() > 0.5
    np.testing.assert_allclose(model.draw_difference(X, other), draws, atol=1e-12)
    np.testing.assert_allclose(
        model.predict_difference(X, other), model.predict(X) - model.predict(other), atol=1e-12
    )
    # Also of a model that was pickled, and where nothing or everything differs.
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.draw_difference(X, other), model.draw_difference(X, other))
    assert not model.draw_difference(X, X).any()
    np.testing.assert_allclose(
        model.draw_difference(X, -X), model.predict_draws(X) - model.predict_draws(-X), atol=1e-12
    )


def test_every_chain_needs_a_greedy_start():
    X, y, _, _ = clustered(0, m=4)
    with pytest.raises(ValueError, match=r"n_grow \(2\) must be at least n_chains \(3\)"):
        BART(n_chains=3, n_grow=2).fit(X, y)


def test_forest_is_that_of_scikit_learn_with_its_seed():
    rng = np.random.default_rng(0)
    X, z, new = rng.normal(size=(60, 3)), rng.normal(size=60), rng.normal(size=(9, 3))
    grower = TreeGrower(X, z, min_samples_leaf=2, max_features=0.5)
    forest = GrownForest.grow(grower, 30, 7, None, out_of_bag=True)
    theirs = RandomForestRegressor(
        30, min_samples_leaf=2, max_features=2, oob_score=True, random_state=7
    ).fit(X, z)
    np.testing.assert_array_equal(forest.predict(new), theirs.predict(new))
    np.testing.assert_allclose(forest.out_of_bag, theirs.oob_prediction_, rtol=1e-12)
