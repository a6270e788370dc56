"""Tasks that workers can import, for the tests of the process that forks them."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def about(word: str) -> Any:
    """What a worker sees of itself."""
    if word == "parents":
        # Its parent and that one's.
        stat = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2]
        return os.getppid(), int(stat.split()[1])
    if word == "threads":
        return len(os.listdir("/proc/self/task"))
    if word == "modules":
        return sorted({name.partition(".")[0] for name in sys.modules} & {"lightgbm", "matplotlib"})
    return os.getcwd(), os.environ.get("TAUHAT_TEST_WORD"), sys.path[0], signal.getsignal(2)


def end_the_server(number: int) -> int:
    """End what forked this worker, the first time."""
    marker = Path(os.environ["TAUHAT_TEST_WORD"])
    if number == 2 and not marker.exists():
        marker.touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return number**2


def without_thread_limits() -> dict[str, str]:
    """Variables for a new interpreter: no limits on threads, and no warnings of old libraries."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return {**kept, "PYTHONWARNINGS": "ignore"}
