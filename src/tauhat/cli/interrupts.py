"""Ctrl-C and SIGTERM end a run cleanly: workers stop, nothing half-written stays."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """The process was asked to end by SIGTERM."""


@contextmanager
def clean_interrupts() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that ``finally`` blocks run; stop workers on the way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        stop_workers()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def stop_workers() -> None:
    """End joblib's worker processes at once instead of after their present fit."""
    from joblib.externals.loky import reusable_executor

    executor = reusable_executor._executor
    if executor is not None:
        executor.shutdown(wait=False, kill_workers=True)
