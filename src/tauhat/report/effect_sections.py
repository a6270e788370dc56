"""Sections on the estimated effects: their spread, and the covariates they go with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tauhat.report import plots
from tauhat.report.grouping import EffectGroups, groups_by_covariate, histogram, sorted_groups
from tauhat.report.numbers import Scale, bare_p, format_count, format_percent
from tauhat.report.parts import average_interval, axis_label, cell
from tauhat.report.text import scale_of
from tauhat.report.view import FigureView, ReportInput, Section, TableView

FIGURES_OF_COVARIATES = 6
# Covariates with less than this share of the variation get no figure of their own.
SHARE_WORTH_A_FIGURE = 0.01


def distribution_section(data: ReportInput) -> Section:
    """How the estimated effects are spread."""
    run = data.run
    scale = scale_of(run)
    effects = run["effects"]
    average = average_interval(data)
    groups = sorted_groups(data.effect, data.lower, data.upper)
    edges, counts = histogram(data.effect)
    spread = (
        f"from {scale(groups.effect[0])} in the lowest to {scale(groups.effect[-1])} in the "
        f"highest of {len(groups.effect)} groups"
    )
    level = format_percent(run["interval"]["level"])
    figures = [
        FigureView(
            plots.to_data_uri(
                plots.sorted_effects_figure(groups, average=average, axis_label=axis_label(data))
            ),
            f"Mean estimated effect in equal groups of persons sorted by it, {spread}, with mean "
            f"{level} intervals.",
            f"Persons sorted by estimated effect, in {len(groups.effect)} equal groups: mean "
            f"effect (dot) and mean {level} interval (bar). Orange: the average effect and its "
            "interval. Dotted: no effect.",
        ),
        FigureView(
            plots.to_data_uri(
                plots.histogram_figure(edges, counts, average=average, axis_label=axis_label(data))
            ),
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
            "The spread of estimates is not the spread of effects: noise widens it, shrinkage "
            "narrows it, and the persons at the ends are there partly by chance.",
        ],
        figures=figures,
        tables=[table],
        notes=[interval_note(run)],
    )


def interval_note(run: Mapping[str, Any]) -> str:
    """What the intervals are and what they cover."""
    interval = run["interval"]
    level = format_percent(interval["level"])
    return (
        f"Intervals: {interval['method']}, {level}, pointwise: each is about one person's "
        "expected effect, not about all persons at once nor about that person's outcome. They "
        "cover on average over persons; where the effect changes sharply they cover less."
    )


def covariate_groups(data: ReportInput) -> list[EffectGroups]:
    """Groups along every covariate that can be shown, the strongest first."""
    found = [
        groups_by_covariate(data.frame[name], data.effect, data.lower, data.upper)
        for name in data.frame.columns
    ]
    shown = [groups for groups in found if groups is not None]
    return sorted(shown, key=lambda groups: -groups.share_explained)


def modifier_section(data: ReportInput) -> Section:
    """Which covariates the estimated effects go with."""
    scale = scale_of(data.run)
    groups = covariate_groups(data)
    drawn = [g for g in groups if g.share_explained >= SHARE_WORTH_A_FIGURE][:FIGURES_OF_COVARIATES]
    average = average_interval(data)
    limits_of_axis: tuple[float, float] | None = None
    if drawn:
        ends = [end for g in drawn for end in (*g.lower, *g.upper, average.lower, average.upper)]
        margin = 0.04 * (max(ends) - min(ends))
        limits_of_axis = (min(ends) - margin, max(ends) + margin)
    figures = [
        FigureView(
            plots.to_data_uri(
                plots.effect_by_covariate_figure(
                    g, average=average, axis_label=axis_label(data), limits=limits_of_axis
                )
            ),
            describe_groups(g, scale),
            f"{plots.shorten(g.name, 60)}: {format_percent(g.share_explained)} of the variation "
            "of the estimated effects.",
        )
        for g in drawn
    ]
    by_name = {m["covariate"]: m for m in data.run["modifiers"]}
    rows = [_modifier_row(g, by_name.get(g.name, {}), scale) for g in groups]
    return Section(
        "modifiers",
        "What the effect depends on",
        paragraphs=[
            "Covariates by the share of the variation of the estimated effects that goes with "
            "them. This describes the fitted models; shares overlap where covariates go together, "
            "and none of them says what causes what. The last column is the covariate's own test "
            "against the data, adjusted for the number of covariates.",
        ]
        if rows
        else ["No covariate has two groups of at least five persons to compare."],
        figures=figures,
        tables=[
            TableView(
                "Estimated effects along each covariate",
                ["Covariate", "Smallest at", "Largest at", "Smallest", "Largest", "Share", "p"],
                rows,
                numeric_from=3,
            )
        ]
        if rows
        else [],
        notes=[
            "Figures: mean estimated effect (dots) and mean of the persons' intervals (blue band "
            "or bar) in groups of persons; orange, the average effect and its interval; dotted, "
            "no effect. Groups of fewer than five persons are gathered or left out."
        ]
        if figures
        else [],
    )


def _modifier_row(groups: EffectGroups, tested: Mapping[str, Any], scale: Scale) -> list[str]:
    low, high = int(np.argmin(groups.effect)), int(np.argmax(groups.effect))
    p_value = tested.get("p_adjusted")
    level = " (cluster)" if tested.get("level") == "cluster" else ""
    return [
        cell(groups.name) + level,
        cell(groups.labels[low]),
        cell(groups.labels[high]),
        scale(float(groups.effect[low])),
        scale(float(groups.effect[high])),
        format_percent(groups.share_explained),
        bare_p(p_value),
    ]


def describe_groups(groups: EffectGroups, scale: Scale) -> str:
    """The content of a covariate's figure in words."""
    points = "; ".join(
        f"{label}: {scale(effect)} ({format_count(int(count))} persons)"
        for label, effect, count in zip(groups.labels, groups.effect, groups.count, strict=True)
    )
    return f"Mean estimated effect along {groups.name}. {points}."
