"""Formulas of the docstrings, written for Sphinx, in the Markdown that the site's pages use."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe


def markdown_math(docstring: str) -> str:
    """Replace ``:math:`` roles and ``.. math::`` blocks by dollar signs."""

    def block(match: re.Match[str]) -> str:
        formula = textwrap.dedent(match["first"] + "\n" + match["rest"]).strip()
        return f"\n$$\n{formula}\n$$\n"

    pattern = (
        r"^(?P<indent>[ ]*)\.\. math::(?P<first>.*)\n?(?P<rest>(?:\n?(?P=indent)[ ]+\S.*\n?)*)"
    )
    replaced = re.sub(pattern, block, docstring, flags=re.MULTILINE)
    return re.sub(r":math:`([^`]+)`", r"$\1$", replaced)


class DocstringMath(griffe.Extension):
    """Applies `markdown_math` to every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one object's docstring before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = markdown_math(obj.docstring.value)
