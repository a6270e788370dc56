"""What the check says of labels: blanks that were left out, and labels that are nearly alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray
from tauhat.disclosure import count_text
from tauhat.tables.account import WORDS
from tauhat.tables.columns import missing_values
from tauhat.tables.labels import Labels, alike_text, label_text, near_pairs, read_labels
from tauhat.tables.spelling import labels_with, near_labels
from tauhat.tables.written_numbers import way_of_writing
from tauhat.trial.checks.finding import Finding
from tauhat.trial.hidden_counts import hides_all_lost
from tauhat.wording import counted, first_of

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

_MOST_PAIRS = 5
_MOST_ARMS = 12
_WHAT = {"cluster": "clusters", "block": "blocks", "treatment": "arms", "id": "persons"}


def label_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give what was done to labels and which are nearly alike, role by role, then covariates.

    Identifiers are counted and not shown: the check goes into the report.

    Parameters
    ----------
    trial
        The trial.
    """
    columns = trial.label_columns
    arms = read_labels(columns[trial.roles["treatment"]]).values
    for role, what in _WHAT.items():
        name = trial.roles.get(role)
        if name is None or (role == "id" and name == trial.roles.get("cluster")):
            continue
        column = columns[name]
        read = read_labels(column)
        yield from _reading_findings(name, read)
        if role == "treatment":
            # Those that were left out are told with the other arms.
            number, levels = pd.factorize(np.asarray(arms, dtype=object), use_na_sentinel=False)
            known = set(map(label_text, trial.arm_labels))
            kept = np.array([label_text(level) in known for level in levels], dtype=bool)[number]
            read = read_labels(column[kept])
        yield from _near_findings(
            name, read, what, shown=role != "id", arms=arms if role == "cluster" else None
        )
    yield from _merged_findings(trial)
    for name, words in trial.enrolled_frame.attrs.get(WORDS, {}).items():
        if name in trial.covariate_names:
            listed = ", ".join(f"{word!r} ({count_text(n)})" for word, n in words.items())
            yield Finding(
                "words read as missing",
                f"{name}: {listed}",
                "note",
                f"In {name!r}, words were read as missing values: {listed}. If one is a category, "
                "write it otherwise.",
                "words-as-missing",
            )
    for learned in trial.encoder_.columns_:
        if learned.kind in ("category", "ordered"):
            read = read_labels(trial.enrolled_frame[learned.source])
            yield from _reading_findings(learned.source, read)
            yield from _near_findings(learned.source, read, "levels", shown=True)
            yield from _number_findings(trial.enrolled_frame[learned.source], learned.source)


def _merged_findings(trial: TrialTable) -> Iterator[Finding]:
    """Labels that were taken for the same since the user asked for it."""
    for name, into in trial.merged_labels.spelling.items():
        pairs = [f"{text!r} as {best!r}" for text, best in into.items()]
        more = f" and {len(pairs) - _MOST_PAIRS} more" if len(pairs) > _MOST_PAIRS else ""
        listed = f"{', '.join(pairs[:_MOST_PAIRS])}{more}"
        yield Finding(
            "merged labels",
            f"{name}: {listed}",
            "note",
            f"In {name!r}, {counted(trial.merged_labels.rows[name], 'row was', 'rows were')} "
            f"read under another spelling, as asked: {listed}.",
            "merged-labels",
        )


def other_arm_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give the arms that were not chosen, and those spelt nearly as one that was."""
    if not trial.n_excluded:
        return
    name = trial.roles["treatment"]
    values = pd.Series(read_labels(trial.label_columns[name]).values, dtype=object)
    chosen = {label_text(label) for label in trial.arm_labels}
    counts = values.map(label_text).value_counts()
    counts = counts[~counts.index.isin(chosen)].sort_index()
    shown = [f"{label!r} ({count_text(int(count))})" for label, count in counts.items()]
    listed = first_of(shown, _MOST_ARMS)
    # The rows of an arm of another contrast would tell how many it lost.
    if not hides_all_lost(trial):
        yield Finding(
            "rows of other arms",
            f"{trial.n_excluded}: {listed}",
            "note",
            f"{counted(trial.n_excluded, 'row of another arm was', 'rows of other arms were')} "
            f"left out: {listed}.",
            "other-arms",
        )
    near = [
        (other, arm)
        for arm in sorted(chosen)
        for other in counts.index
        if near_labels([arm, other])
    ]
    if near:
        pairs = "; ".join(alike_text(*pair) for pair in near[:_MOST_PAIRS])
        yield Finding(
            "arms spelt otherwise",
            f"{name}: {pairs}",
            "warning",
            f"In {name!r}, an arm that was left out is spelt nearly as one that is compared: "
            f"{pairs}. If they mean the same, write them alike, or have them merged with "
            "normalise_labels=True (--normalise-labels).",
            "other-arm-spelling",
        )


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
            "labels",
            f"{name}: {'; '.join(parts)}",
            "note",
            f"In {name!r}, {' and '.join(parts)}.",
            "blanks-in-labels",
        )
    if read.n_inexact:
        yield Finding(
            "inexact labels",
            f"{name} ({counted(read.n_inexact, 'row')})",
            "warning",
            f"{name!r} holds numbers with more digits than its type keeps apart, in "
            f"{counted(read.n_inexact, 'row')}: different labels may have become the same. "
            "Read the column as text.",
            "inexact-labels",
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
            "numbers-as-text",
        )


def _near_findings(
    name: str, read: Labels, what: str, *, shown: bool, arms: AnyArray | None = None
) -> Iterator[Finding]:
    labels = pd.unique(pd.Series(read.values[~read.missing], dtype=object))
    # Two numbers of persons are hardly ever one, misspelt; clusters of two arms are two.
    beside = None if arms is None else labels_with(read.values, arms)
    pairs = near_labels(labels, beside) if shown else near_pairs(labels)
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
        f"In {name!r}, {found} differ only by letter case, accents, punctuation, blanks, the "
        f"way a number is written, one letter or a word such as Hospital, and count as different "
        f"{what}: if they mean the same, write them alike"
        + (
            ", or have them merged with normalise_labels=True (--normalise-labels)."
            if shown
            else "."
        ),
        "similar-labels",
    )
