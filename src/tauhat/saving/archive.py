"""One zip file of a JSON manifest, numeric arrays and texts: written whole, read with suspicion."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from tauhat._typing import AnyArray
from tauhat.errors import TrialError
from tauhat.runtime.files import open_regular

FORMAT = "tauhat model"
VERSION = 2
_MANIFEST = "manifest.json"
# Nothing that the file says of its sizes is believed: these bound what is read of it, before and
# while it is unpacked. Forests of 800 trees are 4,000 members; a large model of Bayesian trees has
# 8 MB, which unpack to 44 MB.
_MOST_BYTES = 2**29
_MOST_DIRECTORY = 2**23
_MOST_MEMBERS = 100_000
_MOST_MANIFEST, _MANIFEST_EXPANSION, _MANIFEST_ALWAYS_ALLOWED = 2**24, 50, 2**20
# Lists and tables take many times their length once parsed; a manifest has fewer of them.
_LEAST_CHARACTERS_A_LIST = 6
_MOST_UNPACKED, _MOST_EXPANSION, _ALWAYS_ALLOWED = 2**31, 100, 2**26
_LONGEST_EMPTY = 10**6
_CHUNK = 2**20
# The time of a member would make two files of one model differ.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds.

    Attributes
    ----------
    manifest
        Values that JSON can write.
    arrays
        Boolean, integer and float arrays.
    texts
        Texts of the tree engines.
    """

    manifest: Mapping[str, Any]
    arrays: Sequence[AnyArray]
    texts: Sequence[str]


def pack(contents: Contents) -> bytes:
    """The file of some contents, the same bytes for the same contents.

    Raises
    ------
    TrialError
        If the file would be larger than `unpack` reads.

    Examples
    --------
    >>> pack(Contents({}, [], []))[:2]
    b'PK'
    """
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "arrays": len(contents.arrays),
        "texts": len(contents.texts),
        **contents.manifest,
    }
    described = json.dumps(manifest, allow_nan=False).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, _MANIFEST, described)
        for number, array in enumerate(contents.arrays):
            buffer = io.BytesIO()
            npy.write_array(buffer, array, allow_pickle=False)
            _add(archive, f"arrays/{number}.npy", buffer.getvalue())
        for number, text in enumerate(contents.texts):
            _add(archive, f"texts/{number}.txt", text.encode())
        members = archive.infolist()
    data = target.getvalue()
    unpacked = sum(member.file_size for member in members)
    if (
        len(data) > _MOST_BYTES
        or len(members) > _MOST_MEMBERS
        or len(described) > _MOST_MANIFEST
        or unpacked > _most_unpacked(len(data))
    ):
        raise TrialError(
            f"this model is too large for a file: {len(data) / 2**20:,.0f} MiB, "
            f"{unpacked / 2**20:,.0f} MiB unpacked, in {len(members):,} parts; fit it with fewer "
            "trees or draws"
        )
    return data


def _most_unpacked(size: int) -> int:
    """Bytes that a file of some size may unpack to."""
    return min(max(_ALWAYS_ALLOWED, _MOST_EXPANSION * size), _MOST_UNPACKED)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _TIME), data, zipfile.ZIP_DEFLATED)


def unpack(path: Path) -> Contents:
    """Contents of a file, every part checked before it is used; nothing is unpacked to disk.

    Parameters
    ----------
    path
        A file that `pack` made.

    Returns
    -------
    Contents

    Raises
    ------
    TrialError
        If the file is missing, no such file, of another version or damaged.
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _MOST_BYTES:
            raise TrialError(
                f"{path} has {size / 2**20:,.0f} MiB; models of more than "
                f"{_MOST_BYTES / 2**20:,.0f} MiB are not read"
            )
        try:
            with _zip(file, path) as archive:
                return _read(archive, path, size)
        except TrialError:
            raise
        except Exception as error:
            # What a spoilt file says of its parts fails anywhere between zip, JSON and numpy.
            raise spoilt(path, error) from error


def spoilt(path: Path, reason: object) -> TrialError:
    """Error of a file whose contents cannot be what `tauhat.save` wrote."""
    return TrialError(f"{path} is damaged or was not written by tauhat.save: {reason}")


class _BoundedReads(io.BufferedReader):
    """A file whose single reads are bounded: `zipfile` reads a whole directory with one."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = size if size is not None and size >= 0 else self._left()
        if wanted > _MOST_DIRECTORY:
            raise ValueError("it names far more parts than a model has")
        return super().read(wanted)

    def _left(self) -> int:
        return os.fstat(self.fileno()).st_size - self.tell()


def _opened(path: Path) -> _BoundedReads:
    try:
        return _BoundedReads(open_regular(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrialError(f"cannot read {path}: {reason}") from error


def _zip(file: _BoundedReads, path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise TrialError(
            f"{path} is no model of tauhat.save: it is not a whole zip file "
            "(pickles are not read, since reading one runs code)"
        ) from error


def _read(archive: zipfile.ZipFile, path: Path, size: int) -> Contents:
    members = {info.filename: info for info in archive.infolist()}
    if _MANIFEST not in members:
        raise TrialError(f"{path} is no model of tauhat.save: it has no {_MANIFEST}")
    if not len(members) == len(archive.infolist()) <= _MOST_MEMBERS:
        raise ValueError("it names a part twice, or far more parts than a model has")
    left = _most_unpacked(size)

    def unpacked(name: str, most: int) -> bytes:
        nonlocal left
        data = _unpacked(archive, members[name], min(most, left))
        left -= len(data)
        return data

    allowed = max(_MANIFEST_ALWAYS_ALLOWED, _MANIFEST_EXPANSION * members[_MANIFEST].compress_size)
    manifest = _manifest(unpacked(_MANIFEST, min(allowed, _MOST_MANIFEST)), path)
    arrays = [f"arrays/{number}.npy" for number in range(manifest["arrays"])]
    texts = [f"texts/{number}.txt" for number in range(manifest["texts"])]
    if {_MANIFEST, *arrays, *texts} != set(members):
        raise ValueError("it holds other members than its manifest says")
    return Contents(
        manifest,
        [_array(unpacked(name, left), name) for name in arrays],
        [unpacked(name, left).decode("ascii") for name in texts],
    )


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """Bytes of a member, unpacked piece by piece and no further than allowed."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is packed in a way that tauhat.save does not use")
    pieces: list[bytes] = []
    length = 0
    with archive.open(member) as stream:
        while piece := stream.read(_CHUNK):
            pieces.append(piece)
            length += len(piece)
            if length > most:
                raise ValueError("it unpacks to far more than a model needs")
    if length != member.file_size:
        raise ValueError(f"{member.filename} is shorter than it says")
    return b"".join(pieces)


def _manifest(data: bytes, path: Path) -> dict[str, Any]:
    if (data.count(b"[") + data.count(b"{")) * _LEAST_CHARACTERS_A_LIST > len(data) + 1000:
        raise ValueError("its manifest is more nested than that of a model")
    manifest = json.loads(data, parse_constant=_refuse_constant, parse_float=_finite)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise TrialError(f"{path} is no model of tauhat.save: its manifest is of another format")
    version = manifest.get("version")
    if type(version) is not int or version != VERSION:
        raise TrialError(
            f"{path} has version {repr(version)[:40]} of the format; this tauhat reads version "
            f"{VERSION}: load it with the tauhat that wrote it, or fit the model again"
        )
    for key in ("arrays", "texts"):
        count = manifest[key]
        if type(count) is not int or not 0 <= count <= _MOST_MEMBERS:
            raise ValueError(f"it has {str(count)[:40]} {key}")
    return manifest


def _refuse_constant(token: str) -> float:
    raise ValueError(f"its manifest holds {token}, which is no JSON")


def _finite(token: str) -> float:
    value = float(token)
    if not math.isfinite(value):
        raise ValueError(f"its manifest holds the number {token[:40]}, which is too large")
    return value


def _array(data: bytes, name: str) -> AnyArray:
    """An array whose claimed shape and type are those of its bytes."""
    stream = io.BytesIO(data)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = read_header[npy.read_magic(stream)](stream)
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or not dtype.isnative:
        raise ValueError(f"{name} has the type {dtype}, not numbers of this machine")
    if 0 in shape and max(shape) > _LONGEST_EMPTY:
        raise ValueError(f"{name} claims the shape {shape}")
    if math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"{name} claims the shape {shape} but has {len(data)} bytes")
    stream.seek(0)
    array: AnyArray = np.array(npy.read_array(stream, allow_pickle=False), order="K")
    return array
