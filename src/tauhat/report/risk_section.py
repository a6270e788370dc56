"""Section on the risks of an outcome that is an event: both arms', and what they amount to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat.inference.average_risks import cut_words
from tauhat.report import gallery
from tauhat.report.numbers import (
    bare_p,
    format_count,
    format_fixed,
    format_p,
    format_percent,
    typeset,
)
from tauhat.report.pieces import cell, figure_of
from tauhat.report.text import Run, estimands, evidence, label_name
from tauhat.report.view import ReportInput, Section, TableView
from tauhat.wording import with_digits_alike

_HIDDEN = "–"


def risk_section(data: ReportInput) -> Section | None:
    """Risks, ratios and the number needed to treat; None where the outcome is no event."""
    found = data.run["average_risks"]
    if found is None:
        return None
    level = format_percent(data.run["interval"]["level"])
    primary = data.run["average_effect"]["primary"]
    rows = []
    for name in estimands(data.run):
        if found[name] is not None:
            rows += _rows(f"{name.capitalize()}-average", found[name])
    events = [
        [
            cell(label_name(data.run, arm["arm"])),
            format_count(arm["persons"]),
            _events(arm["events"], arm["persons"]),
        ]
        for arm in found["arms"]
    ]
    drawn = gallery.effect_by_risk(data)
    figures = []
    if drawn is not None:
        figures.append(
            figure_of(
                drawn,
                drawn.text,
                "Persons in equal groups by their risk without treatment. Dots: mean estimated "
                "risk difference. Dashed: what one odds ratio for everyone would give.",
            )
        )
    return Section(
        "risks",
        "Risks of the event",
        figures=figures,
        paragraphs=[
            f"The event is {found['event']}. {typeset(found[primary]['text'])}",
            "The average effects again, in risks: ratios are of both arms' average risks, which "
            "are adjusted for covariates as the average effects are. A risk ratio tells by what "
            "factor the risk changes, a difference for how many persons the event does; report "
            "both.",
            *_differs(data.run),
            *_one_risk(data.run),
        ],
        tables=[
            TableView("Average effects on the risk", ["", "Estimate", f"{level} CI", "p"], rows),
            TableView("Events", ["Arm", "Persons", "Events"], events),
        ],
        notes=[
            "Events and risks that would tell of fewer than five persons are not shown, nor "
            "ratios, from which they could be worked out."
        ]
        if any(arm["events"] is None for arm in found["arms"])
        else [],
    )


def _differs(run: Run) -> list[str]:
    """Whether the absolute benefit differs, and whether the relative effect does."""
    if run["relative_effect"] is None:
        return []
    primary, relative = run["heterogeneity_test"], run["relative_effect"]["test"]
    if primary["p_value"] is None or relative["p_value"] is None:
        return []
    words = [evidence(test["p_value"])[1] for test in (primary, relative)]
    p = [format_p(test["p_value"]) for test in (primary, relative)]
    meant = (
        "One odds ratio for everyone would make risk differences that differ, since those at low "
        "risk have little to gain or lose."
    )
    return [
        f"Absolute benefit: the primary test gives {words[0]} that risk differences differ "
        f"between people ({p[0]}). Relative effect: a secondary test gives {words[1]} that the "
        f"odds ratio differs ({p[1]}). {meant}"
    ]


def _one_risk(run: Run) -> list[str]:
    """That there are no groups by risk, where covariates do not tell it."""
    if run["relative_effect"] is None or len(run["relative_effect"]["by_risk"]) != 1:
        return []
    return [
        "The covariates hardly tell who is at a higher risk without treatment, so effects are not "
        "drawn by that risk."
    ]


def risk_words(event: str, risks: Mapping[str, Any]) -> list[str]:
    """Both arms' risks out of 100 persons and what they amount to, where they may be told.

    Parameters
    ----------
    event
        The outcome and its value that is the event.
    risks
        Those of one average in ``run.json``.
    """
    if risks["control"] is None or risks["treated"] is None:
        return []
    told = (
        f"Event: {event}. Of 100 persons {_per_100(risks['treated'])} have it with treatment and "
        f"{_per_100(risks['control'])} without"
    )
    ratio, needed = risks["ratio"], risks["number_needed"]
    if ratio is not None:
        told += f", risk ratio {format_fixed(ratio['estimate'], 2)} ({_ends(ratio)})"
    cut = cut_words(risks["control"], risks["treated"], risks["difference"]["estimate"])
    if needed["crosses"]:
        return [f"{told}.", *cut]
    number, ends = _needed(needed)
    return [
        f"{told}: one event {'fewer' if needed['fewer'] else 'more'} for every {number} persons "
        f"treated ({ends}).",
        *cut,
    ]


def _events(count: int | None, persons: int) -> str:
    return (
        _HIDDEN if count is None else f"{format_count(count)} ({format_percent(count / persons)})"
    )


def _ends(told: Mapping[str, Any]) -> str:
    """Interval of a ratio."""
    return f"{format_fixed(told['lower'], 2)} to {format_fixed(told['upper'], 2)}"


def _needed(number: Mapping[str, Any]) -> tuple[str, str]:
    """A number needed to treat and its interval, which does not hold infinity."""
    told, lower, upper = with_digits_alike(number["estimate"], number["lower"], number["upper"])
    return told, f"{lower} to {upper}"


def _rows(average: str, risks: Mapping[str, Any]) -> list[list[str]]:
    """Both risks and the effect on each scale, one row each."""
    effect = risks["difference"]
    rows = [
        [f"{average}: risk {when} treatment, per 100", _per_100(risks[arm]), "", ""]
        for when, arm in (("without", "control"), ("with", "treated"))
    ]
    rows.append(
        [
            f"{average}: risk difference, per 100",
            _per_100(effect["estimate"]),
            f"{_per_100(effect['lower'])} to {_per_100(effect['upper'])}",
            bare_p(effect["p_value"]),
        ]
    )
    for word, name in (("risk ratio", "ratio"), ("odds ratio", "odds_ratio")):
        told = risks[name]
        if told is not None:
            estimate = format_fixed(told["estimate"], 2)
            rows.append([f"{average}: {word}", estimate, _ends(told), bare_p(told["p_value"])])
    needed = risks["number_needed"]
    if not needed["crosses"]:
        which = "fewer" if needed["fewer"] else "more"
        rows.append([f"{average}: persons treated for one event {which}", *_needed(needed), ""])
    return rows


def _per_100(risk: float | None) -> str:
    return format_fixed(None if risk is None else 100 * risk, 1)
