"""Figures of a study: relative excess over the best single estimator."""

from __future__ import annotations

from typing import Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tauhat.report.plots import BLUE, GRID, INK, MUTED, ORANGE, shorten, styled, told_apart
from tauhat.study.results import Study

#: Panels of the figures: measures and their titles.
PANELS: Final = {
    "srmse": "sRMSE, individuals",
    "rod": "Rate of discordance, individuals",
    "subgroup_srmse": "sRMSE, subgroups",
    "subgroup_rod": "Rate of discordance, subgroups",
}
AXIS: Final = "Excess over the best single estimator (%)"
# Beyond this an estimator is off the chart whatever the number; the tables have it.
MOST = 150.0
_MANY = 10


def excess_of(study: Study) -> pd.DataFrame:
    """Relative excess of every panel that the study has.

    Returns
    -------
    DataFrame
        Columns ``scenario n estimator excess metric``; empty when no row of
        the study has an effect that varies.
    """
    table = study.excess(list(PANELS))
    finite: pd.DataFrame = table.loc[np.isfinite(table["excess"])]
    return finite.reset_index(drop=True)


@styled
def excess_figure(study: Study) -> Figure:
    """Relative excess of each estimator: a dot a row, coloured by scenario, and the mean.

    Parameters
    ----------
    study
        A study in which some effect varies.

    Returns
    -------
    Figure
        Four panels: sRMSE and rate of discordance, of individuals and of
        subgroups. Dots beyond 150 % stand at the edge.
    """
    table = excess_of(study)
    names = study.plan.names
    scenarios = list(dict.fromkeys(table["scenario"]))
    # With many scenarios colours say nothing.
    colours = mpl.colormaps["tab10"].colors if len(scenarios) <= _MANY else [BLUE]  # type: ignore[attr-defined]
    legend = told_apart(map(str, scenarios))
    shown = table.assign(excess=table["excess"].clip(upper=MOST))
    figure = Figure(figsize=(9.5, 1.5 + 0.52 * len(names)), layout="constrained")
    panels = np.ravel(figure.subplots(2, 2, sharex=True, sharey=True))
    for axes, (metric, title) in zip(panels, PANELS.items(), strict=True):
        part = shown[shown["metric"] == metric]
        for number, name in enumerate(names):
            own = part[part["estimator"] == name]
            for k, label in enumerate(scenarios):
                dots = own.loc[own["scenario"] == label, "excess"].to_numpy(dtype=float)
                offset = 0.5 * (k / max(len(scenarios) - 1, 1) - 0.5)
                axes.scatter(
                    dots, np.full(len(dots), number + offset), s=13, alpha=0.75,
                    color=colours[k % len(colours)], linewidths=0,
                    label=legend[k] if number == 0 else None,
                )  # fmt: skip
            if len(own):
                mean = float(own["excess"].mean())
                axes.plot([mean, mean], [number - 0.38, number + 0.38], color=INK, linewidth=1.6)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_title(title, loc="left", fontsize=10)
        axes.grid(axis="x", color=GRID, linewidth=0.6)
    panels[0].set_yticks(range(len(names)), told_apart(names))
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    figure.supxlabel(AXIS, fontsize=9)
    if 1 < len(scenarios) <= _MANY:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    return figure


@styled
def row_figure(study: Study) -> Figure:
    """Relative excess of every scenario and estimator as numbers on a colour scale.

    Parameters
    ----------
    study
        A study in which some effect varies.

    Returns
    -------
    Figure
        Panels as in `excess_figure`.
    """
    table = excess_of(study)
    table = table.assign(
        row=[_row_name(*key) for key in zip(table["scenario"], table["n"], strict=True)]
    )
    rows = list(dict.fromkeys(table["row"]))
    names = study.plan.names
    width, height = 2.6 + 0.95 * len(names), 1.6 + 0.46 * len(rows) + 0.9
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = np.ravel(figure.subplots(2, 2, sharex=True, sharey=True))
    scale = LinearSegmentedColormap.from_list("excess", [BLUE, "white", ORANGE])
    for axes, (metric, title) in zip(panels, PANELS.items(), strict=True):
        part = table[table["metric"] == metric]
        grid = np.full((len(rows), len(names)), np.nan)
        for row, name, excess in zip(part["row"], part["estimator"], part["excess"], strict=True):
            grid[rows.index(row), names.index(name)] = excess
        axes.imshow(grid, cmap=scale, vmin=-100, vmax=100, aspect="auto")
        _write_cells(axes, grid)
        axes.set_title(title, loc="left", fontsize=10)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    panels[0].set_yticks(range(len(rows)), rows)
    panels[2].set_yticks(range(len(rows)), rows)
    for axes in panels[2:]:
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    figure.supxlabel(AXIS, fontsize=9)
    return figure


def _row_name(scenario: object, n: object) -> str:
    size = "" if n is pd.NA else f", n={n}"
    return shorten(str(scenario), 60) + size


def _write_cells(axes: Axes, grid: np.ndarray) -> None:
    for (i, j), value in np.ndenumerate(grid):
        if np.isfinite(value):
            dark = abs(value) > 75
            axes.text(
                j, i, f"{value:.0f}", ha="center", va="center", fontsize=7,
                color="white" if dark else INK,
            )  # fmt: skip
