"""Tables from files and from other libraries, refused early when they are none."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.account import Account, account_of, label_values
from tauhat.tables.descriptions import Descriptions, read_descriptions
from tauhat.tables.formats import Request, format_of
from tauhat.tables.formats.apart import read_apart
from tauhat.tables.missing_codes import MissingCodes, without_codes
from tauhat.tables.table_limits import MAX_BYTES, check_column_names, close_names, refuse_size
from tauhat.tables.where import rows_where


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
        raise TrialError(
            f"a table (DataFrame) is needed, got {type(table).__name__}; make one of it, such as "
            "with its .collect() or .df(), or with pandas.DataFrame(...)"
        )
    if isinstance(table.columns, pd.MultiIndex):
        raise TrialError("the column names have several levels; flatten them to one")
    names = [str(column) for column in table.columns]
    check_column_names(names)
    if len(table) == 0:
        raise TrialError("the table has no rows")
    return table.set_axis(names, axis=1)


def read_table(
    path: str | Path,
    *,
    labels: Collection[str] = (),
    max_bytes: int = MAX_BYTES,
    table: str | None = None,
    na: MissingCodes = (),
    where: str | None = None,
    descriptions: Descriptions | str | Path | None = None,
) -> pd.DataFrame:
    """Read a trial's table from a file of text, Excel, SPSS, Stata, SAS, R, Parquet or Feather.

    The extension says the format. In ``.csv`` files the separator is a comma or,
    when the header has none, a semicolon (with decimal commas where the first
    rows have them) or a tab. Text must be UTF-8. A first column without a name,
    as R writes for row names, is left out.

    Columns in which every value has a label become categories in the order of the
    codes; dates become dates; values that the file says are missing are missing.
    What was found and done is told by the check of a trial, its report and ``run.json``.

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
    table
        Which sheet of a workbook, or data frame of an .RData file, if there are several.
    na
        Codes of missing values, such as ``[".", -9]``: for all columns but ``labels``, or
        ``{"age": [999]}`` for single ones.
    where
        Condition that rows must fulfil, such as ``'PARAMCD == "SBP" and AVISITN == 12'``
        (`tauhat.tables.where.rows_where`).
    descriptions
        TOML file with labels and units of columns and labels of values
        (`tauhat.tables.descriptions.read_descriptions`).

    Returns
    -------
    DataFrame
        ``attrs["file"]`` says what was found in the file. Of text columns,
        ``attrs["words read as missing"]`` counts words such as "NA" and "None" that
        became missing values.

    Raises
    ------
    TrialError
        Before anything is read in: a missing or empty file, an unknown
        extension, repeated or empty column names, more than 20,000 columns, too
        many bytes. While reading: contents that are no table. After it: ``labels`` that
        are no columns, a condition that no row fulfils.

    Examples
    --------
    >>> read_table("nowhere.csv")
    Traceback (most recent call last):
    tauhat.errors.TrialError: there is no file nowhere.csv
    """
    read, _ = read_hashed(
        path,
        labels=labels,
        max_bytes=max_bytes,
        table=table,
        na=na,
        where=where,
        descriptions=descriptions,
    )
    for name in labels:
        if name not in read.columns:
            raise TrialError(
                f"{path} has no column {str(name)!r}, which labels= names"
                f"{close_names(name, read.columns)}"
            )
    return read


def read_hashed(
    path: str | Path,
    *,
    labels: Collection[str] = (),
    max_bytes: int = MAX_BYTES,
    table: str | None = None,
    na: MissingCodes = (),
    where: str | None = None,
    descriptions: Descriptions | str | Path | None = None,
) -> tuple[pd.DataFrame, str]:
    """Read a trial's table as `read_table` does, and the SHA-256 of the very bytes it came from.

    The file is read once: whatever happens to it meanwhile, table and hash agree.

    Parameters
    ----------
    path, labels, max_bytes, table, na, where, descriptions
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
    suffix = path.suffix.lower()
    found = format_of(str(path), suffix)
    request = Request(str(path), suffix, frozenset(labels), table, max_bytes)
    try:
        if path.stat().st_size == 0:
            raise TrialError(f"{path} is empty")
        content = _content(path, max_bytes)
        read, account = (read_apart if found.apart else found.read)(content, request)
    except OSError as error:
        raise TrialError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(read) == 0:
        raise TrialError(f"{path} has column names but no rows")
    if descriptions is not None:
        if not isinstance(descriptions, Descriptions):
            descriptions = read_descriptions(descriptions)
        descriptions.add_to(account, read.columns)
    if na:
        read = without_codes(read, na, labels, account)
    read = label_values(read, account)
    account.attach(read)
    if where is not None:
        read = keep_where(read, where, str(path))
    return read, hashlib.sha256(content).hexdigest()


def keep_where(table: pd.DataFrame, condition: str, what: str = "the table") -> pd.DataFrame:
    """Rows of a table that fulfil a condition; those dropped are counted in its account.

    Parameters
    ----------
    table
        The table, shape (n, p).
    condition
        As in `tauhat.tables.where.rows_where`.
    what
        What to call the table in an error.

    Returns
    -------
    DataFrame
        With the index of the rows kept.

    Raises
    ------
    TrialError
        If no row fulfils the condition.

    Examples
    --------
    >>> kept = keep_where(pd.DataFrame({"age": [12, 40, None]}), "age >= 18")
    >>> kept["age"].tolist(), kept.attrs["file"]["n_dropped"], kept.attrs["file"]["n_unknown"]
    ([40.0], 2, 1)
    """
    rows = rows_where(table, condition, account_of(table))
    if not rows.true.any():
        raise TrialError(f"no row of {what} fulfils the condition {condition!r}")
    account = Account.of(table)
    both = condition if account.where is None else f"({account.where}) and ({condition})"
    account.where = both
    account.n_dropped += int((~rows.true).sum())
    account.n_unknown += int((~rows.known).sum())
    kept = table.iloc[np.flatnonzero(rows.true)]
    account.attach(kept)
    return kept


def _content(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file, read once and not beyond the limit."""
    with path.open("rb") as file:
        refuse_size(str(path), 0, os.fstat(file.fileno()).st_size, max_bytes)
        content = file.read(max_bytes + 1)
    refuse_size(str(path), 0, len(content), max_bytes)
    return content
