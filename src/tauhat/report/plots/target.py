"""How a trial's persons were weighted to be like another population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tauhat.report.plots.style import (
    BAND,
    BLUE,
    GRID,
    ORANGE,
    WIDTH,
    Plot,
    styled,
    told_apart,
    zero_line,
)


@styled
def target_overlap_plot(
    shifts: Sequence[Mapping[str, Any]], weights: Sequence[Mapping[str, Any]]
) -> Plot:
    """Differences from another population before and after weighting, and the weights.

    Parameters
    ----------
    shifts
        Covariates, top first: ``covariate``, ``shift`` and ``left``, the population's mean less
        that of the trial in standard deviations, before and after weighting.
    weights
        Ranges of weights relative to their mean: ``above``, ``below`` (None without an end),
        ``persons`` and their ``share`` of the whole weight.

    Examples
    --------
    >>> shifts = [{"covariate": "age", "shift": 0.7, "left": 0.0}]
    >>> weights = [{"above": 0.0, "below": 1.0, "persons": 60, "share": 0.3},
    ...            {"above": 1.0, "below": None, "persons": 40, "share": 0.7}]
    >>> target_overlap_plot(shifts, weights).text
    'The population differs from the trial by up to 0.70 SD (age), after weighting by 0.00. \
Weights of 1 or more: 40 persons with 70% of the weight.'
    """
    heights = [0.55 + 0.24 * len(shifts), 0.6 + 0.24 * len(weights)]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.35), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=heights)
    rows = _differences(above, shifts) + _weights(below, weights)
    far = max(shifts, key=lambda row: abs(row["shift"]))
    left = max(abs(row["left"]) for row in shifts)
    end = weights[-1]
    text = (
        f"The population differs from the trial by up to {abs(far['shift']):.2f} SD "
        f"({far['covariate']}), after weighting by {left:.2f}. Weights of {_range(end)}: "
        f"{end['persons']} persons with {end['share']:.0%} of the weight."
    )
    return Plot(figure, pd.DataFrame(rows), text)


def _differences(axes: Axes, shifts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    y = np.arange(len(shifts))[::-1]
    before, after = (np.array([row[key] for row in shifts], float) for key in ("shift", "left"))
    axes.axvspan(-0.1, 0.1, color=GRID, alpha=0.7, linewidth=0)
    zero_line(axes, vertical=True)
    axes.hlines(y, after, before, color=BAND, linewidth=2)
    axes.plot(before, y, "s", color=ORANGE, markersize=4.5, label="trial as it is")
    axes.plot(after, y, "o", color=BLUE, markersize=4.5, label="weighted")
    axes.set_yticks(y, told_apart([str(row["covariate"]) for row in shifts], 24))
    axes.set_ylim(-0.6, len(shifts) - 0.4)
    reach = max(0.33, float(np.abs(before).max()) * 1.15)
    axes.set_xlim(-reach, reach)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Population minus trial, SD", loc="right")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderpad=0)
    return [{"what": "covariate", **row} for row in shifts]


def _weights(axes: Axes, weights: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    y = np.arange(len(weights))
    persons = np.array([row["persons"] for row in weights], dtype=np.float64)
    of_all = persons / persons.sum()
    share = np.array([row["share"] for row in weights], dtype=np.float64)
    axes.barh(y + 0.19, of_all, height=0.34, color=ORANGE, label="persons")
    axes.barh(y - 0.19, share, height=0.34, color=BLUE, label="weight")
    axes.set_yticks(y, [_range(row) for row in weights])
    axes.set_ylim(-0.6, len(weights) - 0.4)
    axes.set_ylabel("Weight over mean")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("Share of the trial's persons, and of the weight", loc="right")
    return [{"what": "weights", **row} for row in weights]


def _range(row: Mapping[str, Any]) -> str:
    """A range of weights in words."""
    if row["below"] is None:
        return f"{row['above']:g} or more"
    return f"{row['above']:g} to {row['below']:g}"
