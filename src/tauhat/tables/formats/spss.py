"""SPSS: .sav, .zsav and .por, by pyreadstat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray
from tauhat.tables.account import Account
from tauhat.tables.formats import Request
from tauhat.tables.formats.readstat import (
    base_of,
    missing_rule,
    plain_columns,
    read_plain,
    times_by_kind,
    with_times,
    words_of,
)

_EPOCH = "1582-10-14"
_KINDS = {
    **dict.fromkeys(("DATE", "ADATE", "EDATE", "JDATE", "SDATE", "QYR", "MOYR", "WKYR"), "date"),
    **dict.fromkeys(("DATETIME", "YMDHMS"), "datetime"),
    **dict.fromkeys(("TIME", "DTIME", "MTIME"), "duration"),
}
_SECONDS = {"date": 1.0, "datetime": 1.0, "duration": 1.0}


def read(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Read the bytes of a file; values missing by the user's rules are made missing and counted."""
    import pyreadstat

    portable = request.suffix == ".por"
    options: dict[str, Any] = {"disable_datetime_conversion": True}
    # Only then does pyreadstat tell the rules; then it leaves the values in, too.
    options |= {} if portable else {"user_missing": True}
    reader = pyreadstat.read_por if portable else pyreadstat.read_sav
    table, metadata, encoding = read_plain(reader, content, request, **options)
    account = Account("SPSS portable" if portable else "SPSS")
    names = [str(name) for name in table.columns]
    words_of(metadata, account, names, encoding)
    made: dict[str, Any] = {}
    for name, ranges in metadata.missing_ranges.items():
        labels = dict(metadata.variable_value_labels.get(name, {}))
        gone = np.zeros(len(table), dtype=bool)
        for one in ranges:
            gone |= _count_range(table[name], one, labels, account)
        if gone.any():
            made[name] = table[name].mask(gone)
        left = [
            [code, label]
            for code, label in account.value_labels.get(name, [])
            if not any(_within(code, one) for one in ranges)
        ]
        if name in account.value_labels:
            account.value_labels[name] = left
    for name in table.columns:
        if pd.api.types.is_numeric_dtype(table[name].dtype):
            account.count_missing(str(name), "system-missing", int(table[name].isna().sum()))
    table = plain_columns(table.assign(**made) if made else table)
    account.value_labels = {name: pairs for name, pairs in account.value_labels.items() if pairs}
    times_of = times_by_kind(lambda form: _KINDS.get(base_of(form)), _EPOCH, _SECONDS)
    return with_times(table, account, times_of), account


def _within(value: Any, one: dict[str, Any]) -> bool:
    if isinstance(one["lo"], str) or isinstance(value, str):
        return str(value).rstrip() == str(one["lo"]).rstrip()
    return bool(one["lo"] <= value <= one["hi"])


def _count_range(
    column: pd.Series[Any], one: dict[str, Any], labels: dict[Any, str], account: Account
) -> BoolArray:
    """Which values a rule makes missing; they are counted by it."""
    low, high = one["lo"], one["hi"]
    if isinstance(low, str):
        gone = (column.astype(object).map(str).str.rstrip() == low.rstrip()).to_numpy(dtype=bool)
    else:
        gone = ((column >= low) & (column <= high)).to_numpy(dtype=bool, na_value=False)
    account.count_missing(str(column.name), missing_rule(low, high, labels), int(gone.sum()))
    found: BoolArray = gone
    return found
