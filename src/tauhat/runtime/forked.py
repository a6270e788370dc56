"""What runs in the fork server and in the workers that it forks."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import pickle
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Sequence
from multiprocessing import process
from typing import Any, Final, NoReturn

from tauhat.runtime.parent_watch import end_with_parent

# What a worker is handed: where to say its number, what to run, two trackers, a few queues.
MOST_DESCRIPTORS: Final = 64
# Requests: fork a worker; be the worker yourself.
FORK: Final = b"f"
BE_THE_WORKER: Final = b"b"

# Descriptors that came with this worker's task, as `InheritedDescriptor` counts them.
_inherited: list[int] = []
# Of the server.
_workers: set[int] = set()


class InheritedDescriptor:
    """A descriptor of the parent on its way to a forked worker, where its number is another.

    Parameters
    ----------
    position
        Which of the descriptors that were sent.
    """

    def __init__(self, position: int) -> None:
        self._position = position

    def detach(self) -> int:
        """Its number in the worker."""
        return _inherited[self._position]


def serve(
    channel: int,
    parent: int,
    load: Callable[[str], Any],
    modules: Sequence[str] = (),
    *,
    by_main_thread: bool,
) -> NoReturn:
    """Import modules, then fork a worker at each request until the parent closes the channel.

    One that is asked to be the worker itself forks no more. Until then nothing is computed
    here: a numerical library that has begun to work with threads does not survive a fork.

    Parameters
    ----------
    channel
        Descriptor of a socket that keeps messages apart. A request is one byte and the
        descriptors of the worker.
    parent
        Number of the process that started this one.
    load
        Imports a module.
    modules
        Names of those to import first.
    by_main_thread
        Whether the main thread of the parent did.
    """
    if by_main_thread:
        # A thread that looks would not be in the workers; else the channel's end must do.
        end_with_parent(parent, by_main_thread)
    # Whoever started it ends it. A hang-up that is ignored stays so (nohup).
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, lambda number, frame: _take_leave())
    for name in modules:
        # What is missing, a worker says when it needs it.
        with contextlib.suppress(ImportError):
            load(name)
    gc.collect()
    # A collection in a worker would write to every page that it shares.
    gc.freeze()
    with socket.socket(fileno=channel) as requests:
        while True:
            message, descriptors, _, _ = socket.recv_fds(requests, 1, MOST_DESCRIPTORS)
            if not message:
                break
            # A worker that ends at once must be known before it is taken leave of.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
            here = os.getpid()
            worker = 0 if message == BE_THE_WORKER else fork()
            if worker == 0:
                requests.close()
                if message == FORK:
                    end_with_parent(here, by_main_thread=True)
                _work(descriptors, mask)
            _workers.add(worker)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for descriptor in descriptors:
                os.close(descriptor)
    for worker in list(_workers):
        os.kill(worker, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    os._exit(0)


def fork() -> int:
    """Fork; Python cannot know that the threads of pyarrow's allocators survive it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _take_leave() -> None:
    """Let the system forget workers that have ended, once their CPU time is counted here."""
    with contextlib.suppress(ChildProcessError):
        while worker := os.waitpid(-1, os.WNOHANG)[0]:
            _workers.discard(worker)


def _work(descriptors: list[int], mask: set[Any]) -> NoReturn:
    """Run the process that comes through a pipe, and end."""
    code = 1
    try:
        _workers.clear()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        status, source, *tracked = descriptors
        # It stays open: the parent is told of this worker's end by that of the pipe.
        os.write(status, str(os.getpid()).encode())
        worker = _received(source, tracked)
        code = worker._bootstrap()
        atexit._run_exitfuncs()
    except EOFError:
        # The parent is gone.
        pass
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _received(source: int, tracked: list[int]) -> Any:
    """The worker's process object, once all that it needs is in place here."""
    from joblib.externals.loky.backend import spawn

    _inherited[:] = tracked
    with os.fdopen(source, "rb") as stream:
        environment, preparation = pickle.load(stream)
        os.environ.clear()
        os.environ.update(environment)
        preparation["tracker_fd"], preparation["mp_tracker_fd"] = tracked[:2]
        current: Any = process.current_process()
        current._inheriting = True
        try:
            spawn.prepare(preparation)
            return pickle.load(stream)
        finally:
            del current._inheriting
