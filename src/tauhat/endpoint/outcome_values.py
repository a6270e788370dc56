"""The outcome's column read as numbers: as it stands, or 1 for the event and 0 for none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.errors import TrialError
from tauhat.numerics.standardised_columns import LEAST_SPREAD_OF_OUTCOME
from tauhat.tables.columns import (
    numeric_values,
    refuse_all_missing,
    refuse_dates,
    refuse_scale,
)
from tauhat.tables.extremes import refuse_codes_beside_two
from tauhat.tables.labels import label_text, match_label, read_labels
from tauhat.wording import first_of

_MOST_LISTED = 6


def outcome_values(column: pd.Series[Any]) -> FloatArray:
    """Outcome as numbers, NaN where missing.

    Parameters
    ----------
    column
        Numbers or booleans, shape (n,).

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TrialError
        If it is text (of labels: which is the event), dates, infinite, all
        missing or constant, or has two values and usual codes for missing ones.

    Examples
    --------
    >>> outcome_values(pd.Series([True, False, None], name="relapse")).tolist()
    [1.0, 0.0, nan]
    """
    missing = refuse_all_missing(column, "outcome")
    levels = pd.unique(column[~missing].astype(object))
    if 2 <= len(levels) <= _MOST_LISTED and all(isinstance(level, str) for level in levels):
        labels = sorted(levels)
        numbers = pd.to_numeric(pd.Series(labels), errors="coerce").notna()
        if len(labels) == 2 and not numbers.all():
            raise TrialError(
                f"outcome column {column.name!r} has the labels {labels[0]!r} and {labels[1]!r}; "
                "say with event_value= which of them is the event"
            )
        if not numbers.any():
            raise TrialError(
                f"outcome column {column.name!r} has {len(labels)} labels, "
                f"{', '.join(map(repr, labels))}; an outcome is a number or has two labels: make a "
                "column that says who had the event"
            )
    refuse_dates(column, str(column.name))
    values = numeric_values(column, str(column.name))
    present = values[~np.isnan(values)]
    if np.ptp(present) == 0:
        raise TrialError(f"outcome column {column.name!r} is constant ({present[0]:g})")
    refuse_scale(present, str(column.name), LEAST_SPREAD_OF_OUTCOME)
    refuse_codes_beside_two(present, str(column.name))
    return values


def outcome_events(column: pd.Series[Any], event_value: Any) -> tuple[FloatArray, str]:
    """Outcome with two labels as 1 for the event and 0 for none, NaN where missing.

    Parameters
    ----------
    column
        Labels of any type, shape (n,).
    event_value
        The label of the event.

    Returns
    -------
    values
        Shape (n,).
    event
        The label of the event, as text.

    Raises
    ------
    TrialError
        If there are not two labels, or the event is none of them.

    Examples
    --------
    >>> outcome_events(pd.Series(["no", "yes", None], name="relapse"), "yes")
    (array([ 0.,  1., nan]), 'yes')
    >>> outcome_events(pd.Series(["no", "yes", "maybe"], name="relapse"), "yes")
    Traceback (most recent call last):
    tauhat.errors.TrialError: event_value= needs an outcome with two values; column 'relapse' ...
    """
    refuse_all_missing(column, "outcome")
    given = event_value if isinstance(event_value, (list, tuple)) else [event_value]
    labels = read_labels(column, keep=[label_text(value) for value in given])
    read = pd.Series(labels.values, dtype=object)
    levels = list(pd.unique(read[~labels.missing]))
    texts = first_of([repr(label_text(level)) for level in levels], _MOST_LISTED)
    if len(levels) != 2:
        raise TrialError(
            f"event_value= needs an outcome with two values; column {column.name!r} has "
            f"{len(levels)}: {texts} (of a time, name the column of its event in event=)"
        )
    event = match_label(given[0], levels) if len(given) == 1 else None
    if event is None:
        raise TrialError(
            f"event_value= must be one of the two values of outcome column {column.name!r}, "
            f"{texts}; got {', '.join(map(repr, given))}"
        )
    values = np.where(labels.missing, np.nan, (read == event).to_numpy(dtype=np.float64))
    return values, label_text(event)
