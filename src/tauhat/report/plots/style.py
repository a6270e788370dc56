"""What the figures of the report share: colours, style, SVG, labels and backgrounds."""

from __future__ import annotations

import base64
import functools
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
Drawn = TypeVar("Drawn")


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure with the numbers that it shows.

    Attributes
    ----------
    figure
        The matplotlib figure.
    data
        One row a mark.
    """

    figure: Figure
    data: pd.DataFrame


def styled(function: Callable[Arguments, Drawn]) -> Callable[Arguments, Drawn]:
    """Draw with the report's style, whatever the session's settings are."""

    @functools.wraps(function)
    def draw(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Drawn:
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


def new_axes(height: float) -> tuple[Figure, Axes]:
    """A figure of the report's width and a height in inches, with its axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def zero_line(axes: Axes, *, vertical: bool) -> None:
    """A dotted line at no effect."""
    line = axes.axvline if vertical else axes.axhline
    line(0, color=INK, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=1)


@dataclass(frozen=True)
class Interval:
    """A labelled estimate with its interval."""

    label: str
    estimate: float
    lower: float
    upper: float


def average_band(axes: Axes, average: Interval, *, vertical: bool) -> None:
    """The average effect behind the data: a line, and its interval as a pale band."""
    span, line = (axes.axvspan, axes.axvline) if vertical else (axes.axhspan, axes.axhline)
    span(average.lower, average.upper, color=PALE, linewidth=0, zorder=0)
    line(average.estimate, color=ORANGE, linewidth=1.2, zorder=2.5)
