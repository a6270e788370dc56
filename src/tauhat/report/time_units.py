"""The unit of a time to an event, as its file or the name of its column tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tauhat.report.per_hundred import is_probability_at_horizon, per_words

_UNITS = ("second", "minute", "hour", "day", "week", "month", "year")


def unit_of_time(run: Mapping[str, Any]) -> str:
    """Unit of the times of a trial.

    Examples
    --------
    >>> unit_of_time({"roles": {"outcome": "os_months"}, "data": {"read": None}})
    'months'
    >>> unit_of_time({"roles": {"outcome": "AVAL"}, "data": {"read": {"units": {"AVAL": "days"}}}})
    'days'
    >>> unit_of_time({"roles": {"outcome": "futime"}})
    'units of futime'
    """
    outcome = str(run["roles"]["outcome"])
    read = run.get("data", {}).get("read") or {}
    if outcome in read.get("units", {}):
        return str(read["units"][outcome])
    words = re.split(r"[^a-z]+", outcome.lower())
    for unit in _UNITS:
        if unit in words or f"{unit}s" in words:
            return f"{unit}s"
    return f"units of {outcome}"


def in_units(run: Mapping[str, Any]) -> str:
    """What follows a number in units of the effect: the unit of time, per 100, or nothing.

    Examples
    --------
    >>> endpoint = {"horizon": 24, "in_time": True}
    >>> in_units({"endpoint": endpoint, "roles": {"outcome": "months"}})
    ' months'
    >>> in_units({"endpoint": {"horizon": None, "in_time": False}, "roles": {"outcome": "sbp"}})
    ''
    """
    return f" {unit_of_time(run)}" if run["endpoint"]["in_time"] else per_words(run)


def outcome_name(run: Mapping[str, Any]) -> str:
    """What effects are on: the outcome's column, or what is made of times in it.

    Examples
    --------
    >>> endpoint = {"horizon": 24, "in_time": False, "effect": "survival difference"}
    >>> outcome_name({"endpoint": endpoint, "roles": {"outcome": "months"}})
    'survival'
    """
    endpoint = run["endpoint"]
    if is_probability_at_horizon(endpoint):
        return str(endpoint["effect"]).removesuffix(" difference")
    return str(run["roles"]["outcome"])


def at_horizon(run: Mapping[str, Any], horizon: float | None = None) -> str:
    """A horizon with its unit; None for that of the trial.

    Examples
    --------
    >>> at_horizon({"endpoint": {"horizon": 24.0}, "roles": {"outcome": "months"}})
    '24 months'
    """
    time = run["endpoint"]["horizon"] if horizon is None else horizon
    return f"{time:g} {unit_of_time(run)}"
