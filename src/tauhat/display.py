"""Results as notebooks show them: a sentence, then a table."""

from __future__ import annotations

from abc import abstractmethod
from html import escape

import pandas as pd

#: Stands for a number that there is not.
NONE = "–"


def html(text: str, *tables: pd.DataFrame) -> str:
    """Text and tables as HTML; nothing in them is taken for markup.

    Examples
    --------
    >>> html("a < b")
    '<div><p>a &lt; b</p></div>'
    """
    frames = "".join(
        _filled(table).to_html(index=False, float_format=_number, na_rep=NONE, border=0)
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


def _number(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"


class Shown:
    """A result with ``text`` and ``table`` that a notebook shows as both.

    Both are properties of the subclass; a dataclass that has one of them as a
    field calls `html` itself.

    Examples
    --------
    >>> class One(Shown):
    ...     text = "One is one."
    ...     table = pd.DataFrame({"one": [1]})
    >>> One()._repr_html_()[:26]
    '<div><p>One is one.</p><ta'
    """

    @property
    @abstractmethod
    def text(self) -> str:
        """The result in sentences."""

    @property
    @abstractmethod
    def table(self) -> pd.DataFrame:
        """The result as a table."""

    def _repr_html_(self) -> str:
        return html(self.text, self.table)
