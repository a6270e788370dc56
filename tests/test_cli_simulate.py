"""The command `tauhat simulate`."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tauhat.cli import main
from tauhat.simulate import scenario, scenario_names
from tauhat.tables.reading import read_table
from tauhat.trial.trial import Trial

ROLES = {"outcome": "outcome", "treatment": "treatment", "id": "person"}


@pytest.mark.parametrize(
    "name", ["linear", "pd-l1", "c3", "crt-null-icsize", "tassh-like", "binary", "crt-binary"]
)
def test_the_file_holds_the_very_draw(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "trial.csv"
    assert (
        main(["simulate", "--scenario", name, "-n", "300", "--seed", "5", "--out", str(out)]) == 0
    )
    drawn = scenario(name).draw(300, random_state=5)
    cluster = None if drawn.clusters is None else "cluster"
    trial = Trial(read_table(out), cluster=cluster, propensity=0.5, **ROLES)
    pd.testing.assert_frame_equal(trial.X, drawn.X, check_exact=True)
    np.testing.assert_array_equal(trial.y, drawn.y)
    np.testing.assert_array_equal(trial.treatment, drawn.treatment)
    np.testing.assert_array_equal(trial.id, np.arange(1, drawn.n + 1))
    if drawn.clusters is None:
        assert trial.clusters is None
    else:
        np.testing.assert_array_equal(trial.clusters, drawn.clusters)
    first, command = capsys.readouterr().out.splitlines()
    clusters = f" in {trial.n_clusters} clusters" if cluster else ""
    assert first == f"{out}: {drawn.n} persons{clusters}, {drawn.X.shape[1]} covariates"
    words = shlex.split(command)
    assert words[:3] == ["tauhat", "run", str(out)]
    roles = ["--cluster", "cluster"] if cluster else []
    assert words[3:] == [
        *["--outcome", "outcome", "--treatment", "treatment"],
        *roles,
        *["--id", "person", "--propensity", "0.5"],
    ]
    # The command of the last line is one that tauhat takes.
    assert main(["check", *words[2:]]) in (0, 3)


@pytest.mark.parametrize("name", ["survival", "crt-survival"])
def test_a_time_to_an_event_is_drawn_with_its_event(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "trial.csv"
    words = ["simulate", "--scenario", name, "-n", "400", "--seed", "5", "--out", str(out)]
    assert main([*words, "--set", "censored=0.4"]) == 0
    drawn = scenario(name, censored=0.4).draw(400, random_state=5)
    table = read_table(out)
    np.testing.assert_array_equal(table["time"], drawn.time)
    np.testing.assert_array_equal(table["event"], drawn.event)
    command = shlex.split(capsys.readouterr().out.splitlines()[1])
    assert command[3:9] == ["--outcome", "time", "--treatment", "treatment", "--event", "event"]
    assert main(["check", *command[2:]]) == 0
    cluster = None if drawn.clusters is None else "cluster"
    trial = Trial(
        table.drop(columns="person"), outcome="time", treatment="treatment", event="event",
        horizon=24, cluster=cluster,
    )  # fmt: skip
    # What learners get in a study is what they get from the file.
    np.testing.assert_allclose(trial.y, drawn.y, rtol=1e-12)


def test_settings_are_the_scenarios(tmp_path: Path) -> None:
    words = ["simulate", "--scenario", "crt", "--out", str(tmp_path / "a.csv")]
    for word in ("n_clusters=12", "icc=.2", "effect=linear", "dropout=0.1,0.3", "effect_constant=2",
                 "size_covariate=true"):  # fmt: skip
        words += ["--set", word]
    assert main(words) == 0
    drawn = scenario(
        "crt", n_clusters=12, icc=0.2, effect="linear", dropout=(0.1, 0.3), effect_constant=2,
        size_covariate=True,
    ).draw(random_state=1)  # fmt: skip
    table = pd.read_csv(tmp_path / "a.csv")
    np.testing.assert_array_equal(table.outcome, drawn.y)
    assert table.columns.tolist() == ["person", "cluster", "treatment", "outcome", *drawn.X]
    terms = '[[0.7, "identity", 4, "square", 5]]'
    words = ["simulate", "--scenario", "second-order", "-n", "30", "--set", f"effect={terms}"]
    assert main([*words, "--truth", "--out", str(tmp_path / "b.csv")]) == 0
    truth = pd.read_csv(tmp_path / "b-truth.csv").true_effect
    x4, x5 = (pd.read_csv(tmp_path / "b.csv")[name] for name in ("x4", "x5"))
    np.testing.assert_allclose(truth, 0.7 * x4 * (x5**2 - 1) / np.sqrt(2))


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / f"{letter}.csv" for letter in "abc"]
    for file, seed in zip(files, "112", strict=True):
        words = ["simulate", "--scenario", "c1", "--seed", seed, "--out", str(file)]
        assert main(words) == 0
    one, again, other = (file.read_bytes() for file in files)
    assert one == again
    assert one != other


def test_the_truth_is_a_file_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, beside = tmp_path / "new" / "t.csv", tmp_path / "new" / "t-truth.csv"
    words = ["simulate", "--scenario", "crt-nonlinear-m20-icc10", "--out", str(out)]
    assert main([*words, "--truth"]) == 0
    said = capsys.readouterr().out
    drawn = scenario("c4").draw(random_state=1)
    truth = pd.read_csv(beside)
    assert truth.columns.tolist() == ["person", "true_effect", "true_untreated_mean"]
    np.testing.assert_array_equal(truth.true_effect, drawn.tau)
    np.testing.assert_array_equal(truth.true_untreated_mean, drawn.mu0)
    assert (truth.person == pd.read_csv(out).person).all()
    assert not {"true_effect", "true_untreated_mean"} & set(pd.read_csv(out))
    averages = f"{drawn.individual_average:.4g} over persons, {drawn.cluster_average:.4g} over"
    assert averages in said
    # Nothing else stays in the folder; a truth of another draw is pointed out.
    assert sorted(path.name for path in out.parent.iterdir()) == ["t-truth.csv", "t.csv"]
    assert main([*words, "--seed", "2"]) == 0
    assert f"{beside} is of an earlier draw" in capsys.readouterr().err


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--list"]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines[1:]] == scenario_names()
    unit = {name: unit for name, unit, *_ in lines}
    assert {unit[name] for name in scenario_names("individual")} == {"persons"}
    assert {unit[name] for name in scenario_names("cluster")} == {"clusters"}
    what = {line[0]: line[-1] for line in lines}
    assert what["crt-null-slopes"].endswith("; slope_sd=0.3 effect=constant")
    assert main(["simulate", "--list", "--scenario", "c6"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (shown["n_clusters"], shown["icc"], shown["dropout_on"]) == ("50", "0.1", "(not set)")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "a.csv"], "missing --scenario, the name of one of `tauhat simulate --list`"),
        (["--scenario", "linaer"], "(did you mean 'linear'?); the names are binary, broad, linear"),
        (["--scenario", "crt"], "missing --out, the CSV file"),
        (["--scenario", "crt", "--out", "a.txt"], "--out must be a name that ends in .csv"),
        (["--scenario", "linear", "--out", "a.csv"], "missing --persons: linear randomizes"),
        (["--scenario", "linear", "-n", "1", "--out", "a.csv"], "--persons must be at least 2"),
        (["--scenario", "crt", "-n", "9", "--out", "a.csv"], "9 persons are too few for 20 clus"),
        (["--scenario", "crt", "--seed", "-1", "--out", "a.csv"], "--seed must not be negative"),
        (["--scenario", "linear", "--set", "icc=1"], "--set icc: no such setting; the settings of "
         "linear are share_treated, p, noise"),
        (["--scenario", "linear", "--set", "p"], "--set needs KEY=VALUE, got 'p'; the settings"),
        (["--scenario", "linear", "--set", "p=2.5"], "--set p must be a whole number, got '2.5'"),
        (["--scenario", "linear", "--set", "p=9", "--set", "p=8"], "--set p is given twice"),
        (["--scenario", "crt", "--set", "icc=nan"], "--set icc must be a number, got 'nan'"),
        (["--scenario", "crt", "--set", "icc=2"], "--set icc makes no crt trial: icc must lie in"),
        (["--scenario", "crt", "--set", "size_covariate=1"], "size_covariate must be true or fal"),
        (["--scenario", "crt", "--set", "dropout=x"], "dropout must be a number or a list"),
        (["--scenario", "crt", "--set", "effect=odd"], "effect must be one of constant, linear"),
        (["--scenario", "second-order", "--set", 'effect=[[1, "step", "x"]]'], "--set effect mak"),
        (["--scenario", "crt", "-n", "20000000", "--out", "a.csv"], "are too many; draw at most"),
        (["--scenario", "semi-synthetic"], "which only Python can give: tauhat.simulate.scenario("),
    ],
)  # fmt: skip
def test_errors_are_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", *words]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.csv").mkdir()
    words = ["simulate", "--scenario", "crt", "--out"]
    assert main([*words, str(tmp_path / "file" / "a.csv")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "folder.csv")]) == 2
    assert "--out must be a file, but" in capsys.readouterr().err
