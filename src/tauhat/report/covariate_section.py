"""Average effects in groups along each covariate, from outcomes and not from the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat.disclosure import may_be_told
from tauhat.report import held_out_figures
from tauhat.report.numbers import Scale, format_count, format_percent
from tauhat.report.pieces import arrow_note, cell, figure_of
from tauhat.report.text import held_out_units, scale_of
from tauhat.report.view import ReportInput, Section, TableView

ALONG_COVARIATES = "Effects in groups of persons along each covariate"


def covariate_section(data: ReportInput) -> Section | None:
    """Forest plot and table of the effects in thirds or categories of each covariate."""
    run = data.run
    drawn = held_out_figures.covariate_forest(data)
    if drawn is None:
        return None
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    units = held_out_units(run)
    names = list(dict.fromkeys(drawn.data["covariate"]))
    rows = [
        _row(row, scale, units)
        for name in names
        for row in run["held_out"]["by_covariate"]
        if row["covariate"] == name
    ]
    left_out = len({row["covariate"] for row in run["held_out"]["by_covariate"]}) - len(names)
    points = "; ".join(
        f"{cell(row['covariate'])} {cell(row['group'])}: {scale(row['estimate'])} "
        f"({scale.interval(row['lower'], row['upper'])})"
        for row in drawn.rows[:12]
    )
    more = f" Covariates not shown here, but in run.json: {left_out}." if left_out else ""
    return Section(
        "covariates",
        ALONG_COVARIATES,
        paragraphs=[
            "Descriptive: nothing here is a test. Unlike the figures before, these effects are "
            "estimated from the outcomes of the persons in each group, with the randomization "
            "behind them. The groups (thirds, or categories) were made without looking at the "
            f"outcome. Each interval stands alone: among {len(rows)} of them some leave out the "
            "average effect by chance, and two groups differ only if their difference does, "
            f"which overlapping intervals do not decide.{more}"
        ],
        figures=[
            figure_of(
                drawn,
                f"{drawn.text} {points}.",
                f"Average effect in each group with {level} interval; persons in brackets. Orange: "
                "the average effect of all and its interval. Dotted: no effect."
                + arrow_note(drawn),
            )
        ],
        tables=[
            TableView(
                "Effects in groups along each covariate",
                ["Covariate", "Group", "Persons", f"Control {units}", f"Treated {units}",
                 "Effect", f"{level} CI"],
                rows,
                numeric_from=2,
                folded=True,
            )
        ],
        beside=False,
    )  # fmt: skip


def _row(row: Mapping[str, Any], scale: Scale, units: str) -> list[str]:
    # Few clusters are no few persons.
    of_persons = units != "clusters"
    few = not may_be_told(row["persons"]) or row["estimate"] is None
    return [
        cell(row["covariate"]),
        cell(row["group"]),
        format_count(row["persons"]),
        format_count(row["control_units"], of_persons=of_persons),
        format_count(row["treated_units"], of_persons=of_persons),
        "not estimated" if few else scale(row["estimate"]),
        "–" if few else scale.interval(row["lower"], row["upper"]),
    ]
