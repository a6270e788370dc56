"""Stata: .dta, values by pandas, words by pyreadstat."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.stata import (  # type: ignore[attr-defined]
    StataMissingValue,
    StataReader,
)

from tauhat.errors import TrialError
from tauhat.tables.account import Account
from tauhat.tables.formats import Request
from tauhat.tables.formats.readstat import (
    as_times,
    plain_columns,
    too_large,
    with_times,
    words_of,
)
from tauhat.tables.table_limits import check_column_names, refuse_size

_ROWS_AT_ONCE = 20_000
# Weeks, months, quarters and half-years of a year, by the letter of their formats.
_PER_YEAR = {"w": 52, "m": 12, "q": 4, "h": 2}


def read(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Read the bytes of a file; missing values are counted by their kind, . and .a to .z."""
    import pyreadstat

    _, metadata = pyreadstat.read_dta(io.BytesIO(content), metadataonly=True)
    refuse_size(request.path, metadata.number_columns, 0, request.max_bytes)
    check_column_names(metadata.column_names)
    account = Account("Stata")
    with StataReader(
        io.BytesIO(content),
        convert_categoricals=False,
        convert_dates=False,
        convert_missing=True,
        chunksize=_ROWS_AT_ONCE,
    ) as reader:
        parts = [_counted(part, account) for part in reader]
    if not parts:
        raise TrialError(f"{request.path} has column names but no rows")
    table = pd.concat(parts, ignore_index=True)
    names = [str(name) for name in table.columns]
    if len(names) != metadata.number_columns:
        raise TrialError(f"{request.path} cannot be read: its header names other columns")
    words_of(metadata, account, names)
    # A label of .a is no category.
    account.value_labels = {
        name: kept
        for name, pairs in account.value_labels.items()
        if (kept := [pair for pair in pairs if not isinstance(pair[0], str)])
    }
    return with_times(plain_columns(table), account, _times_of), account


def _counted(part: pd.DataFrame, account: Account) -> pd.DataFrame:
    """Rows with missing values counted by kind and made plain numbers."""
    made: dict[str, Any] = {}
    for name in part.columns:
        column = part[name]
        if column.dtype != object:
            continue
        special = column.map(lambda value: isinstance(value, StataMissingValue))
        if special.any():
            kinds = column[special].map(str).value_counts()
            for kind, count in kinds.items():
                account.count_missing(str(name), f"Stata {kind}", int(count))
            made[name] = pd.to_numeric(column.mask(special))
    return part.assign(**made) if made else part


def _times_of(column: pd.Series[Any], form: str) -> pd.Series[Any] | str | None:
    """Dates, times and periods of a column with a display format."""
    kind = form.lstrip("%-").removeprefix("t")
    if not form.startswith(("%t", "%-t", "%d", "%-d")) or not kind:
        return None
    letter = kind[0]
    if letter == "C":
        return f"the format {form} counts leap seconds"
    if letter == "d":
        times = as_times(column, "date", "1960-01-01", 86400)
    elif letter == "c":
        times = as_times(column, "datetime", "1960-01-01", 0.001)
    elif letter in _PER_YEAR:
        times = _starts(column, letter)
    else:
        return None
    return too_large(form) if times is None else times


def _starts(column: pd.Series[Any], letter: str) -> pd.Series[Any] | None:
    """First day of weeks, months, quarters or half-years counted from 1960."""
    per_year = _PER_YEAR[letter]
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    there = np.isfinite(numbers)
    if (np.abs(numbers[there]) > 8000 * per_year).any():
        return None
    year, part = np.divmod(np.where(there, numbers, 0).astype(np.int64), per_year)
    if letter == "w":
        # Stata's weeks begin anew with each year.
        shift = np.datetime64("1960", "Y").astype(np.int64)
        start = (year + shift).astype("datetime64[Y]").astype("datetime64[D]") + 7 * part
    else:
        months = year * 12 + part * (12 // per_year)
        start = (months - 120).astype("datetime64[M]").astype("datetime64[D]")
    result = start.astype("datetime64[us]")
    result[~there] = np.datetime64("NaT")
    return pd.Series(result, index=column.index, name=column.name)
