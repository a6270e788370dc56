"""Processes that are killed and disks that are full, for tests of both."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tauhat.cli import main

NAMES = ("report.html", "effects.csv", "run.json")
OLD, NEW = (dict.fromkeys(NAMES, text) for text in ("old", "new" * 1000))


def in_child(work: Callable[[], int | None]) -> int:
    """Start ``work`` in a forked process; its number."""
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            code = work() or 0
        os._exit(code)
    return child


def outcome(child: int) -> int:
    """Wait for a process: its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_quietly(words: list[str]) -> tuple[int, str]:
    """Exit code and standard error of a command, run in this process."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(words)
    return code, said.getvalue()


def told(words: list[str], note: Path, before: Callable[[], None] = lambda: None) -> Any:
    """Work for a child: run a command after ``before``, its standard error to a file."""

    def work() -> int:
        before()
        code, said = run_quietly(words)
        # The limit is for the command, not for the test.
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        note.write_text(said)
        return code

    return work


def largest_file(size: int) -> Callable[[], None]:
    """Let no file of this process grow beyond ``size`` bytes: what a full disk does to it."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def held(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A real file system with little room, where we may mount one."""
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
            capture_output=True,
        ).returncode
    )
    if not mounted:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
