"""Rows that hold events out of a number of persons, read as one row a person."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.errors import TrialError
from tauhat.tables.columns import numeric_values
from tauhat.trial.roles import require_column
from tauhat.wording import counted

# More rows than any trial has are a column that means something else.
_MOST_PERSONS = 5_000_000


def one_row_a_person(
    table: pd.DataFrame, outcome: Any, exposure: Any, cluster: str | None
) -> pd.DataFrame:
    """A table of events out of persons as one of persons, each with the event or without.

    Nothing is lost: those of a row have its covariates, and the row's cluster says that their
    outcomes go together.

    Parameters
    ----------
    table
        One row a group of persons.
    outcome
        Column of the number of events; missing where the outcomes of the row are.
    exposure
        Column of the number of persons.
    cluster
        Column of the cluster, or None.

    Returns
    -------
    DataFrame
        Without the column of the numbers of persons; the outcome is 1, 0 or missing.

    Raises
    ------
    TrialError
        If there is no cluster, or numbers are missing, not whole, negative or do not go
        together.

    Examples
    --------
    >>> rows = pd.DataFrame({"clinic": ["a", "b"], "died": [1, 0], "births": [3, 2]})
    >>> one_row_a_person(rows, "died", "births", "clinic")
      clinic  died
    0      a   1.0
    1      a   0.0
    2      a   0.0
    3      b   0.0
    4      b   0.0
    """
    events_name = require_column(table, outcome, "outcome")
    persons_name = require_column(table, exposure, "exposure")
    if events_name == persons_name:
        raise TrialError(f"column {events_name!r} cannot be both outcome and exposure")
    if cluster is None:
        raise TrialError(
            "exposure= needs cluster=: persons of one row were randomized together; where each row "
            "was randomized, name the column that tells the rows apart"
        )
    persons = _whole_numbers(table[persons_name], "exposure")
    events = _whole_numbers(table[events_name], "outcome")
    if np.isnan(persons).any() or (persons == 0).any():
        missing, zero = int(np.isnan(persons).sum()), int((persons == 0).sum())
        raise TrialError(
            f"exposure column {persons_name!r} is missing in {counted(missing, 'row')} and 0 in "
            f"{zero}: leave out rows without anyone"
        )
    beyond = events > persons
    if beyond.any():
        row = int(np.flatnonzero(beyond)[0])
        raise TrialError(
            f"{counted(int(beyond.sum()), 'row')} with more events than persons, the first of "
            f"{events[row]:g} in {events_name!r} out of {persons[row]:g} in {persons_name!r}"
        )
    total = float(persons.sum())
    if total > _MOST_PERSONS:
        raise TrialError(
            f"exposure column {persons_name!r} adds up to {total:g} persons, more than "
            f"{_MOST_PERSONS:g}; person-time is no number of persons"
        )
    times = persons.astype(np.int64)
    number = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    happened = np.repeat(events, times)
    value = np.where(np.isnan(happened), np.nan, (number < happened).astype(np.float64))
    rows = table.iloc[np.repeat(np.arange(len(table)), times)].reset_index(drop=True)
    return rows.assign(**{events_name: value}).drop(columns=persons_name)


def _whole_numbers(column: pd.Series[Any], role: str) -> FloatArray:
    """Numbers of persons or events, NaN where missing."""
    values = numeric_values(column, str(column.name))
    wrong = ~np.isnan(values) & ((values < 0) | (values != np.floor(values)))
    if wrong.any():
        raise TrialError(
            f"{role} column {column.name!r} has {counted(int(wrong.sum()), 'value')} that "
            f"{'are' if wrong.sum() > 1 else 'is'} negative or not whole, such as "
            f"{values[wrong][0]:g}; with exposure= both columns are numbers of persons"
        )
    return values
