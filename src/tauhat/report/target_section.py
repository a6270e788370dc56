"""The average effect for another population than the trial's."""

from __future__ import annotations

from tauhat.report.numbers import format_fixed, format_p, format_percent
from tauhat.report.pieces import cell
from tauhat.report.text import scale_of
from tauhat.report.view import ReportInput, Section, TableView

_MOST_SHOWN = 12


def target_section(data: ReportInput) -> Section | None:
    """What the effect would be in the population that was asked about."""
    found = data.run.get("target")
    if found is None:
        return None
    scale, effect = scale_of(data.run), found["individual"]
    level = format_percent(data.run["interval"]["level"])
    shifts = sorted(found["shifts"], key=lambda row: -abs(float(row["shift"])))
    return Section(
        "target",
        "The effect in another population",
        paragraphs=[
            f"Average effect in the population given: {scale(effect['estimate'])} ({level} "
            f"interval {scale.interval(effect['lower'], effect['upper'])}, "
            f"{format_p(effect['p_value'])}).",
            cell(found["text"], longest=600),
            "This holds if persons with the same covariates have the same average effect there as "
            "in the trial. The interval takes the population's means for known.",
        ],
        tables=[
            TableView(
                "Where the population differs from the trial",
                ["Covariate", "Difference of means, SD"],
                [
                    [cell(row["covariate"]), format_fixed(row["shift"], 2)]
                    for row in shifts[:_MOST_SHOWN]
                ],
            )
        ],
    )
