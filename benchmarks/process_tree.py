"""CPU seconds and resident memory of a process and everything it starts, read from /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What a command took, with all of its processes.

    Pages that processes share count in each of them in ``peak_mebibytes``, and once in
    ``peak_proportional``.
    """

    seconds: float
    cpu_seconds: float
    peak_mebibytes: float
    peak_proportional: float


def proportional(process: int) -> int:
    """Bytes of a process, those it shares divided by the number that share them; 0 once it ended.

    For a process alone in the system they are its resident bytes.
    """
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def tree(root: int) -> dict[int, tuple[int, float]]:
    """Resident bytes and CPU seconds of a process and its descendants, by process number."""
    parents: dict[int, int] = {}
    found: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name, in brackets, may hold spaces.
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it ended while we looked
        parents[int(entry.name)] = int(fields[1])
        resident = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        found[int(entry.name)] = resident, (int(fields[11]) + int(fields[12])) / _TICKS
    inside = {}
    for process, numbers in found.items():
        ancestor = process
        while ancestor not in (0, root):
            ancestor = parents.get(ancestor, 0)
        if ancestor == root:
            inside[process] = numbers
    return inside


def measure(
    command: list[str], interval: float = 0.1, environment: Mapping[str, str] | None = None
) -> Cost:
    """Run a command to its end; an error with its messages when it fails."""
    start = time.perf_counter()
    peak = shared = 0
    # Workers that are killed rather than waited for never reach the parent's own counters;
    # what a process does after the last look at it is only in them.
    used: dict[int, float] = {}
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=messages, env=environment
        )
        while True:
            ended, status, own = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            now = tree(process.pid)
            peak = max(peak, sum(resident for resident, _ in now.values()))
            shared = max(shared, sum(map(proportional, now)))
            used.update({number: cpu for number, (_, cpu) in now.items()})
            time.sleep(interval)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        if process.returncode:
            messages.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{messages.read().decode()}")
    cpu_seconds = max(sum(used.values()), own.ru_utime + own.ru_stime)
    return Cost(seconds, cpu_seconds, peak / 2**20, shared / 2**20)


def exponent(sizes: list[float], costs: list[float]) -> float:
    """Least-squares slope of log cost on log size: 1 is proportional growth."""
    if len(set(sizes)) < 2 or min(costs) <= 0:
        return float("nan")
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])
