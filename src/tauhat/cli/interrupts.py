"""Ctrl-C, SIGTERM and a closed terminal end a run cleanly: workers stop, no half-written files."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tauhat.runtime.signals import ENDING_SIGNALS


class Terminated(BaseException):
    """The process was asked to end by SIGTERM, or by SIGHUP when its terminal was closed.

    Parameters
    ----------
    number
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


_received: list[int] = []


@contextmanager
def clean_interrupts() -> Iterator[None]:
    """Turn the signals into exceptions, so that ``finally`` blocks run; stop workers on the way.

    A hang-up that is ignored stays so: that is what ``nohup`` asks for. In a thread
    that is not the main one, signals are left as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def receive(number: int, frame: FrameType | None) -> None:
        _received.append(number)
        raise_if_interrupted()

    _received.clear()
    hang_up = getattr(signal, "SIGHUP", None)
    before = {
        s: signal.signal(s, receive)
        for s in ENDING_SIGNALS
        if s != hang_up or signal.getsignal(s) is not signal.SIG_IGN
    }
    try:
        yield
        # A compiled library may have swallowed the exception.
        raise_if_interrupted()
    except (KeyboardInterrupt, Terminated):
        stop_workers()
        raise
    except Exception:
        # What a library raises while it is interrupted is no error of its own.
        if _received:
            stop_workers()
        raise_if_interrupted()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def raise_if_interrupted() -> None:
    """Raise the exception of a signal that was received."""
    if _received:
        raise KeyboardInterrupt if _received[0] == signal.SIGINT else Terminated(_received[0])


def stop_workers() -> None:
    """End joblib's worker processes at once instead of after their present fit."""
    from joblib.externals.loky import reusable_executor

    executor = reusable_executor._executor
    if executor is not None:
        executor.shutdown(wait=False, kill_workers=True)
