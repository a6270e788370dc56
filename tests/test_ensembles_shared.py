"""Ensembles: whole clusters out of fold, work done once, other aggregations of fitted members."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from tauhat.data import validate_trial
from tauhat.ensembles import (
    CausalStacking,
    ConsensusAverage,
    ExponentialWeights,
    MedianEffect,
    QAggregation,
    RStacking,
    StackedX,
    TStacking,
)
from tauhat.ensembles.aggregations import AGGREGATIONS
from tauhat.ensembles.recalibrated import Recalibrated
from tauhat.ensembles.together import effects_together, fit_together
from tauhat.errors import TauhatWarning, TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.few_clusters import without_average_effect
from tauhat.learners.catalog import single_estimator
from tauhat.learners.t import TLearner
from tauhat.outcome.linear_mixed import LinearMixedModel
from tauhat.testing import example_trial

QUICK = [(name, single_estimator(name)) for name in ("LMM", "T-LMM", "X-LMM")]
FAST = {"n_folds": 2, "outcome_model": LinearMixedModel(), "random_state": 3}


class Memory(CateEstimator):
    """Says 1 for a person whose last covariate it has seen, and counts its fits."""

    fits = 0

    def __init__(self, tag=0, random_state=None, n_jobs=1):
        self.tag = tag
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data, seed):
        return ()

    def fit_effect(self, data, nuisances, seed):
        Memory.fits += 1
        self.seen_ = set(data.X[:, -1].tolist())

    def predict_effect(self, X):
        return np.array([float(value in self.seen_) for value in X[:, -1]]) + self.tag * X[:, 0]


@pytest.fixture
def arrays():
    X, y, treatment, clusters = example_trial()
    return {"X": X, "y": y, "treatment": treatment, "clusters": clusters}


@pytest.fixture
def memory():
    Memory.fits = 0
    return [("a", Memory(0)), ("b", Memory(1)), ("c", Memory(2))]


def test_no_member_has_seen_a_cluster_for_which_it_is_judged(arrays, memory):
    model = CausalStacking(memory, **{**FAST, "n_folds": 4}).fit(**arrays)
    data = model.trial_data_
    # The last covariate names the cluster: 1 would mean that it was learned from.
    np.testing.assert_array_equal(model.out_of_fold_.effects[:, 0], 0)
    np.testing.assert_array_equal(model.members_["a"].predict_effect(data.X), 1)
    folds = [np.unique(model.out_of_fold_.folds[data.clusters == cluster]) for cluster in range(12)]
    assert all(len(fold) == 1 for fold in folds)
    of_cluster = np.array([fold[0] for fold in folds])
    arm = np.array([data.treatment[data.clusters == cluster][0] for cluster in range(12)])
    for value in (0, 1):
        assert sorted(np.bincount(of_cluster[arm == value], minlength=4)) == [1, 1, 2, 2]
    # A fit to all rows and one without each fold.
    assert Memory.fits == 3 * 5


def test_outcomes_are_out_of_fold_too_and_marginal_over_clusters(arrays):
    model = RStacking(QUICK, **FAST).fit(**arrays)
    data, found = model.trial_data_, model.out_of_fold_
    outside = found.folds == 1
    part = data.take(~outside)
    alone = LinearMixedModel().fit(part.X, without_average_effect(part), clusters=part.clusters)
    np.testing.assert_allclose(found.mean[outside], alone.predict(data.X[outside]))
    treated = data.take(~outside & (data.treatment == 1))
    alone = LinearMixedModel().fit(treated.X, treated.y, clusters=treated.clusters)
    np.testing.assert_allclose(found.treated[outside], alone.predict(data.X[outside]))


def test_members_of_several_ensembles_are_refitted_once(arrays, memory):
    estimators = {
        "R": RStacking(memory, **FAST),
        "Q": QAggregation(memory[:2], **FAST),
        "three folds": TStacking(memory[:2], **{**FAST, "n_folds": 3}),
        "CBA": ConsensusAverage(memory),
    }
    data = validate_trial(**arrays)
    together = fit_together(estimators, data, 3)
    # Three members on all rows; three without each of two folds; two without each of three.
    assert Memory.fits == 3 + 3 * 2 + 2 * 3
    for name, estimator in estimators.items():
        assert together[name].message == ""
        alone = estimator.set_params(random_state=3).fit_data(data)
        assert together[name].estimator.weights_ == alone.weights_
        assert together[name].seconds > 0


def test_regressions_are_shared_within_a_fold(arrays, monkeypatch):
    sizes = []
    fit = LinearMixedModel.fit

    def counted(self, X, *args, **named):
        sizes.append(len(X))
        return fit(self, X, *args, **named)

    monkeypatch.setattr(LinearMixedModel, "fit", counted)
    two = [("T", TLearner(LinearMixedModel())), ("X", single_estimator("X-LMM"))]
    two[1][1].set_params(outcome_model=LinearMixedModel())
    CausalStacking(two, **FAST).fit(**arrays)
    # For all rows and without each of two folds: two arms, shared, and the second stage of X;
    # then mean, control and treated on two folds.
    assert len(sizes) == 3 * (2 + 2) + 2 * 3


@pytest.mark.filterwarnings("ignore:member:tauhat.errors.TauhatWarning")
def test_a_member_that_fails_in_a_fold_is_left_out(arrays, memory):
    class Fragile(Memory):
        def fit_effect(self, data, nuisances, seed):
            if data.n < 90:
                raise RuntimeError("too few rows")
            super().fit_effect(data, nuisances, seed)

    members = [*memory, ("fragile", Fragile())]
    with pytest.warns(TauhatWarning, match="fragile failed: without fold 1: RuntimeError: too few"):
        model = ExponentialWeights(members, **FAST).fit(**arrays)
    assert set(model.weights_) == {"a", "b", "c"}
    assert model.out_of_fold_.effects.shape == (96, 3)
    assert "too few rows" in model.failures_["fragile"]
    fits = fit_together({"E": ExponentialWeights(members, **FAST)}, model.trial_data_, 3)
    assert "member fragile: without fold 1" in fits["E"].message
    with pytest.raises(ValueError, match="every member failed"):
        RStacking([("x", Fragile()), ("y", Fragile(1))], **FAST).fit(**arrays)


@pytest.mark.filterwarnings("ignore")
def test_few_clusters_are_enough():
    X, y, treatment, clusters = example_trial(n_clusters=6, size=10)
    model = RStacking(QUICK, random_state=1).fit(X, y, treatment=treatment, clusters=clusters)
    assert np.unique(model.out_of_fold_.folds).tolist() == [0, 1, 2]
    assert np.isfinite(model.effect(X)).all()


@pytest.mark.parametrize("name", list(AGGREGATIONS))
def test_another_rule_for_fitted_members_is_that_of_a_direct_fit(name, arrays):
    rule = AGGREGATIONS[name].make
    settings = FAST if "n_folds" in rule().get_params() else {"random_state": 3}
    direct = rule(QUICK, **settings).fit(**arrays)
    source = CausalStacking(QUICK, **FAST).fit(**arrays)
    again = source.reaggregate(name)
    assert type(again) is rule
    assert again.weights_ == direct.weights_
    assert again.kept_ == direct.kept_
    assert again.agreement_.equals(direct.agreement_)
    np.testing.assert_array_equal(again.effect(arrays["X"]), direct.effect(arrays["X"]))
    copy = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(copy.effect(arrays["X"]), direct.effect(arrays["X"]))


def test_another_rule_refits_nothing_and_leaves_the_source_alone(arrays, memory):
    source = CausalStacking(memory, **FAST).fit(**arrays)
    before, weights = Memory.fits, dict(source.weights_)
    again = source.reaggregate(QAggregation(nu=1.0, n_folds=7))
    assert Memory.fits == before
    assert again.nu == 1.0
    assert again.n_folds == 2
    assert again.members_["a"] is source.members_["a"]
    assert source.weights_ == weights


def test_rules_that_need_more_than_the_source_has(arrays):
    source = MedianEffect(QUICK, random_state=3).fit(**arrays)
    with pytest.raises(TrialError, match="this Median has none: fit R-Stacking or another"):
        source.reaggregate("R-Stacking")
    again = source.reaggregate(RStacking(**FAST), cross_fit=True)
    direct = RStacking(QUICK, **FAST).fit(**arrays)
    assert again.weights_ == direct.weights_
    np.testing.assert_array_equal(again.effect(arrays["X"]), direct.effect(arrays["X"]))
    with pytest.raises(TrialError, match=r"unknown aggregation 'R-Stack'; did you mean R-Stacking"):
        source.reaggregate("R-Stack")
    with pytest.raises(TrialError, match="StackedX does not weigh the effects of members"):
        source.reaggregate(StackedX())


def test_members_given_as_names_alone_are_refused_by_a_sentence(arrays):
    data = validate_trial(**arrays)
    with pytest.raises(TrialError, match="members are pairs of name and estimator"):
        ConsensusAverage(["LMM", "GAMM"]).plan(data, 1)


@pytest.mark.parametrize("rule", [TStacking, RStacking])
def test_where_no_member_has_weight_everybody_has_the_constant(rule):
    X, y, arm, clusters = example_trial()
    model = rule(QUICK, **FAST).fit(X, y, treatment=arm, clusters=clusters)
    nothing = dict.fromkeys(model.weights_, 0.0)
    model.weighing_ = replace(model.weighing_, shares=nothing)
    np.testing.assert_array_equal(model.effect(X), np.full(len(X), model.weighing_.intercept))


def test_effects_asked_for_together_are_those_of_each_with_every_model_asked_once(
    arrays, memory, monkeypatch
):
    members = [*memory, *QUICK]
    wanted = {
        "a": members[0][1],
        "X-LMM": members[-1][1],
        "mean": ConsensusAverage(members, random_state=3),
        "stack": CausalStacking(members, **FAST),
        "median": MedianEffect(members, random_state=3),
        "sized": Recalibrated(members[-1][1], n_folds=2, random_state=3),
    }
    data = validate_trial(**arrays)
    fits = fit_together(wanted, data, seed=3)
    fitted = {name: fit.estimator for name, fit in fits.items()}
    new = np.random.default_rng(2).normal(size=(40, arrays["X"].shape[1]))
    # A value far outside is read as the trial's own limit, together as alone.
    new[0, 0] = 1e9
    with pytest.warns(TauhatWarning, match="far outside"):
        alone = {name: one.effect(new) for name, one in fitted.items()}
    asked = []
    predict = Memory.predict_effect

    def counted(self, X):
        asked.append(self.tag)
        return predict(self, X)

    monkeypatch.setattr(Memory, "predict_effect", counted)
    with pytest.warns(TauhatWarning, match="far outside"):
        together = effects_together(fitted, new)
    assert list(together) == list(wanted)
    for name, effect in alone.items():
        np.testing.assert_array_equal(together[name], effect, err_msg=name)
    assert sorted(asked) == [0, 1, 2]
