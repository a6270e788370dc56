"""The how-tos of CONTRIBUTING.md run, and the places that it and ARCHITECTURE.md name exist."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.cli import options
from tauhat.ensembles import aggregations
from tauhat.fitting.registered import RegisteredEstimator
from tauhat.learners import catalog
from tauhat.registry import registered
from tauhat.report import ReportInput, render
from tauhat.simulate import scenario
from tauhat.simulate.scenario import unregister_scenario
from tauhat.testing import check_cate_estimator

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def code_of(heading: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the Python block under a heading of the page makes, as a module."""
    part = PAGE[PAGE.index(f"## How to add {heading}") :].split("\n## ")[0]
    found = re.search(r"```python\n(.*?)```", part, flags=re.DOTALL)
    assert found, heading
    module = ModuleType("how_to")
    # Dataclasses and pickle look modules up by their names.
    monkeypatch.setitem(sys.modules, "how_to", module)
    exec(compile(found[1], "CONTRIBUTING.md", "exec"), module.__dict__)
    return module


def test_an_estimator(monkeypatch: pytest.MonkeyPatch) -> None:
    made = code_of("an estimator", monkeypatch).MeanDifference
    check_cate_estimator(made())
    record = RegisteredEstimator(made, "difference of the arms' means", "Neyman 1923")
    monkeypatch.setitem(catalog.DIRECT, "Mean-Difference", record)
    X, A = np.arange(40.0)[:, None], np.tile([0, 1], 20)
    effect = th.estimator("Mean-Difference", random_state=1).fit(X, 2.0 * A, treatment=A).effect(X)
    assert effect.tolist() == [2.0] * 40
    assert registered("Mean-Difference") is record


def test_a_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    code_of("a scenario", monkeypatch)
    try:
        trial = scenario("one-step").draw(400, random_state=1)
        # A standardised step is -1 or 1.
        assert set(trial.tau.round(9)) == {-0.2, 0.8}
        assert ((trial.tau > 0) == (trial.X.iloc[:, 0] > 0)).all()
        values = scenario("one-step").population_values(n=20_000)
        assert values.individual_average == pytest.approx(0.3, abs=0.02)
    finally:
        unregister_scenario("one-step")


def test_a_section_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    section = code_of("a section of the report", monkeypatch).sizes_section
    run = json.loads((ROOT / "tests" / "report_run.json").read_text("utf-8"))
    effect = np.linspace(-6, 0, 60)
    data = ReportInput(
        run=run,
        frame=pd.DataFrame({"age": np.arange(60.0)}),
        effect=effect,
        lower=effect - 4,
        upper=effect + 4,
        check_table=pd.DataFrame({"item": ["persons"], "value": ["60"]}),
        balance=pd.DataFrame({"covariate": ["age"], "difference": [0.1]}),
    )
    monkeypatch.setattr(render, "SECTIONS", [*render.SECTIONS[:2], section])
    anchors = [part.anchor for part in render.shown_sections(data)]
    assert anchors[-1] == "sizes"
    assert render.shown_sections(data)[-1].tables[0].rows == [["12", "20", "31"]]
    run["design"]["cluster_size"] = None
    assert "sizes" not in [part.anchor for part in render.shown_sections(data)]


def test_an_option() -> None:
    part = PAGE[PAGE.index("## How to add an option") :].split("\n## ")[0]
    shown = re.search(r"```text\n(.*?),\n```", part, flags=re.DOTALL)
    assert shown
    option = eval(shown[1], vars(options))
    real = options.OPTIONS["horizon"]
    assert (option.name, option.shown) == ("horizon", "--horizon") == (real.key, real.shown)
    assert (option.kind, option.goes_to, option.commands) == (real.kind, "trial", real.commands)


def test_where_a_newcomer_looks() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rows = text[text.index("## Where is") : text.index("## Words")]
    named = re.findall(r"`([\w/]+(?:\.py|/))`", rows)
    assert len(named) > 12
    home = ROOT / "src" / "tauhat"
    assert [name for name in named if not (home / name).exists()] == []


def test_what_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:src|tests|docs|findings|benchmarks)/[\w/.-]+)`", PAGE)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert [name for name in re.findall(r"`make ([a-z-]+)`", PAGE) if not target(name)] == []
    assert {"DIRECT", "OUTCOME_MODELS"} <= set(vars(catalog))
    assert "AGGREGATIONS" in vars(aggregations)


def target(name: str) -> bool:
    """Whether the Makefile has a target."""
    return bool(re.search(rf"^{name}:", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
