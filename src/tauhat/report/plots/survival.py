"""The arms' curves of a time to an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat.report.plots.style import (
    BLUE,
    GRID,
    MUTED,
    ORANGE,
    Plot,
    new_axes,
    shorten,
    styled,
    told_apart,
)


@styled
def survival_plot(
    curves: Sequence[dict[str, Any]],
    *,
    horizon: float,
    time_label: str,
    label: str,
    area: bool = False,
) -> Plot:
    """Probability over time in both arms, with the numbers at risk below.

    Parameters
    ----------
    curves
        Control and treated arm: ``arm`` (label), and ``time``, ``probability``, ``at_risk`` at the
        same times, the first of them zero.
    horizon
        Time at which the arms are compared, or up to which.
    time_label
        What the times are, with their unit.
    label
        What the probability is.
    area
        Whether the arms are compared on the area under (or over) the curves, so that what lies
        between them is shaded.

    Examples
    --------
    >>> curves = [
    ...     {"arm": "a", "time": [0, 6], "probability": [1, 0.5], "at_risk": [40, 20]},
    ...     {"arm": "b", "time": [0, 6], "probability": [1, 0.8], "at_risk": [40, 30]},
    ... ]
    >>> survival_plot(curves, horizon=6, time_label="months", label="Without an event").text
    'Without an event at 6: a 0.50, b 0.80.'
    """
    figure, axes = new_axes(3.1)
    arms = [str(curve["arm"]) for curve in curves]
    for curve, colour, name in zip(curves, (ORANGE, BLUE), told_apart(arms, 24), strict=True):
        axes.plot(curve["time"], curve["probability"], "o-", color=colour, markersize=3, label=name)
    if area:
        lower, upper = (np.asarray(curve["probability"]) for curve in curves)
        axes.fill_between(curves[0]["time"], lower, upper, color=GRID, linewidth=0, zorder=1)
    axes.set_xlim(0, horizon * 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel(shorten(label, 34))
    axes.set_xlabel(shorten(time_label, 60), loc="right")
    axes.legend(frameon=False, loc="best")
    times = curves[0]["time"]
    shown = times if len(times) <= 6 else times[:: -(-len(times) // 6)]
    axes.set_xticks(
        shown,
        [
            "\n".join(
                [_written(time), *(str(c["at_risk"][list(times).index(time)]) for c in curves)]
            )
            for time in shown
        ],
    )
    below = "at risk: " + " / ".join(told_apart(arms, 12))
    axes.annotate(
        below, (0, 0), (-2, -40), xycoords="axes fraction", textcoords="offset points",
        fontsize=7, color=MUTED, va="top",
    )  # fmt: skip
    data = pd.concat([pd.DataFrame(curve) for curve in curves], ignore_index=True)
    last = ", ".join(f"{c['arm']} {c['probability'][-1]:.2f}" for c in curves)
    return Plot(figure, data, f"{label} at {times[-1]:g}: {last}.")


def _written(time: float) -> str:
    return f"{time:.0f}" if time >= 100 else f"{time:.3g}"
