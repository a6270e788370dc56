"""joblib's worker processes: none starts where it cannot live, none outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import shutil
import sys
import threading
import weakref
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import joblib
from joblib._parallel_backends import LokyBackend
from joblib.executor import get_memmapping_executor
from joblib.parallel import get_active_backend

from tauhat.errors import TrialError
from tauhat.runtime.fork_server import can_fork, stop_fork_server
from tauhat.runtime.parent_watch import end_with_parent
from tauhat.runtime.signals import deferred_signals

# Where Linux keeps the locks that processes share; each takes a page.
SHARED_MEMORY = Path("/dev/shm")
LEAST_SHARED_MEMORY = 1024**2

# The processes that were started last, as long as there are any.
_started: weakref.ref[Any] | None = None


class WatchedWorkers(LokyBackend):  # type: ignore[misc]
    """joblib's own workers, forked where they can be, which end when this process does.

    Left to themselves, workers whose parent was killed wait for five minutes and
    hold its memory and its pipes.
    """

    def configure(self, *args: Any, **settings: Any) -> int:
        """Make ready to start the workers."""
        check_shared_memory()
        with deferred_signals():
            n_jobs: int = super().configure(*args, **{**_watch(), **settings})
        self._remember(alone=False)
        return n_jobs

    def _remember(self, *, alone: bool) -> None:
        """See that processes are forked where they can be, and that they can be released."""
        if can_fork():
            # Not on other systems, which have no such processes.
            from tauhat.runtime.forking_context import ForkingContext, LoneContext

            self._workers._context = LoneContext() if alone else ForkingContext()
        global _started
        _started = weakref.ref(self._workers)

    def submit(self, *args: Any, **settings: Any) -> Future[Any]:
        """Hand over a task; the first one starts threads and processes."""
        with deferred_signals():
            future: Future[Any] = super().submit(*args, **settings)
        return future


class FewerWorkers(WatchedWorkers):
    """One worker fewer than jobs: this process does what the last one would."""

    def configure(
        self,
        n_jobs: int = 1,
        parallel: joblib.Parallel | None = None,
        prefer: Any = None,
        require: Any = None,
        **settings: Any,
    ) -> int:
        """Make ready to start the workers, which joblib itself would not do for one."""
        check_shared_memory()
        assert parallel is not None
        kept = {**getattr(self, "backend_kwargs", {}), **settings, **_watch()}
        with deferred_signals():
            self._workers = get_memmapping_executor(
                n_jobs - 1,
                # In seconds; joblib's own default.
                timeout=kept.pop("idle_worker_timeout", None) or 300,
                env=self._prepare_worker_env(n_jobs=n_jobs),
                context_id=parallel._id,
                **kept,
            )
        self.parallel = parallel
        self._remember(alone=n_jobs == 2)
        return n_jobs


def _watch() -> dict[str, Any]:
    """How joblib's own workers come to end with this process; those that are forked do anyhow."""
    if can_fork():
        return {}
    by_main_thread = threading.current_thread() is threading.main_thread()
    return {"initializer": end_with_parent, "initargs": (os.getpid(), by_main_thread)}


def have_workers() -> bool:
    """Whether there are worker processes, at work or waiting for it.

    Examples
    --------
    >>> release_workers()
    >>> have_workers()
    False
    """
    executor = None if _started is None else _started()
    return executor is not None and not executor._flags.shutdown and bool(executor._processes)


def release_workers() -> None:
    """Let idle workers end, which hold up to hundreds of MB each; the next task starts new ones.

    Examples
    --------
    >>> release_workers()
    """
    global _started
    executor = None if _started is None else _started()
    _started = None
    if executor is not None:
        executor.terminate()
    stop_fork_server()


def give_back_memory() -> None:
    """Return memory that was freed to the system, which glibc keeps: a quarter in large trials.

    Examples
    --------
    >>> give_back_memory()
    """
    if sys.platform != "linux":
        return
    # Other C libraries have no such function.
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def fewer_workers() -> FewerWorkers | None:
    """Backend with one worker fewer than jobs; None where this process cannot take part.

    That is where `joblib.parallel_config` names another backend, and inside its workers.

    Examples
    --------
    >>> import joblib
    >>> fewer_workers() is None
    False
    >>> with joblib.parallel_config(backend="threading"):
    ...     print(fewer_workers())
    None
    """
    active, _ = get_active_backend()
    if active.nesting_level or multiprocessing.current_process().daemon:
        return None
    backend: FewerWorkers | None = workers(FewerWorkers)
    return backend


def workers(kind: type[WatchedWorkers] = WatchedWorkers) -> Any:
    """Backend for `joblib.Parallel`; None where `joblib.parallel_config` names another one.

    Parameters
    ----------
    kind
        Its class.

    Examples
    --------
    >>> import joblib
    >>> joblib.Parallel(n_jobs=2, backend=workers())(joblib.delayed(pow)(2, k) for k in (3, 4))
    [8, 16]
    >>> with joblib.parallel_config(backend="threading"):
    ...     print(workers())
    None
    """
    active, _ = get_active_backend()
    if type(active) is not LokyBackend:
        return None
    return kind(
        nesting_level=active.nesting_level,
        inner_max_num_threads=active.inner_max_num_threads,
        **getattr(active, "backend_kwargs", {}),
    )


def check_shared_memory() -> None:
    """Raise a `TrialError` when there is no room for the locks that workers share.

    Examples
    --------
    >>> check_shared_memory()
    """
    if not SHARED_MEMORY.is_dir():
        return
    free = free_space(SHARED_MEMORY)
    if free < LEAST_SHARED_MEMORY:
        raise TrialError(
            f"{SHARED_MEMORY} is full ({free // 1024} kB are free): several jobs at once need "
            f"{LEAST_SHARED_MEMORY // 1024} kB there. Remove files from it, or do one job at a "
            "time (--jobs 1, n_jobs=1)"
        )


def free_space(folder: Path) -> int:
    """Bytes that can still be written to a folder."""
    return shutil.disk_usage(folder).free
