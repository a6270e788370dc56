"""The members of an ensemble: their weights, and how far they are apart for whom."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.report.grouping import equal_groups
from tauhat.report.plots.style import (
    BAND,
    BLUE,
    INK,
    LINES,
    Interval,
    Plot,
    average_band,
    new_axes,
    shorten,
    styled,
    told_apart,
    zero_line,
)

_STYLES = ("-", (0, (4, 1.5)), (0, (1, 1)))


@styled
def member_weights_plot(members: pd.DataFrame) -> Plot:
    """Weight of each member, and what it is made of or would usually be.

    Parameters
    ----------
    members
        ``member`` and ``weight``; of a learned rule ``typical_weight``, of shares ``given``,
        ``earned`` and ``earned_sd``, as in the table of `tauhat.ensembles.Explanation`.

    Examples
    --------
    >>> table = pd.DataFrame({"member": ["A", "B"], "weight": [0.75, 0.25]})
    >>> member_weights_plot(table.assign(given=0.25, earned=[0.5, 0.0], earned_sd=0.1)).text
    'Weights of 2 members: A 75%, B 25%.'
    """
    names = ["member", "weight", "given", "earned", "earned_sd", "typical_weight"]
    data = members.rename(columns=lambda name: name.replace(" ", "_")).reindex(columns=names)
    data = data.sort_values("weight", ascending=False, kind="stable", ignore_index=True)
    weight, given, earned, error, typical = (
        100 * data[name].to_numpy(dtype=np.float64) for name in names[1:]
    )
    apart = bool(np.isfinite(earned).any())
    figure, axes = new_axes(0.95 + 0.27 * len(data))
    y = np.arange(len(data))[::-1].astype(np.float64)
    if apart:
        given, earned = np.nan_to_num(given), np.nan_to_num(earned)
        axes.barh(y, given, height=0.62, color=BAND, label="given")
        axes.barh(y, earned, left=given, height=0.62, color=BLUE, label="earned")
        held = np.isfinite(error) & (earned > 0)
        axes.hlines(
            y[held],
            np.maximum(weight - error, given)[held],
            (weight + error)[held],
            color=INK,
            linewidth=1.3,
            label="± SD of earned",
        )
        axes.legend(loc="lower right", frameon=False, fontsize=8)
    else:
        axes.barh(y, weight, height=0.62, color=BLUE)
    if np.isfinite(typical).any():
        axes.vlines(
            typical, y - 0.38, y + 0.38, color=INK, linewidth=1.6, label="in a typical trial"
        )
        axes.legend(loc="lower right", frameon=False, fontsize=8)
    names = told_apart(map(str, data["member"]), 20)
    axes.set_yticks(y, names)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, None)
    axes.set_xlabel("Weight in the ensemble (%)")
    said = ", ".join(f"{name} {share:.0f}%" for name, share in zip(names, weight, strict=True))
    return Plot(figure, data, f"Weights of {len(data)} members: {said}.")


@styled
def member_spread_plot(
    effect: FloatArray,
    members: pd.DataFrame,
    *,
    average: Interval | None = None,
    axis_label: str,
) -> Plot:
    """How far the members are apart, along the ensemble's effect, in equal groups of persons.

    Parameters
    ----------
    effect
        The ensemble's effects, shape (n,).
    members
        The members' effects on the same persons, one column each, n rows.
    average
        The average effect, drawn behind.
    axis_label
        What is estimated, with its unit.

    Returns
    -------
    Plot
        ``data`` has one row per group of at least five persons: ``group``,
        ``persons``, ``ensemble``, the mean ``spread`` (the standard deviation of
        the members' effects for a person), and a column a member.

    Examples
    --------
    >>> tau = np.linspace(0, 1, 40)
    >>> drawn = member_spread_plot(tau, pd.DataFrame({"A": tau, "B": 0 * tau}), axis_label="Effect")
    >>> float(drawn.data["spread"].iloc[-1].round(2))
    0.47
    """
    codes = equal_groups(effect)
    k = int(codes.max()) + 1
    matrix = members.to_numpy(dtype=np.float64)
    data = pd.DataFrame({"ensemble": effect, "spread": matrix.std(axis=1)})
    own = pd.DataFrame(matrix, columns=[str(name) for name in members.columns])
    # A member may have any name, also that of a column of ours.
    parts = pd.concat([data, own], axis=1, keys=["ours", "member"]).groupby(codes).mean()
    ensemble, spread = (parts["ours"][name].to_numpy() for name in ("ensemble", "spread"))
    figure, axes = new_axes(3.0)
    if average is not None:
        average_band(axes, average, vertical=False)
    zero_line(axes, vertical=False)
    share = (np.arange(k) + 0.5) / k * 100
    axes.fill_between(
        share, ensemble - spread, ensemble + spread, color=BAND, alpha=0.75, linewidth=0
    )
    for index, (name, label) in enumerate(
        zip(own.columns, told_apart(own.columns, 18), strict=True)
    ):
        axes.plot(
            share,
            parts["member"][name].to_numpy(),
            color=LINES[index % len(LINES)],
            linestyle=_STYLES[index // len(LINES) % len(_STYLES)],
            linewidth=1.1,
            label=label,
        )
    axes.plot(share, ensemble, color=INK, linewidth=2.6, label="ensemble", zorder=4)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("Persons, sorted by the ensemble's effect")
    axes.set_ylabel(shorten(axis_label, 34))
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=7.5)
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "group": np.arange(1, k + 1),
                    "persons": np.bincount(codes, minlength=k),
                    "ensemble": ensemble,
                    "spread": spread,
                }
            ),
            parts["member"].reset_index(drop=True),
        ],
        axis=1,
    )
    text = (
        f"Effects of {len(own.columns)} members along the ensemble's effect in {k} groups of "
        f"persons; for one person they have a standard deviation of {spread.mean():.3g} on average."
    )
    return Plot(figure, table, text)
