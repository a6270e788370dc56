"""What the report of several arms says of one contrast goes by the test over all of them."""

from __future__ import annotations

from typing import Any

import pytest

from tauhat.report.text import for_whom_answer
from tauhat.report.voice import deferring, effects_differ, unless_shown

CHANCE = "Does a test of interaction speak against chance?"


def run_of_arms(joint: float | None, adjusted: float | None) -> dict[str, Any]:
    contrasts = [{"contrast": "b against a", "p_value": 0.001, "p_adjusted": adjusted}]
    return {"heterogeneity_test": {"p_value": joint, "contrasts": contrasts}}


def contrast() -> dict[str, Any]:
    chance = {
        "item": CHANCE,
        "answer": "chance is an unlikely explanation",
        "basis": "primary test of a constant effect, all covariates at once: p = 0.001",
    }
    cut = {"item": "Was an arbitrary cut point avoided?", "answer": "no", "basis": ""}
    return {
        "heterogeneity_test": {"p_value": 0.001},
        "sensitivity": {"p_value_range": [0.0, 0.01]},
        "held_out": {"given": True, "subgroups": {"credibility": [chance, cut]}},
        "modifiers": [{"covariate": "age", "p_adjusted": 0.002, "lowest_label": "",
                       "strength": 0.5}],
        "average_effect": {"individual": {"estimate": 1.0, "se": 0.5}},
        "endpoint": {"in_risks": False},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("joint", "adjusted", "shown", "words"),
    [
        (0.01, 0.02, True, ""),
        (0.4, 0.4, False, "The primary test does not show that effects differ (p = 0.40)"),
        (0.01, 0.3, False, "Adjusted for the number of contrasts, the primary test does not"),
        (None, None, False, "Whether effects differ was not tested"),
    ],
)
def test_a_contrast_is_shown_to_differ_by_the_adjusted_test(
    joint: float | None, adjusted: float | None, shown: bool, words: str
) -> None:
    one = deferring(contrast(), run_of_arms(joint, adjusted), "b against a")
    assert effects_differ(one) is shown
    assert unless_shown(one).strip().startswith(words)
    assert (for_whom_answer(one).headline == "It differs by age") is shown
    assert deferring(one, run_of_arms(joint, adjusted), "b against a") == one


def test_chance_is_judged_by_the_adjusted_test() -> None:
    one = deferring(contrast(), run_of_arms(0.01, 0.03), "b against a")
    chance, cut = one["held_out"]["subgroups"]["credibility"]
    assert chance == {
        "item": CHANCE,
        "answer": "chance is a likely explanation",
        "basis": "primary test, adjusted for the number of contrasts: p = 0.030",
    }
    assert cut["answer"] == "no"
    untested = deferring(contrast(), run_of_arms(None, None), "b against a")
    assert untested["held_out"] == contrast()["held_out"]


def test_a_contrast_without_held_out_effects() -> None:
    quick = {**contrast(), "held_out": {"given": False, "reason": "quick"}}
    one = deferring(quick, run_of_arms(0.01, 0.03), "b against a")
    assert one["held_out"] == {"given": False, "reason": "quick"}
