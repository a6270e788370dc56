"""Declared regressions: computed once, out of fold, and shared by an ensemble."""

import numpy as np
import pytest

from tauhat.data import validate_trial
from tauhat.ensembles.consensus import ConsensusAverage
from tauhat.fitting.nuisance import Nuisance, fit_nuisances
from tauhat.learners.dr import DRLearner
from tauhat.learners.r import RLearner
from tauhat.learners.t import TLearner
from tauhat.learners.x import XLearner
from tauhat.outcome.linear_mixed import LinearMixedModel
from tauhat.outcome_model import OutcomeModel
from tauhat.testing import example_trial


class Counting(LinearMixedModel):
    """A linear mixed model that counts how often it is fitted."""

    fits = 0

    def fit(self, X, y, *, clusters=None, sample_weight=None):
        Counting.fits += 1
        return super().fit(X, y, clusters=clusters, sample_weight=sample_weight)


class MeanOfClusters(OutcomeModel):
    """Predicts the number of rows it learned from, so that leaks would show."""

    def fit(self, X, y, *, clusters=None, sample_weight=None):
        self.clusters_ = set() if clusters is None else set(X[:, -1].tolist())
        return self

    def predict(self, X):
        return np.array([float(value in self.clusters_) for value in X[:, -1]])


@pytest.fixture
def data():
    return validate_trial(*example_trial())


def test_members_share_equal_regressions(data):
    Counting.fits = 0
    members = [
        ("T", TLearner(Counting(), random_state=0)),
        ("X", XLearner(Counting(), random_state=0)),
        ("DR", DRLearner(Counting(), random_state=0)),
        ("R", RLearner(Counting(), random_state=0)),
    ]
    ConsensusAverage(members, random_state=1).fit_data(data)
    # T and X share one fit in each arm; DR has 5 folds in each, R 5 folds; then the second
    # stages: X two, DR and R one each.
    assert Counting.fits == 2 + 10 + 5 + 2 + 1 + 1

    Counting.fits = 0
    for _, member in members:
        member.fit_data(data)
    assert Counting.fits == 2 + (2 + 2) + (10 + 1) + (5 + 1)


def test_sharing_does_not_change_a_member(data):
    members = [("T", TLearner(LinearMixedModel())), ("DR", DRLearner(LinearMixedModel()))]
    ensemble = ConsensusAverage(members, random_state=1).fit_data(data)
    for name, member in members:
        alone = member.set_params(random_state=1).fit_data(data)
        shared = ensemble.members_[name]
        np.testing.assert_array_equal(alone.predict_effect(data.X), shared.predict_effect(data.X))


def test_held_out_predictions_never_saw_their_cluster(data):
    nuisance = Nuisance("mean", MeanOfClusters(), n_folds=4, seed=3)
    fit = fit_nuisances([nuisance], data)[nuisance.key]
    # The last covariate names the cluster: 1 would mean that it was learned from.
    assert fit.cross_fitted.sum() == 0


def test_arm_models_learn_from_their_arm_only(data):
    nuisance = Nuisance("control", MeanOfClusters(), arm=0)
    model = fit_nuisances([nuisance], data)[nuisance.key].fitted
    seen = model.predict(data.X)
    np.testing.assert_array_equal(seen, 1.0 - data.treatment)


def test_folds_are_those_of_the_declaration(data):
    folds = data.design.folds(4, 3)
    assert sorted(np.unique(folds)) == [0, 1, 2, 3]
    for cluster in range(data.n_units):
        assert len(np.unique(folds[data.clusters == cluster])) == 1


class Failing(LinearMixedModel):
    def fit(self, X, y, *, clusters=None, sample_weight=None):
        raise RuntimeError("no luck today")


def test_a_failing_member_is_left_out_and_says_why(data):
    members = [
        ("good", TLearner(LinearMixedModel())),
        ("better", XLearner(LinearMixedModel())),
        ("bad", TLearner(Failing())),
    ]
    with pytest.warns(match="bad failed: RuntimeError: no luck today"):
        ensemble = ConsensusAverage(members, random_state=1).fit_data(data)
    assert set(ensemble.members_) == {"good", "better"}
    assert ensemble.failures_ == {"bad": "RuntimeError: no luck today"}
    assert ensemble.weights_ == {"better": 0.5, "good": 0.5}


def test_a_failing_regression_stops_a_learner_with_its_own_error(data):
    with pytest.raises(RuntimeError, match="no luck today"):
        DRLearner(Failing(), random_state=1).fit_data(data)
