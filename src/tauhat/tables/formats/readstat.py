"""What the readers by pyreadstat share: SPSS, SAS and the words of Stata files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.tables.account import Account
from tauhat.tables.formats import Request
from tauhat.tables.labels import label_text
from tauhat.tables.table_limits import check_column_names, refuse_size

# Who saves without saying the encoding mostly saved so.
_OTHER_ENCODING = "WINDOWS-1252"


def read_plain(
    reader: Callable[..., Any], content: bytes, request: Request, **options: Any
) -> tuple[pd.DataFrame, Any, str | None]:
    """Read with pyreadstat: numbers and text without labels and dates.

    Returns
    -------
    DataFrame
    metadata
    str or None
        Encoding that was taken since the one that the file names does not fit.
    """
    from pyreadstat import ReadstatError

    def read(**more: Any) -> Any:
        _, head = reader(io.BytesIO(content), metadataonly=True, **options, **more)
        refuse_size(request.path, head.number_columns, 0, request.max_bytes)
        return reader(io.BytesIO(content), **options, **more)

    taken = None
    try:
        table, metadata = read()
    except (ReadstatError, UnicodeDecodeError) as error:
        if not isinstance(error, UnicodeDecodeError) and "convert" not in str(error).lower():
            raise
        taken = _OTHER_ENCODING
        table, metadata = read(encoding=taken)
    check_column_names(metadata.column_names)
    return table, metadata, taken


def words_of(
    metadata: Any, account: Account, names: list[str], encoding: str | None = None
) -> None:
    """Put the title, labels, formats and labels of values into an account.

    ``encoding`` is the one that text was read in where the file names one that it cannot be.
    """
    if encoding:
        account.notes.append(f"Text was read as {encoding}: as the file names it, it cannot be.")
    account.title = metadata.file_label or None
    for name, label in zip(names, metadata.column_labels, strict=True):
        if label and label.strip():
            account.labels[name] = label.strip()
    for name, form in zip(names, metadata.original_variable_types.values(), strict=True):
        if form and form != "NULL":
            account.formats[name] = form
    for name, labels in metadata.variable_value_labels.items():
        if name in names and labels:
            account.value_labels[name] = code_order(labels)


def code_order(labels: Mapping[Any, str]) -> list[list[Any]]:
    """Codes and labels in the order of the codes, whole numbers as such."""
    pairs = [[_plain_code(code), label] for code, label in labels.items()]
    numbers = all(isinstance(code, (int, float)) for code, _ in pairs)
    return sorted(pairs, key=lambda pair: pair[0] if numbers else str(pair[0]))


def _plain_code(code: Any) -> Any:
    return int(code) if isinstance(code, float) and code.is_integer() else code


def missing_rule(low: Any, high: Any, labels: Mapping[Any, str]) -> str:
    """A rule by which the file has values missing, in words.

    Examples
    --------
    >>> missing_rule(9.0, 9.0, {9.0: "refused"}), missing_rule(97.0, 99.0, {})
    ("9 'refused', missing by the file", '97 to 99, missing by the file')
    """
    said = f" {labels[low]!r}" if low == high and low in labels else ""
    where = label_text(low) if low == high else f"{label_text(low)} to {label_text(high)}"
    return f"{where}{said}, missing by the file"


def whole_numbers(values: FloatArray) -> FloatArray | IntArray:
    """Numbers that are all whole and exact as integers; others as they are.

    Examples
    --------
    >>> whole_numbers(np.array([1.0, 2.0])).tolist(), whole_numbers(np.array([0.5])).tolist()
    ([1, 2], [0.5])
    """
    exact = np.isfinite(values).all() and np.abs(values).max(initial=0) < 2**53
    return values.astype(np.int64) if exact and (values == np.floor(values)).all() else values


def plain_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Columns as numbers or text: whole numbers without a decimal point, "" as missing text."""
    made: dict[str, Any] = {}
    for name in table.columns:
        column = table[name]
        if column.dtype == np.float64:
            values = column.to_numpy()
            plain = whole_numbers(values)
            if plain is not values:
                made[name] = plain
        elif column.dtype == object:
            kinds = {type(value) for value in column}
            if kinds <= {float, int, type(None)}:
                made[name] = pd.to_numeric(column)
    return table.assign(**made) if made else table


def as_times(
    values: pd.Series[Any], kind: str, epoch: str, per_unit: float
) -> pd.Series[Any] | None:
    """Numbers since an epoch as times, or numbers of seconds as durations.

    Parameters
    ----------
    values
        The numbers.
    kind
        "date", "datetime" or "duration".
    epoch
        Day from which they are counted.
    per_unit
        Seconds in a unit.

    Returns
    -------
    Series or None
        None if a number is too large for a date of four digits of the year.

    Examples
    --------
    >>> as_times(pd.Series([21974.0]), "date", "1960-01-01", 86400)[0]
    Timestamp('2020-02-29 00:00:00')
    """
    seconds: FloatArray = values.to_numpy(dtype=np.float64, na_value=np.nan) * per_unit
    there: BoolArray = np.isfinite(seconds)
    start = np.datetime64(epoch, "s").astype(np.int64)
    if kind != "duration":
        seconds = seconds + start
        low, high = (
            np.datetime64(day, "s").astype(np.int64) for day in ("1000-01-01", "9999-12-31")
        )
        if ((seconds[there] < low) | (seconds[there] > high)).any():
            return None
    elif (np.abs(seconds[there]) > 1e12).any():
        return None
    micro = np.full(len(seconds), np.iinfo(np.int64).min, dtype=np.int64)
    micro[there] = np.rint(seconds[there] * 1e6).astype(np.int64)
    unit = "timedelta64[us]" if kind == "duration" else "datetime64[us]"
    return pd.Series(micro.view(unit), index=values.index, name=values.name)


#: Times of a column with a format; why there are none; or None for formats of other things.
TimesOf = Callable[["pd.Series[Any]", str], "pd.Series[Any] | str | None"]


def times_by_kind(
    kind_of: Callable[[str], str | None], epoch: str, seconds: Mapping[str, float]
) -> TimesOf:
    """Times by the kind that a format's name says, given the epoch and the seconds in a unit."""

    def times_of(column: pd.Series[Any], form: str) -> pd.Series[Any] | str | None:
        kind = kind_of(form)
        if kind is None:
            return None
        times = as_times(column, kind, epoch, seconds[kind])
        return too_large(form) if times is None else times

    return times_of


def too_large(form: str) -> str:
    """Why numbers with a format of times stay numbers."""
    return f"numbers too large for the format {form}"


def with_times(table: pd.DataFrame, account: Account, times_of: TimesOf) -> pd.DataFrame:
    """Columns whose format is one of times, as times; those that cannot be are noted."""
    made: dict[str, Any] = {}
    for name, form in account.formats.items():
        if not pd.api.types.is_numeric_dtype(table[name].dtype):
            continue
        times = times_of(table[name], form)
        if isinstance(times, str):
            account.left_as_numbers[name] = times
        elif times is not None:
            made[name] = times
            account.value_labels.pop(name, None)
    return table.assign(**made) if made else table


def base_of(form: str) -> str:
    """Name of a format without its width and decimals.

    Examples
    --------
    >>> base_of("DATE9."), base_of("E8601DA10."), base_of("F8.2"), base_of("DATETIME20")
    ('DATE', 'E8601DA', 'F', 'DATETIME')
    """
    return re.sub(r"\d*\.?\d*$", "", form.strip().upper())
