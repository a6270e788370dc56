"""Processes that end when the one that started them does."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_SECONDS_BETWEEN_LOOKS = 0.5
_PR_SET_PDEATHSIG = 1


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
    told = by_main_thread and _told_by_the_system()
    if os.getppid() != parent:
        os._exit(1)
    if not told:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _told_by_the_system() -> bool:
    """Ask to be killed when the parent's thread ends; whether the system will do so."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) == 0)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
