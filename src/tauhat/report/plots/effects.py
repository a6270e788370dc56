"""Figures of effects: intervals, their spread, and effects along a covariate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tauhat._typing import FloatArray
from tauhat.report.grouping import EffectGroups
from tauhat.report.plots.style import (
    BAND,
    BLUE,
    Interval,
    average_band,
    new_axes,
    shorten,
    styled,
    zero_line,
)


@styled
def interval_figure(
    rows: Sequence[Interval], *, axis_label: str, average: Interval | None = None
) -> Figure:
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
    figure, axes = new_axes(0.62 + 0.27 * len(rows))
    if average is not None:
        average_band(axes, average, vertical=True)
    positions = np.arange(len(rows))[::-1]
    for row, position in zip(rows, positions, strict=True):
        if np.isfinite([row.lower, row.upper]).all():
            axes.plot([row.lower, row.upper], [position, position], color=BLUE, linewidth=1.6)
        axes.plot(row.estimate, position, "o", color=BLUE, markersize=5.5)
    axes.set_yticks(positions, [shorten(row.label) for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    # Flush right: centred, a long label would run out of the figure.
    axes.set_xlabel(shorten(axis_label, 60), loc="right")
    axes.margins(x=0.08)
    zero_line(axes, vertical=True)
    return figure


@styled
def sorted_effects_figure(
    groups: EffectGroups, *, average: Interval | None, axis_label: str
) -> Figure:
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
    axes.vlines(share, groups.lower, groups.upper, color=BAND, linewidth=100 / k, zorder=2)
    axes.plot(share, groups.effect, "o", color=BLUE, markersize=4, zorder=3)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("Persons, sorted by their estimated effect")
    axes.set_ylabel(shorten(axis_label, 44))
    return figure


@styled
def histogram_figure(
    edges: FloatArray, counts: FloatArray, *, average: Interval | None, axis_label: str
) -> Figure:
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
    axes.bar(
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
    axes.set_xlabel(shorten(axis_label, 60))
    axes.set_ylabel("Persons")
    return figure


@styled
def effect_by_covariate_figure(
    groups: EffectGroups,
    *,
    average: Interval | None,
    axis_label: str,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Estimated effect along a covariate: a line with a band, or a dot a category.

    Parameters
    ----------
    groups
        From `tauhat.report.grouping.groups_by_covariate`.
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
        axes.fill_between(x, groups.lower, groups.upper, color=BAND, alpha=0.75, linewidth=0)
        axes.plot(x, groups.effect, "-o", color=BLUE, linewidth=1.4, markersize=4)
    else:
        x = np.arange(len(groups.effect), dtype=np.float64)
        axes.vlines(x, groups.lower, groups.upper, color=BAND, linewidth=9, zorder=2)
        axes.plot(x, groups.effect, "o", color=BLUE, markersize=5.5, zorder=3)
        names = [shorten(label, 16) for label in groups.labels]
        turned = sum(map(len, names)) > 36
        axes.set_xticks(x, names, rotation=35 if turned else 0, ha="right" if turned else "center")
        axes.set_xlim(-0.6, len(x) - 0.4)
    if limits is not None:
        axes.set_ylim(*limits)
    axes.set_xlabel(shorten(groups.name, 52))
    axes.set_ylabel(shorten(axis_label, 40))
    return figure
