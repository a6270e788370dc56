"""Effects on risks as the reader is told them: per 100 persons, where ``run.json`` has shares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tauhat.wording import with_digits_alike

HUNDRED = 100

# Keys of run.json whose numbers are effects, whatever they stand in.
_EFFECTS = frozenset(
    {
        *("estimate", "se", "lower", "upper", "predicted", "qini", "threshold", "quantiles"),
        *("detectable", "moderate", "mcid", "lowest_effect", "highest_effect", "mean_effect"),
        *("sd_effect", "mean_change", "without_one_cluster", "tipping_point"),
        "mean_interval_width",
    }
)
# The same where the name means an effect in one place only: by the part of run.json.
_ALSO = {
    "effects": frozenset({"mean", "sd"}),
    "members": frozenset({"sd"}),
    "calibration": frozenset({"spread"}),
}
# What has no effects in it, or tells them per 100 itself.
_LEFT = frozenset(
    {
        *("average_risks", "average_rates", "relative_effect", "ratio"),
        *("slope", "risks", "classification", "variance_components", "design", "check"),
        *("missing_outcomes", "shifts", "weights", "data", "roles", "versions", "seconds"),
    }
)
# Sentences made elsewhere that hold estimates.
_SENTENCES = frozenset({"text", "basis"})
_SPREAD = re.compile(r"Mean effect (\S+), standard deviation over persons (\S+);")
_UNITS = {
    "Gains are in units of the outcome": f"Gains are per {HUNDRED} persons",
    "The mean gain a person is": "The mean gain is",
}


def told_per_hundred(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Content of ``run.json`` with effects on a risk per 100 persons; others as they are.

    Risks are those of an event, and of being without one at a horizon.

    Examples
    --------
    >>> run = {"endpoint": {"in_risks": True}, "effects": {"mean": -0.077},
    ...        "average_effect": {"individual": {"estimate": -0.08, "p_value": 0.004}}}
    >>> told = told_per_hundred(run)
    >>> told["average_effect"]["individual"], told["effects"]
    ({'estimate': -8.0, 'p_value': 0.004}, {'mean': -7.7})
    >>> told_per_hundred(told) is told
    True
    """
    if "contrasts" in run and "endpoint" not in run:
        return _told_contrasts(run)
    endpoint = run["endpoint"]
    if not _of_risks(endpoint) or is_per_hundred(run):
        return run
    # "persons" and not "patients": those of a school trial are none.
    return {**_changed(run), "endpoint": {**endpoint, "per": HUNDRED}}


def _of_risks(endpoint: Mapping[str, Any]) -> bool:
    return bool(endpoint.get("in_risks")) or is_probability_at_horizon(endpoint)


def is_probability_at_horizon(endpoint: Mapping[str, Any]) -> bool:
    """Whether effects are on what is made of times, and no times themselves.

    Examples
    --------
    >>> is_probability_at_horizon({"horizon": 24.0, "in_time": False})
    True
    """
    return endpoint.get("horizon") is not None and not endpoint.get("in_time")


def _told_contrasts(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Content of ``run.json`` of several arms, likewise."""
    contrasts = {name: told_per_hundred(one) for name, one in run["contrasts"].items()}
    if not all(map(is_per_hundred, contrasts.values())):
        return run
    if all(contrasts[name] is one for name, one in run["contrasts"].items()):
        return run
    return {**_changed(run), "contrasts": contrasts}


def is_per_hundred(run: Mapping[str, Any]) -> bool:
    """Whether effects are told per 100 persons."""
    return "per" in run["endpoint"]


def per_words(run: Mapping[str, Any]) -> str:
    """What follows the name of an effect or of an axis: that it is per 100, or nothing.

    Examples
    --------
    >>> per_words({"endpoint": {"in_risks": True, "per": 100}}), per_words({"endpoint": {}})
    (' per 100 persons', '')
    """
    return f" per {HUNDRED} persons" if is_per_hundred(run) else ""


def time_at_risk(run: Mapping[str, Any]) -> str | None:
    """The column of the time in which events were counted; None where effects are no rates."""
    column: str | None = (run.get("average_rates") or {}).get("exposure")
    return column


def mcid_units(run: Mapping[str, Any]) -> str:
    """What follows a benefit that matters: that it is per 100, or per unit of the time at risk.

    Examples
    --------
    >>> mcid_units({"average_rates": {"exposure": "years"}}), mcid_units({"endpoint": {}})
    (' per unit of years', '')
    """
    time = time_at_risk(run)
    return per_words(run) if time is None else f" per unit of {time}"


def units_words(run: Mapping[str, Any]) -> str:
    """What numbers that are effects are in."""
    return per_words(run).strip() or "in units of the outcome"


def gain_words(run: Mapping[str, Any]) -> str:
    """Whose a mean gain is: one person's, or that of 100."""
    return f"gain{per_words(run)}" if is_per_hundred(run) else "gain a person"


def _changed(run: Mapping[str, Any]) -> dict[str, Any]:
    known = list(_sentences(run))

    def changed(value: Any, key: str, part: str) -> Any:
        if key in _LEFT:
            return value
        if isinstance(value, Mapping):
            if key in _EFFECTS and "estimate" not in value:
                return {name: HUNDRED * one for name, one in value.items()}
            # A list of members stands in the part that its mapping is.
            inside = key or part
            return {name: changed(one, name, inside) for name, one in value.items()}
        if isinstance(value, list):
            return [changed(one, key if _is_number(one) else "", key or part) for one in value]
        if isinstance(value, str) and key in _SENTENCES:
            for pattern, told in known:
                value = re.sub(pattern, told, value)
            for raw, told in _UNITS.items():
                value = value.replace(raw, told)
            return _SPREAD.sub(_told_spread, value)
        effect = key in _EFFECTS or key in _ALSO.get(part, ())
        return HUNDRED * value if effect and _is_number(value) else value

    return {name: changed(one, name, "") for name, one in run.items() if name != "contrasts"}


def _told_spread(found: re.Match[str]) -> str:
    """What `tauhat.ensembles.Explanation` says of the effects."""
    mean, spread = (f"{HUNDRED * float(value):.3g}" for value in found.groups())
    return f"Mean effect {mean} per {HUNDRED} persons, standard deviation over persons {spread};"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _sentences(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every estimate as sentences have it (`tauhat.inference.Estimate.text`), and per 100."""
    for found in _estimates(run):
        ends = [found["estimate"], found["lower"], found["upper"]]
        if all(map(_is_number, ends)):
            raw = [re.escape(value) for value in with_digits_alike(*ends)]
            told = with_digits_alike(*(HUNDRED * value for value in ends))
            interval = r"(\([\d.]+% confidence interval)"
            yield (
                rf"(?<![\d.]){raw[0]} {interval} {raw[1]} to {raw[2]}(?![\d.]?\d)",
                rf"{told[0]} per {HUNDRED} persons \g<1> {told[1]} to {told[2]}",
            )


def _estimates(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if {"estimate", "lower", "upper"} <= value.keys():
            yield value
        for name, one in value.items():
            if name not in _LEFT and name != "contrasts":
                yield from _estimates(one)
    elif isinstance(value, list):
        for one in value:
            yield from _estimates(one)
