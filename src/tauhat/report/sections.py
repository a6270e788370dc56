"""Sections on the trial as a whole: design, average effects, primary test, limits, origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tauhat.disclosure import FEW
from tauhat.report import gallery
from tauhat.report.cannot_show import limits
from tauhat.report.findings import check_state, grade_words
from tauhat.report.numbers import format_fixed, format_p, format_percent, typeset
from tauhat.report.pieces import figure_of, first_upper, table_of
from tauhat.report.randomized_units import in_clusters
from tauhat.report.text import (
    Run,
    effects_in_words,
    estimands,
    how_persons_count,
    plan_sentence,
    scale_of,
)
from tauhat.report.unadjusted import adjustment_words, unadjusted
from tauhat.report.view import ReportInput, Section, TableView
from tauhat.report.voice import directions_told, neutral

KINDS_OF_HETEROGENEITY = {
    "linear": "steadily along covariates of the person",
    "curvature": "along them, with bends",
    "products": "by combinations of two covariates",
    "cluster-level": "between kinds of clusters",
}


def plan_section(data: ReportInput) -> Section | None:
    """Whether the analysis was planned beforehand, and every deviation."""
    plan = data.run["plan"]
    if plan is None:
        return None
    return Section(
        "plan",
        "The plan",
        paragraphs=[plan_sentence(plan), f"SHA-256 of the plan: {plan['sha256']}."],
        items=plan["deviations"],
    )


def check_section(check: Mapping[str, Any]) -> Section:
    """What the design check found, in words."""
    check = neutral(check)
    return Section(
        "design",
        "The design check",
        paragraphs=[f"Design check: {check_state(check)}.", *check["failures"]],
        items=[
            *(
                f"{first_upper(grade_words(found))} ({found['code']}): {typeset(found['sentence'])}"
                for found in check["findings"]
                if found["grade"] == "warning"
            ),
            *map(typeset, check["notes"]),
        ],
    )


def design_section(data: ReportInput) -> Section:
    """Whether the trial is what it was said to be."""
    figures = []
    drawn = gallery.balance(data)
    if drawn is not None:
        shown = drawn.data
        worst = f"{shown['covariate'].iloc[0]} ({format_fixed(shown['difference'].iloc[0], 2)})"
        largest = f" ({len(shown)} largest)" if len(data.balance) > len(shown) else ""
        figures.append(
            figure_of(
                drawn,
                f"Standardised differences of {len(shown)} covariates between the arms; the "
                f"largest is that of {worst}.",
                f"Differences between the arms before treatment, in standard deviations{largest}. "
                "Grey: less than 0.1. "
                + (
                    "With few clusters, larger ones arise by chance."
                    if in_clusters(data.run)
                    else "Some differ by chance."
                )
                + (
                    f" Covariates of which {FEW} of an arm have one of two values are not shown."
                    if data.balance["difference"].isna().any()
                    else ""
                ),
            )
        )
    return replace(
        check_section(data.run["check"]),
        figures=figures,
        tables=[table_of(data.check_table, "The trial as it was read")],
    )


def average_section(data: ReportInput) -> Section:
    """Both average effects."""
    run = data.run
    scale = scale_of(run)
    effects = run["average_effect"]
    labels = {
        "individual": f"Individual-average (every person counts {how_persons_count(run)})",
        "cluster": "Cluster-average (every cluster counts the same)",
        "difference": "Difference of the two",
    }
    shown = [*estimands(run), "difference"]
    present = {name: effects[name] for name in shown if effects[name] is not None}
    rows = [[labels[name], *scale.cells(found)] for name, found in present.items()]
    if present.get("difference", {}).get("se") == 0:
        # In the first column, whose words may wrap: beside a figure there is no room for more.
        rows[-1][0] += ": none by design, as clusters are of equal size"
        rows[-1][2:] = ["–", "–", "–"]
    level = format_percent(run["interval"]["level"])
    alone = unadjusted(run)
    if alone is not None:
        ends = scale.interval(alone["lower"], alone["upper"])
        rows.append([f"{labels[shown[0]]}, without covariates", scale(alone["estimate"]), "–",
                     ends, "–"])  # fmt: skip
    drawn = gallery.average_effects_figure(data)
    figure = figure_of(
        drawn,
        "Average effects with intervals: "
        + "; ".join(
            f"{row['label']} {scale(row['estimate'])}, {scale.interval(row['lower'], row['upper'])}"
            for row in drawn.rows
        )
        + ".",
        f"Average effects with {level} intervals. Dotted line: no effect.",
    )
    return Section(
        "average",
        "Average effects",
        paragraphs=[
            "These come from the randomization, not from the models below: a model-robust "
            "estimate, which stays valid when the working regression is wrong. Effects are "
            f"{effects_in_words(run)}, treated minus control; "
            "positive means "
            "that treatment raises it.",
            adjustment_words(run),
        ],
        figures=[figure],
        tables=[
            TableView("Average effects", ["Estimand", "Effect", "SE", f"{level} CI", "p"], rows)
        ],
        notes=[f"{effects['method']}.", *_informative_size(effects["size_p_value"])],
    )


def _informative_size(p_value: float | None) -> list[str]:
    """Whether the effect goes with the size of clusters, in a sentence."""
    if p_value is None:
        return []
    found = (
        "Effects go with the size of clusters, so that the two averages answer different questions"
        if p_value <= 0.05
        else "There is no clear sign that effects go with the size of clusters"
    )
    return [f"{found} ({format_p(p_value)}, by permuting whole clusters)."]


def heterogeneity_section(data: ReportInput) -> Section:
    """The one primary test."""
    test = data.run["heterogeneity_test"]
    if test["p_value"] is None:
        return Section("test", "Does the effect differ? Not tested", paragraphs=[test["text"]])
    parts = test.get("parts") or {}
    tables = []
    if parts:
        rows = [
            [name, KINDS_OF_HETEROGENEITY.get(name, ""), format_fixed(p, 3)]
            for name, p in parts.items()
        ]
        headers = ["Part", "The effect differs", "p"]
        tables.append(TableView("Parts of the test", headers, rows, numeric_from=2))
    return Section(
        "test",
        "Does the effect differ? The primary test",
        paragraphs=[
            directions_told(test["text"], data.run),
            "This is the one test of the hypothesis that the effect is the same for everybody. "
            "All that follows is descriptive and does not replace it.",
        ],
        tables=tables,
    )


def reading_section(run: Run) -> Section:
    """How to read this."""
    return Section(
        "reading",
        "How to read this",
        items=[
            "The average effects rest on the randomization; covariates only sharpen them. Begin "
            "with them.",
            "One primary test asks whether the effect differs at all. If it is not significant, "
            "figures of who gains more are leads and not findings.",
            "An estimated effect is the expected effect for persons with the same covariates"
            + (", in a new cluster" if in_clusters(run) else "")
            + ". No individual effect is ever observed: each person had one of the treatments.",
            "A covariate with which the effect varies need not cause the difference; it may be "
            "correlated with another one that does.",
            "Where models of different kinds agree on the ranking of persons, it does not depend "
            "on one model. Where they do not, the honest summary is the average effect.",
            "Before acting on a difference, look for a reason stated in advance, agreement of the "
            "models, an interval that supports it, and confirmation in other data.",
        ],
    )


def limits_section(data: ReportInput) -> Section:
    """What this trial cannot show."""
    return Section("limits", "Limits of this analysis", items=limits(data.run))


def made_section(data: ReportInput) -> Section:
    """How this was made."""
    run = data.run
    facts = [
        ["To run it again", run["rerun"]],
        ["Data", run["data"]["file"] or "a table in memory"],
        ["SHA-256 of the data", run["data_sha256"]],
        ["Seed", str(run["seed"])],
        ["Finished (UTC)", run["finished"]],
        ["Time", f"{sum(run['seconds'].values()):.0f} s"],
        ["Versions", ", ".join(f"{name} {number}" for name, number in run["versions"].items())],
    ]
    return Section(
        "made",
        "How this was made",
        paragraphs=[
            "The same versions, data and seed give the same numbers, whatever the number of jobs "
            "and the order of the rows; the SHA-256 tells whether a file is the one analysed."
        ],
        tables=[TableView("Provenance", ["Fact", "Value"], facts, numeric_from=2)],
    )
