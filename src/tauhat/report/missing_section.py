"""Section on missing outcomes: who lacks one, and what that goes with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tauhat.disclosure import FEW
from tauhat.report import gallery
from tauhat.report.numbers import format_count, format_fixed, format_p, format_percent
from tauhat.report.pieces import cell, figure_of
from tauhat.report.text import arm_name
from tauhat.report.view import ReportInput, Section, TableView
from tauhat.wording import counted, first_of, join_words

_MOST_SHOWN = 12
_MOST_NAMED = 3


def missing_section(data: ReportInput) -> Section | None:
    """Who lacks an outcome; None where nobody does."""
    found = data.run.get("missing_outcomes")
    drawn = gallery.missing_outcomes(data)
    if found is None or drawn is None:
        return None
    clusters = bool(found["clusters"])
    caption = "Line: share of the arm's persons that have an outcome."
    if clusters:
        caption += (
            " Marks: its clusters; those with fewer than five persons lost, or left, are taken "
            "together with their neighbours (larger marks)."
        )
    if found["predictors"]:
        caption += " Below: covariates that losses go with most. Grey: less than 0.1 SD."
    names = [arm_name(data.run, arm) for arm in ("control", "treated")]
    design = data.run["design"]
    rows = [
        [
            cell(row["covariate"]),
            *(format_fixed(_number(row[key]), 2) for key in ("control", "treated")),
            format_p(_number(row["p_value"])),
            format_p(_number(row["p_value_of_arms"])),
        ]
        for row in found["predictors"][:_MOST_SHOWN]
    ]
    tables = []
    if rows:
        headers = ["Covariate", "Control, SD", "Treated, SD", "Predicts", "Differs by arm"]
        tables.append(TableView("Those lost minus the others", headers, rows, folded=True))
    return Section(
        "missing",
        "Missing outcomes",
        paragraphs=[
            _who(found, names),
            *_lost_clusters(found, names),
            *_likely(found, design),
            *_learned(found),
        ],
        figures=[figure_of(drawn, drawn.text, caption)],
        tables=tables,
        notes=[
            "Differences between those lost and the others within arms, in standard deviations; "
            "p-values treat whole randomized units as units and are adjusted for the number of "
            f"covariates. A dash stands for numbers that would tell of {FEW}."
        ]
        if rows
        else [],
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _who(found: Mapping[str, Any], names: Sequence[str]) -> str:
    told = [
        f"{format_percent(1 - arm['share_observed'])} with {name}"
        for arm, name in zip(found["arms"], names, strict=True)
        if arm["share_observed"] is not None
    ]
    if found["lost"] is None:
        return f"Some persons have no outcome; how many is not told, as an arm lost {FEW}."
    who = (
        f"{format_count(found['lost'])} of {format_count(found['persons'])} persons have no outcome"
    )
    if not told:
        return f"{who}, {FEW} of an arm among them."
    return (
        f"{who}: {' and '.join(told)} ({format_p(_number(found['p_value']))} for the difference)."
    )


def _lost_clusters(found: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    gone = [arm["clusters_lost"] or 0 for arm in found["arms"]]
    if not sum(gone):
        return []
    of = " and ".join(f"{count} with {name}" for count, name in zip(gone, names, strict=True))
    return [
        f"{counted(sum(gone), 'whole cluster was', 'whole clusters were')} lost ({of}). Nobody "
        "there tells what the others would have shown: these are lost units, and averages are "
        "about the clusters that are left."
    ]


def _learned(found: Mapping[str, Any]) -> list[str]:
    """Which persons the models learned from, and what straight ones did not see."""
    # A run of an earlier version does not say.
    if "learned_from" not in found:
        return []
    text = f"Models learned from the {format_count(found['learned_from'])} persons with an outcome"
    straight = found["learned_without_curvature"]
    if not straight:
        return [f"{text}."]
    return [
        f"{text}; the straight lines of {join_words(straight)} without the curvature of the "
        "prognosis: where others are left in one arm than in the other, a line takes it for an "
        "effect."
    ]


def _likely(found: Mapping[str, Any], design: Mapping[str, Any]) -> list[str]:
    if found["least_likely"] is None:
        return []
    known = ["the arm", "the covariates"]
    if found["auxiliary"]:
        known.append(f"{first_of(found['auxiliary'], _MOST_NAMED)} (auxiliary)")
    if design["clusters"] or design["blocks"]:
        known.append("the cluster" if design["clusters"] else "the block")
    text = (
        f"By a model of {join_words(known)}, the five persons least likely to "
        f"have an outcome had a probability of at most {format_fixed(found['least_likely'], 2)}"
    )
    if found["floored"] is None:
        return [f"{text}; {FEW} had one so small that it was raised to 0.05."]
    if found["floored"]:
        return [f"{text}; that of {counted(found['floored'], 'person')} was raised to 0.05."]
    return [f"{text}; none was so small that it had to be raised."]
