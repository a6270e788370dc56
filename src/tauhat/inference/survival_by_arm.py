"""Both arms' curves of a time to an event, and what they are compared on, without covariates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tauhat._typing import FloatArray, IntArray
from tauhat.arguments import check_level
from tauhat.disclosure import in_fives, is_small, told_places
from tauhat.endpoint import ArmFollowUp, arm_follow_up
from tauhat.errors import TrialError
from tauhat.inference.inputs import TrialLike, as_trial_data
from tauhat.numerics.survival_curves import StepCurve, aalen_johansen, kaplan_meier
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread

# Points of a curve that may be passed on, at most.
_POINTS = 12


@dataclass(frozen=True)
class SurvivalByArm(Shown):
    """Result of `survival_by_arm`.

    Attributes
    ----------
    horizon
        Time up to which, or at which, the arms are compared.
    measure
        What they are compared on, such as "restricted mean survival time".
    table
        One row per arm and one for the difference: ``arm``, ``persons``, ``events`` by the horizon,
        ``censored`` before it, ``at_risk`` at it, ``estimate``, ``se``, ``lower``, ``upper``.
    curves
        One row per step of a curve up to the horizon: ``arm``, ``time``, ``probability``,
        ``at_risk`` and ``events`` so far. The probability is that to be without an
        event; to have had it, where others compete.
    level
        Coverage of the intervals.
    incidence
        Whether the curves are of having had the event, since others compete.
    """

    horizon: float
    measure: str
    table: pd.DataFrame
    curves: pd.DataFrame
    level: float
    incidence: bool = False

    @property
    def text(self) -> str:
        """The result in sentences."""
        control, treated, difference = self.table.itertuples(index=False)
        return (
            f"{self.measure[0].upper()}{self.measure[1:]} at {self.horizon:g}, without covariates: "
            f"{control.estimate:.4g} in the control arm ({control.arm}), {treated.estimate:.4g} in "
            f"the treated arm ({treated.arm}); difference {difference.estimate:.4g} (SE "
            f"{difference.se:.3g}, {self.level:.0%} interval {difference.lower:.4g} to "
            f"{difference.upper:.4g})."
        )

    def shown(self) -> pd.DataFrame:
        """Points of the curves that tell nothing about fewer than five persons.

        At most 12 times; between two of them each arm has no events or at least five, and at each
        at least five are at risk, whose number is rounded to fives: how few were censored in
        between cannot be told.
        """
        arms = list(self.table["arm"][:2])
        own = [self.curves[self.curves["arm"] == arm] for arm in arms]
        times = self.horizon * np.arange(_POINTS + 1) / _POINTS
        found = np.array([[_at(one, time) for time in times] for one in own])
        kept = told_places(found[:, :, 1].min(axis=0), found[:, :, 2])
        return pd.DataFrame(
            [
                {
                    "arm": arm,
                    "time": float(time),
                    "probability": probability,
                    "at_risk": in_fives(at_risk),
                }
                for arm, rows in zip(arms, found[:, kept], strict=True)
                for time, (probability, at_risk, _) in zip(times[kept], rows, strict=True)
            ]
        )

    def record(self) -> dict[str, Any]:
        """What ``run.json`` and the report say of it."""
        rows = self.table.to_dict("records")
        for row in rows[:2]:
            # With the persons, two of the three numbers give the third.
            rest = ("censored", "at_risk")
            small = {"events": is_small(row["events"])}
            small |= dict.fromkeys(rest, any(is_small(row[name]) for name in ("events", *rest)))
            row |= {name: None if hide else int(row[name]) for name, hide in small.items()}
            row["persons"] = int(row["persons"])
        points = self.shown()
        return {
            "measure": self.measure,
            "horizon": self.horizon,
            "incidence": self.incidence,
            "arms": rows[:2],
            "difference": {name: rows[2][name] for name in ("estimate", "se", "lower", "upper")},
            "curves": [
                {
                    "arm": arm,
                    "time": own["time"].tolist(),
                    "probability": own["probability"].tolist(),
                    "at_risk": own["at_risk"].tolist(),
                }
                for arm in self.table["arm"][:2]
                for own in [points[points["arm"] == arm]]
            ],
        }


def _at(curve: pd.DataFrame, time: float) -> FloatArray:
    """Probability, persons at risk, and events so far, at a time."""
    place = int(np.searchsorted(curve["time"].to_numpy(), time, side="right")) - 1
    columns = ["probability", "at_risk", "events"]
    found: FloatArray = curve[columns].to_numpy(dtype=np.float64)[place].copy()
    # The column has those at risk at the time of the step; later those of the next step.
    if curve["time"].iloc[place] < time and place + 1 < len(curve):
        found[1] = curve["at_risk"].iloc[place + 1]
    return found


@on_one_thread
def survival_by_arm(trial: TrialLike, *, level: float = 0.95) -> SurvivalByArm:
    r"""Compare the arms' curves of a time to an event, without covariates.

    Kaplan-Meier curves (Aalen-Johansen where events compete), and the restricted mean survival
    time, the probability at the horizon, or the restricted mean time lost that they give. The
    standard error is the infinitesimal jackknife's: with pseudo-observations :math:`y_i` of an arm

    .. math:: se^2 = \frac{m}{m - 1} \frac{1}{n^2} \sum_{c} \Big\{\sum_{i \in c}
              (y_i - \bar y)\Big\}^2

    over its m randomized units; for persons without the factor, which gives Greenwood's error but
    for ties. Persons count by their weights, if there are any.

    Parameters
    ----------
    trial
        A `tauhat.Trial` with ``event`` and ``horizon``, or its data.
    level
        Coverage of the intervals, of a normal for persons and of t with u - 2 degrees of freedom
        for u clusters.

    Returns
    -------
    SurvivalByArm

    Raises
    ------
    TrialError
        If the outcome is no time to an event.

    References
    ----------
    Kaplan and Meier (1958); Aalen and Johansen (1978); Jaeckel (1972), The infinitesimal
    jackknife, Bell Laboratories.

    Examples
    --------
    >>> from tauhat.trial.trial import Trial
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"age": rng.normal(60, 9, 200), "arm": np.arange(200) % 2})
    >>> months = rng.exponential(size=200) * (10 + 5 * df.arm)
    >>> df = df.assign(months=np.minimum(months, 15), died=months <= 15)
    >>> trial = Trial(df, outcome="months", treatment="arm", event="died", horizon=12)
    >>> found = survival_by_arm(trial)
    >>> found.table[["arm", "persons", "events", "estimate", "se"]].round(2)
              arm  persons  events  estimate    se
    0           0    100.0    67.0      6.56  0.45
    1           1    100.0    59.0      7.63  0.44
    2  difference      NaN     NaN      1.07  0.63
    """
    check_level(level)
    data = as_trial_data(trial)
    follow_up, made = data.endpoint.follow_up, data.endpoint.kind.time
    if follow_up is None or made is None:
        raise TrialError(
            "survival_by_arm needs a time to an event: give event= and horizon= to Trial"
        )
    labels = [str(label) for label in getattr(trial, "arm_labels", ("control", "treated"))]
    if labels[0] == labels[1]:
        labels = ["control", "treated"]
    pseudo = data.with_outcome_made_anew("none").y
    time, cause = data.times
    weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
    rows, curves = [], []
    for arm, label in enumerate(labels):
        own = np.flatnonzero(data.treatment == arm)
        mean = float(np.average(pseudo[own], weights=weight[own]))
        influence = weight[own] * (pseudo[own] - mean) / weight[own].sum()
        unit = np.unique(data.design.unit[own], return_inverse=True)[1]
        sums = np.bincount(unit, weights=influence)
        factor = len(sums) / (len(sums) - 1) if data.design.holds_persons else 1.0
        found = arm_follow_up(time[own], cause[own], follow_up.horizon)
        rows.append((label, found, mean, float(np.sqrt(factor * (sums**2).sum()))))
        curve = (
            aalen_johansen(time[own], cause[own], weight=data.sample_weight_of(own))
            if made.competing
            else kaplan_meier(time[own], cause[own] > 0, data.sample_weight_of(own))
        )
        curves.append(_steps(label, curve, time[own], cause[own], follow_up.horizon))
    quantile = float(
        stats.t.ppf(0.5 + level / 2, data.n_units - 2)
        if data.design.holds_persons
        else stats.norm.ppf(0.5 + level / 2)
    )
    return SurvivalByArm(
        follow_up.horizon,
        made.measure,
        _table(rows, quantile),
        pd.concat(curves, ignore_index=True),
        level,
        made.competing,
    )


def _table(rows: list[tuple[str, ArmFollowUp, float, float]], quantile: float) -> pd.DataFrame:
    arms = [
        (label, found.n, found.events, found.censored, found.at_risk, mean, error)
        for label, found, mean, error in rows
    ]
    gap, error = rows[1][2] - rows[0][2], float(np.hypot(rows[0][3], rows[1][3]))
    nothing = (float("nan"),) * 4
    columns = ["arm", "persons", "events", "censored", "at_risk", "estimate", "se"]
    table = pd.DataFrame([*arms, ("difference", *nothing, gap, error)], columns=columns)
    return table.assign(
        lower=table.estimate - quantile * table.se, upper=table.estimate + quantile * table.se
    )


def _steps(
    label: str,
    curve: StepCurve,
    time: FloatArray,
    cause: IntArray,
    horizon: float,
) -> pd.DataFrame:
    """One row per distinct time of an arm up to the horizon, and one for the beginning."""
    times = np.append(0.0, curve.times[curve.times <= horizon])
    ordered = np.sort(time)
    events = np.sort(time[cause > 0])
    return pd.DataFrame(
        {
            "arm": label,
            "time": times,
            "probability": np.append(curve.start, curve.at(times[1:])),
            "at_risk": len(time) - np.searchsorted(ordered, times, side="left"),
            "events": np.searchsorted(events, times, side="right"),
        }
    )
