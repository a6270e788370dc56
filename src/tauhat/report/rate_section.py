"""Section on the rates of an outcome that counts events: both arms', and their ratio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat.report.numbers import (
    Scale,
    bare_p,
    decimals_for,
    format_count,
    format_fixed,
    format_p,
    format_percent,
)
from tauhat.report.pieces import cell
from tauhat.report.text import Run, arm_name, estimands, label_name, scale_of
from tauhat.report.view import ReportInput, Section, TableView

_HIDDEN = "–"


def rate_section(data: ReportInput) -> Section | None:
    """Rates and their ratio; None where the outcome counts no events."""
    run = data.run
    found = run.get("average_rates")
    if found is None:
        return None
    level = format_percent(run["interval"]["level"])
    rows = []
    for name in estimands(run):
        if found[name] is not None:
            rows += _rows(run, f"{name.capitalize()}-average", found[name])
    time = "–" if found["exposure"] is None else cell(found["exposure"])
    arms = [
        [
            cell(label_name(run, arm["arm"])),
            format_count(arm["persons"]),
            _HIDDEN if arm["events"] is None else format_count(arm["events"]),
            _HIDDEN if arm["time"] is None else format_fixed(arm["time"], 1),
        ]
        for arm in found["arms"]
    ]
    hidden = found["individual"]["control"] is None
    return Section(
        "rates",
        "Rates of events",
        paragraphs=[
            *rate_words(run),
            "The average effects again, as rates that are adjusted for covariates as these are. A "
            "rate ratio tells by what factor the rate changes, a difference how many events that "
            "is; report both.",
        ],
        tables=[
            TableView("Average effects on the rate", ["", "Estimate", f"{level} CI", "p"], rows),
            TableView("Events", ["Arm", "Persons", "Events", f"Time at risk, {time}"], arms),
        ],
        notes=[
            "Events and rates that would tell of fewer than five persons are not shown, nor their "
            "ratio, from which they could be worked out."
        ]
        if hidden
        else [],
    )


def rate_words(run: Run) -> list[str]:
    """Both rates and their ratio in a sentence; none where they may not be told."""
    found = run.get("average_rates")
    if found is None or found["individual"]["control"] is None:
        return []
    one, scale = found[run["average_effect"]["primary"]], scale_of(run)
    told = (
        f"Events per {rate_unit(run)}: {scale(one['treated'])} with {arm_name(run, 'treated')} and "
        f"{scale(one['control'])} with {arm_name(run, 'control')}"
    )
    ratio = one["ratio"]
    if ratio is None:
        return [f"{told}."]
    estimate, interval = _ratio(ratio)
    level = format_percent(run["interval"]["level"])
    return [
        f"{told}; rate ratio {estimate} ({level} confidence interval {interval}; "
        f"{format_p(ratio['p_value'])})."
    ]


def _ratio(ratio: Mapping[str, Any]) -> tuple[str, str]:
    """A rate ratio and its interval, as exact as its error allows."""
    scale = Scale(decimals_for(ratio["se"] * ratio["estimate"]))
    return scale(ratio["estimate"]), scale.interval(ratio["lower"], ratio["upper"])


def rate_unit(run: Run) -> str:
    """What rates are per, such as "unit of years"."""
    exposure = run["average_rates"]["exposure"]
    return "person" if exposure is None else f"unit of {cell(exposure, 40)}"


def _rows(run: Run, average: str, rates: Mapping[str, Any]) -> list[list[str]]:
    """Both rates and their ratio, one row each."""
    scale = scale_of(run)
    rows = [
        [f"{average}: rate with {cell(arm_name(run, arm), 40)}, per {rate_unit(run)}",
         scale(rates[arm]), "", ""]
        for arm in ("control", "treated")
    ]  # fmt: skip
    ratio = rates["ratio"]
    if ratio is not None:
        estimate, interval = _ratio(ratio)
        rows.append([f"{average}: rate ratio", estimate, interval, bare_p(ratio["p_value"])])
    return rows
