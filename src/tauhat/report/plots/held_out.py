"""Figures of what held-out effects say: subgroups, sorted groups, calibration, targeting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tauhat._typing import FloatArray
from tauhat.report.grouping import SMALLEST_GROUP
from tauhat.report.plots.style import (
    BAND,
    BLUE,
    INK,
    Interval,
    Plot,
    average_band,
    new_axes,
    shorten,
    styled,
    zero_line,
)

_LABEL_WIDTH = 26
# Of a label, in rows of a forest plot.
_LINE_HEIGHT = 0.29
# Below this share treated the band of the targeting curve is too wide to set the axis.
_SHARE_OF_AXIS = 0.15
_MARKS = ["estimate", "lower", "upper"]


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
    data = subgroups[["subgroup", "rule", *_MARKS]].copy()
    if average is not None:
        everyone = {"subgroup": "everyone", "rule": ""}
        numbers = {name: getattr(average, name) for name in _MARKS}
        data = pd.concat([data, pd.DataFrame([{**everyone, **numbers}])], ignore_index=True)
    labels = [_lines(str(row.subgroup), str(row.rule)) for row in data.itertuples()]
    figure, axes = new_axes(0.75 + 0.5 * len(data))
    if average is not None:
        average_band(axes, average, vertical=True)
    zero_line(axes, vertical=True)
    positions = np.arange(len(data))[::-1].astype(np.float64)
    estimate, lower, upper = _columns(data)
    axes.hlines(positions, lower, upper, color=BLUE, linewidth=1.6)
    axes.plot(estimate, positions, "s", color=BLUE, markersize=5.5)
    _label_rows(axes, positions, labels)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.6, len(data) - 0.4)
    axes.set_xlabel(shorten(axis_label, 60), loc="right")
    axes.margins(x=0.08)
    named = "; ".join(f"{row.subgroup} {row.estimate:.3g}" for row in data.itertuples())
    return Plot(figure, data, f"Effects of subgroups with intervals: {named}.")


@styled
def covariate_forest_plot(
    groups: pd.DataFrame, *, average: Interval | None = None, axis_label: str
) -> Plot:
    """Forest plot of the effects in groups along each covariate, with the groups' sizes.

    Parameters
    ----------
    groups
        ``covariate``, ``group``, ``persons``, ``estimate``, ``lower`` and
        ``upper``, as in `tauhat.inference.EffectsByGroup.table`. Groups of fewer
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
    usable = groups["estimate"].notna() & (groups["persons"] >= SMALLEST_GROUP)
    data = groups.loc[usable, ["covariate", "group", "persons", *_MARKS]].reset_index(drop=True)
    lines: list[tuple[str, int | None]] = []
    for name, own in data.groupby("covariate", sort=False):
        lines.append((shorten(str(name), _LABEL_WIDTH), None))
        for index, row in zip(own.index, own.itertuples(), strict=True):
            lines.append((f"{shorten(str(row.group), 20)}  ({row.persons:,.0f})", int(index)))
    figure, axes = new_axes(0.75 + 0.19 * len(lines))
    if average is not None:
        average_band(axes, average, vertical=True)
    zero_line(axes, vertical=True)
    at = np.arange(len(lines), 0, -1, dtype=np.float64)
    held = [(y, index) for y, (_, index) in zip(at, lines, strict=True) if index is not None]
    y = np.array([position for position, _ in held])
    shown = data.iloc[[index for _, index in held]]
    estimate, lower, upper = _columns(shown)
    axes.hlines(y, lower, upper, color=BLUE, linewidth=1.4)
    axes.plot(estimate, y, "s", color=BLUE, markersize=4)
    axes.set_yticks(at, [label for label, _ in lines])
    for tick, (_, index) in zip(axes.get_yticklabels(), lines, strict=True):
        tick.set_fontweight("bold" if index is None else "normal")
        tick.set_fontsize(8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(0.3, len(lines) + 0.7)
    axes.set_xlabel(shorten(axis_label, 60), loc="right")
    axes.margins(x=0.08)
    covariates = data["covariate"].nunique()
    text = f"Effects in {len(data)} groups along {covariates} covariates, with intervals."
    return Plot(figure, data, text)


@styled
def sorted_groups_plot(
    groups: pd.DataFrame, *, average: Interval | None = None, axis_label: str
) -> Plot:
    """Effects of groups sorted by held-out effect, beside what was predicted.

    Parameters
    ----------
    groups
        ``group``, ``predicted``, ``estimate``, ``lower``, ``upper`` and
        ``persons``, as in `tauhat.inference.SortedGroupEffects.table`; the row of
        the difference, which has no persons, is not drawn.
    average
        The average effect, drawn behind.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> columns = ["group", "persons", "predicted", "estimate", "lower", "upper"]
    >>> table = pd.DataFrame([("1", 9.0, 0.5, 0.4, 0.0, 0.8)], columns=columns)
    >>> float(sorted_groups_plot(table, axis_label="Effect").data.estimate[0])
    0.4
    """
    data = groups.loc[groups["persons"].notna(), ["group", "persons", "predicted", *_MARKS]]
    figure, axes = new_axes(2.75)
    if average is not None:
        average_band(axes, average, vertical=False)
    zero_line(axes, vertical=False)
    x = np.arange(len(data), dtype=np.float64)
    _vertical_intervals(axes, x, data)
    axes.plot(
        x + 0.16,
        data["predicted"].to_numpy(dtype=np.float64),
        "D",
        markerfacecolor="white",
        markeredgecolor=INK,
        markersize=5,
        zorder=3,
    )
    axes.set_xticks(x, [shorten(str(name), 14) for name in data["group"]])
    axes.set_xlim(-0.5, len(data) - 0.5)
    axes.set_xlabel("Groups of persons by predicted effect")
    axes.set_ylabel(shorten(axis_label, 34))
    named = "; ".join(
        f"{row.group}: predicted {row.predicted:.3g}, effect {row.estimate:.3g}"
        for row in data.itertuples()
    )
    return Plot(figure, data, f"Effects of groups sorted by predicted effect. {named}.")


@styled
def calibration_plot(curve: pd.DataFrame, *, axis_label: str) -> Plot:
    """Effects of groups of persons against what was predicted for them.

    Parameters
    ----------
    curve
        ``predicted``, ``estimate``, ``lower`` and ``upper``, as in
        `tauhat.inference.EffectCalibration.curve`.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> table = pd.DataFrame({"predicted": [0, 1], "estimate": [0.1, 0.8]})
    >>> table = table.assign(lower=table.estimate - 1, upper=table.estimate + 1)
    >>> calibration_plot(table, axis_label="Effect").data.predicted.tolist()
    [0, 1]
    """
    data = curve[["predicted", *_MARKS]].copy()
    figure, axes = new_axes(2.75)
    zero_line(axes, vertical=False)
    predicted = data["predicted"].to_numpy(dtype=np.float64)
    _vertical_intervals(axes, predicted, data)
    margin = 0.08 * float(np.ptp(predicted)) or 0.5
    ends = np.array([predicted.min() - margin, predicted.max() + margin])
    axes.plot(ends, ends, color=INK, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1.5)
    axes.set_xlim(*ends)
    axes.set_xlabel("Predicted effect, persons held out")
    axes.set_ylabel(shorten(axis_label, 34))
    named = "; ".join(
        f"predicted {row.predicted:.3g}, effect {row.estimate:.3g}" for row in data.itertuples()
    )
    return Plot(figure, data, f"Effects of groups against what was predicted: {named}.")


@styled
def targeting_plot(curve: pd.DataFrame, *, axis_label: str) -> Plot:
    """Targeting curve: what treating first those ranked highest gains over a random choice.

    Parameters
    ----------
    curve
        ``share``, ``estimate``, ``lower`` and ``upper``, as in
        `tauhat.inference.RankWeightedEffect.curve`.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> table = pd.DataFrame({"share": [0.5, 1.0], "estimate": [1.0, 0.0]})
    >>> table = table.assign(lower=table.estimate - 1, upper=table.estimate + 1)
    >>> targeting_plot(table, axis_label="Gain").data.share.tolist()
    [0.5, 1.0]
    """
    data = curve[["share", *_MARKS]].copy()
    figure, axes = new_axes(2.75)
    zero_line(axes, vertical=False)
    share = 100 * data["share"].to_numpy(dtype=np.float64)
    estimate, lower, upper = _columns(data)
    axes.fill_between(share, lower, upper, color=BAND, alpha=0.75, linewidth=0)
    axes.plot(share, estimate, "-", color=BLUE, linewidth=1.8)
    wide = share >= 100 * _SHARE_OF_AXIS
    limits = np.concatenate([estimate, lower[wide], upper[wide]])
    limits = limits[np.isfinite(limits)]
    if len(limits):
        margin = 0.06 * float(np.ptp(limits)) or 0.5
        axes.set_ylim(limits.min() - margin, limits.max() + margin)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("Share treated, largest predicted benefit first")
    axes.set_ylabel(shorten(axis_label, 34))
    text = (
        f"Targeting curve over {len(data)} shares treated, from {estimate[0]:.3g} at "
        f"{share[0]:.0f}% to {estimate[-1]:.3g} at {share[-1]:.0f}%."
    )
    return Plot(figure, data, text)


@styled
def qini_plot(curve: pd.DataFrame, *, axis_label: str) -> Plot:
    """Qini curve: what treating those ranked first gains for each person of the trial.

    The height at a share is that of the targeting curve times the share.

    Parameters
    ----------
    curve
        ``share``, ``estimate``, ``lower`` and ``upper`` of the targeting curve, as
        in `tauhat.inference.RankWeightedEffect.curve`.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> table = pd.DataFrame({"share": [0.5, 1.0], "estimate": [1.0, 0.0]})
    >>> table = table.assign(lower=table.estimate - 1, upper=table.estimate + 1)
    >>> qini_plot(table, axis_label="Gain").data.estimate.tolist()
    [0.5, 0.0]
    """
    data = curve[["share", *_MARKS]].copy()
    data[_MARKS] = data[_MARKS].mul(data["share"], axis=0)
    figure, axes = new_axes(2.75)
    zero_line(axes, vertical=False)
    share = 100 * data["share"].to_numpy(dtype=np.float64)
    estimate, lower, upper = _columns(data)
    axes.fill_between(share, lower, upper, color=BAND, alpha=0.75, linewidth=0)
    axes.plot(share, estimate, "-", color=BLUE, linewidth=1.8)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("Share treated, largest predicted benefit first")
    axes.set_ylabel(shorten(axis_label, 34))
    highest = int(np.nanargmax(estimate))
    text = f"Qini curve; it is highest, {estimate[highest]:.3g}, at {share[highest]:.0f}% treated."
    return Plot(figure, data, text)


def _columns(data: pd.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
    estimate, lower, upper = (data[name].to_numpy(dtype=np.float64) for name in _MARKS)
    return estimate, lower, upper


def _vertical_intervals(axes: Axes, x: FloatArray, data: pd.DataFrame) -> None:
    estimate, lower, upper = _columns(data)
    axes.vlines(x, lower, upper, color=BLUE, linewidth=1.6, zorder=2)
    axes.plot(x, estimate, "o", color=BLUE, markersize=5.5, zorder=3)


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
