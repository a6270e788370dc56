"""The command: what a run writes, its flags, and interruptions."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from cli_runs import (
    NAMES,
    arguments,
    effects_of,
    leave_out_the_slow,
    run_of,
    small_trial,
    small_trial_csv,
)
from tauhat.cli import main
from tauhat.inference.average_effects import average_effects
from tauhat.registry import estimator
from tauhat.report.plots import Plot
from tauhat.trial.trial import Trial


@pytest.fixture
def trial_csv(tmp_path: Path) -> Path:
    return small_trial_csv(tmp_path)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_the_slow(monkeypatch)


def test_run_writes_three_files_and_tells_on_two_streams(
    trial_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    assert main(arguments(trial_csv, out)) == 0
    assert sorted(p.name for p in out.iterdir()) == sorted(NAMES)
    said = capsys.readouterr()
    assert "individual-average" in said.out
    assert "cluster-average" in said.out
    assert str(out / "report.html") in said.out
    steps = [line.split("s  ")[1] for line in said.err.splitlines()]
    assert [step for step in steps if ":" not in step] == [
        "checking the design",
        "estimating the average effects",
        "testing whether effects differ",
        "fitting the models",
        "making intervals",
        "describing what the effects depend on",
        "describing groups by held-out effects",
        "asking what the results depend on",
        "writing the report",
    ]


def test_effects_are_those_of_the_estimator_for_the_rows_of_the_file(
    trial_csv: Path, tmp_path: Path
) -> None:
    assert main(arguments(trial_csv, tmp_path / "o", "--id", "patient", "--seed", "3")) == 0
    effects = effects_of(tmp_path / "o")
    assert effects.columns.tolist() == ["row", "effect", "lower", "upper", "patient"]
    df = small_trial()
    observed = df.index[df.sbp.notna()]
    assert effects.row.tolist() == (observed + 1).tolist()
    assert effects.patient.tolist() == df.patient[observed].tolist()
    trial = Trial(
        df,
        outcome="sbp",
        treatment="arm",
        control="HIC",
        cluster="clinic",
        covariates=["age", "female", "urban"],
    )
    tau = estimator("LMM", random_state=3).fit_data(trial.data).effect(trial.X)
    assert effects.effect.to_numpy() == pytest.approx(tau, rel=1e-8)
    assert (effects.lower < effects.effect).all()
    assert (effects.effect < effects.upper).all()


def test_run_json_has_the_promised_keys_and_values(
    trial_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    words = arguments(trial_csv, out, "--json", "--seed", "5", "--level", "0.9", id="patient")
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    run = run_of(out)
    assert printed == run
    df = small_trial()
    trial = Trial(
        df,
        outcome="sbp",
        treatment="arm",
        control="HIC",
        cluster="clinic",
        id="patient",
        covariates=["age", "female", "urban"],
    )
    expected = average_effects(trial, level=0.9)
    for name in ("individual", "cluster"):
        for key in ("estimate", "se", "lower", "upper", "p_value"):
            value = getattr(getattr(expected, name), key)
            assert run["average_effect"][name][key] == pytest.approx(value)
    assert {"statistic", "p_value", "method"} <= set(run["heterogeneity_test"])
    assert run["seed"] == 5
    assert run["interval"]["level"] == 0.9
    assert run["command"].startswith("tauhat run ")
    assert run["command"].endswith("--json --seed 5 --level 0.9")
    assert run["data_sha256"] == hashlib.sha256(trial_csv.read_bytes()).hexdigest()
    design = run["design"]
    assert design["type"] == "cluster"
    assert design["n"] == 153
    assert design["n_missing_outcome"] == 7
    assert design["clusters"] == 16
    assert design["arms"]["control"]["label"] == "HIC"
    assert design["arms"]["control"]["clusters"] == 8
    assert design["arms"]["control"]["n"] + design["arms"]["treated"]["n"] == 153
    assert design["icc"] == pytest.approx(trial.check().icc.value)
    assert design["cluster_covariates"] == ["urban"]
    assert [m["name"] for m in run["models"]] == ["LMM"]
    assert run["models"][0]["seconds"] > 0
    assert run["variance_components"][0]["model"] == "LMM"
    assert {"tauhat", "python", "numpy", "scikit-learn"} <= set(run["versions"])


def test_same_seed_same_bytes_whatever_the_jobs_and_other_seed_other_intervals(
    trial_csv: Path, tmp_path: Path
) -> None:
    for name, (jobs, *more) in {"a": ["1"], "b": ["2"], "c": ["1", "--seed", "2"]}.items():
        words = arguments(trial_csv, tmp_path / name, *more, models="LMM,T-Linear", jobs=jobs)
        assert main(words) == 0
    first, again, other = ((tmp_path / n / "effects.csv").read_bytes() for n in "abc")
    assert first == again
    assert first != other


def test_parquet_and_semicolons_give_the_effects_of_the_csv(
    trial_csv: Path, tmp_path: Path
) -> None:
    df = small_trial()
    df.to_parquet(tmp_path / "trial.parquet")
    df.to_csv(tmp_path / "german.csv", sep=";", decimal=",", index=False)
    texts = []
    for file in (trial_csv, tmp_path / "trial.parquet", tmp_path / "german.csv"):
        out = tmp_path / f"of {file.name}"
        assert main(arguments(file, out)) == 0
        texts.append((out / "effects.csv").read_bytes())
    assert texts[0] == texts[1] == texts[2]


def test_demo_is_labelled_synthetic_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "d"), "--models", "LMM", "--jobs", "1"]) == 0
    assert "SYNTHETIC DATA" in capsys.readouterr().out
    assert "made up by a computer" in run_of(tmp_path / "d")["synthetic"]
    report = (tmp_path / "d" / "report.html").read_text("utf-8")
    assert report.index("Synthetic data.") < report.index("<main>")
    assert effects_of(tmp_path / "d")["patient_id"].str.startswith("synthetic-").all()


def test_demo_keeps_what_a_run_of_other_data_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["demo", "--out", str(tmp_path), "--models", "LMM", "--jobs", "1"]
    assert main(words) == 0
    ours = run_of(tmp_path)["data"]
    assert main(words) == 0
    for given, code, left in ((words, 2, "a"), ([*words, "--force"], 0, ours["sha256"])):
        (tmp_path / "run.json").write_text('{"data": {"sha256": "a", "file": "one.csv"}}')
        assert main(given) == code
        assert run_of(tmp_path)["data"]["sha256"] == left
    assert "holds the results of other data (one.csv)" in capsys.readouterr().err


def test_estimators_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimators"]) == 0
    listed = capsys.readouterr().out
    for name in ("BCF-RE", "LMM", "CBA", "X-RF", "CF-DML-forest"):
        assert f"\n{name} " in listed
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tauhat 0.")
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out
    assert main(["run", "--help"]) == 0
    helped = capsys.readouterr().out
    for option in ("--cluster-covariates", "--propensity", "--config", "--json", "--force"):
        assert option in helped


def processes_of_session(session: int) -> list[int]:
    """Live processes of a session (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def interrupt(words: Sequence[str], number: signal.Signals, after: str) -> tuple[int, str, int]:
    """Run the command, send a signal once ``after`` shows; exit code, stderr, session."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tauhat", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if after in line:
            # As a terminal does: to the workers as well.
            os.killpg(process.pid, number)
            break
    _, rest = process.communicate(timeout=60)
    return process.returncode, seen + rest, process.pid


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("number", "jobs", "after", "code"),
    [
        pytest.param(signal.SIGINT, "1", "fitting the models", 130, marks=pytest.mark.slow),
        (signal.SIGINT, "2", "making intervals", 130),
        pytest.param(signal.SIGTERM, "2", "making intervals", 143, marks=pytest.mark.slow),
    ],
    ids=["ctrl-c", "ctrl-c with workers", "terminated with workers"],
)
def test_interruption_half_way_leaves_no_file_and_no_process(
    number: signal.Signals, jobs: str, after: str, code: int, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    small_trial().to_csv(file, index=False)
    out = tmp_path / "deep" / "out"
    words = arguments(file, out, models="T-Linear,LMM", jobs=jobs)
    returned, said, session = interrupt(words, number, after)
    assert returned == code, said
    # The workers' tracker of resources may still say that a file of theirs had gone already.
    assert "tauhat: interrupted; no results were written" in said.splitlines()
    assert "Traceback" not in said
    assert not (tmp_path / "deep").exists()
    deadline = time.monotonic() + 10
    while processes_of_session(session) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of_session(session) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes that can be closed")
@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["estimators"],
        pytest.param(["power", "--persons", "90", "--power", "0.8"], marks=pytest.mark.slow),
    ],
    ids=["typer", "rich", "print"],
)
def test_a_pipe_that_nobody_reads_ends_quietly(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "tauhat", *words]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    # As `tauhat ... | head` in a shell: 128 + SIGPIPE.
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_closed_streams_are_no_error() -> None:
    command = f"{sys.executable} -m tauhat --version >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=60, check=False).returncode == 0


def test_flags_of_the_report_and_its_figures(
    trial_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Plot, "svg", lambda self: "<svg/>")
    monkeypatch.setattr(Plot, "png", lambda self: b"PNG")
    plain, asked = tmp_path / "plain", tmp_path / "asked"
    assert main(arguments(trial_csv, plain)) == 0
    more = ["--patient-level", "--figures", "--seeds", "1"]
    assert main(arguments(trial_csv, asked, *more, "--id", "patient")) == 0
    assert 'id="persons"' not in (plain / "report.html").read_text("utf-8")
    page = (asked / "report.html").read_text("utf-8")
    assert 'id="persons"' in page
    assert str(effects_of(asked).patient[0]) in page
    figures = asked / "figures"
    endings = {path.suffix for path in figures.iterdir()}
    assert endings == {".svg", ".png", ".csv"}
    intervals = pd.read_csv(figures / "average-effects.csv")
    individual = run_of(asked)["average_effect"]["individual"]
    assert intervals.estimate[0] == pytest.approx(individual["estimate"])
    changes = [row["change"] for row in run_of(asked)["sensitivity"]["members"]]
    assert changes == ["all models fitted again, 1"]
    assert "--seeds 1" in run_of(asked)["rerun"]
    # The effects are the same whatever is shown of them.
    assert effects_of(asked).effect.tolist() == effects_of(plain).effect.tolist()


def test_flags_of_the_report_in_a_file_and_out_of_range(
    trial_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "t.toml"
    config.write_text("patient-level = true\nseeds = 0\nfigures = false\n", "utf-8")
    out = tmp_path / "o"
    assert main(arguments(trial_csv, out, "--config", str(config))) == 0
    assert 'id="persons"' in (out / "report.html").read_text("utf-8")
    assert not (out / "figures").exists()
    assert main(arguments(trial_csv, out, "--seeds", "-1")) == 2
    config.write_text('patient_level = "yes"\n', "utf-8")
    assert main(arguments(trial_csv, out, "--config", str(config))) == 2
    assert "patient_level must be true or false" in capsys.readouterr().err


def test_the_shell_completes_commands_and_options() -> None:
    script = "import sys; from tauhat.cli import main; sys.exit(main())"
    for typed, position, completed in (
        ("tauhat me", 1, "methods"),
        ("tauhat run --pl", 2, "--plan"),
    ):
        words = {"COMP_WORDS": typed, "COMP_CWORD": str(position)}
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, **words, "_TAUHAT_COMPLETE": "complete_bash"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.split() == [completed]
