"""Figures of the report, each a function from plain numbers to a matplotlib figure."""

from __future__ import annotations

import base64
import functools
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tauhat._typing import FloatArray
from tauhat.report.grouping import EffectGroups

BLUE, ORANGE, INK, MUTED, GRID = "#0b6aa2", "#c4560b", "#1c2630", "#66727f", "#dfe3e8"
BAND, PALE = "#b5d3e6", "#fbeadd"
WIDTH = 4.2
FONTS = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
LONGEST_LABEL = 28

STYLE: Any = {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "text.color": INK,
    # A dollar sign in a column name is a dollar sign, not the start of a formula.
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "figure.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "tauhat",
}

Arguments = ParamSpec("Arguments")


def styled(function: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw with the report's style, whatever the session's settings are."""

    @functools.wraps(function)
    def draw(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return function(*args, **kwargs)

    return draw


def to_svg(figure: Figure) -> str:
    """The figure as an SVG document whose text stays text, in the fonts of the page.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> to_svg(Figure()).startswith("<svg")
    True
    """
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    return re.sub(r'(style="[^"]*font-family: )[^;"]*', rf"\g<1>{FONTS}", svg)


def to_data_uri(figure: Figure) -> str:
    """The figure as a ``data:`` address, so that the page needs no other file."""
    encoded = base64.b64encode(to_svg(figure).encode()).decode("ascii")
    return f"data:image/svg+xml;base64,{encoded}"


def shorten(label: str, longest: int = LONGEST_LABEL) -> str:
    """A label that fits beside an axis: one line, printable, at most ``longest`` characters.

    Examples
    --------
    >>> shorten("systolic blood pressure at 12 months", 20)
    'systolic blood pres…'
    """
    printable = "".join(c if c.isprintable() else " " for c in label)
    one_line = " ".join(printable.split())
    return one_line if len(one_line) <= longest else one_line[: longest - 1] + "…"


def _new(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _zero_line(axes: Axes, *, vertical: bool) -> None:
    line = axes.axvline if vertical else axes.axhline
    line(0, color=INK, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=1)


@dataclass(frozen=True)
class Interval:
    """A labelled estimate with its interval."""

    label: str
    estimate: float
    lower: float
    upper: float


def _average_band(axes: Axes, average: Interval, *, vertical: bool) -> None:
    """The average effect behind the data: a line, and its interval as a pale band."""
    span, line = (axes.axvspan, axes.axvline) if vertical else (axes.axhspan, axes.axhline)
    span(average.lower, average.upper, color=PALE, linewidth=0, zorder=0)
    line(average.estimate, color=ORANGE, linewidth=1.2, zorder=2.5)


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
    figure, axes = _new(0.62 + 0.27 * len(rows))
    if average is not None:
        _average_band(axes, average, vertical=True)
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
    _zero_line(axes, vertical=True)
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
    figure, axes = _new(2.75)
    k = len(groups.effect)
    share = (np.arange(k) + 0.5) / k * 100
    if average is not None:
        _average_band(axes, average, vertical=False)
    _zero_line(axes, vertical=False)
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
    figure, axes = _new(2.75)
    if average is not None:
        _average_band(axes, average, vertical=True)
    _zero_line(axes, vertical=True)
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
    figure, axes = _new(2.6)
    if average is not None:
        _average_band(axes, average, vertical=False)
    _zero_line(axes, vertical=False)
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


@styled
def agreement_figure(names: Sequence[str], kendall: FloatArray, kept: Sequence[bool]) -> Figure:
    """Kendall correlations between the models' rankings of the same persons.

    Parameters
    ----------
    names
        The models, in the order to show.
    kendall
        Matrix of Kendall's tau-b, shape (models, models).
    kept
        Whether the ensemble kept each model; the others are greyed.
    """
    k = len(names)
    figure, axes = _new(0.9 + 0.3 * k)
    colours = LinearSegmentedColormap.from_list("agreement", [ORANGE, "#f7f5f2", BLUE])
    shown = np.where(np.eye(k, dtype=bool), np.nan, kendall)
    # Vector cells: an image would be blurred in print.
    axes.pcolormesh(
        np.arange(k + 1) - 0.5, np.arange(k + 1) - 0.5, shown, cmap=colours, vmin=-1, vmax=1
    )
    axes.invert_yaxis()
    for i in range(k):
        for j in range(k):
            if i != j:
                dark = abs(kendall[i, j]) > 0.62
                axes.text(
                    j,
                    i,
                    f"{kendall[i, j]:.2f}".replace("0.", ".", 1).replace("-", "−"),
                    ha="center",
                    va="center",
                    fontsize=7 if k > 8 else 8,
                    color="white" if dark else INK,
                )
    labels = [shorten(name, 18) for name in names]
    axes.set_xticks(np.arange(k), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(k), labels)
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, was_kept in zip(ticks, kept, strict=True):
            label.set_color(INK if was_kept else MUTED)
            label.set_fontweight("bold" if was_kept else "normal")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


@styled
def balance_figure(names: Sequence[str], difference: FloatArray) -> Figure:
    """Standardised differences between the arms before treatment, largest on top."""
    figure, axes = _new(0.75 + 0.23 * len(names))
    order = np.argsort(np.abs(difference))
    y = np.arange(len(names))
    axes.axvspan(-0.1, 0.1, color=GRID, alpha=0.7, linewidth=0)
    _zero_line(axes, vertical=True)
    axes.hlines(y, 0, difference[order], color=BAND, linewidth=2)
    axes.plot(difference[order], y, "o", color=BLUE, markersize=5)
    axes.set_yticks(y, [shorten(names[i], 24) for i in order])
    reach = max(0.3, float(np.nanmax(np.abs(difference))) * 1.15) if len(names) else 0.3
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Standardised difference, treated minus control", loc="right")
    return figure
