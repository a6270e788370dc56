"""Figures of effects: intervals, their spread, and effects along a covariate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.report.grouping import EffectGroups
from tauhat.report.plots.style import (
    BAND,
    BLUE,
    Interval,
    Plot,
    average_band,
    new_axes,
    row_axes,
    shorten,
    styled,
    told_apart,
    upright,
    zero_line,
)

_MANY = 2000
#: Part of the axis: the white edges of narrower bars would cover them.
LEAST_BAR_WITH_EDGE = 0.02


@styled
def interval_plot(
    rows: Sequence[Interval], *, axis_label: str, average: Interval | None = None
) -> Plot:
    """Estimates with intervals, one row each, first row on top.

    Parameters
    ----------
    rows
        What to draw; a row with an infinite or missing limit gets a dot only.
    axis_label
        What is estimated, with its unit.
    average
        The average effect, drawn behind the rows to compare with.
    """
    figure, axes = row_axes(0.62 + 0.27 * len(rows), average=average, axis_label=axis_label)
    positions = np.arange(len(rows))[::-1]
    for row, position in zip(rows, positions, strict=True):
        if np.isfinite([row.lower, row.upper]).all():
            axes.plot([row.lower, row.upper], [position, position], color=BLUE, linewidth=1.6)
        axes.plot(row.estimate, position, "o", color=BLUE, markersize=5.5)
    axes.set_yticks(positions, told_apart([row.label for row in rows]))
    axes.set_ylim(-0.7, len(rows) - 0.3)
    data = pd.DataFrame(
        [(row.label, row.estimate, row.lower, row.upper) for row in rows],
        columns=["label", "estimate", "lower", "upper"],
    )
    named = "; ".join(f"{row.label} {row.estimate:.3g}" for row in rows)
    return Plot(figure, data, f"Estimates with their intervals: {named}.")


@styled
def sorted_effects_plot(groups: EffectGroups, *, average: Interval | None, axis_label: str) -> Plot:
    """Mean effects of equal groups of persons, from the smallest to the largest effect.

    Parameters
    ----------
    groups
        From `tauhat.report.grouping.sorted_groups`.
    average
        The average effect, drawn behind the groups.
    axis_label
        What is estimated, with its unit.
    """
    figure, axes = new_axes(2.75)
    k = len(groups.effect)
    share = (np.arange(k) + 0.5) / k * 100
    if average is not None:
        average_band(axes, average, vertical=False)
    zero_line(axes, vertical=False)
    axes.plot(share, groups.effect, "o", color=BLUE, markersize=4, zorder=3)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("Persons, sorted by their estimated effect")
    axes.set_ylabel(upright(axis_label))
    text = (
        f"Mean estimated effect in {k} equal groups of persons sorted by it, from "
        f"{groups.effect[0]:.3g} to {groups.effect[-1]:.3g}."
    )
    return Plot(figure, group_table(groups), text)


def group_table(groups: EffectGroups) -> pd.DataFrame:
    """Groups of persons as a table: ``group``, ``position``, ``effect``, ``persons``."""
    k = len(groups.effect)
    return pd.DataFrame(
        {
            "group": list(groups.labels),
            "position": np.full(k, np.nan) if groups.position is None else groups.position,
            "effect": groups.effect,
            "persons": groups.count,
        }
    )


@styled
def effect_distribution_plot(
    edges: FloatArray, counts: FloatArray, *, average: Interval | None, axis_label: str
) -> Plot:
    """How many persons have which estimated effect.

    Parameters
    ----------
    edges
        Limits of the bars, shape (bars + 1,).
    counts
        Persons in each bar, shape (bars,); NaN where too few are there to be shown.
    average
        The average effect, drawn behind the bars.
    axis_label
        What is estimated, with its unit.
    """
    figure, axes = new_axes(2.75)
    if average is not None:
        average_band(axes, average, vertical=True)
    zero_line(axes, vertical=True)
    bars = axes.bar(
        edges[:-1],
        np.nan_to_num(counts),
        width=np.diff(edges),
        align="edge",
        color=BLUE,
        alpha=0.75,
        edgecolor="white",
        linewidth=0.8,
        zorder=2,
    )
    if np.diff(edges).min() < LEAST_BAR_WITH_EDGE * np.ptp(axes.get_xlim()):
        for bar in bars:
            bar.set_linewidth(0)
    axes.set_xlabel(shorten(axis_label, 60))
    axes.set_ylabel("Persons")
    data = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "persons": counts})
    text = f"Histogram of estimated effects from {edges[0]:.3g} to {edges[-1]:.3g}."
    return Plot(figure, data, text)


@styled
def effect_along_plot(
    groups: pd.DataFrame,
    *,
    slope: float,
    average: Interval,
    axis_label: str,
    modifier: str,
) -> Plot:
    """Effects of groups along a number with their own intervals, and the line fitted to it.

    Parameters
    ----------
    groups
        ``group``, ``value`` (mean of the number), ``persons``, ``estimate``, ``lower`` and
        ``upper`` of each group; those without an estimate are left out.
    slope
        Change of the effect for each unit of the number.
    average
        The average effect, drawn behind; the line passes through it at the mean of the groups.
    axis_label
        What is estimated, with its unit.
    modifier
        The number.

    Examples
    --------
    >>> names = ["group", "value", "persons", "estimate", "lower", "upper"]
    >>> rows = [("up to 5", 3.0, 20, 1.0, 0.0, 2.0), ("above 5", 7.0, 20, 2.0, 1.0, 3.0)]
    >>> drawn = effect_along_plot(pd.DataFrame(rows, columns=names), slope=0.25,
    ...     average=Interval("", 1.5, 1, 2), axis_label="Effect", modifier="age")
    >>> drawn.data.line.tolist()
    [1.0, 2.0]
    """
    names = ["group", "value", "persons", "estimate", "lower", "upper"]
    data = groups.loc[groups["estimate"].notna(), names].reset_index(drop=True)
    value = data["value"].to_numpy(dtype=np.float64)
    centre = np.average(value, weights=data["persons"].to_numpy(dtype=np.float64))
    data["line"] = average.estimate + slope * (value - centre)
    figure, axes = new_axes(2.75)
    average_band(axes, average, vertical=False)
    zero_line(axes, vertical=False)
    axes.vlines(value, data["lower"], data["upper"], color=BLUE, linewidth=1.4, zorder=3)
    axes.plot(value, data["estimate"], "o", color=BLUE, markersize=5, zorder=3)
    axes.plot(value, data["line"], color=BLUE, linewidth=1.2, linestyle=(0, (4, 2)), zorder=3)
    axes.set_xlabel(shorten(modifier, 60))
    axes.set_ylabel(upright(axis_label))
    named = "; ".join(f"{row.group} {row.estimate:.3g}" for row in data.itertuples())
    return Plot(figure, data, f"Effects of groups along {modifier}, and a line: {named}.")


@styled
def effect_by_covariate_plot(
    groups: EffectGroups,
    *,
    average: Interval | None,
    axis_label: str,
    limits: tuple[float, float] | None = None,
) -> Plot:
    """Estimated effect along a covariate: a line, or a dot a category.

    Parameters
    ----------
    groups
        From `tauhat.report.grouping.covariate_groups`.
    average
        The average effect, drawn behind.
    axis_label
        What is estimated, with its unit.
    limits
        Range of the effect axis, to make several figures comparable.
    """
    figure, axes = new_axes(2.6)
    if average is not None:
        average_band(axes, average, vertical=False)
    zero_line(axes, vertical=False)
    if groups.position is not None:
        x = groups.position
        axes.plot(x, groups.effect, "-o", color=BLUE, linewidth=1.4, markersize=4)
    else:
        x = np.arange(len(groups.effect), dtype=np.float64)
        axes.plot(x, groups.effect, "o", color=BLUE, markersize=5.5, zorder=3)
        names = told_apart(groups.labels, 16)
        turned = sum(map(len, names)) > 36
        axes.set_xticks(x, names, rotation=35 if turned else 0, ha="right" if turned else "center")
        axes.set_xlim(-0.6, len(x) - 0.4)
    if limits is not None:
        axes.set_ylim(*limits)
    axes.set_xlabel(shorten(groups.name, 52))
    axes.set_ylabel(upright(axis_label))
    points = "; ".join(
        f"{label} {effect:.3g}" for label, effect in zip(groups.labels, groups.effect, strict=True)
    )
    text = f"Mean estimated effect along {shorten(groups.name, 60)}: {points}."
    return Plot(figure, group_table(groups), text)


@styled
def persons_plot(
    persons: pd.DataFrame, *, average: Interval | None = None, axis_label: str
) -> Plot:
    """Estimated effect of each person with its interval, smallest first: patient-level.

    Parameters
    ----------
    persons
        ``effect``, ``lower`` and ``upper``, as in `tauhat.Analysis.effects`.
    average
        The average effect, drawn behind.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> table = pd.DataFrame({"effect": [2.0, 1.0], "lower": [0.0, 0.5], "upper": [4.0, 1.5]})
    >>> persons_plot(table, axis_label="Effect").data["effect"].tolist()
    [1.0, 2.0]
    """
    data = persons.sort_values("effect", kind="stable", ignore_index=True)
    effect, lower, upper = (
        data[name].to_numpy(dtype=np.float64) for name in ("effect", "lower", "upper")
    )
    figure, axes = new_axes(2.75)
    if average is not None:
        average_band(axes, average, vertical=False)
    zero_line(axes, vertical=False)
    x = np.arange(1, len(data) + 1)
    # Many lines as an image: as vectors they would make the page slow.
    axes.vlines(x, lower, upper, color=BAND, linewidth=0.6, rasterized=len(data) > _MANY)
    axes.plot(x, effect, "-", color=BLUE, linewidth=1.6)
    axes.set_xlim(0, len(data) + 1)
    axes.set_xlabel("Persons, smallest estimated effect first")
    axes.set_ylabel(upright(axis_label))
    text = (
        f"Estimated effects of {len(data)} persons with intervals, from {effect[0]:.3g} to "
        f"{effect[-1]:.3g}."
    )
    return Plot(figure, data, text)
