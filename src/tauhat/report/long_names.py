"""Names and labels of the data cut to a length that a page can hold, the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from tauhat.report.plots import told_apart
from tauhat.report.text import Run
from tauhat.report.view import ReportInput

LONGEST_NAME = 60
# What repeats the run must stay as it was typed.
_VERBATIM = frozenset({"rerun", "command"})


def short_names(names: Iterable[str]) -> dict[str, str]:
    """A short form of each name that is too long, different ones for different names.

    Examples
    --------
    >>> found = short_names(["age", "a" * 99, "a" * 98])
    >>> [len(short) for short in found.values()], len(set(found.values()))
    ([60, 60], 2)
    """
    long = sorted({name for name in names if len(name) > LONGEST_NAME}, key=len, reverse=True)
    return dict(zip(long, told_apart(long, LONGEST_NAME), strict=True))


def shortened_run(run: Run, names: Iterable[str] = ()) -> Run:
    """Content of ``run.json`` with long names cut wherever they stand, also in sentences.

    Parameters
    ----------
    run
        Content of ``run.json``.
    names
        More names than those of roles, arms and covariates.

    Examples
    --------
    >>> run = {"roles": {"outcome": "y" * 99}, "design": {"arms": {}, "covariates": []},
    ...        "check": ["The outcome " + "y" * 99 + " is odd."], "rerun": "y" * 99}
    >>> cut = shortened_run(run)
    >>> len(cut["check"][0]) < 99, len(cut["rerun"])
    (True, 99)
    """
    short = short_names([*_names_in(run), *names])
    result: Run = _replaced(dict(run), short) if short else run
    return result


def _names_in(run: Run) -> list[str]:
    """Names and labels of the data that stand in ``run.json``."""
    arms = run["design"]["arms"].values()
    known = [*run["roles"].values(), *(arm["label"] for arm in arms), *run["design"]["covariates"]]
    for modifier in run.get("modifiers", ()):
        known += [modifier[key] for key in ("covariate", "lowest_label", "highest_label")]
    return [str(name) for name in known if name is not None]


def shortened(data: ReportInput) -> ReportInput:
    """Results of a report with long names and labels cut."""
    labels = [
        label
        for name in data.frame.columns
        if data.frame[name].dtype.kind not in "biufcmM"
        for label in map(str, data.frame[name].dropna().unique())
    ]
    names = [str(name) for name in data.frame.columns]
    encoded = map(str, data.balance["covariate"])
    short = short_names([*names, *labels, *encoded, *_names_in(data.run)])
    if not short:
        return data
    run: Run = _replaced(dict(data.run), short)
    frame = data.frame.rename(columns=short)
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            texts = {level: short.get(str(level), level) for level in column.cat.categories}
            frame[name] = column.cat.rename_categories(texts)
        elif column.dtype.kind not in "biufcmM":
            frame[name] = column.map(lambda value: short.get(str(value), value), na_action="ignore")
    return replace(
        data,
        run=run,
        frame=frame,
        balance=_replaced_frame(data.balance, short),
        check_table=_replaced_frame(data.check_table, short),
    )


def _replaced_frame(table: pd.DataFrame, short: Mapping[str, str]) -> pd.DataFrame:
    return table.map(lambda value: _replaced(value, short))


def _replaced(value: Any, short: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        if len(value) > LONGEST_NAME:
            for name, cut in short.items():
                value = value.replace(name, cut)
        return value
    if isinstance(value, Mapping):
        return {
            key: item if key in _VERBATIM else _replaced(item, short) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_replaced(item, short) for item in value]
    return value
