"""Paragraphs for a paper and tables of a run, filled from its run.json."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tauhat.cli import main
from tauhat.registry import estimator_names
from tauhat.report.markdown import markdown_of
from tauhat.report.paper import paper
from tauhat.report.references import SOURCES
from tauhat.report.run_tables import run_tables

FIXTURE = Path(__file__).parent / "report_run.json"
NAMED: dict[str, Any] = {
    "comparisons": [
        {
            "modifier": "age", "measured_on": "person", "question": "within clusters",
            "comparison": "per SD of 9.5",
            "estimate": -1.5, "se": 0.6, "lower": -2.7, "upper": -0.3, "p_value": 0.014,
            "degrees_of_freedom": 24.0,
        }
    ],
    "tests": [{"modifier": "age", "p_value": 0.014, "p_adjusted": 0.028}],
    "method": "Slopes within clusters, CR2.",
}  # fmt: skip


@pytest.fixture
def run() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FIXTURE.read_text("utf-8"))
    return content


def test_paragraphs_hold_the_numbers_of_the_run(run: dict[str, Any]) -> None:
    text = markdown_of(paper(run))
    for said in (
        "The individual-average effect was −3.2 (95% CI −6.1 to −0.4; p = 0.031).",
        "gave p = 0.012",
        "intracluster correlation of the outcome was 0.030",
        "TASSH: 300 persons in 15 clusters",
        "12 to 31 persons in a cluster, median 20, CV 0.24",
        "CONSORT-cluster items (Campbell and others 2012)",
        "BMJ 345:e5661",
        "0.80 (0.20 to 1.40)",
        "no modifier was named beforehand",
    ):
        assert said in text
    assert "Holm" not in text


def test_clusters_of_one_size_have_no_range(run: dict[str, Any]) -> None:
    run["design"]["cluster_size"] = {"min": 10, "median": 10.0, "max": 10, "cv": 0.0}
    text = " ".join(markdown_of(paper(run)).split())
    assert "; clusters of 10 persons each" in text
    assert "10 to 10" not in text
    assert "persons in a cluster, median" not in text


def test_what_was_done_about_missing_outcomes_is_that_of_the_run(run: dict[str, Any]) -> None:
    run["design"]["n_missing_outcome"] = 3
    run["average_effect"]["complete_cases"] = None
    assert "3 persons without an outcome were left out" in markdown_of(paper(run))
    run["average_effect"]["complete_cases"] = run["average_effect"]["individual"]
    text = " ".join(markdown_of(paper(run)).split())
    assert "3 persons without an outcome were counted in averages and tests" in text
    assert "left out, which assumes" not in text
    assert "curvature" not in text
    run["missing_outcomes"] = {"learned_without_curvature": ["LMM", "T-Linear"]}
    text = " ".join(markdown_of(paper(run)).split())
    assert (
        "The straight lines of LMM and T-Linear were fitted to outcomes without the curvature"
        in text
    )


def test_what_was_cited_and_nothing_else_is_in_the_references(run: dict[str, Any]) -> None:
    run["held_out"] = {"given": False, "reason": "too few clusters"}
    run["heterogeneity_test"] |= {"tested": False, "p_value": None, "text": "Too few."}
    text = markdown_of(paper(run))
    assert "Yadlowsky" not in text
    assert "Westfall" not in text
    assert "was not tested. Too few." in text
    assert "not estimated: too few clusters" in text


def test_named_modifiers_and_the_plan_answer_iceman(run: dict[str, Any]) -> None:
    run["named_modifiers"] = NAMED
    run["plan"] = {"date": "2026-11-28", "sha256": "ab" * 32, "deviations": []}
    text = markdown_of(paper(run))
    assert "age, per SD of 9.5: −1.5 (95% CI −2.7 to −0.3; p = 0.014), adjusted p = 0.028." in text
    assert "The analysis was as planned on 2026-11-28, hash abababababab." in text
    assert "in the plan of 2026-11-28" in text
    assert "compared within clusters" in text
    assert "Holm (1979). A simple" in text
    assert "; errors follow Pustejovsky and Tipton (2018)." in text
    run["named_modifiers"] = {**NAMED, "method": "Least squares, HC2 errors (age)."}
    assert "Pustejovsky" not in markdown_of(paper(run))


DESIGNS: dict[str, dict[str, Any]] = {
    "clusters": {},
    "persons": {"design": {"clusters": None, "cluster_size": None, "icc": None}},
    "participants": {"design": {"type": "participant"}},
    **{
        name: {"over_periods": {"design": name, "sequences": [], "periods": [1, 2]}}
        for name in (
            "stepped wedge",
            "cluster crossover",
            "parallel trial with a baseline period",
        )
    },
}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("modifiers", [None, NAMED])
def test_the_references_are_what_is_cited(
    run: dict[str, Any], design: str, modifiers: dict[str, Any] | None
) -> None:
    run["named_modifiers"] = modifiers
    run["design"] |= DESIGNS[design].get("design", {})
    run |= {key: value for key, value in DESIGNS[design].items() if key != "design"}
    stacked = [f"X-Stack-{name}" for name in ("BART", "RF", "Boosting", "Stack")]
    one = run["models"][0]
    run["models"] = [{**one, "name": name} for name in [*estimator_names(every=True), *stacked]]
    text, _, listed = markdown_of(paper(run)).partition("## References")
    for cited, reference in SOURCES.items():
        authors, _, year = cited.rpartition(" ")
        found = f"{authors} {year}" in text or f"{authors} ({year})" in text
        assert found == (f"* {reference}\n" in listed), cited
        text = text.replace(cited, "").replace(f"{authors} ({year})", "")
    # Nothing that looks like authors and a year is left.
    assert re.findall(r"\w+ \(?(?:19|20)\d\d\b(?![-/])", text) == []
    assert "X-Stack-RF ()" in text  # its source is known


def test_the_adjusted_p_of_several_groups_is_told_once(run: dict[str, Any]) -> None:
    one = NAMED["comparisons"][0] | {"modifier": "region", "p_value": 0.68}
    comparisons = [{**one, "comparison": f"{name} less centre"} for name in ("east", "west")]
    comparisons.append({**one, "comparison": "isles less centre", "estimate": None})
    tests = [{"modifier": "region", "p_value": 0.004, "p_adjusted": 0.008}]
    run["named_modifiers"] = {**NAMED, "comparisons": comparisons, "tests": tests}
    text = markdown_of(paper(run))
    told = (
        "east less centre: −1.5 (95% CI −2.7 to −0.3; p = 0.68); west less centre: −1.5 (95% CI "
        "−2.7 to −0.3; p = 0.68); isles less centre: not estimable; those estimated together: "
        "p = 0.004, adjusted p = 0.008"
    )
    assert f"region, {told}." in text
    assert f"{told}; compared within clusters" in text
    assert text.count("adjusted p = 0.008") == 2  # of the results and of ICEMAN
    tests[0] |= {"p_value": None, "p_adjusted": None}
    assert "adjusted p not" not in markdown_of(paper(run))


def test_signs_are_left_and_tags_are_not(run: dict[str, Any]) -> None:
    run["heterogeneity_test"]["p_value"] = 0.00001
    run["roles"]["outcome"] = "<b>sbp</b> &amp; more"
    text = markdown_of(paper(run))
    assert "p < 0.001" in text
    assert "&lt;b>sbp&lt;/b> &amp;amp; more" in text


def test_every_list_of_records_is_a_table(run: dict[str, Any]) -> None:
    tables = run_tables(run)
    assert tables["average-effect"].quantity.tolist() == ["individual", "cluster", "difference"]
    assert tables["average-effect"].estimate[0] == -3.21
    curve = tables["held-out-ranking-curve"]
    assert curve.columns[:2].tolist() == ["better", "share"]
    assert tables["modifiers"].covariate[0] == "age"
    assert not any(table.empty for table in tables.values())


def test_the_command_prints_and_writes_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text(FIXTURE.read_text("utf-8"))
    assert main(["methods", str(tmp_path), "--tables", str(tmp_path / "tables")]) == 0
    assert "## Results" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "tables" / "held-out-groups.csv")
    assert table.estimate[0] == -5.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file"),
        ("{", "is no run.json"),
        ("[1]", "is no run.json"),
        ('{"schema": 1}', "was changed, or written by another version of tauhat (versions"),
    ],
)
def test_what_is_no_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    assert main(["methods", str(path), "--tables", str(tmp_path / "tables")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "tables").exists()
