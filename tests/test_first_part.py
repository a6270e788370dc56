"""The first two pages of a report, and the arms before treatment in its appendix."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.report import plots, render_html
from tauhat.report.compared_section import baseline_tables
from tauhat.report.first_part import average_headline, first_part
from tauhat.report.glossary import glossary_section
from tauhat.report.markdown import markdown_of
from tauhat.report.paper import paper
from tauhat.report.view import FigureView, Section
from test_report import example_input, example_run

JARGON = r"AUTOC|Qini|Kendall|CR2|Satterthwaite|jackknife|ICC|SHA-256|Holm|RMST|shrink|\bdf\b|SD\b"


@pytest.fixture(autouse=True)
def without_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "to_data_uri", lambda figure: "data:,")


def comparison(name: str, estimate: float, **changes: Any) -> dict[str, Any]:
    return {
        "modifier": name, "measured_on": "person", "question": "within clusters",
        "comparison": "the one group less the other one", "spread": None, "estimate": estimate,
        "se": 1.0, "lower": estimate - 2, "upper": estimate + 2, "p_value": 0.01,
        "degrees_of_freedom": 20.0, "control_units": 15, "treated_units": 15, "detectable": 2.9,
        "power": 0.2, **changes,
    }  # fmt: skip


def longest() -> dict[str, Any]:
    """A run with all that the first part can tell."""
    run = example_run(better="lower", synthetic="Made up.")
    names = [f"a covariate of long name, the {k}th of them all" for k in range(8)]
    run["named_modifiers"] = {
        "adjusted_for": names, "moderate": 3.0, "all_clusters": [], "groups": [], "notes": [],
        "comparisons": [comparison(name, 3.0) for name in names],
        "tests": [{"modifier": n, "p_value": 0.01, "p_adjusted": 0.03} for n in names],
        "method": "Two stages.", "n_tests": len(names),
    }  # fmt: skip
    run["relevance"] = {
        "mcid": 5.0, "better": "lower", "persons": 600, "expected": 300, "shown": 20,
        "excluded": 10, "share_expected": 0.5, "share_shown": 0.03, "share_excluded": 0.02,
    }  # fmt: skip
    run["heterogeneity_test"]["p_value"] = 0.3
    run["design"]["covariates"] = names
    run["models"][0] |= {"mean_effect": 40.0, "kept": True}
    found = {"grade": "warning", "code": "imbalance", "item": "x", "value": "y", "accepted": False}
    sentence = "Arms differ in much that was measured before treatment, by more than chance. " * 4
    run["check"] |= {
        "passed": False,
        "findings": [{**found, "sentence": sentence, "code": f"code-{k}"} for k in range(12)],
    }
    return run


RUNS = {
    "as stored": example_run,
    "longest": longest,
    "shown": lambda: example_run(
        heterogeneity_test={**example_run()["heterogeneity_test"], "p_value": 0.001}
    ),
    "not held out": lambda: example_run(held_out={"given": False, "reason": "Too few."}),
    "not tested": lambda: example_run(
        heterogeneity_test={**example_run()["heterogeneity_test"], "p_value": None}
    ),
}


def first_words(page: str) -> list[str]:
    """Every word before the appendix."""
    first = page[page.index("<header>") : page.index('<h2 class="appendix"')]
    return html.unescape(re.sub(r"<[^>]+>", " ", first)).split()


@pytest.mark.parametrize("name", RUNS)
def test_first_part_is_short_and_without_jargon(name: str) -> None:
    words = first_words(render_html(example_input(RUNS[name]())))
    assert 250 < len(words) < 700
    assert re.findall(JARGON, " ".join(words)) == []


def test_first_part_asks_six_questions_in_order() -> None:
    run = example_run()
    found = first_part(run, [Section("groups", "Groups")])
    assert [section.title for section in found] == [
        "What was compared, in whom?",
        "What did it do on average?",
        "Does the effect differ between people?",
        "For whom, by how much?",
        "What is not known?",
        "What to do with it?",
    ]


def test_average_stands_beside_that_without_covariates() -> None:
    run = example_run()
    words = " ".join(first_part(run, [Section("groups", "G")])[1].paragraphs)
    assert "−3.2 (95% confidence interval −6.1 to −0.4" in words
    assert "Without them −3.6 (−6.9 to −0.3): the change is small" in words
    run["sensitivity"]["averages"][1] |= {"estimate": -9.0, "lower": -12.0, "upper": -6.0}
    words = " ".join(first_part(run, [Section("groups", "G")])[1].paragraphs)
    assert "the arms happen to differ in these covariates" in words


def test_nobody_is_told_to_act_where_the_test_shows_nothing() -> None:
    run = longest()
    use = first_part(run, [Section("named", "N")])[-1].items
    assert any("nothing here is a reason to treat one group otherwise" in item for item in use)
    whom = " ".join(first_part(run, [Section("named", "N")])[3].paragraphs)
    assert "this is a lead, no finding" in whom


def test_what_was_not_named_and_passes_its_test_is_a_lead_beside_what_was() -> None:
    run = longest()
    run["heterogeneity_test"]["p_value"] = 0.01
    for test in run["named_modifiers"]["tests"]:
        test["p_adjusted"] = 0.9
    named = {test["modifier"] for test in run["named_modifiers"]["tests"]}
    beds = {**run["modifiers"][0], "covariate": "beds", "p_adjusted": 0.015}
    run["modifiers"] = [one for one in run["modifiers"] if one["covariate"] in named]
    whom = first_part(run, [Section("named", "N")])[3]
    assert "Not among them" not in " ".join(whom.paragraphs)
    run["modifiers"] = [beds]
    whom = first_part(run, [Section("named", "N")])[3]
    assert whom.headline == "Not shown to differ by a modifier named"
    assert "so a lead: the effect goes with beds (p = 0.015)" in " ".join(whom.paragraphs)
    run["named_modifiers"]["tests"][0]["p_adjusted"] = 0.01
    whom = first_part(run, [Section("named", "N")])[3]
    assert "Shown where the adjusted p is below 0.05" in whom.paragraphs[0]


def test_sizes_that_could_be_seen_are_of_all_comparisons() -> None:
    run = longest()
    of_race = [
        comparison("race", 1.0, comparison=f"{name} less asian", detectable=size)
        for name, size in (("black", 12.8), ("native", None), ("other", 33.3), ("white", 15.7))
    ]
    of_race[1]["estimate"] = None
    run["named_modifiers"]["comparisons"] = [comparison("'age>60'", 1.0, detectable=5.0), *of_race]
    run["named_modifiers"]["tests"] = [
        {"modifier": name, "p_value": 0.1, "p_adjusted": 0.2} for name in ("'age>60'", "race")
    ]
    run["named_modifiers"]["n_tests"] = 2
    parts = first_part(run, [Section("named", "N")])
    open_ = " ".join(parts[4].items)
    assert "a difference must be 5.0 ('age>60') to 33.3 (race: other less asian)" in open_
    assert "Not estimated (why: appendix): race: native less asian." in parts[3].paragraphs[0]


def of_regions() -> dict[str, Any]:
    """A run with a named modifier of six groups, the last of which differs."""
    run = longest()
    names = ("east", "isles", "north", "south", "west")
    comparisons = [
        comparison("region", 4.0 if name == "west" else 0.1 * k, comparison=f"{name} less centre",
                   p_value=0.004 if name == "west" else 0.7)
        for k, name in enumerate(names)
    ]  # fmt: skip
    tests = [
        {"modifier": "age", "p_value": 0.4, "p_adjusted": 0.4},
        {"modifier": "region", "p_value": 0.002, "p_adjusted": 0.004},
    ]
    run["heterogeneity_test"]["p_value"] = 0.006
    run["named_modifiers"] |= {
        "comparisons": [comparison("age", 0.1, comparison="per SD of 9"), *comparisons],
        "tests": tests,
        "n_tests": 2,
    }
    return run


def test_the_adjusted_p_of_several_groups_is_told_of_all_of_them_together() -> None:
    whom = first_part(of_regions(), [Section("named", "N")])[3]
    assert whom.headline == "It differs by region"
    rows = {row[0]: row[1:] for row in whom.tables[0].rows}
    assert rows["region: west less centre"] == ["4.0 (2.0 to 6.0)", ""]
    assert rows["region: all groups together"] == ["–", "0.004"]
    assert rows["age: per SD of 9"][1] == "0.40"


def test_what_carries_the_finding_is_on_the_first_page_and_a_cut_is_told() -> None:
    run = of_regions()
    whom = first_part(run, [Section("named", "N")])[3]
    told = [row[0] for row in whom.tables[0].rows]
    assert "region: west less centre" in told
    assert len(told) == 5  # four comparisons and the joint test
    assert "Effects within the groups, and 2 more comparisons: appendix." in whom.paragraphs[1]
    # None that is shown is lost; where the primary test shows nothing, none is shown.
    run = longest()
    whom = first_part(run, [Section("named", "N")])[3]
    assert len(whom.tables[0].rows) == 4
    assert "Effects within the groups, and 4 more comparisons: appendix." in whom.paragraphs[1]
    run["heterogeneity_test"]["p_value"] = 0.006
    whom = first_part(run, [Section("named", "N")])[3]
    assert len(whom.tables[0].rows) == 8
    assert "Effects within the groups: appendix." in whom.paragraphs[1]


@pytest.mark.parametrize(
    ("better", "words"),
    [
        ("lower", "more benefit in the group named first"),
        ("higher", "less benefit in the group named first"),
        (None, "the effect is lower (or more negative) in the group named first"),
    ],
)
def test_a_difference_below_zero_is_told_by_what_is_better(better: str | None, words: str) -> None:
    run = longest() | {"better": better}
    drawn = FigureView("data:,", "A forest", "Caption.")
    whom = first_part(run, [Section("named", "N", figures=[drawn])])[3]
    assert f"Below zero: {words}" in whom.figures[0].caption


@pytest.mark.parametrize(
    ("effect", "in_time", "words"),
    [
        ("RMST difference", True, "Longer with"),
        ("difference in time lost", True, "More time lost with"),
        ("survival difference", False, "Higher with"),
    ],
)
def test_the_headline_says_what_is_longer(effect: str, in_time: bool, words: str) -> None:
    run = example_run()
    run["endpoint"] |= {"effect": effect, "in_time": in_time, "horizon": 24.0}
    run["average_effect"]["individual"] |= {"estimate": 2.0, "lower": 1.0, "upper": 3.0}
    run["average_effect"]["cluster"] |= {"estimate": 2.0, "lower": 1.0, "upper": 3.0}
    assert average_headline(run).startswith(words)


def table_one(frame: pd.DataFrame, arm: np.ndarray) -> dict[str, list[str]]:
    data = replace(example_input(), frame=frame, treatment=arm)
    (table,) = baseline_tables(data)
    return {row[0]: list(row[1:]) for row in table.rows}


def test_table_one_counts_by_arm() -> None:
    arm = np.arange(40) % 2
    frame = pd.DataFrame({"age": np.repeat([50.0, 60, 70, 80], 10), "sex": ["m", "f"] * 20})
    assert table_one(frame, arm) == {
        "age, mean (SD)": ["65.0 (11.5)", "65.0 (11.5)"],
        "sex: m": ["20 (100.0%)", "0 (0.0%)"],
    }


def test_table_one_counts_labels_that_begin_alike() -> None:
    arm = np.arange(120) % 2
    labels = ["none", "one drug", "two drugs"]
    start = "Antihypertensive medication at baseline: "
    drugs = pd.Series(np.repeat([start + label for label in labels], [60, 40, 20]))
    told = table_one(pd.DataFrame({"drugs": drugs}), arm)
    counts = pd.crosstab(drugs, arm)
    assert len(told) == 3
    for label in labels:
        (row,) = [row for name, row in told.items() if name.endswith(f"…{label}")]
        found = [f"{n} ({100 * n / 60:.1f}%)" for n in counts.loc[start + label]]
        assert row == found


def test_table_one_tells_what_is_missing_from_a_value_of_that_name() -> None:
    arm = np.arange(100) % 2
    values = pd.Series([None] * 20 + ["missing"] * 30 + ["other values"] * 50)
    assert table_one(pd.DataFrame({"level": values}), arm) == {
        "level: 'other values'": ["25 (50.0%)", "25 (50.0%)"],
        "level: 'missing'": ["15 (30.0%)", "15 (30.0%)"],
        "level: missing": ["10 (20.0%)", "10 (20.0%)"],
    }


def test_table_one_loses_nobody_among_other_values() -> None:
    # The first level is rare in one arm, the last ones are gathered.
    arm = np.array([0] * 30 + [1] * 3 + [0, 1] * 200)
    level = np.array(["few"] * 33 + [f"l{k:02d}" for k in np.repeat(np.arange(20), 20)])
    told = table_one(pd.DataFrame({"level": level}), arm)
    assert sum(int(row[0].split()[0]) for row in told.values()) == 230
    assert sum(int(row[1].split()[0]) for row in told.values()) == 203


def test_table_one_names_a_single_value_that_is_left_over() -> None:
    level = pd.DataFrame({"level": [f"l{k}" for k in range(9)] * 20})
    told = table_one(level, np.repeat([0, 1], 90))
    assert sorted(told) == [f"level: l{k}" for k in range(9)]


def test_comparisons_that_begin_alike_are_told_apart() -> None:
    run = of_regions()
    start = "a region with a long name that ends"
    named = run["named_modifiers"]
    for k, one in enumerate(named["comparisons"][1:]):
        one["comparison"] = f"{start} in {k} less {start} nowhere"
    told = [row[0] for row in first_part(run, [Section("named", "N")])[3].tables[0].rows]
    assert len(set(told)) == len(told) == 5
    assert any("…4 less a region" in text for text in told)


def test_table_one_tells_nothing_of_few_persons() -> None:
    arm = np.arange(200) % 2
    site = np.array(["a"] * 90 + ["b"] * 80 + ["c"] * 24 + ["d"] * 6, dtype=object)
    rare = np.array(["yes"] * 6 + ["no"] * 194, dtype=object)
    code = np.where(np.arange(200) < 3, np.nan, np.arange(200) % 2).astype(float)
    number = np.where(np.arange(200) < 4, np.nan, np.arange(200.0))
    told = table_one(
        pd.DataFrame({"site": site, "rare": rare, "code": code, "number": number}), arm
    )
    # d has three persons an arm and c twelve: alone d would be what is missing to all of an arm.
    assert told["site: a"] == ["45 (45.0%)", "45 (45.0%)"]
    assert told["site: other values"] == ["15 (15.0%)", "15 (15.0%)"]
    assert not any(key.startswith(("site: c", "site: d")) for key in told)
    assert told["rare"] == ["not shown", "not shown"]
    assert told["number: missing"] == ["not shown", "not shown"]
    shown = {int(x) for cells in told.values() for c in cells for x in re.findall(r"^(\d+) \(", c)}
    assert not shown & {1, 2, 3, 4}


def test_glossary_explains_what_the_page_says() -> None:
    page = render_html(example_input())
    glossary = page[page.index('id="glossary"') :]
    for word in ("Kendall", "AUTOC", "SHA-256", "ICC", "Standard deviation (SD)"):
        assert word in glossary, word
    assert "RMST" not in glossary
    assert glossary_section([Section("a", "A")]).tables[0].rows == []


def test_modifiers_are_named_beforehand_only_in_a_plan() -> None:
    run = longest()
    assert "named beforehand" not in markdown_of(paper(run))
    plan = {"date": "2026-11-28", "sha256": "3fa9c1d2e4b5" * 5, "deviations": []}
    assert "8 modifiers were named beforehand" in markdown_of(paper({**run, "plan": plan}))
