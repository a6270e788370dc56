"""Sections on a time to an event: both arms' curves, what they are compared on, and horizons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat.report import gallery
from tauhat.report.numbers import Scale, bare_p, decimals_for, format_count, format_percent
from tauhat.report.pieces import figure_of, first_upper
from tauhat.report.text import Run, scale_of
from tauhat.report.time_units import at_horizon, in_units, unit_of_time
from tauhat.report.view import FigureView, ReportInput, Section, TableView
from tauhat.report.voice import ends_told

_HIDDEN = "–"
SHOWN_TIMES = (
    "Curves at times between which each arm has no event or at least five; numbers at risk in "
    "fives."
)
HORIZONS = (
    "The planned horizon, {}, is the answer of this trial; the earlier ones show when an effect "
    "begins and whether it lasts. Each interval holds for its own horizon only."
)


def survival_section(data: ReportInput) -> Section | None:
    """Curves of both arms with the numbers at risk; None where the outcome is no time."""
    run = data.run
    found = run["survival_by_arm"]
    drawn = gallery.survival_by_arm(data)
    if found is None or drawn is None:
        return None
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    figures = [
        figure_of(
            drawn,
            drawn.text,
            SHOWN_TIMES + (" Grey: what the arms differ by." if run["endpoint"]["in_time"] else ""),
        )
    ]
    tables = [
        TableView(
            caption_of_arms(run),
            headers_of_arms(level),
            [
                *(arm_cells(arm, scale) for arm in found["arms"]),
                difference_cells(run, "Difference"),
            ],
        )
    ]
    over = gallery.effect_over_horizons(data)
    if over is not None:
        figures.append(
            figure_of(
                over,
                over.text,
                f"Average effect up to several horizons, with {level} intervals. Dotted: no "
                "effect.",
            )
        )
        tables.append(_table_of_horizons(run, found["over_horizons"], level))
    return Section(
        "survival",
        "The time to the event",
        paragraphs=[*arms_told(run), *_horizon_paragraph(run, found["over_horizons"])],
        figures=figures,
        tables=tables,
        notes=[
            "Events by the horizon, persons censored before it and at risk at it; a dash stands "
            "for numbers that would tell of fewer than five persons."
        ],
    )


def arms_told(run: Run) -> list[str]:
    """What the curves of the arms say, and what everything else is made of."""
    found = run["survival_by_arm"]
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    gap = found["difference"]
    interval = scale.interval(gap["lower"], gap["upper"])
    censoring = run["endpoint"]["censoring"]
    return [
        f"{first_upper(found['measure'])} at {at_horizon(run)} "
        f"by the curves alone, without covariates: a difference of {scale(gap['estimate'])}"
        f"{in_units(run)} ({level} CI {interval}). The average effects below adjust for "
        "covariates."
        + _ratio_sentence(run, level),
        f"Everything below is about an outcome {_whose_mean(run)} although "
        "some persons were censored. It is made of a ridge Cox model of the event in each arm "
        + (
            "and the arm's own curve of censoring."
            if censoring == "arm"
            else "and one of censoring."
        ),
    ]  # fmt: skip


def _whose_mean(run: Run) -> str:
    if run["endpoint"]["in_time"]:
        return "that has the same mean as this time"
    return "whose mean is this probability"


def caption_of_arms(run: Run) -> str:
    """Heading of the table of arms."""
    return f"The arms without covariates: {run['survival_by_arm']['measure']}{_of_unit(run)}"


def _of_unit(run: Run) -> str:
    """What the numbers of a table are in, at the end of its heading."""
    unit = in_units(run).strip()
    return f", {unit}" if unit else ""


def headers_of_arms(level: str) -> list[str]:
    """Columns of the table of arms."""
    return ["Arm", "Persons", "Events", "Censored", "At risk", "Estimate", f"{level} CI"]


def arm_cells(arm: Mapping[str, Any], scale: Scale) -> list[str]:
    """An arm's row of the table of arms."""
    return [
        str(arm["arm"]),
        format_count(arm["persons"]),
        *(
            _HIDDEN if arm[name] is None else format_count(arm[name])
            for name in ("events", "censored", "at_risk")
        ),
        scale(arm["estimate"]),
        scale.interval(arm["lower"], arm["upper"]),
    ]


def difference_cells(run: Run, name: str) -> list[str]:
    """The row of the table of arms that says what two of them differ by."""
    gap, scale = run["survival_by_arm"]["difference"], scale_of(run)
    return [
        name,
        "",
        "",
        "",
        "",
        scale(gap["estimate"]),
        scale.interval(gap["lower"], gap["upper"]),
    ]


def _table_of_horizons(run: Run, over: list[Mapping[str, Any]], level: str) -> TableView:
    unit = unit_of_time(run)
    return TableView(
        caption_of_horizons(run),
        [f"Horizon, {unit}", "Effect", f"{level} CI", "p", "p adjusted"],
        [[*horizon_cells(row), bare_p(row["p_adjusted"])] for row in over],
    )


def caption_of_horizons(run: Run) -> str:
    """Heading of the table of horizons."""
    return f"Average effect by horizon{_of_unit(run)}"


def horizon_cells(row: Mapping[str, Any]) -> list[str]:
    """Horizon, effect, interval and its own p-value."""
    scale = Scale(decimals_for(row["se"] or 0.0))
    return [
        f"{row['horizon']:g}",
        scale(row["estimate"]),
        scale.interval(row["lower"], row["upper"]),
        bare_p(row["p_value"]),
    ]


def _ratio_sentence(run: Run, level: str) -> str:
    """Ratio of the arms' means, where there is one."""
    ratios = run["average_effect"]["ratio"]
    if ratios is None:
        return ""
    one = ratios[run["average_effect"]["primary"]]
    scale = Scale(decimals_for(one["se"] or 0.0))
    return (
        f" Adjusted, the treated arm's {'mean' if run['endpoint']['in_time'] else 'probability'} "
        f"is {scale(one['estimate'])} times the control arm's "
        f"({level} CI {scale.interval(one['lower'], one['upper'])})."
    )


def _horizon_paragraph(run: Run, over: list[Mapping[str, Any]]) -> list[str]:
    """What several horizons mean for the error of the first kind."""
    if len(over) < 2:
        return []
    known = [row["p_adjusted"] for row in over if row["p_adjusted"] is not None]
    return [
        f"{HORIZONS.format(at_horizon(run))} Of {len(over)} horizons one can look good by chance: "
        "for the question whether there is an effect at any of them p is adjusted for their "
        f"number (Holm); the smallest is {bare_p(min(known, default=None))}."
    ]


def curves_of_groups(data: ReportInput) -> list[FigureView]:
    """Both arms' curves in the outer quarters by held-out effect; none without times."""
    return [
        figure_of(
            drawn,
            drawn.text,
            ends_told(
                f"Quarter with the {group} predicted effects, by arm, without covariates; ",
                data.run,
            )
            + "mean over the splits. "
            + SHOWN_TIMES,
        )
        for group, drawn in gallery.survival_of_groups(data)
    ]
