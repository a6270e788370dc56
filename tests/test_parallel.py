"""One thread a task, and what it costs to see to it."""

import os
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from tauhat.registry import estimator
from tauhat.runtime import parallel
from tauhat.runtime.workers import release_workers


def threads():
    """Number of threads of each numerical library that is loaded."""
    return [library["num_threads"] for library in ThreadpoolController().info()]


@pytest.fixture
def looked(monkeypatch):
    """Count how often libraries are looked for."""
    found = []

    def controller():
        found.append(ThreadpoolController())
        return found[-1]

    monkeypatch.setattr(parallel, "_libraries", None)
    monkeypatch.setattr(parallel, "ThreadpoolController", controller)
    return found


def test_a_task_has_one_thread_and_leaves_the_number_as_it_was(looked):
    with threadpool_limits(limits=2):
        outside = threads()
        assert max(outside) == 2
        assert parallel.run_tasks(threads, [(), ()]) == [[1] * len(outside)] * 2
        assert threads() == outside
        # A second time, from the list that was kept.
        with threadpool_limits(limits=1):
            parallel.run_tasks(threads, [()])
            assert set(threads()) == {1}
        assert threads() == outside
    assert len(looked) == 1


def test_libraries_are_looked_for_again_when_a_module_was_imported(looked, monkeypatch):
    parallel.run_tasks(np.sqrt, [(4.0,), (9.0,)])
    assert len(looked) == 1
    monkeypatch.setitem(sys.modules, "a_new_module", types.ModuleType("a_new_module"))
    parallel.run_tasks(np.sqrt, [(4.0,), (9.0,)])
    assert len(looked) == 2


def test_intervals_tell_how_far_they_are():
    rng = np.random.default_rng(1)
    X, treatment = rng.normal(size=(60, 2)), np.tile([0, 1], 30)
    model = estimator("LMM", random_state=1).fit(X, treatment + X[:, 0], treatment=treatment)
    seen = []
    with parallel.report_progress(lambda done, total: seen.append((done, total))):
        model.effect_interval(X)
        model.effect_interval(X)
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_released_workers_end_and_the_next_task_starts_new_ones():
    before = set(parallel.run_tasks(os.getpid, [(), ()], n_jobs=2))
    release_workers()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{number}").exists() for number in before):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not before & set(parallel.run_tasks(os.getpid, [(), ()], n_jobs=2))
    release_workers()
    release_workers()  # there are none
