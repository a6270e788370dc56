"""Rows that hold events out of a number of persons, read as one row per person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import IntArray
from tauhat.endpoint import OF_COUNTS, OF_TWO_VALUES
from tauhat.errors import TrialError
from tauhat.trial.roles import single_roles, whole_numbers
from tauhat.wording import counted

# More rows than any trial has are a column that means something else.
_MOST_PERSONS = 5_000_000
_BOTH_WHOLE = (
    "with exposure= both columns are numbers of persons. If it is the time at risk of counted "
    "events, add endpoint='count'"
)


def refuse_beside_exposure(endpoint: Any, event: Any, event_value: Any) -> None:
    """Raise a `TrialError` if arguments of a trial do not go with numbers of persons or times."""
    if event is not None or event_value is not None:
        raise TrialError("event= and event_value= have no meaning beside exposure=")
    if endpoint not in (None, OF_TWO_VALUES, OF_COUNTS):
        raise TrialError(
            f"exposure= is for events out of persons (endpoint={OF_TWO_VALUES!r}) and counts over "
            f"a time at risk (endpoint={OF_COUNTS!r}), got endpoint={endpoint!r}"
        )


@dataclass(frozen=True, eq=False)
class RowsOfEvents:
    """The rows that persons were read from.

    Attributes
    ----------
    table
        As it was given, one row per group of persons.
    row
        Row of each person, ascending.
    """

    table: pd.DataFrame
    row: IntArray

    def __len__(self) -> int:
        return len(self.table)

    def of(self, persons: IntArray) -> tuple[pd.DataFrame, IntArray]:
        """The rows of some persons, and which of them is the first of each row."""
        rows, first = np.unique(self.row[persons], return_index=True)
        return self.table.iloc[rows], first.astype(np.int64)


def one_row_a_person(
    table: pd.DataFrame, outcome: Any, exposure: Any, cluster: str | None
) -> tuple[pd.DataFrame, RowsOfEvents]:
    """A table of events out of persons as one of persons, each with the event or without.

    Nothing is lost: those of a row have its covariates, and the row's cluster says that their
    outcomes go together.

    Parameters
    ----------
    table
        One row per group of persons.
    outcome
        Column of the number of events; missing where the outcomes of the row are.
    exposure
        Column of the number of persons.
    cluster
        Column of the cluster, or None.

    Returns
    -------
    tuple
        The table without the column of the numbers of persons, where the outcome is 1, 0 or
        missing; and the rows as they were given.

    Raises
    ------
    TrialError
        If there is no cluster, or numbers are missing, not whole, negative or do not go
        together.

    Examples
    --------
    >>> rows = pd.DataFrame({"clinic": ["a", "b"], "died": [1, 0], "births": [3, 2]})
    >>> one_row_a_person(rows, "died", "births", "clinic")[0]
      clinic  died
    0      a   1.0
    1      a   0.0
    2      a   0.0
    3      b   0.0
    4      b   0.0
    """
    roles = single_roles(table, outcome=outcome, exposure=exposure)
    events_name, persons_name = roles["outcome"], roles["exposure"]
    if cluster is None:
        raise TrialError(
            "exposure= needs cluster=: persons of one row were randomized together; where each row "
            "was randomized, name the column that tells the rows apart; counts of events in a time "
            "at risk need endpoint='count'"
        )
    persons = whole_numbers(table[persons_name], "exposure", _BOTH_WHOLE)
    events = whole_numbers(table[events_name], "outcome", _BOTH_WHOLE)
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
            f"{events[row]:g} in {events_name!r} out of {persons[row]:g} in {persons_name!r}; of "
            "a time at risk, add endpoint='count'"
        )
    total = float(persons.sum())
    if total > _MOST_PERSONS:
        raise TrialError(
            f"exposure column {persons_name!r} adds up to {total:g} persons, more than "
            f"{_MOST_PERSONS:g}; person-time is no number of persons: add endpoint='count'"
        )
    times = persons.astype(np.int64)
    number = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    happened = np.repeat(events, times)
    value = np.where(np.isnan(happened), np.nan, (number < happened).astype(np.float64))
    given = RowsOfEvents(table, np.repeat(np.arange(len(table)), times))
    rows = table.iloc[given.row].reset_index(drop=True)
    return rows.assign(**{events_name: value}).drop(columns=persons_name), given
