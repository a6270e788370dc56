"""Estimators of other libraries: every kind of signature, seeds, clusters, and as members."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from econml.dml import LinearDML
from econml.grf import CausalForest
from econml.metalearners import TLearner, XLearner
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from tauhat.ensembles import CausalStacking, ConsensusAverage, ExternalEstimator, MedianEffect
from tauhat.ensembles.external import fit_arguments
from tauhat.ensembles.together import fit_together
from tauhat.errors import TauhatWarning, TrialError
from tauhat.learners.catalog import single_estimator
from tauhat.outcome.linear_mixed import LinearMixedModel


class Arms:
    """Least squares in each arm: what all the fakes below fit."""

    def learn(self, X, y, treatment):
        assert set(np.unique(treatment)) == {0, 1}
        self.models = [
            LinearRegression().fit(X[treatment == arm], y[treatment == arm]) for arm in (0, 1)
        ]
        return self

    def difference(self, X):
        return self.models[1].predict(X) - self.models[0].predict(X)


class LikeEconML(Arms):
    def fit(self, Y, T, *, X=None, W=None, sample_weight=None, groups=None):
        assert W is None
        self.groups_ = groups
        return self.learn(X, Y, T)

    def effect(self, X=None, *, T0=0, T1=1):
        return self.difference(X)


class LikeCausalML(Arms):
    def fit(self, X, treatment, y, p=None):
        self.p_ = p
        return self.learn(X, y, treatment)

    def predict(self, X, treatment=None, y=None, p=None, return_components=False):
        assert (p == self.p_.mean()).all()
        return self.difference(X)[:, None]


class LikeTauhat(Arms, BaseEstimator):
    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, *, treatment, clusters=None, sample_weight=None):
        self.clusters_ = clusters
        return self.learn(X, y, treatment)

    def effect(self, X):
        return self.difference(X)


FAKES = [LikeEconML(), LikeCausalML(), LikeTauhat()]
IDS = ["econml", "causalml", "tauhat"]


@pytest.fixture(scope="module")
def trial():
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(20), 10)
    A = (clusters % 2).astype(int)
    X = rng.normal(size=(200, 3))
    y = X[:, 0] + A * (1 + X[:, 1]) + rng.normal(size=200)
    return {"X": X, "y": y, "treatment": A, "clusters": clusters}


def without_clusters(trial):
    return {name: value for name, value in trial.items() if name != "clusters"}


@pytest.mark.parametrize("fake", FAKES, ids=IDS)
def test_every_signature_gives_the_same_fit(fake, trial):
    X, y, A, _ = trial.values()
    model = ExternalEstimator(fake, random_state=1).fit(**without_clusters(trial))
    expected = Arms().learn(X, y, A).difference(X)
    np.testing.assert_allclose(model.effect(X), expected, atol=1e-10)
    assert not hasattr(fake, "models")
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.effect(X), model.effect(X))


def test_clusters_go_where_they_can_and_are_missed_aloud_where_not(trial):
    for fake, name in ((LikeEconML(), "groups_"), (LikeTauhat(), "clusters_")):
        model = ExternalEstimator(fake).fit(**trial)
        np.testing.assert_array_equal(getattr(model.fitted_, name), model.trial_data_.clusters)
    with pytest.warns(TauhatWarning, match="LikeCausalML ignores clusters: its fit takes none"):
        ExternalEstimator(LikeCausalML()).fit(**trial)
    weighted = {**without_clusters(trial), "sample_weight": np.linspace(1, 2, 200)}
    with pytest.warns(TauhatWarning, match="LikeCausalML ignores sample weights"):
        ExternalEstimator(LikeCausalML()).fit(**weighted)


def test_the_known_propensity_is_handed_over(trial):
    part = without_clusters(trial)
    model = ExternalEstimator(LikeCausalML()).fit(**part, propensity=0.3)
    np.testing.assert_array_equal(model.fitted_.p_, 0.3)
    assert np.isfinite(model.effect(trial["X"])).all()


@pytest.mark.parametrize(
    "outside",
    [
        TLearner(models=RandomForestRegressor(n_estimators=5)),
        XLearner(models=LinearRegression(), propensity_model=LogisticRegression()),
        CausalForest(n_estimators=8),
        LinearDML(
            model_y=RandomForestRegressor(n_estimators=5),
            model_t=LogisticRegression(),
            discrete_treatment=True,
        ),
    ],
    ids=["T", "X", "forest", "DML"],
)
@pytest.mark.filterwarnings("ignore")
def test_estimators_of_econml_find_the_effect_and_repeat_it(outside, trial):
    X = trial["X"]
    first = ExternalEstimator(outside, random_state=1).fit(**trial).effect(X)
    again = ExternalEstimator(outside, random_state=1).fit(**trial).effect(X)
    np.testing.assert_array_equal(first, again)
    assert np.corrcoef(first, 1 + X[:, 1])[0, 1] > 0.6
    order = np.random.default_rng(0).permutation(200)
    shuffled = {name: value[order] for name, value in trial.items()}
    moved = ExternalEstimator(outside, random_state=1).fit(**shuffled).effect(X)
    np.testing.assert_array_equal(first, moved)


def test_seeds_reach_the_models_within():
    X = np.random.default_rng(0).normal(size=(60, 2))
    A = np.arange(60) % 2
    y = X[:, 0] + A + np.random.default_rng(1).normal(size=60)
    outside = TLearner(models=RandomForestRegressor(n_estimators=3, n_jobs=2))
    one, two = (
        ExternalEstimator(outside, random_state=seed).fit(X, y, treatment=A) for seed in (1, 2)
    )
    assert np.abs(one.effect(X) - two.effect(X)).max() > 0.01
    assert [model.n_jobs for model in one.fitted_.models] == [1, 1]
    assert outside.models.random_state is None


def test_raw_objects_are_members(trial):
    members = [("outside", LikeEconML()), ("LMM", single_estimator("LMM")), ("T", LikeTauhat())]
    model = MedianEffect(members, random_state=1).fit(**trial)
    assert isinstance(model.members_["outside"], ExternalEstimator)
    settings = {"n_folds": 2, "outcome_model": LinearMixedModel(), "random_state": 1}
    learned = CausalStacking(members, **settings).fit(**trial)
    assert sum(learned.weights_.values()) == pytest.approx(1)
    np.testing.assert_array_equal(
        learned.out_of_fold_.effects[:, 1], learned.out_of_fold_.effects[:, 2]
    )


def test_objects_that_cannot_be_pickled_are_members_too(trial):
    fake = LikeEconML()
    fake.note = lambda: None
    ensemble = ConsensusAverage([("outside", fake), ("T", LikeTauhat())])
    data = ensemble.fit(**trial).trial_data_
    fits = fit_together({"CBA": ensemble}, data, 1)
    assert fits["CBA"].message == ""


class NoTreatment:
    def fit(self, X, y):
        return self

    def predict(self, X):
        return X[:, 0]


class NeedsMore(LikeTauhat):
    def fit(self, X, y, treatment, instrument):
        return self


class Wide(LikeTauhat):
    def effect(self, X):
        return np.ones((len(X), 2))


class Silent:
    def fit(self, X, y, treatment):
        return self


def test_objects_that_do_not_fit_are_refused_by_name(trial):
    bad = [
        (NoTreatment(), r"the fit of NoTreatment has no argument for treatment \(it takes X, y\)"),
        (NeedsMore(), "the fit of NeedsMore needs instrument, which a trial does not have"),
        (Silent(), r"Silent has neither effect\(X\) nor predict\(X\)"),
        (object(), "object has neither effect"),
    ]
    for outside, message in bad:
        with pytest.raises(TrialError, match=message):
            ExternalEstimator(outside).fit(**trial)
    with pytest.raises(TrialError, match="no estimator: it has no fit"):
        fit_arguments(object())
    with pytest.raises(TrialError, match=r"Wide gave effects of shape \(200, 2\) for 200 persons"):
        ExternalEstimator(Wide()).fit(**trial).effect(trial["X"])
