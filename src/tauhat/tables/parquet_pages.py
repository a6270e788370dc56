"""How long the pages of a Parquet file say they are, read before any is unpacked."""

from __future__ import annotations

from typing import Any

# Types of Thrift's compact protocol.
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_WHOLE_NUMBERS = (4, 5, 6)
# Fields of a page's header.
_UNPACKED, _PACKED = 2, 3
# A page's header has structs in a struct; what goes deeper is none.
_DEEPEST = 8


def page_bytes(content: bytes, metadata: Any) -> int:
    """Bytes of all pages of a file when unpacked, as the pages themselves say.

    Arrow makes room for a page of the length that stands before it, up to 2 GiB, whatever the
    file's metadata say of the column.

    Parameters
    ----------
    content
        The file's bytes.
    metadata
        Its ``pyarrow.parquet.FileMetaData``.

    Raises
    ------
    ValueError
        If a page's header is damaged.

    Examples
    --------
    >>> import io, pyarrow as pa
    >>> from pyarrow import parquet
    >>> file = io.BytesIO()
    >>> parquet.write_table(pa.table({"y": [0.5] * 50_000}), file, use_dictionary=False)
    >>> with parquet.ParquetFile(file) as opened:
    ...     pages = page_bytes(file.getvalue(), opened.metadata)
    >>> 400_000 < pages < 401_000
    True
    """
    total = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for j in range(metadata.num_columns):
            chunk = group.column(j)
            starts = [chunk.data_page_offset]
            if chunk.dictionary_page_offset:
                starts.append(chunk.dictionary_page_offset)
            reader = _Reader(content, min(starts))
            end = min(starts) + chunk.total_compressed_size
            while reader.position < end:
                header = reader.struct()
                unpacked, packed = header.get(_UNPACKED, -1), header.get(_PACKED, -1)
                if unpacked < 0 or packed < 0:
                    raise ValueError("a page without a length")
                total += unpacked
                reader.jump(packed)
    return total


class _Reader:
    """Reads Thrift's compact protocol as far as page headers need it."""

    def __init__(self, content: bytes, position: int) -> None:
        self._content = content
        self.position = position

    def jump(self, count: int) -> None:
        """Go on behind ``count`` bytes, which must be in the file."""
        self.position += count
        if self.position > len(self._content):
            raise ValueError("a page beyond the end of the file")

    def struct(self, depth: int = 0) -> dict[int, int]:
        """Whole numbers of a struct by field; all other fields are skipped."""
        if depth > _DEEPEST:
            raise ValueError("a page header that is nested too deep")
        numbers: dict[int, int] = {}
        field = 0
        while head := self._byte():
            kind = head & 15
            field = field + (head >> 4) if head >> 4 else self._signed()
            if kind in _WHOLE_NUMBERS:
                numbers[field] = self._signed()
            elif kind not in (_TRUE, _FALSE):
                self._skip(kind, depth)
        return numbers

    def _skip(self, kind: int, depth: int) -> None:
        if kind in (_TRUE, _FALSE, _BYTE):
            self._byte()
        elif kind in _WHOLE_NUMBERS:
            self._unsigned()
        elif kind == _DOUBLE:
            self.jump(8)
        elif kind == _BINARY:
            self.jump(self._unsigned())
        elif kind in (_LIST, _SET):
            head = self._byte()
            count = self._unsigned() if head >> 4 == 15 else head >> 4
            self._skip_each(count, (head & 15,), depth)
        elif kind == _MAP:
            count = self._unsigned()
            kinds = self._byte() if count else 0
            self._skip_each(count, (kinds >> 4, kinds & 15), depth)
        elif kind == _STRUCT:
            self.struct(depth + 1)
        else:
            raise ValueError("a damaged page header")

    def _skip_each(self, count: int, kinds: tuple[int, ...], depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("a page header that is nested too deep")
        for _ in range(count):
            for kind in kinds:
                self._skip(kind, depth + 1)

    def _byte(self) -> int:
        if not 0 <= self.position < len(self._content):
            raise ValueError("a page beyond the end of the file")
        self.position += 1
        return self._content[self.position - 1]

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("a damaged page header")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
