"""Parquet, by pyarrow."""

from __future__ import annotations

import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.account import Account
from tauhat.tables.formats import Request
from tauhat.tables.parquet_pages import page_bytes
from tauhat.tables.parquet_text import check_text, least_bytes
from tauhat.tables.table_limits import check_column_names, refuse_size


def read(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Read the bytes of a file."""
    from pyarrow import ArrowException, BufferReader, parquet

    path, max_bytes = request.path, request.max_bytes
    try:
        with parquet.ParquetFile(BufferReader(content)) as file:
            metadata = file.metadata
            refuse_size(path, metadata.num_columns, least_bytes(metadata), max_bytes)
            refuse_size(path, 0, page_bytes(content, metadata), max_bytes)
            check_column_names(file.schema_arrow.names)
            check_text(path, content, max_bytes)
            read = file.read()
            # Text that is no UTF-8 would fail only where it is used.
            read.validate(full=True)
            table = in_pandas(read, request.labels)
    except (TrialError, OSError):
        raise
    except Exception as error:
        # What a damaged file says of its types fails anywhere between Arrow and pandas.
        reason = str(error) if isinstance(error, ArrowException) else repr(error)
        raise TrialError(f"{path} is not a Parquet table: {reason}") from error
    return table, Account("Parquet")


def in_pandas(read: object, labels: frozenset[str]) -> pd.DataFrame:
    """An Arrow table in pandas, columns of labels with every digit."""
    from pyarrow import Table

    assert isinstance(read, Table)
    table: pd.DataFrame = read.to_pandas()
    for name in labels.intersection(read.column_names):
        # With gaps, whole numbers would become doubles and lose their last digits.
        table[name] = read[name].to_pandas(integer_object_nulls=True).to_numpy()
    return table.set_axis([str(column) for column in table.columns], axis=1)
