"""Tables from files and from other libraries, refused early when they are none."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from tauhat.errors import TrialError

MAX_COLUMNS = 20_000
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
        If it is no table, has no rows, or has column names that are empty or repeated.

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
    """Raise a `TrialError` when a column name is empty or occurs twice.

    Examples
    --------
    >>> check_column_names(["age", "age"])
    Traceback (most recent call last):
    tauhat.errors.TrialError: column names must be unique; repeated: ['age']
    """
    counts = Counter(names)
    empty = sum(count for name, count in counts.items() if not name.strip())
    if empty:
        raise TrialError(f"{empty} column(s) have an empty name; name or remove them")
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise TrialError(f"column names must be unique; repeated: {repeated[:10]}")


def read_table(path: str | Path, *, max_bytes: int = MAX_BYTES) -> pd.DataFrame:
    """Read a trial's table from a CSV, TSV or Parquet file.

    The extension says the format. In ``.csv`` files the separator is a comma or,
    when the header has none, a semicolon (with decimal commas where the first
    rows have them) or a tab. Text must be UTF-8. A first column without a name,
    as R writes for row names, is left out.

    Parameters
    ----------
    path
        The file.
    max_bytes
        Refuse larger tables (bytes on disk, uncompressed bytes for Parquet).

    Returns
    -------
    DataFrame

    Raises
    ------
    TrialError
        Before anything is read in: a missing or empty file, an unknown
        extension, repeated or empty column names, more than 20,000 columns, too
        many bytes. While reading: contents that are no table.

    Examples
    --------
    >>> read_table("nowhere.csv")
    Traceback (most recent call last):
    tauhat.errors.TrialError: there is no file nowhere.csv
    """
    return read_hashed(path, max_bytes=max_bytes)[0]


def read_hashed(path: str | Path, *, max_bytes: int = MAX_BYTES) -> tuple[pd.DataFrame, str]:
    """Read a trial's table as `read_table` does, and the SHA-256 of the very bytes it came from.

    The file is read once: whatever happens to it meanwhile, table and hash agree.

    Parameters
    ----------
    path, max_bytes
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
        table = read(path, content, max_bytes)
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


def _read_parquet(path: Path, content: bytes, max_bytes: int) -> pd.DataFrame:
    from pyarrow import ArrowException, BufferReader, parquet

    try:
        with parquet.ParquetFile(BufferReader(content)) as file:
            metadata = file.metadata
            groups = (metadata.row_group(g) for g in range(metadata.num_row_groups))
            n_bytes = max(
                sum(group.total_byte_size for group in groups),
                8 * metadata.num_rows * metadata.num_columns,
            )
            _refuse_size(path, metadata.num_columns, n_bytes, max_bytes)
            check_column_names(file.schema_arrow.names)
            table: pd.DataFrame = file.read().to_pandas()
    except (TrialError, OSError):
        raise
    except Exception as error:
        # What a damaged file says of its types fails anywhere between Arrow and pandas.
        reason = str(error) if isinstance(error, ArrowException) else repr(error)
        raise TrialError(f"{path} is not a Parquet table: {reason}") from error
    return table.set_axis([str(column) for column in table.columns], axis=1)


def _read_text(path: Path, content: bytes, max_bytes: int) -> pd.DataFrame:
    sample, header = _sample(path, content)
    separator = _TEXT[path.suffix.lower()]
    if separator not in header:
        separator = next((s for s in (";", "\t", ",") if s in header), separator)
    names = next(csv.reader(io.StringIO(header), delimiter=separator), [])
    _refuse_size(path, len(names), 0, max_bytes)
    row_names = len(names) > 1 and not names[0].strip()
    try:
        check_column_names(names[1:] if row_names else names)
    except TrialError as error:
        raise TrialError(f"{path}: {error}") from error
    decimal = "," if separator == ";" and re.search(r"\d,\d", sample) else "."
    with warnings.catch_warnings():
        # pandas only warns when rows are longer than the header, and drops what is too much.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(
                io.BytesIO(content),
                sep=separator,
                decimal=decimal,
                encoding="utf-8-sig",
                index_col=False,
                low_memory=False,
            )
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            raise TrialError(f"{path} is not a table: {error}") from error
        except (UnicodeDecodeError, pd.errors.EmptyDataError) as error:
            raise TrialError(f"{path} is not a table of UTF-8 text: {error}") from error
    return table.iloc[:, 1:] if row_names else table


def _sample(path: Path, content: bytes) -> tuple[str, str]:
    """First lines of a text file, and its header line."""
    raw = content[:_MAX_HEADER_BYTES]
    if b"\0" in raw:
        raise TrialError(f"{path} is not a table of UTF-8 text: it holds binary data")
    text = raw.decode("utf-8-sig", errors="replace")
    lines = text.splitlines()
    if len(lines) < 2 and len(raw) == _MAX_HEADER_BYTES:
        raise TrialError(
            f"the first line of {path} is longer than {_MAX_HEADER_BYTES / 1024**2:.0f} MiB: "
            "this is no header of a table, or it has far too many columns"
        )
    if not text.strip():
        raise TrialError(f"{path} is empty")
    header = next(line for line in lines if line.strip())
    return "\n".join(lines[:50]), header
