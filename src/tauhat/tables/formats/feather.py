"""Feather (Arrow IPC), by pyarrow."""

from __future__ import annotations

import pandas as pd

from tauhat.tables.account import Account
from tauhat.tables.formats import Request
from tauhat.tables.formats.parquet import in_pandas
from tauhat.tables.table_limits import check_column_names, refuse_size


def read(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Read the bytes of a file, batch by batch as long as it is not too large."""
    from pyarrow import BufferReader, Table, ipc

    with ipc.open_file(BufferReader(content)) as file:
        names = file.schema.names
        refuse_size(request.path, len(names), 0, request.max_bytes)
        check_column_names(names)
        batches, n_bytes = [], 0
        for number in range(file.num_record_batches):
            batches.append(file.get_batch(number))
            batches[-1].validate(full=True)
            n_bytes += batches[-1].nbytes
            refuse_size(request.path, 0, n_bytes, request.max_bytes)
        read = Table.from_batches(batches, schema=file.schema)
    return in_pandas(read, request.labels), Account("Feather")
