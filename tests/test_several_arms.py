"""Trials with more than two arms: contrasts, one test over all of them, one report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from cli_runs import draw_nothing_and_take_few_points
from tauhat.analysis.contrast_schema import RunOfArms
from tauhat.analysis.run_fields import differences
from tauhat.cli import main
from tauhat.design.permutations import assignments
from tauhat.errors import DesignError, TrialError
from tauhat.numerics.several_tests import closed_test, holm

CLUSTERED: dict[str, Any] = {"outcome": "y", "treatment": "arm", "cluster": "clinic"}


def clustered(m: int = 36, per: int = 10, seed: int = 1) -> pd.DataFrame:
    """Arms a (control), b and c in turn; the effect of c grows with x."""
    rng = np.random.default_rng(seed)
    clinic = np.repeat(np.arange(m), per)
    df = pd.DataFrame({"clinic": clinic, "arm": np.array(list("abc"))[clinic % 3]})
    df["site"] = clinic // 6
    df["x"], df["w"] = rng.normal(size=(2, m * per))
    level = rng.normal(0, 0.3, m)[clinic]
    df["y"] = df.arm.map({"a": 0.0, "b": 1.0, "c": 2.0}) + (df.arm == "c") * df.x + level
    df["y"] += rng.normal(size=m * per)
    return df


def persons(n: int = 600) -> pd.DataFrame:
    """Arms 0, 1 and 2, of which 1 is best above x = 0 and 2 below."""
    rng = np.random.default_rng(2)
    df = pd.DataFrame({"arm": np.arange(n) % 3, "x": rng.normal(size=n)})
    df["y"] = np.select([df.arm == 1, df.arm == 2], [df.x, -df.x]) + rng.normal(size=n)
    return df


def test_arms_may_be_listed_or_left_out() -> None:
    df = clustered()
    listed = th.Trial(df, **CLUSTERED, arms=["c", "a", "b"])
    assert listed.arm_labels == ("c", "a", "b")
    assert list(listed.contrasts) == ["a against c", "b against c"]
    left_out = th.Trial(df, **CLUSTERED, control="b")
    assert left_out.arm_labels == ("b", "a", "c")
    assert th.Trial(persons(), outcome="y", treatment="arm").arm_labels == (0, 1, 2)
    pairs = {"sequential": ["b against a", "c against b"]}
    pairs["all"] = ["b against a", "c against a", "c against b"]
    for contrasts, names in pairs.items():
        trial = th.Trial(df, **CLUSTERED, control="a", contrasts=contrasts)
        assert list(trial.contrasts) == names


@pytest.mark.parametrize(
    ("arm", "given", "message"),
    [
        (["a", "b", "c"], {}, "say which is the control"),
        (["drug", "Drug", "placebo"], {"control": "placebo"}, "write alike what means the same"),
        (list("abcdefghi"), {"control": "a"}, "9 arms.*choose two or more"),
        (["a", "b", "c"], {"control": "a", "contrasts": "each"}, "control, sequential, all"),
        (["a", "b", "c"], {"arms": ["a"]}, "two arms or more"),
        (["a", "b", "c"], {"control": "a", "propensity": 0.5}, "in Python only; leave it out"),
    ],
)
def test_what_cannot_be_told_is_refused(
    arm: list[str], given: dict[str, Any], message: str
) -> None:
    df = persons(90).assign(arm=np.resize(arm, 90))
    with pytest.raises(TrialError, match=message):
        th.Trial(df, outcome="y", treatment="arm", **given)


@pytest.mark.parametrize(
    ("chances", "message"),
    [
        ((0.3, 0.6, 0.6), "^propensity must add up to 1 over the arms, got 1.5: give each arm"),
        ((0.3, 0.3, 0.5), "must add up to 1 over the arms, got 1.1"),
        ((0.3, 0.3, 0.3), "must add up to 1 over the arms, got 0.9"),
        ((0.4, 0.3, 0.3, 0.5), "^propensity names 'typo', which is no arm; the arms are"),
        (("x", 0.3, 0.3), "^propensity of arm 'a' must be a number, got 'x'$"),
        ((np.nan, 0.3, 0.3), "^propensity of arm 'a' must lie strictly between 0 and 1, got nan$"),
        ((0.0, 0.5, 0.5), "^propensity of arm 'a' must lie strictly between 0 and 1, got 0$"),
    ],
)
def test_chances_of_arms_are_those_of_the_arms_and_add_up_to_one(
    chances: tuple[Any, ...], message: str
) -> None:
    df = persons(90).assign(arm=np.resize(["a", "b", "c"], 90))
    given = dict(zip(["a", "b", "c", "typo"], chances, strict=False))
    with pytest.raises(TrialError, match=message):
        th.Trial(df, outcome="y", treatment="arm", control="a", propensity=given)


@pytest.mark.parametrize(
    ("arms", "chances", "of_b"),
    [
        (None, (0.33, 0.33, 0.17, 0.17), 0.5),  # To rounding.
        (["a", "b", "c"], (0.4, 0.2, 0.2), 1 / 3),
        (["a", "b", "c"], (0.4, 0.2, 0.2, 0.2), 1 / 3),
    ],
)
def test_chances_of_arms_may_leave_out_those_that_are_not_compared(
    arms: list[str] | None, chances: tuple[float, ...], of_b: float
) -> None:
    df = persons(120).assign(arm=np.resize(["a", "b", "c", "d"], 120))
    given = dict(zip(["a", "b", "c", "d"], chances, strict=False))
    trial = th.Trial(df, outcome="y", treatment="arm", control="a", arms=arms, propensity=given)
    assert trial.contrast("b").propensity == pytest.approx(of_b)


def test_a_unit_is_in_one_arm() -> None:
    df = clustered()
    mixed = df.assign(clinic=np.where(df.clinic == 2, 1, df.clinic))
    with pytest.raises(DesignError, match=r"within 1 of 35 clusters .*1: 10 in b and 10 in c"):
        th.Trial(mixed, **CLUSTERED, control="a")
    twice = persons(90).assign(who=[*range(89), 1])
    with pytest.raises(DesignError, match="1 participant of 'who' is in more than one arm"):
        th.Trial(twice, outcome="y", treatment="arm", id="who")
    few = df[(df.arm != "c") | (df.clinic == 2)]
    with pytest.raises(DesignError, match="c against a: there are 12 control and 1 treated"):
        th.Trial(few, **CLUSTERED, control="a")


def test_a_contrast_has_the_numbers_of_its_two_arms() -> None:
    df = clustered()
    trial = th.Trial(df, **CLUSTERED, control="a", block="site")
    alone = th.Trial(df, **CLUSTERED, arms=["a", "c"], block="site")
    part = trial.contrast("c")
    assert part.rows.tolist() == alone.rows.tolist()
    first, second = th.average_effects(part), th.average_effects(alone)
    assert first.table.equals(second.table)
    found = th.contrast_effects(trial)
    assert found.effects["c against a"].table.equals(first.table)
    assert abs(found.effects["b against a"].individual.estimate - 1) < 0.4
    with pytest.raises(TrialError, match=r"3 arms.*trial.contrast\('b against a'\)"):
        th.average_effects(trial)
    with pytest.raises(TrialError, match="no contrast 'd'"):
        trial.contrast("d")


def test_a_category_of_another_arm_only_is_a_column_of_every_contrast() -> None:
    df = persons(300)
    df["kind"] = np.where((df.arm == 2) & (df.x > 0), "rare", "usual")
    trial = th.Trial(df, outcome="y", treatment="arm", covariates=["x", "kind"])
    assert list(trial.contrast(1).X.columns) == list(trial.X.columns)
    effects = trial.fit("LMM", random_state=1)
    assert effects.effect(trial.X, contrast=1).shape == (300,)
    assert effects.effect(trial.X).shape == (300, 2)


def test_fitted_contrasts_say_which_arm_is_best() -> None:
    df = persons()
    fitted = th.Trial(df, outcome="y", treatment="arm").fit("LMM", random_state=1)
    X = pd.DataFrame({"x": [2.0, -2.0]})
    assert fitted.best_arm(X).tolist() == [1, 2]
    assert fitted.best_arm(X, higher_is_better=False).tolist() == [2, 1]
    lower, upper = fitted.effect_interval(X, contrast=(0, 2))
    assert lower[0] < -2 < upper[0]


def test_one_contrast_at_a_time_is_saved(tmp_path: Path) -> None:
    trial = th.Trial(persons(), outcome="y", treatment="arm")
    fitted = trial.fit("LMM", random_state=1)
    with pytest.raises(TrialError, match=r"of several contrasts, fitted.of\(contrast\)"):
        th.save(fitted, tmp_path / "all")  # type: ignore[arg-type]
    name = fitted.contrasts[-1]
    th.save(fitted.of(name), tmp_path / "one")
    X = trial.X
    np.testing.assert_array_equal(
        th.load(tmp_path / "one").effect(X), fitted.effect(X, contrast=name)
    )


def test_all_assignments_of_three_arms_are_listed() -> None:
    arm = np.array([0, 1, 2, 0, 1, 2])
    drawn = assignments(arm, np.zeros(6, int), n_permutations=9, random_state=1)
    rows = np.concatenate(list(drawn.batches()))
    assert drawn.n_assignments == len(np.unique(rows, axis=0)) == 90
    assert (np.sort(rows, axis=1) == [0, 0, 1, 1, 2, 2]).all()
    assert rows[0].tolist() == arm.tolist()


def test_closed_test_keeps_to_the_joint_test_and_to_bonferroni() -> None:
    assert closed_test(np.array([0.01, 0.5]), 0.03).tolist() == [0.03, 0.5]
    assert closed_test(np.array([0.01, 0.02, 0.03]), 0.001).tolist() == [0.02, 0.04, 0.04]
    assert np.isnan(closed_test(np.array([np.nan, 0.2]), 0.1)[0])


def test_one_test_finds_the_contrast_whose_effect_differs() -> None:
    trial = th.Trial(clustered(), **CLUSTERED, control="a", covariates=["x", "w"])
    found = th.test_contrasts(trial, random_state=1, n_permutations=499)
    assert found.p_value < 0.01
    assert found.table.p_adjusted[0] > 0.05 > found.table.p_adjusted[1]
    assert (found.table.p_adjusted >= found.p_value).all()
    assert "one test over all contrasts" in found.text
    assert "p < 0.001" in replace(found, table=found.table.assign(p_adjusted=0.0005)).text


def test_the_test_depends_on_no_label_and_no_order_of_rows() -> None:
    df = clustered(18, 8)
    mixed = df.sample(frac=1, random_state=3)
    renamed = df.assign(clinic=99 - df.clinic, arm=df.arm.map({"a": "n", "b": "p", "c": "o"}))
    p_values = [
        th.test_contrasts(
            th.Trial(table, **CLUSTERED, control=control, covariates=["x", "w"]),
            random_state=1,
            n_permutations=199,
        ).p_value
        for table, control in ((df, "a"), (mixed, "a"), (renamed, "n"))
    ]
    assert p_values[0] == p_values[1] == p_values[2]


def test_policy_over_three_arms_gains_what_it_can() -> None:
    trial = th.Trial(persons(1500), outcome="y", treatment="arm")
    found = th.arm_policy_value(trial, "LMM", n_splits=2)
    # The mean of |x| is .80; no arm is better than another on average.
    assert abs(found.over_control.estimate - 0.8) < 0.2
    assert found.over_best.lower > 0.4
    assert abs(found.shares["1"] - 0.5) < 0.05
    assert sum(found.shares.values()) == pytest.approx(1)
    worse = th.arm_policy_value(trial, "LMM", n_splits=2, higher_is_better=False)
    assert worse.shares["1"] == pytest.approx(found.shares["2"], abs=0.05)
    with pytest.raises(TrialError, match="each arm compared with the control"):
        th.arm_policy_value(th.Trial(persons(), outcome="y", treatment="arm", arms=[0, 1]))


@pytest.mark.slow
def test_an_analysis_joins_those_of_its_contrasts() -> None:
    trial = th.Trial(clustered(27, 6), **CLUSTERED, control="a", covariates=["x", "w"])
    found = th.analyze(trial, models=["LMM"], random_state=1, n_permutations=99)
    alone = th.analyze(trial.contrast("c"), models=["LMM"], random_state=1, n_permutations=99)
    own = found.effects[found.effects.contrast == "c against a"].set_index("row")
    assert len(own) == trial.n
    same = own.loc[alone.effects.row, ["effect", "lower", "upper"]].to_numpy()
    assert np.array_equal(same, alone.effects[["effect", "lower", "upper"]].to_numpy())
    # Persons of arm b have an effect of c as well, by the model of the other two arms.
    others = own.drop(alone.effects.row)
    X = trial.X[trial.treatment == 1]
    assert np.array_equal(others.effect, alone.model.effect(X))
    assert found.heterogeneity.tests["c against a"].p_value == alone.heterogeneity.p_value
    run = found.to_json()
    assert differences(run, RunOfArms) == []
    assert [arm["label"] for arm in run["arms"]] == ["a", "b", "c"]
    assert run["policy"][0]["best_arm"] == "c"
    page = found.to_html()
    assert page.count("<html") == 1
    # What all contrasts leave open is said once, with the numbers of each.
    assert page.count("nobody is seen under both treatments") == 1
    assert "Effects of b and c against a on y" in page
    assert len(re.findall(r'<section id="average"', page)) == 1
    assert "c against a: " in page
    assert "Which arm for whom?" in found.text


def test_a_warning_of_one_contrast_is_answered_for_all_of_them() -> None:
    df = clustered(18)
    trial = th.Trial(df, **CLUSTERED, control="a", covariates=["x"], accept=["few-clusters"])
    check = trial.check()
    assert any(
        line.startswith("With 12 clusters (6 control, 6 treated)") for line in check.accepted
    )
    assert "few-clusters" not in check.open_codes
    arms = check.table.set_index("item").value
    assert arms["arm 2"] == "c: 6 clusters, 60 persons with an outcome"


def test_times_of_three_arms() -> None:
    rng = np.random.default_rng(4)
    df = pd.DataFrame({"arm": np.arange(240) % 3, "x": rng.normal(size=240)})
    time, censored = rng.exponential(10 + 5 * (df.arm == 2)), rng.exponential(20, 240)
    df["t"], df["event"] = np.minimum(time, censored), (time <= censored).astype(int)
    trial = th.Trial(df, outcome="t", treatment="arm", event="event", horizon=10)
    assert np.isfinite(trial.y).all()
    found = th.contrast_effects(trial)
    alone = th.average_effects(th.Trial(df, outcome="t", treatment="arm", event="event",
                                        horizon=10, arms=[0, 2]))  # fmt: skip
    assert found.effects["2 against 0"].table.equals(alone.table)
    assert 0 < th.test_contrasts(trial, random_state=1, n_permutations=99).p_value <= 1


def test_the_command_takes_three_arms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_nothing_and_take_few_points(monkeypatch)
    clustered(15, 8).to_csv(tmp_path / "trial.csv", index=False)
    words = ["--outcome", "y", "--treatment", "arm", "--cluster", "clinic", "--arms", "b,a,c"]
    words += ["--covariates", "x,w", "--contrasts", "all"]
    assert main(["check", str(tmp_path / "trial.csv"), *words]) == 0
    assert "c: 5 clusters" in capsys.readouterr().out
    out = tmp_path / "out"
    words += ["--models", "LMM", "--seed", "1", "--out", str(out)]
    words += ["--modifiers", "x,w", "--mcid", "0.5", "--higher-is-better"]
    assert main(["run", str(tmp_path / "trial.csv"), *words]) == 0
    printed = capsys.readouterr().out
    assert "c against a" in printed
    assert "p adjusted" in printed
    assert "Named modifiers: c against a" in printed
    assert "c against a: A gain of at least 0.5" in printed
    assert "for the number of modifiers named and of contrasts (2 times 3)" in " ".join(
        printed.split()
    )
    run = json.loads((out / "run.json").read_text("utf-8"))
    assert list(run["contrasts"]) == ["a against b", "c against b", "c against a"]
    assert "fewer than 6 clusters" in run["no_policy"]
    # Two modifiers in three contrasts are six tests; averages of clusters are adjusted too.
    tests = [one for part in run["contrasts"].values() for one in part["named_modifiers"]["tests"]]
    adjusted = holm([one["p_value"] for one in tests])
    np.testing.assert_allclose([one["p_adjusted"] for one in tests], adjusted)
    assert min(adjusted) == pytest.approx(6 * min(one["p_value"] for one in tests))
    averages = run["average_effects"]
    of_clusters = holm([one["cluster"]["p_value"] for one in averages])
    np.testing.assert_allclose([one["p_adjusted_cluster"] for one in averages], of_clusters)
    first = (out / "report.html").read_text("utf-8").split('<h2 class="appendix"')[0]
    assert "higher is better." in first
    assert "a against b: Lower with a: worse." in first
    assert "c against a: Higher with c: better." in first
    assert "are expected to gain at least 0.5" in first
    assert re.search(r">c against a</th>\s*<td[^>]*>x: per SD of", first)
    assert "The p-values allow" not in first
    effects = pd.read_csv(out / "effects.csv")
    assert effects.columns.tolist() == ["row", "contrast", "effect", "lower", "upper"]
    assert len(effects) == 3 * 120
    assert run["plan"] is None
    assert main(["methods", str(out / "run.json"), "--tables", str(tmp_path / "tables")]) == 0
    told = capsys.readouterr().out
    for name, one in run["contrasts"].items():
        effect = f"{one['average_effect']['individual']['estimate']:.2f}".replace("-", "−")
        assert f"{name}: The individual-average effect was {effect} (" in told
    assert "for the number of modifiers named and of contrasts (2 times 3)" in told
    table = pd.read_csv(tmp_path / "tables" / "average-effect.csv")
    assert list(table.contrast.unique()) == list(run["contrasts"])


def test_policies_count_persons_without_an_outcome() -> None:
    df = persons()
    df.loc[np.arange(600) % 7 == 3, "y"] = np.nan
    trial = th.Trial(df, outcome="y", treatment="arm")
    found = th.arm_policy_value(trial, "LMM", n_splits=2)
    alone = th.Trial(df, outcome="y", treatment="arm", missing="complete-cases")
    cases = th.arm_policy_value(alone, "LMM", n_splits=2)
    # The same persons are followed, so that both say nearly the same.
    assert found.over_control.estimate == pytest.approx(cases.over_control.estimate, abs=0.1)
    assert 0.5 < found.over_control.estimate < 1.1
    place = th.cross_fit(trial.contrasts["1 against 0"], "LMM", n_splits=1).data.rows
    assert len(place) == (df.arm < 2).sum()
    assert df.arm[trial.contrasts["1 against 0"].counted_rows].max() == 1


def test_of_two_arms_the_assignments_are_counted() -> None:
    df = persons()
    two = th.Trial(df, outcome="y", treatment="arm", arms=[0, 1])
    assert th.test_contrasts(two, random_state=1, n_permutations=99).n_assignments == 100


def test_the_probability_of_each_arm_may_be_given_where_outcomes_are_missing() -> None:
    df = clustered().drop(columns="clinic")
    df.loc[::10, "y"] = np.nan
    given = {"a": 0.5, "b": 0.25, "c": 0.25}
    trial = th.Trial(df, outcome="y", treatment="arm", control="a", propensity=given)
    part = trial.contrasts["b against a"]
    assert part.enrolled_data.propensity == pytest.approx(1 / 3)
    assert part.enrolled_data.n == (df.arm != "c").sum()
