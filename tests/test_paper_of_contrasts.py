"""Paragraphs for a paper and tables of a run of several arms, filled from its run.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tauhat.analysis.contrast_schema import RunOfArms
from tauhat.analysis.run_fields import differences
from tauhat.cli import main
from tauhat.inference.descriptive import DESCRIPTIVE
from tauhat.report.items_of_contrasts import items_of_contrasts
from tauhat.report.markdown import markdown_of
from tauhat.report.numbers import format_fixed, format_p
from tauhat.report.paper_of_contrasts import paper_of_contrasts
from tauhat.report.references import SOURCES
from tauhat.report.run_tables import run_tables

FIXTURE = Path(__file__).parent / "report_run.json"
OF_ALL = ("schema", "versions", "seed", "command", "rerun", "plan", "finished", "seconds", "data",
          "data_sha256", "synthetic", "roles", "check")  # fmt: skip
ARMS = {"usual": 210, "low": 200, "high": 190}


def estimate(value: float, p_value: float, se: float = 0.5) -> dict[str, float]:
    ends = {"lower": value - 2 * se, "upper": value + 2 * se}
    return {"estimate": value, "se": se, **ends, "p_value": p_value, "degrees_of_freedom": 18.0}


def interaction(value: float, p_value: float, p_adjusted: float) -> dict[str, Any]:
    """One modifier that was named."""
    return {
        "adjusted_for": ["age"],
        "moderate": 3.1,
        "comparisons": [
            {
                "modifier": "age", "measured_on": "person", "question": "within clusters",
                "comparison": "per SD of 9.5", "spread": 9.5, "control_units": 15,
                "treated_units": 15, "detectable": 2.0, "power": 0.6,
                **estimate(value, p_value),
            }
        ],
        "all_clusters": [],
        "tests": [{"modifier": "age", "p_value": p_value, "p_adjusted": p_adjusted}],
        "n_tests": 2,
        "groups": [],
        "notes": [],
        "method": "Slopes within clusters, CR2.",
    }  # fmt: skip


def contrast(base: dict[str, Any], pair: tuple[str, str], effect: float) -> dict[str, Any]:
    """A run of two of the arms, the reference first."""
    one = deepcopy(base)
    one["design"]["arms"] = {
        name: {"label": label, "n": ARMS[label], "clusters": 10, "n_missing_outcome": 20}
        for name, label in zip(("control", "treated"), pair, strict=True)
    }
    one["average_effect"] |= {
        "individual": estimate(effect, 0.021), "cluster": estimate(effect + 0.3, 0.034),
        "method": f"Model-robust estimate over 20 clusters, t with {18 + effect:.1f} degrees",
    }  # fmt: skip
    one["held_out"]["difference"] |= {"estimate": effect + 9, "lower": 0.5, "upper": 17.5}
    return one


@pytest.fixture
def run() -> dict[str, Any]:
    base: dict[str, Any] = json.loads(FIXTURE.read_text("utf-8"))
    pairs = {"low against usual": (("usual", "low"), -1.4)}
    pairs["high against low"] = (("low", "high"), 2.3)
    parts = {name: contrast(base, *given) for name, given in pairs.items()}
    parts["low against usual"]["named_modifiers"] = interaction(0.77, 0.4, 0.4)
    parts["high against low"]["named_modifiers"] = interaction(-1.9, 0.004, 0.008)
    parts["high against low"]["design"]["icc"] = 0.047
    policy = {
        "best_arm": "high", "shares": {"usual": 0.125, "low": 0.25, "high": 0.625},
        "over_control": estimate(3.7, 0.001), "over_best": estimate(0.9, 0.08),
        "best_over_control": estimate(2.8, 0.002),
        "text": f"The model would give. {DESCRIPTIVE} Policy value over 3 arms.",
    }  # fmt: skip
    averages = [
        {
            "contrast": name,
            **{kind: part["average_effect"][kind] for kind in ("individual", "cluster")},
            "difference": None, "p_adjusted": p, "p_adjusted_cluster": p + 0.02,
        }
        for (name, part), p in zip(parts.items(), (0.042, 0.055), strict=True)
    ]  # fmt: skip
    tests = [("low against usual", 0.31, 0.33), ("high against low", 0.003, 0.0062)]
    made = {
        **{key: base[key] for key in OF_ALL},
        "arms": [{"label": label, "n": n, "clusters": 10} for label, n in ARMS.items()],
        "average_effects": averages,
        "heterogeneity_test": {
            "tested": True,
            "p_value": 0.0058,
            "method": "Permutation over 2 contrasts of 3 arms",
            "text": "An effect differs.",
            "contrasts": [
                {"contrast": name, "p_value": p, "p_adjusted": adjusted}
                for name, p, adjusted in tests
            ],
        },
        "policy": [{"better": better, **policy} for better in ("higher", "lower")],
        "no_policy": None,
        "contrasts": parts,
    }
    return made


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def paragraphs(run: dict[str, Any], title: str) -> list[str]:
    (found,) = [one for one in paper_of_contrasts(run).sections if one.title == title]
    return list(found.paragraphs)


def test_each_contrast_has_its_own_numbers(run: dict[str, Any]) -> None:
    assert not differences(run, RunOfArms)
    told = paragraphs(run, "Results")
    assert told[0].startswith(
        "30 clusters with 600 analysed persons were randomized to usual (10 clusters, 210 persons)"
    )
    assert "outcome was 0.030 in low against usual and 0.047 in high against low." in told[0]
    assert (
        "test over all contrasts of effects that differ between persons gave p = 0.006" in told[1]
    )
    assert told[2:4] == [
        "low against usual: The individual-average effect was −1.40 (95% CI −2.40 to −0.40; "
        "p = 0.021, adjusted p = 0.042). The cluster-average effect was −1.10 (95% CI −2.10 to "
        "−0.10; p = 0.034, adjusted p = 0.062).",
        "low against usual: Its own test of effects that differ between persons gave p = 0.31, "
        "adjusted p = 0.33. The estimated effects vary most with age and urban. The mean estimated "
        "effect is −6.00 at age around 70 and −1.00 at age around 40. Only age (p = 0.020) would "
        "pass a test alone, so take this as a lead for other trials. age, per SD of 9.5: 0.77 (95% "
        "CI −0.23 to 1.77; p = 0.40), adjusted p = 0.40. Between the outer quarters by predicted "
        "effect, the effect differed by 7.60 (0.50 to 17.50), by effects that no model saw.",
    ]
    assert "effect was 2.30 (95% CI 1.30 to 3.30; p = 0.021, adjusted p = 0.055)" in told[4]
    assert "gave p = 0.003, adjusted p = 0.006. Tested one by one" in told[5]
    assert "age, per SD of 9.5: −1.90 (95% CI −2.90 to −0.90; p = 0.004), adjusted p" in told[5]
    assert told[6].startswith("If higher outcomes are better: The model would give usual to 12%")
    assert "0.90 (95% interval −0.10 to 1.90) over high for everyone" in told[6]


def test_every_number_of_the_results_is_one_of_the_run(run: dict[str, Any]) -> None:
    known = {format_fixed(value, k) for value in numbers(run) for k in range(4)}
    known |= {format_p(value).rpartition(" ")[2] for value in numbers(run)}
    for told in paragraphs(run, "Results"):
        found = re.findall(r"−?\d+\.\d+", told)
        assert found or "gave p" in told
        assert set(found) <= known


def test_methods_tell_what_p_values_allow_for(run: dict[str, Any]) -> None:
    told = " ".join(paragraphs(run, "Methods"))
    for said in (
        "Of 3 arms (usual, low and high), 2 contrasts were analysed: low against usual and high "
        "against low.",
        "differences in sbp_12m, the arm named first less the other, as randomized, with 95%",
        "t with 16.6 (low against usual) and 20.3 (high against low) degrees (Li and others 2025)",
        "allow for the number of contrasts (Holm 1979), of each kind of average effect alone",
        "was tested once, over all contrasts: permutation over 2 contrasts of 3 arms.",
        "closed testing (Marcus, Peritz and Gabriel 1976)",
        "1 modifier was named when the analysis was called: age.",
        "for the number of modifiers named and of contrasts (1 times 2); errors follow",
        "the control: policy value over 3 arms. This is exploratory too.",
        "(60 in low against usual and 60 in high against low)",
    ):
        assert said in told, said
    whole = markdown_of(paper_of_contrasts(run))
    for said in ("treated less control", "two arms, clusters", "The effect differs.", "None"):
        assert said not in whole


def test_what_was_not_made_is_not_told(run: dict[str, Any]) -> None:
    test = run["heterogeneity_test"]
    test |= {"tested": False, "p_value": None, "text": "Effects were not tested: too few."}
    for one in test["contrasts"]:
        one |= {"p_value": None, "p_adjusted": None}
    run |= {"policy": [], "no_policy": "A policy needs each arm."}
    for part in run["contrasts"].values():
        part["named_modifiers"] = None
        part["held_out"] = {"given": False, "reason": "Quick models."}
        part["design"] |= {"clusters": None, "cluster_size": None, "icc": None}
        part["design"]["n_missing_outcome"] = 0
        part["average_effect"] |= {"cluster": None, "method": "Weighted estimate"}
    for arm in run["arms"]:
        arm["clusters"] = None
    text = markdown_of(paper_of_contrasts(run))
    assert text.count("Effects were not tested: too few.") == 1
    assert text.count("Whether the effect differs between persons was not tested.") == 2
    assert "not estimated: A policy needs each arm." in text
    assert "Every person had an outcome." in text
    for absent in ("Marcus", "Westfall", "Pustejovsky", "Yadlowsky", "cluster", "p not available"):
        assert absent not in text, absent


@pytest.mark.parametrize("named", [True, False])
def test_the_references_are_what_is_cited(run: dict[str, Any], named: bool) -> None:
    if not named:
        for part in run["contrasts"].values():
            part["named_modifiers"] = None
    text, _, listed = markdown_of(paper_of_contrasts(run)).partition("## References")
    assert "Juszczak, Altman" in listed
    for cited, reference in SOURCES.items():
        authors, _, year = cited.rpartition(" ")
        found = f"{authors} {year}" in text or f"{authors} ({year})" in text
        assert found == (f"* {reference}\n" in listed), cited
        text = text.replace(cited, "").replace(f"{authors} ({year})", "")
    assert re.findall(r"[A-Z]\w+ \(?(?:19|20)\d\d\b(?![-/])", text) == []


def test_guidelines_are_answered_for_all_arms(run: dict[str, Any]) -> None:
    parts = run["contrasts"]
    # Few persons are hidden wherever one contrast hides them.
    parts["high against low"]["design"]["arms"]["control"]["n_missing_outcome"] = None
    items = {
        (row[0], row[1]): row[2]
        for section in items_of_contrasts(run, parts)
        for row in section.tables[0].rows
    }
    said = {item: answer for (item, _), answer in items.items()}
    assert said["3a"] == "3 arms, clusters randomized"
    assert said["13a"].startswith("usual: 210 persons in 10 clusters; low: 200 persons in 10")
    assert said["13b"] == "usual: 20; low: not told, as an arm lost few; high: 20"
    assert said["16"].startswith("600 persons analysed. Of each contrast: ")
    assert "high against low: The individual-average effect was 2.30" in said["17a"]
    assert "allow for" not in said["20"]
    assert "number of contrasts" in said["20"]
    chance = items["age", "3: is chance an unlikely explanation?"]
    assert chance == (
        "low against usual: per SD of 9.5: 0.77 (95% CI −0.23 to 1.77; p = 0.40), adjusted "
        "p = 0.40; compared within clusters. high against low: per SD of 9.5: −1.90 (95% CI −2.90 "
        "to −0.90; p = 0.004), adjusted p = 0.008; compared within clusters."
    )
    assert items["age", "5: if continuous, arbitrary cut points avoided?"] == "no cut point"


def test_persons_without_an_outcome_are_counted_but_in_the_joint_test(run: dict[str, Any]) -> None:
    part = run["contrasts"]["high against low"]
    part["design"]["n_counted"] = part["design"]["n"] + 40
    part["average_effect"]["complete_cases"] = part["average_effect"]["individual"]
    text = markdown_of(paper_of_contrasts(run))
    assert "Averages and each contrast's own test count those without an outcome too." in text
    assert "The test over all contrasts is of persons with an outcome, each contrast's own" in text


def test_risks_are_told_by_the_names_of_their_arms(run: dict[str, Any]) -> None:
    risks = {"event": "y = 1", "arms": [], "cluster": None}
    for name, part in run["contrasts"].items():
        text = f"{len(name)}.0 of 100 persons have the event with treatment and 9.0 without, a risk"
        text += " difference of 3. One event fewer for every 33 persons treated."
        part["average_risks"] = {**risks, "individual": {"text": text}}
    text = markdown_of(paper_of_contrasts(run))
    told = (
        "16.0 of 100 persons have the event with high and 9.0 with low, a risk difference of 3. "
        "One event fewer for every 33 persons given high in place of low."
    )
    assert text.count(told) == 2  # in the results and of CONSORT
    assert "with treatment" not in text


def test_a_plan_names_modifiers_unless_others_were_given_beside_it(run: dict[str, Any]) -> None:
    def follow(*deviations: str) -> str:
        plan = {"date": "2026-11-28", "sha256": "ab" * 32, "deviations": list(deviations)}
        run["plan"] = plan
        for part in run["contrasts"].values():
            part["plan"] = plan
        return markdown_of(paper_of_contrasts(run))

    text = follow()
    assert "The analysis was as planned on 2026-11-28, hash abababababab." in text
    assert "1 modifier was named in the plan: age." in text
    assert "beforehand? | in the plan of 2026-11-28" in text
    text = follow("--modifiers age was given; planned was sex.")
    assert "1 modifier was named when the analysis was called: age." in text
    assert "beforehand? | for the authors" in text


def test_tables_hold_all_contrasts(run: dict[str, Any]) -> None:
    tables = run_tables(run)
    average = tables["average-effect"]
    assert average.columns[:2].tolist() == ["contrast", "quantity"]
    own = average[average.quantity == "individual"].set_index("contrast").estimate
    assert own.to_dict() == {"low against usual": -1.4, "high against low": 2.3}
    assert tables["arms"].n.tolist() == [210, 200, 190]
    assert not any("contrasts-" in name for name in tables if "test" not in name)


def test_the_command_writes_text_and_tables(
    run: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text(json.dumps(run), "utf-8")
    assert main(["methods", str(tmp_path), "--tables", str(tmp_path / "tables")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# Comparisons of usual, low and high, effects on sbp_12m\n")
    table = pd.read_csv(tmp_path / "tables" / "average-effects.csv")
    assert table.p_adjusted.dropna().tolist() == [0.042, 0.055]
    docx = pytest.importorskip("docx")
    document = docx.Document(str(tmp_path / "tables" / "tables.docx"))
    assert document.paragraphs[0].text == (
        "Tables: comparisons of usual, low and high, effects on sbp_12m"
    )
    assert "low against usual" in {
        cell.text for t in document.tables for cell in t.columns[0].cells
    }


def test_a_run_of_arms_that_was_changed_is_refused(
    run: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del run["contrasts"]["high against low"]["effects"]
    (tmp_path / "run.json").write_text(json.dumps(run), "utf-8")
    assert main(["methods", str(tmp_path)]) == 2
    assert "was changed, or written by another version" in capsys.readouterr().err
