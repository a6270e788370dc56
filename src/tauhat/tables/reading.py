"""Tables from files and from other libraries, refused early when they are none."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import os
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.labels import MISSING_WORDS, is_blank
from tauhat.tables.parquet_pages import page_bytes
from tauhat.tables.parquet_text import check_text, least_bytes
from tauhat.wording import counted

MAX_COLUMNS = 20_000
MAX_NAME = 10_000
# Where a table that was read says which words became missing values, and in how many cells.
WORDS = "words read as missing"
MAX_BYTES = 2 * 1024**3
# A header line longer than this is no header of a trial's table.
_MAX_HEADER_BYTES = 4 * 1024**2
_TEXT = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_PARQUET = {".parquet", ".pq"}


def as_pandas(table: Any) -> pd.DataFrame:
    """Return a pandas table from pandas, narwhals, polars, pyarrow or whatever has ``to_pandas``.

    Parameters
    ----------
    table
        The table. A path is not read: use `read_table`.

    Returns
    -------
    DataFrame
        With text column names.

    Raises
    ------
    TrialError
        If it is no table, has no rows, or has column names that are empty, repeated or
        thousands of characters long.

    Examples
    --------
    >>> as_pandas(pd.DataFrame({1: [0.5]})).columns.tolist()
    ['1']
    """
    if isinstance(table, (str, Path)):
        raise TrialError("a table (DataFrame) is needed, got a path; use tauhat.read_table(path)")
    if hasattr(table, "to_native") and not isinstance(table, pd.DataFrame):
        table = table.to_native()
    if not isinstance(table, pd.DataFrame) and hasattr(table, "to_pandas"):
        table = table.to_pandas()
    if not isinstance(table, pd.DataFrame):
        raise TrialError(f"a table (DataFrame) is needed, got {type(table).__name__}")
    if isinstance(table.columns, pd.MultiIndex):
        raise TrialError("the column names have several levels; flatten them to one")
    names = [str(column) for column in table.columns]
    check_column_names(names)
    if len(table) == 0:
        raise TrialError("the table has no rows")
    return table.set_axis(names, axis=1)


def check_column_names(names: Iterable[str]) -> None:
    """Raise a `TrialError` when a column name is empty, endless or occurs twice.

    Examples
    --------
    >>> check_column_names(["age", "age"])
    Traceback (most recent call last):
    tauhat.errors.TrialError: column names must be unique; repeated: ['age']
    """
    counts = Counter(names)
    endless = max((len(name) for name in counts), default=0)
    if endless > MAX_NAME:
        raise TrialError(
            f"a column name has {endless:,} characters, more than {MAX_NAME:,}: is a quotation "
            "mark missing in the first line?"
        )
    empty = sum(count for name, count in counts.items() if is_blank(name))
    if empty:
        raise TrialError(
            f"{counted(empty, 'column has', 'columns have')} an empty name; name or remove them"
        )
    repeated = [name[:80] for name, count in counts.items() if count > 1]
    if repeated:
        raise TrialError(f"column names must be unique; repeated: {repeated[:10]}")


def read_table(
    path: str | Path, *, labels: Collection[str] = (), max_bytes: int = MAX_BYTES
) -> pd.DataFrame:
    """Read a trial's table from a CSV, TSV or Parquet file.

    The extension says the format. In ``.csv`` files the separator is a comma or,
    when the header has none, a semicolon (with decimal commas where the first
    rows have them) or a tab. Text must be UTF-8. A first column without a name,
    as R writes for row names, is left out.

    Parameters
    ----------
    path
        The file.
    labels
        Columns of labels (arm, cluster, block, identifier). They are read as they
        stand in the file: as text from CSV, so that "007" and "7", "1.10" and
        "1.1" stay apart and "NA" is a word; from Parquet with every digit.
    max_bytes
        Refuse larger tables (bytes on disk; unpacked bytes for Parquet, of which no text
        column may have more than 256 MiB).

    Returns
    -------
    DataFrame
        Of text columns, ``attrs["words read as missing"]`` counts words such as "NA"
        and "None" that became missing values.

    Raises
    ------
    TrialError
        Before anything is read in: a missing or empty file, an unknown
        extension, repeated or empty column names, more than 20,000 columns, too
        many bytes. While reading: contents that are no table. After it: ``labels`` that
        are no columns.

    Examples
    --------
    >>> read_table("nowhere.csv")
    Traceback (most recent call last):
    tauhat.errors.TrialError: there is no file nowhere.csv
    """
    table = read_hashed(path, labels=labels, max_bytes=max_bytes)[0]
    for name in labels:
        if name not in table.columns:
            near = difflib.get_close_matches(str(name), table.columns, n=3, cutoff=0.6)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise TrialError(f"{path} has no column {str(name)!r}, which labels= names{hint}")
    return table


def read_hashed(
    path: str | Path, *, labels: Collection[str] = (), max_bytes: int = MAX_BYTES
) -> tuple[pd.DataFrame, str]:
    """Read a trial's table as `read_table` does, and the SHA-256 of the very bytes it came from.

    The file is read once: whatever happens to it meanwhile, table and hash agree.

    Parameters
    ----------
    path, labels, max_bytes
        As in `read_table`.

    Returns
    -------
    DataFrame
    str
        In hexadecimal.

    Raises
    ------
    TrialError
        As `read_table`.
    """
    path = Path(path)
    if path.is_dir():
        raise TrialError(f"{path} is a folder, not a file")
    if not path.exists():
        raise TrialError(f"there is no file {path}")
    extension = path.suffix.lower()
    if extension not in _TEXT and extension not in _PARQUET:
        known = ", ".join(sorted([*_TEXT, *_PARQUET]))
        raise TrialError(f"{path} has the unknown extension {extension!r}; known: {known}")
    try:
        if path.stat().st_size == 0:
            raise TrialError(f"{path} is empty")
        content = _content(path, max_bytes)
        read = _read_parquet if extension in _PARQUET else _read_text
        table = read(path, content, frozenset(labels), max_bytes)
    except OSError as error:
        raise TrialError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(table) == 0:
        raise TrialError(f"{path} has column names but no rows")
    return table, hashlib.sha256(content).hexdigest()


def _content(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file, read once and not beyond the limit."""
    with path.open("rb") as file:
        _refuse_size(path, 0, os.fstat(file.fileno()).st_size, max_bytes)
        content = file.read(max_bytes + 1)
    _refuse_size(path, 0, len(content), max_bytes)
    return content


def _refuse_size(path: Path, n_columns: int, n_bytes: int, max_bytes: int) -> None:
    if n_columns > MAX_COLUMNS:
        raise TrialError(
            f"{path} has {n_columns:,} columns, more than {MAX_COLUMNS:,}; "
            "keep the roles and the covariates you mean to use"
        )
    if n_bytes > max_bytes:
        raise TrialError(
            f"{path} holds {n_bytes / 1024**3:.2f} GiB, more than {max_bytes / 1024**3:.2f} GiB; "
            "keep the columns of the trial, or raise max_bytes"
        )


def _read_parquet(
    path: Path, content: bytes, labels: frozenset[str], max_bytes: int
) -> pd.DataFrame:
    from pyarrow import ArrowException, BufferReader, parquet

    try:
        with parquet.ParquetFile(BufferReader(content)) as file:
            metadata = file.metadata
            _refuse_size(path, metadata.num_columns, least_bytes(metadata), max_bytes)
            _refuse_size(path, 0, page_bytes(content, metadata), max_bytes)
            check_column_names(file.schema_arrow.names)
            check_text(path, content, max_bytes)
            read = file.read()
            table: pd.DataFrame = read.to_pandas()
            for name in labels.intersection(read.column_names):
                # With gaps, whole numbers would become doubles and lose their last digits.
                table[name] = read[name].to_pandas(integer_object_nulls=True).to_numpy()
    except (TrialError, OSError):
        raise
    except Exception as error:
        # What a damaged file says of its types fails anywhere between Arrow and pandas.
        reason = str(error) if isinstance(error, ArrowException) else repr(error)
        raise TrialError(f"{path} is not a Parquet table: {reason}") from error
    return table.set_axis([str(column) for column in table.columns], axis=1)


def _read_text(path: Path, content: bytes, labels: frozenset[str], max_bytes: int) -> pd.DataFrame:
    start, separator, decimal = _format_of(path, content)
    form: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig", "index_col": False}
    names = _names_of(path, start, form)
    _refuse_size(path, len(names), 0, max_bytes)
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
    table = table.iloc[:, 1:] if row_names else table
    counted = _missing_words(content, table, form, labels)
    if counted:
        table.attrs[WORDS] = counted
    return table


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


def _names_of(path: Path, start: bytes, form: dict[str, Any]) -> list[str]:
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


def _format_of(path: Path, content: bytes) -> tuple[bytes, str, str]:
    """First bytes of a text file, its separator and its decimal sign."""
    start = content[:_MAX_HEADER_BYTES]
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
    separator = _TEXT[path.suffix.lower()]
    if separator not in header:
        separator = next((s for s in (";", "\t", ",") if s in header), separator)
    sample = "\n".join(lines[:50])
    decimal = "," if separator == ";" and re.search(r"\d,\d", sample) else "."
    return start, separator, decimal
