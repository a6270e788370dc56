"""An option of the command is one record, from which all that has to know of it is made."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import command_line
import pytest
import typer

import tauhat as th
from tauhat.cli.option import Option
from tauhat.cli.option_kinds import NUMBER
from tauhat.cli.options import OPTIONS
from tauhat.cli.settings import Settings, settings_from, with_options
from tauhat.errors import TrialError

ROOT = Path(__file__).resolve().parent.parent
RECEIVERS = {"read": th.read_table, "trial": th.Trial, "analyze": th.analyze}
#: Arguments that only Python has, or that the command gives itself.
WITHOUT_OPTION = {
    "read": {"path", "labels", "max_bytes", "descriptions"},
    "trial": {"df", "where"},
    "analyze": {"trial", "n_jobs", "progress", "source", "n_permutations"},
}


@pytest.mark.parametrize("receiver", RECEIVERS)
def test_the_arguments_of_python_and_the_options_are_the_same(receiver: str) -> None:
    arguments = set(inspect.signature(RECEIVERS[receiver]).parameters)
    keywords = {one.keyword for one in OPTIONS.values() if one.goes_to == receiver}
    assert arguments - keywords == WITHOUT_OPTION[receiver]
    assert keywords <= arguments


def test_the_page_of_options_is_that_of_the_records() -> None:
    page = command_line.PAGE.read_text(encoding="utf-8")
    assert command_line.renewed(page) == page, "run `python docs/command_line.py`"
    assert all(f"`{one.key}`" in page for one in OPTIONS.values())


def no_dose(value: float) -> str | None:
    return None if value > 0 else f"must be positive, got {value:g}"


def test_a_new_option_is_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    dose = Option("largest_dose", "Largest dose.", NUMBER, goes_to="trial", fault=no_dose)
    monkeypatch.setitem(OPTIONS, "largest_dose", dose)
    seen: list[Settings] = []
    app = typer.Typer()

    @app.command()
    @with_options("check")
    def check(given: Settings, json: bool = False) -> None:
        seen.append(given)

    roles = ["--outcome", "y", "--treatment", "a"]
    app(["t.csv", *roles, "--largest-dose", "-2.5"], standalone_mode=False)
    assert seen[0].arguments("trial") == {"outcome": "y", "treatment": "a", "largest_dose": -2.5}
    assert seen[0].paths == [Path("t.csv")]
    with pytest.raises(TrialError, match=r"--largest-dose must be positive, got -2\.5"):
        seen[0].checked()
    config = settings_from({"largest-dose": 3, "outcome": "z"}, Path("t.toml"))
    assert seen[0].over(config).given["largest_dose"] == -2.5
    assert config.largest_dose == 3.0
    with pytest.raises(TrialError, match="largest_dose must be a number, got 'much'"):
        settings_from({"largest-dose": "much"}, Path("t.toml"))


def test_what_was_not_said_is_left_to_the_receiver() -> None:
    given: dict[str, Any] = {"file": Path("t.csv"), "outcome": "y", "treatment": "a"}
    full = Settings(given).checked()
    assert full.arguments("trial") == {"outcome": "y", "treatment": "a"}
    assert full.arguments("analyze") == {
        "models": ("default",),
        "random_state": 1,
        "level": 0.95,
    }
    assert full.cluster is None
    with pytest.raises(AttributeError):
        _ = full.clusters


def test_an_option_of_its_own_default_shows_that_one() -> None:
    out = replace(OPTIONS["out"], otherwise="here")
    (with_none,), (with_one,) = (
        [part.help for part in annotation.__metadata__]
        for annotation in (out.annotation(), out.annotation(Path("demo")))
    )
    assert with_none == "Folder for the results (default: here)."
    assert with_one == "Folder for the results."
