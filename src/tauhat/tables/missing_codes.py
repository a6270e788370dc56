"""Codes that stand for a missing value: ".", -9, 999, for all columns or single ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray
from tauhat.errors import TrialError
from tauhat.tables.account import Account, distinct_labels
from tauhat.tables.labels import label_text, plain_text
from tauhat.tables.table_limits import close_names
from tauhat.tables.written_numbers import column_as_written

# Codes of all columns, or of each by name.
MissingCodes = Sequence[Any] | Mapping[str, Sequence[Any]]


def without_codes(
    table: pd.DataFrame, codes: MissingCodes, labels: Collection[str], account: Account
) -> pd.DataFrame:
    """Make values missing that are codes for that, and count them.

    Parameters
    ----------
    table
        The table, values that have labels still as codes.
    codes
        Codes for all columns but those of labels, or for single columns by name. Text and
        numbers alike: "-9" is -9 and -9.0.
    labels
        Columns of labels; their codes must be given by name.
    account
        Where the counts go.

    Raises
    ------
    TrialError
        For a column that is not there, or no code at all.

    Examples
    --------
    >>> account = Account("CSV")
    >>> table = pd.DataFrame({"age": [61, 999], "pain": ["2", "."]})
    >>> without_codes(table, [".", 999], [], account).to_dict("list")
    {'age': [61.0, nan], 'pain': [2.0, nan]}
    >>> account.missing
    {'age': {"'999' as a missing code": 1}, 'pain': {"'.' as a missing code": 1}}
    """
    if isinstance(codes, Mapping):
        absent = [name for name in codes if name not in table.columns]
        if absent:
            raise TrialError(
                f"missing codes are given for {absent[0]!r}, which is no column"
                f"{close_names(absent[0], table.columns)}"
            )
        chosen = {name: [label_text(code) for code in given] for name, given in codes.items()}
    else:
        texts = [label_text(code) for code in codes]
        chosen = {name: texts for name in table.columns if name not in labels}
    made = {}
    for name, texts in chosen.items():
        column = table[name]
        labelled = distinct_labels(account.value_labels.get(name, []))
        gone = np.zeros(len(column), dtype=bool)
        for text in texts:
            here = _is_code(column, text, labelled) & ~gone
            account.count_missing(name, f"{text!r} as a missing code", int(here.sum()))
            gone |= here
        if gone.any():
            made[name] = _as_numbers(column.mask(gone), column)
    return table.assign(**made) if made else table


def _is_code(column: pd.Series[Any], text: str, labelled: Mapping[Any, str]) -> BoolArray:
    found: BoolArray = np.zeros(len(column), dtype=bool)
    wanted = {code for code, label in labelled.items() if label == text}
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(
        column.dtype
    ):
        return found
    if pd.api.types.is_numeric_dtype(column.dtype):
        wanted |= {number}
        found = column.isin([code for code in wanted if code == code]).to_numpy(dtype=bool)
        return found
    levels, texts = pd.factorize(column.astype(object), use_na_sentinel=True)
    hit = [
        level in wanted
        or (isinstance(level, str) and _same(level, text, number))
        or (isinstance(level, (int, float)) and not isinstance(level, bool) and level == number)
        for level in texts
    ]
    found = np.array([*hit, False], dtype=bool)[levels]
    return found


def _same(cell: str, text: str, number: float) -> bool:
    plain = plain_text(cell)
    if plain == text:
        return True
    try:
        return float(plain) == number
    except ValueError:
        return False


def _as_numbers(column: pd.Series[Any], before: pd.Series[Any]) -> Any:
    """Text as numbers if that is what is left without the codes."""
    if pd.api.types.is_string_dtype(before.dtype) or before.dtype == object:
        present = column.dropna()
        if len(present) and all(isinstance(value, str) for value in pd.unique(present)):
            numbers = pd.to_numeric(column, errors="coerce")
            if bool(numbers.notna().sum() == len(present)):
                return numbers
            read = column_as_written(column)
            if read is not None:
                return read[0]
    return column
