"""joblib's worker processes: none starts where it cannot live, none outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import threading
import weakref
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from joblib._parallel_backends import LokyBackend
from joblib.parallel import get_active_backend

from tauhat.errors import TrialError
from tauhat.runtime.fork_server import fork_server, stop_fork_server
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
        server = fork_server()
        by_main_thread = threading.current_thread() is threading.main_thread()
        parent = (os.getpid(), by_main_thread) if server is None else (server.number, True)
        watch = {"initializer": end_with_parent, "initargs": parent}
        with deferred_signals():
            n_jobs: int = super().configure(*args, **{**watch, **settings})
        if server is not None:
            # Not on other systems, which have no such processes.
            from tauhat.runtime.forking_context import ForkingContext

            self._workers._context = ForkingContext()
        global _started
        _started = weakref.ref(self._workers)
        return n_jobs

    def submit(self, *args: Any, **settings: Any) -> Future[Any]:
        """Hand over a task; the first one starts threads and processes."""
        with deferred_signals():
            future: Future[Any] = super().submit(*args, **settings)
        return future


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


def workers() -> LokyBackend | None:
    """Backend for `joblib.Parallel`; None where `joblib.parallel_config` names another one.

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
    return WatchedWorkers(
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
