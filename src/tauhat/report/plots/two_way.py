"""The map of estimated effects over two covariates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from tauhat.report.plots.style import (
    BLUE,
    MUTED,
    ORANGE,
    Plot,
    minus_signs,
    new_axes,
    readable_on,
    shorten,
    styled,
    told_apart,
)

_PALE = "#f7f5f2"


@styled
def effect_map_plot(cells: pd.DataFrame, *, names: tuple[str, str], axis_label: str) -> Plot:
    """Map of the mean estimated effect over two covariates; colour is the distance from no effect.

    Two colours stand for two signs, so that a map of gains alone has one.

    Parameters
    ----------
    cells
        ``first``, ``second``, ``effect`` and ``persons``, as from
        `tauhat.report.grouping.two_way_groups`; hatched where ``effect`` is missing.
    names
        The covariates that ``first`` and ``second`` belong to.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> cells = pd.DataFrame({"first": list("ffmm"), "second": list("ynyn"),
    ...                       "effect": [1, 3, np.nan, 2], "persons": [9, 8, np.nan, 7]})
    >>> drawn = effect_map_plot(cells, names=("sex", "urban"), axis_label="Effect")
    >>> drawn.text
    'Mean estimated effect in 4 cells of sex and urban, from 1 to 3; 1 cells of too few persons.'
    """
    rows, columns = (list(dict.fromkeys(cells[name])) for name in ("first", "second"))
    grid = cells.pivot(index="first", columns="second", values="effect")
    values = grid.loc[rows, columns].to_numpy(dtype=np.float64)
    figure, axes = new_axes(max(1.1 + 0.42 * len(rows), 2.4))
    colours = LinearSegmentedColormap.from_list("effects", [ORANGE, _PALE, BLUE])
    known = values[np.isfinite(values)]
    reach = (float(np.abs(known).max()) if len(known) else 0.0) or 1.0
    # Where effects hardly differ, digits that tell them apart would tell of nothing.
    spread = max(float(np.ptp(known)), reach / 50) if len(known) else reach
    # Vector cells: an image would be blurred in print.
    axes.pcolormesh(
        np.arange(len(columns) + 1) - 0.5,
        np.arange(len(rows) + 1) - 0.5,
        np.ma.masked_invalid(values),
        cmap=colours,
        vmin=-reach,
        vmax=reach,
        edgecolor="white",
        linewidth=1.0,
    )
    decimals = max(0, 1 - int(np.floor(np.log10(spread)))) if spread < 100 else 0
    for i, j in np.ndindex(values.shape):
        if np.isfinite(values[i, j]):
            letters = readable_on(colours((values[i, j] + reach) / (2 * reach)))
            text = minus_signs(f"{values[i, j]:.{min(decimals, 4)}f}")
            axes.text(j, i, text, ha="center", va="center", color=letters)
        else:
            corner = (j - 0.5, i - 0.5)
            axes.add_patch(
                Rectangle(corner, 1, 1, fill=False, hatch="////", edgecolor=MUTED, linewidth=0)
            )
    axes.invert_yaxis()
    axes.set_yticks(np.arange(len(rows)), _ticks(rows))
    labels = _ticks(columns)
    turned = sum(map(len, labels)) > 36
    axes.set_xticks(
        np.arange(len(columns)),
        labels,
        rotation=35 if turned else 0,
        ha="right" if turned else "center",
    )
    axes.set_ylabel(shorten(names[0], 26))
    axes.set_xlabel(shorten(names[1], 40))
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(shorten(axis_label, 48), fontsize=9, loc="left")
    few = int(np.isnan(values).sum())
    span = f", from {known.min():.3g} to {known.max():.3g}" if len(known) else ""
    said = (
        f"Mean estimated effect in {values.size} cells of {shorten(names[0], 40)} and "
        f"{shorten(names[1], 40)}{span}"
    )
    said += f"; {few} cells of too few persons." if few else "."
    return Plot(figure, cells.reset_index(drop=True), said)


def _ticks(labels: Iterable[Any]) -> list[str]:
    """Groups' labels, without the word that every group of numbers has."""
    return told_apart([str(label).removeprefix("around ") for label in labels], 14)
