"""The Word document of a command, where python-docx is installed."""

from __future__ import annotations

from tauhat.cli.streams import complain
from tauhat.errors import TrialError
from tauhat.report.view import DocumentView
from tauhat.report.word import word_of


def word_file(name: str, view: DocumentView) -> dict[str, bytes]:
    """A document as a file by its name; without python-docx none, which is said.

    Parameters
    ----------
    name
        Name of the file.
    view
        The document.
    """
    try:
        return {name: word_of(view)}
    except TrialError as error:
        complain(f"note: {name} was not written: {error}")
        return {}
