"""What the check says of the file: what was read of it, made missing, dropped or left as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tauhat.disclosure import FEW, is_small
from tauhat.trial.checks.finding import Finding
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable


def file_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give what reading the file did to the columns of the trial.

    Parameters
    ----------
    trial
        The trial.
    """
    read = file_record(trial)
    if read is None:
        return
    named = f" {read['table']}" if read["table"] else ""
    by = f", read by {read['library']}" if read["library"] else ""
    if read["where"] is not None:
        unknown = (
            f"; in {counted(read['rows_unknown'], 'row')} of them a missing value left it open"
            if read["rows_unknown"]
            else ""
        )
        yield Finding(
            "rows dropped",
            f"{read['rows_dropped']} of {read['rows']}",
            "note",
            f"{counted(read['rows_dropped'], 'row')} of {read['rows']} did not fulfil the "
            f"condition {read['where']} and {'was' if read['rows_dropped'] == 1 else 'were'} "
            f"dropped{unknown}.",
            "rows-dropped",
        )
    if read["rows_short"]:
        many = read["rows_short"] > 1
        yield Finding(
            "short rows",
            f"{read['rows_short']} (the first: line {read['first_short']})",
            "warning",
            f"{counted(read['rows_short'], 'row has', 'rows have')} fewer cells than the first "
            f"line has names ({'the first is ' if many else ''}line {read['first_short']}): the "
            "cells at the end count as missing. Where a separator is lost, values stand in wrong "
            "columns: put it right.",
            "short-rows",
        )
    assert trial.file is not None
    for name, rules in read["missing"].items():
        listed = ", ".join(
            f"{rule} ({_count_text(n, trial.file['missing'][name][rule])})"
            for rule, n in rules.items()
        )
        counted_in = " (counted before rows were dropped)" if read["where"] is not None else ""
        yield Finding(
            "missing by rule",
            f"{name}: {listed}",
            "note",
            f"In {name!r}, values are missing by these rules: {listed}{counted_in}.",
            "missing-by-rule",
        )
    for name, reason in read["left_as_numbers"].items():
        yield Finding(
            "left as numbers",
            f"{name}: {reason}",
            "note",
            f"{name!r} was left as it is: {reason}.",
            "left-as-numbers",
        )
    for note in read["notes"]:
        yield Finding("reading", note.rstrip("."), "note", note, "reading")
    if named or read["labels"] or read["value_labels"] or read["formats"]:
        words = [
            f"{counted(len(read[key]), one, several)}"
            for key, one, several in (
                ("labels", "label of a column", "labels of columns"),
                ("value_labels", "column with labelled values", "columns with labelled values"),
                ("formats", "display format", "display formats"),
            )
            if read[key]
        ]
        yield Finding("file", f"{read['format']}{named}{by}; {', '.join(words) or 'no labels'}")


def file_record(trial: TrialTable) -> dict[str, Any] | None:
    """What was read of the file, for the columns that the trial uses; None without a file."""
    account = trial.file
    if account is None:
        return None
    used = [*dict.fromkeys([*trial.roles.values(), *trial.covariate_names])]

    def of_used(key: str) -> dict[str, Any]:
        return {name: account[key][name] for name in used if name in account[key]}

    return {
        "format": account["format"],
        "library": account["library"],
        "table": account["table"],
        "title": account["title"],
        "heading": account["heading"],
        "rows": account["n_rows"],
        "rows_short": account["n_short"],
        "first_short": account["first_short"] or None,
        "where": account["where"],
        "rows_dropped": account["n_dropped"],
        "rows_unknown": account["n_unknown"],
        "labels": of_used("labels"),
        "units": of_used("units"),
        "formats": of_used("formats"),
        "value_labels": of_used("value_labels"),
        "missing": {
            name: _told(rules, _without_rule(trial, name, rules))
            for name, rules in of_used("missing").items()
        },
        "left_as_numbers": of_used("left_as_numbers"),
        "notes": [note for note in account["notes"] if _concerns(note, used)],
    }


def _count_text(told: int | None, count: int) -> str:
    if told is not None:
        return str(told)
    return FEW if is_small(count) else "number not told"


def _told(rules: Mapping[str, int], rest: int) -> dict[str, int | None]:
    """How many values each rule made missing; no number where one, or the rest, is small.

    The values of a column that are missing in all are told elsewhere, and would give it away.
    """
    few = any(is_small(n) for n in (rest, *rules.values()))
    return {rule: None if few else n for rule, n in rules.items()}


def _without_rule(trial: TrialTable, name: str, rules: Mapping[str, int]) -> int:
    """Persons without an outcome that no rule made missing; 0 of other columns."""
    if name != trial.roles["outcome"]:
        return 0
    whole = trial if trial.whole is None else trial.whole
    return whole.n_missing_outcome - sum(rules.values())


def _concerns(note: str, used: list[str]) -> bool:
    """Whether a note is on a column of the trial, or on none in particular."""
    return note.count("'") < 2 or any(repr(name) in note for name in used)
