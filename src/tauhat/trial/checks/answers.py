"""Findings that a user answered by their codes, and findings that say the same."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tauhat.errors import TrialError
from tauhat.trial.checks.finding import Finding
from tauhat.trial.checks.finding_codes import CODES
from tauhat.wording import join_words

# As many of one kind stand alone.
_ALONE = 2
_MOST_NAMED = 20
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def answered(findings: Iterable[Finding], accept: Sequence[str]) -> tuple[Finding, ...]:
    """Findings with the warnings of these codes marked as accepted.

    Raises
    ------
    TrialError
        For a code that no warning has.

    Examples
    --------
    >>> found = Finding("clusters", "12", "warning", "Few.", "few-clusters")
    >>> answered([found], ["few-clusters"])[0].accepted
    True
    >>> answered([found], ["heap"])
    Traceback (most recent call last):
    tauhat.errors.TrialError: accept: nothing here is warned of as 'heap'; the warnings are ...
    """
    findings = tuple(findings)
    warned = dict.fromkeys(f.code for f in findings if f.status == "warning")
    for code in accept:
        if code not in warned:
            errors = [f for f in findings if f.status == "error" and f.code == code]
            if errors:
                raise TrialError(
                    f"accept: {code!r} is an error here, which cannot be accepted: put it right, "
                    "or overrule it with --force"
                )
            there = "there is no warning"
            if warned:
                there = f"the warnings are {', '.join(map(repr, warned))}"
            raise TrialError(
                f"accept: nothing here is warned of as {code!r}; {there}. Leave the code out"
            )
    return tuple(
        replace(f, accepted=True) if f.status == "warning" and f.code in accept else f
        for f in findings
    )


def said_once(findings: Iterable[Finding]) -> list[str]:
    """Sentences of findings, what is the same of several columns once.

    Examples
    --------
    >>> said_once([Finding("", "", "note", f"{x!r} is constant.", "encoding") for x in "abcd"])
    ["'a' is constant. The same holds of 'b', 'c' and 'd'."]
    """
    return [finding.sentence for finding in merged(findings)]


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Findings with a sentence, those that differ only in the column they name as one.

    Examples
    --------
    >>> found = [Finding("encoding", "", "note", "'a' is constant.", "encoding")] * 2
    >>> len(merged(found))
    1
    """
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        if finding.sentence:
            kind = (finding.code, finding.status, str(finding.accepted), _without_name(finding))
            groups.setdefault(kind, []).append(finding)
    told = []
    for group in groups.values():
        sentences = dict.fromkeys(f.sentence for f in group)
        if len(sentences) <= _ALONE:
            told += [next(f for f in group if f.sentence == sentence) for sentence in sentences]
            continue
        names = [_first_name(sentence) for sentence in list(sentences)[1:]]
        listed = (
            f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more"
            if len(names) > _MOST_NAMED
            else join_words(names)
        )
        first = group[0]
        told.append(replace(first, sentence=f"{first.sentence} The same holds of {listed}."))
    return told


def _without_name(finding: Finding) -> str:
    """A finding's sentence but for the first name in it; the whole of it for what needs no code."""
    return _QUOTED.sub("", finding.sentence, count=1) if finding.code else finding.sentence


def _first_name(sentence: str) -> str:
    found = _QUOTED.search(sentence)
    return found[0] if found else ""


def known_codes(given: Iterable[str]) -> tuple[str, ...]:
    """Codes as a user gave them, each once.

    Raises
    ------
    TrialError
        For a code that there is not, with the nearest one, or one that is never a warning.

    Examples
    --------
    >>> known_codes(["few-clusters", "few-clusters"])
    ('few-clusters',)
    >>> known_codes(["few_cluster"])
    Traceback (most recent call last):
    tauhat.errors.TrialError: accept: there is no code 'few_cluster'; did you mean 'few-clusters'?
    """
    if isinstance(given, str):
        raise TrialError(f"accept must be a list of codes; write accept=[{given!r}]")
    names = tuple(dict.fromkeys(map(str, given)))
    for name in names:
        if name not in CODES:
            close = difflib.get_close_matches(name, CODES, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "`tauhat check` shows them"
            raise TrialError(f"accept: there is no code {name!r}; {hint}")
        if "warning" not in CODES[name].grades:
            advice = {
                "error": "an error: an error is put right, or overruled by --force",
                "note": "a note: notes need no answer",
            }[CODES[name].grades[0]]
            raise TrialError(f"accept: {name!r} is never a warning but {advice}")
    return names
