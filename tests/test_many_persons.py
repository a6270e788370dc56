"""Trials of more than 20,000 persons: less work, the same answers."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from cli_runs import leave_out_the_slow
from heterogeneity_trials import person_trial
from tauhat.analysis import analyze, workflow
from tauhat.design import permutations
from tauhat.design.permutations import assignments, person_groups
from tauhat.inference import effect_modifiers, heterogeneity, modifiers, test_heterogeneity
from tauhat.inference.heterogeneity import DEFAULT_WEIGHTS
from tauhat.inference.heterogeneity_comparison import Problem
from tauhat.inference.inputs import ordered_trial
from tauhat.learners import CausalForest, causal_forest
from tauhat.learners.linear_mixed_effect import LinearMixedEffect
from tauhat.numerics import elastic_net_path, ridge_dictionary, ridge_posterior
from tauhat.numerics import standardised_columns as columns
from tauhat.numerics.elastic_net_path import fit_elastic_net
from tauhat.numerics.ridge_posterior import sample_ridge_posterior
from tauhat.outcome import ElasticNetModel, boosting
from tauhat.outcome.boosting import BoostedTrees
from tauhat.trial.trial import Trial


@pytest.fixture
def in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of n / 60 persons in trials of more than a hundred."""
    monkeypatch.setattr(heterogeneity, "MANY_PERSONS", 100)
    monkeypatch.setattr(permutations, "_GROUPS", 60)


@pytest.mark.usefixtures("in_groups")
def test_groups_are_of_one_arm_and_stratum_and_the_rest_stays_where_it_is():
    rng = np.random.default_rng(1)
    stratum = rng.permutation(np.repeat([0, 1, 2], [400, 180, 20]))
    arm = np.zeros(600, dtype=int)
    for s, treated in ((0, 203), (1, 60), (2, 5)):
        arm[rng.permutation(np.flatnonzero(stratum == s))[:treated]] = 1
    groups = person_groups(arm, stratum, 1)
    for number in range(len(groups.arm)):
        members = groups.number == number
        assert set(arm[members]) == {groups.arm[number]}
        assert len(set(stratum[members])) == 1
        assert members.sum() == groups.persons[number]
    moved = groups.stratum < 3
    # Tens; of the 60 treated of the second stratum sixes; and single persons of the third.
    sizes = {s: set(groups.persons[groups.stratum == s].tolist()) for s in range(3)}
    assert sizes == {0: {10}, 1: {6}, 2: {1}}
    assert groups.persons[~moved].tolist() == [7, 3]
    drawn = assignments(groups.arm, groups.stratum, n_permutations=50, random_state=1)
    rows = np.concatenate(list(drawn.batches()))
    assert (rows[:, ~moved] == groups.arm[~moved]).all()
    assert (rows @ groups.persons == arm.sum()).all()


@pytest.mark.usefixtures("in_groups")
def test_statistics_of_groups_are_those_of_their_persons():
    rng = np.random.default_rng(2)
    X, y, arm = person_trial(2, n=301)
    weight, blocks = rng.uniform(0.5, 2, 301), rng.integers(0, 2, 301)
    ordered = ordered_trial((X, y, arm, None, weight, blocks))
    data = ordered.data
    groups = person_groups(data.treatment, data.design.strata, 1)
    drawn = assignments(groups.arm, groups.stratum, n_permutations=20, random_state=1)
    (of_groups,) = drawn.batches()
    of_persons = of_groups[:, groups.number]
    assert 50 < len(groups.arm) < 70
    one = Problem.of(ordered, DEFAULT_WEIGHTS)
    other = Problem.of(ordered, DEFAULT_WEIGHTS, groups)
    assert set(one.statistics) == {"linear", "curvature", "products"}
    for name, statistic in one.statistics.items():
        np.testing.assert_allclose(other.statistics[name](of_groups), statistic(of_persons))
    np.testing.assert_allclose(
        other.columns[0][1](of_groups), one.columns[0][1](of_persons), atol=1e-9
    )


def test_p_values_of_groups_are_near_those_of_persons(monkeypatch: pytest.MonkeyPatch):
    trials = [person_trial(seed, n=400, slope=0.15) for seed in range(6)]
    single = [test_heterogeneity(trial, random_state=1, n_permutations=999) for trial in trials]
    monkeypatch.setattr(heterogeneity, "MANY_PERSONS", 100)
    monkeypatch.setattr(permutations, "_GROUPS", 100)
    grouped = [test_heterogeneity(trial, random_state=1, n_permutations=999) for trial in trials]
    assert {result.method for result in grouped} == {
        "Weighted min-p permutation test of components; groups of up to 4 persons permuted, "
        "999 random assignments"
    }
    apart = [abs(a.p_value - b.p_value) for a, b in zip(single, grouped, strict=True)]
    assert 0 < max(apart) < 0.2


def test_large_forests_see_as_many_rows_a_tree_as_smaller_ones(monkeypatch: pytest.MonkeyPatch):
    X, y, arm = person_trial(3, n=600, slope=1.0)
    forest = CausalForest(ElasticNetModel(), n_estimators=80, random_state=1)
    usual = forest.fit(X, y, treatment=arm).forest_
    monkeypatch.setattr(causal_forest, "MANY_ROWS", 300)
    large = forest.fit(X, y, treatment=arm).forest_
    assert (len(usual), len(large)) == (80, 20)
    rows = [f.estimators_[0].tree_.n_node_samples[0] for f in (usual, large)]
    assert rows[1] == pytest.approx(0.25 * rows[0], abs=2)
    assert np.corrcoef(forest.effect(X), 0.4 + X[:, 1])[0, 1] > 0.8


@pytest.mark.parametrize("with_clusters", [False, True])
def test_features_of_a_part_of_the_rows_give_the_posterior_of_all(
    with_clusters: bool, monkeypatch: pytest.MonkeyPatch
):
    X, y, arm = person_trial(4, n=600, slope=0.7)
    clusters = np.arange(600) % 30 if with_clusters else None
    once = sample_ridge_posterior(X, y, arm, clusters, None, 1)
    # Learned on all rows but one, and made in parts of twenty.
    monkeypatch.setattr(ridge_posterior, "MANY_ROWS", 599)
    monkeypatch.setattr(ridge_dictionary, "MANY_ROWS", 10)
    monkeypatch.setattr(columns, "_NUMBERS_AT_ONCE", 20)
    monkeypatch.setattr(columns, "_FEWEST_ROWS", 20)
    parts = sample_ridge_posterior(X, y, arm, clusters, None, 1)
    draws = [posterior.effect_draws(X) for posterior in (once, parts)]
    means, spreads = ([f(d, axis=0) for d in draws] for f in (np.mean, np.std))
    assert np.abs(means[0] - means[1]).mean() < 0.1 * spreads[0].mean()
    np.testing.assert_allclose(spreads[1].mean(), spreads[0].mean(), rtol=0.1)


def test_boosting_of_many_persons_chooses_its_rounds_by_one_fold(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(900, 3))
    y = 2.0 * (X[:, 0] > 0) + rng.normal(size=900)
    rounds = [BoostedTrees(random_state=1).fit(X, y).n_rounds_]
    monkeypatch.setattr(boosting, "MANY_ROWS", 800)
    rounds += [BoostedTrees(random_state=1).fit(X, y).n_rounds_]
    of_clusters = BoostedTrees(random_state=1).fit(X, y, clusters=np.arange(900) // 9)
    monkeypatch.setattr(boosting, "MANY_ROWS", 20_000)
    again = BoostedTrees(random_state=1).fit(X, y, clusters=np.arange(900) // 9)
    assert rounds[0] != rounds[1]
    assert 20 < min(rounds) <= max(rounds) < 200
    assert of_clusters.n_rounds_ == again.n_rounds_


@pytest.mark.parametrize("weighted", [False, True])
def test_elastic_net_of_many_persons_subtracts_sums_and_chooses_the_same(
    monkeypatch: pytest.MonkeyPatch, weighted: bool
):
    rng = np.random.default_rng(6)
    X = 3.0 * rng.normal(size=(400, 7)) + 5.0
    y = X[:, 0] + 0.3 * X[:, 1] + 10.0 + 5.0 * rng.normal(size=400)
    weight = rng.uniform(0.2, 3.0, 400) if weighted else None
    settings = {"sample_weight": weight, "l1_ratios": (0.5, 1.0)}
    usual = fit_elastic_net(X, y, np.arange(400) % 5, **settings)
    monkeypatch.setattr(elastic_net_path, "_MANY_ROWS", 300)
    monkeypatch.setattr(elastic_net_path, "_Fold", None)
    many = fit_elastic_net(X, y, np.arange(400) % 5, **settings)
    assert (many.penalty, many.l1_ratio) == (usual.penalty, usual.l1_ratio)
    assert many.cv_error == pytest.approx(usual.cv_error, rel=1e-12)


def test_members_of_many_persons_are_predicted_once(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(7)
    X, y, arm = person_trial(7, n=300)
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])]).assign(y=y, arm=arm)
    frame = frame.iloc[rng.permutation(300)]
    trial = Trial(frame, outcome="y", treatment="arm")
    settings = {"models": ["LMM", "T-LMM", "X-LMM"], "random_state": 1, "n_permutations": 99}
    calls: list[int] = []
    predict = LinearMixedEffect.predict_effect

    def counted(model: LinearMixedEffect, rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        return predict(model, rows)

    leave_out_the_slow(monkeypatch)
    monkeypatch.setattr(LinearMixedEffect, "predict_effect", counted)
    usual = analyze(trial, **settings)
    before = len(calls)
    monkeypatch.setattr(workflow, "MANY_ROWS", 200)
    many = analyze(trial, **settings)
    assert len(calls) - before < before
    pd.testing.assert_frame_equal(many.effects, usual.effects, rtol=1e-9)
    pd.testing.assert_frame_equal(many.member_effects, usual.member_effects, rtol=1e-9)


def test_error_of_many_persons_is_that_of_the_draws(monkeypatch: pytest.MonkeyPatch):
    X, y, arm = person_trial(8, n=300)
    posterior = sample_ridge_posterior(X, y, arm, None, None, 1, n_points=32, draws=50)
    usual = posterior.expected_error(X, X[:, 0])
    monkeypatch.setattr(ridge_posterior, "MANY_ROWS", 200)
    np.testing.assert_allclose(posterior.expected_error(X, X[:, 0]), usual, rtol=1e-10)


def test_modifiers_of_many_persons_are_described_on_a_part(monkeypatch: pytest.MonkeyPatch):
    X, y, arm = person_trial(9, n=3_000)
    effects = X[:, 1] + 0.5 * X[:, 0]
    everyone = effect_modifiers(effects, (X, y, arm))
    monkeypatch.setattr(modifiers, "MANY_PERSONS", 1_000)
    part = effect_modifiers(effects, (X, y, arm))
    assert part.strongest[:2] == everyone.strongest[:2]
    assert part.effect_sd == everyone.effect_sd
    apart = part.table.set_index("covariate").share - everyone.table.set_index("covariate").share
    assert 0 < apart.abs().max() < 0.1


@pytest.mark.slow
@pytest.mark.usefixtures("in_groups")
@pytest.mark.parametrize("skewed", [False, True])
def test_permuting_groups_keeps_the_size(skewed: bool):
    p_values = np.array([
        test_heterogeneity(
            person_trial(seed, n=600, skewed=skewed),
            random_state=seed,
            n_permutations=199,
            significance_level=0.9999,
        ).p_value
        for seed in range(800)
    ])  # fmt: skip
    print(f"skewed {skewed}: {(p_values <= 0.05).mean():.3f}")
    # 3 Monte Carlo errors above .05.
    assert (p_values <= 0.05).mean() < 0.073
    assert (p_values <= 0.2).mean() < 0.243


@pytest.mark.slow
def test_cpu_of_thirty_thousand_persons():
    X, y, arm = person_trial(1, n=30_000)
    start = time.process_time()
    test_heterogeneity((X, y, arm), random_state=1, significance_level=0.9999)
    # It took 3.5 seconds; permuting single persons took 25.
    assert time.process_time() - start < 10
