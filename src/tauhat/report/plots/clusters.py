"""The clusters one beside the other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tauhat.disclosure import FEW, may_be_told
from tauhat.report.plots.style import BLUE, ORANGE, Plot, new_axes, styled, upright, zero_line

_MANY = 120


@styled
def cluster_caterpillar_plot(clusters: pd.DataFrame, *, axis_label: str) -> Plot:
    """Predicted intercepts of the clusters with their intervals, lowest first, by arm.

    Parameters
    ----------
    clusters
        ``treatment``, ``persons``, ``estimate``, ``lower`` and ``upper``, as in
        `tauhat.inference.ClusterIntercepts.table`. Clusters of fewer than five
        persons are not drawn and not among the numbers.
    axis_label
        What is measured, with its unit.

    Examples
    --------
    >>> rows = [(0, 30, -1.0, -2.0, 0.0), (1, 25, 0.5, -0.5, 1.5), (1, 3, 0.8, -1.0, 2.6)]
    >>> names = ["treatment", "persons", "estimate", "lower", "upper"]
    >>> drawn = cluster_caterpillar_plot(pd.DataFrame(rows, columns=names), axis_label="Outcome")
    >>> drawn.text
    'Intercepts of 2 clusters with intervals, from -1 to 0.5; 1 of fewer than five persons ...'
    """
    large = may_be_told(clusters["persons"])
    data = clusters[large].sort_values("estimate", kind="stable", ignore_index=True)
    figure, axes = new_axes(2.75)
    zero_line(axes, vertical=False)
    many = len(data) > _MANY
    for arm, colour, marker, name in ((0, ORANGE, "s", "control"), (1, BLUE, "o", "treated")):
        own = data[data["treatment"] == arm]
        x = own.index.to_numpy(dtype=np.float64) + 1
        estimate, lower, upper = (
            own[column].to_numpy(dtype=np.float64) for column in ("estimate", "lower", "upper")
        )
        axes.vlines(x, lower, upper, color=colour, linewidth=0.5 if many else 1.3, alpha=0.6)
        axes.plot(
            x, estimate, marker, color=colour, markersize=1.6 if many else 4, label=name, zorder=3
        )
    axes.legend(loc="upper left", frameon=False, fontsize=8, markerscale=3 if many else 1)
    axes.set_xlim(0, len(data) + 1)
    axes.set_xlabel("Clusters, lowest first")
    axes.set_ylabel(upright(axis_label))
    few = int((~large).sum())
    text = f"Intercepts of {len(data)} clusters with intervals"
    if len(data):
        text += f", from {data['estimate'].min():.3g} to {data['estimate'].max():.3g}"
    text += f"; {few} of {FEW} not drawn." if few else "."
    return Plot(figure, data, text)
