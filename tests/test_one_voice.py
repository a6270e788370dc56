"""The sentences of a report agree with its numbers and with each other."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.report import plots
from tauhat.report.cannot_show import limits
from tauhat.report.checklist import checklist_section
from tauhat.report.contrast_report import contrast_answers
from tauhat.report.numbers import format_p
from tauhat.report.render import build_view
from tauhat.report.view import ReportView, Section
from tauhat.report.voice import directions_told, groups_told
from tauhat.wording import degrees_text
from test_report import example_input, example_run

pytestmark = pytest.mark.usefixtures("short_chains")

#: What no report says of effects unless its primary test does.
CLAIMS = (
    r"It differs by",
    r"primary test shows",
    r"explains it",
    r"speak clearly",
    r"\bdo differ\b",
    r"groups differ\b(?! only)",
    r"predicted (effects|benefit) differ \(",
)
DENIALS = (r"does not show that effects differ", r"did not show that effects differ", r"no finding")
# What only a sentence that defers to the test may say where the test shows nothing.
LEADS = (r"would differ by", r"leaves out zero", r"are expected to gain")


def made(
    case: str,
    *,
    clusters: int = 0,
    effect: float = 0.0,
    seed: int = 1,
    n: int = 240,
    binary: bool = False,
) -> th.Trial:
    rng = np.random.default_rng(seed)
    unit = np.arange(n) % clusters if clusters else np.arange(n)
    arm = unit % 2 if clusters else rng.permutation(np.arange(n) % 2)
    df = pd.DataFrame({"unit": unit, "arm": np.where(arm == 1, "new", "usual")})
    df["sex"] = np.where(rng.random(n) < 0.5, "girl", "boy")
    if case == "single":
        df.loc[unit % 5 < 2, "sex"] = np.where(unit % 5 < 1, "girl", "boy")[unit % 5 < 2]
    df["age"] = rng.normal(40, 10, n)
    df["urban"] = np.where(unit // 2 % 2 == 1, "town", "country")
    level = rng.normal(size=n)[unit] * (0.4 if clusters else 0)
    y = 0.5 + level + effect * arm * (df.sex == "girl") + 0.02 * df.age + rng.normal(size=n)
    df["score"] = (y > y.median()).astype(int) if binary else 10 * y
    roles: dict[str, Any] = {"cluster": "unit"} if clusters else {}
    return th.Trial(
        df, outcome="score", treatment="arm", control="usual",
        covariates=["sex", "age", "urban"] if clusters else ["sex", "age"], **roles,
    )  # fmt: skip


# Too few units for effects of held-out persons, which take most of the time.
FAST: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "clusters, no effect": (
        {"case": "single", "clusters": 10, "seed": 3},
        {"modifiers": ["sex", "age", "urban"], "mcid": 2, "higher_is_better": True},
    ),
    "persons, strong": (
        {"case": "plain", "effect": 4.0, "n": 90},
        {"modifiers": ["sex"], "subgroups": ["sex == 'girl' and age > 40"],
         "mcid": 5, "higher_is_better": False},
    ),
}  # fmt: skip
SLOW = {
    f"{kind} {effect} {seed}": (
        {"case": "single", "clusters": 24 * (kind == "clusters"), "effect": effect, "seed": seed,
         "n": 360, "binary": seed % 2 == 0},
        {"modifiers": ["sex", "age"], "higher_is_better": [None, True, False][seed % 3]},
    )
    for kind in ("clusters", "persons")
    for effect in (0.0, 0.7, 3.0)
    for seed in (1, 2, 3)
}  # fmt: skip


def view_of(analysis: th.Analysis) -> tuple[dict[str, Any], ReportView]:
    data = analysis.report_input()
    run = dict(groups_told(data.run))
    return run, build_view(replace(data, run=run))


def sentences(view: ReportView) -> Iterator[str]:
    """Every paragraph, note, caption and cell that stands in words."""
    for section in (*view.first, *view.sections):
        if section.headline:
            yield f"{section.title} {section.headline}."
        yield from (*section.paragraphs, *section.items, *section.notes)
        yield from (figure.caption for figure in section.figures)
        for table in section.tables:
            yield table.caption
            yield from (cell for row in table.rows for cell in row)


def faults(run: dict[str, Any], view: ReportView) -> list[str]:
    """What sentences say against the numbers, or against each other."""
    said, found = list(sentences(view)), []
    p_value = run["heterogeneity_test"]["p_value"]
    differs = p_value is not None and p_value < 0.05
    forbidden = DENIALS if differs else CLAIMS
    for text in said:
        found += [f"{what!r} in {text!r}" for what in forbidden
                  if re.search(what, text) and not text.endswith("?")]  # fmt: skip
        leads = any(re.search(what, text) for what in LEADS)
        if leads and not differs and not re.search(r"\bleads?\b", text):
            found.append(f"does not defer to the test: {text!r}")
        if re.search(r"\d\.\d+e[+−-]\d", text):
            found.append(f"a number for machines: {text!r}")
        for told in re.findall(r"primary test[^.;]*?\((p [=<] [\d.]+\d)\)", text):
            if told != format_p(p_value):
                found.append(f"the primary test has {format_p(p_value)}: {text!r}")
        if run["better"] is not None and "was not specified whether a higher" in text:
            found.append(f"it was said what is better: {text!r}")
        if re.search(r"\bnan\b|\bNone\b(?! of)", text):
            found.append(f"a missing number: {text!r}")
    sections = {section.anchor: section for section in view.sections}
    top = {number.label: number.value for number in view.numbers}
    cell = sections["average"].tables[0].rows[0][1]
    if top["Average effect per person"] != cell:
        found.append("two average effects")
    first = {section.anchor: section for section in view.first}
    if cell not in first["average-first"].paragraphs[0]:
        found.append("another average effect in the first part")
    found += first_part_faults(run, first)
    if run["plan"] is None:
        found += [f"named beforehand without a plan: {text!r}" for text in said
                  if re.search(r"(named|planned|stated) beforehand|As planned", text)]  # fmt: skip
    degrees = run["average_effect"]["individual"].get("degrees_of_freedom")
    told = re.search(r"t with ([\d.,]+)(?: and [\d.,]+)? degrees", run["average_effect"]["method"])
    if told and degrees is not None and told[1] != degrees_text(degrees):
        found.append(f"{told[1]} degrees of freedom beside {degrees}")
    if run["named_modifiers"] is not None:
        found += named_faults(run, sections["named"])
    return found


def first_part_faults(run: dict[str, Any], first: dict[str, Any]) -> list[str]:
    """What the first part says of the average, of the test and of what to do."""
    p_value = run["heterogeneity_test"]["p_value"]
    differs = p_value is not None and p_value < 0.05
    found = []
    average = run["average_effect"]["individual"]
    excluded = not average["lower"] <= 0 <= average["upper"]
    if (first["average-first"].headline == "No effect shown") == excluded:
        found.append("the headline of the average effect is not that of its interval")
    decide = any("Decide by the average effect" in item for item in first["use"].items)
    if decide == differs:
        found.append("what to do does not follow the primary test")
    if ("Whether effects are equal" in " ".join(first["unknown"].items)) == differs:
        found.append("what is not known does not follow the primary test")
    if not differs and re.match(r"It (goes with|differs by)", first["whom-first"].headline):
        found.append("for whom is answered although the primary test shows nothing")
    if run["named_modifiers"] is not None:
        left = " ".join(one.caption for one in first["whom-first"].figures)
        way = {"lower": "more benefit", "higher": "less benefit", None: "effect is lower"}
        if left and way[run["better"]] not in left:
            found.append(f"what lies left of zero in {left!r}")
    return found


def named_faults(run: dict[str, Any], section: Any) -> list[str]:
    """The section on named modifiers against the record."""
    found = []
    tests = run["named_modifiers"]["tests"]
    words = section.paragraphs[1]
    for test in tests:
        if test["p_value"] is None:
            continue
        if test["p_adjusted"] < test["p_value"]:
            found.append(f"{test['modifier']}: adjusted below unadjusted")
        told = f"{test['modifier']} ({format_p(test['p_adjusted'])})" in words
        if told != (test["p_adjusted"] < 0.05):
            found.append(f"{test['modifier']} in {words!r}")
    for one in run["named_modifiers"]["comparisons"]:
        excluded = one["estimate"] is not None and not one["lower"] <= 0 <= one["upper"]
        if one["estimate"] is not None and excluded != (one["p_value"] < 0.05):
            found.append(f"interval and p of {one['modifier']}")
    return found


def analysed(case: tuple[dict[str, Any], dict[str, Any]], **more: Any) -> th.Analysis:
    trial, asked = case
    return th.analyze(
        made(**trial), models=["LMM"], random_state=1, n_permutations=199, **asked, **more
    )


def test_contrasts_defer_to_the_test_over_all_of_them() -> None:
    """A contrast's own test may show what the one over all contrasts does not."""
    own = example_run()
    own["heterogeneity_test"]["p_value"] = 0.01
    modifier = dict(own["modifiers"][0], p_adjusted=0.01)
    own["modifiers"] = [modifier]
    row = {"contrast": "a against b", "p_value": 0.01, "p_adjusted": 0.2}
    test = {"p_value": 0.2, "contrasts": [row], "text": ""}
    run = {"heterogeneity_test": test, "contrasts": {"a against b": own},
           "policy": [], "no_policy": ""}  # fmt: skip
    _, whom, _ = contrast_answers(run)
    assert "the effect goes with" not in whom.text
    assert not whom.headline.startswith("It differs")
    test["p_value"] = 0.01
    _, whom, _ = contrast_answers(run)
    assert "the effect goes with" not in whom.text
    row["p_adjusted"] = 0.02
    _, whom, _ = contrast_answers(run)
    assert f"the effect goes with {modifier['covariate']}" in whom.text


@pytest.mark.parametrize("name", FAST)
def test_sentences_agree_with_the_numbers_and_with_each_other(name: str) -> None:
    analysis = analysed(FAST[name])
    run, view = view_of(analysis)
    assert faults(run, view) == []
    assert (run["heterogeneity_test"]["p_value"] < 0.05) == (name == "persons, strong")
    page = html.unescape(analysis.to_html())
    assert "Named modifiers" in page
    if name == "clusters, no effect":
        named = run["named_modifiers"]
        assert [one["modifier"] for one in named["all_clusters"]] == ["sex"]
        assert "Choose between them by the question" in page
        assert "Who gains what matters" in page
        names = set(analysis.plots())
        assert {"named-modifiers", "named-groups", "named-modifier-1"} <= names
    if name == "persons, strong":
        assert "The primary test shows that the effect differs" in page
        assert run["relevance"]["better"] == "lower"


def stored(p_value: float | None, better: str | None) -> tuple[dict[str, Any], ReportView]:
    """The stored run with another result of its test."""
    run = example_run(better=better)
    test = run["heterogeneity_test"]
    test |= {"p_value": p_value, "tested": p_value is not None, "text": "What came out."}
    run["average_effect"]["method"] = "Model-robust estimate"
    data = example_input(run)
    return run, build_view(replace(data, run=groups_told(run)))


@pytest.mark.parametrize("p_value", [0.001, 0.3, None])
def test_held_out_differences_defer_to_the_test(p_value: float | None) -> None:
    for better in (None, "higher"):
        run, view = stored(p_value, better)
        assert faults(run, view) == []
        words = " ".join(sentences(view))
        assert ("most predicted benefit" in words) == (better is not None)
        assert ("largest predicted effects" in words) == (better is None)
        assert ("this is a lead" in words) == (p_value != 0.001)


def test_what_contradicts_the_test_is_found() -> None:
    run, view = stored(0.3, None)
    run["heterogeneity_test"]["p_value"] = 0.001
    found = faults(run, view)
    assert any("did not show" in fault for fault in found)
    assert any("primary test has p = 0.001" in fault for fault in found)


@pytest.fixture(autouse=True)
def without_images(monkeypatch: pytest.MonkeyPatch) -> None:
    # Figures are drawn, but turning them into SVG takes most of a page's time.
    monkeypatch.setattr(plots, "to_data_uri", lambda figure: "data:,")


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_sentences_of_many_analyses_agree(name: str) -> None:
    assert faults(*view_of(analysed(SLOW[name]))) == []


def test_where_effects_are_larger_is_told_by_what_is_better() -> None:
    said = "Tested: age (larger effect at larger values), bmi (larger effect at smaller values)."
    assert directions_told(said, {"better": "higher"}) == (
        "Tested: age (more benefit at larger values), bmi (more benefit at smaller values)."
    )
    assert directions_told(said, {"better": "lower"}) == (
        "Tested: age (more benefit at smaller values), bmi (more benefit at larger values)."
    )
    run = example_run() | {"better": "lower"}
    run["heterogeneity_test"]["text"] = said
    data = replace(example_input(), run=run)
    (test,) = [one for one in build_view(data).sections if one.anchor == "test"]
    assert "bmi (more benefit at larger values)" in test.paragraphs[0]


def test_clusters_of_one_arm_are_no_cluster_trial_and_not_all_that_averages_rest_on() -> None:
    run = example_run()
    both = " ".join(limits(run))
    assert "the average effect included, rests on" in both
    arms = run["design"]["arms"]
    arms[next(iter(arms))]["clusters"] = 0
    assert "the arm that has them rests on" in " ".join(limits(run))
    assert "the average effect included" not in " ".join(limits(run))
    covered = checklist_section(run, [Section("compared", "Who"), Section("average", "Averages")])
    assert {row[0].split(" ")[0] for row in covered.tables[0].rows} == {"PATH", "CONSORT"}
    assert ["CONSORT 13a", "Numbers of persons by arm", "Who"] in covered.tables[0].rows
