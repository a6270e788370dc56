"""Durations beside a status, and times that lie before randomization."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.disclosure import count_text
from tauhat.tables.account import variable_label
from tauhat.tables.columns import are_days, missing_values
from tauhat.tables.dates import kind_of_time
from tauhat.trial.checks.finding import Finding
from tauhat.trial.later_names import names_duration, spaced, speaks_of_follow_up

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

_STATUS = re.compile(
    r"\b(?:\w*status|\w*stat|\w*event|evt|cens|censor(?:ed|ing)?|cnsr|dead|died|death|deceased"
    r"|relapse[d]?|fail(?:ed|ure)?|progressed)\b"
)
# A status that says nothing of what happened, and durations of another kind.
_OTHER_STATUS = re.compile(
    r"\b(?:marital|smok\w*|employment|employ\w*|work|job|health|performance|disease|insurance"
    r"|education\w*|socio\w*|economic|nutrition\w*|hiv|immune|mental|functional|menopausal|life)\b"
)
_DATE = r"(?:date|datum|dat|dt)"
_RANDOMIZED = re.compile(
    rf"\b{_DATE}?(?:rand\w*|enrol\w*|inclusion|allocat\w*|trt ?sdt|startdt|baseline){_DATE}?\b"
)
_LATER_DATE = re.compile(
    rf"\b{_DATE}?(?:follow\w*|fup?|visit|death|dth|died|dod|last|lstalv|end|event|outcome|discharge"
    rf"|withdraw\w*|exit|eo[st]|relapse|progression|completion|edt|trtedt|adt|endline|measured"
    rf"|assessment){_DATE}?\b"
)
_ANY_DATE = re.compile(rf"{_DATE}\b|\b{_DATE}")
_BIRTH = re.compile(r"\b(?:birth|dob|born|diagnos\w*|onset|screening|prior|previous)\b")
_FEWEST_TIMES = 10
_SAMPLE = 500
_MONTHS = 12
# Days that programs count from 1900, 1960 or 1970, of the last decades.
_SERIAL = (7_000, 80_000)


def time_findings(table: pd.DataFrame, trial: TrialTable) -> Iterator[Finding]:
    """Give durations beside a status, and times before randomization.

    Parameters
    ----------
    table
        The analysed rows with all their columns, shape (n, columns).
    trial
        The trial.
    """
    pair = _duration_and_status(table, trial)
    if pair:
        duration, status = pair
        yield Finding(
            "duration beside a status",
            f"{duration} beside {status}",
            "warning",
            f"{duration!r} looks like a time to an event and {status!r} says who had it: the times "
            "of those who did not are cut short, so that neither the mean of the times nor the "
            f"share of events compares the arms over the same time. Give outcome={duration!r}, "
            f"event={status!r} and horizon=.",
            "time-with-status",
        )
    yield from _negative_durations(table, trial)
    yield from _early_dates(table)


def _text(table: pd.DataFrame, name: str) -> str:
    return f"{spaced(name)} {spaced(variable_label(table, name))}"


def _duration_and_status(table: pd.DataFrame, trial: TrialTable) -> tuple[str, str] | None:
    """The outcome as one of the two, and the other one among the columns without a role."""
    outcome, taken = trial.roles["outcome"], set(trial.roles.values())
    others = [name for name in table.columns if name not in taken]
    binary = len(np.unique(trial.y)) == 2
    if not binary and _is_duration(table, outcome, trial.y):
        found = [
            name
            for name in others
            if _is_status(table, name) and not _followed_to_the_end(trial.y, table[name])
        ]
        return (outcome, found[0]) if found else None
    if binary and _STATUS.search(_text(table, outcome)):
        for name in others:
            if speaks_of_follow_up(name) and pd.api.types.is_numeric_dtype(table[name].dtype):
                values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
                if _is_duration(table, name, values[~np.isnan(values)]):
                    status = pd.Series(trial.y)
                    return None if _followed_to_the_end(values, status) else (name, outcome)
    return None


def _is_duration(table: pd.DataFrame, name: str, values: Any) -> bool:
    named = names_duration(name, variable_label(table, name))
    varied = len(np.unique(values)) >= _FEWEST_TIMES
    return named and varied and bool((values >= 0).mean() > 0.9)


def _is_status(table: pd.DataFrame, name: str) -> bool:
    text = _text(table, name)
    if not _STATUS.search(text) or _OTHER_STATUS.search(text):
        return False
    try:
        return table[name].nunique() in (1, 2, 3)
    except TypeError:
        return False


def _followed_to_the_end(time: FloatArray, status: pd.Series[Any]) -> bool:
    """Whether those without the event were followed at least as long as the last with it.

    So are they after one fixed time, which everyone reached whose outcome is known.
    """
    codes = pd.factorize(status)[0]
    for k in range(codes.max() + 1):
        without, others = time[codes == k], time[(codes >= 0) & (codes != k)]
        if len(without) and len(others) and np.nanmin(without) >= np.nanmax(others):
            return True
    return False


def _negative_durations(table: pd.DataFrame, trial: TrialTable) -> Iterator[Finding]:
    taken = {name for role, name in trial.roles.items() if role != "outcome"}
    for name in table.columns:
        named = speaks_of_follow_up(name) or name == trial.roles["outcome"]
        if name in taken or not named or not pd.api.types.is_numeric_dtype(table[name].dtype):
            continue
        values = table[name].dropna().to_numpy(dtype=np.float64)
        count = int((values < 0).sum())
        if count and count < len(values) / 2 and _is_duration(table, name, np.abs(values)):
            told = count_text(count)
            yield Finding(
                "times before randomization",
                f"{name} ({told})",
                "warning",
                f"{name!r} is negative for {told} of {len(values)} persons: a time before "
                "randomization, or a code for a missing value. Put it right.",
                "time-before-randomization",
            )


def _early_dates(table: pd.DataFrame) -> Iterator[Finding]:
    """Dates of follow-up before the date of randomization."""
    start = next((n for n in table.columns if _named_date(table, n, _RANDOMIZED)), None)
    if start is None:
        return
    names = [n for n in table.columns if n != start and _named_date(table, n, _LATER_DATE)]
    if names and _may_be_read_in_two_ways(table, start):
        yield _two_ways_finding(start)
    randomized = _days(table, start)
    if randomized is None:
        return
    for name in names:
        if _may_be_read_in_two_ways(table, name):
            yield _two_ways_finding(name)
            continue
        later = _days(table, name)
        # Days that are counted from somewhere are compared with such days.
        if later is None or later.dtype != randomized.dtype:
            continue
        count = int((later < randomized).sum())
        if count:
            told = count_text(count)
            yield Finding(
                "times before randomization",
                f"{name} before {start} ({told})",
                "warning",
                f"{name!r} lies before {start!r} for {told} of {int(later.notna().sum())} persons: "
                "put the dates right, or leave out what was not measured after randomization.",
                "time-before-randomization",
            )


def _two_ways_finding(name: str) -> Finding:
    return Finding(
        "dates that may be read in two ways",
        name,
        "warning",
        f"In {name!r} nothing tells whether the day comes first or the month (03/04/2020), or some "
        "dates have it so and some so: they were not compared with other dates. Write them as "
        "2020-04-03.",
        "ambiguous-dates",
    )


def _may_be_read_in_two_ways(table: pd.DataFrame, name: str) -> bool:
    texts = _date_texts(table[name])
    return texts is not None and _day_first(texts) is None


def _date_texts(column: pd.Series[Any]) -> pd.Series[Any] | None:
    """The texts of a column of dates that stand there as text; None for others."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype) or pd.api.types.is_numeric_dtype(
        column.dtype
    ):
        return None
    present = column[~missing_values(column)].astype(str)
    if not len(present) or kind_of_time(present.head(_SAMPLE)) != "dates":
        return None
    return present


def _named_date(table: pd.DataFrame, name: str, words: re.Pattern[str]) -> bool:
    text = _text(table, name)
    return words.search(text) is not None and _BIRTH.search(text) is None


def _days(table: pd.DataFrame, name: str) -> pd.Series[Any] | None:
    """Days of a column of dates, of any type, or None where they are none or may be read in two.

    Days that a program counts from its own beginning are numbers.
    """
    column = table[name]
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        naive = column.dt.tz_convert(None) if column.dt.tz is not None else column
        days: pd.Series[Any] = naive.dt.floor("D").astype("datetime64[us]")
        return days
    if pd.api.types.is_numeric_dtype(column.dtype):
        if pd.api.types.is_bool_dtype(column.dtype):
            return None
        numbers = pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan), table.index)
        present = numbers.dropna()
        if are_days(present):
            read = pd.to_datetime(
                numbers.astype("Int64").astype("string"), format="%Y%m%d", errors="coerce"
            )
            return read.astype("datetime64[us]")
        serial = len(present) > 0 and bool(present.between(*_SERIAL).all())
        return numbers if serial and _ANY_DATE.search(_text(table, name)) else None
    texts = _date_texts(column)
    if texts is None:
        return None
    first = _day_first(texts)
    if first is None:
        return None
    read = pd.to_datetime(texts, errors="coerce", format="mixed", dayfirst=first, utc=True)
    return read.dt.tz_convert(None).dt.floor("D").reindex(column.index).astype("datetime64[us]")


def _day_first(texts: pd.Series[Any]) -> bool | None:
    """Whether the day comes before the month in dates of numbers; None if nothing tells."""
    parts = texts.str.extract(r"^\s*(\d{1,2})([-/.]) ?(\d{1,2})[-/.] ?\d{2,4}\b").dropna()
    if parts.empty:
        return False
    first, second = (parts[k].astype(int).max() > _MONTHS for k in (0, 2))
    if not first and not second:
        return True if bool((parts[1] == ".").all()) else None
    return bool(first) if first != second else None
