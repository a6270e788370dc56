"""What a run may not destroy, betray or leave behind: inputs, figures, small counts, names."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import stat
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cli_runs import arguments, leave_out_the_slow, run_of, small_trial_csv
from fault_processes import in_child, outcome, run_quietly, told
from tauhat.analysis import Analysis
from tauhat.analysis.record import design_record
from tauhat.cli import commands, main
from tauhat.cli.result_files import earlier_figures
from tauhat.errors import TrialError
from tauhat.runtime import files, workers
from tauhat.runtime.files import PatientLevel, settle, write_files
from tauhat.study import run_study
from tauhat.tables.reading import read_hashed
from tauhat.trial.checks.design_check import check_design
from tauhat.trial.trial import Trial

FIGURES = {"balance.svg": "<svg/>", "balance.csv": "a\n", "quarters.svg": "<svg/>"}


@pytest.fixture
def trial_csv(tmp_path: Path) -> Path:
    return small_trial_csv(tmp_path)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_the_slow(monkeypatch)
    monkeypatch.setattr(Analysis, "figure_files", lambda self, **formats: dict(FIGURES))


@pytest.fixture
def no_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "analyze", lambda *given, **named: pytest.fail("work was done"))


@pytest.mark.usefixtures("no_analysis")
@pytest.mark.parametrize("name", ["effects.csv", "figures/balance.csv"])
@pytest.mark.parametrize("how", ["itself", "symbolic link", "hard link", "linked folder", "config"])
def test_an_input_that_is_an_output_is_refused_before_the_work(
    how: str, name: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    target = out / name
    target.parent.mkdir(parents=True)
    source = small_trial_csv(tmp_path)
    target.write_bytes(source.read_bytes())
    more: tuple[str, ...] = ("--figures",)
    if how == "config":
        target.write_text('outcome = "sbp"\n')
        more = (*more, "--config", str(target))
    elif how == "linked folder":
        (tmp_path / "other").symlink_to(out)
        source = tmp_path / "other" / name
    elif how == "itself":
        source = target
    else:
        source.unlink()
        source.symlink_to(target) if how == "symbolic link" else os.link(target, source)
    before = target.read_bytes()
    code, said = run_quietly(arguments(source, out, *more))
    assert code == 2
    assert str(target) in said
    assert str(source if how != "config" else target) in said
    assert target.read_bytes() == before


@pytest.mark.usefixtures("no_analysis")
def test_an_input_among_unfinished_results_is_refused(tmp_path: Path) -> None:
    hidden = tmp_path / "out" / ".tauhat-part-1"
    hidden.mkdir(parents=True)
    code, said = run_quietly(arguments(small_trial_csv(hidden), tmp_path / "out"))
    assert code == 2
    assert str(hidden) in said
    assert (hidden / "trial.csv").exists()


def test_a_plan_that_is_the_store_of_its_study_is_refused(tmp_path: Path) -> None:
    plan = tmp_path / "study.jsonl"
    plan.write_text('estimators = ["LMM"]\nrows = [{scenario = "linear", n = 60}]\nreplicates = 1')
    before = plan.read_bytes()
    with pytest.raises(TrialError, match="both are one file"):
        run_study(plan, tmp_path)
    assert plan.read_bytes() == before


def test_figures_are_of_the_run_beside_them_and_foreign_files_stay(
    trial_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert main(arguments(trial_csv, out, "--figures")) == 0
    seal = run_of(out)["files"]
    assert set(seal) == {"report.html", "effects.csv", *(f"figures/{name}" for name in FIGURES)}
    for name, sha256 in seal.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == sha256
    (out / "figures" / "mine.svg").write_text("mine")
    (out / "figures" / "quarters.svg").write_text("edited by hand")
    fewer = {"balance.svg": "<svg>new</svg>"}
    monkeypatch.setattr(Analysis, "figure_files", lambda self, **formats: dict(fewer))
    assert main(arguments(trial_csv, out, "--figures", "--seed", "2")) == 0
    held = {path.name: path.read_text() for path in (out / "figures").iterdir()}
    assert held == {**fewer, "mine.svg": "mine", "quarters.svg": "edited by hand"}
    (out / "figures" / "mine.svg").unlink()
    (out / "figures" / "quarters.svg").unlink()
    assert main(arguments(trial_csv, out, "--seed", "3")) == 0
    assert not (out / "figures").exists()


@pytest.mark.parametrize("listed", ["../x.csv", "figures/../x.csv", "x.csv", 5, "figures/a/b.svg"])
def test_a_strangers_run_json_removes_nothing(listed: object, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a")
    sha256 = hashlib.sha256(b"a").hexdigest()
    (tmp_path / "run.json").write_text(json.dumps({"files": {str(listed): sha256}}))
    assert earlier_figures(tmp_path) == []


def test_a_set_with_figures_is_whole_or_not_there_when_its_writer_is_killed(tmp_path: Path) -> None:
    from test_faults_files import killed_at

    old = {"figures/a.svg": "old", "figures/b.svg": "old", "run.json": "old"}
    new = {"figures/a.svg": "new", "report.html": "new", "run.json": "new"}
    for step in range(100):
        out = tmp_path / str(step)
        write_files(out, old)
        (out / "figures" / "mine.txt").write_text("mine")

        def work(step: int = step, out: Path = out) -> None:
            killed_at(step)
            write_files(out, new, gone=["figures/b.svg"])

        code = outcome(in_child(work))
        for settled in (False, True):
            if settled:
                settle(out)
            found = {
                str(path.relative_to(out)): path.read_text()
                for path in out.rglob("*")
                if path.is_file() and ".tauhat" not in str(path)
            }
            assert found.pop("figures/mine.txt") == "mine"
            assert "run.json" in found or not settled
            if "run.json" in found:
                assert found in (old, new), step
        if code == 0:
            return
    raise AssertionError("writing never ended")


@pytest.mark.parametrize("what", ["link", "file", "other files"])
def test_a_foreign_thing_under_the_hidden_name_is_named_and_left_alone(
    what: str, tmp_path: Path
) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (elsewhere / "000 thesis.txt").write_text("mine")
    decided = out / ".tauhat-decided"
    if what == "link":
        decided.symlink_to(elsewhere)
    elif what == "file":
        decided.write_text("mine")
    else:
        decided.mkdir()
        (decided / "letters").write_text("mine")
    for act in (settle, lambda folder: write_files(folder, {"a.txt": "new"})):
        with pytest.raises(TrialError, match=r"\.tauhat-decided stands in the way"):
            act(out)
    assert (elsewhere / "000 thesis.txt").read_text() == "mine"
    assert [path.name for path in out.iterdir()] == [".tauhat-decided"]


@pytest.mark.usefixtures("no_analysis")
def test_a_linked_figures_folder_is_refused_before_the_work(
    trial_csv: Path, tmp_path: Path
) -> None:
    for name in ("out", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "out" / "figures").symlink_to(tmp_path / "elsewhere")
    code, said = run_quietly(arguments(trial_csv, tmp_path / "out", "--figures"))
    assert code == 2
    assert "figures is no plain folder" in said


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_hash_is_that_of_the_bytes_that_were_read(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.{ending}"
    table = pd.DataFrame({"a": [1.5, 2.5]})
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    content = path.read_bytes()
    found, sha256 = read_hashed(path)
    path.write_text("changed")
    assert sha256 == hashlib.sha256(content).hexdigest()
    pd.testing.assert_frame_equal(found, table)


def test_only_the_owner_reads_what_is_about_single_persons(trial_csv: Path, tmp_path: Path) -> None:
    def modes(out: Path) -> dict[str, int]:
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()}

    before = os.umask(0o022)
    try:
        assert main(arguments(trial_csv, tmp_path / "o")) == 0
        assert modes(tmp_path / "o") == {
            "effects.csv": 0o600, "report.html": 0o644, "run.json": 0o644,
        }  # fmt: skip
        assert main(arguments(trial_csv, tmp_path / "o", "--patient-level")) == 0
        assert modes(tmp_path / "o")["report.html"] == 0o600
    finally:
        os.umask(before)


def test_patient_level_text_is_never_open_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (seen.append(os.fstat(handle)), fsync(handle)))
    write_files(tmp_path / "new", {"effects.csv": PatientLevel("x")})
    regular = [found.st_mode for found in seen if stat.S_ISREG(found.st_mode)]
    assert [stat.S_IMODE(mode) for mode in regular] == [0o600]


def test_results_name_no_folder_of_this_machine(trial_csv: Path, tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text("seed = 4\n")
    out = tmp_path / "some" / "where"
    words = arguments(trial_csv, None, "--config", str(config), f"--out={out}")
    assert main(words) == 0
    run = run_of(out)
    assert run["command"].startswith("tauhat run trial.csv ")
    assert run["command"].endswith("--config settings.toml --out=where")
    for name in ("run.json", "report.html"):
        assert str(tmp_path) not in (out / name).read_text("utf-8")


def test_no_figure_gives_the_persons_of_a_small_level_back() -> None:
    n = 400
    rng = np.random.default_rng(3)
    arm, site = np.arange(n) % 2, np.where(np.arange(n) < 3, "rare", "common")
    df = pd.DataFrame({"arm": arm, "site": site, "age": rng.normal(50, 9, n), "weight": 70.0})
    df["weight"] += rng.normal(0, 9, n)
    df.loc[[5, 9, 11], "weight"] = np.nan
    df["y"] = rng.normal(size=n)
    trial = Trial(df, outcome="y", treatment="arm", covariates=["site", "age", "weight"])
    check = check_design(trial)
    balance = check.balance.set_index("column")
    (rare,) = (name for name in balance.index if name.startswith("site"))
    assert balance["fewer_than_five"].to_dict() == {rare: True, "age": False, "weight": False}
    assert rare not in check.text
    assert "in fewer than five persons" in check.text
    assert "0.8%" not in check.text + check.table.to_string()


@pytest.mark.parametrize("told", [False, True])
def test_an_arm_that_lost_few_persons_is_not_told(told: bool) -> None:
    n = 300
    rng = np.random.default_rng(4)
    df = pd.DataFrame({"arm": np.arange(n) % 2, "age": rng.normal(50, 9, n)})
    df["y"] = df["age"] / 10 + rng.normal(size=n)
    # 9 of 150 controls; of the treated 3 of 150, or none.
    df.loc[list(range(0, 18, 2)) + ([] if told else [21, 33, 45]), "y"] = np.nan
    trial = Trial(df, outcome="y", treatment="arm")
    arms = design_record(trial, None)["arms"]
    lost = {name: arm["n_missing_outcome"] for name, arm in arms.items()}
    shown = check_design(trial).text + check_design(trial).table.to_string()
    if told:
        assert lost == {"control": 9, "treated": 0}
        assert "6.0% control, 0.0% treated" in shown
        assert "0: 150 persons enrolled" in shown
        return
    assert lost == {"control": None, "treated": None}
    assert "12 (fewer than five persons of an arm among them)" in shown
    assert "have no outcome: fewer than five persons of an arm among them. The" in shown
    assert "0: 141 persons with an outcome" in shown
    assert "150 persons" not in shown
    assert not any(share in shown for share in ("6.0%", "2.0%"))


# --- What the system refuses -------------------------------------------------------------------


@pytest.mark.usefixtures("no_analysis")
def test_full_shared_memory_is_named_before_the_work(
    trial_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(workers, "free_space", lambda folder: 8192)
    code, said = run_quietly(arguments(trial_csv, tmp_path / "o", jobs="2"))
    assert code == 2
    assert f"{tmp_path} is full (8 kB are free)" in said
    assert "--jobs 1" in said
    with pytest.raises(pytest.fail.Exception, match="work was done"):
        run_quietly(arguments(trial_csv, tmp_path / "o", jobs="1"))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_a_short_address_space_is_named_before_the_work(trial_csv: Path, tmp_path: Path) -> None:
    def short() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1024**3, resource.RLIM_INFINITY))

    note = tmp_path / "note"
    child = in_child(told(arguments(trial_csv, tmp_path / "o"), note, short))
    assert outcome(child) == 2
    assert "limited to 1.00 GiB (ulimit -v), and tauhat needs 2 GiB" in note.read_text()
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("json_too", [False, True])
def test_a_terminal_without_the_letters_of_a_name_is_no_error(
    json_too: bool, tmp_path: Path
) -> None:
    path, printed = small_trial_csv(tmp_path), tmp_path / "printed"
    path.write_text(path.read_text().replace("TASSH", "Ä 治疗"), "utf-8")
    words = arguments(path, tmp_path / "o", *(["--json"] if json_too else []))
    with printed.open("w", encoding="ascii") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        assert main(words) == 0
    text = printed.read_text("ascii")
    if json_too:
        assert json.loads(text) == run_of(tmp_path / "o")
    else:
        assert "\\xc4 \\u6cbb\\u7597" in text


@pytest.mark.skipif(sys.platform == "darwin", reason="names are Unicode there")
def test_a_folder_whose_name_is_not_text_holds_results(trial_csv: Path, tmp_path: Path) -> None:
    out = Path(os.fsdecode(os.fsencode(tmp_path) + b"/o\xff"))
    assert main(arguments(trial_csv, out)) == 0
    assert run_of(out)["command"].endswith("'o\udcff'")
    assert "o\\udcff" in (out / "report.html").read_text("utf-8")


def test_a_printer_that_fails_leaves_results_results(trial_csv: Path, tmp_path: Path) -> None:
    def work(*more: str) -> int:
        with open("/dev/full", "w") as full, pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdout", full)
            return main(arguments(trial_csv, tmp_path / "o", *more))

    assert outcome(in_child(work)) == 0
    assert run_of(tmp_path / "o")["seed"] == 1
    # Whoever reads JSON must learn that it is not whole.
    assert outcome(in_child(lambda: work("--json", "--seed", "2"))) == 2
    assert run_of(tmp_path / "o")["seed"] == 2


def test_half_characters_do_not_stop_the_writing(tmp_path: Path) -> None:
    write_files(tmp_path / "o", {"a.txt": "x\udcff"})
    assert (tmp_path / "o" / "a.txt").read_text("utf-8") == "x\\udcff"
    assert files.printable("\udcff") == "\\udcff"
