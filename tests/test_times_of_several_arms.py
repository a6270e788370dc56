"""What the report of more than two arms says of times to an event."""

from __future__ import annotations

from typing import Any

import pytest

import tauhat as th
from tauhat.report.survival_of_contrasts import horizons_told, survival_tables
from timed_trials import table, trial_of


def told(arm: str, events: int | None, *p_values: float | None) -> dict[str, Any]:
    """The part of a contrast's run that the section reads."""
    arms = [
        {"arm": name, "persons": 80, "events": count, "censored": 20, "at_risk": None,
         "estimate": mean, "lower": mean - 2, "upper": mean + 2}
        for name, count, mean in (("placebo", events, 14.0), (arm, 31, 16.0))
    ]  # fmt: skip
    over = [
        {"horizon": 12.0 * (k + 1), "estimate": 1.0, "se": 0.5, "lower": 0.0, "upper": 2.0,
         "p_value": p}
        for k, p in enumerate(p_values)
    ]  # fmt: skip
    return {
        "roles": {"outcome": "months"},
        "interval": {"level": 0.95},
        "endpoint": {"horizon": 24.0, "in_time": True},
        "average_effect": {"individual": {"se": 0.5}},
        "survival_by_arm": {
            "measure": "restricted mean survival time",
            "arms": arms,
            "difference": {"estimate": 2.0, "lower": -0.5, "upper": 4.5},
            "over_horizons": over,
        },
    }


def test_every_arm_stands_once_and_p_values_count_all_contrasts() -> None:
    runs = {"low": told("low dose", 40, 0.01, 0.5), "high": told("high dose", None, None, 0.03)}
    arms, over = survival_tables(runs)
    assert [row[0] for row in arms.rows] == ["placebo", "low dose", "high dose", "low", "high"]
    # What one contrast hides of the shared arm is hidden.
    assert [row[2] for row in arms.rows[:3]] == ["–", "31", "31"]
    # Holm over the three p-values of both contrasts: .01 x 3, .03 x 2, .5.
    assert [row[-2:] for row in over.rows] == [
        ["0.010", "0.030"], ["0.50", "0.50"], ["–", "–"], ["0.030", "0.060"]
    ]  # fmt: skip
    (sentence,) = horizons_told(runs)
    assert "Of 4 effects, of 2 contrasts" in sentence
    assert "the smallest is 0.030" in sentence
    assert horizons_told({"low": told("low dose", 40, 0.01)}) == []


@pytest.mark.slow
def test_the_report_of_three_arms_has_one_section_on_times() -> None:
    df = table(n=360)
    df["arm"] = df.index % 3
    found = th.analyze(trial_of(df), models=["LMM"], random_state=1, n_permutations=99)
    page = found.to_html()
    assert page.count("<caption>The arms without covariates: restricted mean") == 1
    assert "Of 8 effects, of 2 contrasts at several horizons" in page
    assert "Of 4 horizons" not in page
