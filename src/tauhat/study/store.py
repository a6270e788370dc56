"""The store of a study: one file that only grows and survives a kill at any moment.

``study.jsonl`` has one record a line: the CRC-32 of the record as 8 hexadecimal
digits, a space, and the record as JSON. The first record is the plan; a later
one of the same study replaces it (one continued with more replicates). Every
other record is one task: ``row``, ``replicate``, ``seconds``, ``messages``, and
``values``, the base64 of little-endian 64-bit floats: the metrics of each
estimator and the average effects, in the order of the plan record, then the
time of each estimator. Numbers therefore come back bit for bit, and 100,000
tasks are read in seconds.

A record counts only if it has the keys, types and numbers that the plan asks
for (`tauhat.study.records`); the others are named by line and left out.

A record is written with one call and flushed to the disk before the next. What
a kill leaves behind is at most a torn last line, which its checksum gives away
and the next run cuts off.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from tauhat.runtime.files import check_writable, open_regular, sync_folder
from tauhat.runtime.provenance import utc_now
from tauhat.study.measures import AVERAGES, METRICS, TaskResult
from tauhat.study.plan import Plan, StudyError
from tauhat.study.records import (
    PlanRecord,
    StoredTask,
    pack,
    plan_record,
    read_lines,
    record_line,
    require_same_study,
    task_record,
)

FILE: Final = "study.jsonl"
# What a task was once called: studies that were begun then go on.
TASK_KIND: Final = "unit"
LOCK: Final = "study.lock"


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
    tasks
        Tasks in the order in which they were stored, each once.
    damaged
        Records that do not count, by line, and why. A torn last line, which a kill
        leaves behind, is none of them.
    end
        Bytes up to the end of the last good record.
    """

    plan: Plan
    identity: Mapping[str, str]
    versions: tuple[str, ...]
    metrics: tuple[str, ...]
    tasks: tuple[StoredTask, ...]
    damaged: tuple[str, ...]
    end: int


def read_store(folder: str | Path, *, arrays: bool = True) -> Contents | None:
    """Everything in the store of a folder; None when nothing was stored yet.

    A store that another process is writing to can be read at any time.

    Parameters
    ----------
    folder
        Folder of a study.
    arrays
        Whether to keep the numbers of the tasks, or only what is done.

    Returns
    -------
    Contents or None

    Raises
    ------
    StudyError
        If the file there is not the store of a study.
    """
    path = Path(folder) / FILE
    try:
        with io.BufferedReader(open_regular(path)) as file:
            return _contents(file, path, arrays)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror or error}") from error


def _contents(file: IO[bytes], path: Path, arrays: bool) -> Contents | None:
    header: PlanRecord | None = None
    versions: dict[str, None] = {}
    tasks: dict[tuple[str, int], tuple[StoredTask, int]] = {}
    problems: list[tuple[int, str]] = []
    last = end = 0
    for line in read_lines(file):
        if line.whole:
            last, end = line.number, line.end
        problem = line.problem
        if line.record is not None:
            try:
                if line.record.get("kind") == "plan":
                    record = plan_record(line.record, f"{path}, line {line.number}")
                    if header is not None:
                        require_same_study(record, header)
                    header = record
                    versions[record.version] = None
                elif line.record.get("kind") != TASK_KIND:
                    raise StudyError("it is neither a plan nor a task")
                elif header is None:
                    raise StudyError("it comes before any plan")
                else:
                    task = task_record(line.record, header)
                    kept = task if arrays else task._replace(values=b"")
                    tasks.setdefault((task.row, task.replicate), (kept, line.number))
            except (StudyError, RecursionError) as error:
                problem = str(error)
        if problem:
            problems.append((line.number, problem))
    if header is None:
        # A kill while the first record was written leaves one torn line.
        if end > 0 or len(problems) > 1:
            first = f" (line {problems[0][0]}: {problems[0][1]})" if problems else ""
            raise StudyError(f"{path} is not the store of a study{first}")
        return None
    for task, number in tasks.values():
        if task.replicate >= header.plan.replicates:
            problems.append((number, f"its replicate {task.replicate} is beyond the plan's"))
    return Contents(
        plan=header.plan,
        identity=header.identity,
        versions=tuple(versions),
        metrics=header.metrics,
        tasks=tuple(u for u, _ in tasks.values() if u.replicate < header.plan.replicates),
        damaged=tuple(
            f"{path.name}, line {number}: {problem}"
            for number, problem in sorted(problems)
            if number <= last
        ),
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

    def append(self, result: TaskResult) -> None:
        """Store one task; when this returns, it is on the disk."""
        self._append(
            {
                "kind": TASK_KIND,
                "row": result.row,
                "replicate": result.replicate,
                "seconds": result.seconds,
                "messages": dict(result.messages),
                "values": pack(result),
            }
        )

    def _append(self, record: Mapping[str, Any]) -> None:
        left = memoryview(record_line(record))
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
            f"{folder} holds results of a plan or an estimator that has changed; give another "
            "folder or take the change back:\n  " + "\n  ".join(changed)
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
