"""Figures of held-out effects, from plain results; `gallery` draws them with all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tauhat.report import plots
from tauhat.report.per_hundred import gain_words, per_words
from tauhat.report.pieces import average_interval, axis_label, first_upper
from tauhat.report.text import arm_name
from tauhat.report.view import ReportInput

# Covariates of the forest plot.
ROWS_OF_FOREST = 8


def quarters(data: ReportInput) -> plots.Plot:
    """Effects of quarters of the persons by held-out effect."""
    return plots.sorted_groups_plot(
        pd.DataFrame(data.run["held_out"]["groups"]),
        average=average_interval(data),
        axis_label=axis_label(data),
    )


def subgroup_forest(data: ReportInput) -> plots.Plot | None:
    """Effects of the subgroups that the data suggest; None without any."""
    rows = data.run["held_out"]["subgroups"]["subgroups"]
    if not rows:
        return None
    return plots.subgroup_forest_plot(
        pd.DataFrame(rows), average=average_interval(data), axis_label=axis_label(data)
    )


def covariate_forest(data: ReportInput) -> plots.Plot | None:
    """Effects in groups along the covariates that the estimates go with most; None without any."""
    table = pd.DataFrame(data.run["held_out"]["by_covariate"])
    if not len(table):
        return None
    strongest = [str(m["covariate"]) for m in data.run["modifiers"]]
    order = {name: place for place, name in enumerate(strongest)}
    names = sorted(dict.fromkeys(table["covariate"]), key=lambda name: order.get(name, len(order)))[
        :ROWS_OF_FOREST
    ]
    parts = [table[table["covariate"] == name] for name in names]
    return plots.covariate_forest_plot(
        pd.concat(parts, ignore_index=True),
        average=average_interval(data),
        axis_label=axis_label(data),
    )


def calibration(data: ReportInput) -> plots.Plot:
    """Effects against what was predicted."""
    curve = pd.DataFrame(data.run["held_out"]["calibration"]["curve"])
    return plots.calibration_plot(curve, axis_label=axis_label(data))


def risk_calibration(data: ReportInput) -> plots.Plot | None:
    """Events of both arms against predicted risks; None where that was not looked at."""
    groups = data.run["held_out"]["calibration"].get("risks")
    if not groups:
        return None
    arms = [arm_name(data.run, arm) for arm in ("control", "treated")]
    return plots.risk_calibration_plot(pd.DataFrame(groups), arms=arms)


def targeting(data: ReportInput, ranked: Mapping[str, Any]) -> plots.Plot:
    """Targeting curve of one reading of the outcome."""
    return plots.targeting_plot(
        pd.DataFrame(ranked["curve"]),
        axis_label=f"Gain{per_words(data.run)}, if {ranked['better']} is better",
    )


def qini(data: ReportInput, ranked: Mapping[str, Any]) -> plots.Plot:
    """Qini curve of one reading of the outcome."""
    return plots.qini_plot(
        pd.DataFrame(ranked["curve"]),
        axis_label=f"{first_upper(gain_words(data.run))}, if {ranked['better']} is better",
    )
