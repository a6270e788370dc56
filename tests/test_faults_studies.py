"""Studies that are killed, and studies on a full disk."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fault_processes import (
    in_child,
    largest_file,
    outcome,
    run_quietly,
    told,
)
from tauhat.study import read_study, run_study
from tauhat.study.store import FILE, read_store

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def write_plan(folder: Path, replicates: int) -> Path:
    path = folder / "plan.toml"
    path.write_text(
        f'replicates = {replicates}\ntest_size = 50\nestimators = ["LMM"]\n'
        '[[rows]]\nscenario = "linear"\nn = 60\n'
    )
    return path


def study_words(plan: Path, out: Path) -> list[str]:
    return ["study", "run", str(plan), "--out", str(out), "--jobs", "1"]


def kill_study(folder: Path, kills: int, replicates: int) -> None:
    """Kill a study again and again; nothing stored is lost and the end is the undisturbed one."""
    plan, out = write_plan(folder, replicates), folder / "out"
    undisturbed = run_study(plan, folder / "undisturbed")
    rng = np.random.default_rng(time.time_ns())
    stored: list[Any] = []
    # Time until a first task is stored; the kills come around it.
    reach = 0.0
    for _ in range(kills):
        child = in_child(lambda: run_quietly(study_words(plan, out))[0])
        if reach == 0:
            start = time.monotonic()
            while not (out / FILE).exists() or (out / FILE).read_bytes().count(b"\n") < 2:
                assert time.monotonic() - start < 120
                time.sleep(0.005)
            reach = time.monotonic() - start
        else:
            time.sleep(rng.uniform(0, 2 * reach))
        os.kill(child, signal.SIGKILL)
        assert outcome(child) in (0, -signal.SIGKILL)
        contents = read_store(out)
        tasks = [] if contents is None else list(contents.tasks)
        assert tasks[: len(stored)] == stored
        stored = tasks
    assert len(stored) > 0
    assert run_quietly(study_words(plan, out))[0] == 0
    study = read_study(out)
    assert study.n_tasks == replicates
    assert study.values.tobytes() == undisturbed.values.tobytes()


def test_a_study_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    kill_study(tmp_path, kills=6, replicates=60)


@pytest.mark.slow
def test_a_study_that_is_killed_a_hundred_times_loses_nothing(tmp_path: Path) -> None:
    kill_study(tmp_path, kills=100, replicates=400)


def test_a_study_on_a_full_disk_says_so_and_goes_on_later(tmp_path: Path) -> None:
    plan, out = write_plan(tmp_path, 12), tmp_path / "out"
    child = in_child(told(study_words(plan, out), tmp_path / "said", largest_file(2500)))
    assert outcome(child) == 2
    last = (tmp_path / "said").read_text().splitlines()[-1]
    assert last.startswith(f"tauhat: error: cannot write to {out / FILE}: {os.strerror(27)}; what")
    assert (out / FILE).stat().st_size == 2500
    contents = read_store(out)
    assert contents is not None
    assert 0 < len(contents.tasks) < 12
    assert run_quietly(study_words(plan, out))[0] == 0
    undisturbed = run_study(plan, tmp_path / "undisturbed")
    assert read_study(out).values.tobytes() == undisturbed.values.tobytes()
