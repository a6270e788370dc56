"""Figures for reports and journals, each a function that gives a figure and its numbers.

Every function returns a `Plot`: ``figure`` (matplotlib), ``data`` (the numbers that
are drawn, one row per mark), ``text`` (what is to be seen), and ``save`` for SVG, PNG and
PDF. Colours can be told apart with every kind of colour blindness, letters have the size
of print, and groups of fewer than five persons are not drawn. `tauhat.Analysis.plots`
makes all of them for one analysis.
"""

from tauhat.report.plots.clusters import cluster_caterpillar_plot
from tauhat.report.plots.effects import (
    effect_along_plot,
    effect_by_covariate_plot,
    effect_distribution_plot,
    interval_plot,
    persons_plot,
    sorted_effects_plot,
)
from tauhat.report.plots.forests import (
    covariate_forest_plot,
    far_wider,
    interaction_forest_plot,
    subgroup_forest_plot,
)
from tauhat.report.plots.held_out import (
    calibration_plot,
    qini_plot,
    risk_calibration_plot,
    sorted_groups_plot,
    targeting_plot,
)
from tauhat.report.plots.members import member_spread_plot, member_weights_plot
from tauhat.report.plots.missing import missing_outcomes_plot
from tauhat.report.plots.risks import effect_by_risk_plot
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
    told_apart,
)
from tauhat.report.plots.survival import survival_plot
from tauhat.report.plots.target import target_overlap_plot
from tauhat.report.plots.trial import agreement_plot, balance_plot
from tauhat.report.plots.two_way import effect_map_plot

__all__ = [
    "BLUE",
    "GRID",
    "INK",
    "MUTED",
    "ORANGE",
    "Interval",
    "Plot",
    "agreement_plot",
    "balance_plot",
    "calibration_plot",
    "cluster_caterpillar_plot",
    "covariate_forest_plot",
    "effect_along_plot",
    "effect_by_covariate_plot",
    "effect_by_risk_plot",
    "effect_distribution_plot",
    "effect_map_plot",
    "far_wider",
    "interaction_forest_plot",
    "interval_plot",
    "member_spread_plot",
    "member_weights_plot",
    "missing_outcomes_plot",
    "persons_plot",
    "qini_plot",
    "risk_calibration_plot",
    "shorten",
    "sorted_effects_plot",
    "sorted_groups_plot",
    "styled",
    "subgroup_forest_plot",
    "survival_plot",
    "target_overlap_plot",
    "targeting_plot",
    "to_data_uri",
    "to_svg",
    "told_apart",
]
