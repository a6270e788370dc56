"""Figures of the report, each a function from plain numbers to a matplotlib figure."""

from tauhat.report.plots.effects import (
    effect_by_covariate_figure,
    histogram_figure,
    interval_figure,
    sorted_effects_figure,
)
from tauhat.report.plots.held_out import (
    calibration_plot,
    sorted_groups_plot,
    subgroup_forest_plot,
    targeting_plot,
)
from tauhat.report.plots.style import (
    BLUE,
    GRID,
    INK,
    MUTED,
    ORANGE,
    Interval,
    Plot,
    shorten,
    styled,
    to_data_uri,
    to_svg,
)
from tauhat.report.plots.trial import agreement_figure, balance_figure

__all__ = [
    "BLUE",
    "GRID",
    "INK",
    "MUTED",
    "ORANGE",
    "Interval",
    "Plot",
    "agreement_figure",
    "balance_figure",
    "calibration_plot",
    "effect_by_covariate_figure",
    "histogram_figure",
    "interval_figure",
    "shorten",
    "sorted_effects_figure",
    "sorted_groups_plot",
    "styled",
    "subgroup_forest_plot",
    "targeting_plot",
    "to_data_uri",
    "to_svg",
]
