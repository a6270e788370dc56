"""Pieces that several sections of the report use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tauhat.report import plots
from tauhat.report.per_hundred import per_words
from tauhat.report.time_units import unit_of_time
from tauhat.report.view import FigureView, ReportInput, Section, TableView

LONGEST_CELL = 120


def axis_label(data: ReportInput) -> str:
    """What the effect axes measure."""
    endpoint, outcome = data.run["endpoint"], data.run["roles"]["outcome"]
    if endpoint["horizon"] is None:
        return f"Effect on {outcome}{per_words(data.run)}"
    unit = f", {unit_of_time(data.run)}" if endpoint["in_time"] else per_words(data.run)
    return f"{first_upper(endpoint['effect'])}{unit}"


def figure_of(drawn: plots.Plot, alt: str, caption: str) -> FigureView:
    """A plot as an image of the page."""
    return FigureView(plots.to_data_uri(drawn.figure), alt, caption)


def figure_again(section: Section, alt: str, caption: str) -> list[FigureView]:
    """The first figure of a section, told again: drawing it anew would take its time twice."""
    return [
        replace(one, alt=f"{alt}. {cell(one.alt, 900)}", caption=caption)
        for one in section.figures[:1]
    ]


def average_interval(data: ReportInput) -> plots.Interval:
    """The individual-average effect, to be drawn behind other figures."""
    effect = data.run["average_effect"]["individual"]
    return plots.Interval("average", effect["estimate"], effect["lower"], effect["upper"])


def cell(value: Any, longest: int = LONGEST_CELL) -> str:
    """A value of a table as short text, of at most ``longest`` characters.

    Examples
    --------
    >>> cell(0.123456), cell(None), cell("a")
    ('0.123', '–', 'a')
    """
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return f"{value:.3g}".replace("-", "−")
    text = str(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def cells_apart(values: Iterable[Any], longest: int = LONGEST_CELL) -> list[str]:
    """Values of a column as by `cell`; different texts stay different.

    Examples
    --------
    >>> cells_apart(["a" * 9 + "b", "a" * 9 + "c", 0.5], 8)
    ['aaaaaa…b', 'aaaaaa…c', '0.5']
    """
    listed = list(values)
    texts = [value for value in listed if isinstance(value, str) and len(value) > longest]
    short = dict(zip(texts, plots.told_apart(texts, longest), strict=True))
    return [
        short[value] if isinstance(value, str) and value in short else cell(value)
        for value in listed
    ]


def rows_apart(rows: Sequence[Sequence[str]], columns: int = 2) -> list[list[str]]:
    """Rows of a table whose first columns are texts, shortened as by `cells_apart`."""
    texts = [cells_apart(row[place] for row in rows) for place in range(columns)]
    return [[*own, *row[columns:]] for own, row in zip(zip(*texts, strict=True), rows, strict=True)]


def arrow_note(drawn: plots.Plot) -> str:
    """What the arrows of a forest plot mean, if it has any; to be put at the end of a caption."""
    if not plots.far_wider(drawn.data).any():
        return ""
    return " Arrow: an interval more than four times as wide as the median, cut off here."


def table_of(frame: pd.DataFrame, caption: str, *, numeric_from: int | None = None) -> TableView:
    """A data frame as a table of the page."""
    columns = [cells_apart(frame.iloc[:, place]) for place in range(frame.shape[1])]
    rows = [list(row) for row in zip(*columns, strict=True)]
    headers = [str(name).replace("_", " ").capitalize() for name in frame.columns]
    return TableView(caption, headers, rows, len(headers) if numeric_from is None else numeric_from)


def first_upper(text: str) -> str:
    """The text with a capital at its start and the rest as it is.

    Examples
    --------
    >>> first_upper("lost persons 0.5 SD higher")
    'Lost persons 0.5 SD higher'
    """
    return text[:1].upper() + text[1:]
