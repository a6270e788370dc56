"""Every table that ``run.json`` holds, by the name of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from tauhat.report.pieces import table_of
from tauhat.report.text import Run, arm_name, label_name
from tauhat.report.view import DocumentView, Section
from tauhat.wording import join_words

# What made the run is no result.
_NO_TABLES = ("data", "versions", "seconds", "files", "roles", "contrasts")


def run_tables(run: Run) -> dict[str, pd.DataFrame]:
    """Tables of results: each list of records, and each estimate that stands alone.

    Parameters
    ----------
    run
        Content of ``run.json``; of several arms all contrasts stand in one table, each row with
        the name of its own.

    Returns
    -------
    dict
        By name, such as ``held-out-groups``; numbers that are null are missing.

    Examples
    --------
    >>> estimate = {"estimate": 1.5, "lower": 0.5, "upper": 2.5}
    >>> run = {"average_effect": {"individual": estimate}, "models": [{"name": "LMM"}]}
    >>> {name: table.shape for name, table in run_tables(run).items()}
    {'average-effect': (1, 4), 'models': (1, 1)}
    """
    tables = _tables(run)
    # The check of all contrasts holds what those of each say.
    for contrast, one in run.get("contrasts", {}).items():
        own = {key: value for key, value in one.items() if key != "check"}
        for name, rows in _tables(own).items():
            tables.setdefault(name, []).extend({"contrast": contrast, **row} for row in rows)
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}


def is_of_contrasts(run: Run) -> bool:
    """Whether a run is of more than two arms."""
    return "contrasts" in run


def tables_document(run: Run, tables: Mapping[str, pd.DataFrame]) -> DocumentView:
    """The tables as one document.

    Parameters
    ----------
    run
        Content of ``run.json``.
    tables
        From `run_tables`.
    """
    sections = [
        Section(name, name.replace("-", " ").capitalize(), tables=[table_of(table, name)])
        for name, table in tables.items()
    ]
    return DocumentView(
        f"Tables: {compared_on(run)}",
        "Every table of run.json, numbers to three digits; the CSV files have them in full.",
        sections,
        f"tauhat {run['versions'].get('tauhat', '')}; SHA-256 of the data {run['data_sha256']}.",
    )


def compared_on(run: Run) -> str:
    """Which arms are compared, on what."""
    outcome = run["roles"]["outcome"]
    if is_of_contrasts(run):
        labels = [label_name(run, arm["label"]) for arm in run["arms"]]
        return f"comparisons of {join_words(labels)}, effects on {outcome}"
    return f"{arm_name(run, 'treated')} against {arm_name(run, 'control')} on {outcome}"


def _tables(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Rows by the name of their table."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for key, value in run.items():
        if key not in _NO_TABLES:
            for name, row in _rows(value, key):
                tables.setdefault(name.replace("_", "-"), []).append(row)
    return tables


def _rows(value: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows with the name of their table."""
    if isinstance(value, list):
        for one in value:
            if isinstance(one, Mapping):
                yield from _record(one, name)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if _is_estimate(inner):
                yield name, {"quantity": key, **_plain(inner)}
            elif isinstance(inner, (list, Mapping)):
                yield from _rows(inner, f"{name}-{key}")


def _record(one: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A row, and the rows of the tables in it, which say whose they are."""
    plain = _plain(one)
    nested = {key: value for key, value in one.items() if key not in plain}
    # What only says whose the tables in it are stands in each of their rows.
    if len(plain) > 1 or not nested:
        yield name, plain
    whose = dict(list(plain.items())[:1])
    for key, inner in nested.items():
        for place, row in _rows({key: inner}, name):
            yield place, {**whose, **row}


def _is_estimate(value: Any) -> bool:
    return isinstance(value, Mapping) and "estimate" in value


def _plain(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if not isinstance(value, (list, Mapping))}
