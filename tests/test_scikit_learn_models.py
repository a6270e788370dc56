"""Regressors and classifiers of scikit-learn as outcome models."""

import pickle

import numpy as np
import pytest
from lightgbm import LGBMRegressor
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    RandomForestClassifier,
    RandomForestRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LassoCV, LinearRegression, LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, RandomizedSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

import tauhat as th
from tauhat.ensembles import StackedX
from tauhat.learners import CausalForest, DRLearner, RLearner, SLearner, TLearner, XLearner
from tauhat.outcome import LinearMixedModel, StackedModel
from tauhat.testing import example_trial

LEARNERS = {"S": SLearner, "T": TLearner, "X": XLearner, "DR": DRLearner, "R": RLearner}
TWO_TREES = RandomForestRegressor(n_estimators=2, n_jobs=4)
REGRESSORS = {
    "pipeline": make_pipeline(StandardScaler(), RidgeCV()),
    "grid search": GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [1, 9]}),
    "search by group": GridSearchCV(Ridge(), {"alpha": [1, 9]}, cv=GroupKFold(3)),
    "random search": RandomizedSearchCV(
        TWO_TREES, {"max_depth": [1, 2, 3]}, n_iter=2, cv=KFold(2, shuffle=True)
    ),
    "own folds": LassoCV(cv=3),
    "boosting": LGBMRegressor(n_estimators=5, verbose=-1),
    "neighbours": KNeighborsRegressor(),
    "vote": VotingRegressor([("ridge", Ridge()), ("forest", TWO_TREES)]),
    "stack": StackingRegressor([("ridge", Ridge()), ("forest", TWO_TREES)], cv=2),
}


class Mean:
    """Knows nothing of scikit-learn but the names of its methods."""

    def fit(self, X, y):
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return np.full((len(X), 1), self.mean_)


@pytest.fixture(scope="module")
def arrays():
    return example_trial()


@pytest.mark.filterwarnings("ignore::tauhat.TauhatWarning")
@pytest.mark.parametrize(
    ("letter", "name"),
    [*((letter, "pipeline") for letter in LEARNERS), *(("T", name) for name in REGRESSORS)],
)
def test_every_learner_takes_it_whatever_the_row_order_and_numpy_seed(arrays, letter, name):
    X, y, arm, clusters = arrays
    order = np.random.default_rng(2).permutation(len(y))
    effects = []
    for rows, numpy_seed in ((np.arange(len(y)), 1), (order, 2)):
        np.random.seed(numpy_seed)
        model = LEARNERS[letter](clone(REGRESSORS[name]), random_state=1)
        effects.append(model.fit(X[rows], y[rows], arm[rows], clusters[rows]).effect(X))
    np.testing.assert_array_equal(*effects)
    assert abs(effects[0].mean() - 0.5) < 0.6


def test_it_is_the_plain_difference_of_two_fits():
    X, y, arm, _ = example_trial(40, 1)
    effect = TLearner(LinearRegression()).fit(X, y, arm).effect(X)
    fits = [LinearRegression().fit(X[arm == a], y[arm == a]).predict(X) for a in (0, 1)]
    np.testing.assert_allclose(effect, fits[1] - fits[0], rtol=1e-9)


def test_weights_reach_the_model_of_a_pipeline_and_of_a_search(arrays):
    X, y, arm, clusters = arrays
    weight = 1.0 + np.arange(len(y)) % 3
    search = GridSearchCV(
        make_pipeline(LinearRegression()), {"linearregression__positive": [False]}
    )
    effects = [
        TLearner(model).fit(X, y, arm, clusters, sample_weight=weight).effect(X)
        for model in (search, LinearMixedModel(shrinkage=False), LinearRegression())
    ]
    np.testing.assert_allclose(effects[0], effects[2], rtol=1e-8)
    plain = TLearner(LinearRegression()).fit(X, y, arm, clusters).effect(X)
    assert np.abs(plain - effects[0]).max() > 0.1


def test_weights_that_it_cannot_take_are_refused_and_equal_ones_are_none(arrays):
    X, y, arm, clusters = arrays
    weight = 1.0 + np.arange(len(y)) % 3
    with pytest.raises(th.TrialError, match="KNeighborsRegressor takes no sample_weight"):
        TLearner(KNeighborsRegressor()).fit(X, y, arm, clusters, sample_weight=weight)
    # Where half are treated, the weights of an R-learner are all one.
    assert RLearner(KNeighborsRegressor()).fit(X, y, arm, clusters).effect(X).std() > 0
    with pytest.raises(th.TrialError, match="R-learner"):
        RLearner(KNeighborsRegressor()).fit(X, y, clusters % 3 == 0, clusters)


@pytest.mark.parametrize("letter", LEARNERS)
def test_a_classifier_gives_differences_of_probabilities(letter):
    rng = np.random.default_rng(1)
    X, arm = rng.normal(size=(2000, 1)), np.arange(2000) % 2
    chance = np.where(X[:, 0] > 0, 0.3 + 0.4 * arm, 0.3)
    y = (rng.random(2000) < chance).astype(float)
    forest = RandomForestClassifier(50, min_samples_leaf=50)
    effects = RandomForestRegressor(50, min_samples_leaf=50)
    second = {} if letter in "ST" else {"effect_model": effects}
    effect = LEARNERS[letter](forest, **second, random_state=1).fit(X, y, arm).effect(X)
    means = [effect[X[:, 0] <= 0].mean(), effect[X[:, 0] > 0].mean()]
    np.testing.assert_allclose(means, [0.0, 0.4], atol=0.08)


def test_a_classifier_takes_any_two_values_and_an_arm_with_one(arrays):
    X, y, arm, clusters = arrays
    high = (y > 0).astype(float)
    effect = TLearner(LogisticRegression()).fit(X, high, arm, clusters).effect(X)
    doubled = TLearner(LogisticRegression()).fit(X, 5 + 2 * high, arm, clusters).effect(X)
    np.testing.assert_allclose(doubled, 2 * effect, rtol=1e-9)
    none = np.where(arm == 1, high, 0.0)
    assert (TLearner(LogisticRegression()).fit(X, none, arm, clusters).effect(X) > 0).all()


def test_a_classifier_of_effects_or_of_many_values_is_refused(arrays):
    X, y, arm, clusters = arrays
    with pytest.raises(th.TrialError, match="effect_model"):
        XLearner(LogisticRegression()).fit(X, (y > 0) * 1.0, arm, clusters)
    with pytest.raises(th.TrialError, match="two values"):
        TLearner(LogisticRegression()).fit(X, y, arm, clusters)


def test_an_additive_model_in_an_s_learner_needs_to_be_said(arrays):
    X, y, arm, clusters = arrays
    with pytest.warns(th.TauhatWarning, match="additive=True"):
        constant = SLearner(Ridge()).fit(X, y, arm, clusters).effect(X)
    assert np.ptp(constant) < 1e-9
    additive = SLearner(th.ScikitLearnModel(Ridge(), additive=True)).fit(X, y, arm, clusters)
    assert np.corrcoef(additive.effect(X), X[:, 0])[0, 1] > 0.8


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (StandardScaler(), "StandardScaler is no outcome model"),
        (Ridge, r"Ridge\(\)"),
        ("RF", "'RF' is no outcome model"),
        (None, "None is no outcome model"),
        (KMeans(), "clusterer"),
        (LinearSVC(), "predict_proba"),
        (th.estimator("LMM"), "estimates effects"),
        (make_pipeline(FunctionTransformer(lambda X: X), Ridge()), "lambda"),
    ],
)
@pytest.mark.parametrize("learner", [TLearner, RLearner])
def test_what_is_no_outcome_model_is_refused_before_anything_is_fitted(
    arrays, learner, model, words
):
    X, y, arm, clusters = arrays
    with pytest.raises(th.TrialError, match=words):
        learner(model).fit(X, y, arm, clusters)


def test_a_search_splits_whole_clusters(arrays):
    X, y, _, clusters = arrays
    model = th.ScikitLearnModel(GridSearchCV(Ridge(), {"alpha": [1]}, cv=3), random_state=1)
    model.fit(X, y, clusters=clusters)
    # The model has the rows of a cluster together, clusters in random order.
    sizes = {len(test) for _, test in model.model_.cv}
    assert sizes == {len(y) // 3}
    for _, test in model.model_.cv:
        assert len(np.unique(test // 8)) == len(test) // 8


def test_ensembles_causal_forest_and_stacks_take_it(arrays):
    X, y, arm, clusters = arrays
    members = [("ridge", Ridge()), ("line", LinearMixedModel())]
    candidates = [
        StackedX(members, random_state=1),
        TLearner(StackedModel(members), random_state=1),
        CausalForest(Ridge(), n_estimators=40, random_state=1),
        th.estimator("R-Stacking", random_state=1).set_params(
            members=[("T", TLearner(Ridge())), ("LMM", th.estimator("LMM"))],
            outcome_model=RidgeCV(),
        ),
    ]
    for model in candidates:
        effect = model.fit(X, y, arm, clusters).effect(X)
        assert np.corrcoef(effect, X[:, 0])[0, 1] > 0.6, type(model).__name__


def test_an_object_that_knows_nothing_of_scikit_learn_is_taken(arrays):
    X, y, arm, clusters = arrays
    effect = TLearner(Mean()).fit(X, y, arm, clusters).effect(X)
    np.testing.assert_allclose(effect, y[arm == 1].mean() - y[arm == 0].mean())


@pytest.mark.filterwarnings("error")
def test_one_job_is_set_where_there_are_threads_and_not_where_it_is_deprecated(arrays):
    X, y, arm, clusters = arrays
    fitted = TLearner(LGBMRegressor(n_estimators=2, verbose=-1)).fit(X, y, arm, clusters)
    assert fitted.models_[0].model_.n_jobs == 1
    TLearner(LogisticRegression()).fit(X, (y > 0) * 1.0, arm, clusters)


def test_parameters_clone_pickle_and_save(arrays, tmp_path):
    X, y, arm, clusters = arrays
    model = TLearner(make_pipeline(StandardScaler(), Ridge()), random_state=1)
    copy = clone(model).set_params(outcome_model__ridge__alpha=100.0)
    assert copy.get_params()["outcome_model__ridge__alpha"] == 100.0
    fitted = model.fit(X, y, arm, clusters)
    assert copy.fit(X, y, arm, clusters).effect(X).std() < 0.8 * fitted.effect(X).std()
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.effect(X), fitted.effect(X))
    with pytest.raises(th.TrialError, match=r"sklearn\.pipeline\.Pipeline"):
        th.save(fitted, tmp_path / "model.tauhat")
    assert not list(tmp_path.iterdir())


def test_bootstrap_interval_and_jobs_work(arrays):
    X, y, arm, clusters = arrays
    model = XLearner(TWO_TREES, Ridge(), random_state=1)
    one = model.fit(X, y, arm, clusters)
    lower, upper = one.effect_interval(X[:3], n_bootstrap=3)
    assert (lower < upper).all()
    two = clone(model).set_params(n_jobs=2).fit(X, y, arm, clusters)
    np.testing.assert_array_equal(one.effect(X), two.effect(X))
