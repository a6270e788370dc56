"""The results of a run in sentences for a paper, filled from ``run.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat.report.named_words import together_words
from tauhat.report.numbers import format_fixed, format_p, format_percent, typeset
from tauhat.report.rate_section import rate_words
from tauhat.report.target_words import target_words
from tauhat.report.text import Run, estimands, scale_of, units_sentence
from tauhat.report.time_units import in_units
from tauhat.report.voice import order_words


def results(run: Run) -> list[str]:
    """The paragraphs of results."""
    texts = [units_sentence(run)]
    if run["design"]["icc"] is not None:
        icc = format_fixed(run["design"]["icc"], 3)
        texts[0] += f" The intracluster correlation of the outcome was {icc}."
    texts.append(" ".join(averages(run)))
    risks = run["average_risks"]
    if risks is not None:
        texts.append(risks_told(run))
    texts += rate_words(run)
    texts += target_words(run)
    texts.append(_of_test(run))
    named = run["named_modifiers"]
    if named is not None:
        texts.append(" ".join(_of_modifier(run, test) for test in named["tests"]))
    held = run["held_out"]
    if held["given"]:
        scale, found = scale_of(run), held["difference"]
        texts.append(
            "Between the outer quarters by predicted effect, the effect differed by "
            f"{scale(found['estimate'])} ({scale.interval(found['lower'], found['upper'])}), "
            f"by effects that no model saw.{order_words(run)}"
        )
    return texts


def _of_modifier(run: Run, test: Mapping[str, Any]) -> str:
    """The comparisons of a named modifier in a sentence."""
    return f"{test['modifier']}, {comparisons_words(run, test)}."


def comparisons_words(run: Run, test: Mapping[str, Any]) -> str:
    """Each comparison of a named modifier; the adjusted p is of all its groups together."""
    own = [
        one for one in run["named_modifiers"]["comparisons"] if one["modifier"] == test["modifier"]
    ]
    told = "; ".join(f"{one['comparison']}: {_estimate(run, one)}" for one in own)
    if test["p_adjusted"] is None:
        return told
    adjusted = f", adjusted {format_p(test['p_adjusted'])}"
    if len(own) == 1:
        return told + adjusted
    return f"{told}; {together_words(own)}: {format_p(test['p_value'])}{adjusted}"


def averages(run: Run) -> list[str]:
    """The average effects, a sentence each."""
    effects = run["average_effect"]
    return [
        f"The {name}-average effect was {_estimate(run, effects[name], in_units(run))}."
        for name in estimands(run)
    ]


def _estimate(run: Run, one: Mapping[str, Any], unit: str = "") -> str:
    if one["estimate"] is None:
        return "not estimable"
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    interval = scale.interval(one["lower"], one["upper"])
    return f"{scale(one['estimate'])}{unit} ({level} CI {interval}; {format_p(one['p_value'])})"


def _of_test(run: Run) -> str:
    test = run["heterogeneity_test"]
    if not test["tested"]:
        return f"Whether the effect differs between persons was not tested. {test['text']}"
    return (
        f"The test of effects that differ between persons gave {format_p(test['p_value'])}; a "
        "large p-value would be no evidence that the effect is the same for everyone."
    )


def risks_told(run: Run) -> str:
    """The risks of both arms, where the outcome is an event."""
    risks = run["average_risks"]
    return (
        "not binary" if risks is None else typeset(risks[run["average_effect"]["primary"]]["text"])
    )
