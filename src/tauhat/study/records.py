"""The records of a study's store: one a line with its checksum, each checked before it counts."""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Final, NamedTuple

import numpy as np

from tauhat._typing import FloatArray
from tauhat.study.measures import AVERAGES, TaskResult
from tauhat.study.plan import Plan, StudyError
from tauhat.study.plan_file import plan_from

#: A line longer than this is no record; that of a plan of 1,000 rows has some 200 kB.
LONGEST_LINE: Final = 2**24
_FLOAT: Final = np.dtype("<f8")
_NO_MESSAGES: Final[Mapping[str, str]] = {}
_PLAN_KEYS: Final = {
    "kind", "version", "started", "plan", "folder", "identity", "metrics", "averages",
}  # fmt: skip
_TASK_KEYS: Final = {"kind", "row", "replicate", "seconds", "messages", "values"}


class Line(NamedTuple):
    """One line of a store.

    Attributes
    ----------
    number
        From 1.
    end
        Bytes up to its end.
    record
        What it holds, None if it is damaged.
    problem
        Why it holds nothing.
    whole
        Whether it was written to its end: its checksum is right.
    """

    number: int
    end: int
    record: Mapping[str, Any] | None
    problem: str
    whole: bool


class PlanRecord(NamedTuple):
    """What a run of a study starts from, and what its tasks must agree with."""

    plan: Plan
    identity: Mapping[str, str]
    version: str
    metrics: tuple[str, ...]
    rows: frozenset[str]
    estimators: frozenset[str]
    columns: int


class StoredTask(NamedTuple):
    """A task as it stands in the store: its numbers still packed."""

    row: str
    replicate: int
    seconds: float
    messages: Mapping[str, str]
    values: bytes


def record_line(record: Mapping[str, Any]) -> bytes:
    r"""Line of a record.

    Examples
    --------
    >>> record_line({"kind": "unit"})
    b'a40b424f {"kind":"unit"}\n'
    """
    text = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def pack(result: TaskResult) -> str:
    """Numbers of a task as text."""
    parts = (result.metrics.ravel(), result.averages, result.fit_seconds)
    return base64.b64encode(np.concatenate(parts).astype(_FLOAT).tobytes()).decode()


def unpack(tasks: Sequence[StoredTask], columns: int) -> FloatArray:
    """Numbers of all tasks, shape (tasks, columns)."""
    packed = np.frombuffer(b"".join(task.values for task in tasks), dtype=_FLOAT)
    return packed.reshape(len(tasks), columns).astype(np.float64)


def read_lines(file: IO[bytes]) -> Iterator[Line]:
    """Lines of a store; of one that is too long no more than a piece is held at a time."""
    number = end = 0
    while text := file.readline(LONGEST_LINE):
        number += 1
        end += len(text)
        too_long = False
        while not text.endswith(b"\n") and (more := file.readline(LONGEST_LINE)):
            too_long, text = True, more
            end += len(more)
        if too_long:
            problem = f"is longer than {LONGEST_LINE / 2**20:.0f} MiB"
            yield Line(number, end, None, problem, text.endswith(b"\n"))
            continue
        content = text[9:-1]
        if not text.endswith(b"\n") or text[:9] != b"%08x " % zlib.crc32(content):
            yield Line(number, end, None, "has a wrong checksum", False)
            continue
        try:
            record = json.loads(content, parse_constant=_refuse)
            if not isinstance(record, dict):
                raise ValueError("it is no record")
            yield Line(number, end, record, "", True)
        except (ValueError, RecursionError) as error:
            yield Line(number, end, None, f"is no JSON of a record ({error})", True)


def _refuse(token: str) -> float:
    raise ValueError(f"{token} stands where a number should be")


def plan_record(record: Mapping[str, Any], source: str) -> PlanRecord:
    """Checked content of the record of a plan.

    Raises
    ------
    StudyError
        Naming the key and the value at fault.
    """
    _require_keys(record, _PLAN_KEYS)
    identity, metrics = record["identity"], record["metrics"]
    if not all(isinstance(record[key], str) for key in ("version", "started", "folder")):
        raise StudyError("its version, date or folder is no text")
    if not isinstance(record["plan"], dict):
        raise StudyError("its plan is no table")
    if not isinstance(identity, dict) or not all(isinstance(w, str) for w in identity.values()):
        raise StudyError("its identity is no table of texts")
    if not isinstance(metrics, list) or not all(isinstance(name, str) for name in metrics):
        raise StudyError("its metrics are no list of texts")
    if not metrics or len(set(metrics)) < len(metrics) or record["averages"] != list(AVERAGES):
        raise StudyError("it lists other measures than a study has")
    plan = plan_from(record["plan"], source, record["folder"])
    expected = plan.identity(with_code=False)
    for key in {*expected, *identity}:
        # Other versions may know other settings, but not other estimators.
        known = key in expected and key in identity
        same = _agree(identity[key], expected[key]) if known else not key.startswith("estimator ")
        if not same:
            raise StudyError(f"its plan contradicts what it says results depend on: {key[:60]}")
    return PlanRecord(
        plan=plan,
        identity=identity,
        version=record["version"],
        metrics=tuple(metrics),
        rows=frozenset(row.key for row in plan.rows),
        estimators=frozenset(plan.names),
        columns=len(plan.names) * (len(metrics) + 1) + len(AVERAGES),
    )


def _agree(stored: str, expected: str) -> bool:
    """Whether two texts are the same but for the code of an own estimator, which comes last."""
    end = '""]'
    return stored == expected or (
        expected.endswith(end) and stored.startswith(expected.removesuffix(end))
    )


def require_same_study(record: PlanRecord, first: PlanRecord) -> None:
    """Raise a `StudyError` unless a later plan only continues the first one."""
    words = {**first.identity, **record.identity}
    changed = [key for key in words if first.identity.get(key) != record.identity.get(key)]
    if first.metrics != record.metrics:
        changed.append("metrics")
    if first.plan.names != record.plan.names:
        changed.append("estimators")
    if record.plan.replicates < first.plan.replicates:
        changed.append("fewer replicates")
    if changed:
        raise StudyError(f"it is the plan of another study: {', '.join(changed)}")


def task_record(record: Mapping[str, Any], header: PlanRecord) -> StoredTask:
    """Checked content of the record of a task; its replicate may be one of a later plan.

    Raises
    ------
    StudyError
        Naming the key and the value at fault.
    """
    _require_keys(record, _TASK_KEYS)
    row, replicate, seconds = record["row"], record["replicate"], record["seconds"]
    if not isinstance(row, str) or row not in header.rows:
        raise StudyError(f"its row {_short(row)} is not in the plan")
    if type(replicate) is not int or replicate < 0:
        raise StudyError(f"its replicate {_short(replicate)} is no whole number from 0")
    if type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
        raise StudyError(f"its seconds {_short(seconds)} are no time")
    messages = record["messages"]
    if not isinstance(messages, dict) or not all(
        name in header.estimators and isinstance(text, str) for name, text in messages.items()
    ):
        raise StudyError("its messages are not texts by estimator")
    try:
        values = binascii.a2b_base64(record["values"], strict_mode=True)
    except (TypeError, ValueError) as error:
        raise StudyError("its values are no base64 text") from error
    if len(values) != header.columns * _FLOAT.itemsize:
        raise StudyError(
            f"it has {len(values) / _FLOAT.itemsize:g} numbers where the plan has {header.columns}"
        )
    # One empty mapping for all spares the garbage collector a visit to each.
    return StoredTask(row, replicate, float(seconds), messages or _NO_MESSAGES, values)


def _require_keys(record: Mapping[str, Any], keys: set[str]) -> None:
    odd = sorted(set(record) ^ keys)
    if odd:
        raise StudyError(f"it has or lacks the key {_short(odd[0])}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
