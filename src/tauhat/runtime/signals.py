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

    joblib may wait for ever when it is interrupted while it starts its workers. Workers
    do not inherit this. In a thread that is not the main
    one nothing is done: signals do not interrupt it.

    Examples
    --------
    >>> import signal
    >>> try:
    ...     with deferred_signals():
    ...         signal.raise_signal(signal.SIGINT)
    ...         print("whole")
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    whole
    interrupted
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def record(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {s: signal.getsignal(s) for s in ENDING_SIGNALS}
    # None is a handler that was not set by Python, which could not be put back.
    held = [s for s, handler in before.items() if handler not in (None, signal.SIG_IGN)]
    for number in held:
        signal.signal(number, record)
    try:
        yield
    finally:
        for number in held:
            signal.signal(number, before[number])
        for number in received[:1]:
            signal.raise_signal(number)
