"""What the figures of the report share: colours, style, SVG, labels and backgrounds."""

from __future__ import annotations

import base64
import functools
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from tauhat._typing import FloatArray
from tauhat.errors import TrialError
from tauhat.runtime.files import write_files

BLUE, ORANGE, INK, MUTED, GRID = "#0b6aa2", "#c4560b", "#1c2630", "#66727f", "#dfe3e8"
# Lines that are told apart with every kind of colour blindness, each at 3:1 or more on white.
LINES = (BLUE, ORANGE, "#471e14", "#970ef4")
BAND, PALE = "#b5d3e6", "#fbeadd"
WIDTH = 4.2
# Single and double column of most journals, in millimetres.
MM_AN_INCH = 25.4
PRINT_DPI = 300
FONTS = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
LONGEST_LABEL = 28
MARKS = ["estimate", "lower", "upper"]

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
    canvas, dpi = figure.canvas, figure.dpi
    with mpl.rc_context(STYLE):
        # `savefig` draws twice, first to lay out, which the one drawing here does itself.
        drawing: Any = FigureCanvasSVG(figure)
        drawing.print_svg(buffer, metadata={"Date": None, "Creator": None})
    figure.set_canvas(canvas)
    figure.set_dpi(dpi)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    return re.sub(r'(style="[^"]*font-family: )[^;"]*', rf"\g<1>{FONTS}", svg)


def to_data_uri(figure: Figure) -> str:
    """The figure as a ``data:`` address, so that the page needs no other file."""
    encoded = base64.b64encode(to_svg(figure).encode()).decode("ascii")
    return f"data:image/svg+xml;base64,{encoded}"


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure with the numbers that it shows and a sentence for those who cannot see it.

    Attributes
    ----------
    figure
        The matplotlib figure.
    data
        One row per mark.
    text
        What is drawn, in words.

    Examples
    --------
    >>> drawn = Plot(Figure(), pd.DataFrame({"effect": [1.0]}), "Nothing is drawn.")
    >>> drawn.svg()[:4], drawn.png(dpi=50)[1:4]
    ('<svg', b'PNG')
    """

    figure: Figure
    data: pd.DataFrame
    text: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """The numbers, under the name that all results have."""
        return self.data

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The numbers row by row."""
        names = [str(name) for name in self.data.columns]
        return [
            dict(zip(names, row, strict=True))
            for row in self.data.itertuples(index=False, name=None)
        ]

    def svg(self) -> str:
        """Return the figure as an SVG document whose text stays text."""
        return to_svg(self.figure)

    def png(self, *, dpi: int = PRINT_DPI) -> bytes:
        """Return the figure as a PNG image of ``dpi`` points an inch."""
        return self._rendered("png", dpi)

    def pdf(self) -> bytes:
        """Return the figure as a PDF document."""
        return self._rendered("pdf", PRINT_DPI)

    def _rendered(self, kind: str, dpi: int) -> bytes:
        buffer = io.BytesIO()
        # Without dates and versions the same figure gives the same bytes.
        nothing = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Producer": None}}
        with mpl.rc_context(STYLE):
            self.figure.savefig(buffer, format=kind, dpi=dpi, metadata=nothing[kind])
        return buffer.getvalue()

    def save(self, path: str | Path, *, width: float | None = None, dpi: int = PRINT_DPI) -> Path:
        """Write the figure to a file that appears whole or not at all.

        Parameters
        ----------
        path
            Ends in ``.svg``, ``.png`` or ``.pdf``.
        width
            Width in millimetres, such as 85 for one column of a journal and 175
            for two; letters keep their size. None for the figure's own, 107.
        dpi
            Points an inch of a PNG.

        Returns
        -------
        Path

        Raises
        ------
        TrialError
            If the ending is another one or the file cannot be written.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in (".svg", ".png", ".pdf"):
            raise TrialError(f"a figure is saved as .svg, .png or .pdf, not as {path.name}")
        own = self.figure.get_size_inches().copy()
        try:
            if width is not None:
                self.figure.set_size_inches(width / MM_AN_INCH, float(own[1]))
            content: str | bytes = (
                self.svg() if kind == ".svg" else self._rendered(kind.removeprefix("."), dpi)
            )
        finally:
            self.figure.set_size_inches(*own)
        return write_files(path.parent, {path.name: content})[0]

    def _repr_html_(self) -> str:
        return f'<img src="{to_data_uri(self.figure)}" alt="{escape(self.text, quote=True)}">'


def shorten(label: str, longest: int = LONGEST_LABEL) -> str:
    """A label that fits beside an axis: one line, printable, at most ``longest`` characters.

    Examples
    --------
    >>> shorten("systolic blood pressure at 12 months", 20)
    'systolic blood pres…'
    """
    line = _one_line(label)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _one_line(label: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in label).split())


def told_apart(labels: Iterable[str], longest: int = LONGEST_LABEL) -> list[str]:
    """Labels that fit, as by `shorten`, of which different ones stay different.

    Those that begin alike for two thirds of the room are shortened in the middle, up to the word
    where they differ; a number behind is the last resort.

    Parameters
    ----------
    labels
        All that a reader sees side by side.
    longest
        Characters that there is room for.

    Examples
    --------
    >>> told_apart(["medication at baseline: none", "medication at baseline: two", "age"], 18)
    ['medication at…none', 'medication at …two', 'age']
    """
    listed = list(labels)
    lines = {label: _one_line(label) for label in listed}
    short = {line: shorten(line, longest) for line in lines.values()}
    for alike in _with_equal_values({line: line[: -(-2 * longest // 3)] for line in short}):
        short |= _from_where_they_differ(alike, longest)
    found: dict[str, str] = {}
    for label, line in lines.items():
        form, count = short[line], 2
        while form in found.values():
            mark = f" ({count})"
            form, count = shorten(short[line], longest - len(mark)) + mark, count + 1
        found[label] = form
    return [found[label] for label in listed]


def _with_equal_values(short: Mapping[str, str]) -> list[list[str]]:
    """Labels whose value is that of another one."""
    found: dict[str, list[str]] = {}
    for label, form in short.items():
        found.setdefault(form, []).append(label)
    return [alike for alike in found.values() if len(alike) > 1]


def _from_where_they_differ(labels: Sequence[str], longest: int) -> dict[str, str]:
    """The beginning of each label and, after a gap, the word from which on they differ."""
    first, last = min(labels), max(labels)
    at = next((k for k in range(len(first)) if first[k] != last[k : k + 1]), len(first))
    word = labels[0].rfind(" ", 0, at) + 1
    # A word that began long ago leaves no room for what differs.
    start = word if at - word < longest // 3 else at
    made = {}
    for label in labels:
        if len(label) <= longest:
            continue
        rest = shorten(label[start:], longest - longest // 3 - 1)
        made[label] = f"{label[: longest - len(rest) - 1]}…{rest}"
    for alike in _with_equal_values(made):
        if len(alike) < len(labels):
            made |= _from_where_they_differ(alike, longest)
    return made


def upright(label: str, longest: int = 34) -> str:
    """A label along an upright axis: at most two lines of at most ``longest`` characters.

    Examples
    --------
    >>> upright("Effect on outcome_correct_answers_a_second").splitlines()
    ['Effect on', 'outcome_correct_answers_a_second']
    """
    first, *others = wrap(shorten(label, 10 * longest), longest, break_long_words=False) or [""]
    lines = [first, " ".join(others)] if others else [first]
    return "\n".join(shorten(line, longest) for line in lines)


def contrast(one: Any, other: Any) -> float:
    """Contrast of two colours, 1 to 21, as the Web Content Accessibility Guidelines define it.

    Examples
    --------
    >>> round(contrast("white", "black"))
    21
    """
    lights = []
    for colour in (one, other):
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
        ]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def readable_on(colour: Any) -> str:
    """Black or white, whichever is read more easily on a colour; never below 4.5 to 1.

    Examples
    --------
    >>> readable_on("#f7f5f2"), readable_on("#0b6aa2")
    ('black', 'white')
    """
    return max(("black", "white"), key=lambda letters: contrast(letters, colour))


def minus_signs(text: str) -> str:
    """A number's text with a true minus sign.

    Examples
    --------
    >>> minus_signs("-1.5")
    '−1.5'
    """
    return text.replace("-", "\N{MINUS SIGN}")


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


def row_axes(height: float, *, average: Interval | None, axis_label: str) -> tuple[Figure, Axes]:
    """Axes for estimates with intervals, one row each: no effect, and the average behind them."""
    figure, axes = new_axes(height)
    if average is not None:
        average_band(axes, average, vertical=True)
    zero_line(axes, vertical=True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    # Flush right: centred, a long label would run out of the figure.
    axes.set_xlabel(shorten(axis_label, 60), loc="right")
    axes.margins(x=0.08)
    return figure, axes


def marks_of(data: pd.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Columns ``MARKS`` as arrays."""
    estimate, lower, upper = (data[name].to_numpy(dtype=np.float64) for name in MARKS)
    return estimate, lower, upper
