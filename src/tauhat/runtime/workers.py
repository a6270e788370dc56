"""joblib's worker processes: none starts where it cannot live, none outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import threading
import time
import weakref
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from joblib._parallel_backends import LokyBackend
from joblib.parallel import get_active_backend

from tauhat.errors import TrialError
from tauhat.runtime.signals import deferred_signals

# Where Linux keeps the locks that processes share; each takes a page.
SHARED_MEMORY = Path("/dev/shm")
LEAST_SHARED_MEMORY = 1024**2
_SECONDS_BETWEEN_LOOKS = 0.5
_PR_SET_PDEATHSIG = 1

# The processes that were started last, as long as there are any.
_started: weakref.ref[Any] | None = None


class WatchedWorkers(LokyBackend):  # type: ignore[misc]
    """joblib's own workers, which end when the process that started them does.

    Left to themselves, workers whose parent was killed wait for five minutes and
    hold its memory and its pipes.
    """

    def configure(self, *args: Any, **settings: Any) -> int:
        """Start the workers."""
        check_shared_memory()
        by_main_thread = threading.current_thread() is threading.main_thread()
        watch = {"initializer": end_with_parent, "initargs": (os.getpid(), by_main_thread)}
        with deferred_signals():
            n_jobs: int = super().configure(*args, **{**watch, **settings})
        global _started
        _started = weakref.ref(self._workers)
        return n_jobs

    def submit(self, *args: Any, **settings: Any) -> Future[Any]:
        """Hand over a task; the first one starts threads and processes."""
        with deferred_signals():
            future: Future[Any] = super().submit(*args, **settings)
        return future


def release_workers() -> None:
    """Let idle workers end, which hold hundreds of MB each; the next task starts new ones.

    Examples
    --------
    >>> release_workers()
    """
    global _started
    executor = None if _started is None else _started()
    _started = None
    if executor is not None:
        executor.terminate()


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


def end_with_parent(parent: int, by_main_thread: bool) -> None:
    """Let this process end as soon as its parent does; it ends at once when that is gone.

    Linux sends the signal itself, even in the middle of compiled code, but does so
    when the parent's *thread* ends that started this process; so only a main
    thread can be trusted with it. Otherwise a thread here looks now and then.

    Parameters
    ----------
    parent
        Number of the process that started this one.
    by_main_thread
        Whether its main thread did.
    """
    if sys.platform == "win32":
        return
    told = (
        sys.platform == "linux"
        and by_main_thread
        and ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) == 0
    )
    if os.getppid() != parent:
        os._exit(1)
    if not told:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)


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
