"""Batches of tasks in which the process that asks takes part, beside one worker fewer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

import tauhat as th
from forked_tasks import without_thread_limits
from shared_tasks import fails_here, fails_there, nested, one_is_killed, who
from tauhat.analysis import workflow
from tauhat.runtime import fork_server, parallel, workers
from tauhat.runtime.parallel import report_progress, run_on, run_tasks, taking_part
from tauhat.runtime.workers import have_workers, release_workers

HERE = os.getpid()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No workers of another test."""
    release_workers()
    yield
    release_workers()


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_this_process_does_tasks_beside_one_worker_fewer(n_jobs: int) -> None:
    with taking_part():
        found = run_tasks(who, [(k,) for k in range(20)], n_jobs=n_jobs)
    assert [number for number, _ in found] == list(range(20))
    assert HERE in {process for _, process in found}
    assert len({process for _, process in found}) == n_jobs


def test_outside_the_block_and_where_it_is_said_all_tasks_are_done_by_workers() -> None:
    with taking_part(), taking_part(takes_part=False):
        inside = run_tasks(who, [(k,) for k in range(6)], n_jobs=2)
    outside = run_tasks(who, [(k,) for k in range(6)], n_jobs=2)
    assert HERE not in {process for _, process in inside + outside}


def test_progress_is_told_of_every_task_once() -> None:
    seen: list[tuple[int, int]] = []
    own: list[tuple[int, int]] = []
    with taking_part(), report_progress(lambda done, total: seen.append((done, total))):
        run_tasks(who, [(k,) for k in range(7)], n_jobs=2, on_done=lambda *told: own.append(told))
    assert seen == own == [(k, 7) for k in range(1, 8)]


@pytest.mark.parametrize("here", [True, False])
def test_a_task_that_fails_is_told_and_no_task_runs_on(tmp_path: Path, here: bool) -> None:
    tasks = [(k, tmp_path, HERE) for k in range(40)]
    before = sys.getswitchinterval()
    with taking_part(), pytest.raises(ValueError, match="failed here" if here else "failed there"):
        run_tasks(fails_here if here else fails_there, tasks, n_jobs=2)
    done = len(list(tmp_path.iterdir()))
    assert done < 10
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) == done
    assert not have_workers()
    assert sys.getswitchinterval() == before
    with taking_part():
        assert run_tasks(pow, [(k, 2) for k in range(4)], n_jobs=2) == [0, 1, 4, 9]


def test_a_listener_that_stops_the_batch_leaves_no_task_running(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    tasks = [(k, tmp_path, -1) for k in range(40)]
    with taking_part(), pytest.raises(KeyboardInterrupt):
        run_tasks(fails_here, tasks, n_jobs=2, on_done=stop)
    done = len(list(tmp_path.iterdir()))
    assert done < 10
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) == done
    assert not have_workers()


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_a_worker_that_is_killed_costs_no_result(tmp_path: Path, n_jobs: int) -> None:
    seen: list[int] = []
    with taking_part():
        found = run_tasks(
            one_is_killed,
            [(k, tmp_path, HERE) for k in range(8)],
            n_jobs=n_jobs,
            on_done=lambda done, total: seen.append(done),
        )
    assert found == [k**2 for k in range(8)]
    assert (tmp_path / "killed").exists()
    assert seen == list(range(1, 9))


def test_batches_within_tasks_stay_in_the_process_of_the_task() -> None:
    with taking_part():
        found = run_tasks(nested, [(k,) for k in range(1, 7)], n_jobs=2)
    for number, (first, second, own) in enumerate(found, start=1):
        assert first == (number, own[1])
        assert second == (-number, own[1])
    assert len({own[1] for *_, own in found}) == 2


def test_threads_share_at_the_same_time() -> None:
    def batch(first: int) -> list[tuple[int, int]]:
        with taking_part():
            return run_tasks(who, [(k,) for k in range(first, first + 10)], n_jobs=2)

    with ThreadPoolExecutor(2) as threads:
        for start, found in zip((0, 10), threads.map(batch, (0, 10)), strict=True):
            assert [number for number, _ in found] == list(range(start, start + 10))
            assert HERE in {process for _, process in found}


def test_workers_that_are_not_forked_share_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fork_server, workers):
        monkeypatch.setattr(module, "can_fork", lambda: False)
    with taking_part():
        found = run_tasks(who, [(k,) for k in range(10)], n_jobs=2)
    assert [number for number, _ in found] == list(range(10))
    assert len({process for _, process in found}) == 2
    assert fork_server._server is None


def test_large_arrays_are_the_same_here_and_there() -> None:
    # joblib maps those that workers get into their memory.
    rng = np.random.default_rng(1)
    matrices = [rng.normal(size=(400, 500)) for _ in range(4)]
    with taking_part():
        found = run_tasks(np.linalg.svd, [(m, False, False) for m in matrices], n_jobs=2)
    for one, matrix in zip(found, matrices, strict=True):
        np.testing.assert_array_equal(one, run_tasks(np.linalg.svd, [(matrix, False, False)])[0])


def test_other_places_for_tasks_are_kept_to() -> None:
    asked = []

    def pool(function, tasks):  # type: ignore[no-untyped-def]
        asked.append(len(tasks))
        return ((k, function(*task)) for k, task in enumerate(tasks))

    with taking_part(), run_on(pool):
        assert run_tasks(pow, [(2, 3), (3, 2)], n_jobs=2) == [8, 9]
    assert asked == [2]
    with taking_part(), joblib.parallel_config(backend="threading"):
        found = run_tasks(who, [(k,) for k in range(4)], n_jobs=2)
    assert {process for _, process in found} == {HERE}
    assert not have_workers()


@pytest.mark.parametrize("most", [119, 120])
def test_only_a_run_of_a_trial_that_is_not_large_is_shared(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": np.tile([0, 1], 60), "x": rng.normal(size=120)})
    frame["y"] = frame.a * frame.x + rng.normal(size=120)
    trial = th.Trial(frame, outcome="y", treatment="a")
    shared = []

    def share(*given):  # type: ignore[no-untyped-def]
        shared.append(len(given[1]))
        return original(*given)

    original = parallel.share
    monkeypatch.setattr(parallel, "share", share)
    monkeypatch.setattr(workflow, "MANY_ROWS", most)
    found = th.analyze(trial, models=["X-LMM", "T-Linear"], n_jobs=2, random_state=1)
    assert bool(shared) == (most == 120)
    alone = th.analyze(trial, models=["X-LMM", "T-Linear"], n_jobs=1, random_state=1)
    pd.testing.assert_frame_equal(found.effects, alone.effects, check_exact=True)
    # What is asked of its model later is no part of a run.
    shared.clear()
    found.model.set_params(n_jobs=2)
    found.model.effect_interval(trial.X.to_numpy())
    assert not shared


COMMAND = """
import os, signal, sys, time
from tauhat.cli import early_fork
early_fork.note_beginning()
early_fork.hold_to_one_thread()
import numpy
early_fork.fork_early(int(sys.argv[1]))
from tauhat.runtime.fork_server import fork_server
from tauhat.runtime.parallel import prepare_workers, run_tasks, taking_part
from tauhat.runtime.workers import release_workers
def names(k):
    import os, signal, sys, time
    time.sleep(0.05)
    plain = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    return os.getpid(), os.getppid(), "lightgbm" in sys.modules and plain
def children():
    found = {}
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            state, parent = open(f"/proc/{number}/stat").read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid():
            found[int(number)] = state
    return found
def batch():
    prepare_workers(int(sys.argv[1]))
    with taking_part():
        found = set(run_tasks(names, [(k,) for k in range(20)], n_jobs=int(sys.argv[1])))
    return {n: (parent, ready) for n, parent, ready in found if n != os.getpid()}
"""
TWICE = """
server = fork_server().number
(worker,) = first = batch()
assert first == {server: (os.getpid(), True)}, first
assert batch() == first
# Two that look after what is shared, and the worker.
assert len(children()) == 3, children()
"""
ENDINGS = {
    "killed": "os.kill(worker, signal.SIGKILL)\ntime.sleep(0.5)\n",
    "released": "release_workers()\nassert worker not in children(), children()\n",
    "idle": "",
}
AFTER = """
(another,) = second = batch()
assert another != worker and second[another][0] not in (worker, os.getpid()), second
assert worker not in children(), children()
assert "Z" not in children().values(), children()
release_workers()
assert len(children()) == 2, children()
"""


def run_script(script: str, jobs: int) -> None:
    words, env = [sys.executable, "-c", script, str(jobs)], without_thread_limits()
    done = subprocess.run(words, capture_output=True, text=True, env=env, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not fork_server.can_fork(), reason="forks on Linux only")
@pytest.mark.parametrize("ending", list(ENDINGS))
def test_with_two_jobs_the_copy_of_a_command_is_its_worker(ending: str) -> None:
    script = COMMAND + TWICE + ENDINGS[ending] + AFTER
    if ending == "idle":
        long, short = "with taking_part():", "with idle(), taking_part():"
        script = script.replace(long, short).replace("(another,)", "time.sleep(2)\n(another,)")
        script = script.replace("def batch", IDLE + "def batch")
    run_script(script, 2)


IDLE = """
import joblib
idle = lambda: joblib.parallel_config(backend="loky", idle_worker_timeout=1)
"""


@pytest.mark.skipif(not fork_server.can_fork(), reason="forks on Linux only")
def test_with_three_jobs_the_copy_of_a_command_forks_two_workers() -> None:
    script = (
        "server = fork_server().number\nfound = batch()\nassert len(found) == 2, found\n"
        "assert set(found.values()) == {(server, True)}, found\n"
        "assert batch() == found\nrelease_workers()\nassert len(children()) == 2, children()\n"
    )
    run_script(COMMAND + script, 3)


@pytest.mark.skipif(not fork_server.can_fork(), reason="forks on Linux only")
def test_with_two_jobs_and_a_large_trial_the_copy_of_a_command_forks_both_workers() -> None:
    script = (
        "server = fork_server().number\n"
        "found = set(run_tasks(names, [(k,) for k in range(20)], n_jobs=2))\n"
        "assert {parent for _, parent, _ in found} == {server}, found\n"
        "assert len(found) == 2 and fork_server().number == server\n"
    )
    run_script(COMMAND + script, 2)
