"""Sections on the estimated effects: their spread, and the covariates they go with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
STRENGTH_WORTH_A_FIGURE = 0.01


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


def modifier_section(data: ReportInput) -> Section:
    """Which covariates the estimated effects go with."""
    scale = scale_of(data.run)
    modifiers = data.run["modifiers"]
    found = {
        m["covariate"]: groups_by_covariate(
            data.frame[m["covariate"]], data.effect, data.lower, data.upper
        )
        for m in modifiers
    }
    strong = [m for m in modifiers if m["strength"] >= STRENGTH_WORTH_A_FIGURE]
    drawn = [(m, g) for m in strong if (g := found[m["covariate"]])][:FIGURES_OF_COVARIATES]
    figures = _modifier_figures(data, drawn, scale)
    rows = [_modifier_row(m, found[m["covariate"]], scale) for m in modifiers]
    headers = [
        "Covariate",
        "Smallest at",
        "Largest at",
        "Smallest",
        "Largest",
        "Alone",
        "Lost",
        "p",
    ]
    return Section(
        "modifiers",
        "What the effect depends on",
        paragraphs=[
            "Covariates by how much of the variation of the estimated effects goes with them. "
            "This describes the fitted models; none of it says what causes what. In the table, "
            "alone is the share of the variation between groups of this covariate, lost is the "
            "share that is lost when this covariate is shuffled and the others stay, and p is the "
            "covariate's own test against the data, adjusted for the number of covariates.",
        ],
        figures=figures,
        tables=[TableView("Estimated effects along each covariate", headers, rows, numeric_from=3)],
        notes=[
            "Figures: mean estimated effect (dots) and mean of the persons' intervals (blue band "
            "or bar) in groups of persons; orange, the average effect and its interval; dotted, "
            "no effect. Intervals that reach beyond a figure are cut. Groups of fewer than five "
            "persons are gathered or left out."
        ]
        if figures
        else [],
    )


def _modifier_figures(
    data: ReportInput, drawn: Sequence[tuple[Mapping[str, Any], EffectGroups]], scale: Scale
) -> list[FigureView]:
    """Figures of the strongest covariates on one axis of effects."""
    if not drawn:
        return []
    average = average_interval(data)
    limits = _common_axis([groups for _, groups in drawn], average)
    return [
        FigureView(
            plots.to_data_uri(
                plots.effect_by_covariate_figure(
                    groups, average=average, axis_label=axis_label(data), limits=limits
                )
            ),
            describe_groups(groups, scale),
            f"{plots.shorten(groups.name, 60)}: {format_percent(modifier['strength'])} of the "
            "variation of the estimated effects.",
        )
        for modifier, groups in drawn
    ]


def _common_axis(drawn: Sequence[EffectGroups], average: plots.Interval) -> tuple[float, float]:
    """Range that holds every mean and most intervals; one wide interval must not flatten all."""
    means = np.concatenate([groups.effect for groups in drawn])
    low = float(np.quantile(np.concatenate([groups.lower for groups in drawn]), 0.1))
    high = float(np.quantile(np.concatenate([groups.upper for groups in drawn]), 0.9))
    low = min(low, float(means.min()), average.lower)
    high = max(high, float(means.max()), average.upper)
    margin = 0.06 * (high - low)
    return low - margin, high + margin


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
    level = " (cluster)" if modifier["level"] == "cluster" else ""
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
