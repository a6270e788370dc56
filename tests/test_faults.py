"""Disks that are full, folders that are closed, processes that are killed, clocks that jump."""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib
import io
import itertools
import json
import os
import resource
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

from tauhat import cate_estimator, files
from tauhat.analysis import workflow
from tauhat.cli import main
from tauhat.dask_cluster import on_dask
from tauhat.errors import TrialError
from tauhat.files import settle, write_files
from tauhat.learners.gamm import AdditiveMixedEffect
from tauhat.numerics.ridge_posterior import sample_ridge_posterior
from tauhat.parallel import run_tasks
from tauhat.report import plots
from tauhat.study import StudyError, read_study, run_study
from tauhat.study.backends import results_as_they_come
from tauhat.study.store import FILE, read_store

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

NAMES = ("report.html", "effects.csv", "run.json")
OLD, NEW = (dict.fromkeys(NAMES, text) for text in ("old", "new" * 1000))
NOBODY = 65534


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


# --- One set of files --------------------------------------------------------------------------


def killed_at(step: int) -> None:
    """Let the process kill itself at the n-th call that changes the disk."""
    count = itertools.count()

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **named: Any) -> Any:
            if next(count) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **named)

        return wrapped

    for name in ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync"):
        setattr(os, name, counted(getattr(os, name)))


@pytest.mark.parametrize("there", [True, False], ids=["old set there", "no folder yet"])
def test_killed_at_every_step_of_writing(there: bool, tmp_path: Path) -> None:
    for step in range(100):
        folder = tmp_path / f"{step}" / "out"
        if there:
            write_files(folder, {"notes.txt": "mine"})
            write_files(folder, OLD)
        else:
            folder.parent.mkdir()

        def work(step: int = step, folder: Path = folder) -> None:
            killed_at(step)
            write_files(folder, NEW)

        code = outcome(in_child(work))
        if there and (folder / "run.json").exists():
            # The seal stands: whatever else is hidden in the folder, the set is whole.
            shown = [(folder / name).read_text() for name in NAMES]
            assert shown in ([OLD[n] for n in NAMES], [NEW[n] for n in NAMES]), step
        settle(folder)
        found = held(folder) if folder.exists() else {}
        if there:
            assert found.pop("notes.txt") == "mine"
            assert found in (OLD, NEW), step
        else:
            assert found in ({}, NEW), step
        assert not [p for p in folder.parent.iterdir() if p != folder], step
        write_files(folder, NEW)
        assert {k: v for k, v in held(folder).items() if k != "notes.txt"} == NEW
        if code == 0:
            assert step > 5
            return
        assert code == -signal.SIGKILL
    raise AssertionError("writing never ended")


def test_writers_of_one_folder_do_not_mix_their_sets(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sets = [dict.fromkeys(NAMES, letter * 5000) for letter in "ab"]

    def work(which: int) -> None:
        for _ in range(25):
            write_files(out, sets[which])

    children = [in_child(lambda which=which: work(which)) for which in (0, 1)]
    assert [outcome(child) for child in children] == [0, 0]
    assert held(out) in sets
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_living_writers_files_are_not_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".tauhat-part-killed").mkdir()
    with files._only_writer(tmp_path) as alone:
        assert alone
        child = in_child(lambda: write_files(tmp_path, NEW) and None)
        time.sleep(0.2)
        # It waits for the lock.
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        assert (tmp_path / ".tauhat-part-killed").exists()
    assert outcome(child) == 0
    assert held(tmp_path) == NEW


def test_an_interrupt_between_two_renames_does_not_stop_half_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, OLD)
    replace, calls = os.replace, itertools.count()

    def interrupted(*args: Any) -> None:
        if next(calls) == 1:
            raise KeyboardInterrupt
        replace(*args)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, NEW)
    assert held(tmp_path) == NEW


def test_a_folder_under_the_name_of_a_result_stops_before_anything_is_changed(
    tmp_path: Path,
) -> None:
    (tmp_path / "effects.csv").mkdir()
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(TrialError, match=r"effects\.csv is a folder"):
        write_files(tmp_path, NEW)
    assert (tmp_path / "report.html").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["effects.csv", "report.html"]


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


def test_a_disk_without_room_keeps_the_old_set(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        write_files(disk / "out", OLD)
        for folder in (disk / "out", disk / "other"):
            with pytest.raises(TrialError, match="No space left on device"):
                write_files(folder, {**NEW, "run.json": "x" * 100_000})
        assert held(disk / "out") == OLD
        assert [path.name for path in disk.iterdir()] == ["out"]


# --- The command `tauhat run` ------------------------------------------------------------------


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
    short = functools.partial(sample_ridge_posterior, n_chains=1, burn_in=5, draws=20, thin=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "to_data_uri", lambda figure: "data:,")
        patch.setattr(workflow, "held_out_effects", lambda *args, **settings: "Left out.")
        patch.setattr(cate_estimator, "sample_ridge_posterior", short)
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
@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.slow)])
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

    def begin(seed: int) -> int:
        words = arguments(trial_csv, out, *seeded(seed), models="LMM,X-Boosting", jobs=2)
        process = subprocess.Popen(
            [sys.executable, "-m", "tauhat", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        # Half of the kills come while the results are written, or after.
        if seed == 1:
            next((line for line in process.stderr if "writing the report" in line), None)
        return process.pid

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


def test_standard_output_that_takes_nothing(trial_csv: Path, tmp_path: Path) -> None:
    words = ["check", str(trial_csv), "--outcome", "sbp", "--treatment", "arm"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tauhat", *words, "--cluster", "clinic"],
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
import tauhat.learners.gamm as gamm

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
    with pytest.raises(StudyError, match="1 units ended their worker process"):
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
    from tauhat.learners import convergence

    monkeypatch.setattr(convergence, "r_hat", lambda draws: 1.31)
    assert run_quietly(arguments(trial_csv, tmp_path / "out", models="LMM,BRM"))[0] == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    found = {model["name"]: (model["r_hat"], model["converged"]) for model in run["models"]}
    assert found == {"CBA": (None, None), "LMM": (None, None), "BRM": (1.31, False)}
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "The chains of BRM (R-hat 1.31) had not converged when they ended" in report
    assert "kept, not converged" in report


# --- Studies -----------------------------------------------------------------------------------


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
    # Time until a first unit is stored; the kills come around it.
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
        units = [] if contents is None else list(contents.units)
        assert units[: len(stored)] == stored
        stored = units
    assert len(stored) > 0
    assert run_quietly(study_words(plan, out))[0] == 0
    study = read_study(out)
    assert study.n_units == replicates
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
    assert 0 < len(contents.units) < 12
    assert run_quietly(study_words(plan, out))[0] == 0
    undisturbed = run_study(plan, tmp_path / "undisturbed")
    assert read_study(out).values.tobytes() == undisturbed.values.tobytes()
