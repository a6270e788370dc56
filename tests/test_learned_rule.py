"""The flagship's learned rule: what it says, what must not matter, and what it was learned from."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tauhat.simulate as simulate
from tauhat.data import validate_trial
from tauhat.ensembles import RobustEnsemble
from tauhat.ensembles.distance import respects_of
from tauhat.ensembles.learned_rule import LearnedRule, learned_rule, shape_clues
from tauhat.ensembles.learned_weights import RuleWeights
from tauhat.ensembles.robust import CLUSTER_LEARNED
from tauhat.errors import TauhatWarning
from tauhat.fitting.learning_view import learning_view
from tauhat.learners.linear_mixed_effect import LinearMixedEffect
from tauhat.numerics.effect_evidence import EffectEvidence
from tauhat.report.cannot_show import limits
from tauhat.report.first_part import unknown
from tauhat.report.text import certainty_answer
from tauhat.simulate import BroadTrial, scenario, scenario_names
from tauhat.simulate.random_surfaces import SHAPES, random_surface

RULE = LearnedRule(
    members=("LMM", "GAMM"),
    clues=("straight lines",),
    typical=np.array([0.5]),
    weight=np.array([[0.0, 2.0], [0.0, 0.0]]),
    level=np.array([0.0, np.log(3.0)]),
    shrinkage=(0.0, 1.0),
    width=(0.6, 0.8),
    seen={"persons": (60, 1500), "share treated": (0.3, 0.7), "ICC": (-0.05, 0.5)},
    trials=10,
)


def cluster_trial(effect: float = 0.6, seed: int = 1, m: int = 20) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), 15)
    X = rng.normal(size=(len(clusters), 3))
    A = clusters % 2
    y = X[:, 1] + A * (0.4 + effect * X[:, 0]) + 0.3 * rng.normal(size=m)[clusters]
    return X, y + rng.normal(size=len(y)), A, clusters


@pytest.fixture(scope="module")
def fitted() -> RobustEnsemble:
    X, y, A, clusters = cluster_trial()
    return RobustEnsemble(random_state=3).fit(X, y, treatment=A, clusters=clusters)


def test_weights_of_a_rule_by_hand() -> None:
    odds = np.exp(2.0 * 0.5)
    weights = RULE.weights(["LMM", "GAMM"], {"straight lines": 1.0})
    assert weights == pytest.approx([odds / (1 + odds), 1 / (1 + odds)])
    assert RULE.weights(["GAMM", "LMM"], None) == pytest.approx([0.5, 0.5])
    assert RULE.weights(["GAMM"], {"straight lines": 0.1}) == pytest.approx([1.0])
    assert RULE.level_weights(["LMM", "GAMM"]) == pytest.approx([0.25, 0.75])
    assert RULE.factor(0.0) == 0.5
    assert RULE.factor(-1e9) < 1e-12
    assert [RULE.interval_scale(b) for b in (-3.0, 2.5, 50.0)] == pytest.approx([0.6, 0.7, 0.8])
    assert RULE.unlike({"persons": 100.0}) == []
    assert RULE.unlike({"persons": 1.0}) == ["1 person (60 to 1,500)"]
    assert RULE.unlike({"ICC": 0.9, "share treated": 0.2}) == [
        "20% treated (30% to 70%)",
        "an ICC of 0.90 (-0.05 to 0.50)",
    ]
    assert RULE.unlike({"persons": 5000.0}) == ["5,000 persons (60 to 1,500)"]


def test_distance_counts_doublings_beyond_what_was_seen() -> None:
    assert RULE.distance({"persons": 1500.0, "share treated": 0.5, "ICC": 0.0}) == 0
    assert RULE.distance({"persons": 6000.0, "share treated": 0.5}) == pytest.approx(2)
    assert RULE.distance({"persons": 15.0, "ICC": 0.0}) == pytest.approx(2)
    # Odds of 4 where 7 to 3 was the most, of 9 where even odds were.
    assert RULE.distance({"share treated": 0.8}) == pytest.approx(np.log2(4 / (7 / 3)))
    assert RULE.distance({"ICC": 0.9}) == pytest.approx(np.log2(9))
    # Clusters that are more alike than chance has it are not strange.
    assert RULE.distance({"ICC": -0.2}) == 0


def weighed(m: int, every: int) -> RobustEnsemble:
    """Weights by the rule, of members that were not fitted; one cluster in so many is treated."""
    clusters = np.repeat(np.arange(m), 6)
    A = (clusters % every == 0).astype(int)
    rng = np.random.default_rng(2)
    X = rng.normal(size=(len(A), 3))
    data = learning_view(validate_trial(X, X[:, 0] + rng.normal(size=len(A)), A, clusters))
    respects = respects_of(data)
    assert respects["share treated"] == pytest.approx(1 / every)
    assert respects["variation of cluster sizes"] == 0
    model = RobustEnsemble(random_state=1)
    model.start_fit(data, 1)
    effects = {name: 0.1 + 0.1 * k * X[:, 0] for k, name in enumerate(CLUSTER_LEARNED)}
    model.members_ = dict.fromkeys(effects, LinearMixedEffect())
    model._weigh(effects, None)
    return model


def test_nothing_is_said_of_a_trial_like_those_of_the_rule() -> None:
    told = weighed(12, 2).explain()
    assert told.warning == ""
    assert "Warning" not in told.text
    assert "unlike" not in told.text


def test_a_trial_outside_those_of_the_rule_is_told_and_one_far_outside_warns() -> None:
    near = weighed(96, 4)
    assert near.weighing_.distance == pytest.approx(np.log2(0.5 / (1 / 3)), rel=1e-3)
    assert "unlike those that the rule was learned from: 96 clusters" in near.explain().text
    assert near.explain().warning == ""
    said = (
        r"Robust: This trial lies far outside .* 96 clusters \(8 to 95\); 4% treated \(33% to 73%\)"
    )
    with pytest.warns(TauhatWarning, match=said):
        far = weighed(96, 24)
    assert far.weighing_.distance == pytest.approx(np.log2(0.5 / (1 / 23)), rel=1e-3)
    assert f"Warning: {far.explain().warning}" in far.explain().text


def test_the_stored_rule_knows_the_members_and_is_sane() -> None:
    rule = learned_rule()
    assert set(rule.members) == set(CLUSTER_LEARNED)
    assert rule.shrinkage[1] > 0
    assert all(0.5 < factor <= 1 for factor in rule.width)
    assert rule.factor(20.0) > 0.95
    assert rule.factor(-1.5) < 0.75


def test_no_member_is_refitted_and_the_effect_follows_from_the_weights(
    fitted: RobustEnsemble,
) -> None:
    assert fitted.out_of_fold_ is None
    weighing = fitted.weighing_
    assert isinstance(weighing, RuleWeights)
    X = fitted.trial_data_.X
    effects = fitted.member_effects(X)
    means = {name: effect.mean() for name, effect in effects.items()}
    level = sum(weighing.level_shares[name] * mean for name, mean in means.items())
    varying = sum(w * (effects[name] - means[name]) for name, w in fitted.weights_.items())
    assert sum(fitted.weights_.values()) == pytest.approx(1)
    assert fitted.predict_effect(X) == pytest.approx(level + weighing.shrinkage * varying)
    rule, evidence = learned_rule(), fitted.evidence_
    assert evidence is not None
    assert weighing.clues == shape_clues(evidence)
    assert weighing.shrinkage == rule.factor(evidence.log_bayes_factor)


def test_intervals_are_narrower_by_what_was_learned(fitted: RobustEnsemble) -> None:
    X = fitted.trial_data_.X[:20]
    centre = fitted.predict_effect(X)
    lower, upper = fitted.interval_around(X, centre, 0.95)
    error = fitted.reference_posterior().expected_error(X, centre)
    assert (upper - lower) / 2 == pytest.approx(
        learned_rule().interval_scale(fitted.evidence_.log_bayes_factor) * 2.100922 * error,
        rel=1e-5,
    )


def test_order_of_rows_and_labels_units_and_exchanged_arms_do_not_matter(
    fitted: RobustEnsemble,
) -> None:
    X, y, A, clusters = cluster_trial()
    order = np.random.default_rng(0).permutation(len(y))
    labels = np.array([f"site {(7 * c) % 20}" for c in clusters])
    other = RobustEnsemble(random_state=3)
    other.fit(X[order], 5 - 200 * y[order], treatment=A[order], clusters=labels[order])
    assert np.corrcoef(other.effect(X), -fitted.effect(X))[0, 1] > 0.99
    assert other.effect(X).mean() == pytest.approx(-200 * fitted.effect(X).mean(), rel=0.03)


def test_explanation_names_the_clues(fitted: RobustEnsemble) -> None:
    told = fitted.explain()
    assert list(told.table.columns[:3]) == ["weight", "typical weight", "weight of mean"]
    assert told.table["weight"].sum() == pytest.approx(1)
    assert "Weights by a rule that was learned from" in told.text
    assert "straight lines" in told.text
    assert "unlike" not in told.text
    assert "no clue moved a weight by more than" in told.text


def test_a_member_that_fails_leaves_its_weight_to_the_others() -> None:
    weights = learned_rule().weights(CLUSTER_LEARNED, None)
    fewer = learned_rule().weights(CLUSTER_LEARNED[1:], None)
    assert fewer == pytest.approx(weights[1:] / weights[1:].sum())


def test_broad_trials_are_reproducible_and_of_one_world() -> None:
    for clusters in (False, True):
        source = BroadTrial(clusters=clusters)
        one, again = source.draw(random_state=5), source.draw(random_state=5)
        assert (one.y == again.y).all()
        people = source.population(4000, random_state=5)
        assert len(people.tau) == 4000
        assert list(people.X.columns) == list(one.X.columns)
        assert people.tau.std() == pytest.approx(one.tau.std(), rel=0.5)
    sizes = [len(BroadTrial().draw(random_state=seed).y) for seed in range(20)]
    assert min(sizes) >= 60
    assert max(sizes) <= 3000
    same = [np.ptp(BroadTrial().draw(random_state=seed).tau) == 0 for seed in range(100)]
    assert 8 <= sum(same) <= 34
    assert len(scenario("crt-broad").draw(500, random_state=1).y) == 500
    with pytest.raises(ValueError, match="10 persons are too few for"):
        scenario("crt-broad").draw(10, random_state=1)


def test_blocks_hold_both_arms() -> None:
    blocked = [BroadTrial(clusters=True).draw(random_state=seed) for seed in range(40)]
    blocked = [trial for trial in blocked if trial.blocks is not None]
    assert blocked
    for trial in blocked:
        for block in np.unique(trial.blocks):
            inside = trial.blocks == block
            assert set(trial.treatment[inside]) == {0, 1}


@pytest.mark.parametrize("name", list(SHAPES))
def test_surfaces_are_standardised(name: str) -> None:
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=(500, 4)), rng.integers(0, 2, 500)])
    values = SHAPES[name](X, rng)(X)
    assert values.shape == (500,)
    assert np.isfinite(values).all()
    summed = random_surface(X, 3, rng)(X)
    assert summed.mean() == pytest.approx(0, abs=1e-9)


def test_the_generator_has_none_of_the_families_that_robust_is_judged_on() -> None:
    """Its modules know the frame of a scenario only, none of the other scenarios' surfaces."""
    room = Path(simulate.__file__).parent
    allowed = {"scenario", "random_surfaces", "cluster_scenario", "cluster_sizes", "randomize"}
    for module in ("broad_scenario", "random_surfaces"):
        tree = ast.parse((room / f"{module}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "tauhat.simulate."
            ):
                part = (node.module or "").rsplit(".", 1)[1]
                assert part in allowed
                # Of the frame of cluster trials the shapes of the noise and nothing else.
                assert part != "cluster_scenario" or [n.name for n in node.names] == [
                    "shaped_noise"
                ]
    judged = [name for name in scenario_names() if "broad" not in name]
    assert not {type(scenario(name)) for name in judged if name != "semi-synthetic"} & {BroadTrial}


def test_evidence_says_what_shape() -> None:
    clues = shape_clues(EffectEvidence(1.0, {"linear": 0.5, "additive": 0.2, "trees": 0.1}))
    assert clues == {"straight lines": 0.5, "curves": 0.2, "trees": 0.1}


def test_a_report_tells_that_the_rule_may_not_suit_the_trial() -> None:
    text = (Path(__file__).parent / "report_run.json").read_text(encoding="utf-8")
    run = json.loads(text)
    assert not any("far outside" in line for line in [*limits(run), *unknown(run)])
    assert "Warning" not in certainty_answer(run).text
    run["reported_model"]["explanation"]["warning"] = "This trial lies far outside those."
    assert "This trial lies far outside those." in limits(run)
    assert unknown(run)[0].startswith("Whether Robust suits this trial, which lies far outside")
    assert "Warning: This trial lies far outside those." in certainty_answer(run).text
    run["reported_model"]["explanation"] = None
    assert not any("far outside" in line for line in [*limits(run), *unknown(run)])
