"""Workers that are forked from a process which has imported the libraries and not used them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forked_tasks import about, end_the_server, without_thread_limits
from tauhat.registry import estimator
from tauhat.runtime import fork_server, workers
from tauhat.runtime.engines import engine
from tauhat.runtime.parallel import prepare_workers, run_tasks
from tauhat.runtime.workers import release_workers

pytestmark = pytest.mark.skipif(not fork_server.can_fork(), reason="forks on Linux only")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No server and no workers of another test."""
    release_workers()
    yield
    release_workers()


def test_workers_are_children_of_one_server_which_is_ours() -> None:
    found = run_tasks(about, [("parents",)] * 4, n_jobs=2)
    server = fork_server.fork_server()
    assert server is not None
    assert set(found) == {(server.number, os.getpid())}


@pytest.mark.parametrize("here", ["tauhat.protocol", "tauhat.saving", "tauhat.study.page"])
def test_workers_have_one_thread_and_no_matplotlib_and_the_engines_that_were_named(
    here: str,
) -> None:
    import_module(here)
    assert "matplotlib" in sys.modules
    prepare_workers(2, ["lightgbm"])
    assert run_tasks(about, [("threads",)] * 2, n_jobs=2) == [1, 1]
    assert run_tasks(about, [("modules",)] * 2, n_jobs=2) == [["lightgbm"]] * 2


def test_workers_see_the_folder_the_variables_and_the_path_of_this_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fork_server.fork_server() is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAUHAT_TEST_WORD", "word")
    monkeypatch.syspath_prepend("/a/path")
    found = run_tasks(about, [("all",)] * 2, n_jobs=2)
    assert found == [(str(tmp_path), "word", "/a/path", signal.SIG_IGN)] * 2


def trial() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(1)
    X, treatment = rng.normal(size=(120, 3)), np.tile([0, 1], 60)
    return X, treatment * X[:, 0] + X[:, 1] + rng.normal(size=120), treatment


def test_libraries_used_here_with_several_threads_do_not_stop_workers() -> None:
    # A library that was at work with threads in a process that is then forked waits for ever.
    X, y, treatment = trial()
    learn = engine("lightgbm").Dataset(X, y)
    engine("lightgbm").train({"num_threads": 4, "verbose": -1}, learn, 5)
    np.linalg.inv(np.eye(400) + 1)
    effects = [
        estimator("X-Boosting", random_state=1, n_jobs=n_jobs)
        .fit(X, y, treatment=treatment)
        .effect(X)
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*effects)


def test_workers_that_are_not_forked_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, treatment = trial()

    def effect() -> Any:
        model = estimator("X-Boosting", random_state=1, n_jobs=2)
        return model.fit(X, y, treatment=treatment).effect(X)

    forked = effect()
    release_workers()
    for module in (fork_server, workers):
        monkeypatch.setattr(module, "can_fork", lambda: False)
    np.testing.assert_array_equal(effect(), forked)
    assert set(run_tasks(about, [("parents",)], n_jobs=2)) != {os.getpid()}
    (parents,) = set(run_tasks(os.getppid, [(), ()], n_jobs=2))
    assert parents == os.getpid()


def test_a_server_that_is_killed_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAUHAT_TEST_WORD", str(tmp_path / "marker"))
    assert run_tasks(end_the_server, [(k,) for k in range(5)], n_jobs=2) == [0, 1, 4, 9, 16]
    assert (tmp_path / "marker").exists()
    first = fork_server.fork_server()
    assert first is not None
    # Between two batches, when its workers end with it.
    os.kill(first.number, signal.SIGKILL)
    time.sleep(0.5)
    assert run_tasks(pow, [(k, 2) for k in range(3)], n_jobs=2) == [0, 1, 4]


SCRIPT = """
from tauhat.runtime.parallel import run_tasks
print("once")

def double(x):
    return 2 * x

print(run_tasks(double, [(1,), (2,)], n_jobs=2))
"""


def test_a_script_without_a_guard_is_not_run_by_its_workers(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["once", "[2, 4]"]
    assert done.stderr == ""


COPY = """
import sys
from tauhat.cli import early_fork
early_fork.note_beginning()
early_fork.hold_to_one_thread()
import numpy
early_fork.fork_early(2)
from tauhat.runtime import fork_server
from tauhat.runtime.parallel import run_tasks
mine = sys.orig_argv[2]
def names(k):
    import os, sys
    # Not the words of a new interpreter: a copy.
    words = open(f"/proc/{os.getppid()}/cmdline").read().split(chr(0))
    return "lightgbm" in sys.modules, mine in words
print("before", end=" ")
print(run_tasks(names, [(1,), (2,)], n_jobs=2))
early_fork.fork_early(2)
"""


def ran(script: str, **variables: str) -> str:
    """What a script prints in an interpreter of its own."""
    kept = without_thread_limits()
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=kept | variables)
    assert done.stderr == ""
    return done.stdout


def test_a_command_forks_from_a_copy_of_itself_and_says_nothing_twice() -> None:
    assert ran(COPY) == "before [(True, True), (True, True)]\n"


def test_no_copy_is_made_of_a_process_that_may_have_computed() -> None:
    late = COPY.replace("import sys\n", "import sys, numpy\n", 1)
    assert ran(late) == "before [(False, False), (False, False)]\n"


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the library has one thread on one core")
def test_no_copy_is_made_of_a_process_whose_libraries_have_threads() -> None:
    found = ran(COPY, OPENBLAS_NUM_THREADS="2")
    assert found == "before [(False, False), (False, False)]\n"
