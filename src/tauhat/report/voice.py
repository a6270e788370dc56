"""What every sentence on differing effects goes by: the primary test, and what is better."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tauhat.inference.credibility import AGAINST_CHANCE, chance_words
from tauhat.report.numbers import Scale, format_p
from tauhat.wording import p_words


def effects_differ(run: Mapping[str, Any]) -> bool:
    """Whether the primary test shows that the effect differs; of a contrast, that its own does.

    Examples
    --------
    >>> effects_differ({"heterogeneity_test": {"p_value": 0.01}})
    True
    >>> effects_differ({"heterogeneity_test": {"p_value": 0.01, "p_adjusted": 0.4}})
    False
    """
    test = run["heterogeneity_test"]
    return _below(test["p_value"]) and _below(test.get("p_adjusted", test["p_value"]))


def _below(p_value: float | None) -> bool:
    return p_value is not None and p_value < 0.05


def deferring(one: Mapping[str, Any], run: Mapping[str, Any], contrast: str) -> dict[str, Any]:
    """A contrast's run whose sentences on differing effects go by the test over all contrasts.

    Parameters
    ----------
    one
        The contrast's run, as if it were a trial of its own.
    run
        That of all contrasts.
    contrast
        Its name.
    """
    joint = run["heterogeneity_test"]
    adjusted = {row["contrast"]: row["p_adjusted"] for row in joint["contrasts"]}.get(contrast)
    test = {**one["heterogeneity_test"], "p_value": joint["p_value"], "p_adjusted": adjusted}
    # Other random assignments were drawn for the contrast's own part of the test.
    sensitivity = {**one["sensitivity"], "p_value_range": None}
    held = one["held_out"]
    if held["given"]:
        subgroups = held["subgroups"]
        rows = [_over_contrasts(row, adjusted) for row in subgroups["credibility"]]
        held = {**held, "subgroups": {**subgroups, "credibility": rows}}
    return {**one, "heterogeneity_test": test, "sensitivity": sensitivity, "held_out": held}


def _over_contrasts(row: Mapping[str, Any], p_adjusted: float | None) -> Mapping[str, Any]:
    """A question on the credibility of subgroups, that on chance answered by the adjusted test."""
    if row["item"] != AGAINST_CHANCE or p_adjusted is None:
        return row
    basis = f"primary test, adjusted for the number of contrasts: {p_words(p_adjusted)}"
    return {**row, "answer": chance_words(p_adjusted), "basis": basis}


def unless_shown(run: Mapping[str, Any]) -> str:
    """What any sentence on differences ends with unless the primary test shows that there are some.

    Examples
    --------
    >>> unless_shown({"heterogeneity_test": {"p_value": 0.3}})
    ' The primary test does not show that effects differ (p = 0.30): this is a lead, no finding.'
    >>> unless_shown({"heterogeneity_test": {"p_value": 0.01, "p_adjusted": 0.41}})[:69]
    ' Adjusted for the number of contrasts, the primary test does not show'
    >>> unless_shown({"heterogeneity_test": {"p_value": 0.01}})
    ''
    """
    if effects_differ(run):
        return ""
    p_value = run["heterogeneity_test"]["p_value"]
    if p_value is None:
        return " Whether effects differ was not tested: this is a lead, no finding."
    if _below(p_value):
        adjusted = run["heterogeneity_test"]["p_adjusted"]
        return (
            " Adjusted for the number of contrasts, the primary test does not show that effects "
            f"differ in this one ({format_p(adjusted)}): this is a lead, no finding."
        )
    return (
        f" The primary test does not show that effects differ ({format_p(p_value)}): this is a "
        "lead, no finding."
    )


def order_words(run: Mapping[str, Any]) -> str:
    """What is said where effects of the outer quarters lie the other way round than predicted.

    Examples
    --------
    >>> order_words({"held_out": {"difference": {"lower": -21.0, "upper": -0.3}}})
    ' That is the opposite of the order predicted.'
    >>> order_words({"held_out": {"difference": {"lower": -1.0, "upper": 3.0}}})
    ''
    """
    upper = run["held_out"]["difference"]["upper"]
    return "" if upper is None or upper >= 0 else " That is the opposite of the order predicted."


def other_averages(run: Mapping[str, Any], scale: Scale) -> list[str]:
    """Why the average effect told by groups or policies is another number; none where it is not.

    Examples
    --------
    >>> average = {"average_effect": {"primary": "individual", "individual": {"estimate": 7.47}}}
    >>> quarters = [{"estimate": value, "persons": 10} for value in (5.0, 11.0)]
    >>> policy = {"better": "higher", "comparisons": [
    ...     {"treating": "everyone against no one", "estimate": 7.61}]}
    >>> held = {"groups": quarters, "policy": [policy]}
    >>> print(other_averages({**average, "held_out": held}, Scale(1))[0][:77])
    The average effect is 8.0 by these groups and 7.6 as the gain of treating eve
    >>> held["groups"], policy["comparisons"][0]["estimate"] = quarters[:0], 7.49
    >>> other_averages({**average, "held_out": held}, Scale(1))
    []
    """
    held, reported = run["held_out"], scale(run["average_effect"]["individual"]["estimate"])
    told = {}
    groups = held["groups"]
    if groups and all(row["estimate"] is not None for row in groups):
        persons = sum(row["persons"] for row in groups)
        mean = sum(row["estimate"] * row["persons"] for row in groups) / persons
        told["by these groups"] = scale(mean)
    for policy in held["policy"][:1]:
        for row in policy["comparisons"]:
            if row["treating"] == "everyone against no one" and row["estimate"] is not None:
                sign = -1 if policy["better"] == "lower" else 1
                told["as the gain of treating everyone"] = scale(sign * row["estimate"])
    apart = [f"{number} {by}" for by, number in told.items() if number != reported]
    if not apart:
        return []
    leads = run["average_effect"]["primary"] == "individual"
    where = "at the top" if leads else "among the average effects"
    return [
        f"The average effect is {' and '.join(apart)}, and {reported} {where}: one estimand, "
        "adjusted here by models that left each person out and there by the regression named with "
        f"it. The one {where} is the answer."
    ]


def end_words(run: Mapping[str, Any]) -> tuple[str, str]:
    """Words for the smallest and the largest effect: of benefit, where it is said what is better.

    Examples
    --------
    >>> end_words({"better": None}), end_words({"better": "lower"})
    (('smallest', 'largest'), ('most benefit', 'least benefit'))
    """
    if run["better"] is None:
        return "smallest", "largest"
    words = ("least benefit", "most benefit")
    return words if run["better"] == "higher" else (words[1], words[0])


def ends_told(text: str, run: Mapping[str, Any]) -> str:
    """A text on the smallest and the largest effects in words of benefit, where these are known.

    Examples
    --------
    >>> ends_told("the largest predicted effects; 1 (smallest)", {"better": "higher"})
    'the most predicted benefit; 1 (least benefit)'
    >>> ends_told("the largest and the smallest predicted effects", {"better": "lower"})
    'the least and the most predicted benefit'
    >>> ends_told("the largest effect", {"better": None})
    'the largest effect'
    """
    if run["better"] is None:
        return text
    words = dict(zip(("smallest", "largest"), end_words(run), strict=True))

    def told(found: re.Match[str]) -> str:
        amount, _, benefit = words[found[1].lower()].partition(" ")
        amount = amount.capitalize() if found[1][0].isupper() else amount
        return f"{amount}{found[2] or ''} {benefit}"

    # Of two ends that share the noun behind them, the first one has none.
    shared = r"\b(largest|smallest)(?= and the (?:largest|smallest)\b[\w ]* effects?\b)"
    text = re.sub(shared, lambda found: words[found[1]].partition(" ")[0], text)
    return re.sub(r"\b([Ll]argest|[Ss]mallest)( predicted)?(?: effects?)?(?![\w])", told, text)


def directions_told(text: str, run: Mapping[str, Any]) -> str:
    """A text on where effects are larger, in words of benefit where it is said what is better.

    Examples
    --------
    >>> directions_told("beds (larger effect at smaller values)", {"better": "lower"})
    'beds (more benefit at larger values)'
    >>> directions_told("beds (larger effect at smaller values)", {"better": None})
    'beds (larger effect at smaller values)'
    """
    if run["better"] is None:
        return text
    other = {"larger": "smaller", "smaller": "larger"}

    def told(found: re.Match[str]) -> str:
        where = found[1] if run["better"] == "higher" else other[found[1]]
        return f"more benefit at {where} values"

    return re.sub(r"\blarger effect at (larger|smaller) values\b", told, text)


def groups_told(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """A run whose held-out groups and subgroups are named in words of benefit."""
    found = run["held_out"]
    if run["better"] is None or not found["given"]:
        return run
    groups = [{**row, "group": ends_told(row["group"], run)} for row in found["groups"]]
    subgroups = [
        {**row, "subgroup": ends_told(row["subgroup"], run)}
        for row in found["subgroups"]["subgroups"]
    ]
    changed = {"groups": groups, "subgroups": {**found["subgroups"], "subgroups": subgroups}}
    return {**run, "held_out": {**found, **changed}}


# Arguments as messages name them: NAME=, NAME='value', NAME=['a', 'b']; labels of the data are not
# written so.
_ARGUMENTS = (
    "accept|arms|auxiliary|baseline_rows|block|censoring|cluster|cluster_covariates|contrasts|"
    "control|covariates|"
    "crossed|endpoint|event|event_value|exposure|horizon|id|missing|na|normalise_labels|participant|period|"
    "propensity|weight|where"
)
_ARGUMENT = re.compile(
    rf"(?<![\w'\"=.\-])({_ARGUMENTS})=(?:(\[[^\]]*\])|('[^']*'|\"[^\"]*\")|(?=$|[\s.,;:)]))"
)


def neutral(shown: Any) -> Any:
    """Sentences made for the reader of a message, in the words of neither Python nor the command.

    Examples
    --------
    >>> neutral("Name those with covariates=. (missing=)")
    "Name those with the setting 'covariates'. (the setting 'missing')"
    >>> neutral(["give event_value=1, or endpoint='time-lost'"])
    ["give event_value=1, or the setting 'endpoint', 'time-lost'"]
    """
    if isinstance(shown, str):
        return _ARGUMENT.sub(_setting, shown)
    if isinstance(shown, Mapping):
        return {key: neutral(one) for key, one in shown.items()}
    return [neutral(one) for one in shown] if isinstance(shown, (list, tuple)) else shown


def _setting(found: re.Match[str]) -> str:
    name, several, one = found.groups()
    value = several or one
    return f"the setting '{name}'" + (f", {value}" if value else "")
