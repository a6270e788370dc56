"""Sections from held-out effects: sorted groups, subgroups, calibration, targeting, policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tauhat.report import held_out_figures
from tauhat.report.covariate_section import covariate_section
from tauhat.report.numbers import (
    Scale,
    decimals_for,
    format_count,
    format_fixed,
    format_percent,
    typeset,
)
from tauhat.report.per_hundred import gain_words, units_words
from tauhat.report.pieces import arrow_note, cell, figure_of
from tauhat.report.randomized_units import in_clusters
from tauhat.report.survival_section import curves_of_groups
from tauhat.report.text import Run, covers_zero, held_out_units, in_one_arm, scale_of
from tauhat.report.view import FigureView, ReportInput, Section, TableView
from tauhat.report.voice import (
    effects_differ,
    ends_told,
    order_words,
    other_averages,
    unless_shown,
)
from tauhat.wording import join_words

ROWS_OF_CLASSIFICATION = 12
COVARIATES_NAMED = 4
LONGEST_RULE = 240
UNSUPPORTED = "not estimated"


def held_out_sections(data: ReportInput) -> list[Section]:
    """Groups, subgroups, calibration; or one section with the reason why they are missing."""
    found = data.run["held_out"]
    if not found["given"]:
        title = "Groups, subgroups and calibration"
        return [Section("groups", title, paragraphs=[found["reason"]])]
    along = covariate_section(data)
    return [
        *([along] if along is not None else []),
        groups_section(data),
        subgroup_section(data),
        calibration_section(data),
    ]


def groups_section(data: ReportInput) -> Section:
    """Effects of quarters of the persons sorted by held-out effect, and who is in them."""
    run = data.run
    found = run["held_out"]
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    rows = [
        [
            str(row["group"]),
            format_count(round(row["persons"])),
            scale(row["predicted"]),
            *effect_cells(row, scale),
        ]
        for row in found["groups"]
    ]
    gap = effect_cells(found["difference"], scale)
    rows.append([ends_told("largest less smallest", run), "–", "–", *gap])
    return Section(
        "groups",
        "Groups by predicted effect",
        paragraphs=[_origin(run), _groups_finding(run, scale)],
        figures=[
            figure_of(
                held_out_figures.quarters(data),
                "Effects of quarters of the persons sorted by predicted effect: "
                + "; ".join(
                    f"{row['group']}: {_estimate_words(row, scale)}, predicted "
                    f"{scale(row['predicted'])}"
                    for row in found["groups"]
                )
                + ".",
                f"Quarters of the persons by predicted effect: effect (dot) with {level} interval, "
                "and mean prediction (diamond). Orange: the average effect and its interval.",
            ),
            *curves_of_groups(data),
        ],
        tables=[
            TableView(
                "Effects of groups sorted by predicted effect",
                ["Quarter", "Persons", "Predicted", "Effect", f"{level} CI"],
                rows,
            ),
            _classification_table(run, level),
        ],
        notes=[
            "Persons in a group: mean number over the splits. The intervals of the last table are "
            f"not adjusted for their number: of {len(found['classification'])} covariates some "
            "differ by chance, and a covariate that differs need not be the reason why effects do. "
            "Covariates with a share based on fewer than five persons are not shown.",
            *other_averages(run, scale),
        ],
    )


def _origin(run: Run) -> str:
    """Where the numbers of the section come from."""
    found = run["held_out"]
    return (
        f"Descriptive: nothing here is a test. A quick model ({found['estimator']}, not the "
        "estimates reported above) was fitted repeatedly without some of the "
        f"{held_out_units(run)} and predicted the effects of those left out "
        f"({found['n_folds']} parts, {found['n_splits']} times). The effects shown are then "
        "estimated from their outcomes."
        + (" Largest and smallest take account of the sign." if run["better"] is None else "")
    )


def _groups_finding(run: Run, scale: Scale) -> str:
    found = run["held_out"]
    smallest, largest = found["groups"][0], found["groups"][-1]
    verdict = "They are not shown to differ."
    if not covers_zero(found["difference"]):
        verdict = (
            f"The two groups differ.{order_words(run)}"
            if effects_differ(run)
            else "The interval of their difference leaves out zero."
            f"{order_words(run)}{unless_shown(run)}"
        )
    return ends_told(
        f"In the quarter of persons with the largest predicted effects the effect is "
        f"{_estimate_words(largest, scale)}; in the quarter with the smallest, "
        f"{_estimate_words(smallest, scale)}; difference "
        f"{_estimate_words(found['difference'], scale)}. {verdict}",
        run,
    )


def _classification_table(run: Run, level: str) -> TableView:
    rows: Sequence[Mapping[str, Any]] = run["held_out"]["classification"]
    headers = ["Covariate", "Largest", "Smallest", "Difference", f"{level} CI", "In SD"]
    caption = "Who is in the quarters with the largest and the smallest predicted effects"
    more = f" ({ROWS_OF_CLASSIFICATION} largest)" if len(rows) > ROWS_OF_CLASSIFICATION else ""
    return TableView(
        f"{ends_told(caption, run)}{more}",
        [ends_told(header, run) for header in headers],
        [_classification_row(row) for row in rows[:ROWS_OF_CLASSIFICATION]],
    )


def _classification_row(row: Mapping[str, Any]) -> list[str]:
    """A covariate's means; shares of a yes-or-no covariate in percent."""
    if row["fewer_than_five"]:
        return [cell(row["covariate"]), *["–"] * 5]
    factor = 100 if row["binary"] else 1
    scale = Scale(decimals_for(factor * row["se"]))
    largest, smallest, difference, lower, upper = (
        factor * row[name] for name in ("largest", "smallest", "difference", "lower", "upper")
    )
    return [
        f"{cell(row['covariate'])}{', %' if row['binary'] else ''}",
        scale(largest),
        scale(smallest),
        scale(difference),
        scale.interval(lower, upper),
        format_fixed(row["standardized"], 2),
    ]


def subgroup_section(data: ReportInput) -> Section:
    """Subgroups that the data suggest, with what decides how credible they are."""
    run = data.run
    anchor, title = "subgroups", "Subgroups that the data suggest"
    found = run["held_out"]
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    subgroups = found["subgroups"]
    rows: list[Mapping[str, Any]] = subgroups["subgroups"]
    credibility = TableView(
        "How credible they are (the questions of ICEMAN that the data can answer, and more)",
        ["Question", "Answer", "Basis"],
        [
            [
                cell(r["item"]),
                cell(r["answer"]),
                typeset(cell(r["basis"], longest=LONGEST_RULE)),
            ]
            for r in subgroups["credibility"]
        ],
        numeric_from=3,
    )
    drawn = held_out_figures.subgroup_forest(data)
    if drawn is None:
        return Section(
            anchor,
            title,
            paragraphs=[
                "The predicted effects do not differ enough between persons to cut out a subgroup."
            ],
        )
    units = held_out_units(run)
    average = run["average_effect"]["individual"]
    return Section(
        anchor,
        title,
        paragraphs=[
            "Descriptive: nothing here is a test. Rules of at most two conditions, derived from "
            f"the predicted effects of the quick model ({found['estimator']}). A rule looks best "
            "on the data that suggested it, so the effects shown are those of groups found in the "
            f"same way without the {held_out_units(run)} in which they are measured.",
            _subgroup_finding(run, scale),
        ],
        figures=[
            figure_of(
                drawn,
                "Effects of subgroups: "
                + "; ".join(
                    f"{r['subgroup']}, {cell(r['rule'])}: {_estimate_words(r, scale)}" for r in rows
                )
                + f"; everyone: {_estimate_words(average, scale)}.",
                f"Effects of the subgroups with {level} intervals. Orange: the average effect and "
                "its interval. Dotted: no effect."
                + arrow_note(drawn),
            )
        ],
        tables=[
            TableView(
                "Subgroups",
                [
                    "Subgroup", "Rule", "Persons", f"Control {units}", f"Treated {units}",
                    "Effect", f"{level} CI", "Overlap",
                ],
                [_subgroup_row(r, scale, units) for r in rows],
                numeric_from=2,
            ),
            credibility,
        ],
        notes=[
            "Overlap: how similar the groups found in the repeated fits are to this rule (100%: "
            f"the same persons). Covariates in the rules of those fits: {_named(subgroups)}."
        ],
        beside=False,
    )  # fmt: skip


def _subgroup_finding(run: Run, scale: Scale) -> str:
    difference = run["held_out"]["subgroups"]["difference"]
    if difference["estimate"] is None:
        return "Their difference cannot be estimated: an arm has too few units in a subgroup."
    verdict = (
        "this includes zero, so treat the rules as leads for other trials"
        if covers_zero(difference)
        else "the rules should be confirmed in other data before anyone acts on them"
    )
    return (
        f"Their effects differ by {_estimate_words(difference, scale)}: {verdict}."
        f"{unless_shown(run)}"
    )


def _subgroup_row(row: Mapping[str, Any], scale: Scale, units: str) -> list[str]:
    # Few clusters are no few persons.
    of_persons = units != "clusters"
    return [
        cell(row["subgroup"]),
        cell(row["rule"], longest=LONGEST_RULE),
        format_count(row["persons"]),
        format_count(row["control_units"], of_persons=of_persons),
        format_count(row["treated_units"], of_persons=of_persons),
        *effect_cells(row, scale),
        format_percent(row["agreement"]),
    ]


def _named(subgroups: Mapping[str, Any]) -> str:
    """The covariates that the rules of the fits use most."""
    rows = subgroups["covariates"][:COVARIATES_NAMED]
    return join_words([f"{cell(r['covariate'])} {format_percent(r['share'])}" for r in rows])


def calibration_section(data: ReportInput) -> Section:
    """Whether predicted effects came true, and what treating by them would gain."""
    run = data.run
    found = run["held_out"]
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    calibration = found["calibration"]
    figures = [
        figure_of(
            held_out_figures.calibration(data),
            "Effects of fifths of the persons against their predicted effects: "
            + "; ".join(
                f"predicted {scale(r['predicted'])}, effect {_estimate_words(r, scale)}"
                for r in calibration["curve"]
            )
            + ".",
            f"Calibration: effect in fifths of the persons with {level} interval, against the "
            "mean prediction. Dashed: perfect predictions. Dotted: no effect.",
        ),
        *_risk_figures(data, level),
        *(_targeting_figure(ranked, data, scale, level) for ranked in found["ranking"]),
    ]
    return Section(
        "calibration",
        "Did the predictions come true?",
        paragraphs=[
            "Descriptive: nothing here is a test, and it judges the quick model, not the "
            "ensemble. " + slope_words(run),
            "The targeting curve shows what is gained by first treating those whom the model ranks "
            "first, compared with treating as many at random. " + (
                "It was not specified whether a higher or a lower outcome is better; both "
                "readings are shown."
                if run["better"] is None
                else f"A {run['better']} outcome is better."
            ),
        ],
        figures=figures,
        tables=[
            _measures_table(run, level, scale),
            policy_table(
                found["policy"], level, scale, f"Mean {gain_words(run)} of treating by the model"
            ),
        ],
        notes=[
            "AUTOC and Qini: mean height of the targeting curve, plain and weighted by the share "
            f"treated; 0 for a ranking that says nothing. Gains are {units_words(run)}, "
            "positive when the outcome is better, and leave out what treatment costs."
            + (
                " They are gains of treating single persons, if treatment works as it did when "
                "whole clusters received it."
                if in_clusters(run) and not in_one_arm(run)
                else ""
            ),
            *other_averages(run, scale),
        ],
    )  # fmt: skip


def _risk_figures(data: ReportInput, level: str) -> list[FigureView]:
    """Predicted risks of both arms against the events; none where the outcome is no event."""
    drawn = held_out_figures.risk_calibration(data)
    if drawn is None:
        return []
    return [
        figure_of(
            drawn,
            drawn.text,
            "Calibration of risks, per 100 persons: share with the event in up to five groups of "
            f"each arm with {level} interval, against the mean risk predicted by models that saw "
            "none of them. Dashed: perfect predictions.",
        )
    ]


def slope_words(run: Run) -> str:
    """The calibration slope in a sentence."""
    calibration = run["held_out"]["calibration"]
    slope = calibration["slope"]
    if slope["estimate"] is None:
        return (
            "The model's predictions hardly differ between persons (SD "
            f"{scale_of(run)(calibration['spread'])}), too little for a calibration slope: perfect "
            "predictions (slope 1) and worthless ones (slope 0) could not be told apart. What "
            "differences were predicted is neither confirmed nor refuted; read it as no "
            "heterogeneity found."
        )
    return (
        f"The calibration slope is {_estimate_words(slope, Scale(2))}: 1 when effects differ as "
        "much as predicted, 0 when predictions say nothing, less than 0 mostly when effects do "
        "not differ at all."
    )


def _targeting_figure(
    ranked: Mapping[str, Any], data: ReportInput, scale: Scale, level: str
) -> FigureView:
    better = ranked["better"]
    quarter = next(r for r in ranked["curve"] if np.isclose(r["share"], 0.25))
    return figure_of(
        held_out_figures.targeting(data, ranked),
        f"Targeting curve if a {better} {data.run['roles']['outcome']} is better: treating the "
        f"quarter ranked first gains {_estimate_words(quarter, scale)} for each person treated "
        "over treating a quarter at random.",
        f"Targeting curve if a {better} outcome is better: gain for each person treated over a "
        f"random choice, with {level} band, which is cut where few persons are treated.",
    )


def _measures_table(run: Run, level: str, scale: Scale) -> TableView:
    found = run["held_out"]
    calibration = found["calibration"]
    rows = [
        ["Calibration slope", *effect_cells(calibration["slope"], Scale(2))],
        ["Average effect less mean prediction", *effect_cells(calibration["bias"], scale)],
    ]
    for ranked in found["ranking"]:
        better = f", {ranked['better']} is better"
        rows.append([f"AUTOC{better}", *effect_cells(ranked["autoc"], scale)])
        rows.append([f"Qini{better}", *effect_cells(ranked["qini"], scale)])
    return TableView("Calibration and ranking", ["Measure", "Estimate", f"{level} CI"], rows)


def policy_table(
    policies: Sequence[Mapping[str, Any]], level: str, scale: Scale, title: str
) -> TableView:
    """Gains of treating by the model over other policies."""
    rows = []
    for policy in policies:
        for comparison in policy["comparisons"]:
            rows.append(
                [
                    f"{policy['better'].capitalize()} is better: {comparison['treating']}",
                    format_percent(policy["share_treated"])
                    if "by the model" in comparison["treating"]
                    else "–",
                    *effect_cells(comparison, scale),
                ]
            )
    return TableView(title, ["Treating", "Treated", "Gain", f"{level} CI"], rows)


def effect_cells(row: Mapping[str, Any], scale: Scale) -> list[str]:
    """Estimate and interval as two cells."""
    if row["estimate"] is None:
        return [UNSUPPORTED, "–"]
    return [scale(row["estimate"]), scale.interval(row["lower"], row["upper"])]


def _estimate_words(row: Mapping[str, Any], scale: Scale) -> str:
    """Estimate and interval in a sentence."""
    if row["estimate"] is None:
        return UNSUPPORTED
    return scale.with_interval(row)
