"""How joblib's pool starts its processes through the fork server; for systems that fork only."""

from __future__ import annotations

import contextlib
import io
import os
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import popen_forkserver, util
from multiprocessing.connection import wait
from multiprocessing.context import set_spawning_popen

from joblib.externals.loky.backend import reduction, spawn
from joblib.externals.loky.backend.context import LokyContext
from joblib.externals.loky.backend.process import LokyProcess

from tauhat.runtime.fork_server import fork_server
from tauhat.runtime.forked import InheritedDescriptor


class ForkedProcess(LokyProcess):  # type: ignore[misc]
    """A worker that the fork server starts."""

    # Whether no other worker will be wanted.
    is_alone = False

    @staticmethod
    def _Popen(process: ForkedProcess) -> _ForkedWorker:  # noqa: N802
        return _ForkedWorker(process)


class ForkingContext(LokyContext):  # type: ignore[misc]
    """joblib's way to make queues, locks and processes, with `ForkedProcess` for these."""

    Process = ForkedProcess


class LoneProcess(ForkedProcess):
    """The one and only worker."""

    is_alone = True


class LoneContext(ForkingContext):
    """The same for a single worker."""

    Process = LoneProcess


class _ForkedWorker(popen_forkserver.Popen):
    """Starts a worker through the server, and waits for it."""

    DupFd = InheritedDescriptor  # type: ignore[assignment]

    def _launch(self, process: ForkedProcess) -> None:
        server = fork_server()
        if server is None:
            raise BrokenProcessPool("there is no process that starts workers")
        # As joblib does, without the user's main module.
        preparation = spawn.get_preparation_data(process._name, process.init_main_module)
        self._fds = [preparation["tracker_fd"], preparation["mp_tracker_fd"]]
        words = io.BytesIO()
        set_spawning_popen(self)
        try:
            reduction.dump(({**os.environ, **process.env}, preparation), words)
            reduction.dump(process, words)
        finally:
            set_spawning_popen(None)
        self.pid, self.sentinel, source = server.fork(self._fds, alone=process.is_alone)
        # No other process waits for it.
        self._is_child = self.pid == server.number
        self.finalizer = util.Finalize(self, os.close, (self.sentinel,))
        with open(source, "wb") as stream:
            stream.write(words.getbuffer())

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        """255 when it has ended, whose own code is not known here; None before."""
        if self.returncode is None:
            timeout = 0 if flag == os.WNOHANG else None
            if not wait([self.sentinel], timeout):
                return None
            self.returncode = 255
            if self._is_child:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(self.pid, 0)
        return self.returncode
