"""Parallel work over independent fits, one thread each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import joblib
from threadpoolctl import ThreadpoolController

from tauhat.arguments import check_jobs
from tauhat.runtime.fork_server import fork_server
from tauhat.runtime.sharing import share
from tauhat.runtime.workers import (
    WatchedWorkers,
    fewer_workers,
    give_back_memory,
    have_workers,
    workers,
)

Given = ParamSpec("Given")
Result = TypeVar("Result")
Listener = Callable[[int, int], None]

# Takes a function and tasks, and gives the position and the result of each as it is ready.
Pool = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], Iterator[tuple[int, Any]]]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
_pool: ContextVar[Pool | None] = ContextVar("pool", default=None)
_takes_part: ContextVar[bool] = ContextVar("takes_part", default=False)
# What ends with the task, or the held function, that runs now.
_task: ContextVar[ExitStack | None] = ContextVar("task", default=None)

# Numerical libraries found in this process, and how many modules it had then.
_libraries: tuple[int, ThreadpoolController] | None = None


@contextmanager
def _holding(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    """Give a variable a value inside this block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def report_progress(listener: Listener) -> AbstractContextManager[None]:
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
    return _holding(_listener, listener)


def run_on(pool: Pool) -> AbstractContextManager[None]:
    """Let `run_tasks` with more than one job hand its tasks to ``pool`` inside this block.

    Parameters
    ----------
    pool
        Called with a function and argument tuples; yields the position and the
        result of each task, a `WorkerLostError` for one that ended its worker.

    Examples
    --------
    >>> def backwards(function, tasks):
    ...     for position in reversed(range(len(tasks))):
    ...         yield position, function(*tasks[position])
    >>> with run_on(backwards):
    ...     run_tasks(pow, [(2, 3), (3, 2)], n_jobs=2)
    [8, 9]
    """
    return _holding(_pool, pool)


def taking_part(*, takes_part: bool = True) -> AbstractContextManager[None]:
    """Let this process do tasks of `run_tasks` beside one worker fewer inside this block.

    That saves the memory of one process, but a task that takes too much memory may
    end this one.

    Parameters
    ----------
    takes_part
        Whether it does.

    Examples
    --------
    >>> with taking_part():
    ...     run_tasks(pow, [(2, 3), (3, 2)], n_jobs=2)
    [8, 9]
    """
    return _holding(_takes_part, takes_part)


def one_thread() -> AbstractContextManager[Any]:
    """Hold every numerical library that is loaded to one thread.

    To look for the libraries takes milliseconds, as long as a small fit: it is
    done again only when modules were imported meanwhile, which is what loads them.

    Examples
    --------
    >>> with one_thread():
    ...     result = pow(2, 3)
    """
    global _libraries
    n_modules = len(sys.modules)
    if _libraries is None or _libraries[0] != n_modules:
        _libraries = n_modules, ThreadpoolController()
    limit: AbstractContextManager[Any] = _libraries[1].limit(limits=1)
    return limit


def on_one_thread(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Make a function hold every numerical library to one thread while it runs.

    The matrices of a trial are small: threads that wait for each other at every
    product make a fit up to seven times as long.

    Examples
    --------
    >>> @on_one_thread
    ... def doubled(number):
    ...     return 2 * number
    >>> doubled(4)
    8
    """

    @wraps(function)
    def held(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        with _held():
            return function(*args, **kwargs)

    return held


@contextmanager
def _held() -> Iterator[ExitStack]:
    """One thread inside this block, for libraries that are loaded meanwhile too."""
    with ExitStack() as held:
        held.callback(_task.reset, _task.set(held))
        held.enter_context(one_thread())
        yield held


def hold_new_libraries() -> None:
    """Hold libraries that a task has loaded to one thread until that task ends."""
    held = _task.get()
    if held is not None:
        held.enter_context(one_thread())


def _single_threaded(function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
    """Run one task with every numerical library held to one thread."""
    with _held() as held:
        held.callback(_listener.reset, _listener.set(None))
        held.callback(_takes_part.reset, _takes_part.set(False))
        return function(*arguments)


def run_in_parts(function: Callable[[Listener], Result]) -> Result:
    """Run one task here, on one thread, that tells itself how far it is.

    Parameters
    ----------
    function
        Called with a function to be told (parts done, parts in all), which passes
        them on to the listener of `report_progress`.

    Examples
    --------
    >>> with report_progress(lambda done, total: print(done, "of", total)):
    ...     result = run_in_parts(lambda on_done: on_done(1, 2) or "result")
    1 of 2
    >>> result
    'result'
    """
    listener = _listener.get() or (lambda done, total: None)
    return _single_threaded(function, (listener,))


def prepare_workers(n_jobs: int, engines: Iterable[str] = ()) -> None:
    """Let what workers share be imported while this process goes on.

    Parameters
    ----------
    n_jobs
        Number of jobs; nothing is done for one, nor when there are workers already.
    engines
        Outside engines that they need.

    Examples
    --------
    >>> prepare_workers(1)
    """
    if n_jobs == 1 or have_workers():
        return
    if _pool.get() is None and workers() is not None:
        fork_server(engines)


class WorkerLostError(RuntimeError):
    """A worker process ended in the middle of a task, most likely for want of memory."""

    def __init__(self) -> None:
        super().__init__("its worker process ended first, most likely because memory ran out")


def run_tasks(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    *,
    n_jobs: int = 1,
    on_done: Callable[[int, int], None] | None = None,
    on_lost: Callable[[WorkerLostError], Result] | None = None,
) -> list[Result]:
    """Results of ``function(*task)`` for every task, in the order of the tasks.

    Each task runs on one thread, in this process when ``n_jobs`` is 1 and in
    joblib's workers (or where `run_on`, `taking_part` or `joblib.parallel_config` say) otherwise;
    the same code path and thread count make the results equal bit for bit. When
    a worker is ended from outside (as the system does with one that takes too
    much memory), the tasks that are left run one at a time, so that one task's
    greed costs the others time and nothing else.

    Parameters
    ----------
    function
        A picklable function.
    tasks
        Argument tuples.
    n_jobs
        Number of tasks at once.
    on_done
        Called with (tasks done, tasks in all) after each task.
    on_lost
        Makes the result of a task whose worker was lost when it ran alone; None
        raises the error.

    Returns
    -------
    list
        One result a task.

    Raises
    ------
    WorkerLostError
        If a task ends its worker although it runs alone, and ``on_lost`` is None.
    TrialError
        If there is no shared memory left for workers.

    Examples
    --------
    >>> run_tasks(pow, [(2, 3), (3, 2)])
    [8, 9]
    """
    check_jobs(n_jobs)
    total = len(tasks)
    listeners = [listener for listener in (on_done, _listener.get()) if listener is not None]
    found: dict[int, Result] = {}

    def collect(produced: Iterable[tuple[int, Result]]) -> None:
        for position, result in produced:
            found[position] = result
            for listener in listeners:
                listener(len(found), total)

    pool, whole = _pool.get(), [(function, task) for task in tasks]
    if n_jobs == 1 or total <= 1:
        collect((k, _single_threaded(function, task)) for k, task in enumerate(tasks))
    elif pool is not None:
        collect((k, _kept(result, on_lost)) for k, result in pool(_single_threaded, whole))
    else:
        give_back_memory()
        backend = fewer_workers() if _takes_part.get() else None
        try:
            if backend is None:
                collect(enumerate(_by_workers(whole, n_jobs)))
            else:
                with closing(share(_single_threaded, whole, n_jobs, backend)) as produced:
                    collect(produced)
        except BrokenProcessPool:
            left = [k for k in range(total) if k not in found]
            collect((k, _alone(function, tasks[k], n_jobs, on_lost)) for k in left)
    return [found[k] for k in range(total)]


def _by_workers(
    whole: Sequence[tuple[Callable[..., Result], tuple[Any, ...]]], n_jobs: int
) -> Iterable[Result]:
    parallel = joblib.Parallel(
        n_jobs=n_jobs, backend=workers(), return_as="generator", pre_dispatch="all"
    )
    produced: Iterable[Result] = parallel(joblib.delayed(_single_threaded)(*one) for one in whole)
    return produced


def _kept(result: Any, on_lost: Callable[[WorkerLostError], Result] | None) -> Result:
    """A result as it is, or what is made of a lost one."""
    if isinstance(result, WorkerLostError):
        if on_lost is None:
            raise result
        return on_lost(result)
    kept: Result = result
    return kept


def _alone(
    function: Callable[..., Result],
    task: tuple[Any, ...],
    n_jobs: int,
    on_lost: Callable[[WorkerLostError], Result] | None,
) -> Result:
    try:
        return _kept(run_alone(_single_threaded, (function, task), n_jobs), on_lost)
    except WorkerLostError as error:
        return _kept(error, on_lost)


def run_alone(function: Callable[..., Result], task: tuple[Any, ...], n_jobs: int = 2) -> Result:
    """Result of one task that has the machine to itself, in a worker that may be lost.

    Parameters
    ----------
    function
        A picklable function.
    task
        Its arguments.
    n_jobs
        Number of workers kept, at least two; one of them works.

    Returns
    -------
    object

    Raises
    ------
    WorkerLostError
        If the worker process ends before the task is done.

    Examples
    --------
    >>> run_alone(pow, (2, 3))
    8
    """
    try:
        parallel = joblib.Parallel(n_jobs=n_jobs, backend=WatchedWorkers())
        (result,) = parallel([joblib.delayed(function)(*task)])
    except BrokenProcessPool:
        raise WorkerLostError from None
    found: Result = result
    return found
