"""Signals that ask this process to end, and a way to let them wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What asks a process to end; Windows has no SIGHUP.
ENDING_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Let signals that ask this process to end wait until the block is done.

    joblib may wait for ever when it is interrupted while it starts its workers. Processes
    that start meanwhile never hear Ctrl-C, which a terminal sends to them too: one that is
    still importing would print where it was. Who started them ends them. In a thread that
    is not the main one nothing is done: signals do not interrupt it.

    Examples
    --------
    >>> import signal
    >>> before = signal.signal(signal.SIGINT, signal.default_int_handler)
    >>> try:
    ...     with deferred_signals():
    ...         signal.raise_signal(signal.SIGINT)
    ...         print("whole")
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    whole
    interrupted
    >>> handler = signal.signal(signal.SIGINT, before)
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    can_block = hasattr(signal, "pthread_sigmask")
    if can_block:
        from multiprocessing import resource_tracker

        # The process that Python 3.11 starts for itself beside workers unblocks the signals.
        resource_tracker.ensure_running()
    received: list[int] = []

    def record(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {s: signal.getsignal(s) for s in ENDING_SIGNALS}
    # None is a handler that was not set by Python, which could not be put back.
    held = [s for s, handler in before.items() if handler not in (None, signal.SIG_IGN)]
    for number in held:
        signal.signal(number, record)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if can_block else ()
    try:
        yield
    finally:
        if can_block:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number in held:
            signal.signal(number, before[number])
        for number in received[:1]:
            signal.raise_signal(number)
