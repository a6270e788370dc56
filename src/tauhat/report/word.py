"""A document of sections as a Word file."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from tauhat.errors import TrialError
from tauhat.report.view import DocumentView, Section, TableView
from tauhat.runtime.files import printable


def word_of(view: DocumentView) -> bytes:
    """A document as the content of a ``.docx`` file; figures are left out.

    Parameters
    ----------
    view
        The document.

    Returns
    -------
    bytes

    Raises
    ------
    TrialError
        If python-docx, the extra ``tauhat[word]``, is not installed.
    """
    try:
        import docx
    except ImportError as error:
        raise TrialError("writing Word needs the extra: pip install 'tauhat[word]'") from error
    document = docx.Document()
    document.add_heading(_text(view.title), 0)
    document.add_paragraph(_text(view.subtitle))
    for section in view.sections:
        _add(document, section)
    document.add_paragraph(_text(view.footer))
    document.core_properties.author = "tauhat"
    document.core_properties.title = _text(view.title)
    content = io.BytesIO()
    document.save(content)
    return _without_times(content)


def _without_times(content: io.BytesIO) -> bytes:
    """The same archive whose parts have no time of their own: the same words, the same bytes."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(content) as parts, zipfile.ZipFile(fixed, "w") as archive:
        for part in parts.namelist():
            archive.writestr(zipfile.ZipInfo(part), parts.read(part), zipfile.ZIP_DEFLATED)
    return fixed.getvalue()


def _add(document: Any, section: Section) -> None:
    document.add_heading(_text(section.title), 1)
    for paragraph in section.paragraphs:
        document.add_paragraph(_text(paragraph))
    for item in section.items:
        document.add_paragraph(_text(item), style="List Bullet")
    for table in section.tables:
        _add_table(document, table)
    for note in section.notes:
        document.add_paragraph(_text(note))


def _add_table(document: Any, table: TableView) -> None:
    document.add_paragraph(_text(table.caption), style="Caption")
    grid = document.add_table(rows=1, cols=len(table.headers), style="Table Grid")
    for cell, header in zip(grid.rows[0].cells, table.headers, strict=True):
        cell.text = _text(header)
    for row in table.rows:
        for cell, value in zip(grid.add_row().cells, row, strict=True):
            cell.text = _text(value)


def _text(words: str) -> str:
    """Text that XML can hold."""
    return printable(words).translate({code: " " for code in range(32) if code not in (9, 10, 13)})
