"""Where the tasks of a study run: this machine, a Dask cluster or a Ray cluster.

Each backend hands out a bounded number of tasks at a time and yields results as
they come, so that neither the driver nor the scheduler ever holds the study.
"""

from __future__ import annotations

import importlib
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final, Literal, TypeVar

import joblib

from tauhat.runtime.dask_cluster import dask_client, dask_results
from tauhat.runtime.parallel import WorkerLostError, run_alone
from tauhat.runtime.workers import WatchedWorkers
from tauhat.study.plan import StudyError
from tauhat.wording import counted

Backend = Literal["loky", "dask", "ray"]
BACKENDS: Final = ("loky", "dask", "ray")
Result = TypeVar("Result")
Task = tuple[Any, ...]

# Tasks waiting for each worker, so that none idles while its result travels.
_AHEAD: Final = 2


def results_as_they_come(
    function: Callable[..., Result],
    tasks: Iterable[Task],
    *,
    n_jobs: int = 1,
    backend: str = "loky",
    address: str | None = None,
) -> Iterator[Result]:
    """Results of ``function(*task)``, in the order in which they are ready.

    Parameters
    ----------
    function
        A function that workers can import.
    tasks
        Argument tuples; they are taken from the iterable as workers get free.
    n_jobs
        Worker processes on this machine; not used with a cluster's address.
    backend
        "loky" (processes of this machine), "dask" or "ray".
    address
        A running cluster: of Dask's scheduler (or ``DASK_SCHEDULER_ADDRESS``
        in the environment), of Ray's head (or ``RAY_ADDRESS``). None starts
        ``n_jobs`` workers here.

    Yields
    ------
    object
        One result a task.

    Raises
    ------
    StudyError
        If the backend is unknown or not installed; at the end, if tasks ended
        their worker process.

    Examples
    --------
    >>> sorted(results_as_they_come(pow, [(2, 3), (3, 2)]))
    [8, 9]
    """
    if backend not in BACKENDS:
        raise StudyError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    if n_jobs < 1:
        raise StudyError(f"the number of jobs must be at least 1, got {n_jobs}")
    if backend == "dask":
        return _dask(function, iter(tasks), n_jobs, address)
    if backend == "ray":
        return _ray(function, iter(tasks), n_jobs, address)
    if address is not None:
        raise StudyError("an address needs the backend dask or ray")
    return _local(function, iter(tasks), n_jobs)


def _local(function: Callable[..., Result], tasks: Iterator[Task], n_jobs: int) -> Iterator[Result]:
    if n_jobs == 1:
        yield from itertools.starmap(function, tasks)
        return
    numbered = enumerate(tasks)
    out: dict[int, Task] = {}

    def handed_out() -> Iterator[Any]:
        for number, task in numbered:
            out[number] = task
            yield joblib.delayed(_with_number)(function, number, task)

    losses = 0
    while True:
        parallel = joblib.Parallel(
            n_jobs=n_jobs,
            backend=WatchedWorkers(),
            batch_size=1,
            pre_dispatch=_AHEAD * n_jobs,
            return_as="generator_unordered",
        )
        try:
            for number, result in parallel(handed_out()):
                del out[number]
                yield result
            break
        except BrokenProcessPool:
            # One of those that were out took its worker with it: each of them alone.
            for number in sorted(out):
                try:
                    yield run_alone(function, out.pop(number), n_jobs)
                except WorkerLostError:
                    losses += 1
    _say_losses(losses)


def _with_number(function: Callable[..., Result], number: int, task: Task) -> tuple[int, Result]:
    return number, function(*task)


def _say_losses(losses: int) -> None:
    if losses:
        raise StudyError(
            f"{counted(losses, 'task ended its', 'tasks ended their')} worker process, most likely "
            "because memory ran out; all others are stored. The same command tries these again: "
            "give it fewer jobs or a larger machine"
        )


def _dask(
    function: Callable[..., Result], tasks: Iterator[Task], n_jobs: int, address: str | None
) -> Iterator[Result]:
    losses = 0
    with dask_client(n_jobs, address) as client:
        for _, result in dask_results(client, function, tasks):
            if isinstance(result, WorkerLostError):
                losses += 1
            else:
                yield result
    _say_losses(losses)


def _ray(
    function: Callable[..., Result], tasks: Iterator[Task], n_jobs: int, address: str | None
) -> Iterator[Result]:
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise StudyError(
            f"the backend ray is not installed: pip install 'tauhat[ray]' ({error})"
        ) from error
    mine = not ray.is_initialized()
    if mine:
        here: dict[str, Any] = {"num_cpus": n_jobs, "include_dashboard": False}
        elsewhere = address is not None or "RAY_ADDRESS" in os.environ
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if elsewhere else here),
        )
    try:
        remote = ray.remote(num_cpus=1)(function)
        cores = max(int(ray.cluster_resources().get("CPU", n_jobs)), 1)
        pending = [remote.remote(*task) for task in itertools.islice(tasks, _AHEAD * cores)]
        while pending:
            ready, pending = ray.wait(pending, num_returns=1)
            result = ray.get(ready[0])
            pending += [remote.remote(*task) for task in itertools.islice(tasks, 1)]
            yield result
    finally:
        if mine:
            ray.shutdown()
