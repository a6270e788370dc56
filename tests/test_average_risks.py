"""Average risks of both arms and their contrasts: difference, ratio, odds ratio, number needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.analysis import analyze
from tauhat.analysis.average_record import risks_record
from tauhat.analysis.run_fields import differences
from tauhat.errors import TrialError
from tauhat.inference import average_effects
from tauhat.inference.average_risks import AverageRisks, NumberNeeded
from tauhat.inference.estimate import Estimate
from tauhat.report.risk_section import risk_words


def tiny(*, sizes: tuple[int, ...] = (4,) * 6) -> tuple[np.ndarray, ...]:
    """Six clusters, three an arm, and a covariate that tells nothing since it is constant."""
    clusters = np.repeat(np.arange(6), sizes)
    events = [1, 2, 3, 1, 1, 2]
    y = np.concatenate([[1.0] * e + [0.0] * (n - e) for e, n in zip(events, sizes, strict=True)])
    return np.ones((len(y), 1)), y, (clusters >= 3).astype(int), clusters


def by_hand(risk: np.ndarray, scale: str) -> float:
    """Log ratio or log odds ratio of the second of two risks to the first."""
    told = risk if scale == "ratio" else risk / (1 - risk)
    return float(np.log(told[1] / told[0]))


@pytest.mark.parametrize("scale", ["ratio", "odds ratio"])
def test_ratios_of_a_tiny_trial_are_those_computed_by_hand(scale: str) -> None:
    X, y, arm, clusters = tiny()
    found = average_effects((X, y, arm, clusters))
    share = np.array([y[clusters == c].mean() for c in range(6)])
    arms = np.array([0, 0, 0, 1, 1, 1])
    risk = np.array([share[arms == a].mean() for a in (0, 1)])
    assert found.individual_risks is not None
    np.testing.assert_allclose(
        [found.individual_risks.control, found.individual_risks.treated], risk, rtol=1e-8
    )
    value = by_hand(risk, scale)
    individual, cluster = found.on(scale)
    assert individual is not None
    assert cluster is not None
    np.testing.assert_allclose([individual.estimate, cluster.estimate], np.exp(value), rtol=1e-8)
    without = np.array(
        [
            by_hand(
                np.array([share[(arms == a) & (np.arange(6) != j)].mean() for a in (0, 1)]), scale
            )
            for j in range(6)
        ]
    )
    # Arms of equal size: the delete-one jackknife as it is known.
    error = np.sqrt(5 / 6 * ((without - without.mean()) ** 2).sum())
    assert individual.se == pytest.approx(error, rel=1e-6)
    assert individual.lower == pytest.approx(
        np.exp(value - individual_quantile(individual) * error), rel=1e-6
    )


def individual_quantile(found: Estimate) -> float:
    """The t quantile behind an interval."""
    return float((np.log(found.upper) - np.log(found.lower)) / 2 / found.se)


def test_persons_weigh_risks_of_unequal_clusters_and_the_difference_agrees() -> None:
    rng = np.random.default_rng(1)
    for blocked in (False, True):
        sizes = rng.integers(10, 40, 12)
        clusters = np.repeat(np.arange(12), sizes)
        arm = (np.arange(12) % 2)[clusters]
        X = rng.normal(size=(len(clusters), 2))
        y = (rng.random(len(clusters)) < 0.3 + 0.2 * arm).astype(float)
        blocks = clusters // 4 if blocked else None
        found = average_effects((X, y, arm, clusters, None, blocks))
        for risks, difference in (
            (found.individual_risks, found.individual),
            (found.cluster_risks, found.cluster),
        ):
            assert risks is not None
            assert difference is not None
            apart = risks.treated - risks.control
            assert apart == pytest.approx(difference.estimate, abs=1e-10)
            assert risks.difference == difference
    one = average_effects((X, y, arm))
    assert one.individual_risks is not None
    arms = one.individual_risks
    assert arms.treated - arms.control == pytest.approx(one.individual.estimate, abs=1e-12)
    assert one.on("ratio")[1] is None


def test_values_of_an_event_do_not_matter_and_exchanged_arms_turn_ratios_over() -> None:
    X, y, arm, clusters = tiny(sizes=(4, 5, 6, 4, 5, 6))
    first = average_effects((X, y, arm, clusters))
    coded = average_effects((X, 1 + 2 * y, arm, clusters))
    swapped = average_effects((X, y, 1 - arm, clusters))
    for scale in ("ratio", "odds ratio"):
        own, other, turned = (found.on(scale)[0] for found in (first, coded, swapped))
        assert own is not None
        assert other is not None
        assert turned is not None
        assert other.estimate == pytest.approx(own.estimate, rel=1e-6)
        assert turned.estimate == pytest.approx(1 / own.estimate, rel=1e-6)
        assert turned.lower == pytest.approx(1 / own.upper, rel=1e-6)
    assert coded.individual.estimate == pytest.approx(2 * first.individual.estimate)
    assert coded.individual_risks is not None
    assert first.individual_risks is not None
    assert coded.individual_risks.difference.lower == pytest.approx(
        first.individual_risks.difference.lower
    )


def test_without_events_in_an_arm_there_is_no_ratio_and_the_text_says_so() -> None:
    X, y, arm, clusters = tiny()
    found = average_effects((X, y * arm, arm, clusters))
    assert found.individual_risks is not None
    assert found.individual_risks.control == pytest.approx(0, abs=1e-12)
    assert found.on("ratio") == (None, None)
    assert "Too few events in an arm for a ratio." in found.text
    # Nor where one cluster holds all of them: without it there is none.
    assert average_effects((X, y * (arm | (clusters == 1)), arm, clusters)).on("ratio")[0] is None


def test_a_risk_that_is_cut_at_its_bound_is_said_to_be() -> None:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(12), 20)
    arm, x = clusters % 2, rng.normal(size=240)
    y = ((x + rng.normal(size=240) > 0) & (arm == 0)).astype(float)
    told = "Adjusted for covariates the risk with treatment came out below 0 and is shown as 0"
    # With more of x among the treated their adjusted risk is lower than none.
    found = average_effects(((x + 0.2 * arm)[:, None], y, arm, clusters)).individual_risks
    assert found is not None
    assert found.treated == 0
    assert found.difference.estimate < -found.control - 0.0005
    assert told in found.text
    number = found.number_needed
    said = risk_words(
        "y = 1",
        {
            "control": found.control,
            "treated": found.treated,
            "difference": {"estimate": found.difference.estimate},
            "ratio": None,
            "number_needed": {
                name: getattr(number, name)
                for name in ("estimate", "fewer", "lower", "upper", "crosses")
            },
        },
    )
    assert told in said[-1]
    alone = average_effects((np.ones((240, 1)), y, arm, clusters)).individual_risks
    assert alone is not None
    assert "shown as" not in alone.text


def test_an_outcome_that_is_no_event_has_no_ratio() -> None:
    X, y, arm, clusters = tiny()
    found = average_effects((X, y + np.arange(len(y)), arm, clusters))
    assert found.individual_risks is None
    assert found.on("difference") == (found.individual, found.cluster)
    with pytest.raises(TrialError, match="scale='ratio' needs an outcome with two values"):
        found.on("ratio")
    with pytest.raises(TrialError, match="scale must be one of difference, ratio, odds ratio"):
        found.on("risk")


def test_number_needed_goes_through_infinity_where_the_difference_may_be_none() -> None:
    clear = NumberNeeded.of(Estimate.from_t(0.1, 0.02, degrees_of_freedom=50, level=0.95))
    assert (clear.fewer, clear.crosses, clear.estimate) == (False, False, pytest.approx(10))
    assert clear.lower < 10 < clear.upper
    open_ = NumberNeeded.of(Estimate.from_t(0.02, 0.02, degrees_of_freedom=50, level=0.95))
    assert open_.crosses
    assert "through infinity, to 49.6 for one event fewer" in open_.text
    none = NumberNeeded.of(Estimate.from_t(0.0, 0.0, degrees_of_freedom=50, level=0.95))
    assert none.estimate is None
    assert none.text == "No number of persons treated makes one event more or fewer."


def test_numbers_of_one_sentence_have_the_same_decimals() -> None:
    difference = Estimate.from_t(-0.0772, 0.027, degrees_of_freedom=597, level=0.95)
    risks = AverageRisks(0.49, 0.0916, difference, None, None)
    assert risks.text.startswith(
        "9.2 of 100 persons have the event with treatment and 49.0 without"
    )
    assert risks.text.endswith("for every 13.0 persons treated (interval 7.7 to 41.4).")
    rare = NumberNeeded.of(Estimate.from_t(8e-4, 6e-4, degrees_of_freedom=9999, level=0.95))
    assert "every 1250 persons treated (interval from 506 for one event more" in rare.text


def test_decision_makers_are_told_the_event_its_ratio_and_the_number_needed() -> None:
    ratio = {"estimate": 0.543, "lower": 0.349, "upper": 0.847}
    needed = {"estimate": 12.96, "lower": 7.71, "upper": 41.1, "fewer": True, "crosses": False}
    risks = {
        "control": 0.169, "treated": 0.0916, "ratio": ratio, "number_needed": needed,
        "difference": {"estimate": -0.0772},
    }  # fmt: skip
    assert risk_words("pancreatitis = 1", risks) == [
        "Event: pancreatitis = 1. Of 100 persons 9.2 have it with treatment and 16.9 without, risk "
        "ratio 0.54 (0.35 to 0.85): one event fewer for every 13.0 persons treated (7.7 to 41.1)."
    ]
    crossing = {**risks, "ratio": None, "number_needed": {**needed, "crosses": True}}
    (told,) = risk_words("pancreatitis = 1", crossing)
    assert told.endswith("have it with treatment and 16.9 without.")
    assert risk_words("pancreatitis = 1", {**risks, "control": None}) == []


def test_results_show_risks_per_hundred() -> None:
    rng = np.random.default_rng(3)
    A = np.arange(600) % 2
    X = rng.normal(size=(600, 1))
    found = th.average_effects((X, rng.random(600) < 0.3 - 0.1 * A, A))
    assert found.individual_risks is not None
    assert list(found.individual_risks.table.scale) == ["difference", "ratio", "odds ratio"]
    assert "of 100 persons have the event with treatment" in found.text


def trial_of(n: int, base: float, effect: float = 0.0) -> th.Trial:
    rng = np.random.default_rng(5)
    df = pd.DataFrame({"age": rng.normal(60, 9, n), "arm": np.arange(n) % 2})
    df["died"] = np.where(rng.random(n) < base + effect * df.arm, "yes", "no")
    return th.Trial(df, outcome="died", treatment="arm", event_value="yes")


@pytest.mark.usefixtures("quick_run")
def test_a_run_tells_risks_ratios_and_events_of_both_arms() -> None:
    trial = trial_of(400, 0.3, 0.1)
    found = analyze(trial, models=["LMM"], random_state=1, n_permutations=99)
    run = found.to_json()
    assert differences(run) == []
    risks, event = run["average_risks"], trial.y == 1
    assert risks["event"] == "died = yes"
    assert [arm["events"] for arm in risks["arms"]] == [
        int(event[trial.treatment == a].sum()) for a in (0, 1)
    ]
    own = risks["individual"]
    assert own["treated"] - own["control"] == pytest.approx(
        run["average_effect"]["individual"]["estimate"]
    )
    assert own["ratio"]["estimate"] == pytest.approx(own["treated"] / own["control"])
    assert risks["cluster"] is None
    page = found.to_html()
    assert "Risks of the event" in page
    assert "risk difference, per 100" in page
    share = np.bincount(trial.treatment, weights=event)[0] / (trial.treatment == 0).sum()
    assert f"{risks['arms'][0]['events']} ({100 * share:.0f}%)" in page
    assert f"{own['ratio']['estimate']:.2f}" in page


def test_few_events_are_warned_of_and_neither_told_nor_to_be_worked_out() -> None:
    trial = trial_of(300, 0.015)
    events = [int(trial.y[trial.treatment == a].sum()) for a in (0, 1)]
    assert min(events) in range(1, 5)
    (found,) = (one for one in trial.check().graded if one.code == "rare-events")
    assert found.status == "warning"
    assert found.value == "the event rare: fewer than five persons in an arm"
    risks = risks_record(trial, average_effects(trial))
    assert risks is not None
    assert [arm["events"] for arm in risks["arms"]] == [None, None]
    own = risks["individual"]
    assert [own[k] for k in ("control", "treated", "ratio", "odds_ratio")] == [None] * 4
    assert own["text"].startswith("The risk difference is")
    assert average_effects(trial).individual_risks.control is not None
    table = trial.check().table.set_index("item").value
    assert "%" not in table["events"]
    codes = [one.code for one in trial_of(400, 0.3).check().graded]
    assert "rare-events" not in codes
    thirty = next(one for one in trial_of(200, 0.1).check().graded if one.code == "rare-events")
    assert thirty.sentence.startswith("Fewer than 30 persons had the event")


def test_a_named_group_has_risks_and_a_ratio_about_its_effect() -> None:
    rng = np.random.default_rng(4)
    for clustered in (False, True):
        n = 1200
        clusters = np.arange(n) // 40
        arm = clusters % 2 if clustered else np.arange(n) % 2
        X = pd.DataFrame({"old": rng.integers(0, 2, n)})
        y = (rng.random(n) < 0.2 + 0.2 * arm * X.old).astype(float)
        trial = (X, y, arm, clusters if clustered else None)
        found = th.group_effect(trial, "old == 1", "LMM", n_splits=1)
        inside, outside = found.inside_risks, found.outside_risks
        assert inside is not None
        assert outside is not None
        assert inside.treated - inside.control == pytest.approx(found.inside.estimate)
        assert inside.ratio is not None
        assert outside.ratio is not None
        assert inside.ratio.estimate == pytest.approx(inside.treated / inside.control)
        assert inside.ratio.lower < 2 < inside.ratio.upper
        assert outside.ratio.lower < 1 < outside.ratio.upper
        # Delta method of two independent arms, at an intracluster correlation of none.
        plain = np.sqrt(
            sum((1 - p) / (p * ((X.old == 1) & (arm == a)).sum())
                for a, p in enumerate((inside.control, inside.treated)))
        )  # fmt: skip
        assert inside.ratio.se == pytest.approx(plain, rel=0.5 if clustered else 0.1)
        assert "In it," in found.text
    assert th.group_effect((X, y + X.old, arm), "old == 1", "LMM", n_splits=1).inside_risks is None


def test_neither_the_mean_nor_an_empty_arm_tells_how_many_few_events_are() -> None:
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"x": rng.normal(size=240), "arm": np.arange(240) % 2, "died": 0})
    df.loc[[1, 3], "died"] = 1
    check = th.Trial(df, outcome="died", treatment="arm", covariates=["x"]).check()
    assert dict(zip(check.table["item"], check.table["value"], strict=True))["outcome"] == (
        "two values, one of fewer than five persons"
    )
    assert "nobody" not in check.text
    df.loc[df.arm == 1, "died"] = np.arange(120) % 2
    check = th.Trial(df, outcome="died", treatment="arm", covariates=["x"]).check()
    assert "In arm 0, nobody had the event" in check.text


def test_risks_of_a_coded_event_are_told_in_risks() -> None:
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"x": rng.normal(size=240), "arm": np.arange(240) % 2})
    df["score"] = 100.0 * (rng.random(240) < 0.4)
    trial = th.Trial(df, outcome="score", treatment="arm", covariates=["x"])
    found = average_effects(trial)
    record = risks_record(trial, found)
    assert record is not None
    assert record["individual"]["difference"]["estimate"] == pytest.approx(
        found.individual.estimate / 100
    )


def test_averages_are_near_those_of_mrstdcrt() -> None:
    folder = Path(__file__).parent / "reference"
    expected = json.loads((folder / "mrstdcrt.json").read_text())
    table = pd.read_csv(folder / "glmer_trial.csv")
    trial = th.Trial(
        table, outcome="y", treatment="arm", cluster="cluster", covariates=["x1", "x2"]
    )
    found = average_effects(trial)
    assert found.individual_risks is not None
    assert found.cluster_risks is not None
    for place, risks in enumerate((found.cluster_risks, found.individual_risks)):
        for name, given in expected.items():
            mine, theirs = (
                getattr(risks, name),
                np.array([given[k][place] for k in ("estimate", "se")]),
            )
            # The same estimator about another working regression: theirs is unpenalised, with
            # cluster means of the covariates, which 30 clusters do not know well.
            of = float if name == "difference" else np.log
            assert abs(of(mine.estimate) - of(theirs[0])) < 0.15 * theirs[1]
            assert mine.se == pytest.approx(theirs[1], rel=0.12)
