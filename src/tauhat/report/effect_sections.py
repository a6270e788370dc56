"""Sections on the estimated effects: their spread, and the covariates they go with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tauhat.report import gallery, plots
from tauhat.report.covariate_section import ALONG_COVARIATES
from tauhat.report.grouping import EffectGroups
from tauhat.report.numbers import Scale, bare_p, format_count, format_percent
from tauhat.report.pieces import cell, figure_of, first_upper
from tauhat.report.text import Run, scale_of
from tauhat.report.view import FigureView, ReportInput, Section, TableView
from tauhat.report.voice import end_words
from tauhat.wording import join_words


def distribution_section(data: ReportInput) -> Section:
    """How the estimated effects are spread."""
    run = data.run
    scale = scale_of(run)
    effects = run["effects"]
    persons, spread = gallery.sorted_effects(data), gallery.effect_distribution(data)
    ends = persons.data["effect"]
    figures = [
        figure_of(
            persons,
            f"Mean estimated effect in equal groups of persons sorted by it, from "
            f"{scale(ends.iloc[0])} in the lowest to {scale(ends.iloc[-1])} in the highest of "
            f"{len(ends)} groups.",
            f"Persons sorted by estimated effect, in {len(ends)} equal groups: mean estimate. "
            "Orange: the average effect and its interval. Dotted: no effect. These groups were "
            "made of the estimates, so that their ends are too far out.",
        ),
        figure_of(
            spread,
            f"Histogram of the estimated effects; the middle 80% lie between "
            f"{scale(effects['quantiles']['0.1'])} and {scale(effects['quantiles']['0.9'])}.",
            "How many persons have which estimated effect. The outermost bars hold the tails; "
            "bars of fewer than five persons are not drawn.",
        ),
    ]
    shares = [("0.05", "5%"), ("0.25", "25%"), ("0.5", "50%"), ("0.75", "75%"), ("0.95", "95%")]
    table = TableView(
        "Quantiles of the estimated effects",
        ["Share of persons with a smaller estimate", *(text for _, text in shares)],
        [["Estimated effect", *(scale(effects["quantiles"][q]) for q, _ in shares)]],
    )
    return Section(
        "distribution",
        "The estimated effects of persons",
        paragraphs=[
            f"Estimates of {run['reported_model']['name']}: the expected effect for persons with "
            "the same covariates. They have a mean of "
            f"{scale(effects['mean'])} and a standard deviation of {scale(effects['sd'])}.",
            *hardly_vary(run),
            "The spread of estimates is not the spread of effects: noise widens it, shrinkage "
            "narrows it, and the persons at the ends are there partly by chance.",
        ],
        figures=figures,
        tables=[table],
        notes=[interval_note(run)],
    )


def hardly_vary(run: Mapping[str, Any]) -> list[str]:
    """A sentence where the estimated effects are as good as one number; else none.

    Examples
    --------
    >>> average = {"individual": {"se": 44.0}}
    >>> hardly_vary({"effects": {"sd": 0.1}, "average_effect": average})
    ['The estimated effects hardly vary: shares and orders of so little tell nothing.']
    >>> hardly_vary({"effects": {"sd": 9.0}, "average_effect": average})
    []
    """
    if run["effects"]["sd"] > run["average_effect"]["individual"]["se"] / 50:
        return []
    return ["The estimated effects hardly vary: shares and orders of so little tell nothing."]


def interval_note(run: Mapping[str, Any]) -> str:
    """What the intervals are and what they cover."""
    interval = run["interval"]
    level = format_percent(interval["level"])
    return (
        f"Intervals: {interval['method']}, {level}, pointwise: each is about one person's "
        "expected effect, not about all persons at once nor about that person's outcome. They "
        "cover on average over persons; where the effect changes sharply they cover less."
    )


def modifier_section(data: ReportInput) -> Section:
    """Which covariates the estimated effects go with."""
    scale = scale_of(data.run)
    modifiers = data.run["modifiers"]
    drawn = gallery.strong_modifiers(data)
    figures = [
        figure_of(
            drawn_one,
            describe_groups(groups, scale),
            f"{plots.shorten(groups.name, 60)}: {format_percent(modifier['strength'])} of the "
            "variation of the estimated effects.",
        )
        for (modifier, groups), drawn_one in zip(
            drawn, gallery.covariate_group_figures(data, drawn), strict=True
        )
    ]
    mapped = gallery.map_of_the_strongest(data)
    if mapped is not None:
        figures.append(_map_figure(*mapped, scale))
    rows = [_modifier_row(m, gallery.drawn_groups(data, m["covariate"]), scale) for m in modifiers]
    smallest, largest = (first_upper(words) for words in end_words(data.run))
    headers = [
        "Covariate",
        f"{smallest} at",
        f"{largest} at",
        smallest,
        largest,
        "Alone",
        "Lost",
        "p",
    ]
    return Section(
        "modifiers",
        "What the effect depends on",
        paragraphs=[
            "Covariates ranked by the share of the variation of the estimated effects that they "
            "account for. This describes the fitted models and is not causal. In the table, "
            "alone is the share of the variation between groups of this covariate, lost is the "
            "share that is lost when this covariate is shuffled and the others stay, and p is the "
            "covariate's own test against the data, adjusted for the number of covariates.",
            *hardly_vary(data.run),
        ],
        figures=figures,
        tables=[TableView("Estimated effects along each covariate", headers, rows, numeric_from=3)],
        notes=[
            "Figures: mean estimated effect of the models in groups of persons, without "
            f"intervals{_with_intervals(data.run)}. Orange, the average effect and its interval; "
            "dotted, no effect. Groups of fewer than five persons are merged or left out."
        ]
        if figures
        else [],
    )


def _with_intervals(run: Run) -> str:
    """Where the report has groups with intervals of their own, if it has any."""
    sections = [ALONG_COVARIATES] * bool(run["held_out"]["given"])
    sections += ["Named modifiers"] * (run["named_modifiers"] is not None)
    if not sections:
        return ""
    return f": groups with intervals of their own stand under {join_words(sections)}"


def _map_figure(names: tuple[str, str], drawn: plots.Plot, scale: Scale) -> FigureView:
    """Map of the two strongest covariates with its cells in words."""
    first, second = (plots.shorten(name, 60) for name in names)
    cells = "; ".join(
        f"{row['first']} and {row['second']}: "
        + ("fewer than five persons" if np.isnan(row["effect"]) else scale(row["effect"]))
        for row in drawn.rows
    )
    return figure_of(
        drawn,
        f"Mean estimated effect by {first} and {second}. {cells}.",
        f"Mean estimated effect by {first} and {second}, the two strongest covariates. The "
        "darker a cell, the farther from no effect; orange and blue are on either side of it. "
        "Hatched: fewer than five persons.",
    )


def _modifier_row(
    modifier: Mapping[str, Any], groups: EffectGroups | None, scale: Scale
) -> list[str]:
    ends = ["–"] * 4
    if groups is not None:
        low, high = int(np.argmin(groups.effect)), int(np.argmax(groups.effect))
        ends = [
            cell(groups.labels[low]),
            cell(groups.labels[high]),
            scale(float(groups.effect[low])),
            scale(float(groups.effect[high])),
        ]
    level = " (cluster)" if modifier["measured_on"] == "cluster" else ""
    return [
        cell(modifier["covariate"]) + level,
        *ends,
        format_percent(modifier["share"]),
        format_percent(modifier["partial_share"]),
        bare_p(modifier["p_adjusted"]),
    ]


def describe_groups(groups: EffectGroups, scale: Scale) -> str:
    """The content of a covariate's figure in words."""
    points = "; ".join(
        f"{label}: {scale(effect)} ({format_count(int(count))} persons)"
        for label, effect, count in zip(groups.labels, groups.effect, groups.count, strict=True)
    )
    return f"Mean estimated effect along {groups.name}. {points}."
