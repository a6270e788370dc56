"""How much text a Parquet file unpacks to, measured before it is unpacked."""

from __future__ import annotations

from typing import Any

from tauhat.errors import TrialError

# Text of one column; a word of a thousand letters for each of 250,000 persons.
MOST_TEXT = 2**28


def least_bytes(metadata: Any) -> int:
    """Bytes of the values of a Parquet file without the length of their texts.

    Parameters
    ----------
    metadata
        ``pyarrow.parquet.FileMetaData``. What it says of the whole file is not
        believed where it says more of the parts.
    """
    widths = [
        max(8, column.length) for column in map(metadata.schema.column, range(metadata.num_columns))
    ]
    declared = counted = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        declared += group.total_byte_size
        counted += sum(
            width * max(group.num_rows, group.column(j).num_values)
            for j, width in enumerate(widths)
        )
    return int(max(declared, counted))


def check_text(path: Any, content: bytes, max_bytes: int) -> None:
    """Raise a `TrialError` when the text of a column is too long to be unpacked.

    A text that many rows share is in the file once, so that a small file can
    unpack to any length. Here it stays with its number, and is only counted.

    Parameters
    ----------
    path
        The file, to be named.
    content
        Its bytes.
    max_bytes
        Most bytes of text of all columns together.
    """
    from pyarrow import BufferReader, parquet

    with parquet.ParquetFile(BufferReader(content)) as file:
        schema = file.schema
        paths = [
            schema.column(j).path
            for j in range(len(schema))
            if schema.column(j).physical_type == "BYTE_ARRAY"
        ]
    if not paths:
        return
    lengths: dict[str, int] = {}
    with parquet.ParquetFile(BufferReader(content), read_dictionary=paths) as file:
        # A name with a dot could stand for a column or for a part of one: both are read.
        columns = sorted({name for path in paths for name in (path, path.split(".")[0])})
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns)
            for name, values in zip(table.column_names, table.columns, strict=True):
                lengths[name] = lengths.get(name, 0) + sum(map(_length, values.chunks))
                if lengths[name] > min(MOST_TEXT, max_bytes):
                    raise TrialError(
                        f"column {name!r} of {path} holds more than "
                        f"{min(MOST_TEXT, max_bytes) / 2**20:,.0f} MiB of text; shorten it or "
                        "leave it out"
                    )
    if sum(lengths.values()) > max_bytes:
        longest = max(lengths, key=lambda name: lengths[name])
        raise TrialError(
            f"{path} holds {sum(lengths.values()) / 1024**3:.2f} GiB of text, most of it in "
            f"{longest!r}; keep the columns of the trial, or raise max_bytes"
        )


def _length(array: Any) -> int:
    """Bytes of the texts of an array, each row counted by itself."""
    import pyarrow as pa
    from pyarrow import compute

    if isinstance(array, pa.DictionaryArray):
        lengths = compute.binary_length(array.dictionary).cast(pa.int64())
        return int(compute.sum(compute.take(lengths, array.indices)).as_py() or 0)
    if isinstance(array, pa.StructArray):
        return sum(map(_length, array.flatten()))
    if isinstance(array, pa.MapArray):
        return _length(array.keys) + _length(array.items)
    if isinstance(array, (pa.ListArray, pa.LargeListArray, pa.FixedSizeListArray)):
        return _length(array.flatten())
    if isinstance(array, pa.ExtensionArray):
        return _length(array.storage)
    return int(array.nbytes)
