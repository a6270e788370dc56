"""Running studies: the same bits whatever runs them, and whatever kills them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tauhat.cli import main
from tauhat.data import validate_trial
from tauhat.ensembles.consensus import ConsensusAverage
from tauhat.ensembles.together import fit_together
from tauhat.inference.average_effects import average_effects
from tauhat.learners.catalog import single_estimator
from tauhat.learners.x import XLearner
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome.linear_mixed import LinearMixedModel
from tauhat.simulate import scenario
from tauhat.simulate.metrics import effect_metrics
from tauhat.study import Progress, Study, StudyError, load_plan, read_study, run_study
from tauhat.study.measures import AVERAGES
from tauhat.study.plan_file import plan_from
from tauhat.study.store import FILE, read_store
from tauhat.study.tasks import run_task, task_seed

OWN = '''
import time
import numpy as np

class Difference:
    """Difference of the arms' means for everybody; asks for nothing of tauhat."""

    def __init__(self, pause=0.0):
        self.pause = pause

    def get_params(self, deep=True):
        return {"pause": self.pause}

    def set_params(self, **settings):
        vars(self).update(settings)
        return self

    def fit(self, X, y, *, treatment, clusters=None):
        time.sleep(self.pause)
        self.difference_ = y[treatment == 1].mean() - y[treatment == 0].mean()
        return self

    def effect(self, X):
        return np.full(len(X), self.difference_)


class Fails(Difference):
    def effect(self, X):
        raise RuntimeError(f"no effect for {len(X)} persons")
'''

PLAN = """
replicates = {replicates}
test_size = 300
average_effects = true
estimators = [
  "LMM",
  "X-LMM",
  {{ name = "difference", import = "own_estimators:Difference", settings = {{ pause = {pause} }} }},
  {{ name = "fails", import = "own_estimators:Fails" }},
]

[[rows]]
scenario = "linear"
n = [60, 90]

[[rows]]
scenario = "crt"
settings = {{ n_clusters = 10, mean_size = 10.0 }}
grid = {{ effect = ["constant", "linear"] }}
"""


def write_plan(folder: Path, replicates: int = 3, pause: float = 0.0) -> Path:
    (folder / "own_estimators.py").write_text(OWN)
    path = folder / "plan.toml"
    path.write_text(PLAN.format(replicates=replicates, pause=pause))
    return path


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Study]]:
    folder = tmp_path_factory.mktemp("study")
    plan = write_plan(folder)
    yield plan, run_study(plan, folder / "out")
    for name in [name for name in sys.modules if name == "own_estimators"]:
        del sys.modules[name]


def same_bits(one: Study, other: Study) -> bool:
    return (
        one.values.tobytes() == other.values.tobytes()
        and one.averages.tobytes() == other.averages.tobytes()
        and one.failures.equals(other.failures)
    )


def test_a_task_holds_the_measures_of_fits_to_its_own_draw(
    reference: tuple[Path, Study],
) -> None:
    path, study = reference
    plan = load_plan(path)
    seed = task_seed(plan, plan.rows[1], 2)
    source = scenario("linear")
    trial = source.draw(90, derive_seed(seed, "draw"))
    persons = source.population(300, derive_seed(seed, "draw"))
    alone = XLearner(LinearMixedModel(), random_state=derive_seed(seed, "fit")).fit(*trial)
    expected = effect_metrics(alone.effect(persons.X), persons.tau)
    position = np.flatnonzero((study.row == 1) & (study.replicate == 2))[0]
    for name, value in expected.items():
        assert study.metric(name)[position, 1] == value
    difference = trial.y[trial.treatment == 1].mean() - trial.y[trial.treatment == 0].mean()
    assert study.metric("bias")[position, 2] == pytest.approx(difference - persons.tau.mean())
    averages = study.averages[position, AVERAGES.index("individual_estimate")]
    assert averages == average_effects(validate_trial(*trial)).individual.estimate


def test_a_failing_estimator_is_recorded_and_stops_nothing(reference: tuple[Path, Study]) -> None:
    _, study = reference
    assert study.n_tasks == 12
    assert np.isnan(study.metric("rmse")[:, 3]).all()
    assert not np.isnan(study.metric("rmse")[:, :3]).any()
    assert set(study.failures["estimator"]) == {"fails"}
    assert set(study.failures["message"]) == {"RuntimeError: no effect for 300 persons"}


def test_a_constant_effect_has_an_error_but_no_scale_and_no_order(
    reference: tuple[Path, Study],
) -> None:
    _, study = reference
    null = study.row == 2
    for name in ("srmse", "rod", "subgroup_srmse", "subgroup_rod"):
        assert np.isnan(study.metric(name)[null]).all()
        assert not np.isnan(study.metric(name)[~null][:, :3]).any()
    assert (study.metric("rmse")[null][:, :3] > 0).all()
    clusters = study.row >= 2
    assert not np.isnan(study.metric("icc")[clusters, 0]).any()
    truth = study.averages[study.row == 2][:, AVERAGES.index("cluster_truth")]
    assert truth == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("backend", "jobs"),
    [("loky", 2), *(pytest.param(other, 2, marks=pytest.mark.slow) for other in ("dask", "ray"))],
)
def test_any_backend_gives_the_same_bits(
    reference: tuple[Path, Study], tmp_path: Path, backend: str, jobs: int
) -> None:
    if backend != "loky":
        pytest.importorskip(
            "distributed" if backend == "dask" else "ray", reason=f"tauhat[{backend}] is missing"
        )
    path, study = reference
    seen: list[Progress] = []
    other = run_study(path, tmp_path, n_jobs=jobs, backend=backend, on_progress=seen.append)
    assert same_bits(study, other)
    assert [progress.done for progress in seen] == list(range(13))
    assert seen[-1].failures == 12
    assert seen[-1].seconds_left == 0


def test_a_rerun_does_only_what_is_missing(reference: tuple[Path, Study], tmp_path: Path) -> None:
    path, study = reference
    first = run_study(path, tmp_path, replicates=1)
    assert first.n_tasks == 4
    stored = (tmp_path / FILE).read_bytes()
    seen: list[Progress] = []
    whole = run_study(path, tmp_path, on_progress=seen.append)
    assert (seen[0].done, seen[0].total, len(seen)) == (4, 12, 9)
    assert (tmp_path / FILE).read_bytes().startswith(stored)
    assert same_bits(whole, study)
    end = (tmp_path / FILE).read_bytes()
    run_study(path, tmp_path)
    assert (tmp_path / FILE).read_bytes() == end


def test_changed_code_of_an_own_estimator_is_refused(tmp_path: Path) -> None:
    path = write_plan(tmp_path, replicates=1)
    (tmp_path / "other_estimators.py").write_text(OWN)
    path.write_text(path.read_text().replace("own_estimators", "other_estimators"))
    run_study(path, tmp_path / "out")
    (tmp_path / "other_estimators.py").write_text(OWN + "\n# a change\n")
    with pytest.raises(StudyError, match="estimator difference"):
        run_study(path, tmp_path / "out")
    del sys.modules["other_estimators"]


@pytest.mark.slow
def test_kills_at_any_moment_change_nothing(tmp_path: Path) -> None:
    """SIGKILL while tasks run, go on, SIGKILL, go on: the bits of an undisturbed run."""
    plan = write_plan(tmp_path, replicates=6, pause=0.15)
    out = tmp_path / "killed"
    moments = np.random.default_rng(time.time_ns()).uniform(0.0, 0.6, 2)
    for jobs, moment in zip(("2", "1"), moments, strict=True):
        before = stored_tasks(out)
        words = ["-m", "tauhat", "study", "run", str(plan), "--out", str(out), "--jobs", jobs]
        process = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL)
        wait_for(lambda since=before: stored_tasks(out) > since, process)
        time.sleep(moment)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert stored_tasks(out) < 24
    assert main(["study", "run", str(plan), "--out", str(out), "--jobs", "1"]) == 0
    undisturbed = run_study(plan, tmp_path / "undisturbed")
    assert same_bits(read_study(out), undisturbed)
    assert undisturbed.n_tasks == 24


def stored_tasks(folder: Path) -> int:
    contents = read_store(folder)
    return 0 if contents is None else len(contents.tasks)


def wait_for(condition: Any, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline, "no task was stored in two minutes"
        time.sleep(0.02)


def test_the_command_reports_and_refuses(
    reference: tuple[Path, Study], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path, _ = reference
    out = str(path.parent / "out")
    assert main(["study", "status", out]) == 0
    shown = capsys.readouterr().out
    assert "plan: 12 of 12 tasks done" in shown
    assert "12 times: fails: RuntimeError: no effect for 300 persons" in shown
    assert main(["study", "table", out, "--metric", "rmse", "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "scenario,n,replicates,LMM,X-LMM,difference,fails"
    assert [line.split(",")[:2] for line in lines[1:3]] == [["linear", "60"], ["linear", "90"]]
    assert main(["study", "table", out, "--metric", "rmse", "--against", "LMM"]) == 0
    assert capsys.readouterr().out.split()[:3] == ["estimator", "rows", "draws"]
    assert main(["study", "plans"]) == 0
    assert "robust-ensembles  " in capsys.readouterr().out
    for words, message in (
        (["table", out, "--metric", "rsme"], "there is no metric 'rsme'"),
        (["table", out, "--regrets", "--against", "LMM"], "give one of"),
        (["status", str(tmp_path)], "there is no study in"),
        (["run", "robust", "--out", str(tmp_path)], "neither a file nor a shipped plan"),
        (["run", str(path), "--out", str(tmp_path), "--jobs", "0"], "at least 1"),
        (["run", str(path), "--out", out, "--replicates", "2"], "replicates: 3 before, 2 now"),
    ):
        assert main(["study", *words]) == 2
        assert message in capsys.readouterr().err


def test_an_unknown_backend_and_a_lost_address_are_named(tmp_path: Path) -> None:
    path = write_plan(tmp_path, replicates=1)
    with pytest.raises(StudyError, match="backend must be one of loky, dask, ray"):
        run_study(path, tmp_path / "a", backend="spark")
    with pytest.raises(StudyError, match="an address needs the backend dask or ray"):
        run_study(path, tmp_path / "b", address="tcp://localhost:1")


def test_fitting_together_gives_the_results_of_fitting_alone() -> None:
    trial = scenario("linear").draw(80, random_state=3)
    data = validate_trial(*trial)
    names = ("T-Linear", "X-Linear", "X-LMM", "LMM")
    members = [(name, single_estimator(name)) for name in names]
    estimators = {**dict(members), "CBA": ConsensusAverage(members)}
    together = fit_together(estimators, data, 7)
    for name, estimator in estimators.items():
        fitted = together[name].estimator
        assert fitted is not None
        alone = estimator.set_params(random_state=7).fit(*trial)
        assert np.array_equal(fitted.effect(trial.X), alone.effect(trial.X))


def test_fitting_together_fits_equal_estimators_and_regressions_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fits: list[int] = []
    fit = LinearMixedModel.fit

    def counted(self: LinearMixedModel, X: Any, *args: Any, **named: Any) -> LinearMixedModel:
        fits.append(len(X))
        return fit(self, X, *args, **named)

    monkeypatch.setattr(LinearMixedModel, "fit", counted)
    data = validate_trial(*scenario("linear").draw(80, random_state=3))
    learners = {"T-LMM": single_estimator("T-LMM"), "X-LMM": single_estimator("X-LMM")}
    alone = fit_together({"X-LMM": learners["X-LMM"]}, data, 1)
    one_x = len(fits)
    assert alone["X-LMM"].estimator is not None
    fits.clear()
    together = fit_together({**learners, "CBA": ConsensusAverage(list(learners.items()))}, data, 1)
    # The T-learner's two arms are the X-learner's, and both members stand alone as well.
    assert len(fits) == one_x
    assert together["CBA"].seconds >= together["X-LMM"].seconds


def test_a_failed_draw_is_recorded_for_every_estimator() -> None:
    rows = [{"scenario": "crt", "settings": {"n_clusters": 40, "min_size": 5}, "n": 60}]
    plan = plan_from({"replicates": 1, "estimators": ["LMM"], "rows": rows}, "test")
    result = run_task(plan, plan.rows[0], 0)
    assert "60 persons are too few for 40 clusters" in result.messages["LMM"]
    assert np.isnan(result.metrics).all()


def test_intervals_are_measured_when_the_plan_asks() -> None:
    plan = plan_from(
        {
            "replicates": 1,
            "test_size": 100,
            "intervals": True,
            "estimators": ["LMM"],
            "rows": [{"scenario": "linear", "n": 80}],
        },
        "test",
    )
    study = run_task(plan, plan.rows[0], 0)
    coverage, width = study.metrics[0, -2:]
    assert 0.5 < coverage <= 1
    assert width > 0
