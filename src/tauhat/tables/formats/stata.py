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
from tauhat.tables.formats.readstat import as_times, plain_columns, words_of
from tauhat.tables.table_limits import check_column_names, refuse_size

_ROWS_AT_ONCE = 20_000
_PERIODS = {"w": ("weeks", 52), "m": ("months", 12), "q": ("quarters", 4), "h": ("half-years", 2)}


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
    for name, pairs in list(account.value_labels.items()):
        # A label of .a is no category.
        kept = [pair for pair in pairs if not isinstance(pair[0], str)]
        account.value_labels[name] = kept
    account.value_labels = {name: pairs for name, pairs in account.value_labels.items() if pairs}
    return _with_times(plain_columns(table), account), account


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


def _with_times(table: pd.DataFrame, account: Account) -> pd.DataFrame:
    """Dates and times as such; what cannot be is left as numbers and noted."""
    made: dict[str, Any] = {}
    for name, form in account.formats.items():
        kind = form.lstrip("%-").removeprefix("t")
        column = table[name]
        if not form.startswith(("%t", "%-t", "%d", "%-d")) or not kind:
            continue
        if not pd.api.types.is_numeric_dtype(column.dtype):
            continue
        letter = "d" if form.lstrip("%-").startswith("d") else kind[0]
        if letter == "d":
            times = as_times(column, "date", "1960-01-01", 86400)
        elif letter == "c":
            times = as_times(column, "datetime", "1960-01-01", 0.001)
        elif letter == "C":
            account.left_as_numbers[name] = f"the format {form} counts leap seconds"
            continue
        elif letter in _PERIODS:
            times = _starts(column, letter)
        else:
            continue
        if times is None:
            account.left_as_numbers[name] = f"numbers too large for the format {form}"
            continue
        made[name] = times
        account.value_labels.pop(name, None)
    return table.assign(**made) if made else table


def _starts(column: pd.Series[Any], letter: str) -> pd.Series[Any] | None:
    """First day of weeks, months, quarters or half-years counted from 1960."""
    _, per_year = _PERIODS[letter]
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
