"""Ensembles: the weights of each against closed forms, and what they are invariant to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear, minimize

from tauhat.ensembles import (
    CausalStacking,
    ConsensusAverage,
    ExponentialWeights,
    MedianEffect,
    QAggregation,
    RStacking,
    StackedX,
    TrimmedMeanEffect,
    TStacking,
)
from tauhat.ensembles.aggregations import AGGREGATIONS
from tauhat.ensembles.losses import effect_loss
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.learners.catalog import single_estimator
from tauhat.learners.outcome_models import outcome_model
from tauhat.numerics.whitening import contrast_variances
from tauhat.outcome.linear_mixed import LinearMixedModel
from tauhat.simulate import scenario

LEARNED = (TStacking, RStacking, CausalStacking, QAggregation, ExponentialWeights)


class Known(CateEstimator):
    """An effect that is known beforehand: a line in one covariate."""

    def __init__(self, column=0, slope=1.0, level=0.0, random_state=None, n_jobs=1):
        self.column = column
        self.slope = slope
        self.level = level
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data, seed):
        return ()

    def fit_effect(self, data, nuisances, seed):
        pass

    def predict_effect(self, X):
        return self.level + self.slope * X[:, self.column]


KNOWN = [
    ("right", Known(0, level=0.5)),
    ("wrong", Known(1, level=0.5)),
    ("constant", Known(0, slope=0.0, level=0.5)),
    ("opposite", Known(0, slope=-1.0, level=0.5)),
]
QUICK = [(name, single_estimator(name)) for name in ("LMM", "T-LMM", "X-LMM")]


def persons(n=1500, seed=0, noise=1.0):
    """Persons randomized 1:2 in one block and 1:1 in the other; the effect is .5 + x1."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    blocks = np.arange(n) % 2
    A = np.where(blocks == 0, np.arange(n) // 2 % 3 == 0, np.arange(n) // 2 % 2 == 0).astype(int)
    y = X[:, 2] + A * (0.5 + X[:, 0]) + noise * rng.normal(size=n)
    return {"X": X, "y": y, "treatment": A, "blocks": blocks}


def clustered(m=30, size=20, seed=0, between=1.0):
    """Clusters with a large intercept; the effect is .5 + x1."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    A = clusters % 2
    X = rng.normal(size=(m * size, 3))
    y = X[:, 2] + A * (0.5 + X[:, 0]) + between * rng.normal(size=m)[clusters]
    return {"X": X, "y": y + rng.normal(size=m * size), "treatment": A, "clusters": clusters}


def fit(rule, trial, members=KNOWN, **settings):
    if rule in LEARNED:
        settings = {"n_folds": 3, "outcome_model": LinearMixedModel(), **settings}
    return rule(members, random_state=3, **settings).fit(**trial)


@pytest.fixture(scope="module")
def quick_trial():
    rng = np.random.default_rng(5)
    clusters = np.repeat(np.arange(12), 8)
    X = rng.normal(size=(96, 2))
    A = clusters % 2
    y = X[:, 0] + A * (0.5 + X[:, 1]) + 0.5 * rng.normal(size=12)[clusters]
    return {"X": X, "y": y + rng.normal(size=96), "treatment": A, "clusters": clusters}


@pytest.mark.parametrize("trial", [persons(), clustered()], ids=["persons", "clusters"])
@pytest.mark.parametrize("rule", LEARNED)
def test_the_right_member_is_found(rule, trial):
    model = fit(rule, trial)
    assert model.weights_["right"] > 0.85
    assert sum(model.weights_[name] for name in ("wrong", "opposite")) < 0.06
    effect = model.effect(trial["X"])
    truth = 0.5 + trial["X"][:, 0]
    assert np.sqrt(np.mean((effect - effect.mean() - truth + truth.mean()) ** 2)) < 0.15
    assert model.kept_ == [name for name in sorted(model.weights_) if model.weights_[name] != 0]


@pytest.mark.parametrize("rule", [CausalStacking, QAggregation, ExponentialWeights])
def test_a_wrong_level_counts_where_persons_but_not_where_clusters_were_randomized(rule):
    members = [("high", Known(0, level=3.0)), ("flat", Known(0, slope=0.0, level=0.5))]
    assert fit(rule, persons(), members).weights_["high"] < 0.5
    assert fit(rule, clustered(), members).weights_["high"] > 0.9


@pytest.mark.parametrize("rule", [TStacking, RStacking])
def test_a_free_constant_puts_the_level_right(rule):
    members = [("high", Known(0, level=3.0)), ("wrong", Known(1, level=-2.0))]
    model = fit(rule, persons(4000), members)
    assert model.effect(np.zeros((1, 3)))[0] == pytest.approx(0.5, abs=0.15)
    model = fit(rule, clustered(60, between=0.3), members)
    assert model.effect(np.zeros((1, 3)))[0] == pytest.approx(0.5, abs=0.3)


def scores(model):
    """Doubly robust scores and centred transformed outcomes, written out by arm."""
    data, found = model.trial_data_, model.out_of_fold_
    pi, A = data.propensity, data.treatment
    doubly_robust = np.where(
        A == 1,
        found.treated + (data.working - found.treated) / pi - found.control,
        found.treated - found.control - (data.working - found.control) / (1 - pi),
    )
    transformed = np.where(A == 1, 1 / pi, -1 / (1 - pi)) * (data.working - data.working.mean())
    return doubly_robust, transformed


def test_the_losses_of_persons_are_those_of_the_textbook():
    trial = persons(300)
    model = fit(CausalStacking, trial)
    assert len(np.unique(model.trial_data_.propensity)) == 2
    for kind, score in zip(("doubly-robust", "transformed"), scores(model), strict=True):
        loss = effect_loss(kind, model.trial_data_, model.out_of_fold_)
        target, columns = loss.system()
        mine = ((target[:, None] - columns) ** 2).sum(axis=0)
        theirs = ((score[:, None] - model.out_of_fold_.effects) ** 2).sum(axis=0)
        np.testing.assert_allclose(mine / mine[0], theirs / theirs[0], rtol=1e-10)


def test_causal_stacking_of_two_is_a_projection():
    members = [("flat", Known(0, slope=0.0)), ("steep", Known(0, slope=2.0, level=1.0))]
    model = fit(CausalStacking, persons(400), members)
    score, _ = scores(model)
    flat, steep = model.out_of_fold_.effects.T
    expected = (score - flat) @ (steep - flat) / ((steep - flat) @ (steep - flat))
    assert 0.3 < expected < 0.7
    assert model.weights_["steep"] == pytest.approx(expected, abs=1e-6)


def test_q_aggregation_is_the_minimum_of_its_criterion():
    trial, prior = persons(200, noise=3.0), {"right": 1, "wrong": 2, "constant": 3, "opposite": 4}
    model = fit(QAggregation, trial, nu=0.3, beta=2.0, prior=prior)
    score, _ = scores(model)
    effects = model.out_of_fold_.effects
    share = np.array([prior[name] for name in model.weights_]) / 10
    loss = effect_loss("doubly-robust", model.trial_data_, model.out_of_fold_)
    each = ((score[:, None] - effects) ** 2).sum(axis=0)
    # The loss in units of its own variance, so that beta is.
    each_scaled = np.array(list(model.weighing_.scores.values()))
    unit = each[0] / each_scaled[0]
    np.testing.assert_allclose(each_scaled, each / unit, rtol=1e-10)
    assert loss.variance == pytest.approx(9, rel=0.3)

    def criterion(w):
        own = 0.7 * ((score - effects @ w) ** 2).sum() + 0.3 * each @ w
        return own / unit - 2.0 * np.log(share) @ w

    best = minimize(
        criterion,
        np.full(4, 0.25),
        method="SLSQP",
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14},
    )
    weights = np.array(list(model.weights_.values()))
    assert criterion(weights) <= best.fun + 1e-6
    np.testing.assert_allclose(weights, best.x, atol=1e-3)


def test_q_aggregation_with_the_members_own_losses_only_picks_the_best():
    model = fit(QAggregation, persons(300, noise=3.0), nu=1.0)
    best = min(model.weighing_.scores, key=model.weighing_.scores.get)
    assert model.weights_[best] == pytest.approx(1, abs=1e-4)


def test_q_aggregation_without_them_is_causal_stacking():
    # Without the opposite member: it and the right one have the constant as their mean.
    trial = persons(300, noise=3.0)
    model = fit(QAggregation, trial, KNOWN[:3], nu=0.0)
    convex = fit(CausalStacking, trial, KNOWN[:3])
    assert model.weights_ == pytest.approx(convex.weights_, abs=1e-6)


def test_exponential_weights_follow_the_losses_and_the_prior():
    trial = persons(60, noise=3.0)
    prior = {"right": 1, "wrong": 1, "constant": 4, "opposite": 1}
    model = fit(ExponentialWeights, trial, temperature=5.0, prior=prior)
    losses = np.array(list(model.weighing_.scores.values()))
    weights = np.array(list(model.weights_.values()))
    share = np.array([prior[name] for name in model.weights_])
    np.testing.assert_allclose(
        np.diff(np.log(weights / share)), -np.diff(losses) / 5.0, rtol=1e-9, atol=1e-12
    )
    assert weights.sum() == pytest.approx(1)


def test_r_stacking_is_bounded_least_squares():
    members = [*KNOWN, ("steep", Known(2, slope=0.1))]
    model = fit(RStacking, persons(500, noise=2.0), members)
    data = model.trial_data_
    a = data.treatment - data.propensity
    design = np.column_stack([np.ones(data.n), a, a[:, None] * model.out_of_fold_.effects])
    # The constant member's column is that of the free level; the rule gives it no weight.
    lower = np.r_[-np.inf, -np.inf, np.zeros(5)]
    place = list(model.weights_).index("constant")
    upper = np.full(7, np.inf)
    upper[2 + place] = 1e-12
    found = lsq_linear(
        design, data.working - model.out_of_fold_.mean, (lower, upper), method="bvls"
    )
    np.testing.assert_allclose(list(model.weights_.values()), found.x[2:], atol=1e-8)
    assert model.weights_["constant"] == 0
    assert model.weighing_.intercept == pytest.approx(found.x[1], abs=1e-8)


def test_convex_r_stacking_keeps_the_sum():
    model = fit(RStacking, persons(500), weights="convex")
    assert sum(model.weights_.values()) == pytest.approx(1, abs=1e-12)
    assert model.weighing_.intercept == 0


def test_t_stacking_by_least_squares_is_a_regression():
    members = [KNOWN[0], KNOWN[1], ("third", Known(2))]
    trial = persons(300)
    del trial["blocks"]
    model = fit(TStacking, trial, members, weights="ols")
    _, transformed = scores(model)
    design = np.column_stack([np.ones(300), model.out_of_fold_.effects])
    # Two arms of unequal size have unequal precision: weighed by the contrast it is plain.
    expected = np.linalg.lstsq(design, transformed, rcond=None)[0]
    np.testing.assert_allclose(
        [model.weighing_.intercept, *model.weights_.values()], expected, atol=1e-8
    )


def test_the_loss_of_clusters_is_generalised_least_squares_on_heterogeneity():
    trial = clustered(8, 5, between=2.0)
    model = fit(CausalStacking, trial)
    data, found = model.trial_data_, model.out_of_fold_
    loss = effect_loss("doubly-robust", data, found)
    assert loss.heterogeneity_only
    a = data.treatment - data.propensity
    same = data.clusters[:, None] == data.clusters[None, :]
    residual = data.working - found.mean
    design = np.column_stack([np.ones(data.n), a])

    def dense(ratio):
        inverse = np.linalg.inv(np.eye(data.n) + ratio * same)
        hat = design @ np.linalg.solve(design.T @ inverse @ design, design.T @ inverse)
        left = (np.eye(data.n) - hat) @ (residual[:, None] - a[:, None] * found.effects)
        return np.einsum("ik,ij,jk->k", left, inverse, left)

    between, within = contrast_variances(residual, a, data.X, data.clusters)
    assert between > 0.3
    np.testing.assert_allclose(loss.of_each(), dense(between / within) / within, rtol=1e-8)


def test_levels_of_members_do_not_matter_to_weights_where_clusters_were_randomized():
    trial = clustered(10, 10)
    moved = [(name, Known(m.column, m.slope, 7.0 * i)) for i, (name, m) in enumerate(KNOWN)]
    for rule in (RStacking, ExponentialWeights):
        assert fit(rule, trial).weights_ == pytest.approx(fit(rule, trial, moved).weights_)


@pytest.mark.parametrize("name", [name for name in AGGREGATIONS if name != "CBA"])
def test_order_of_members_jobs_arms_and_units_of_the_outcome(name, quick_trial):
    rule, X = AGGREGATIONS[name].make, quick_trial["X"]
    effect = fit(rule, quick_trial, QUICK).effect(X)
    # One rule is enough to try two jobs: all share the code that fits the members.
    jobs = 2 if name == "Causal-Stacking" else 1
    reverse = fit(rule, quick_trial, QUICK[::-1], n_jobs=jobs).effect(X)
    np.testing.assert_array_equal(effect, reverse)
    swapped = fit(rule, {**quick_trial, "treatment": 1 - quick_trial["treatment"]}, QUICK)
    np.testing.assert_allclose(swapped.effect(X), -effect, atol=1e-6)
    scaled = fit(rule, {**quick_trial, "y": 10 + 3 * quick_trial["y"]}, QUICK)
    np.testing.assert_allclose(scaled.effect(X), 3 * effect, atol=1e-4)


def test_median_and_trimmed_mean_are_taken_person_by_person():
    members = [(str(i), Known(i, slope=s)) for i, s in enumerate((1.0, 1.0, 1.0))]
    members.append(("far", Known(0, slope=0.0, level=100.0)))
    trial = persons(60)
    x = np.sort(trial["X"], axis=1)
    median = fit(MedianEffect, trial, members)
    np.testing.assert_allclose(median.effect(trial["X"]), x[:, 1:].mean(axis=1))
    assert median.weights_["far"] == 0
    trimmed = fit(TrimmedMeanEffect, trial, members)
    np.testing.assert_allclose(trimmed.effect(trial["X"]), x[:, 1:].mean(axis=1))
    three = fit(MedianEffect, trial, members[:3])
    np.testing.assert_allclose(three.effect(trial["X"]), x[:, 1])
    middle = np.argsort(three.trial_data_.X, axis=1)[:, 1]
    shares = np.bincount(middle, minlength=3) / 60
    np.testing.assert_allclose(list(three.weights_.values()), shares)
    with pytest.raises(ValueError, match="trim=2 at each end leaves none of 4 members"):
        fit(TrimmedMeanEffect, trial, members, trim=2)


def test_settings_that_make_no_sense_are_refused():
    trial = persons(40)
    bad = [
        (QAggregation, {"nu": 1.5}, "nu must lie between 0 and 1"),
        (QAggregation, {"beta": -1}, "beta must not be negative"),
        (QAggregation, {"prior": {"right": 1.0}}, "prior needs a positive weight"),
        (ExponentialWeights, {"temperature": 0}, "temperature must be positive"),
        (RStacking, {"weights": "ols"}, "weights must be 'nnls' or 'convex'"),
        (TStacking, {"weights": "convex"}, "weights must be 'nnls' or 'ols'"),
        (CausalStacking, {"n_folds": 1}, "n_folds must be at least 2"),
    ]
    for rule, settings, message in bad:
        with pytest.raises(ValueError, match=message):
            fit(rule, trial, **settings)


def test_stacked_x_has_weights_for_each_stage():
    trial = scenario("linear").draw(120, random_state=1)
    members = [(name, outcome_model(name)) for name in ("LMM", "GAMM")]
    members.append(("again", LinearMixedModel(shrinkage=True)))
    model = StackedX(members, outcome_weights="convex", effect_weights="nnls", random_state=1).fit(
        *trial
    )
    for stack in model.learner_.outcome_models_:
        assert stack.intercept_ == 0
        assert stack.weights_.sum() == pytest.approx(1)
    for stack in model.learner_.effect_models_:
        assert stack.weights_.min() >= 0
        assert stack.intercept_ != 0
    one = StackedX(members, weights="ridge", random_state=1).fit(*trial)
    both = StackedX(members, outcome_weights="ridge", effect_weights="ridge", random_state=1)
    np.testing.assert_array_equal(one.effect(trial.X), both.fit(*trial).effect(trial.X))


def test_cba_and_learned_rules_name_weights_of_every_member(quick_trial):
    for rule in (*LEARNED, ConsensusAverage, MedianEffect, TrimmedMeanEffect):
        model = fit(rule, quick_trial, QUICK)
        assert list(model.weights_) == ["LMM", "T-LMM", "X-LMM"]
        assert np.isfinite(list(model.weights_.values())).all()
