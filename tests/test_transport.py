"""Average effects for another population than the trial's."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from cli_runs import (
    ROLES,
    arguments,
    draw_nothing_and_take_few_points,
    leave_out_the_slow,
    run_of,
    small_trial,
    small_trial_csv,
)
from tauhat.analysis.run_fields import differences
from tauhat.cli.app import main
from tauhat.errors import TrialError
from tauhat.inference import cross_fit, group_effect, policy_value, sorted_group_effects
from tauhat.inference.named_in_target import named_groups_in_target
from tauhat.report.paper import paper
from tauhat.report.target_words import target_words

EFFECT_SLOPE = 0.5


def table(clinics: int = 24, persons: int = 27, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    clinic = np.repeat(np.arange(clinics), persons)
    arm, age = clinic % 2, rng.normal(60, 10, len(clinic))
    sex = rng.choice(["f", "m"], len(clinic))
    y = 0.05 * age + arm * (1 + EFFECT_SLOPE * (age - 60) / 10)
    y = y + 0.3 * rng.normal(size=clinics)[clinic] + rng.normal(size=len(clinic))
    return pd.DataFrame({"y": y, "arm": arm, "clinic": clinic, "age": age, "sex": sex})


def trial_of(df: pd.DataFrame, **changes: object) -> th.Trial:
    roles = {"outcome": "y", "treatment": "arm", "cluster": "clinic", "covariates": ["age", "sex"]}
    return th.Trial(df, **{**roles, **changes})


def older(years: float, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(9)
    return pd.DataFrame({"age": rng.normal(60 + years, 8, n), "sex": rng.choice(["f", "m"], n)})


@pytest.mark.parametrize("roles", [{}, {"cluster": None}])
def test_the_effect_is_that_of_the_target(roles: dict[str, object]) -> None:
    target = older(7)
    found = th.average_effects(trial_of(table(60, 40), **roles), target=target)
    wanted = 1 + EFFECT_SLOPE * (target.age.mean() - 60) / 10
    assert abs(found.individual.estimate - wanted) < 0.2
    assert found.individual.lower < wanted < found.individual.upper
    assert found.cluster is None
    overlap = found.target.overlap.set_index("covariate")
    assert overlap.loc["age", "target"] == pytest.approx(target.age.mean())
    assert 600 < found.target.effective_n < 2400
    assert "It differs most in 'age'" in found.text
    assert "described by 1 row;" in replace(found.target, n=1).text


@pytest.mark.parametrize("roles", [{}, {"cluster": None}])
def test_the_trials_own_persons_give_its_own_average_to_the_last_digit(
    roles: dict[str, object],
) -> None:
    trial = trial_of(table(), **roles)
    own = th.average_effects(trial, target=table()).individual
    assert own == th.average_effects(trial).individual


def test_one_row_of_means_is_a_target_too() -> None:
    df = table().assign(sex=lambda d: (d.sex == "m").astype(float))
    trial = trial_of(df)
    rows = older(5).assign(sex=lambda d: (d.sex == "m").astype(float))
    by_rows, by_means = (
        th.average_effects(trial, target=each).individual.estimate
        for each in (rows, rows.mean().to_frame().T)
    )
    assert by_rows == pytest.approx(by_means, abs=1e-6)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (older(5).assign(age=lambda d: d.age * 365), "lies outside of the trial: .* 'age'"),
        (older(28), "too far from the trial|lies outside"),
        (older(5).assign(sex="other"), "target: column 'sex' has other, which nobody in the trial"),
        (
            older(5)[["age"]],
            "target: the table lacks covariates .*: 'sex'. .* one row of their mea",
        ),
        (older(5).iloc[:0], "target: the table has no rows"),
        (older(5).assign(age="old"), "target: column 'age' holds 300 values that are not numbers"),
        (older(5).assign(age=np.nan), "target: column 'age' is missing in all rows"),
    ],
)
def test_a_target_outside_of_the_trial_is_refused(target: pd.DataFrame, message: str) -> None:
    with pytest.raises(TrialError, match=message):
        th.average_effects(trial_of(table()), target=target)


def test_a_refusal_says_what_is_far_and_what_can_be_done() -> None:
    df = table()
    df["weight"] = np.random.default_rng(2).normal(80, 10, len(df))
    trial = trial_of(df, covariates=["age", "sex", "weight"])
    target = df[["age", "sex", "weight"]].assign(age=df.age + 24)
    with pytest.raises(TrialError, match="too far from the trial") as refused:
        th.average_effects(trial, target=target)
    said = str(refused.value)
    assert f"'age' (mean {target.age.mean():.3g}, trial " in said
    assert "'sex" not in said
    assert "Without 'age' among the trial's covariates 648 persons speak" in said
    # What it proposes is accepted, and as many speak as it says.
    kept = int(re.search(r"The (\d+) of its 648 rows", said).group(1))
    near = target[target.age.between(*df.age.quantile([0.025, 0.975]))]
    assert len(near) == kept
    speak = th.average_effects(trial, target=near).target.effective_n
    assert f"({speak:.0f} persons speak for them)" in said
    with pytest.raises(TrialError, match="Without 'age'") as of_means:
        th.average_effects(trial, target=target.assign(sex="m").iloc[:1])
    assert "rows" not in str(of_means.value)


def test_few_who_speak_leave_few_degrees_of_freedom() -> None:
    trial = trial_of(table())
    own, there = (
        th.average_effects(trial, target=target).individual.degrees_of_freedom
        for target in (table(), older(12))
    )
    assert own == 22
    assert 5 < there < 21


def test_the_command_takes_a_file_and_the_report_says_so(tmp_path, monkeypatch, capsys) -> None:
    leave_out_the_slow(monkeypatch)
    file, out, clinics = small_trial_csv(tmp_path), tmp_path / "out", tmp_path / "clinics.csv"
    df = small_trial().drop(columns=["sbp", "arm", "clinic"])
    df.assign(age=df.age + 4).to_csv(clinics, index=False)
    assert main(arguments(file, out, "--target", str(clinics))) == 0
    run = run_of(out)
    assert differences(run) == []
    average, target = (run[key]["individual"] for key in ("average_effect", "target"))
    # The effect falls with age.
    assert target["estimate"] < average["estimate"] - 0.4
    assert "The effect in another population" in (out / "report.html").read_text("utf-8")
    (told,) = target_words(run)
    assert told.startswith("Average effect in the population given: −")
    assert told in str(paper(run))
    printed = " ".join(capsys.readouterr().out.split())
    assert told.replace("−", "-") in printed
    df.assign(age=df.age + 400).to_csv(clinics, index=False)
    assert main(arguments(file, tmp_path / "other", "--target", str(clinics))) == 2
    assert not (tmp_path / "other" / "run.json").exists()


def test_a_ratio_in_a_target_is_of_persons_alone() -> None:
    df = table()
    df["y"] = np.round(np.exp((df["y"] - df["y"].mean()) / df["y"].std() / 2))
    trial = trial_of(df, endpoint="count")
    assert th.average_effects(trial).on("ratio")[1] is not None
    individual, of_clusters = th.average_effects(trial, target=trial.frame).on("ratio")
    assert individual == th.average_effects(trial).on("ratio")[0]
    assert of_clusters is None


def test_groups_and_policies_are_those_of_the_target() -> None:
    trial, target = trial_of(table(60, 40)), older(7)
    fit = cross_fit(trial, "LMM", n_splits=2)
    population = th.average_effects(trial, target=target).target
    wanted = 1 + EFFECT_SLOPE * (target.age.mean() - 60) / 10
    policy = policy_value(fit, threshold=1.0, target=population)
    assert abs(policy.all_over_none.estimate - wanted) < 0.2
    # Those of mean effect or more: 50 % of the trial, 81% of persons 7 years older (SD 8).
    assert policy_value(fit, threshold=1.0).share_treated < 0.65 < policy.share_treated
    groups = sorted_group_effects(fit, target=population)
    assert groups.persons[0] > 1.5 * fit.data.n / 4 > 2 * groups.persons[-1]
    own = sorted_group_effects(fit)
    assert groups.groups[0].estimate > own.groups[0].estimate + 0.15
    assert "another population" in groups.method
    named = group_effect(trial, "sex == 'f'", "LMM", n_splits=2, target=target)
    assert named.inside == group_effect(fit, "sex == 'f'", target=population).inside
    assert named.inside.lower < wanted < named.inside.upper
    there = named.inside.degrees_of_freedom
    assert 5 < there < group_effect(fit, "sex == 'f'").inside.degrees_of_freedom - 3


def test_the_trials_own_persons_give_its_own_groups_to_the_last_digit() -> None:
    trial = trial_of(table())
    fit = cross_fit(trial, "LMM", n_splits=2)
    own = th.average_effects(trial, target=table()).target
    assert sorted_group_effects(fit, target=own).groups == sorted_group_effects(fit).groups
    first, second = (policy_value(fit, target=each) for each in (own, None))
    assert first.over_none == second.over_none
    assert first.over_all == second.over_all


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (lambda fit, own: group_effect(fit, "age > 60", target=older(5)), "give the trial with"),
        (lambda fit, own: policy_value(fit, treat_at_most=5, target=own), "must be a share"),
        (
            lambda fit, own: fit.carried_to(replace(own, weight=own.weight[1:])),
            "weights of 647 persons, the trial 648",
        ),
    ],
)
def test_what_a_cross_fit_cannot_do_for_a_target_is_refused(find, message: str) -> None:
    trial = trial_of(table())
    own = th.average_effects(trial, target=table()).target
    with pytest.raises(TrialError, match=message):
        find(cross_fit(trial, "LMM", n_splits=1, n_folds=2), own)


def test_analyze_and_its_report_show_overlap_groups_and_policies(monkeypatch) -> None:
    draw_nothing_and_take_few_points(monkeypatch)
    df = small_trial().dropna()
    roles = {**ROLES, "covariates": ["age", "female", "urban"]}
    trial, target = th.Trial(df, **roles), df.assign(age=df.age + 6)
    found = th.analyze(
        trial,
        models="LMM",
        n_permutations=19,
        target=target,
        higher_is_better=False,
        modifiers="female",
        subgroups="age > 80",
    )
    run = found.to_json()
    assert differences(run) == []
    record = run["target"]
    shifts = {row["covariate"]: row for row in record["shifts"]}
    assert shifts["age"]["shift"] == pytest.approx(6 / df.age.std(), abs=0.02)
    assert shifts["age"]["left"] == 0
    assert sum(row["persons"] for row in record["weights"]) == len(df)
    assert sum(row["share"] for row in record["weights"]) == pytest.approx(1)
    assert min(row["persons"] for row in record["weights"]) >= 5
    assert 4 < record["effective_clusters"] <= 16
    assert [policy["better"] for policy in record["held_out"]["policy"]] == ["lower"]
    # Effects of everyone in the target, by the scores and by the average.
    gain = record["held_out"]["policy"][0]["comparisons"][2]["estimate"]
    assert -gain == pytest.approx(record["individual"]["estimate"], abs=1.5)
    assert -gain < run["average_effect"]["individual"]["estimate"] - 0.5
    named = {(row["modifier"], row["group"]): row for row in record["named"]}
    assert [key[0] for key in named] == ["female", "female", "'age > 80'", "'age > 80'"]
    women = named["female", "1"]
    assert women["share"] + named["female", "0"]["share"] == pytest.approx(1)
    assert women["share"] == pytest.approx(target.female.mean(), abs=1e-3)
    assert women["effective_n"] < women["persons"]
    # Too few would speak for them.
    assert named["'age > 80'", "in"]["estimate"] is None
    page = found.to_html()
    assert "Effects of the population within the groups of the named modifiers" in page
    assert "Effects of quarters of the population" in page
    assert "in as many as" in page
    assert found.plots()["target-overlap"].data["shift"].abs().max() > 0.5


def test_named_groups_of_the_trials_own_persons_have_their_own_averages() -> None:
    df = table()
    df.loc[:3, "sex"] = None
    trial = trial_of(df)
    own = th.average_effects(trial, target=df).target
    found = named_groups_in_target(trial, ["sex", "age < 60"], own).set_index("group")
    member = (df.sex == "f").to_numpy()[trial.data.rows]
    wanted = th.average_effects(trial.data.take(np.flatnonzero(member))).individual
    women = found.loc["f"]
    assert (women.estimate, women.lower) == pytest.approx((wanted.estimate, wanted.lower))
    assert women.persons == member.sum() == women.effective_n
    assert found.persons[["f", "m"]].sum() == len(df) - 4


def test_named_groups_are_those_of_the_target() -> None:
    target = older(8)
    trial = trial_of(table(60, 40))
    population = th.average_effects(trial, target=target).target
    found = named_groups_in_target(trial, ["age > 60"], population).set_index("group").loc["in"]
    old = target.age[target.age > 60]
    wanted = 1 + EFFECT_SLOPE * (old.mean() - 60) / 10
    assert found.lower < wanted < found.upper
    # Means are balanced, not spreads: the share is that of the weight.
    assert found.share == pytest.approx(len(old) / len(target), abs=0.08)
    # In the trial they are younger, and gain less.
    assert found.estimate > 1 + EFFECT_SLOPE * 0.8 + 0.1


def test_targets_and_imputations_are_not_taken_together() -> None:
    with pytest.raises(TrialError, match="cannot be given together"):
        th.analyze(trial_of(table()), target=older(1), imputations=2)
