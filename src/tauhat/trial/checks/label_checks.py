"""What the check says of labels: blanks that were left out, and labels that are nearly alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from tauhat.tables.account import WORDS
from tauhat.tables.columns import missing_values
from tauhat.tables.labels import Labels, alike_text, near_pairs, read_labels
from tauhat.tables.written_numbers import way_of_writing
from tauhat.trial.checks.finding import Finding
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

_MOST_PAIRS = 5
_WHAT = {"cluster": "clusters", "block": "blocks", "treatment": "arms", "id": "persons"}


def label_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give what was done to labels and which are nearly alike, role by role, then covariates.

    Identifiers are counted and not shown: the check goes into the report.

    Parameters
    ----------
    trial
        The trial.
    """
    for role, what in _WHAT.items():
        name = trial.roles.get(role)
        if name is None or (role == "id" and name == trial.roles.get("cluster")):
            continue
        column = trial.label_columns[name]
        read = read_labels(column)
        yield from _reading_findings(name, read)
        yield from _near_findings(name, read, what, shown=role != "id")
    for name, words in trial.enrolled_frame.attrs.get(WORDS, {}).items():
        if name in trial.covariate_names:
            listed = ", ".join(f"{word!r} ({n})" for word, n in words.items())
            yield Finding(
                "words read as missing",
                f"{name}: {listed}",
                "note",
                f"In {name!r}, words were read as missing values: {listed}. If one is a category, "
                "write it otherwise.",
            )
    for learned in trial.encoder_.columns_:
        if learned.kind in ("category", "ordered"):
            read = read_labels(trial.enrolled_frame[learned.source])
            yield from _reading_findings(learned.source, read)
            yield from _near_findings(learned.source, read, "levels", shown=True)
            yield from _number_findings(trial.enrolled_frame[learned.source], learned.source)


def _reading_findings(name: str, read: Labels) -> Iterator[Finding]:
    parts = []
    if read.n_changed:
        parts.append(f"needless blanks were left out in {counted(read.n_changed, 'row')}")
    if read.merged:
        n = len(read.merged)
        several = counted(n, "label is", "labels are")
        parts.append(f"{several} written in several ways and read as one{' each' * (n > 1)}")
    if parts:
        yield Finding(
            "labels", f"{name}: {'; '.join(parts)}", "note", f"In {name!r}, {' and '.join(parts)}."
        )
    if read.n_inexact:
        yield Finding(
            "inexact labels",
            f"{name} ({counted(read.n_inexact, 'row')})",
            "warning",
            f"{name!r} holds numbers with more digits than its type keeps apart, in "
            f"{counted(read.n_inexact, 'row')}: different labels may have become the same. "
            "Read the column as text.",
        )


def _number_findings(column: pd.Series[Any], name: str) -> Iterator[Finding]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return
    levels = pd.unique(column[~missing_values(column)])
    written = way_of_writing(map(str, levels))
    if written:
        yield Finding(
            "numbers written as text",
            f"{name} ({counted(len(levels), 'value')})",
            "warning",
            f"{name!r} holds numbers {written}. As they are, its "
            f"{counted(len(levels), 'value counts as a category', 'values count as categories')}.",
        )


def _near_findings(name: str, read: Labels, what: str, *, shown: bool) -> Iterator[Finding]:
    pairs = near_pairs(pd.unique(pd.Series(read.values[~read.missing], dtype=object)))
    if not pairs:
        return
    listed = "; ".join(alike_text(*pair) for pair in pairs[:_MOST_PAIRS])
    more = (
        f" and {counted(len(pairs) - _MOST_PAIRS, 'more pair')}" if len(pairs) > _MOST_PAIRS else ""
    )
    found = f"{listed}{more}" if shown else counted(len(pairs), "pair") + " of labels"
    yield Finding(
        "labels nearly alike",
        f"{name}: {found}",
        "warning",
        f"In {name!r}, {found} differ only by letter case, accents, punctuation, blanks or the "
        f"way a number is written, and count as different {what}: if they mean the same, write "
        "them alike.",
    )
