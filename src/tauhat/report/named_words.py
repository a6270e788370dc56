"""Words on named modifiers that several places of a report share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tauhat.report.numbers import format_p
from tauhat.report.plots import told_apart
from tauhat.report.text import Run, named_modifiers
from tauhat.report.voice import effects_differ
from tauhat.wording import join_words


def besides_named(run: Run) -> list[str]:
    """What covariates that were not named show by tests of their own; mostly nothing.

    Examples
    --------
    >>> run = {
    ...     "named_modifiers": {"tests": [{"modifier": "age"}]},
    ...     "modifiers": [{"covariate": "beds", "p_adjusted": 0.015}],
    ...     "heterogeneity_test": {"p_value": 0.01},
    ... }
    >>> print(besides_named(run)[0][:73])
    Not among them, so a lead: the effect goes with beds (p = 0.015); p is ad
    >>> besides_named({**run, "heterogeneity_test": {"p_value": 0.2}})
    []
    """
    named = {test["modifier"] for test in run["named_modifiers"]["tests"]}
    others = [one for one in named_modifiers(run) if one["covariate"] not in named][:3]
    if not others or not effects_differ(run):
        return []
    names = told_apart([one["covariate"] for one in others], 30)
    passed = [
        f"{name} ({format_p(one['p_adjusted'])})" for name, one in zip(names, others, strict=True)
    ]
    return [
        f"Not among them, so a lead: the effect goes with {join_words(passed)}; p is adjusted "
        "for the number of covariates."
    ]


def allowed_for(named: Mapping[str, Any]) -> str:
    """What adjusted p-values of named modifiers allow for."""
    modifiers = len(named["tests"])
    if named["n_tests"] == modifiers:
        return "the number of modifiers named"
    return (
        f"the number of modifiers named and of contrasts ({modifiers} times "
        f"{named['n_tests'] // modifiers})"
    )


def compared_names(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Comparisons by their modifier, and by their groups where the modifier has several."""
    times = Counter(one["modifier"] for one in found)
    return told_apart(
        [
            one["modifier"]
            if times[one["modifier"]] == 1
            else f"{one['modifier']}: {one['comparison']}"
            for one in found
        ],
        40,
    )


def together_words(own: Sequence[Mapping[str, Any]]) -> str:
    """Which comparisons of a modifier its one test is on."""
    every = all(one["estimate"] is not None for one in own)
    return "all groups together" if every else "those estimated together"


def left_out(comparisons: Sequence[Mapping[str, Any]]) -> str:
    """Which comparisons have no estimate, beside others that have one."""
    missing = [one for one in comparisons if one["estimate"] is None]
    if not missing or len(missing) == len(comparisons):
        return ""
    every = zip(comparisons, compared_names(comparisons), strict=True)
    names = [name for one, name in every if one["estimate"] is None][:2]
    if len(missing) > 2:
        names = [names[0], f"{len(missing) - 1} more"]
    return f" Not estimated (why: appendix): {join_words(names)}."


def when_named(run: Run) -> str:
    """When modifiers were named: only a plan tells that it was beforehand."""
    return "named when the analysis was called" if run["plan"] is None else "named beforehand"


def below_zero(run: Run) -> str:
    """What a difference below zero says, in words of benefit where it is said what is better."""
    if run["better"] is None:
        return (
            "Below zero: the effect is lower (or more negative) in the group named first, or falls "
            "as the number rises."
        )
    benefit = "more" if run["better"] == "lower" else "less"
    return (
        f"Below zero: {benefit} benefit in the group named first, or {benefit} the higher the "
        "number."
    )
