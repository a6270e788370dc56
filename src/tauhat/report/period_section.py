"""Section on a trial over periods: who changed when, the averages, and effects by exposure."""

from __future__ import annotations

from tauhat.inference.over_periods import ESTIMANDS
from tauhat.report.numbers import format_count, format_percent, typeset
from tauhat.report.text import scale_of
from tauhat.report.view import ReportInput, Section, TableView


def period_section(data: ReportInput) -> Section | None:
    """Sequences, averages and effects by exposure time; None without periods."""
    found = data.run.get("over_periods")
    if found is None:
        return None
    scale = scale_of(data.run)
    level = format_percent(data.run["interval"]["level"])
    compared = len(found["compared"])
    tables = [
        TableView(
            "Sequences of arms",
            ["Arm in each period (1 treated)", "Clusters"],
            [
                [one["arms"], format_count(one["clusters"], of_persons=False)]
                for one in found["sequences"]
            ],
        ),
        TableView(
            "Average effects over the periods",
            ["What counts the same", "Effect", "SE", f"{level} CI", "p"],
            [
                [ESTIMANDS[one["counts_the_same"]].capitalize(), *scale.cells(one)]
                for one in found["averages"]
            ],
        ),
    ]
    paragraphs = [
        f"This is a {found['design']}: clusters were randomized to when they have which arm, over "
        f"{len(found['periods'])} periods ({', '.join(found['periods'])}). The averages are those "
        f"of the {compared} in which both arms were seen. All models have a level of each period, "
        "an intercept of each cluster and one of each of its periods.",
    ]
    if data.run["endpoint"]["in_risks"]:
        paragraphs.append(
            "The outcome is an event. All models here are linear in its risk, so that effects are "
            "risk differences; a model that knows no bounds can give risks below 0 or above 1 to "
            "persons at the ends."
        )
    exposure = found["exposure"]
    if exposure is not None:
        paragraphs.append(typeset(exposure["text"]))
        rows = [[str(one["exposure"]), *scale.cells(one)] for one in exposure["effects"]]
        tables.append(
            TableView(
                "Effects by periods under treatment",
                ["Period under treatment", "Effect", "SE", f"{level} CI", "p"],
                [*rows, ["Mean", *scale.cells(exposure["mean"])]],
            )
        )
    return Section("periods", "The periods", paragraphs=paragraphs, tables=tables)
