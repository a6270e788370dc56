"""The findings of the design check on the first screen of the report, and their sum in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tauhat.report.numbers import typeset
from tauhat.report.voice import neutral
from tauhat.wording import counted

#: Findings on the first page, and the letters of each.
MOST_TOLD, LONGEST_TOLD = 3, 150
# A part of a sentence that is shorter tells nothing alone.
LEAST_TOLD = 30


@dataclass(frozen=True)
class FindingView:
    """One finding: its grade, its code, and what it says."""

    grade: str
    code: str
    sentence: str


@dataclass(frozen=True)
class FindingsView:
    """What the design check found, what is open apart from what is only told."""

    state: str
    passed: bool
    open: list[FindingView]
    told: list[FindingView]
    #: How many open ones are told in the appendix only.
    more: int = 0

    @property
    def brief(self) -> FindingsView:
        """The open findings as the first page has room for them: the first, in a sentence each."""
        shown = [replace(one, sentence=_brief(one.sentence)) for one in self.open[:MOST_TOLD]]
        return replace(self, open=shown, told=[], more=len(self.open) - len(shown))


def grade_words(found: Mapping[str, Any]) -> str:
    """Grade of a finding, and whether it was answered.

    Examples
    --------
    >>> grade_words({"grade": "warning", "accepted": True})
    'accepted warning'
    """
    return f"accepted {found['grade']}" if found["accepted"] else str(found["grade"])


def _brief(sentence: str) -> str:
    """The first sentence; where it is long what stands before its colon, or its first words.

    Examples
    --------
    >>> _brief("Short enough. Another.")
    'Short enough.'
    >>> _brief("The clusters differ in size between the arms: " + "look at them " * 20)
    'The clusters differ in size between the arms.'
    >>> told = _brief("This check looks at " + "clusters " * 20)
    >>> len(told) <= LONGEST_TOLD, told[-10:]
    (True, 'clusters …')
    """
    first = re.split(r"(?<=[a-z)\d]\.) (?=[A-Z])", sentence, maxsplit=1)[0]
    if len(first) <= LONGEST_TOLD:
        return first
    clause = first.split(": ", 1)[0]
    if LEAST_TOLD <= len(clause) <= LONGEST_TOLD:
        return f"{clause}."
    return f"{first[: LONGEST_TOLD - 1].rsplit(' ', 1)[0].rstrip(',;:')} …"


def check_state(check: Mapping[str, Any]) -> str:
    """How the design check ended, in a few words.

    Examples
    --------
    >>> found = {"grade": "warning", "code": "heap", "sentence": "One value.", "accepted": False}
    >>> check_state({"passed": False, "failures": [], "findings": [found]})
    '1 warning to look into'
    >>> check_state({"passed": True, "failures": [], "findings": [{**found, "accepted": True}]})
    'passed; 1 warning accepted'
    """
    open_, accepted = (
        sum(f["grade"] == "warning" and f["accepted"] is answered for f in check["findings"])
        for answered in (False, True)
    )
    errors = sum(f["grade"] == "error" for f in check["findings"])
    parts = []
    if errors:
        parts.append(f"FAILED, {counted(errors, 'error')}")
    if open_:
        parts.append(f"{counted(open_, 'warning')} to look into")
    if not parts:
        parts.append("passed")
    if accepted:
        parts.append(f"{counted(accepted, 'warning')} accepted")
    notes = sum(f["grade"] == "note" for f in check["findings"])
    if notes:
        parts.append(counted(notes, "note"))
    return "; ".join(parts)


def findings_view(check: Mapping[str, Any]) -> FindingsView:
    """The findings as the page shows them."""
    views = [
        (
            found["grade"] != "note" and not found["accepted"],
            FindingView(
                grade_words(found),
                found["code"],
                typeset(neutral(found["sentence"])),
            ),
        )
        for found in check["findings"]
    ]
    return FindingsView(
        check_state(check),
        check["passed"],
        [view for open_, view in views if open_],
        [view for open_, view in views if not open_],
    )
