"""Counts of groups and curves in ``run.json`` without what their sums would tell of few persons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tauhat.disclosure import in_fives, is_small

Record = dict[str, Any]
_UNITS = ("control_units", "treated_units")
_FOLLOW_UP = ("events", "censored", "at_risk")


def hide_groups(records: Sequence[Record], *, lost: bool) -> None:
    """Hide the arms of all groups of a covariate where those of one are hidden.

    How many persons each arm has in all is known, so that one group in one contrast would be told
    by the others. Of several contrasts, persons of such a group in both arms together are told in
    fives.

    Parameters
    ----------
    records
        Content of ``run.json`` of two arms, or of each contrast of several; changed in place.
    lost
        Whether how many an arm lost is hidden: groups of all whom averages count tell it.
    """
    several = len(records) > 1
    persons_randomized = records[0]["design"]["clusters"] is None
    rows = [(_column(row), row) for record in records for row in _groups(record)]
    hidden = {
        column
        for column, row in rows
        if persons_randomized and (lost or any(row[name] is None for name in _UNITS))
    }
    for column, row in rows:
        if column in hidden:
            row |= dict.fromkeys(_UNITS)
        if several and (lost or column in hidden) and "persons" in row:
            row["persons"] = _in_fives(row["persons"])
    if several and lost:
        for row in (row for record in records for row in _sums(record)):
            row["persons"] = _in_fives(row["persons"])


def hide_follow_up(records: Sequence[Record]) -> None:
    """Times to an event: what one contrast hides of an arm is hidden, and all tell the same times.

    Between times that one contrast tells and another does not, few may have had the event.

    Parameters
    ----------
    records
        As in `hide_groups`.
    """
    found = [one["survival_by_arm"] for one in records if one["survival_by_arm"] is not None]
    arms = [arm for one in found for arm in one["arms"]]
    for name in _FOLLOW_UP:
        hidden = {arm["arm"] for arm in arms if arm[name] is None}
        for arm in arms:
            arm[name] = None if arm["arm"] in hidden else arm[name]
    curves = [curve for one in found for curve in one["curves"]]
    common = set.intersection(*(set(curve["time"]) for curve in curves)) if curves else set()
    for curve in curves:
        kept = [k for k, time in enumerate(curve["time"]) if time in common]
        for name in ("time", "probability", "at_risk"):
            curve[name] = [curve[name][k] for k in kept]


def _groups(record: Record) -> Iterator[Record]:
    """Rows that tell how many of each arm are in a group of a covariate."""
    held, named = record["held_out"], record["named_modifiers"]
    if held["given"]:
        yield from held["by_covariate"]
        yield from held["subgroups"]["subgroups"]
    if named is not None:
        for table in ("comparisons", "all_clusters", "groups"):
            yield from named[table]


def _column(row: Record) -> str:
    """What a row is a group of."""
    return str(next(row[name] for name in ("covariate", "modifier", "rule") if name in row))


def _sums(record: Record) -> Iterator[Record]:
    """Rows of groups that all persons together make."""
    held, target = record["held_out"], record["target"]
    if held["given"]:
        yield from held["groups"]
        yield from held["calibration"]["curve"]
    if target is not None:
        yield from target["weights"]
        yield from target["named"]
        yield from (target["held_out"] or {"groups": []})["groups"]


def _in_fives(persons: float | None) -> int | None:
    return None if persons is None or is_small(persons) else in_fives(persons)
