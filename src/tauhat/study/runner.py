"""Running a study: what is missing, on any backend, stored as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tauhat.runtime.engines import USUAL
from tauhat.runtime.overwriting import refuse_overwriting
from tauhat.runtime.parallel import prepare_workers
from tauhat.study.backends import Task, results_as_they_come
from tauhat.study.measures import METRICS
from tauhat.study.plan import Plan
from tauhat.study.plan_file import load_plan
from tauhat.study.results import Study, read_study
from tauhat.study.store import FILE, LOCK, Contents, Store


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    done, total
        Tasks stored (earlier runs included) and tasks of the plan.
    failures
        Estimators that failed in this run, one for each task.
    elapsed
        Seconds since the run started.
    seconds_left
        Time that the rest will take at the pace so far; NaN before the first
        task is done.
    """

    done: int
    total: int
    failures: int
    elapsed: float
    seconds_left: float


def run_study(
    plan: str | Path | Mapping[str, Any] | Plan,
    out: str | Path,
    *,
    n_jobs: int = 1,
    backend: str = "loky",
    address: str | None = None,
    replicates: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Study:
    """Run what is missing of a study and return all its results.

    Every task's seed hangs on the plan's seed and the task's own key only, so
    results are the same for any ``n_jobs``, backend, order and interruption.

    Parameters
    ----------
    plan
        A TOML file, the name of a shipped plan, its content as a dictionary,
        or a `Plan`.
    out
        Folder of the study; a study there with the same plan is continued.
    n_jobs
        Tasks at once, each on one thread.
    backend
        "loky", "dask" or "ray".
    address
        Address of a running Dask or Ray cluster; None starts workers here.
    replicates
        Replaces the plan's number of replicates.
    on_progress
        Called with a `Progress` at the start and after each task.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        If the plan is at fault, the folder holds another plan or is in use, or
        the backend is not installed.

    Examples
    --------
    >>> import tempfile
    >>> plan = {
    ...     "replicates": 2,
    ...     "test_size": 200,
    ...     "estimators": ["LMM"],
    ...     "rows": [{"scenario": "linear", "n": 60}],
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = run_study(plan, folder)
    >>> study.table("srmse").shape
    (1, 4)
    """
    chosen = load_plan(plan)
    if isinstance(plan, (str, Path)):
        refuse_overwriting([Path(plan)], [Path(out) / name for name in (FILE, LOCK)])
    if replicates is not None:
        chosen = replace(chosen, replicates=replicates)
    # Fitting imports every engine, which takes seconds; reading a study needs none.
    from tauhat.study.tasks import run_task

    if backend == "loky":
        prepare_workers(n_jobs, USUAL)
    chosen.check()
    with Store(out, chosen, version("tauhat")) as store:
        clock = _Clock(chosen, store.contents)
        if on_progress is not None:
            on_progress(clock.progress())
        results = results_as_they_come(
            run_task, _missing(chosen, clock), n_jobs=n_jobs, backend=backend, address=address
        )
        for result in results:
            store.append(result)
            failed = int(np.isnan(result.metrics[:, METRICS.index("rmse")]).sum())
            clock.finished(result.row, result.seconds, failed)
            if on_progress is not None:
                on_progress(clock.progress())
    return read_study(out)


def _missing(plan: Plan, clock: _Clock) -> Iterator[Task]:
    before = frozenset(clock.stored)
    for row, replicate in plan.tasks():
        if (row.key, replicate) not in before:
            yield plan, row, replicate


class _Clock:
    """What is done, and how long the rest will take."""

    def __init__(self, plan: Plan, before: Contents | None) -> None:
        tasks = () if before is None else before.tasks
        planned = {row.key: plan.replicates for row in plan.rows}
        self.stored = {(task.row, task.replicate) for task in tasks}
        self._total = plan.n_tasks
        self._left = dict(planned)
        self._count = dict.fromkeys(planned, 0)
        self._seconds = dict.fromkeys(planned, 0.0)
        self._start = time.monotonic()
        self._worked = 0.0
        self._failures = 0
        for task in tasks:
            self._add(task.row, task.seconds)

    def _add(self, row: str, seconds: float) -> None:
        self._left[row] -= 1
        self._count[row] += 1
        self._seconds[row] += seconds

    def finished(self, row: str, seconds: float, failures: int) -> None:
        """Note one more task."""
        self._add(row, seconds)
        self._worked += seconds
        self._failures += failures

    def progress(self) -> Progress:
        """How far the run has come now."""
        elapsed = time.monotonic() - self._start
        left = sum(self._left.values())
        seconds_left = 0.0 if left == 0 else float("nan")
        done = sum(self._count.values())
        if left and self._worked:
            mean = sum(self._seconds.values()) / done
            work = sum(
                count * (self._seconds[row] / self._count[row] if self._count[row] else mean)
                for row, count in self._left.items()
            )
            seconds_left = work * elapsed / self._worked
        return Progress(done, self._total, self._failures, elapsed, seconds_left)
