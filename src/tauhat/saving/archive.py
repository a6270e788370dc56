"""One zip file of a JSON manifest, numeric arrays and texts: written whole, read with suspicion."""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from tauhat._typing import AnyArray
from tauhat.errors import TrialError

FORMAT = "tauhat model"
VERSION = 1
_MANIFEST = "manifest.json"
# More unpacked bytes than this many times the file are refused, beyond the first 256 MiB.
_MOST_EXPANSION, _ALWAYS_ALLOWED = 200, 2**28
# The time of a member would make two files of one model differ.
_TIME = (1980, 1, 1, 0, 0, 0)
_SPOILT = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


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
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, _MANIFEST, json.dumps(manifest, allow_nan=False).encode())
        for number, array in enumerate(contents.arrays):
            buffer = io.BytesIO()
            npy.write_array(buffer, array, allow_pickle=False)
            _add(archive, f"arrays/{number}.npy", buffer.getvalue())
        for number, text in enumerate(contents.texts):
            _add(archive, f"texts/{number}.txt", text.encode())
    return target.getvalue()


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
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrialError(f"cannot read {path}: {error.strerror or error}") from error
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise TrialError(
            f"{path} is no model of tauhat.save: it is not a whole zip file "
            "(pickles are not read, since reading one runs code)"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive, path, len(data))
    except TrialError:
        raise
    except _SPOILT as error:
        raise spoilt(path, error) from error


def spoilt(path: Path, reason: object) -> TrialError:
    """Error of a file whose contents cannot be what `tauhat.save` wrote."""
    return TrialError(f"{path} is damaged or was not written by tauhat.save: {reason}")


def _read(archive: zipfile.ZipFile, path: Path, size: int) -> Contents:
    members = {info.filename: info for info in archive.infolist()}
    if _MANIFEST not in members:
        raise TrialError(f"{path} is no model of tauhat.save: it has no {_MANIFEST}")
    allowed = max(_ALWAYS_ALLOWED, _MOST_EXPANSION * size)
    if sum(info.file_size for info in members.values()) > allowed:
        raise spoilt(path, "it unpacks to far more than a model needs")
    manifest = json.loads(archive.read(_MANIFEST))
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise TrialError(f"{path} is no model of tauhat.save: its manifest is of another format")
    version = manifest.get("version")
    if version != VERSION:
        raise TrialError(
            f"{path} has version {version!r} of the format; this tauhat reads version "
            f"{VERSION}: load it with the tauhat that wrote it, or fit the model again"
        )
    if int(manifest["arrays"]) + int(manifest["texts"]) + 1 != len(archive.namelist()):
        raise spoilt(path, "it holds other members than its manifest says")
    arrays = [f"arrays/{number}.npy" for number in range(int(manifest["arrays"]))]
    texts = [f"texts/{number}.txt" for number in range(int(manifest["texts"]))]
    expected = [_MANIFEST, *arrays, *texts]
    if sorted(expected) != sorted(archive.namelist()):
        raise spoilt(path, "it holds other members than its manifest says")
    return Contents(
        manifest,
        [_array(archive.read(name), name) for name in arrays],
        [archive.read(name).decode() for name in texts],
    )


def _array(data: bytes, name: str) -> AnyArray:
    """An array whose claimed shape and type are those of its bytes."""
    stream = io.BytesIO(data)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = read_header[npy.read_magic(stream)](stream)
    if dtype.kind not in "biuf":
        raise ValueError(f"{name} has the type {dtype}, not numbers")
    if math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"{name} claims the shape {shape} but has {len(data)} bytes")
    stream.seek(0)
    array: AnyArray = np.array(npy.read_array(stream, allow_pickle=False), order="K")
    return array
