"""One line of the design check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "warning", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line of the check.

    Attributes
    ----------
    item, value
        What was looked at and what was found, in a few words.
    status
        ``ok``, ``note``, ``warning`` or ``fail``.
    sentence
        What it means and what to do; empty when the value says it all.
    """

    item: str
    value: str
    status: Status = "ok"
    sentence: str = ""
