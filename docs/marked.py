"""Tables that scripts write into pages, between two comments."""

from __future__ import annotations

import re


def with_table(text: str, word: str, script: str, table: str) -> str:
    """The text of a page with a table between its marks.

    Parameters
    ----------
    text
        The page.
    word
        What the table is called in its marks.
    script
        File that writes it.
    table
        What stands between the marks from now on.

    Raises
    ------
    ValueError
        If the marks are not there exactly once.
    """
    start, end = f"<!-- {word}: written by docs/{script} -->", f"<!-- end of {word} -->"
    filled = f"{start}\n\n{table}\n\n{end}"
    text, found = re.subn(f"{start}.*{end}", lambda _: filled, text, flags=re.DOTALL)
    if found != 1:
        raise ValueError(f"the page has the marks of {word} {found} times, not once")
    return text
