"""Results as notebooks show them: a sentence, then a table."""

from __future__ import annotations

from html import escape
from typing import Protocol

import pandas as pd

#: Stands for a number that there is not.
NONE = "–"


class TextAndTable(Protocol):
    """What a result has to be shown: a sentence or more, and a table."""

    @property
    def text(self) -> str:
        """The result in sentences."""

    @property
    def table(self) -> pd.DataFrame:
        """The result as a table."""


def html(text: str, *tables: pd.DataFrame, number: str = ".4g") -> str:
    """Text and tables as HTML; nothing in them is taken for markup.

    Parameters
    ----------
    text
        A paragraph of its own.
    tables
        Shown below it.
    number
        Format of the numbers that are not whole.

    Returns
    -------
    str

    Examples
    --------
    >>> html("a < b")
    '<div><p>a &lt; b</p></div>'
    """
    frames = "".join(
        _filled(table).to_html(
            index=False, float_format=lambda v: _number(v, number), na_rep=NONE, border=0
        )
        for table in tables
    )
    return f"<div><p>{escape(text)}</p>{frames}</div>"


def _filled(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a sign for missing counts, which pandas would show as <NA>."""
    filled = table.copy()
    for name, column in table.items():
        if isinstance(column.dtype, pd.Int64Dtype):
            filled[name] = column.astype(object).where(column.notna(), NONE)
    return filled


def _number(value: float, form: str) -> str:
    whole = form.endswith("g") and value.is_integer() and abs(value) < 1e15
    return f"{value:.0f}" if whole else format(value, form)


class Shown:
    """A result with ``text`` and ``table``, properties or fields, that a notebook shows as both.

    Examples
    --------
    >>> class One(Shown):
    ...     text = "One is one."
    ...     table = pd.DataFrame({"one": [1]})
    >>> One()._repr_html_()[:26]
    '<div><p>One is one.</p><ta'
    """

    def _repr_html_(self: TextAndTable) -> str:
        return html(self.text, self.table)
