"""Workers as copies of the command itself, once it has imported the libraries."""

from __future__ import annotations

import os
import sys
import threading

# Whether no numerical library was there when the command began.
_began_afresh = False


def note_beginning() -> None:
    """Remember what the command finds: to be called before it imports a numerical library."""
    global _began_afresh
    _began_afresh = "numpy" not in sys.modules


def hold_to_one_thread() -> None:
    """Give numerical libraries that are yet to be imported one thread each, unless told otherwise.

    Fits have one each anyhow; and copies of a process whose libraries have threads
    would start as many again.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def fork_early(jobs: int, backend: str | None = None) -> None:
    """Make the copy from which workers are forked; to be called before the first computation.

    Where the command is called from another program, its workers come from a process of
    their own (`tauhat.runtime.fork_server`).

    Parameters
    ----------
    jobs
        Number of workers.
    backend
        Where they run; None for this machine.
    """
    global _began_afresh
    afresh, _began_afresh = _began_afresh, False
    if jobs == 1 or backend not in (None, "loky") or not afresh:
        return
    from threadpoolctl import ThreadpoolController

    from tauhat.runtime.engines import USUAL, engine
    from tauhat.runtime.fork_server import can_fork, fork_here

    if not can_fork():
        return
    libraries = ThreadpoolController().select(user_api="blas").info()
    if threading.active_count() == 1 and all(one["num_threads"] == 1 for one in libraries):
        for name in USUAL:
            engine(name)
        fork_here()
