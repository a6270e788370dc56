"""One line of the design check."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from tauhat.wording import of_participants

Status = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One line of the check.

    Attributes
    ----------
    item, value
        What was looked at and what was found, in a few words.
    status
        ``ok``, ``note``, ``warning`` or ``error``.
    sentence
        What it means and what to do; empty when the value says it all.
    code
        Its kind, one of `tauhat.trial.checks.finding_codes.CODES`; empty for what is only told.
    accepted
        Whether the user answered a warning by its code.
    columns
        Covariates that it says are none, or may have been measured after randomization.
    """

    item: str
    value: str
    status: Status = "ok"
    sentence: str = ""
    code: str = ""
    accepted: bool = False
    columns: tuple[str, ...] = ()


def told_of_participants(finding: Finding) -> Finding:
    """A finding on clusters of persons, where these are participants with several rows each."""
    item, value, sentence = map(of_participants, (finding.item, finding.value, finding.sentence))
    return replace(finding, item=item, value=value, sentence=sentence)
