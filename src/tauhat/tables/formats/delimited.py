"""Text with separators: CSV, TSV and their kin, by pandas."""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray
from tauhat.errors import TrialError
from tauhat.tables.account import WORDS, Account
from tauhat.tables.formats import Request
from tauhat.tables.labels import MISSING_WORDS, is_blank
from tauhat.tables.table_limits import check_column_names, refuse_size
from tauhat.tables.written_numbers import column_as_written
from tauhat.wording import counted

# A header line longer than this is no header of a trial's table.
_MAX_HEADER_BYTES = 4 * 1024**2
_NAMES = {",": "CSV", ";": "CSV with semicolons", "\t": "TSV"}
_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


def read(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Read the bytes of a file; the separator and the decimal sign are told by its first lines."""
    path, labels = request.path, request.labels
    start, separator, decimal = _format_of(request, content)
    form: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig", "index_col": False}
    names = _names_of(path, start, form)
    refuse_size(path, len(names), 0, request.max_bytes)
    row_names = len(names) > 1 and is_blank(names[0])
    try:
        check_column_names(names[1:] if row_names else names)
    except TrialError as error:
        raise TrialError(f"{path}: {error}") from error
    with warnings.catch_warnings():
        # pandas only warns when rows are longer than the header, and drops what is too much.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table: pd.DataFrame = pd.read_csv(
                io.BytesIO(content),
                decimal=decimal,
                low_memory=False,
                **form,
                **_as_text(names, labels),
            )
        except UnicodeDecodeError as error:
            raise TrialError(
                f"{path} is not a table of UTF-8 text: {_odd_byte(content)}"
            ) from error
        except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
            fault = _odd_line(content, separator, len(names))
            raise TrialError(f"{path} is not a table: {fault}") from error
    account = Account(_NAMES[separator])
    if _is_empty(table.iloc[:, -1]).any():
        account.n_short, account.first_short = _short_rows(content, separator, len(names))
    table = table.iloc[:, 1:] if row_names else table
    words = _missing_words(content, table, form, labels)
    table = _without_empty_rows(table, content, form, account)
    if decimal == ",":
        account.notes.append("Numbers were read with decimal commas.")
    table = _with_numbers(table, labels, account)
    if words:
        table.attrs[WORDS] = words
    return table, account


def _is_empty(column: pd.Series[Any]) -> BoolArray:
    """Which cells of a column hold nothing."""
    empty: BoolArray = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_string_dtype(column.dtype):
        empty = empty | (column.astype(object) == "").to_numpy(dtype=bool)
    return empty


def _short_rows(content: bytes, separator: str, n_names: int) -> tuple[int, int]:
    """How many rows have fewer cells than the header has names, and the line of the first."""
    count = first = 0
    lines = io.TextIOWrapper(
        io.BytesIO(content), encoding="utf-8-sig", errors="replace", newline=""
    )
    reader = csv.reader(lines, delimiter=separator)
    start = 1
    try:
        for cells in reader:
            # Lines without anything are no rows.
            if len(cells) < n_names and any(map(str.strip, cells)):
                count, first = count + 1, first or start
            start = reader.line_num + 1
    except csv.Error:
        # A cell that is too long for this reader and was read by the other one.
        pass
    return count, first


def _without_empty_rows(
    table: pd.DataFrame, content: bytes, form: dict[str, Any], account: Account
) -> pd.DataFrame:
    """Rows that hold anything, as spreadsheets save others after the last of them."""
    rows = np.flatnonzero(_is_empty(table.iloc[:, 0]))
    for name in table.columns[1:]:
        rows = rows[_is_empty(table[name].iloc[rows])]
        if not len(rows):
            return table
    # A row of words such as NA is somebody of whom nothing is known.
    cells = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, **form)
    rows = rows[(cells.iloc[rows].fillna("") == "").all(axis=1).to_numpy()]
    if not len(rows):
        return table
    account.notes.append(f"{counted(len(rows), 'empty row')} left out.")
    kept: pd.DataFrame = table.drop(index=table.index[rows]).reset_index(drop=True)
    return kept


def _with_numbers(table: pd.DataFrame, labels: frozenset[str], account: Account) -> pd.DataFrame:
    """Columns of numbers with thousands separators or other decimal signs, as numbers."""
    made = {}
    for name in table.columns:
        column = table[name]
        if name in labels or not pd.api.types.is_string_dtype(column.dtype):
            continue
        read = column_as_written(column)
        if read is not None:
            made[name], how = read
            account.notes.append(f"In {name!r} numbers {how} were read as numbers.")
    return table.assign(**made) if made else table


def _odd_byte(content: bytes) -> str:
    """The first line that is no UTF-8 text, in words."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return (
            f"line {line} holds the byte 0x{content[error.start]:02x}, which is none; save the "
            "file as UTF-8 (it may be in Windows-1252 or Latin-1)"
        )
    return "it cannot be decoded"


def _odd_line(content: bytes, separator: str, n_names: int) -> str:
    """The first line of a text that breaks its table, in words."""
    lines = io.StringIO(content.decode("utf-8-sig", errors="replace"), newline="")
    reader = csv.reader(lines, delimiter=separator)
    start = 1
    try:
        for cells in reader:
            if len(cells) > n_names:
                return (
                    f"line {start} has {counted(len(cells), 'cell')}, and the first line "
                    f"{counted(n_names, 'name')}; is a name missing, or a cell with a separator in "
                    "it not in quotation marks?"
                )
            last, start = start, reader.line_num + 1
    except csv.Error:
        last = start
    return f"a quotation mark that opens in line {last} does not close"


def _missing_words(
    content: bytes, table: pd.DataFrame, form: dict[str, Any], labels: frozenset[str]
) -> dict[str, dict[str, int]]:
    """Words of text columns that were read as missing, counted by column."""
    gaps = table.isna().any()
    text = [n for n in table.columns if gaps[n] and pd.api.types.is_string_dtype(table[n].dtype)]
    text = [name for name in text if name not in labels]
    if not text:
        return {}
    cells = pd.read_csv(io.BytesIO(content), usecols=text, dtype=str, keep_default_na=False, **form)
    counted = {}
    for name in text:
        words = cells.loc[table[name].isna().to_numpy(), name].value_counts()
        words = words[words.index != ""].sort_index()
        if len(words):
            counted[name] = {str(word): int(n) for word, n in words.items()}
    return counted


def _as_text(names: Iterable[str], labels: frozenset[str]) -> dict[str, Any]:
    """What makes pandas leave the cells of labels as they are, and no others."""
    chosen = labels.intersection(names)
    if not chosen:
        return {}
    words = [*MISSING_WORDS, ""]
    return {
        "dtype": dict.fromkeys(chosen, str),
        "keep_default_na": False,
        "na_values": {name: words for name in names if name not in chosen},
    }


def _names_of(path: str, start: bytes, form: dict[str, Any]) -> list[str]:
    """Names of the columns, by the parser that reads the rows."""
    try:
        header = pd.read_csv(
            io.BytesIO(start),
            header=None,
            nrows=1,
            dtype=str,
            keep_default_na=False,
            encoding_errors="replace",
            **form,
        )
    except pd.errors.ParserError as error:
        raise TrialError(
            f"{path} is not a table: its first line does not end; is a quotation mark missing?"
        ) from error
    return [str(name) for name in header.iloc[0]]


def _format_of(request: Request, content: bytes) -> tuple[bytes, str, str]:
    """First bytes of a text file, its separator and its decimal sign."""
    path = request.path
    start = content[:_MAX_HEADER_BYTES]
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TrialError(
            f'{path} is text in UTF-16, as Excel\'s "Unicode text" is; save it as UTF-8 (in Excel '
            '"CSV UTF-8")'
        )
    if b"\0" in start:
        raise TrialError(f"{path} is not a table of UTF-8 text: it holds binary data")
    text = start.decode("utf-8-sig", errors="replace")
    lines = text.splitlines()
    if len(lines) < 2 and len(start) == _MAX_HEADER_BYTES:
        raise TrialError(
            f"the first line of {path} is longer than {_MAX_HEADER_BYTES / 1024**2:.0f} MiB: "
            "this is no header of a table, or it has far too many columns"
        )
    if not text.strip():
        raise TrialError(f"{path} is empty")
    # A separator within quotation marks separates nothing.
    header = re.sub(r'"[^"]*"', "", next(line for line in lines if line.strip()))
    separator = _SEPARATORS[request.suffix]
    if separator not in header:
        separator = next((s for s in (";", "\t", ",") if s in header), separator)
    sample = "\n".join(lines[:50])
    decimal = "," if separator == ";" and re.search(r"\d,\d", sample) else "."
    return start, separator, decimal
