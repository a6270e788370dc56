"""What the check says of labels: blanks that were left out, and labels that are nearly alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from tauhat.columns import column_kind
from tauhat.covariate_checks import Finding
from tauhat.labels import Labels, alike_text, near_pairs, read_labels

if TYPE_CHECKING:
    from tauhat.trial import Trial

_MOST_PAIRS = 5
_WHAT = {"cluster": "clusters", "block": "blocks", "treatment": "arms", "id": "persons"}


def label_findings(trial: Trial) -> Iterator[Finding]:
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
    for name in trial.covariate_names:
        column = trial.enrolled_frame[name]
        if not pd.api.types.is_numeric_dtype(column.dtype) and _is_category(column, name):
            read = read_labels(column)
            yield from _reading_findings(name, read)
            yield from _near_findings(name, read, "levels", shown=True)


def _is_category(column: pd.Series[Any], name: str) -> bool:
    return bool(column.notna().any()) and column_kind(column, name) in ("category", "ordered")


def _reading_findings(name: str, read: Labels) -> Iterator[Finding]:
    parts = []
    if read.n_changed:
        parts.append(f"needless blanks were left out in {read.n_changed} rows")
    if read.merged:
        parts.append(f"{len(read.merged)} labels are written in several ways and count as one each")
    if parts:
        yield Finding(
            "labels", f"{name}: {'; '.join(parts)}", "note", f"In {name!r}, {' and '.join(parts)}."
        )
    if read.n_inexact:
        yield Finding(
            "inexact labels",
            f"{name} ({read.n_inexact} rows)",
            "warning",
            f"{name!r} holds numbers with more digits than its type keeps apart, in "
            f"{read.n_inexact} rows: different labels may have become the same. Read the column "
            "as text.",
        )


def _near_findings(name: str, read: Labels, what: str, *, shown: bool) -> Iterator[Finding]:
    pairs = near_pairs(pd.unique(pd.Series(read.values[~read.missing], dtype=object)))
    if not pairs:
        return
    listed = "; ".join(alike_text(*pair) for pair in pairs[:_MOST_PAIRS])
    more = f" and {len(pairs) - _MOST_PAIRS} more pairs" if len(pairs) > _MOST_PAIRS else ""
    found = f"{listed}{more}" if shown else f"{len(pairs)} pairs"
    yield Finding(
        "labels nearly alike",
        f"{name}: {found}",
        "warning",
        f"In {name!r}, {found} differ only by letter case, accents, punctuation, blanks or the "
        f"way a number is written, and count as different {what}: if they mean the same, write "
        "them alike.",
    )
