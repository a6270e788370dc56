"""Workers as copies of the command itself, once it has imported the libraries."""

from __future__ import annotations

import sys
import threading

# Whether no numerical library was there when the command began.
_began_afresh = False


def note_beginning() -> None:
    """Remember what the command finds: to be called before it imports a numerical library."""
    global _began_afresh
    _began_afresh = "numpy" not in sys.modules


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
    from tauhat.runtime.engines import USUAL, engine
    from tauhat.runtime.fork_server import can_fork, fork_here

    alone = threading.active_count() == 1
    if jobs > 1 and backend in (None, "loky") and afresh and alone and can_fork():
        for name in USUAL:
            engine(name)
        fork_here()
