"""Effects for another population than the trial's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tauhat.inference.target_weights import FEWEST_OF_ARM
from tauhat.report import gallery
from tauhat.report.held_out_sections import effect_cells, policy_table
from tauhat.report.numbers import (
    Scale,
    format_count,
    format_fixed,
    format_percent,
    typeset,
)
from tauhat.report.per_hundred import gain_words
from tauhat.report.pieces import cell, figure_of, rows_apart
from tauhat.report.target_words import target_words
from tauhat.report.text import Run, scale_of
from tauhat.report.view import ReportInput, Section, TableView
from tauhat.report.voice import ends_told

_MOST_SHOWN = 12
_NAMED_WORDS = (
    "Effects within the groups of the named modifiers are those of the population too: the persons "
    "of the trial count by the same weights. There is none where in an arm they tell as much as "
    f"fewer than {FEWEST_OF_ARM} persons of equal weight. Differences along the modifiers are "
    "reported for the trial alone."
)


def target_section(data: ReportInput) -> Section | None:
    """What the effect would be in the population that was asked about."""
    found, drawn = data.run.get("target"), gallery.target_overlap(data)
    if found is None or drawn is None:
        return None
    scale = scale_of(data.run)
    level = format_percent(data.run["interval"]["level"])
    shifts = sorted(found["shifts"], key=lambda row: -abs(float(row["shift"])))
    held_out = found["held_out"]
    where = TableView(
        "Where the population differs from the trial",
        ["Covariate", "Difference of means, SD", "Weighted"],
        [
            [cell(row["covariate"]), *(format_fixed(row[key], 2) for key in ("shift", "left"))]
            for row in shifts[:_MOST_SHOWN]
        ],
        folded=True,
    )
    return Section(
        "target",
        "The effect in another population",
        paragraphs=[
            *target_words(data.run),
            cell(found["text"], longest=600),
            "This holds if persons with the same covariates have the same average effect there as "
            "in the trial. The interval takes the population's means for known.",
            *([] if not found.get("named") else [_NAMED_WORDS]),
            *([] if held_out is None else [_groups_words(data.run)]),
        ],
        figures=[
            figure_of(
                drawn,
                drawn.text,
                "Above: the population's means less the trial's, before and after weighting. Grey: "
                "less than 0.1 SD. Below: persons of the trial by their weight over the mean, and "
                "their part of the whole weight; ranges with few persons are joined.",
            )
        ],
        tables=[
            where,
            *([] if not found.get("named") else [_named_table(found["named"], scale, level)]),
            *(
                []
                if held_out is None
                else [
                    _groups_table(data.run, held_out, scale, level),
                    policy_table(
                        held_out["policy"],
                        level,
                        scale,
                        f"Mean {gain_words(data.run)} of the population of treating by the model",
                    ),
                ]
            ),
        ],
    )


def _named_table(named: Sequence[Mapping[str, Any]], scale: Scale, level: str) -> TableView:
    def number(value: float | None, words: Callable[[Any], str]) -> str:
        return "–" if value is None else words(value)

    return TableView(
        "Effects of the population within the groups of the named modifiers",
        ["Modifier", "Group", "Persons of the trial", "Share of the weight", "Tell as much as",
         "Effect", f"{level} CI"],
        rows_apart([
            [
                row["modifier"],
                typeset(row["group"]),
                number(row["persons"], format_count),
                number(row["share"], format_percent),
                number(row["effective_n"], lambda size: format_count(round(size))),
                *(
                    ["not estimated", "–"]
                    if row["estimate"] is None
                    else [scale(row["estimate"]), scale.interval(row["lower"], row["upper"])]
                ),
            ]
            for row in named
        ]),
        numeric_from=2,
    )  # fmt: skip


def _groups_words(run: Run) -> str:
    """Where groups and policies come from."""
    return (
        "Groups and gains are descriptive. They are those of the held-out effects reported below "
        f"({run['held_out']['estimator']}), with the persons weighted: quarters are quarters of "
        "the population."
    )


def _groups_table(run: Run, held_out: Mapping[str, Any], scale: Scale, level: str) -> TableView:
    rows = [
        [
            str(row["group"]),
            "–" if row["persons"] is None else format_count(round(row["persons"])),
            scale(row["predicted"]),
            *effect_cells(row, scale),
        ]
        for row in held_out["groups"]
    ]
    gap = effect_cells(held_out["difference"], scale)
    rows.append([ends_told("largest less smallest", run), "–", "–", *gap])
    return TableView(
        "Effects of quarters of the population, sorted by predicted effect",
        ["Quarter", "Persons of the trial", "Predicted", "Effect", f"{level} CI"],
        rows,
    )
