"""Figures of what held-out effects say: sorted groups, calibration, targeting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tauhat._typing import FloatArray
from tauhat.report.plots.style import (
    BAND,
    BLUE,
    INK,
    MARKS,
    Interval,
    Plot,
    average_band,
    marks_of,
    new_axes,
    styled,
    told_apart,
    upright,
    zero_line,
)

# Below this share treated the band of the targeting curve is too wide to set the axis.
_SHARE_OF_AXIS = 0.15


@styled
def sorted_groups_plot(
    groups: pd.DataFrame, *, average: Interval | None = None, axis_label: str
) -> Plot:
    """Effects of groups sorted by held-out effect, beside what was predicted.

    Parameters
    ----------
    groups
        ``group``, ``predicted``, ``estimate``, ``lower``, ``upper`` and
        ``persons``, as in `tauhat.inference.SortedGroupEffects.table`; the row of
        the difference, which has no persons, is not drawn.
    average
        The average effect, drawn behind.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> columns = ["group", "persons", "predicted", "estimate", "lower", "upper"]
    >>> table = pd.DataFrame([("1", 9.0, 0.5, 0.4, 0.0, 0.8)], columns=columns)
    >>> float(sorted_groups_plot(table, axis_label="Effect").data.estimate[0])
    0.4
    """
    data = groups.loc[groups["persons"].notna(), ["group", "persons", "predicted", *MARKS]]
    figure, axes = new_axes(2.75)
    if average is not None:
        average_band(axes, average, vertical=False)
    zero_line(axes, vertical=False)
    x = np.arange(len(data), dtype=np.float64)
    _vertical_intervals(axes, x, data)
    axes.plot(
        x + 0.16,
        data["predicted"].to_numpy(dtype=np.float64),
        "D",
        markerfacecolor="white",
        markeredgecolor=INK,
        markersize=5,
        zorder=3,
    )
    # The words of the outer groups stand below their number, or they are too long.
    names = [name.replace(" (", "\n(") for name in told_apart(map(str, data["group"]), 24)]
    axes.set_xticks(x, names)
    axes.set_xlim(-0.5, len(data) - 0.5)
    axes.set_xlabel("Groups of persons by predicted effect")
    axes.set_ylabel(upright(axis_label))
    named = "; ".join(
        f"{row.group}: predicted {row.predicted:.3g}, effect {row.estimate:.3g}"
        for row in data.itertuples()
    )
    return Plot(figure, data, f"Effects of groups sorted by predicted effect. {named}.")


@styled
def calibration_plot(curve: pd.DataFrame, *, axis_label: str) -> Plot:
    """Effects of groups of persons against what was predicted for them.

    Parameters
    ----------
    curve
        ``predicted``, ``estimate``, ``lower`` and ``upper``, as in
        `tauhat.inference.EffectCalibration.curve`.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> table = pd.DataFrame({"predicted": [0, 1], "estimate": [0.1, 0.8]})
    >>> table = table.assign(lower=table.estimate - 1, upper=table.estimate + 1)
    >>> calibration_plot(table, axis_label="Effect").data.predicted.tolist()
    [0, 1]
    """
    data = curve[["predicted", *MARKS]].copy()
    figure, axes = new_axes(2.75)
    zero_line(axes, vertical=False)
    predicted = data["predicted"].to_numpy(dtype=np.float64)
    _vertical_intervals(axes, predicted, data)
    margin = 0.08 * float(np.ptp(predicted)) or 0.5
    ends = np.array([predicted.min() - margin, predicted.max() + margin])
    axes.plot(ends, ends, color=INK, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1.5)
    axes.set_xlim(*ends)
    axes.set_xlabel("Predicted effect, persons held out")
    axes.set_ylabel(upright(axis_label))
    named = "; ".join(
        f"predicted {row.predicted:.3g}, effect {row.estimate:.3g}" for row in data.itertuples()
    )
    return Plot(figure, data, f"Effects of groups against what was predicted: {named}.")


@styled
def risk_calibration_plot(groups: pd.DataFrame, *, arms: Sequence[str]) -> Plot:
    """Share of persons with the event against the risk that was predicted, by arm, per 100.

    Parameters
    ----------
    groups
        ``arm``, ``predicted``, ``observed``, ``lower`` and ``upper``, as
        `tauhat.inference.risk_calibration.risk_calibration` gives them.
    arms
        Names of the control and of the treated arm.

    Examples
    --------
    >>> table = pd.DataFrame({"arm": [0, 1], "predicted": [0.1, 0.2], "observed": [0.1, 0.3]})
    >>> table = table.assign(lower=table.observed / 2, upper=2 * table.observed)
    >>> risk_calibration_plot(table, arms=("usual care", "new")).data.observed.tolist()
    [10.0, 30.0]
    """
    data = groups[["arm", "predicted", "observed", "lower", "upper"]].copy()
    data.iloc[:, 1:] *= 100
    figure, axes = new_axes(2.75)
    names = told_apart(arms, 24)
    for arm, (name, filled) in enumerate(zip(names, ("white", INK), strict=True)):
        own = data[data["arm"] == arm]
        axes.vlines(own["predicted"], own["lower"], own["upper"], color=INK, linewidth=1.2)
        axes.plot(
            own["predicted"],
            own["observed"],
            "o" if arm else "s",
            color=INK,
            markerfacecolor=filled,
            markersize=5,
            label=name,
        )
    top = 1.05 * float(max(data["predicted"].max(), data["upper"].max()))
    axes.plot([0, top], [0, top], color=INK, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1.5)
    axes.set_xlim(0, 1.1 * float(data["predicted"].max()))
    axes.set_ylim(0, top)
    axes.set_xlabel("Predicted risk, persons held out, per 100")
    axes.set_ylabel("With the event, per 100")
    axes.legend(frameon=False, loc="upper left")
    named = "; ".join(
        f"{arms[arm]}: predicted {predicted:.3g}, observed {observed:.3g}"
        for arm, predicted, observed in zip(
            data["arm"].astype(int), data["predicted"], data["observed"], strict=True
        )
    )
    return Plot(figure, data, f"Events against predicted risks, per 100 persons: {named}.")


@styled
def targeting_plot(curve: pd.DataFrame, *, axis_label: str) -> Plot:
    """Targeting curve: what treating first those ranked highest gains over a random choice.

    Parameters
    ----------
    curve
        ``share``, ``estimate``, ``lower`` and ``upper``, as in
        `tauhat.inference.RankWeightedEffect.curve`.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> table = pd.DataFrame({"share": [0.5, 1.0], "estimate": [1.0, 0.0]})
    >>> table = table.assign(lower=table.estimate - 1, upper=table.estimate + 1)
    >>> targeting_plot(table, axis_label="Gain").data.share.tolist()
    [0.5, 1.0]
    """
    data = curve[["share", *MARKS]].copy()
    figure, axes = new_axes(2.75)
    zero_line(axes, vertical=False)
    share = 100 * data["share"].to_numpy(dtype=np.float64)
    estimate, lower, upper = marks_of(data)
    axes.fill_between(share, lower, upper, color=BAND, alpha=0.75, linewidth=0)
    axes.plot(share, estimate, "-", color=BLUE, linewidth=1.8)
    wide = share >= 100 * _SHARE_OF_AXIS
    limits = np.concatenate([estimate, lower[wide], upper[wide]])
    limits = limits[np.isfinite(limits)]
    if len(limits):
        margin = 0.06 * float(np.ptp(limits)) or 0.5
        axes.set_ylim(limits.min() - margin, limits.max() + margin)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("Share treated, largest predicted benefit first")
    axes.set_ylabel(upright(axis_label))
    text = (
        f"Targeting curve over {len(data)} shares treated, from {estimate[0]:.3g} at "
        f"{share[0]:.0f}% to {estimate[-1]:.3g} at {share[-1]:.0f}%."
    )
    return Plot(figure, data, text)


@styled
def qini_plot(curve: pd.DataFrame, *, axis_label: str) -> Plot:
    """Qini curve: what treating those ranked first gains for each person of the trial.

    The height at a share is that of the targeting curve times the share.

    Parameters
    ----------
    curve
        ``share``, ``estimate``, ``lower`` and ``upper`` of the targeting curve, as
        in `tauhat.inference.RankWeightedEffect.curve`.
    axis_label
        What is estimated, with its unit.

    Examples
    --------
    >>> table = pd.DataFrame({"share": [0.5, 1.0], "estimate": [1.0, 0.0]})
    >>> table = table.assign(lower=table.estimate - 1, upper=table.estimate + 1)
    >>> qini_plot(table, axis_label="Gain").data.estimate.tolist()
    [0.5, 0.0]
    """
    data = curve[["share", *MARKS]].copy()
    data[MARKS] = data[MARKS].mul(data["share"], axis=0)
    figure, axes = new_axes(2.75)
    zero_line(axes, vertical=False)
    share = 100 * data["share"].to_numpy(dtype=np.float64)
    estimate, lower, upper = marks_of(data)
    axes.fill_between(share, lower, upper, color=BAND, alpha=0.75, linewidth=0)
    axes.plot(share, estimate, "-", color=BLUE, linewidth=1.8)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("Share treated, largest predicted benefit first")
    axes.set_ylabel(upright(axis_label))
    highest = int(np.nanargmax(estimate))
    text = f"Qini curve; it is highest, {estimate[highest]:.3g}, at {share[highest]:.0f}% treated."
    return Plot(figure, data, text)


def _vertical_intervals(axes: Axes, x: FloatArray, data: pd.DataFrame) -> None:
    estimate, lower, upper = marks_of(data)
    axes.vlines(x, lower, upper, color=BLUE, linewidth=1.6, zorder=2)
    axes.plot(x, estimate, "o", color=BLUE, markersize=5.5, zorder=3)
