"""Parallel work over independent fits, one thread each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import joblib
from threadpoolctl import threadpool_limits

Result = TypeVar("Result")
Listener = Callable[[int, int], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def report_progress(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` of every task that `run_tasks` finishes inside this block.

    Parameters
    ----------
    listener
        Called with (tasks done, tasks in all) of the current batch of tasks.
        Batches that tasks start themselves are not reported.

    Examples
    --------
    >>> with report_progress(lambda done, total: print(done, "of", total)):
    ...     results = run_tasks(pow, [(2, 3), (3, 2)])
    1 of 2
    2 of 2
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def _single_threaded(function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
    """Run one task with every numerical library held to one thread."""
    token = _listener.set(None)
    try:
        with threadpool_limits(limits=1):
            return function(*arguments)
    finally:
        _listener.reset(token)


def run_tasks(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    *,
    n_jobs: int = 1,
    on_done: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Results of ``function(*task)`` for every task, in the order of the tasks.

    Each task runs on one thread, in this process when ``n_jobs`` is 1 and in
    joblib's workers (or the backend set by `joblib.parallel_config`) otherwise;
    the same code path and thread count make the results equal bit for bit.

    Parameters
    ----------
    function
        A picklable function.
    tasks
        Argument tuples.
    n_jobs
        Number of workers.
    on_done
        Called with (tasks done, tasks in all) after each task.

    Returns
    -------
    list
        One result a task.

    Examples
    --------
    >>> run_tasks(pow, [(2, 3), (3, 2)])
    [8, 9]
    """
    total = len(tasks)
    results: list[Result] = []
    produced: Iterable[Result]
    if n_jobs == 1 or total <= 1:
        produced = (_single_threaded(function, task) for task in tasks)
    else:
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="all")
        produced = parallel(joblib.delayed(_single_threaded)(function, task) for task in tasks)
    listeners = [listener for listener in (on_done, _listener.get()) if listener is not None]
    for result in produced:
        results.append(result)
        for listener in listeners:
            listener(len(results), total)
    return results
