"""Disks that are full, folders that are closed, processes that are killed, clocks that jump."""

from __future__ import annotations

import contextlib
import errno
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cli_runs import leave_out_the_slow
from fault_processes import (
    NAMES,
    OLD,
    held,
    in_child,
    largest_file,
    outcome,
    run_quietly,
    told,
)
from tauhat.cli import main
from tauhat.learners.additive_mixed_effect import AdditiveMixedEffect
from tauhat.runtime.dask_cluster import on_dask
from tauhat.runtime.files import settle, write_files
from tauhat.runtime.parallel import run_tasks
from tauhat.study import StudyError
from tauhat.study.backends import results_as_they_come

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


NOBODY = 65534


@pytest.fixture(scope="module")
def trial_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(7)
    clinic = np.repeat(np.arange(16), 8)
    df = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "age": rng.normal(60, 10, 128)})
    df["sbp"] = 150 + 0.3 * df["age"] * df["arm"] + rng.normal(0, 6, 128)
    path = tmp_path_factory.mktemp("data") / "trial.csv"
    df.round(2).to_csv(path, index=False)
    return path


@contextlib.contextmanager
def shortened() -> Iterator[None]:
    """No drawing, no held-out effects, short chains for the intervals."""
    with pytest.MonkeyPatch.context() as patch:
        leave_out_the_slow(patch)
        yield


@pytest.fixture
def fast() -> Iterator[None]:
    with shortened():
        yield


@pytest.fixture(scope="module")
def effects(trial_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    with shortened():
        return reference_effects(trial_csv, tmp_path_factory.mktemp("reference"))


def arguments(file: Path, out: Path, *more: str, models: str = "LMM", jobs: int = 1) -> list[str]:
    words = ["run", str(file), "--outcome", "sbp", "--treatment", "arm", "--cluster", "clinic"]
    return [*words, "--models", models, "--jobs", str(jobs), *more, "--out", str(out)]


def seeded(seed: int) -> tuple[str, str]:
    return "--seed", str(seed)


def set_of(out: Path, effects: dict[int, bytes]) -> int | None:
    """Seed of the whole set in a folder; None if there is none; an error if it is half a set."""
    settle(out)
    if not out.exists():
        return None
    assert sorted(path.name for path in out.iterdir()) == sorted(NAMES)
    seed = int(json.loads((out / "run.json").read_text())["seed"])
    assert (out / "effects.csv").read_bytes() == effects[seed]
    assert f"--seed {seed} " in (out / "report.html").read_text("utf-8")
    return seed


def reference_effects(file: Path, folder: Path, models: str = "LMM") -> dict[int, bytes]:
    """Bytes of effects.csv of an undisturbed run with each of two seeds."""
    found = {}
    for seed in (1, 2):
        words = arguments(file, folder / "reference", *seeded(seed), models=models)
        assert run_quietly(words)[0] == 0
        found[seed] = (folder / "reference" / "effects.csv").read_bytes()
    assert found[1] != found[2]
    return found


def kill_runs(
    begin: Callable[[int], int],
    out: Path,
    effects: dict[int, bytes],
    *,
    kills: int,
    longest: float,
) -> None:
    """Begin runs with alternating seeds and kill each at a random moment."""
    rng = np.random.default_rng(time.time_ns())
    before = set_of(out, effects)
    for k in range(kills):
        seed = 1 + k % 2
        child = begin(seed)
        time.sleep(rng.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        assert outcome(child) in (0, -signal.SIGKILL)
        whole = set_of(out, effects)
        assert whole in (before, seed)
        before = whole


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_folder_holds_a_whole_set(
    kills: int, effects: dict[int, bytes], trial_csv: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def begin(seed: int) -> int:
        return in_child(lambda: run_quietly(arguments(trial_csv, out, *seeded(seed)))[0])

    start = time.monotonic()
    assert outcome(begin(2)) == 0
    kill_runs(begin, out, effects, kills=kills, longest=1.2 * (time.monotonic() - start))
    assert run_quietly(arguments(trial_csv, out, *seeded(1)))[0] == 0
    assert set_of(out, effects) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
def test_killed_with_workers_and_while_writing(trial_csv: Path, tmp_path: Path) -> None:
    effects = reference_effects(trial_csv, tmp_path, models="LMM,X-Boosting")
    out = tmp_path / "out"
    started = contextlib.ExitStack()

    def begin(seed: int) -> int:
        words = arguments(trial_csv, out, *seeded(seed), models="LMM,X-Boosting", jobs=2)
        process = started.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tauhat", *words],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        assert process.stderr is not None
        # Half of the kills come while the results are written, or after.
        if seed == 1:
            next((line for line in process.stderr if "writing the report" in line), None)
        return process.pid

    # Their pipes are open until then: somebody may still write to them.
    with started:
        start = time.monotonic()
        assert outcome(begin(2)) == 0
        kill_runs(begin, out, effects, kills=30, longest=1.1 * (time.monotonic() - start))
    assert run_quietly(arguments(trial_csv, out, *seeded(1), models="LMM,X-Boosting"))[0] == 0
    assert set_of(out, effects) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "reference"]


@pytest.mark.usefixtures("fast")
def test_two_runs_into_one_folder_leave_one_whole_set(
    effects: dict[int, bytes], trial_csv: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    children = [
        in_child(lambda seed=seed: run_quietly(arguments(trial_csv, out, *seeded(seed)))[0])
        for seed in (1, 2)
    ]
    assert [outcome(child) for child in children] == [0, 0]
    assert set_of(out, effects) in (1, 2)


@pytest.mark.usefixtures("fast")
def test_a_full_disk_keeps_the_old_set_and_is_named_in_one_line(
    effects: dict[int, bytes], trial_csv: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run_quietly(arguments(trial_csv, out, *seeded(1)))[0] == 0
    before = {name: (out / name).read_bytes() for name in NAMES}
    words = arguments(trial_csv, out, *seeded(2))
    assert outcome(in_child(told(words, tmp_path / "said", largest_file(2000)))) == 2
    last = (tmp_path / "said").read_text().splitlines()[-1]
    assert last == f"tauhat: error: cannot write to {out}: {os.strerror(errno.EFBIG)}"
    assert {name: (out / name).read_bytes() for name in NAMES} == before
    assert set_of(out, effects) == 1


def closed_folder() -> Path:
    """A folder that others may look into and only its owner may change."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="changes the user, as root only may")
@pytest.mark.usefixtures("fast")
def test_a_read_only_folder_is_refused_before_the_work(trial_csv: Path, tmp_path: Path) -> None:
    folder = closed_folder()
    try:
        copy = folder / "trial.csv"
        copy.write_bytes(trial_csv.read_bytes())
        write_files(folder / "out", OLD)
        note = folder / "said"
        note.touch()
        note.chmod(0o666)
        for out in (folder / "out", folder / "new"):
            child = in_child(told(arguments(copy, out), note, lambda: os.seteuid(NOBODY)))
            assert outcome(child) == 2
            said = note.read_text()
            assert said == f"tauhat: error: cannot write to {out}: Permission denied\n"
        assert held(folder / "out") == OLD
        assert not (folder / "new").exists()
    finally:
        subprocess.run(["rm", "-r", str(folder)], check=True)


def test_standard_output_that_takes_nothing() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tauhat", "run", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "tauhat: error: the system refused: No space left on device\n"


@pytest.mark.usefixtures("fast")
def test_a_log_that_is_full_does_not_end_a_run(trial_csv: Path, tmp_path: Path) -> None:
    def work() -> int:
        full = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")
        with contextlib.redirect_stderr(full):
            return main(arguments(trial_csv, tmp_path / "out"))

    assert outcome(in_child(work)) == 0
    assert sorted(held(tmp_path / "out")) == sorted(NAMES)


@pytest.mark.usefixtures("fast")
def test_clocks_and_time_zones_change_nothing(
    trial_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    for zone in ("Pacific/Kiritimati", "America/Adak"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        clock = itertools.count(2_000_000_000, -86_400)
        with monkeypatch.context() as patch:
            # A clock that goes back by a day whenever it is asked.
            patch.setattr(time, "time", lambda clock=clock: float(next(clock)))
            assert run_quietly(arguments(trial_csv, tmp_path / "out"))[0] == 0
        texts.append((tmp_path / "out" / "effects.csv").read_bytes())
        run = json.loads((tmp_path / "out" / "run.json").read_text())
        assert all(seconds >= 0 for seconds in run["seconds"].values())
        finished = pd.Timestamp(run["finished"])
        assert abs(finished - pd.Timestamp.now("UTC")) < pd.Timedelta(minutes=5)
    monkeypatch.undo()
    time.tzset()
    assert texts[0] == texts[1]


# --- Learners that fail ------------------------------------------------------------------------

GREEDY = """
import os
import tauhat.learners.additive_mixed_effect as gamm

def fit_effect(self, data, nuisances, seed):
    os.kill(os.getpid(), 9)

gamm.AdditiveMixedEffect.fit_effect = fit_effect
"""


def check_that_gamm_failed(out: Path, without: Path, message: str) -> None:
    """The others went on as if it had not been there; run.json and the report say why."""
    run = json.loads((out / "run.json").read_text())
    failures = {model["name"]: model["failure"] for model in run["models"]}
    assert failures.pop("GAMM").startswith(message)
    assert failures == {"CBA": None, "LMM": None, "T-Linear": None}
    report = (out / "report.html").read_text("utf-8")
    assert f"GAMM failed: {message}" in report
    assert "Models that failed and are left out: GAMM." in report
    assert (out / "effects.csv").read_bytes() == (without / "effects.csv").read_bytes()


@pytest.mark.usefixtures("fast")
def test_memory_that_runs_out_in_one_learner_costs_that_learner_only(
    trial_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = arguments(trial_csv, tmp_path / "without", models="LMM,T-Linear")
    assert run_quietly(words)[0] == 0
    monkeypatch.setattr(AdditiveMixedEffect, "fit_effect", lambda *given: np.ones(10**15))
    assert run_quietly(arguments(trial_csv, tmp_path / "out", models="LMM,GAMM,T-Linear"))[0] == 0
    message = "MemoryError: Unable to allocate 7.11 PiB"
    check_that_gamm_failed(tmp_path / "out", tmp_path / "without", message)


@pytest.mark.slow
def test_a_learner_whose_worker_is_killed_costs_that_learner_only(
    trial_csv: Path, tmp_path: Path
) -> None:
    words = arguments(trial_csv, tmp_path / "without", models="LMM,T-Linear")
    assert run_quietly(words)[0] == 0
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(GREEDY)
    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
    words = arguments(trial_csv, tmp_path / "out", models="LMM,GAMM,T-Linear", jobs=2)
    subprocess.run(
        [sys.executable, "-m", "tauhat", *words],
        env={**os.environ, "PYTHONPATH": path},
        check=True,
        capture_output=True,
    )
    message = "WorkerLostError: its worker process ended first, most likely because memory ran out"
    check_that_gamm_failed(tmp_path / "out", tmp_path / "without", message)


TASKS = """
import os

def square(number):
    if number == 2:
        os.kill(os.getpid(), 9)
    return number**2
"""


@pytest.fixture
def square(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that workers can import and that ends its process for the number 2."""
    (tmp_path / "own_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    yield importlib.import_module("own_tasks").square
    del sys.modules["own_tasks"]


def test_a_lost_worker_costs_its_own_task_only(square: Any) -> None:
    seen: list[int] = []
    found = run_tasks(
        square,
        [(number,) for number in range(5)],
        n_jobs=2,
        on_done=lambda done, total: seen.append(done),
        on_lost=lambda error: -1,
    )
    assert found == [0, 1, -1, 9, 16]
    assert seen == [1, 2, 3, 4, 5]


def test_units_of_a_study_that_end_their_worker_are_named_at_the_end(square: Any) -> None:
    found: list[int] = []
    results = results_as_they_come(square, [(number,) for number in range(6)], n_jobs=2)
    with pytest.raises(StudyError, match="1 task ended its worker process"):
        found.extend(results)
    assert sorted(found) == [0, 1, 9, 16, 25]


@pytest.mark.slow
def test_a_lost_worker_of_dask_costs_its_own_task_only(square: Any) -> None:
    pytest.importorskip("distributed", reason="tauhat[dask] is missing")
    tasks = [(number,) for number in range(5)]
    with on_dask(2) as jobs:
        found = run_tasks(square, tasks, n_jobs=jobs, on_lost=lambda error: -1)
    assert found == [0, 1, -1, 9, 16]


@pytest.mark.usefixtures("fast")
def test_a_member_that_has_not_converged_is_named(
    trial_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tauhat.learners import chains as convergence

    monkeypatch.setattr(convergence, "r_hat", lambda draws: 1.31)
    assert run_quietly(arguments(trial_csv, tmp_path / "out", models="LMM,BCF-RE"))[0] == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    found = {model["name"]: (model["r_hat"], model["converged"]) for model in run["models"]}
    assert found == {"CBA": (None, None), "LMM": (None, None), "BCF-RE": (1.31, False)}
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "The chains of BCF-RE (R-hat 1.31) had not converged when they ended" in report
    assert "kept, not converged" in report
