"""A process that imports the libraries once and forks workers, which share its memory.

Only on Linux: macOS and Windows have libraries that do not survive a fork.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing import util

from joblib.parallel import ParallelBackendBase

from tauhat.runtime.forked import BE_THE_WORKER, FORK, fork, serve
from tauhat.runtime.signals import deferred_signals

# So that no library starts threads, which a fork does not copy.
_ONE_THREAD = dict.fromkeys(ParallelBackendBase.MAX_NUM_THREADS_VARS, "1")

# Seconds for a server to end by itself.
_PATIENCE = 0.5
# They bring matplotlib.
_NOT_FOR_WORKERS = (
    "tauhat.analysis",
    "tauhat.report",
    "tauhat.cli",
    "tauhat.protocol",
    "tauhat.saving",
    "tauhat.study.figures",
    "tauhat.study.page",
)

_server: ForkServer | None = None
_one_starts = threading.Lock()


class ForkServer:
    """A running fork server.

    Parameters
    ----------
    number
        Of its process.
    channel
        Our end of the socket on which it takes requests.
    ended
        Says whether it has ended.
    is_copy
        Whether it is a copy of this process.

    Attributes
    ----------
    number
        Of its process.
    """

    def __init__(
        self,
        number: int,
        channel: socket.socket,
        ended: Callable[[], bool],
        *,
        is_copy: bool = False,
    ) -> None:
        self.number = number
        self._is_copy = is_copy
        self._is_worker = False
        self._channel = channel
        self._ended = ended
        self._owner = os.getpid()

    @property
    def serves(self) -> bool:
        """Whether this process started it and it takes requests."""
        if os.getpid() != self._owner or self._is_worker:
            return False
        try:
            return bool(self._channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def fork(self, descriptors: Iterable[int], *, alone: bool = False) -> tuple[int, int, int]:
        """Start a worker.

        Parameters
        ----------
        descriptors
            Descriptors that it gets.
        alone
            Whether there will be no other: a copy of this process then becomes the worker
            and serves no more, which spares the memory of one process.

        Returns
        -------
        tuple of int
            Its number, a pipe that ends when it does, and a pipe to what it shall run.

        Raises
        ------
        BrokenProcessPool
            If the server is gone.
        """
        status, told = os.pipe()
        source, words = os.pipe()
        request = BE_THE_WORKER if alone and self._is_copy else FORK
        try:
            socket.send_fds(self._channel, [request], [told, source, *descriptors])
            os.close(told)
            told = -1
            number = os.read(status, 32)
        except OSError:
            number = b""
        finally:
            os.close(source)
            if told >= 0:
                os.close(told)
        if not number:
            os.close(status)
            os.close(words)
            raise BrokenProcessPool("the process that starts workers has ended")
        self._is_worker = request == BE_THE_WORKER
        return int(number), status, words

    def stop(self) -> None:
        """End it, and the workers that it still has; one that became a worker ends as these do."""
        self._channel.close()
        if os.getpid() != self._owner or self._is_worker:
            return
        end = time.monotonic() + _PATIENCE
        while not self._ended():
            if time.monotonic() > end:
                # It may be importing.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.number, signal.SIGKILL)
            time.sleep(0.005)


def can_fork() -> bool:
    """Whether workers can be forked on this system."""
    return sys.platform == "linux" and not getattr(sys, "frozen", False)


def fork_server(engines: Iterable[str] = ()) -> ForkServer | None:
    """The fork server, started when there is none; None where there cannot be one.

    Parameters
    ----------
    engines
        Modules that it imports before it forks, when it is started here, beside those of
        this package that this process has.
    """
    global _server
    if not can_fork():
        return None
    with _one_starts:
        if _server is None or not _server.serves:
            stop_fork_server()
            with deferred_signals():
                _server = _started([*_imported(), *engines])
        return _server


def _imported() -> list[str]:
    """Modules of this package that were imported here, but for those that workers never need."""
    names = [name for name in sys.modules if name.startswith("tauhat.")]
    return [name for name in names if not name.startswith(_NOT_FOR_WORKERS)]


def _started(modules: list[str]) -> ForkServer:
    """A server in a new process, which imports what it needs."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    by_main_thread = threading.current_thread() is threading.main_thread()
    with theirs:
        code = (
            f"import sys; sys.path[:] = {sys.path!r}\n"
            "from tauhat.runtime.engines import engine\n"
            "from tauhat.runtime.forked import serve\n"
            f"serve({theirs.fileno()}, {os.getpid()}, engine, {modules!r}, "
            f"by_main_thread={by_main_thread})"
        )
        flags = util._args_from_interpreter_flags()  # type: ignore[attr-defined]
        words = [sys.executable, *flags, "-c", code]
        process = subprocess.Popen(
            words,
            env={**os.environ, **_ONE_THREAD},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    return ForkServer(process.pid, ours, lambda: process.poll() is not None)


def fork_here() -> None:
    """Make the fork server of a copy of this process, which shares what was imported.

    Only for a process that has imported and not yet computed, in its only thread of
    Python: see `serve`. Elsewhere `fork_server` starts a new process.
    """
    global _server
    stop_fork_server()
    gc.collect()
    # Collections here would write to the pages that are shared.
    gc.freeze()
    # What waits in them would be written by each copy.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with deferred_signals():
        parent = os.getpid()
        number = fork()
        if number == 0:
            try:
                ours.close()
                serve(theirs.detach(), parent, import_module, by_main_thread=True)
            finally:
                os._exit(1)
        theirs.close()
        _server = ForkServer(number, ours, lambda: _has_ended(number), is_copy=True)


def _has_ended(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except ChildProcessError:
        # Somebody else waited for it.
        return True


def stop_fork_server() -> None:
    """End the fork server, if there is one."""
    global _server
    server, _server = _server, None
    if server is not None:
        server.stop()


atexit.register(stop_fork_server)
