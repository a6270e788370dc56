"""A document of sections as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tauhat.report.view import DocumentView, Section, TableView
from tauhat.runtime.files import printable


def markdown_of(view: DocumentView) -> str:
    r"""A document as Markdown; figures are left out.

    Parameters
    ----------
    view
        The document.

    Returns
    -------
    str

    Examples
    --------
    >>> table = TableView("Sizes", ["Arm", "n"], [["a|b", "12"]])
    >>> print(markdown_of(DocumentView("A", "b", [Section("s", "S", tables=[table])], "End.")))
    # A
    <BLANKLINE>
    b
    <BLANKLINE>
    ## S
    <BLANKLINE>
    Sizes:
    <BLANKLINE>
    | Arm | n |
    |---|---:|
    | a\|b | 12 |
    <BLANKLINE>
    End.
    <BLANKLINE>
    """
    parts = [f"# {_line(view.title)}", _line(view.subtitle)]
    for section in view.sections:
        parts += _section(section)
    return printable("\n\n".join([*filter(None, parts), _line(view.footer)])) + "\n"


def _section(section: Section) -> list[str]:
    parts = [f"## {_line(section.title)}", *map(_line, section.paragraphs)]
    if section.items:
        parts.append("\n".join(f"* {_line(item)}" for item in section.items))
    for table in section.tables:
        parts += [f"{_line(table.caption)}:", _table(table)]
    return [*parts, *map(_line, section.notes)]


def _table(table: TableView) -> str:
    marks = ["---:" if k >= table.numeric_from else "---" for k in range(len(table.headers))]
    rows = [_row(table.headers), f"|{'|'.join(marks)}|", *map(_row, table.rows)]
    return "\n".join(rows)


def _row(cells: Sequence[str]) -> str:
    inside = " | ".join(_line(cell).replace("|", "\\|") for cell in cells)
    return f"| {inside} |"


def _line(text: str) -> str:
    """Text of one line in which nothing is a tag."""
    shown = re.sub(r"&(?=#?\w+;)", "&amp;", text)
    return " ".join(re.sub(r"<(?=[A-Za-z/!?])", "&lt;", shown).split())
