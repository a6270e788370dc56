"""What the results depend on: members, seeds, single clusters, missing data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tauhat.report.numbers import Scale, bare_p, format_fixed, format_p, format_percent
from tauhat.report.pieces import cell, first_upper
from tauhat.report.text import Run, scale_of
from tauhat.report.time_units import in_units
from tauhat.report.view import ReportInput, Section, TableView

# Kendall correlations with the reported order of the persons.
SAME_ORDER = 0.85
NEAR_ORDER = 0.7


def sensitivity_section(data: ReportInput) -> Section:
    """Whether something else would have come out without a member, a cluster, with a seed."""
    run = data.run
    found = run["sensitivity"]
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    members = [row for row in found["members"] if row["what"] == "member"]
    members_said = (
        " Members were left out by weighing the others anew; no model was fitted again for it."
    )
    paragraphs = [
        "Each line changes one thing and leaves the rest." + (members_said if members else "")
    ]
    paragraphs += [said for said in (_members_words(members), _missing_words(run, scale)) if said]
    tables = []
    if members:
        tables.append(_members_table(members, scale))
    seeds = _seeds_rows(run, scale)
    if seeds:
        tables.append(
            TableView("Other seeds", ["What was drawn anew", "Result"], seeds, numeric_from=2)
        )
    tables.append(_averages_table(run, scale, level))
    return Section(
        "sensitivity",
        "What the results depend on",
        paragraphs=paragraphs,
        items=[cell(note, longest=300) for note in found["notes"]],
        tables=tables,
        notes=_notes(found),
    )


def _notes(found: Mapping[str, Any]) -> list[str]:
    """What the columns and rows that are there mean."""
    said = []
    if len(found["members"]):
        said.append(
            "Same order: Kendall correlation between the changed and the reported effects over the "
            "persons, 1 for the same order. Mean change: how far a person's estimated effect moves "
            "on average."
        )
    if any(str(row["change"]).startswith("lost ") for row in found["averages"]):
        said.append(
            "Lost persons: the average effect if those without an outcome differed by so many "
            "standard deviations of the outcome from similar persons with one; the width of the "
            "interval is that of the reported one."
        )
    return [" ".join(said)] if said else []


def _members_words(members: Sequence[Mapping[str, Any]]) -> str | None:
    """Whether one member decides the order of the persons."""
    told = [row for row in members if row["kendall"] is not None]
    if not told:
        return None
    if len(told) < len(members):
        alike = [cell(row["change"]) for row in members if row["kendall"] is None]
        which, them = " or ".join(alike), "it" if len(alike) == 1 else "them"
        return (
            f"The ranking of the persons depends on {' and '.join(alike)}: without {which} the "
            "effects are the same for everyone, so that no ranking is left. Do not rank persons "
            f"by these effects without a reason to trust {them}."
        )
    worst = min(told, key=lambda row: float(row["kendall"]))
    name, kendall = cell(worst["change"]), float(worst["kendall"])
    if kendall >= SAME_ORDER:
        return (
            "No single member determines the ranking of the persons: without any one of them it "
            f"stays nearly the same (Kendall correlation at least {kendall:.2f})."
        )
    if kendall >= NEAR_ORDER:
        return (
            f"The ranking of the persons depends somewhat on {name} (Kendall correlation "
            f"without it {kendall:.2f})."
        )
    return (
        f"The ranking of the persons depends on {name}: without it, it is different (Kendall "
        f"correlation {kendall:.2f}). Do not rank persons by these effects without a reason to "
        f"trust {name}."
    )


def _missing_words(run: Run, scale: Scale) -> str | None:
    """At which departure of the lost persons the interval reaches zero."""
    tipping = run["sensitivity"]["tipping_point"]
    if tipping is None:
        return None
    way = "higher" if tipping > 0 else "lower"
    return (
        f"The interval of the average effect would reach zero if the outcomes of those lost from "
        f"the treated arm were {scale(abs(tipping))}{in_units(run)} {way} than those of similar "
        "persons with an outcome, with no such difference in the control arm. Whether that is "
        "plausible is a clinical question which the data cannot answer."
    )


def _members_table(members: Sequence[Mapping[str, Any]], scale: Scale) -> TableView:
    return TableView(
        "The reported effects without each member",
        ["Left out", "Mean effect", "SD of effects", "Same order", "Mean change"],
        [
            [
                cell(row["change"]),
                scale(row["mean_effect"]),
                scale(row["sd_effect"]),
                format_fixed(row["kendall"], 2),
                scale(row["mean_change"]),
            ]
            for row in members
        ],
    )


def _seeds_rows(run: Run, scale: Scale) -> list[list[str]]:
    found = run["sensitivity"]
    rows = []
    if found["p_value_range"]:
        low, high = found["p_value_range"]
        p = run["heterogeneity_test"]["p_value"]
        across = low < 0.05 < high
        rows.append(
            [
                "Random assignments of the primary test",
                f"{format_p(p)}; in 95 of 100 draws between {bare_p(low)} and {bare_p(high)}"
                + (", on either side of 0.05" if across else ""),
            ]
        )
    for row in found["members"]:
        if row["what"] == "seed":
            rows.append(
                [
                    first_upper(cell(row["change"])),
                    f"mean effect {scale(row['mean_effect'])}, SD {scale(row['sd_effect'])}, "
                    f"same order {format_fixed(row['kendall'], 2)}, mean change "
                    f"{scale(row['mean_change'])}",
                ]
            )
    splits = [row for row in found["splits"] if row["estimate"] is not None]
    if splits:
        estimates = [float(row["estimate"]) for row in splits]
        rows.append(
            [
                f"Splits of the held-out effects ({len(splits)})",
                "difference between the outer quarters from "
                f"{scale(min(estimates))} to {scale(max(estimates))}",
            ]
        )
    return rows


def _averages_table(run: Run, scale: Scale, level: str) -> TableView:
    found = run["sensitivity"]
    alike = "cluster" if run["average_effect"]["primary"] == "cluster" else "person"
    rows = [
        [
            first_upper(cell(row["change"])),
            scale(row["estimate"]),
            scale.interval(row["lower"], row["upper"]),
        ]
        for row in found["averages"]
    ]
    if found["without_one_cluster"]:
        low, high = found["without_one_cluster"]
        of = "" if alike == "person" else ", every person counting the same"
        rows.insert(1, [f"Without any one cluster{of}", scale.interval(low, high), "–"])
    return TableView(
        f"The average effect per {alike} otherwise estimated",
        ["Change", "Effect", f"{level} CI"],
        rows,
    )
