"""The store of a study: one file that only grows and survives a kill at any moment.

``study.jsonl`` has one record a line: the CRC-32 of the record as 8 hexadecimal
digits, a space, and the record as JSON. The first record is the plan; a later
one of the same kind replaces it (a study continued with more replicates). Every
other record is one unit: ``row``, ``replicate``, ``seconds``, ``messages``, and
``values``, the base64 of little-endian 64-bit floats: the metrics of each
estimator and the average effects, in the order of the plan record, then the
time of each estimator. Numbers therefore come back bit for bit, and 100,000
units are read in seconds.

A record is written with one call and flushed to the disk before the next. What
a kill leaves behind is at most a torn last line, which its checksum gives away
and the next run cuts off.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, NamedTuple, Self

import numpy as np

from tauhat._typing import FloatArray
from tauhat.files import check_writable, sync_folder
from tauhat.provenance import utc_now
from tauhat.study.measures import AVERAGES, METRICS, UnitResult
from tauhat.study.plan import Plan, StudyError
from tauhat.study.plan_file import plan_from

FILE: Final = "study.jsonl"
LOCK: Final = "study.lock"
_FLOAT: Final = np.dtype("<f8")
_NO_MESSAGES: Final[Mapping[str, str]] = {}


class StoredUnit(NamedTuple):
    """A unit as it stands in the store: its numbers still packed."""

    row: str
    replicate: int
    seconds: float
    messages: Mapping[str, str]
    values: bytes


@dataclass(frozen=True)
class Contents:
    """Everything that a store holds.

    Attributes
    ----------
    plan
        The plan, with the replicates that it was last run with.
    identity
        What the stored results depend on, see `Plan.identity`.
    versions
        Versions of tauhat that wrote to the store.
    metrics
        Names of the stored metrics.
    units
        Units in the order in which they were stored, each once.
    damaged
        Records before the last good one that could not be read.
    end
        Bytes up to the end of the last good record.
    """

    plan: Plan
    identity: Mapping[str, str]
    versions: tuple[str, ...]
    metrics: tuple[str, ...]
    units: tuple[StoredUnit, ...]
    damaged: int
    end: int


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _pack(result: UnitResult) -> str:
    parts = (result.metrics.ravel(), result.averages, result.fit_seconds)
    return base64.b64encode(np.concatenate(parts).astype(_FLOAT).tobytes()).decode()


def unpack(units: Sequence[StoredUnit], columns: int) -> FloatArray:
    """Numbers of all units, shape (units, columns)."""
    packed = np.empty((len(units), columns))
    for row, unit in zip(packed, units, strict=True):
        row[:] = np.frombuffer(unit.values, dtype=_FLOAT)
    return packed


def _records(file: IO[bytes]) -> Iterator[tuple[Mapping[str, Any] | None, int]]:
    """Each record, None for one whose checksum fails, and where its line ends."""
    end = 0
    decode = json.JSONDecoder().decode
    for line in file:
        end += len(line)
        text = line[9:-1]
        whole = line.endswith(b"\n") and line[:9] == b"%08x " % zlib.crc32(text)
        yield (decode(text.decode()) if whole else None), end


def _unit(record: Mapping[str, Any], arrays: bool) -> StoredUnit:
    values = binascii.a2b_base64(record["values"]) if arrays else b""
    # One empty mapping for all spares the garbage collector a visit to each.
    messages = record["messages"] or _NO_MESSAGES
    return StoredUnit(record["row"], record["replicate"], record["seconds"], messages, values)


def read_store(folder: str | Path, *, arrays: bool = True) -> Contents | None:
    """Everything in the store of a folder; None when nothing was stored yet.

    A store that another process is writing to can be read at any time.

    Parameters
    ----------
    folder
        Folder of a study.
    arrays
        Whether to keep the numbers of the units, or only what is done.

    Returns
    -------
    Contents or None

    Raises
    ------
    StudyError
        If the file there is not the store of a study.
    """
    path = Path(folder) / FILE
    header: Mapping[str, Any] | None = None
    versions: dict[str, None] = {}
    units: dict[tuple[str, int], StoredUnit] = {}
    end = bad = damaged = lines = 0
    try:
        with path.open("rb") as file:
            for record, line_end in _records(file):
                lines += 1
                if record is None:
                    bad += 1
                    continue
                end, damaged = line_end, bad
                if record["kind"] == "plan":
                    header = record
                    versions[record["version"]] = None
                else:
                    unit = _unit(record, arrays)
                    units.setdefault((unit.row, unit.replicate), unit)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror or error}") from error
    if header is None:
        # A kill while the first record was written leaves one torn line.
        if lines > 1 or end > 0:
            raise StudyError(f"{path} is not the store of a study")
        return None
    return Contents(
        plan=plan_from(header["plan"], str(path), header["folder"]),
        identity=header["identity"],
        versions=tuple(versions),
        metrics=tuple(header["metrics"]),
        units=tuple(units.values()),
        damaged=damaged,
        end=end,
    )


class Store:
    """The store of a study, open for one writer.

    Parameters
    ----------
    folder
        Folder of the study; made when missing.
    plan
        What the study does. A folder that holds results of another plan is
        refused; one with fewer replicates is continued.
    version
        Version of tauhat.

    Attributes
    ----------
    contents
        What was there when the store was opened, without the numbers.

    Raises
    ------
    StudyError
        If the folder holds another plan, cannot be written to, or is being
        written to by another process. The lock ends with the process that
        holds it, however that ends.
    """

    def __init__(self, folder: str | Path, plan: Plan, version: str) -> None:
        self.folder = Path(folder)
        check_writable(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder / LOCK)
        try:
            identity = plan.identity()
            before = read_store(self.folder, arrays=False)
            if before is not None:
                _require_same(before, plan, identity, self.folder)
            # Unbuffered: nothing of a record that failed is left to be written later.
            self._file = (self.folder / FILE).open("ab", buffering=0)
            self._file.truncate(0 if before is None else before.end)
            header = {
                "kind": "plan",
                "version": version,
                "started": utc_now(),
                "plan": plan.as_dict(),
                "folder": plan.folder,
                "identity": identity,
                "metrics": list(METRICS),
                "averages": list(AVERAGES),
            }
            grown = before is not None and before.plan.replicates < plan.replicates
            if before is None or grown or version not in before.versions:
                self._append(header)
                sync_folder(self.folder)
        except BaseException:
            self._lock.close()
            raise
        self.contents = before

    def append(self, result: UnitResult) -> None:
        """Store one unit; when this returns, it is on the disk."""
        self._append(
            {
                "kind": "unit",
                "row": result.row,
                "replicate": result.replicate,
                "seconds": result.seconds,
                "messages": dict(result.messages),
                "values": _pack(result),
            }
        )

    def _append(self, record: Mapping[str, Any]) -> None:
        left = memoryview(_line(record))
        try:
            while left:
                # A disk that is nearly full takes a part.
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StudyError(
                f"cannot write to {self.folder / FILE}: {error.strerror or error}; what was "
                "stored before is safe, and the same command goes on from there"
            ) from error

    def close(self) -> None:
        """Close the file and let others write."""
        self._file.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _require_same(before: Contents, plan: Plan, identity: Mapping[str, str], folder: Path) -> None:
    """Refuse a plan whose results would differ from those stored."""
    changed = [
        f"{key}: {before.identity.get(key, 'absent')} before, {identity.get(key, 'absent')} now"
        for key in {**before.identity, **identity}
        if before.identity.get(key) != identity.get(key)
    ]
    if tuple(before.metrics) != METRICS:
        changed.append("this version of tauhat stores other metrics")
    if list(plan.names) != list(before.plan.names):
        changed.append(f"estimators: {before.plan.names} before, {plan.names} now")
    if plan.replicates < before.plan.replicates:
        changed.append(
            f"replicates: {before.plan.replicates} before, {plan.replicates} now "
            "(a study can be continued with more)"
        )
    if changed:
        raise StudyError(
            f"{folder} holds results of a plan that has changed; give another folder "
            "or take the change back:\n  " + "\n  ".join(changed)
        )


def _lock(path: Path) -> IO[bytes]:
    """Hold a lock that the operating system lets go with the process."""
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StudyError(
            f"another process is running the study in {path.parent}; wait for it or end it"
        ) from error
    return file
