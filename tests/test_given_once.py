"""An option of one value that is given twice is refused, whatever the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_runs import small_trial_csv
from tauhat.cli import main


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["run", "f.csv", "--outcome", "y", "--outcome", "age"], "--outcome"),
        (
            ["check", "f.csv", "--outcome", "--seed", "--treatment=a", "--treatment=a"],
            "--treatment",
        ),
        (["demo", "--models", "quick", "--seed", "1", "--out", "o", "--seed=2"], "--seed"),
        (["power", "--persons", "90", "--delta", "1", "--persons", "80"], "--persons"),
        (["simulate", "-n", "90", "--scenario", "linear", "--persons", "80"], "--persons"),
        (["plan", "p.toml", "--out", "a", "--out", "b", "--out", "c"], "--out"),
        (["study", "run", "p.toml", "--out", "a", "--jobs", "1", "--jobs", "2"], "--jobs"),
    ],
)
def test_one_value_does_not_hide_another(
    words: list[str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.err == f"tauhat: error: {name} is given more than once; give it once\n"
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_lists_come_in_parts_and_switches_say_the_same_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["check", str(small_trial_csv(tmp_path)), "--outcome", "sbp", "--treatment", "arm"]
    words += ["--control", "HIC", "--cluster", "clinic", "--covariates", "age"]
    words += ["--covariates", "female", "--subgroup", "age > 60", "--subgroup", "female == 1"]
    words += ["--accept", "few-clusters", "--accept", "few-clusters", "--json", "--json"]
    assert main(words) == 0
    found = capsys.readouterr().out
    assert "age > 60" in found
    assert "female == 1" in found
    for first, second in (("urban", "urbn"), ("urbn", "urban")):
        assert main([*words, "--covariates", first, "--covariates", second]) == 2
        assert "no column 'urbn'" in capsys.readouterr().err


def test_help_is_given_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--outcome", "y", "--outcome", "age", "--help"]) == 0
    assert "Usage: tauhat run" in capsys.readouterr().out
