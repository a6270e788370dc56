"""Tasks that workers can import, for the tests of batches that this process takes part in."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tauhat.runtime.parallel import run_tasks


def who(number: int) -> tuple[int, int]:
    """Its number, and the process that did it."""
    time.sleep(0.05)
    return number, os.getpid()


def fails_here(number: int, folder: Path, main: int) -> int:
    """Leaves a file, and fails in this process."""
    return _fails(number, folder, main, here=True)


def fails_there(number: int, folder: Path, main: int) -> int:
    """Leaves a file, and fails in another process."""
    return _fails(number, folder, main, here=False)


def _fails(number: int, folder: Path, main: int, *, here: bool) -> int:
    time.sleep(0.05)
    (folder / str(number)).touch()
    if (os.getpid() == main) == here:
        raise ValueError(f"failed {'here' if here else 'there'}")
    return number


def one_is_killed(number: int, folder: Path, main: int) -> int:
    """Ends a worker the first time."""
    time.sleep(0.05)
    if os.getpid() != main and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def nested(number: int) -> list[tuple[int, int]]:
    """A batch within a task, and the process of the task."""
    return [*run_tasks(who, [(number,), (-number,)], n_jobs=2), (0, os.getpid())]
