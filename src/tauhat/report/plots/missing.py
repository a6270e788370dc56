"""Who has an outcome: by arm and cluster, and what losing persons goes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tauhat.report.plots.style import (
    BLUE,
    GRID,
    ORANGE,
    WIDTH,
    Plot,
    styled,
    told_apart,
    zero_line,
)

_COLOURS = (ORANGE, BLUE)
_MARKERS = ("s", "o")


@styled
def missing_outcomes_plot(
    arms: Sequence[Mapping[str, Any]],
    clusters: Sequence[Mapping[str, Any]],
    predictors: Sequence[Mapping[str, Any]],
) -> Plot:
    """Share of the persons with an outcome by arm and cluster, and the strongest predictors.

    Parameters
    ----------
    arms
        Control and treated arm: ``arm`` (label) and ``share_observed``, None where it is not told.
    clusters
        Groups of clusters: ``arm``, ``clusters`` (how many) and ``share_observed``. Larger marks
        stand for more clusters.
    predictors
        Covariates, strongest first: ``covariate``, ``control`` and ``treated``, the mean of those
        lost less that of the others in standard deviations, None where it is not told.

    Examples
    --------
    >>> arms = [{"arm": "a", "share_observed": 0.9}, {"arm": "b", "share_observed": 0.75}]
    >>> clusters = [{"arm": "a", "clusters": 2, "share_observed": 0.9}]
    >>> predictors = [{"covariate": "age", "control": 0.1, "treated": 0.4}]
    >>> missing_outcomes_plot(arms, clusters, predictors).text
    'Persons with an outcome: a 90%, b 75%. What losses go with most: age.'
    """
    heights = [0.5 + 0.4 * len(arms), 0.55 + 0.27 * len(predictors)][: 2 if predictors else 1]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.35), layout="constrained")
    panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    rows = _shares(panels[0], arms, clusters)
    if predictors:
        rows += _predictors(panels[1], arms, predictors)
    told = [
        f"{arm['arm']} {arm['share_observed']:.0%}"
        for arm in arms
        if arm["share_observed"] is not None
    ]
    text = f"Persons with an outcome: {', '.join(told)}." if told else "Shares are not told."
    if predictors:
        names = ", ".join(str(row["covariate"]) for row in predictors)
        text += f" What losses go with most: {names}."
    return Plot(figure, pd.DataFrame(rows), text)


def _shares(
    axes: Axes, arms: Sequence[Mapping[str, Any]], clusters: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    rows = []
    for place, arm in enumerate(arms):
        y, colour = len(arms) - 1 - place, _COLOURS[place]
        own = [c for c in clusters if c["arm"] == arm["arm"] and c["share_observed"] is not None]
        # Marks that would cover each other stand one above the other.
        offset = _apart(np.array([c["share_observed"] for c in own]))
        for group, up in zip(own, offset, strict=True):
            size = 3.2 + 1.6 * np.sqrt(group["clusters"] - 1)
            axes.plot(
                group["share_observed"], y + up, _MARKERS[place], color=colour, alpha=0.65,
                markersize=size, markeredgewidth=0,
            )  # fmt: skip
            rows.append({"what": "clusters", "of": arm["arm"], **group})
        if arm["share_observed"] is not None:
            axes.plot(
                [arm["share_observed"]] * 2, [y - 0.38, y + 0.38], color=colour, linewidth=1.8
            )
            rows.append({"what": "arm", "of": arm["arm"], "share_observed": arm["share_observed"]})
    axes.set_yticks(np.arange(len(arms))[::-1], told_apart([str(arm["arm"]) for arm in arms], 24))
    axes.set_ylim(-0.6, len(arms) - 0.4)
    lowest = min((row["share_observed"] for row in rows), default=0.5)
    axes.set_xlim(max(0.0, lowest - 0.08), 1.02)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("Persons with an outcome", loc="right")
    return rows


def _apart(shares: np.ndarray[Any, Any]) -> list[float]:
    steps, seen = (0.0, 0.17, -0.17, 0.3, -0.3), []
    for k, share in enumerate(shares):
        near = int((np.abs(shares[:k] - share) < 0.02).sum())
        seen.append(steps[near % len(steps)])
    return seen


def _predictors(
    axes: Axes, arms: Sequence[Mapping[str, Any]], predictors: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    y = np.arange(len(predictors))[::-1]
    axes.axvspan(-0.1, 0.1, color=GRID, alpha=0.7, linewidth=0)
    zero_line(axes, vertical=True)
    reach, rows = 0.3, []
    names = told_apart([str(arm["arm"]) for arm in arms], 20)
    for place, key in enumerate(("control", "treated")):
        value = np.array([row[key] for row in predictors], dtype=np.float64)
        axes.plot(
            value, y + (0.11, -0.11)[place], _MARKERS[place], color=_COLOURS[place], markersize=4.5,
            label=names[place],
        )  # fmt: skip
        reach = max(reach, float(np.nanmax(np.abs(np.append(value, 0.0)))) * 1.15)
        rows += [
            {"what": "covariate", "of": row["covariate"], "arm": arms[place]["arm"], "sd": row[key]}
            for row in predictors
        ]
    axes.set_yticks(y, told_apart([str(row["covariate"]) for row in predictors], 24))
    axes.set_ylim(-0.6, len(predictors) - 0.4)
    axes.set_xlim(-reach, reach)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Those lost minus the others, SD", loc="right")
    return rows
