"""The columns of a time to an event, and of whether it was an event."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.errors import TrialError
from tauhat.tables.columns import numeric_values, refuse_all_missing
from tauhat.tables.labels import label_text, match_label, read_labels, zero_and_one
from tauhat.wording import counted, first_of

CENSORED, EVENT, COMPETING = 0, 1, 2
Convention = Literal["", "R", "ADaM", "1 is the event"]
# In CDISC's analysis data sets, whose name it is, it is 0 for an event.
_ADAM = re.compile(r"cnsr", re.IGNORECASE)
_NAMES_CENSORING = re.compile(r"(?<![a-z])cens(?:or(?:ed|ing)?)?(?![a-z])", re.IGNORECASE)
_WORDS_OF_CENSORING = ("0", "false", "no", "none", "censored", "censor", "alive")
_MOST_LISTED = 8


@dataclass(frozen=True)
class RecordedTimes:
    """What two columns say of everyone's time.

    Attributes
    ----------
    time
        Time to the event or to censoring, NaN where either column is missing, shape (n,).
    cause
        0 censored, 1 the event, 2 another event that rules it out, shape (n,); 0 where missing.
    events, competing, censored
        Labels of the event column that were read as these.
    convention
        How numbers were read: "R" where 2 of 1 and 2 is the event, "ADaM" where 0 is, since the
        column is CNSR, "1 is the event" where it has another name of censoring; else empty.
    """

    time: FloatArray
    cause: IntArray
    events: tuple[str, ...]
    competing: tuple[str, ...]
    censored: tuple[str, ...]
    convention: Convention = ""


def recorded_times(
    time: pd.Series[Any], event: pd.Series[Any], event_value: Any = None, *, competing: bool = False
) -> RecordedTimes:
    """Read a column of times and one of events.

    Parameters
    ----------
    time
        Times since randomization, shape (n,).
    event
        Labels, shape (n,): 0 and 1, booleans, 1 and 2 as in R, or any with ``event_value``.
    event_value
        Label of the event, or a list of labels; None for 0 and 1, booleans, 1 and 2, and a column
        CNSR of ADaM, in which 0 is the event and other numbers say why somebody was censored.
    competing
        Whether labels besides are other events, but for the one that says censored.

    Raises
    ------
    TrialError
        If times are negative or no numbers, or labels cannot be read as events, or all of several
        are named as the event.

    Examples
    --------
    >>> time = pd.Series([5.0, 3.0, None], name="months")
    >>> read = recorded_times(time, pd.Series([1, 0, 1], name="died"))
    >>> read.cause.tolist(), read.time.tolist()
    ([1, 0, 0], [5.0, 3.0, nan])
    >>> recorded_times(time, pd.Series([0, 2, 1], name="CNSR")).cause.tolist()
    [1, 0, 0]
    >>> recorded_times(time, pd.Series(["death", "relapse", "lost"], name="status"))
    Traceback (most recent call last):
    tauhat.errors.TrialError: event column 'status' has the labels 'death', 'lost', 'relapse'; ...
    """
    times = _times(time)
    labels = read_labels(event)
    missing = labels.missing | np.isnan(times)
    levels = list(pd.unique(np.asarray(labels.values, dtype=object)[~labels.missing]))
    if not levels:
        raise TrialError(f"event column {event.name!r} is missing in all {len(event)} rows")
    chosen, convention = _event_labels(levels, event_value, str(event.name))
    rest = [level for level in levels if level not in chosen]
    any_censored = not competing or convention == "ADaM"
    censored = [level for level in rest if any_censored or _says_censored(level)]
    others = [level for level in rest if level not in censored]
    cause = np.full(len(times), CENSORED, dtype=np.int64)
    values = pd.Series(labels.values, dtype=object)
    cause[values.isin(chosen).to_numpy() & ~missing] = EVENT
    cause[values.isin(others).to_numpy() & ~missing] = COMPETING
    return RecordedTimes(
        np.where(missing, np.nan, times),
        cause,
        _texts(chosen),
        _texts(others),
        _texts(censored),
        convention,
    )


def _times(column: pd.Series[Any]) -> FloatArray:
    refuse_all_missing(column, "outcome")
    times = numeric_values(column, str(column.name))
    negative: BoolArray = times < 0
    if negative.any():
        raise TrialError(
            f"outcome column {column.name!r} has {counted(negative.sum(), 'negative time')} (the "
            f"lowest is {np.nanmin(times):g}); times count from randomization, and who had the "
            "event before it takes no part: correct these rows or leave them out"
        )
    return times


def _event_labels(levels: list[Any], event_value: Any, name: str) -> tuple[list[Any], Convention]:
    """Labels of the event among those there are, and the convention that told it."""
    if event_value is not None:
        wanted = event_value if isinstance(event_value, (list, tuple, set)) else [event_value]
        found = [match_label(value, levels) for value in wanted]
        for value, level in zip(wanted, found, strict=True):
            if level is None:
                raise TrialError(
                    f"event column {name!r} has no {value!r}, which event_value= names; it has "
                    f"{_listed(levels)}"
                )
        if 1 < len(levels) == len(set(found)):
            raise TrialError(
                f"event_value= names every label of event column {name!r}, {_listed(levels)}, so "
                "that nobody would be censored: leave out the labels of those whose time ended "
                "without the event. If all had it, give a column of ones"
            )
        return found, ""
    if _ADAM.fullmatch(name) and all(label_text(level).isdecimal() for level in levels):
        return [level for level in levels if int(label_text(level)) == 0], "ADaM"
    said: Convention = "1 is the event" if _NAMES_CENSORING.search(name) else ""
    pair = zero_and_one(levels)
    if len(levels) == 2 and pair is not None:
        return [pair[1]], said
    if len(levels) == 1 and zero_and_one([*levels, 0]) is not None:
        return levels, said
    if len(levels) == 1 and zero_and_one([*levels, 1]) is not None:
        return [], said
    if sorted(map(label_text, levels)) == ["1", "2"]:
        return [level for level in levels if label_text(level) == "2"], "R"
    raise TrialError(
        f"event column {name!r} has the labels {_listed(levels)}; say with event_value= which of "
        "them is the event"
    )


def _says_censored(label: Any) -> bool:
    return label_text(label).lower() in _WORDS_OF_CENSORING


def _texts(labels: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted(map(label_text, labels)))


def _listed(labels: Iterable[Any]) -> str:
    return first_of([repr(text) for text in _texts(labels)], _MOST_LISTED)
