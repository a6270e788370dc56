"""Figures of the design and of the models: balance of the arms, agreement of the models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from tauhat._typing import FloatArray
from tauhat.report.plots.style import (
    BAND,
    BLUE,
    GRID,
    INK,
    MUTED,
    ORANGE,
    Plot,
    new_axes,
    readable_on,
    styled,
    told_apart,
    zero_line,
)


@styled
def agreement_plot(names: Sequence[str], kendall: FloatArray, kept: Sequence[bool]) -> Plot:
    """Kendall correlations between the models' rankings of the same persons.

    Parameters
    ----------
    names
        The models, in the order to show.
    kendall
        Matrix of Kendall's tau-b, shape (models, models).
    kept
        Whether the ensemble kept each model; the others are greyed.

    Examples
    --------
    >>> agreement_plot(["a", "b"], np.array([[1, 0.5], [0.5, 1]]), [True, True]).text
    'Kendall correlations between 2 models, from 0.50 to 0.50.'
    """
    k = len(names)
    figure, axes = new_axes(0.9 + 0.3 * k)
    colours = LinearSegmentedColormap.from_list("agreement", [ORANGE, "#f7f5f2", BLUE])
    shown = np.where(np.eye(k, dtype=bool), np.nan, kendall)
    # Vector cells: an image would be blurred in print.
    axes.pcolormesh(
        np.arange(k + 1) - 0.5, np.arange(k + 1) - 0.5, shown, cmap=colours, vmin=-1, vmax=1
    )
    axes.invert_yaxis()
    for i in range(k):
        for j in range(k):
            if i != j:
                axes.text(
                    j,
                    i,
                    f"{kendall[i, j]:.2f}".replace("0.", ".", 1).replace("-", "−"),
                    ha="center",
                    va="center",
                    fontsize=7 if k > 8 else 8,
                    color=readable_on(colours((kendall[i, j] + 1) / 2)),
                )
    labels = told_apart(names, 18)
    axes.set_xticks(np.arange(k), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(k), labels)
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, was_kept in zip(ticks, kept, strict=True):
            label.set_color(INK if was_kept else MUTED)
            label.set_fontweight("bold" if was_kept else "normal")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    data = pd.DataFrame(kendall, index=list(names), columns=list(names))
    away = kendall[~np.eye(k, dtype=bool)]
    span = f", from {away.min():.2f} to {away.max():.2f}" if len(away) else ""
    return Plot(figure, data, f"Kendall correlations between {k} models{span}.")


@styled
def balance_plot(names: Sequence[str], difference: FloatArray) -> Plot:
    """Standardised differences between the arms before treatment, largest on top.

    Parameters
    ----------
    names
        The covariates.
    difference
        Differences in standard deviations, shape (covariates,).

    Examples
    --------
    >>> balance_plot(["age", "sex"], np.array([0.1, -0.3])).text
    'Standardised differences of 2 covariates between the arms; the largest is -0.30.'
    """
    figure, axes = new_axes(0.75 + 0.23 * len(names))
    order = np.argsort(np.abs(difference))
    y = np.arange(len(names))
    axes.axvspan(-0.1, 0.1, color=GRID, alpha=0.7, linewidth=0)
    zero_line(axes, vertical=True)
    axes.hlines(y, 0, difference[order], color=BAND, linewidth=2)
    axes.plot(difference[order], y, "o", color=BLUE, markersize=5)
    axes.set_yticks(y, told_apart([names[i] for i in order], 24))
    reach = max(0.33, float(np.nanmax(np.abs(difference))) * 1.15) if len(names) else 0.33
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Standardised difference, treated minus control", loc="right")
    data = pd.DataFrame({"covariate": list(names), "difference": difference})
    largest = f"; the largest is {difference[order[-1]]:.2f}" if len(names) else ""
    text = f"Standardised differences of {len(names)} covariates between the arms{largest}."
    return Plot(figure, data, text)
