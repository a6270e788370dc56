"""Forest plots: the effects of groups of persons, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tauhat._typing import BoolArray, FloatArray
from tauhat.disclosure import may_be_told
from tauhat.report.plots.style import (
    BLUE,
    MARKS,
    Interval,
    Plot,
    marks_of,
    row_axes,
    shorten,
    styled,
    told_apart,
)

_LABEL_WIDTH = 26
# Of a label, in rows of a forest plot.
_LINE_HEIGHT = 0.29
# An interval this many times as wide as the median one runs past the axis.
_TOO_WIDE = 4.0


@styled
def subgroup_forest_plot(
    subgroups: pd.DataFrame, *, average: Interval | None = None, axis_label: str
) -> Plot:
    """Forest plot: the effect of each subgroup with its interval, its rule beside it.

    Parameters
    ----------
    subgroups
        ``subgroup``, ``rule``, ``estimate``, ``lower`` and ``upper``, as in
        `tauhat.inference.Subgroups.table`.
    average
        The average effect, drawn behind and as the last row.
    axis_label
        What is estimated, with its unit.

    Returns
    -------
    Plot
        Rows without an estimate are left empty.

    Examples
    --------
    >>> rows = [("largest effect", "age > 60", 2.0, 1.0, 3.0)]
    >>> table = pd.DataFrame(rows, columns=["subgroup", "rule", "estimate", "lower", "upper"])
    >>> drawn = subgroup_forest_plot(table, average=Interval("", 1, 0, 2), axis_label="Effect")
    >>> drawn.data.subgroup.tolist()
    ['largest effect', 'everyone']
    """
    data = subgroups[["subgroup", "rule", *MARKS]].copy()
    if average is not None:
        everyone = {"subgroup": "everyone", "rule": ""}
        numbers = {name: getattr(average, name) for name in MARKS}
        data = pd.concat([data, pd.DataFrame([{**everyone, **numbers}])], ignore_index=True)
    labels = [_lines(str(row.subgroup), str(row.rule)) for row in data.itertuples()]
    figure, axes = row_axes(0.75 + 0.5 * len(data), average=average, axis_label=axis_label)
    positions = np.arange(len(data))[::-1].astype(np.float64)
    past = _draw_rows(axes, positions, data, line=1.6, size=5.5)
    _label_rows(axes, positions, labels)
    axes.set_ylim(-0.6, len(data) - 0.4)
    named = "; ".join(f"{row.subgroup} {row.estimate:.3g}" for row in data.itertuples())
    return Plot(figure, data, f"Effects of subgroups with intervals: {named}.{past}")


@styled
def covariate_forest_plot(
    groups: pd.DataFrame, *, average: Interval | None = None, axis_label: str
) -> Plot:
    """Forest plot of the effects in groups along each covariate, with the groups' sizes.

    Parameters
    ----------
    groups
        ``covariate``, ``group``, ``persons``, ``estimate``, ``lower`` and
        ``upper``, as in `tauhat.inference.CovariateGroupEffects.table`. Groups of fewer
        than five persons or without an estimate are left out.
    average
        The average effect, drawn behind.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> rows = [("sex", "f", 40, 2.0, 1.0, 3.0), ("sex", "m", 4, 1.0, 0.0, 2.0)]
    >>> names = ["covariate", "group", "persons", "estimate", "lower", "upper"]
    >>> drawn = covariate_forest_plot(pd.DataFrame(rows, columns=names), axis_label="Effect")
    >>> drawn.data.group.tolist()
    ['f']
    """
    usable = groups["estimate"].notna() & may_be_told(groups["persons"])
    data = groups.loc[usable, ["covariate", "group", "persons", *MARKS]].reset_index(drop=True)
    names = told_apart(data["group"].astype(str), 20)
    rows = [f"{name}  ({n:,.0f})" for name, n in zip(names, data["persons"], strict=True)]
    figure, past = _headed_rows(data, data["covariate"], rows, average, axis_label)
    covariates = data["covariate"].nunique()
    text = f"Effects in {len(data)} groups along {covariates} covariates, with intervals.{past}"
    return Plot(figure, data, text)


@styled
def interaction_forest_plot(comparisons: pd.DataFrame, *, axis_label: str) -> Plot:
    """Forest plot of the differences of the effect along modifiers.

    Parameters
    ----------
    comparisons
        ``modifier``, ``comparison``, ``estimate``, ``lower`` and ``upper``, as in
        `tauhat.inference.InteractionEffects.table`. Those without an estimate are left out.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> rows = [("sex", "girl less boy", 2.0, 1.0, 3.0)]
    >>> names = ["modifier", "comparison", "estimate", "lower", "upper"]
    >>> drawn = interaction_forest_plot(pd.DataFrame(rows, columns=names), axis_label="Difference")
    >>> drawn.text
    'Differences of the effect with intervals: sex, girl less boy 2.'
    """
    usable = comparisons["estimate"].notna()
    data = comparisons.loc[usable, ["modifier", "comparison", *MARKS]].reset_index(drop=True)
    rows = told_apart(data["comparison"].astype(str))
    figure, past = _headed_rows(data, data["modifier"], rows, None, axis_label)
    named = "; ".join(
        f"{row.modifier}, {row.comparison} {row.estimate:.3g}" for row in data.itertuples()
    )
    return Plot(figure, data, f"Differences of the effect with intervals: {named}.{past}")


def _headed_rows(
    data: pd.DataFrame,
    heads: pd.Series[Any],
    rows: Sequence[str],
    average: Interval | None,
    axis_label: str,
) -> tuple[Figure, str]:
    """One row per line of the table under bold heads; says which rows run past the axis."""
    lines: list[tuple[str, int | None]] = []
    titles = told_apart(map(str, dict.fromkeys(heads)), _LABEL_WIDTH)
    for title, (_, own) in zip(titles, data.groupby(heads, sort=False), strict=True):
        lines.append((title, None))
        lines += [(rows[int(index)], int(index)) for index in own.index]
    figure, axes = row_axes(0.75 + 0.19 * len(lines), average=average, axis_label=axis_label)
    at = np.arange(len(lines), 0, -1, dtype=np.float64)
    held = [(y, index) for y, (_, index) in zip(at, lines, strict=True) if index is not None]
    y = np.array([position for position, _ in held])
    past = _draw_rows(axes, y, data.iloc[[index for _, index in held]], line=1.4, size=4)
    axes.set_yticks(at, [label for label, _ in lines])
    for tick, (_, index) in zip(axes.get_yticklabels(), lines, strict=True):
        tick.set_fontweight("bold" if index is None else "normal")
        tick.set_fontsize(8)
    axes.set_ylim(0.3, len(lines) + 0.7)
    return figure, past


def far_wider(groups: pd.DataFrame) -> BoolArray:
    """Whether a row's interval is over four times as wide as the median one, shape (k,).

    Parameters
    ----------
    groups
        ``lower`` and ``upper``, one row per group; limits may be missing.

    Examples
    --------
    >>> far_wider(pd.DataFrame({"lower": [0, 0, -9], "upper": [1, 2, np.nan]})).tolist()
    [False, False, False]
    >>> far_wider(pd.DataFrame({"lower": [0, 0, -9], "upper": [1, 2, 9]})).tolist()
    [False, False, True]
    """
    width = (groups["upper"] - groups["lower"]).to_numpy(dtype=np.float64)
    known = np.isfinite(width)
    typical = np.median(width[known]) if known.any() else np.inf
    wider: BoolArray = known & (width > _TOO_WIDE * typical)
    return wider


def _draw_rows(axes: Axes, y: FloatArray, data: pd.DataFrame, *, line: float, size: float) -> str:
    """Draw estimates with their intervals and set the axis; says which rows run past it.

    The few persons of a small group may have an interval many times as wide as all
    others, which could not be read on its axis: it ends there in an arrow.
    """
    estimate, lower, upper = marks_of(data)
    sets_axis = ~far_wider(data)
    axes.hlines(y[sets_axis], lower[sets_axis], upper[sets_axis], color=BLUE, linewidth=line)
    axes.plot(estimate[sets_axis], y[sets_axis], "s", color=BLUE, markersize=size)
    cut = np.flatnonzero(~sets_axis)
    if not len(cut):
        return ""
    left, right = axes.get_xlim()
    axes.set_xlim(left, right)
    for row in cut:
        ends = np.clip([lower[row], upper[row]], left, right)
        axes.hlines(y[row], *ends, color=BLUE, linewidth=line)
        past = ((left, "<", lower[row] < left), (right, ">", upper[row] > right))
        for end, mark, runs_out in past:
            if runs_out:
                axes.plot(end, y[row], mark, color=BLUE, markersize=size + 1, clip_on=False)
        if left <= estimate[row] <= right:
            axes.plot(estimate[row], y[row], "s", color=BLUE, markersize=size)
    return f" Rows whose interval runs past the axis, with arrows: {len(cut)}."


def _lines(name: str, rule: str) -> list[str]:
    """A subgroup's name, and its rule with a line for each condition."""
    first, _, rest = shorten(rule, 200).partition(" and ")
    lines = [first, f"and {rest}"] if rest else [first]
    return [shorten(line, _LABEL_WIDTH) for line in (name, *lines) if line]


def _label_rows(axes: Axes, positions: FloatArray, labels: Sequence[list[str]]) -> None:
    """Labels of several lines, each line a tick of its own.

    A label with line breaks would be set line by line from its left edge in
    widths that the reader's font does not have.
    """
    ticks = [
        (position + _LINE_HEIGHT * ((len(lines) - 1) / 2 - k), line)
        for position, lines in zip(positions, labels, strict=True)
        for k, line in enumerate(lines)
    ]
    axes.set_yticks([at for at, _ in ticks], [line for _, line in ticks])
