"""Curves of a time to an event in the groups with the largest and smallest held-out effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.arguments import check_count
from tauhat.disclosure import in_fives, told_places
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.cross_fitting import CrossFit, RandomState
from tauhat.inference.given_or_fitted import as_cross_fit
from tauhat.inference.inputs import TrialLike
from tauhat.numerics.survival_curves import StepCurve, aalen_johansen, kaplan_meier
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread

_POINTS = 10
ENDS = ("smallest", "largest")


@dataclass(frozen=True)
class SurvivalOfGroups(Shown):
    """Result of `survival_of_groups`.

    Attributes
    ----------
    horizon
        Time up to which, or at which, the arms are compared.
    table
        One row per group, arm and time: ``group`` ("smallest" or "largest" held-out effects),
        ``arm``, ``time``, ``probability`` and ``at_risk`` (means over the splits, the latter in
        fives).
    share
        Share of persons in either group.
    incidence
        Whether the curves are of having had the event, since others compete.
    """

    horizon: float
    table: pd.DataFrame
    share: float
    incidence: bool = False

    @property
    def text(self) -> str:
        """The curves' last points in sentences."""
        what = "had the event" if self.incidence else "without an event"
        told = []
        for (group,), own in self.table.groupby(["group"], sort=False):
            last = own[own["time"] == own["time"].max()]
            points = ", ".join(f"{row.arm} {row.probability:.2f}" for row in last.itertuples())
            told.append(
                f"among the {self.share:.0%} with the {group} held-out effects, {what} at "
                f"{last['time'].iloc[0]:g}: {points}"
            )
        return f"{'; '.join(told).capitalize()}. Curves describe; nothing here is a test."

    def record(self, arms: Sequence[Any]) -> list[dict[str, Any]]:
        """What ``run.json`` and the report say of it, with the arms' labels, control first."""
        return [
            {
                "group": group,
                "curves": [
                    {"arm": str(label), **{name: curve[name].tolist() for name in _SHOWN}}
                    for label, (_, curve) in zip(
                        arms, own.groupby(["arm"], sort=False), strict=True
                    )
                ],
            }
            for (group,), own in self.table.groupby(["group"], sort=False)
        ]


_SHOWN = ("time", "probability", "at_risk")


@on_one_thread
def survival_of_groups(
    trial: TrialLike | CrossFit,
    estimator: str | CateEstimator | None = None,
    *,
    n_groups: int = 4,
    n_splits: int = 11,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> SurvivalOfGroups:
    """Both arms' curves in the groups with the smallest and the largest held-out effects.

    The groups are those of `tauhat.sorted_group_effects`, found without the persons in them. Curves
    are Kaplan and Meier's (Aalen and Johansen's where events compete) of each arm, without
    covariates, and the mean over the splits. They show when the arms part in a group; what the
    effect is there, and how sure it is, says `tauhat.sorted_group_effects`. Up to ten times are
    shown, between which each arm has on average no event or at least five.

    Parameters
    ----------
    trial
        A `tauhat.Trial` with ``event`` and ``horizon``, its data, or a `CrossFit` of them.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    n_groups
        The groups hold one in ``n_groups`` persons each, at least 2.
    n_splits, n_folds, random_state, n_jobs
        As in `tauhat.cross_fit`.

    Returns
    -------
    SurvivalOfGroups

    Raises
    ------
    TrialError
        If the outcome is no time to an event.

    References
    ----------
    Kaplan and Meier (1958); Aalen and Johansen (1978); Chernozhukov, Demirer, Duflo and
    Fernandez-Val (2018), NBER 24678, for the groups.

    Examples
    --------
    >>> from tauhat.trial.trial import Trial
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"age": rng.normal(60, 9, 800), "arm": np.arange(800) % 2})
    >>> months = rng.exponential(size=800) * 10 * np.exp(df.arm * (60 - df.age) / 9)
    >>> df = df.assign(months=np.minimum(months, 15), died=months <= 15)
    >>> trial = Trial(df, outcome="months", treatment="arm", event="died", horizon=12)
    >>> found = survival_of_groups(trial, "LMM", n_splits=2).table
    >>> found.groupby(["group", "arm"], sort=False).probability.min().round(1).tolist()
    [0.5, 0.1, 0.3, 0.8]
    """
    check_count(n_groups, "n_groups", 2)
    fit = as_cross_fit(
        trial,
        estimator,
        n_splits=n_splits,
        n_folds=n_folds,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    data = fit.data
    follow_up, made = data.endpoint.follow_up, data.endpoint.kind.time
    if follow_up is None or made is None:
        raise TrialError(
            "survival_of_groups needs a time to an event: give event= and horizon= to Trial"
        )
    seen = np.full(data.n, True) if data.missing is None else data.missing.observed
    groups = fit.quantile_groups(n_groups)
    labels = [str(label) for label in getattr(trial, "arm_labels", ("control", "treated"))]
    times = follow_up.horizon * np.arange(_POINTS + 1) / _POINTS
    tables = []
    for end, number in zip(ENDS, (0, n_groups - 1), strict=True):
        # Of each split and arm: probability, persons at risk and events so far at each time.
        found = np.array(
            [
                [
                    _points(
                        data.times,
                        np.flatnonzero(seen & (own == number) & (data.treatment == arm)),
                        data.sample_weight,
                        times,
                        competing=made.competing,
                    )
                    for arm in (0, 1)
                ]
                for own in groups
            ]
        )
        kept = told_places(found[:, :, 1].min(axis=(0, 1)), found[:, :, 2].mean(axis=0))
        mean = found.mean(axis=0)
        tables += [
            pd.DataFrame(
                {
                    "group": end,
                    "arm": label,
                    "time": times[kept],
                    "probability": mean[arm, 0, kept],
                    "at_risk": [in_fives(count) for count in mean[arm, 1, kept]],
                }
            )
            for arm, label in enumerate(labels)
        ]
    table = pd.concat(tables, ignore_index=True)
    return SurvivalOfGroups(follow_up.horizon, table, 1 / n_groups, made.competing)


def _points(
    known: tuple[FloatArray, IntArray],
    rows: IntArray,
    sample_weight: FloatArray | None,
    times: FloatArray,
    *,
    competing: bool,
) -> FloatArray:
    """Probability, persons at risk and events so far of some persons, shape (3, times)."""
    time, cause = known[0][rows], known[1][rows]
    if not len(rows):
        return np.zeros((3, len(times)))
    weight = None if sample_weight is None else sample_weight[rows]
    curve: StepCurve = (
        aalen_johansen(time, cause, weight=weight)
        if competing
        else kaplan_meier(time, cause > 0, weight)
    )
    at_risk = (time[:, None] >= times).sum(axis=0)
    events = ((time[:, None] <= times) & (cause > 0)[:, None]).sum(axis=0)
    return np.array([curve.at(times), at_risk, events])
