"""Stack: level-one weights by hand, whole-cluster folds, use by the shared engine."""

import pickle

import numpy as np
import pytest

from tauhat.data import validate_trial
from tauhat.design.folds import cluster_folds
from tauhat.fitting.nuisance import Nuisance, fit_nuisances
from tauhat.learners.s import SLearner
from tauhat.learners.t import TLearner
from tauhat.outcome import BoostedTrees, ElasticNetModel, RandomForest
from tauhat.outcome.stacked import StackedModel, level_one
from tauhat.outcome_model import OutcomeModel

QUICK = [("Linear", ElasticNetModel()), ("RF", RandomForest(n_estimators=20))]


def make_data(n=150, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, 2 * X[:, 0] + (X[:, 1] > 0) + 0.5 * rng.normal(size=n)


class Column(OutcomeModel):
    """Predicts one column as it is and notes which clusters it learned from."""

    seen: list

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y, *, clusters=None, sample_weight=None):
        self.rows_ = len(y)
        self.tags_ = set(X[:, -1].tolist())
        Column.seen.append(self.tags_)
        return self

    def predict(self, X):
        return X[:, self.column]


def test_ols_weights_are_least_squares_with_intercept():
    rng = np.random.default_rng(0)
    P, y, w = rng.normal(size=(60, 3)) + 5, rng.normal(size=60), rng.exponential(size=60)
    intercept, weights = level_one(P, y, "ols", w)
    design = np.column_stack([np.ones(60), P])
    by_hand = np.linalg.solve(design.T @ (w[:, None] * design), design.T @ (w * y))
    np.testing.assert_allclose(np.r_[intercept, weights], by_hand, atol=1e-10)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_convex_weights_are_the_best_on_the_simplex(offset):
    rng = np.random.default_rng(1)
    truth = rng.normal(size=80)
    P = truth[:, None] + rng.normal(size=(80, 3)) * [0.3, 0.6, 2.0] + offset
    y = truth + 0.2 * rng.normal(size=80) + offset
    intercept, weights = level_one(P, y, "convex")
    assert intercept == 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert weights.min() >= 0
    grid = np.array(
        [(a, b, 1 - a - b) for a in np.arange(0, 1.01, 0.05) for b in np.arange(0, 1.01 - a, 0.05)]
    )
    losses = ((y[:, None] - P @ grid.T) ** 2).sum(axis=0)
    assert ((y - P @ weights) ** 2).sum() <= losses.min() + 1e-6
    assert np.abs(weights - grid[np.argmin(losses)]).max() < 0.05


def test_convex_weights_choose_the_only_right_model():
    rng = np.random.default_rng(1)
    y = rng.normal(size=50)
    _, weights = level_one(np.column_stack([y, -y, rng.normal(size=50)]), y, "convex")
    np.testing.assert_allclose(weights, [1, 0, 0], atol=1e-6)


def test_nnls_weights_are_not_negative_and_keep_the_mean():
    rng = np.random.default_rng(2)
    P = rng.normal(size=(80, 3)) + 3
    y = 2 * P[:, 0] - P[:, 1] + 7
    intercept, weights = level_one(P, y, "nnls")
    assert weights.min() >= 0
    assert weights[1] == 0
    assert np.mean(intercept + P @ weights) == pytest.approx(y.mean())


def test_unknown_weights_are_refused():
    with pytest.raises(ValueError, match="weights must be one of ols, convex, nnls, ridge"):
        StackedModel(QUICK, weights="median", random_state=1).fit(*make_data(30))


def test_prediction_is_the_weighed_sum_of_models_on_all_rows():
    X, y = make_data()
    model = StackedModel(QUICK, random_state=1).fit(X, y)
    by_hand = model.intercept_ + sum(
        w * m.predict(X) for w, m in zip(model.weights_, model.models_, strict=True)
    )
    np.testing.assert_allclose(model.predict(X), by_hand)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_cross_fitting_leaves_out_whole_clusters():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(9), 6)
    X = np.column_stack([rng.normal(size=(54, 2)), clusters])
    Column.seen = []
    StackedModel([("a", Column(0)), ("b", Column(1))], n_folds=3, random_state=5).fit(
        X, X[:, 0] + X[:, 1], clusters=clusters
    )
    sizes = sorted(len(tags) for tags in Column.seen)
    assert sizes == [6] * 6 + [9] * 2
    folds = cluster_folds(54, clusters, 3, 5)
    inside = {frozenset(clusters[folds != k].tolist()) for k in range(3)}
    assert {frozenset(t) for t in Column.seen if len(t) == 6} == inside


def test_the_default_stack_is_about_as_good_as_its_best_member():
    X, y = make_data(300)
    X_new, _ = make_data(1000, seed=1)
    signal = 2 * X_new[:, 0] + (X_new[:, 1] > 0)

    def error(model):
        return np.mean((model.fit(X, y).predict(X_new) - signal) ** 2)

    default = StackedModel(random_state=1)
    assert [name for name, _ in default.base_models()] == ["Linear", "RF", "Boosting", "AGLM"]
    singles = [error(member.set_params(random_state=1)) for _, member in default.base_models()]
    for weights in ("ols", "convex", "nnls"):
        assert error(default.set_params(weights=weights)) < 1.15 * min(singles)


def test_the_engine_assembles_the_stack_from_shared_fits():
    X, y = make_data(120)
    A = np.arange(120) % 2
    data = validate_trial(X, y + A, A)
    stack = Nuisance("stack", StackedModel(QUICK), arm=1, seed=3)
    alone = Nuisance("alone", QUICK[1][1], arm=1, seed=3)
    fits = fit_nuisances([stack, alone], data)
    model = fits[stack.key].fitted
    assert len(model.weights_) == 2
    # The forest on all treated rows is the one that was declared on its own.
    expected = fits[alone.key].fitted.predict(X)
    assert np.array_equal(model.models_[1].predict(X), expected)


class Level(OutcomeModel):
    """Predicts the mean outcome plus a shift, and notes the rows that it learned from."""

    seen: list

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y, *, clusters=None, sample_weight=None):
        Level.seen.append((self.shift, len(y)))
        self.level_ = y.mean() + self.shift
        return self

    def predict(self, X):
        return np.full(len(X), self.level_)

    def reduced(self):
        return Level(self.shift + 100)


def test_quick_folds_are_of_reduced_models_and_the_prediction_of_whole_ones():
    X, y = make_data(60)
    data = validate_trial(X, y, np.arange(60) % 2)
    members = [("low", Level(0.0)), ("high", Level(3.0))]
    for quick, in_folds in ((False, [0.0, 3.0]), (True, [100.0, 103.0])):
        stack = StackedModel(members, weights="convex", quick_folds=quick, random_state=1)
        Level.seen = []
        alone = stack.fit(X, y)
        assert sorted(Level.seen) == sorted(
            [(shift, 40) for shift in in_folds for _ in range(3)] + [(0.0, 60), (3.0, 60)]
        )
        Level.seen = []
        nuisance = Nuisance("stack", stack, arm=0, seed=1)
        shared = fit_nuisances([nuisance], data)[nuisance.key].fitted
        assert sorted({shift for shift, n in Level.seen if n < 30}) == in_folds
        assert sorted(shift for shift, n in Level.seen if n == 30) == [0.0, 3.0]
        # The lower of two that predict too much is nearer, and the whole model of it predicts.
        for fitted, outcome in ((alone, y), (shared, data.y[data.treatment == 0])):
            assert fitted.weights_ == pytest.approx([1, 0])
            assert fitted.predict(X[:1]) == pytest.approx(outcome.mean())


def test_a_stack_of_additive_and_other_models_serves_an_s_learner():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    A = rng.permutation(300) % 2
    y = X[:, 0] + A * (1 + X[:, 1]) + 0.3 * rng.normal(size=300)
    members = [("Linear", ElasticNetModel()), ("Boosting", BoostedTrees())]
    for learner in (SLearner, TLearner):
        effect = learner(StackedModel(members), random_state=1).fit(X, y, treatment=A).effect(X)
        assert np.corrcoef(effect, 1 + X[:, 1])[0, 1] > 0.9
        assert effect.mean() == pytest.approx(1 + X[:, 1].mean(), abs=0.2)


@pytest.mark.parametrize(("n", "free"), [(9, False), (10, True)])
def test_too_few_rows_for_a_free_regression_get_convex_weights(n, free):
    X, y = make_data(n)
    model = StackedModel(QUICK, random_state=1).fit(X, y)
    assert (model.intercept_ == 0) is not free
    assert (model.weights_.sum() == pytest.approx(1)) is not free


def test_reduced_reduces_every_member():
    reduced = StackedModel([("RF", RandomForest())]).reduced()
    assert reduced.base_models()[0][1].n_estimators == 60


def test_members_that_differ_by_rounding_only_share_one_small_weight() -> None:
    rng = np.random.default_rng(12)
    shared, own = rng.normal(size=(2, 60))
    P = np.column_stack([shared, own, shared + 1e-9 * rng.normal(size=60), shared * (1 + 1e-12)])
    y = shared + rng.normal(size=60)
    _, weights = level_one(P, y, "ols")
    assert np.abs(weights).max() < 2
    np.testing.assert_allclose(weights[[0, 2, 3]], weights[0], rtol=1e-4)
    _, plain = level_one(P[:, :2], y, "ols")
    assert weights[[0, 2, 3]].sum() == pytest.approx(plain[0], rel=1e-4)
