"""Tasks on a Dask cluster, one of this machine or a running one."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from tauhat.errors import TrialError
from tauhat.runtime.parallel import WorkerLostError, run_on
from tauhat.runtime.workers import check_shared_memory

# Tasks waiting for each worker, so that none idles while its result travels.
_AHEAD: Final = 2


@contextlib.contextmanager
def dask_client(n_jobs: int, address: str | None = None) -> Iterator[Any]:
    """Client of a Dask cluster, which is closed with the block when it was made for it.

    Parameters
    ----------
    n_jobs
        Worker processes to start on this machine.
    address
        Of a running scheduler (or ``DASK_SCHEDULER_ADDRESS`` in the environment),
        which is then used instead.

    Yields
    ------
    distributed.Client

    Raises
    ------
    TrialError
        If Dask is not installed, no scheduler answers, or there is no shared memory
        left for workers here.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise TrialError(
            f"the backend dask is not installed: pip install 'tauhat[dask]' ({error})"
        ) from error
    with contextlib.ExitStack() as stack:
        cluster: Any = address
        if address is None and "DASK_SCHEDULER_ADDRESS" not in os.environ:
            check_shared_memory()
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=n_jobs,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )
            )
        try:
            client = stack.enter_context(distributed.Client(cluster))
        except (OSError, ValueError) as error:
            raise TrialError(f"no Dask scheduler answers at {address}: {error}") from error
        yield client


def dask_results(
    client: Any, function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[int, Any]]:
    """Position and result of every task, in the order in which they are ready.

    A bounded number of tasks is handed out at a time. A task that keeps ending
    its worker process has a `tauhat.runtime.parallel.WorkerLostError` as its result; an
    exception that a task raises is raised here.

    Parameters
    ----------
    client
        A `distributed.Client`.
    function
        A function that workers can import.
    tasks
        Argument tuples.

    Yields
    ------
    tuple of int and object
    """
    distributed = importlib.import_module("distributed")
    numbered = enumerate(tasks)
    cores = sum(client.ncores().values()) or 1
    futures = distributed.as_completed()
    positions: dict[Any, int] = {}

    def hand_out(count: int) -> None:
        for position, task in itertools.islice(numbered, count):
            future = client.submit(function, *task, pure=False)
            positions[future] = position
            futures.add(future)

    hand_out(_AHEAD * cores)
    for future in futures:
        lost = future.status == "error" and isinstance(future.exception(), distributed.KilledWorker)
        result = WorkerLostError() if lost else future.result()
        position = positions.pop(future)
        future.release()
        hand_out(1)
        yield position, result


@contextlib.contextmanager
def on_dask(n_jobs: int, address: str | None = None) -> Iterator[int]:
    """Send the tasks of `tauhat.runtime.parallel.run_tasks` to Dask inside this block.

    Parameters
    ----------
    n_jobs, address
        As in `dask_client`.

    Yields
    ------
    int
        Number of jobs to ask for, so that tasks do leave this process.
    """
    with dask_client(n_jobs, address) as client:

        def pool(
            function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]
        ) -> Iterator[tuple[int, Any]]:
            return dask_results(client, function, tasks)

        with run_on(pool):
            yield max(sum(client.ncores().values()), 2)
