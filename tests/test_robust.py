"""The flagship by shares: given and earned weights, shrinkage, and what must not matter."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from tauhat.data import validate_trial
from tauhat.ensembles import RobustEnsemble
from tauhat.ensembles.given_and_earned import STACK, imputing_stack, second_stage
from tauhat.ensembles.losses import effect_loss, imputed_loss
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.ensembles.robust import (
    CLUSTER_GIVEN,
    CLUSTER_LEARNED,
    CLUSTER_MEMBERS,
    INDIVIDUAL_MEMBERS,
    RECIPES,
    STACKED,
)
from tauhat.ensembles.strategy import ShrunkWeights, Strategy
from tauhat.ensembles.together import fit_together
from tauhat.errors import TrialError
from tauhat.learners.catalog import single_estimator
from tauhat.outcome import ElasticNetModel, RandomForest, StackedModel
from tauhat.registry import estimator

CHEAP = ("LMM", "GAMM", "T-LMM")


def members(*names: str) -> list[tuple[str, Any]]:
    return [(name, single_estimator(name)) for name in names or CHEAP]


def cluster_trial(effect: float = 0.6, seed: int = 1, m: int = 24) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), 18)
    X = rng.normal(size=(len(clusters), 3))
    A = clusters % 2
    y = X[:, 1] + A * (0.4 + effect * X[:, 0]) + 0.3 * rng.normal(size=m)[clusters]
    return X, y + rng.normal(size=len(y)), A, clusters


@pytest.fixture(scope="module")
def small_stack() -> Any:
    """A cheap stack in place of six models, for what does not depend on it."""
    patch = pytest.MonkeyPatch()
    forest = RandomForest(n_estimators=50)
    stack = StackedModel([("Linear", ElasticNetModel()), ("RF", forest)])
    for module in ("robust", "given_and_earned"):
        patch.setattr(f"tauhat.ensembles.{module}.imputing_stack", lambda: clone(stack))
    yield stack
    patch.undo()


@pytest.fixture(scope="module")
def clustered() -> RobustEnsemble:
    X, y, A, clusters = cluster_trial()
    return RobustEnsemble(members(), random_state=3).fit(X, y, treatment=A, clusters=clusters)


def change_recipe(patch: pytest.MonkeyPatch, design: str, **changes: Any) -> None:
    """Other members in the recipe of a design."""
    patch.setitem(RECIPES, (design, None), replace(RECIPES[design, None], **changes))


def test_chains_are_brief_where_persons_are_randomized_and_shared_with_the_stack():
    rng = np.random.default_rng(0)
    X, A = rng.normal(size=(60, 3)), np.tile([0, 1], 30)
    data = validate_trial(X, rng.normal(size=60), A)
    plan = RobustEnsemble(random_state=1).plan(data, 1)
    member = plan.members["X-BART"].outcome_model
    (stack,) = (n.model for n in plan.nuisances if n.name == "/imputed/control")
    in_stack = dict(stack.base_models())["BART"]
    second = plan.members["X-Stack-BART"].effect_model
    assert member.n_grow == 6
    assert member.get_params() == in_stack.get_params() == second.get_params()
    assert single_estimator("X-BART").outcome_model.n_grow == 10
    assert single_estimator("BCF").n_grow == 10
    for forest, grown in ((plan.members["BCF"], 6), (plan.refits["BCF"], 4)):
        assert (forest.n_grow, forest.n_cutpoints) == (grown, 30)


def test_what_only_weighs_in_the_stacks_is_at_shorter_settings() -> None:
    first, second = imputing_stack(), second_stage("Stack")
    assert [name for name, _ in first.base_models()] == list(STACK)
    assert [name for name, _ in second.base_models()] == [n for n in STACK if n != "BART"]
    for stack in (first, second):
        whole, judged = dict(stack.base_models()), dict(stack.cross_fitted_models())
        assert (whole["RF"].n_estimators, judged["RF"].n_estimators) == (200, 60)
        assert (whole["Boosting"].n_folds, judged["Boosting"].n_folds) == (5, 3)


@pytest.mark.parametrize("clustered_trial", [False, True])
def test_the_forest_of_an_event_has_two_chains(clustered_trial: bool) -> None:
    X, y, A, clusters = cluster_trial(m=8)
    if not clustered_trial:
        clusters, A = None, np.tile([0, 1], len(y) // 2)
    name = "BCF-RE" if clustered_trial else "BCF"
    of_event, of_number = (
        RobustEnsemble(random_state=1).plan(validate_trial(X, values, A, clusters), 1).members[name]
        for values in ((y > 0.5).astype(float), y)
    )
    assert (of_event.n_chains, of_event.n_draws, of_event.n_grow) == (2, 50, 6)
    grown = 10 if clustered_trial else 6
    assert (of_number.n_chains, of_number.n_draws, of_number.n_grow) == (4, 50, grown)


def test_library_of_the_design() -> None:
    X, y, A, clusters = cluster_trial(m=8)
    individual = validate_trial(X, y, np.tile([0, 1], len(y) // 2))
    plan = RobustEnsemble(weighting="shares").plan(individual, 1)
    assert list(plan.refits) == sorted(INDIVIDUAL_MEMBERS)
    beside = [f"X-Stack-{name}" for name in sorted(STACKED)]
    assert list(plan.members) == [*plan.refits, *beside]
    plan = RobustEnsemble(weighting="shares").plan(validate_trial(X, y, A, clusters), 1)
    assert list(plan.members) == list(plan.refits) == sorted(CLUSTER_MEMBERS)
    assert "LMM" in INDIVIDUAL_MEMBERS
    assert "LMM" in CLUSTER_MEMBERS


def test_weights_are_given_and_earned(clustered: RobustEnsemble) -> None:
    assert sum(clustered.weighing_.earned.values()) == pytest.approx(1)
    assert all(weight >= 0 for weight in clustered.weighing_.earned.values())
    for name, weight in clustered.weights_.items():
        assert weight == pytest.approx(0.4 / 3 + 0.6 * clustered.weighing_.earned[name])
    everything = RobustEnsemble(members(), given_share=1, random_state=3)
    X, y, A, clusters = cluster_trial()
    everything.fit(X, y, treatment=A, clusters=clusters)
    assert list(everything.weights_.values()) == pytest.approx([1 / 3] * 3)


def test_effect_is_the_weighted_mean_shrunk_to_its_level(clustered: RobustEnsemble) -> None:
    X = clustered.trial_data_.X
    mean = sum(w * clustered.members_[n].predict_effect(X) for n, w in clustered.weights_.items())
    assert clustered.weighing_.level == pytest.approx(mean.mean())
    expected = mean.mean() + clustered.weighing_.shrinkage * (mean - mean.mean())
    assert clustered.predict_effect(X) == pytest.approx(expected)
    assert clustered.weighing_.shrinkage > 0.95


def test_flexible_members_are_given_weight_in_cluster_trials() -> None:
    X, y, A, clusters = cluster_trial(m=12)
    robust = RobustEnsemble(weighting="shares", random_state=1, given_share=1.0)
    with pytest.MonkeyPatch.context() as patch:
        change_recipe(patch, "cluster", members=("LMM", "GAMM", "Additive-Boosting"))
        robust.fit(X, y, treatment=A, clusters=clusters)
    assert robust.weights_ == {"Additive-Boosting": 1.0, "GAMM": 0.0, "LMM": 0.0}
    assert set(CLUSTER_GIVEN) < set(CLUSTER_MEMBERS)


def test_tempered_weights_of_a_cluster_trial(clustered: RobustEnsemble) -> None:
    data = clustered.trial_data_
    losses = effect_loss("residual", data, clustered.out_of_fold_).of_each()
    expected = np.exp(-losses / 16) / np.exp(-losses / 16).sum()
    assert list(clustered.weighing_.earned.values()) == pytest.approx(expected)


def test_a_right_member_earns_more_than_wrong_ones() -> None:
    rng = np.random.default_rng(5)
    X, A = rng.normal(size=(600, 3)), np.tile([0, 1], 300)
    y = A * np.abs(2 * X[:, 0]) + 0.5 * rng.normal(size=600)
    robust = RobustEnsemble(members("LMM", "GAMM", "T-Linear"), random_state=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "tauhat.ensembles.given_and_earned.imputing_stack",
            lambda: StackedModel([("GAMM", single_model("GAMM"))], weights="convex"),
        )
        robust.fit(X, y, treatment=A)
    assert robust.weighing_.earned["GAMM"] > 0.95
    assert robust.weighing_.earned_sd["GAMM"] < 0.1


def single_model(name: str) -> Any:
    from tauhat.learners.outcome_models import outcome_model

    return outcome_model(name)


def test_without_heterogeneity_the_effect_is_nearly_constant() -> None:
    shrunk, kept = [], []
    for seed in range(3):
        X, y, A, clusters = cluster_trial(effect=0.0, seed=seed, m=20)
        wild = members("T-LMM", "T-GAMM")
        robust = RobustEnsemble(wild, random_state=seed)
        robust.fit(X, y, treatment=A, clusters=clusters)
        shrunk.append(robust.effect(X).std())
        kept.append(np.mean([m.predict_effect(X).std() for m in robust.members_.values()]))
    assert np.mean(shrunk) < 0.75 * np.mean(kept)


def test_order_of_rows_members_and_labels_do_not_matter(clustered: RobustEnsemble) -> None:
    X, y, A, clusters = cluster_trial()
    order = np.random.default_rng(0).permutation(len(y))
    labels = np.array([f"site {(7 * c) % 24}" for c in clusters])
    other = RobustEnsemble(members()[::-1], random_state=3)
    other.fit(X[order], y[order], treatment=A[order], clusters=labels[order])
    assert other.effect(X) == pytest.approx(clustered.effect(X), abs=1e-9)


def test_units_of_the_outcome_and_exchanged_arms(clustered: RobustEnsemble) -> None:
    X, y, A, clusters = cluster_trial()
    scaled = RobustEnsemble(members(), random_state=3)
    scaled.fit(X, 5 - 200 * y, treatment=A, clusters=clusters)
    assert scaled.effect(X) == pytest.approx(-200 * clustered.effect(X), rel=1e-3, abs=1e-2)
    exchanged = RobustEnsemble(members(), random_state=3)
    exchanged.fit(X, y, treatment=1 - A, clusters=clusters)
    assert np.corrcoef(exchanged.effect(X), -clustered.effect(X))[0, 1] > 0.99


def test_imputed_effects_have_less_noise_than_scores() -> None:
    rng = np.random.default_rng(2)
    X, A = rng.normal(size=(4000, 1)), np.tile([0, 1], 2000)
    data = validate_trial(X, rng.normal(size=4000) + A, A)
    zero, one = np.zeros(data.n), np.ones(data.n)
    imputed = np.where(data.treatment == 1, data.y - zero, one - data.y)
    fits = OutOfFold(zero.astype(int), ("a",), one[:, None], zero, zero, one)
    loss = imputed_loss(imputed, data, fits)
    assert loss.variance == pytest.approx(1, abs=0.06)
    score = one + (data.treatment - 0.5) / 0.25 * (data.y - data.treatment)
    assert score.var() == pytest.approx(4, abs=0.3)


def test_fit_with_others_is_the_fit_alone(clustered: RobustEnsemble) -> None:
    data = clustered.trial_data_
    together = fit_together(
        {"robust": RobustEnsemble(members()), "GAMM": estimator("GAMM")}, data, 3
    )
    fitted = together["robust"].estimator
    assert fitted is not None
    assert (fitted.predict_effect(data.X) == clustered.predict_effect(data.X)).all()


def test_individual_trial_has_given_learners(small_stack: Any) -> None:
    rng = np.random.default_rng(4)
    X, A = rng.normal(size=(120, 2)), np.tile([0, 1], 60)
    y = A * X[:, 0] + 0.3 * rng.normal(size=120)
    robust = RobustEnsemble(weighting="shares", random_state=1)
    with pytest.MonkeyPatch.context() as patch:
        change_recipe(patch, "individual", members=("LMM", "GAMM"), stacked=("RF",))
        robust.fit(X, y, treatment=A)
        assert robust.weights_["X-Stack-RF"] == 0.4
        assert set(robust.out_of_fold_.names) == {"LMM", "GAMM"}
        # Another rule takes those members that have effects out of fold.
        other = robust.reaggregate("Causal-Stacking")
    assert set(other.weights_) == {"LMM", "GAMM"}
    assert set(robust.reaggregate("Median").members_) == {"LMM", "GAMM", "X-Stack-RF"}


def test_given_weight_goes_to_straight_lines_as_far_as_the_outcomes_speak_for_them(
    small_stack: Any,
) -> None:
    rng = np.random.default_rng(4)
    X, A = rng.normal(size=(160, 2)), np.tile([0, 1], 80)
    y = A * X[:, 0] + 0.3 * rng.normal(size=160)
    robust = RobustEnsemble(weighting="shares", random_state=1)
    with pytest.MonkeyPatch.context() as patch:
        change_recipe(patch, "individual", members=("GAMM", "T-Linear"), stacked=("RF",))
        robust.fit(X, y, treatment=A)
    lines, earned = robust.weighing_.straight, robust.weighing_.earned
    assert lines > 0.7
    assert robust.weights_["X-Stack-RF"] == pytest.approx(0.4 * (1 - lines))
    assert robust.weights_["T-Linear"] == pytest.approx(0.4 * lines + 0.6 * earned["T-Linear"])
    assert f"{lines:.0%} of what was given went to T-Linear" in robust.explain().text


def test_explanation(clustered: RobustEnsemble) -> None:
    told = clustered.explain()
    assert list(told.table.index[:1]) == [max(clustered.weights_, key=clustered.weights_.get)]
    assert told.table["weight"].sum() == pytest.approx(1)
    assert (told.table["given"] + told.table["earned"]).to_numpy() == pytest.approx(
        told.table["weight"].to_numpy()
    )
    assert "40% of the weight was fixed in advance" in told.text
    assert "was not shrunk" in told.text
    assert told._repr_html_().startswith("<div><p>40% of the weight")


def test_scikit_learn_and_pickle(clustered: RobustEnsemble) -> None:
    again = pickle.loads(pickle.dumps(clustered))
    X = clustered.trial_data_.X
    assert (again.effect(X) == clustered.effect(X)).all()
    assert clone(clustered).get_params()["given_share"] == 0.4
    assert isinstance(estimator("Robust", random_state=1), RobustEnsemble)


def test_wrong_settings() -> None:
    X, y, A, clusters = cluster_trial(m=8)
    with pytest.raises(TrialError, match="weighting must be 'learned' or 'shares', got 'equal'"):
        RobustEnsemble(weighting="equal").fit(X, y, treatment=A, clusters=clusters)  # type: ignore[arg-type]
    with pytest.raises(TrialError, match=r"given_share must lie between 0 and 1, got 1\.5"):
        RobustEnsemble(members(), given_share=1.5).fit(X, y, treatment=A, clusters=clusters)


def test_it_takes_over_no_other_ensemble(clustered: RobustEnsemble) -> None:
    with pytest.raises(TrialError, match="fit it instead"):
        clustered.reaggregate(RobustEnsemble())


class Equal(Strategy):
    """The same weight for every member, whatever the data say: nothing is refitted."""

    def weights(self, effects: Any, data: Any, held_out: Any, evidence: Any) -> ShrunkWeights:
        assert held_out is None
        assert evidence is None
        return ShrunkWeights(dict.fromkeys(effects, 1 / len(effects)))


def test_a_kind_of_outcome_can_have_other_members_and_another_weighting() -> None:
    X, y, A, clusters = cluster_trial(m=12)
    recipe = replace(RECIPES["cluster", None], members=("LMM", "T-LMM"), weighting=Equal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, ("cluster", "binary"), recipe)
        robust = RobustEnsemble(random_state=1)
        robust.fit(X, (y > 0.5).astype(float), treatment=A, clusters=clusters)
        assert robust.weights_ == {"LMM": 0.5, "T-LMM": 0.5}
        mean = sum(member.effect(X) for member in robust.members_.values()) / 2
        assert robust.effect(X) == pytest.approx(mean)
        assert "All of the weight was fixed in advance" in robust.explain().text
        plan = RobustEnsemble().plan(validate_trial(X, y, A, clusters), 1)
    assert list(plan.members) == sorted(CLUSTER_LEARNED)
