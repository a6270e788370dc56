"""Right-censored times of a trial: the horizon, the model of censoring, and the outcome made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.errors import TrialError
from tauhat.numerics.censored_outcomes import (
    CensoredOutcome,
    Curves,
    Functional,
    censored_outcome,
)
from tauhat.numerics.cox import CoxModel, fit_cox, fit_stratified_cox
from tauhat.numerics.survival_curves import (
    StepCurve,
    aalen_johansen,
    censoring_curve,
    kaplan_meier,
)

Slopes = Literal["by arm", "shared", "none"]
CENSORING_MODELS = ("arm", "covariates")
# A horizon that is proposed has at least so many still at risk in each arm, in persons, as a share
# of the arm, and as the probability not to be censored by then.
_ENOUGH_PERSONS, _ENOUGH_SHARE, _ENOUGH_PROBABILITY = 10, 0.1, 0.2
# Columns with more values than this have a bend in the model of the event.
_FEW_VALUES = 5


@dataclass(frozen=True)
class Group:
    """Persons of one arm, and those from whom models of what happens to them are learned.

    Attributes
    ----------
    arm
        0 or 1.
    rows
        The persons.
    others
        Persons of both arms to learn from.
    """

    arm: int
    rows: IntArray
    others: IntArray


@dataclass(frozen=True)
class Times:
    """Persons, their times, and what the models of these may use.

    Attributes
    ----------
    time, cause
        As in `tauhat.numerics.censored_outcomes.censored_outcome`, shape (n,).
    treatment
        0 or 1, both there, shape (n,).
    X
        Covariates, shape (n, p).
    weight
        Positive, shape (n,), or None.
    fold
        Number of each person's fold, shape (n,): Cox models of the event of a person are fitted
        to the other folds. None for models of everyone.
    """

    time: FloatArray
    cause: IntArray
    treatment: IntArray
    X: FloatArray
    weight: FloatArray | None = None
    fold: IntArray | None = None

    @cached_property
    def arms(self) -> tuple[IntArray, IntArray]:
        """Rows of the control and of the treated arm."""
        return np.flatnonzero(self.treatment == 0), np.flatnonzero(self.treatment == 1)

    @property
    def groups(self) -> list[Group]:
        """Persons of one arm and fold, and those from whom to learn of them."""
        fold = np.zeros(len(self.time), dtype=np.int64) if self.fold is None else self.fold
        found = []
        for number in np.unique(fold):
            here = fold == number
            others = np.flatnonzero(~here if self.fold is not None else here)
            for arm in (0, 1):
                found.append(Group(arm, np.flatnonzero(here & (self.treatment == arm)), others))
        return [group for group in found if len(group.rows)]

    def weight_of(self, rows: IntArray) -> FloatArray | None:
        """Weights of some rows, or None."""
        return None if self.weight is None else self.weight[rows]


@dataclass(frozen=True)
class FollowUp:
    """How an outcome is made of right-censored times.

    Attributes
    ----------
    horizon
        Time up to which, or at which, persons are compared.
    censoring
        What censoring may depend on: "arm" (a Kaplan-Meier curve for each), or "covariates" (a
        ridge Cox model in each arm).
    """

    horizon: float
    censoring: str = "arm"

    def check(self) -> None:
        """Raise a `ValueError` unless the horizon is positive and the censoring model is known."""
        if type(self.horizon) is not float or not 0 < self.horizon < np.inf:
            raise ValueError("an endpoint has no horizon")
        if self.censoring not in CENSORING_MODELS:
            raise ValueError(f"there is no model of censoring {self.censoring!r}")

    def outcome(
        self,
        functional: Functional,
        times: Times,
        *,
        competing: bool = False,
        slopes: Slopes = "by arm",
    ) -> CensoredOutcome:
        """Make the outcome, each arm by itself.

        Parameters
        ----------
        functional
            What of the time is wanted.
        times
            The persons and their times.
        competing
            Whether other events rule out the event. The curves of the events are then those of
            each arm without covariates.
        slopes
            What covariates do in the Cox models: "by arm"; "shared" by the arms, whose baselines
            differ; or "none", without any model: pseudo-observations by arm.
        """
        happened = times.cause > 0
        groups = times.groups
        if competing or slopes == "none":
            by_arm = [_event_curves(times, rows, competing=competing) for rows in times.arms]
            events = [by_arm[group.arm] for group in groups]
        else:
            events = _cox_curves(times, groups, with_squares(times.X), happened, slopes)
        if self.censoring == "arm" or slopes == "none":
            by_arm = [
                Curves(censoring_curve(times.time[rows], happened[rows], times.weight_of(rows)))
                for rows in times.arms
            ]
            losses = [by_arm[group.arm] for group in groups]
        else:
            # Of everyone: those of whole clusters left out would be far from the others'.
            everyone = np.arange(len(times.time))
            of_all = [replace(group, others=everyone) for group in groups]
            losses = _cox_curves(times, of_all, times.X, ~happened, slopes)
        values = np.empty(len(times.time))
        parts = []
        for group, event, loss in zip(groups, events, losses, strict=True):
            part = censored_outcome(
                times.time[group.rows],
                times.cause[group.rows],
                self.horizon,
                functional,
                event,
                loss,
                changes=times.time[times.arms[group.arm]],
            )
            values[group.rows] = part.values
            parts.append(part)
        return CensoredOutcome(
            values, min(part.smallest for part in parts), sum(part.n_floored for part in parts)
        )


def _event_curves(times: Times, rows: IntArray, *, competing: bool) -> Curves:
    """Curves of the events of an arm, without covariates."""
    time, cause, weight = times.time[rows], times.cause[rows], times.weight_of(rows)
    incidence = aalen_johansen(time, cause, weight=weight) if competing else None
    return Curves(kaplan_meier(time, cause > 0, weight), incidence=incidence)


def _cox_curves(
    times: Times, groups: Sequence[Group], X: FloatArray, happened: BoolArray, slopes: Slopes
) -> list[Curves]:
    """Curves of each group's persons by ridge Cox models of those to learn from."""
    # Groups that learn from the same persons have the same models.
    fitted: dict[tuple[int, int], CoxModel] = {}
    found = []
    for group in groups:
        key = id(group.others), group.arm
        if key not in fitted:
            rows = group.others
            time, event, weight = times.time[rows], happened[rows], times.weight_of(rows)
            arm = times.treatment[rows]
            if slopes == "shared":
                models = fit_stratified_cox(X[rows], time, event, arm, weight=weight)
                fitted |= {(key[0], a): model for a, model in enumerate(models)}
            else:
                own = arm == group.arm
                weight = None if weight is None else weight[own]
                fitted[key] = fit_cox(X[rows][own], time[own], event[own], weight=weight)
        model = fitted[key]
        curve = StepCurve(model.baseline.times, np.exp(-model.baseline.values))
        found.append(Curves(curve, model.log_ratio(X[group.rows])))
    return found


def with_squares(X: FloatArray, of: FloatArray | None = None) -> FloatArray:
    """Covariates, and the squares of the many-valued ones about their means, shape (n, p + q).

    Parameters
    ----------
    X
        Covariates, shape (n, p).
    of
        Covariates that tell which are many-valued, and their means; None for these.

    Examples
    --------
    >>> with_squares(np.column_stack([np.arange(7.0), np.arange(7) % 2])).shape
    (7, 3)
    """
    squares = [
        (column - known.mean()) ** 2
        for column, known in zip(X.T, (X if of is None else of).T, strict=True)
        if len(np.unique(known)) > _FEW_VALUES
    ]
    return np.column_stack([X, *squares])


@dataclass(frozen=True)
class ArmFollowUp:
    """Follow-up of one arm.

    Attributes
    ----------
    n
        Persons.
    events
        Of them, those who had the event by the horizon.
    competing
        Those who had another event that rules it out by then.
    censored
        Those who were censored before the horizon.
    at_risk
        Those still at risk at the horizon.
    probability
        Probability not to be censored before the horizon, by Kaplan and Meier.
    last
        Time up to which something is known of the arm: the last time, or infinity where it ends
        with an event.
    """

    n: int
    events: int
    competing: int
    censored: int
    at_risk: int
    probability: float
    last: float


def arm_follow_up(time: FloatArray, cause: IntArray, horizon: float) -> ArmFollowUp:
    """Follow-up of one arm up to a horizon.

    Examples
    --------
    >>> found = arm_follow_up(np.array([1.0, 2.0, 5.0, 6.0]), np.array([1, 0, 1, 0]), 5.0)
    >>> found.events, found.censored, found.at_risk, round(found.probability, 3), found.last
    (2, 1, 2, 0.667, 6.0)
    """
    happened = cause > 0
    by_then = happened & (time <= horizon)
    left = censoring_curve(time, happened).before(np.array(horizon))
    last = float(time.max())
    return ArmFollowUp(
        n=len(time),
        events=int((by_then & (cause == 1)).sum()),
        competing=int((by_then & (cause > 1)).sum()),
        censored=int((~happened & (time < horizon)).sum()),
        at_risk=int((time >= horizon).sum()),
        probability=float(left),
        last=last if (~happened & (time == last)).any() else np.inf,
    )


def proposed_horizon(time: FloatArray, cause: IntArray, treatment: IntArray) -> float:
    """Largest time at which each arm still has enough at risk, rounded down to two digits.

    Examples
    --------
    >>> time = np.tile(np.arange(1.0, 51.0), 2)
    >>> proposed_horizon(time, np.ones(100, dtype=int), np.repeat([0, 1], 50))
    41.0
    """
    largest = np.inf
    for arm in (0, 1):
        own = np.sort(time[treatment == arm])
        enough = min(len(own), max(_ENOUGH_PERSONS, math.ceil(_ENOUGH_SHARE * len(own))))
        here = own[len(own) - enough]
        curve = censoring_curve(time[treatment == arm], cause[treatment == arm] > 0)
        thin = curve.times[curve.values < _ENOUGH_PROBABILITY]
        largest = min(largest, here, thin[0] if len(thin) else np.inf)
    if largest <= 0:
        return float(time.max())
    step = 10.0 ** (math.floor(math.log10(largest)) - 1)
    return float(round(math.floor(largest / step * (1 + 1e-12)) * step, 12))


def checked_follow_up(
    time: FloatArray,
    cause: IntArray,
    treatment: IntArray,
    horizon: Any,
    censoring: str,
    *,
    outcome: str,
    event: str,
) -> FollowUp:
    """Horizon and model of censoring that a trial's times allow.

    Parameters
    ----------
    time, cause, treatment
        Of everyone with an outcome, shape (n,).
    horizon, censoring
        As given.
    outcome, event
        Names of the columns, for messages.

    Raises
    ------
    TrialError
        Without events in an arm, without a horizon (one is proposed), or with one that is not
        positive or beyond what is known of an arm.

    Examples
    --------
    >>> time, cause, arm = np.tile(np.arange(1.0, 51.0), 2), np.ones(100, int), np.arange(100) // 50
    >>> checked_follow_up(time, cause, arm, None, "arm", outcome="days", event="died")
    Traceback (most recent call last):
    tauhat.errors.TrialError: horizon= is needed: the time up to which 'days' is compared. ...
    """
    if not (cause == 1).any():
        raise TrialError(
            f"all {len(time)} persons are censored: event column {event!r} has no event; if "
            "another label is the event, name it with event_value="
        )
    for arm, name in enumerate(("control", "treated")):
        if not (cause[treatment == arm] == 1).any():
            raise TrialError(
                f"the {name} arm has no event among {int((treatment == arm).sum())} persons: "
                "nothing can be said of the time to it there"
            )
    if censoring not in CENSORING_MODELS:
        raise TrialError(
            f"censoring must be {' or '.join(map(repr, CENSORING_MODELS))}, got {censoring!r}"
        )
    if not (time > 0).any():
        raise TrialError(
            f"all {len(time)} times in {outcome!r} are zero: it should hold the time from "
            "randomization to the event or to the end of follow-up"
        )
    proposal = proposed_horizon(time, cause, treatment)
    advice = (
        f"Up to {proposal:g}, at least {_ENOUGH_PERSONS} persons and a tenth of each arm are "
        "still at risk"
        if min((treatment == 0).sum(), (treatment == 1).sum()) >= _ENOUGH_PERSONS
        else f"Up to {proposal:g}, all of an arm are still at risk"
    )
    if horizon is None:
        raise TrialError(
            f"horizon= is needed: the time up to which {outcome!r} is compared. {advice}; choose "
            "it by what matters to patients, before looking at effects"
        )
    no_number = TrialError(f"horizon must be a number, got {horizon!r}")
    # To Python a boolean is a number.
    if isinstance(horizon, bool | np.bool_):
        raise no_number
    try:
        number = float(horizon)
    except (TypeError, ValueError):
        raise no_number from None
    if not 0 < number < np.inf:
        raise TrialError(f"horizon must be a positive time, got {number:g}. {advice}")
    for arm, name in enumerate(("control", "treated")):
        found = arm_follow_up(time[treatment == arm], cause[treatment == arm], number)
        if found.last < number:
            raise TrialError(
                f"horizon {number:g} is beyond the follow-up of the {name} arm, which ends at "
                f"{found.last:g}. {advice}"
            )
        if found.events == 0:
            raise TrialError(
                f"the {name} arm has no event by the horizon {number:g}: nothing can be said of "
                f"the time to it there. {advice}"
            )
    return FollowUp(number, censoring)
