"""Sections on what was named: modifiers and subgroups, and an effect that matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tauhat.report import gallery
from tauhat.report.named_words import allowed_for, together_words
from tauhat.report.numbers import (
    Scale,
    bare_p,
    decimals_for,
    format_count,
    format_p,
    format_percent,
    typeset,
)
from tauhat.report.per_hundred import mcid_units, units_words
from tauhat.report.pieces import arrow_note, cell, figure_of, rows_apart
from tauhat.report.text import Run, held_out_units, scale_of
from tauhat.report.time_units import outcome_name
from tauhat.report.view import ReportInput, Section, TableView
from tauhat.report.voice import effects_differ, unless_shown
from tauhat.wording import counted, degrees_text, join_words

#: The question that an estimate answers.
QUESTIONS = {
    "persons": "do persons who differ in it differ in effect?",
    "within clusters": "do persons of the same cluster who differ in it differ in effect? Only "
    "clusters in which it varies tell anything of this.",
    "between clusters": "do clusters that differ in it differ in effect?",
    "within blocks": "do blocks whose clusters differ in it differ in effect? The differences "
    "between the arms of each block are compared.",
    "all clusters": "do persons who differ in it differ in effect, wherever they are? Clusters of "
    "one group only tell of this too, and so does all else that goes with the mix of groups in a "
    "cluster.",
}


def named_section(data: ReportInput) -> Section | None:
    """Interactions with the named modifiers, the effects within their groups, what widths mean."""
    run = data.run
    named = run["named_modifiers"]
    if named is None:
        return None
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    headers = ["Modifier", "Difference of the effect", "Estimate", f"{level} CI", "df", "p"]
    tables = [
        TableView(
            "Differences of the effect along the named modifiers",
            [*headers, "p, adjusted"],
            comparison_rows(run),
            numeric_from=2,
        ),
        _groups_table(run, scale, level),
        _widths_table(run, scale),
    ]
    adjusted = join_words([cell(name) for name in named["adjusted_for"]]) or "nothing"
    return Section(
        "named",
        "Named modifiers",
        paragraphs=[
            f"{counted(len(named['tests']), 'modifier')} {_when_named(run)}, each compared "
            f"alone; effects are {units_words(run)}. An estimate is the effect in one "
            "group less that in another, or the change of the effect with a number. p is for one "
            f"comparison or modifier alone, p adjusted allows for {allowed_for(named)} (Holm).",
            _finding(run),
        ],
        items=[
            *_questions(named),
            *(_sentence(note) for note in named["notes"]),
        ],
        figures=_figures(data, scale, level),
        tables=tables,
        notes=[
            f"Adjusted for {adjusted} (a modifier not for itself), without looking at the arm. "
            f"{typeset(named['method'])} An effect that differs between groups need not differ "
            "because of the modifier: it may go with something else.",
        ],
        beside=False,
    )


def _sentence(text: str) -> str:
    return typeset(cell(text, longest=300))


def comparison_rows(run: Run) -> list[list[str]]:
    """One row per comparison: modifier, comparison, estimate, interval, df, p, adjusted p."""
    named, scale = run["named_modifiers"], scale_of(run)
    rows = []
    for test in named["tests"]:
        modifier = test["modifier"]
        own = [c for c in named["comparisons"] if c["modifier"] == modifier]
        alone = len(own) == 1
        for one in own:
            adjusted = bare_p(test["p_adjusted"]) if alone else ""
            rows.append([*_row(one, one["comparison"], scale), adjusted])
            if one["spread"] is not None and one["estimate"] is not None:
                rows.append(_per_unit(one))
        if not alone:
            together = ["–", "–", "–", bare_p(test["p_value"]), bare_p(test["p_adjusted"])]
            rows.append([modifier, together_words(own), *together])
        rows += [
            [*_row(one, f"{one['comparison']}, over all clusters", scale), ""]
            for one in named["all_clusters"]
            if one["modifier"] == modifier
        ]
    return rows_apart(rows)


def _row(one: Mapping[str, Any], words: str, scale: Scale) -> list[str]:
    if one["estimate"] is None:
        return [one["modifier"], words, "not estimated", "–", "–", "–"]
    return [
        one["modifier"],
        words,
        scale(one["estimate"]),
        scale.interval(one["lower"], one["upper"]),
        degrees_text(one["degrees_of_freedom"]),
        bare_p(one["p_value"]),
    ]


def _per_unit(one: Mapping[str, Any]) -> list[str]:
    """The same slope for one unit of the number."""
    unit = float(one["spread"])
    scale = Scale(decimals_for(one["se"] / unit))
    ends = scale.interval(one["lower"] / unit, one["upper"] / unit)
    return [one["modifier"], "the same per unit", scale(one["estimate"] / unit), ends, "", "",
            ""]  # fmt: skip


def _finding(run: Run) -> str:
    """What the comparisons say, after the primary test."""
    tests = [t for t in run["named_modifiers"]["tests"] if t["p_adjusted"] is not None]
    shown = [t for t in tests if t["p_adjusted"] < 0.05]
    if not tests:
        return "None of them can be compared: too few units tell anything about it."
    if not shown:
        return (
            "The effect is not shown to differ by any of them, adjusted for "
            f"{allowed_for(run['named_modifiers'])}. An "
            "interval that holds zero is no evidence of equal effects: the last table says what "
            "could have been seen."
        )
    names = join_words([f"{cell(t['modifier'])} ({format_p(t['p_adjusted'])})" for t in shown])
    if effects_differ(run):
        return (
            "The primary test shows that the effect differs; adjusted for "
            f"{allowed_for(run['named_modifiers'])}, it differs by {names}."
            if len(tests) > 1
            else f"The primary test shows that the effect differs; it goes with {names}."
        )
    return (
        f"Taken alone, adjusted for {allowed_for(run['named_modifiers'])}, the effect would differ "
        f"by {names}.{unless_shown(run)}"
    )


def _questions(named: Mapping[str, Any]) -> list[str]:
    """Which question each estimate answers, modifiers with the same question in one item."""
    both = dict.fromkeys(c["modifier"] for c in named["all_clusters"])
    items = []
    for question in QUESTIONS:
        found = [c for c in (*named["comparisons"], *named["all_clusters"])
                 if c["question"] == question]  # fmt: skip
        names = list(dict.fromkeys(cell(c["modifier"]) for c in found))
        if names:
            line = ", over all clusters" if question == "all clusters" else ""
            items.append(f"{join_words(names)}{line}: {QUESTIONS[question]}")
    if both:
        items.append(
            f"For {join_words([cell(name) for name in both])} a fifth or more of "
            "the clusters hold one group only. The first line is the answer, and the one that is "
            "tested; the line over all clusters stands beside it because it answers a question "
            "that is asked too. Choose between them by the question, not by the p-value."
        )
    return items


def _figures(data: ReportInput, scale: Scale, level: str) -> list[Any]:
    figures = []
    forest, groups = gallery.named_comparisons(data), gallery.named_groups(data)
    if forest is not None:
        figures.append(
            figure_of(
                forest,
                forest.text,
                f"Difference of the effect along each named modifier with {level} interval. "
                "Dotted: no difference." + arrow_note(forest),
            )
        )
    if groups is not None:
        points = "; ".join(
            f"{cell(row['covariate'])} {cell(row['group'])}: {scale(row['estimate'])} "
            f"({scale.interval(row['lower'], row['upper'])})"
            for row in groups.rows
        )
        figures.append(
            figure_of(
                groups,
                f"{groups.text} {points}.",
                f"Effect within each group with {level} interval of its own; persons in brackets. "
                "Orange: the average effect and its interval. Dotted: no effect."
                + arrow_note(groups),
            )
        )
    figures += [
        figure_of(
            curve,
            curve.text,
            f"Effect in groups of persons along {cell(curve.figure.axes[0].get_xlabel())}, each "
            f"with {level} interval of its own, at the mean of the group. Dashed: the slope of the "
            "table. Orange: the average effect and its interval.",
        )
        for curve in gallery.named_curves(data)
    ]
    return figures


def _when_named(run: Run) -> str:
    """Where modifiers were named: in the plan of a run that did not name its own beside it."""
    plan = run["plan"]
    beside = ("--modifiers ", "--subgroup ")
    if plan is None or any(told.startswith(beside) for told in plan["deviations"]):
        return "named when the analysis was called"
    return "named in the plan"


def _groups_table(run: Run, scale: Scale, level: str) -> TableView:
    units = held_out_units(run)
    rows = []
    for row in run["named_modifiers"]["groups"]:
        known = row["estimate"] is not None
        rows.append(
            [
                row["modifier"],
                typeset(row["group"]),
                format_count(row["persons"]),
                format_count(row["control_units"], of_persons=units == "persons"),
                format_count(row["treated_units"], of_persons=units == "persons"),
                scale(row["estimate"]) if known else "not estimated",
                scale.interval(row["lower"], row["upper"]) if known else "–",
            ]
        )
    return TableView(
        "Effects within the groups. Each is estimated from all that hold the group, so that two "
        "of them need not differ by the estimate of the interaction",
        ["Modifier", "Group", "Persons", f"Control {units}", f"Treated {units}", "Effect",
         f"{level} CI"],
        rows_apart(rows),
        numeric_from=2,
    )  # fmt: skip


def _widths_table(run: Run, scale: Scale) -> TableView:
    named, units = run["named_modifiers"], held_out_units(run)
    moderate = scale(named["moderate"])
    rows = []
    both: Sequence[Mapping[str, Any]] = (*named["comparisons"], *named["all_clusters"])
    for one in both:
        line = ", over all clusters" if one["question"] == "all clusters" else ""
        rows.append(
            [
                one["modifier"],
                f"{one['comparison']}{line}",
                format_count(one["control_units"], of_persons=units == "persons"),
                format_count(one["treated_units"], of_persons=units == "persons"),
                "–" if one["power"] is None else format_percent(one["power"]),
                "–" if one["detectable"] is None else scale(one["detectable"]),
            ]
        )
    return TableView(
        f"What the widths mean: power to find a difference of {moderate} (.3 standard deviations "
        "of the outcome), and the difference found with power 80%",
        ["Modifier", "Difference", f"Control {units}", f"Treated {units}", f"Power for {moderate}",
         "Found with power 80%"],
        rows_apart(rows),
        numeric_from=2,
    )  # fmt: skip


def relevance_section(data: ReportInput) -> Section | None:
    """How many persons are expected to gain what matters, and of how many that can be said."""
    found = data.run["relevance"]
    if found is None:
        return None
    rows = [
        [words, format_count(found[name]), _share(found[f"share_{name}"])]
        for words, name in (
            ("Expected to gain at least that", "expected"),
            ("of whom the interval says so", "shown"),
            ("Interval excludes such a gain", "excluded"),
        )
    ]
    return Section(
        "relevance",
        "Who gains what matters",
        paragraphs=[relevance_words(data.run)],
        tables=[TableView("Persons by expected gain", ["", "Persons", "Share"], rows)],
    )


def relevance_words(run: Run) -> str:
    """Who is expected to gain at least what matters, in sentences."""
    found = run["relevance"]

    def some(name: str) -> str:
        count = found[name]
        if count is None:
            return "fewer than five persons, or all but so few,"
        return f"{count:,} ({_share(found[f'share_{name}'])})"

    return (
        f"A gain of at least {found['mcid']:g}{mcid_units(run)} in {outcome_name(run)} "
        f"({found['better']} is better) was said to matter. By the models' estimates "
        f"{some('expected')} of {found['persons']:,} persons are expected to gain that much; the "
        f"interval allows that to be said of {some('shown')} and excludes it for "
        f"{some('excluded')}; for all others this trial leaves it open. These are expected gains "
        f"of persons with the same covariates, not what one person will gain.{unless_shown(run)}"
    )


def _share(share: float | None) -> str:
    return "–" if share is None else format_percent(share)
