"""No process is left behind, however a command with several jobs ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")

# Far more trials than there is time for.
POWER = ["power", "--clusters", "30", "--size", "30", "--icc", "0.05", "--icc-x", "0.1"]
POWER += ["--delta", "0.3", "--simulate", "5000", "--jobs", "2"]
COMMAND = [sys.executable, "-m", "tauhat", *POWER]
TASKS = "import time; from tauhat.runtime.parallel import run_tasks; "
TASKS += "run_tasks(time.sleep, [(99,)] * 2{})"
SHARED = "import time; from tauhat.runtime.parallel import run_tasks, taking_part\n"
SHARED += "with taking_part(): run_tasks(time.sleep, [(99,)] * 2, n_jobs=2)"
COPY = "from tauhat.runtime.fork_server import fork_here; fork_here(); "
IN_A_THREAD = "import threading; t = threading.Thread(target=lambda: {}); t.start(); t.join()"


class Family:
    """A command and all processes that it starts, known by a word in their environment."""

    def __init__(self, words: list[str]) -> None:
        self._word = f"TAUHAT_TEST_FAMILY={uuid.uuid4().hex}"
        name, _, value = self._word.partition("=")
        self.head = subprocess.Popen(
            words,
            env={**os.environ, name: value},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Whoever runs these tests under nohup would hand on that the signal is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )

    def members(self) -> list[int]:
        """Numbers of the living processes."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    environment = (folder / "environ").read_bytes()
                    state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                except OSError:
                    continue
                if self._word.encode() in environment and state != "Z":
                    found.append(int(folder.name))
        return found

    def has(self, count: int, seconds: float) -> bool:
        """Wait until there are ``count`` members, or at least that many if it is not 0."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            n = len(self.members())
            if n == count or 0 < count < n:
                return True
            time.sleep(0.1)
        return False


@pytest.fixture
def families() -> Iterator[list[Family]]:
    begun: list[Family] = []
    yield begun
    for family in begun:
        for number in family.members():
            os.kill(number, signal.SIGKILL)
        family.head.wait()
        assert family.head.stderr is not None
        family.head.stderr.close()


@pytest.mark.parametrize("begin", ["main thread", "another thread", "copy of the command"])
def test_workers_end_when_their_parent_is_killed(begin: str, families: list[Family]) -> None:
    script = TASKS.format(", n_jobs=2")
    if begin == "copy of the command":
        script = COPY + script
    if begin == "another thread":
        first, _, call = script.rpartition("; ")
        script = f"{first}; {IN_A_THREAD.format(call)}"
    family = Family([sys.executable, "-c", script])
    families.append(family)
    # It, what forks its workers, two trackers of its resources, and two workers.
    assert family.has(6, seconds=120)
    family.head.kill()
    assert family.has(0, seconds=60), family.members()


@pytest.mark.parametrize("begin", ["worker of its own", "copy of the command"])
def test_the_worker_ends_when_a_parent_that_works_too_is_killed(
    begin: str, families: list[Family]
) -> None:
    of_copy = begin == "copy of the command"
    family = Family([sys.executable, "-c", (COPY if of_copy else "") + SHARED])
    families.append(family)
    # It, two trackers of its resources, a worker, and what forks it if that is another.
    assert family.has(4 if of_copy else 5, seconds=120)
    family.head.kill()
    assert family.has(0, seconds=60), family.members()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_works_beside_its_worker_ends_when_it_is_told(
    number: signal.Signals, families: list[Family], tmp_path: Path
) -> None:
    family = Family([sys.executable, "-m", "tauhat", "demo", "--jobs", "2", "--out", str(tmp_path)])
    families.append(family)
    assert family.has(4, seconds=120)
    # It fits by then, and takes longer.
    time.sleep(1.0)
    assert len(family.members()) == 4
    family.head.send_signal(number)
    _, said = family.head.communicate(timeout=120)
    assert family.head.returncode == 128 + number
    assert said.splitlines()[-1] == "tauhat: interrupted; no results were written"
    assert not list(tmp_path.iterdir())
    assert family.has(0, seconds=60), family.members()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_ends_a_command_as_a_termination_does(
    number: signal.Signals, families: list[Family]
) -> None:
    family = Family(COMMAND)
    families.append(family)
    assert family.has(4, seconds=120)
    family.head.send_signal(number)
    _, said = family.head.communicate(timeout=120)
    assert family.head.returncode == 128 + number
    assert said.splitlines()[-1] == "tauhat: interrupted; no results were written"
    assert family.has(0, seconds=60), family.members()


def test_a_signal_while_workers_start_ends_a_command(families: list[Family]) -> None:
    script = (
        "import signal, sys\nfrom joblib.externals.loky import process_executor\n"
        "from tauhat.cli.app import main\n"
        "thread = process_executor._ExecutorManagerThread\nstart = thread.start\n"
        "def interrupted(self):\n    signal.raise_signal(signal.SIGTERM)\n    start(self)\n"
        "thread.start = interrupted\nsys.exit(main(sys.argv[1:]))"
    )
    family = Family([sys.executable, "-c", script, *POWER])
    families.append(family)
    _, said = family.head.communicate(timeout=120)
    assert family.head.returncode == 143
    assert said == "tauhat: interrupted; no results were written\n"
    assert family.has(0, seconds=60), family.members()


def test_ctrl_c_while_workers_import_prints_no_traceback(families: list[Family]) -> None:
    # As a terminal does: to the command and the process that forks its workers, which does
    # not hear it.
    script = (
        "import os, signal, subprocess, sys, time\n"
        "from tauhat.cli.app import main\nfrom tauhat.runtime import fork_server\n"
        "class Interrupted(subprocess.Popen):\n    def __init__(self, *given, **more):\n"
        "        super().__init__(*given, **more)\n        time.sleep(0.2)\n"
        "        os.kill(self.pid, signal.SIGINT)\n        os.kill(os.getpid(), signal.SIGINT)\n"
        "fork_server.subprocess.Popen = Interrupted\nsys.exit(main(sys.argv[1:]))"
    )
    family = Family([sys.executable, "-c", script, *POWER])
    families.append(family)
    _, said = family.head.communicate(timeout=120)
    assert family.head.returncode == 130
    assert said == "tauhat: interrupted; no results were written\n"
    assert family.has(0, seconds=60), family.members()


def test_nohup_keeps_a_command_running(families: list[Family]) -> None:
    family = Family(["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *COMMAND])
    families.append(family)
    assert family.has(4, seconds=120)
    family.head.send_signal(signal.SIGHUP)
    time.sleep(1.0)
    assert family.head.poll() is None
    family.head.terminate()
    assert family.head.wait(120) == 143


@pytest.mark.slow
@pytest.mark.parametrize(("words", "most"), [(POWER, 6), (["demo", "--jobs", "2"], 4)])
def test_killed_at_any_moment_no_process_is_left_behind(
    words: list[str], most: int, families: list[Family], tmp_path: Path
) -> None:
    rng = np.random.default_rng(time.time_ns())
    out = ["--out", str(tmp_path)] if "demo" in words else []
    for _ in range(100 if words is POWER else 30):
        family = Family([sys.executable, "-m", "tauhat", *words, *out])
        families.append(family)
        # While it starts, while workers start, and while they work.
        assert family.has(int(rng.integers(1, most + 1)), seconds=60)
        time.sleep(rng.uniform(0, 2))
        family.head.kill()
        family.head.communicate()
        assert family.has(0, seconds=60), family.members()


@pytest.mark.slow
def test_workers_of_dask_end_when_their_parent_is_killed(families: list[Family]) -> None:
    pytest.importorskip("distributed", reason="tauhat[dask] is missing")
    script = (
        "import time\nfrom tauhat.runtime.dask_cluster import on_dask\n"
        "from tauhat.runtime.parallel import run_tasks\n"
        "if __name__ == '__main__':\n    with on_dask(2) as jobs:\n"
        "        run_tasks(time.sleep, [(99,)] * 2, n_jobs=jobs)\n"
    )
    family = Family([sys.executable, "-c", script])
    families.append(family)
    assert family.has(4, seconds=120)
    family.head.kill()
    assert family.has(0, seconds=60), family.members()
