"""Section on a time to an event: both arms' curves, and what they are compared on."""

from __future__ import annotations

from tauhat.report import gallery
from tauhat.report.numbers import format_count, format_percent
from tauhat.report.pieces import figure_of, first_upper
from tauhat.report.text import scale_of
from tauhat.report.view import ReportInput, Section, TableView

_HIDDEN = "–"


def survival_section(data: ReportInput) -> Section | None:
    """Curves of both arms with the numbers at risk; None where the outcome is no time."""
    found = data.run["survival_by_arm"]
    drawn = gallery.survival_by_arm(data)
    if found is None or drawn is None:
        return None
    scale, outcome = scale_of(data.run), data.run["roles"]["outcome"]
    level = format_percent(data.run["interval"]["level"])
    rows = [
        [
            str(arm["arm"]),
            format_count(arm["persons"]),
            *(
                _HIDDEN if arm[name] is None else format_count(arm[name])
                for name in ("events", "censored", "at_risk")
            ),
            scale(arm["estimate"]),
            scale.interval(arm["lower"], arm["upper"]),
        ]
        for arm in found["arms"]
    ]
    gap = found["difference"]
    interval = scale.interval(gap["lower"], gap["upper"])
    rows.append(["Difference", "", "", "", "", scale(gap["estimate"]), interval])
    censoring = data.run["endpoint"]["censoring"]
    return Section(
        "survival",
        "The time to the event",
        paragraphs=[
            f"{first_upper(found['measure'])} at {found['horizon']:g} (in the unit of {outcome}) "
            f"by the curves alone, without covariates: a difference of {scale(gap['estimate'])} "
            f"({level} CI {interval}). The average effects below adjust for covariates.",
            "Everything below is about an outcome that has the same mean as this time although "
            "some persons were censored. It is made of a ridge Cox model of the event in each arm "
            + (
                "and the arm's own curve of censoring."
                if censoring == "arm"
                else "and one of censoring."
            ),
        ],
        figures=[
            figure_of(
                drawn,
                drawn.text,
                "Curves of both arms at times between which each arm has no event or at least "
                "five; numbers at risk in fives.",
            )
        ],
        tables=[
            TableView(
                "The arms without covariates",
                ["Arm", "Persons", "Events", "Censored", "At risk", "Estimate", f"{level} CI"],
                rows,
            )
        ],
        notes=[
            "Events by the horizon, persons censored before it and at risk at it; a dash stands "
            "for numbers that would tell of fewer than five persons."
        ],
    )
