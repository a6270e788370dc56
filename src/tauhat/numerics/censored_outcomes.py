r"""Outcomes of right-censored times that have the right mean: what every regression can learn from.

For a function f of the time T (`Functional`), such as :math:`\min(T, h)`,

.. math::
    y^* = \frac{\Delta f(Y)}{G(Y-)} + \int_0^Y \frac{Q(u)}{G(u)}\,dM_C(u),
    \qquad Q(u) = E\{f(T) \mid T > u, x\}

with the time seen Y, cut at the horizon, whether f is known then (:math:`\Delta`: an event, or the
horizon reached), the probability G of not being censored, and the martingale of the censoring. Its
mean given x is that of f(T) if the model of the event or that of the censoring is right. With
Kaplan-Meier curves for both it is the infinitesimal jackknife's pseudo-observation, and its mean
is the Kaplan-Meier estimate to rounding error.

References
----------
Robins and Rotnitzky (1992), in AIDS Epidemiology, 297-331; Rubin and van der Laan (2007), Int. J.
Biostat. 3, 4; Andersen, Klein and Rosthoj (2003), Biometrika 90, 15-27.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.survival_curves import StepCurve

SMALLEST_PROBABILITY = 0.05
"""Probabilities of not being censored below this are read as this."""

# Points between which a smooth function of the log hazard ratio is interpolated: over the largest
# range that these have, the error is 1e-10 of the horizon.
_NODES = 64
# Numbers held at once where each person has own probabilities of not being censored.
_PART = 2_000_000


@dataclass(frozen=True)
class Functional:
    """What of a time is wanted.

    Attributes
    ----------
    value
        f of times cut at the horizon and of what happened then (0 nothing, 1 the event, 2 another
        that rules it out), each of shape (n,), and the horizon.
    expected
        Mean of f(T) given T > u at every u of a grid that ends with the horizon, given the grid,
        shape (k,), and there the survival, shape (k,), and the cumulative incidence of the event,
        shape (k,).
    of_hazards
        Mean of f(T), shape (persons,), given the lengths of intervals up to the horizon, shape
        (k,), and the hazards there of the event and of others that rule it out, each constant in
        an interval, of shape (persons, k).
    """

    value: Callable[[FloatArray, IntArray, float], FloatArray]
    expected: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
    of_hazards: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


def _restricted_time(time: FloatArray, cause: IntArray, horizon: float) -> FloatArray:
    return time


def _mean_restricted_time(
    grid: FloatArray, survival: FloatArray, incidence: FloatArray
) -> FloatArray:
    steps = np.diff(np.append(grid, grid[-1]))
    # Where survival is too small for a number, what is left of it ends with the step.
    return grid + _ratio(_area_after(grid, survival), survival, steps)


def _alive(time: FloatArray, cause: IntArray, horizon: float) -> FloatArray:
    alive: FloatArray = ((time >= horizon) & (cause == 0)).astype(np.float64)
    return alive


def _mean_alive(grid: FloatArray, survival: FloatArray, incidence: FloatArray) -> FloatArray:
    return _ratio(np.full(len(grid), survival[-1]), survival, np.zeros(len(grid)))


def _time_lost(time: FloatArray, cause: IntArray, horizon: float) -> FloatArray:
    lost: FloatArray = np.where(cause == 1, horizon - time, 0.0)
    return lost


def _mean_time_lost(grid: FloatArray, survival: FloatArray, incidence: FloatArray) -> FloatArray:
    left = grid[-1] - grid
    later = _area_after(grid, incidence) - incidence * left
    return _ratio(later, survival, np.zeros(len(grid)))


def _time_under_hazards(length: FloatArray, event: FloatArray, other: FloatArray) -> FloatArray:
    _, stays = _stays(length, event + other)
    mean: FloatArray = stays.sum(axis=1)
    return mean


def _alive_under_hazards(length: FloatArray, event: FloatArray, other: FloatArray) -> FloatArray:
    alive: FloatArray = np.exp(-(event + other) @ length)
    return alive


def _lost_under_hazards(length: FloatArray, event: FloatArray, other: FloatArray) -> FloatArray:
    total = event + other
    before, stays = _stays(length, total)
    share = _ratio(event, total, np.zeros_like(total))
    had_it = event * stays
    earlier = np.cumsum(had_it, axis=1) - had_it
    lost: FloatArray = earlier @ length + (share * (before * length - stays)).sum(axis=1)
    return lost


def _stays(length: FloatArray, hazard: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Probability to enter each interval, and mean time spent there, shapes (persons, k)."""
    passed = hazard * length
    before = np.exp(passed - np.cumsum(passed, axis=1))
    return before, before * length * _ratio(-np.expm1(-passed), passed, np.ones_like(passed))


RESTRICTED_TIME = Functional(_restricted_time, _mean_restricted_time, _time_under_hazards)
ALIVE = Functional(_alive, _mean_alive, _alive_under_hazards)
TIME_LOST = Functional(_time_lost, _mean_time_lost, _lost_under_hazards)


def _area_after(grid: FloatArray, values: FloatArray) -> FloatArray:
    """Integral of a step function from each point of the grid to its end, shape (k,)."""
    pieces = values * np.diff(np.append(grid, grid[-1]))
    area: FloatArray = np.cumsum(pieces[::-1])[::-1]
    return area


def _ratio(above: FloatArray, below: FloatArray, at_zero: FloatArray) -> FloatArray:
    ratio: FloatArray = np.divide(above, below, out=at_zero, where=below > 0)
    return ratio


@dataclass(frozen=True)
class Curves:
    r"""Curves of a group of persons: one for all, or :math:`S(t)^{\exp(r_i)}`.

    Attributes
    ----------
    shared
        Survival that all have, or that goes with a log hazard ratio of zero.
    log_ratio
        Log hazard ratio r of each person, shape (n,), or None.
    incidence
        Cumulative incidence of the event where others compete, or None where it is 1 - S.
    """

    shared: StepCurve
    log_ratio: FloatArray | None = None
    incidence: StepCurve | None = None


@dataclass(frozen=True)
class CensoredOutcome:
    """Outcomes made of the times of a group.

    Attributes
    ----------
    values
        The :math:`y^*`, shape (n,).
    smallest
        Smallest probability of not being censored that was divided by, before the floor.
    n_floored
        Persons who were divided by the floor in its place.
    """

    values: FloatArray
    smallest: float
    n_floored: int


def censored_outcome(
    time: FloatArray,
    cause: IntArray,
    horizon: float,
    functional: Functional,
    event: Curves,
    censoring: Curves,
    *,
    changes: FloatArray | None = None,
) -> CensoredOutcome:
    """Make the outcome of one group, such as an arm, from its times.

    With one curve of censoring for all, time n log n and memory n; else time n times the number
    of distinct times.

    Parameters
    ----------
    time
        Time to the event or to censoring, shape (n,).
    cause
        0 censored, 1 the event, 2 another event that rules it out, shape (n,).
    horizon
        Positive.
    functional
        What of the time is wanted.
    event, censoring
        Curves of the events of any kind, and of the censoring.
    changes
        Times at which the curves change; None where these are the times of the group itself.

    Examples
    --------
    >>> from tauhat.numerics.survival_curves import censoring_curve, kaplan_meier
    >>> time, cause = np.array([1.0, 2.0, 2.5, 4.0]), np.array([1, 0, 1, 0])
    >>> curves = Curves(kaplan_meier(time, cause > 0)), Curves(censoring_curve(time, cause > 0))
    >>> made = censored_outcome(time, cause, 3.0, RESTRICTED_TIME, *curves)
    >>> made.values.round(4).tolist(), round(float(made.values.mean()), 4)
    ([1.0, 2.75, 2.375, 3.125], 2.3125)
    >>> curves[0].shared.area(3.0)
    2.3125
    """
    cut = np.minimum(time, horizon)
    known = (cause > 0) | (time >= horizon)
    at = time if changes is None else np.concatenate([time, changes])
    grid = np.append(np.unique(at[at < horizon]), horizon)
    place = np.searchsorted(grid, cut)
    reached = np.where(time <= horizon, cause, 0)
    value = functional.value(cut, reached, horizon)
    if censoring.log_ratio is None:
        made, before = _with_one_censoring_curve(
            value, known, place, grid, functional, event, censoring.shared
        )
    else:
        made, before = _with_own_censoring_curves(
            value, known, place, grid, functional, event, censoring
        )
    return CensoredOutcome(made, float(before.min()), int((before < SMALLEST_PROBABILITY).sum()))


def _expected_by_ratio(
    functional: Functional, grid: FloatArray, event: Curves
) -> Callable[[float], FloatArray]:
    """Mean of f(T) given T > u at each u of the grid, as a function of the log hazard ratio."""
    baseline = event.shared.at(grid)
    of_cause = None if event.incidence is None else event.incidence.at(grid)

    def expected(log_ratio: float) -> FloatArray:
        alive = baseline if event.log_ratio is None else baseline ** np.exp(log_ratio)
        return functional.expected(grid, alive, 1 - alive if of_cause is None else of_cause)

    return expected


def _with_one_censoring_curve(
    value: FloatArray,
    known: BoolArray,
    place: IntArray,
    grid: FloatArray,
    functional: Functional,
    event: Curves,
    censoring: StepCurve,
) -> tuple[FloatArray, FloatArray]:
    """Outcome, and probability not to be censored before one's time, shape (n,) each.

    What depends on the covariates is a smooth function of one number, the log hazard ratio of the
    event. It is computed at Chebyshev points of it and interpolated.
    """
    unfloored = np.append(1.0, censoring.at(grid))
    probability = np.maximum(unfloored, SMALLEST_PROBABILITY)
    after, before = probability[1:], probability[:-1]
    hazard = 1 - after / before
    expected_at = _expected_by_ratio(functional, grid, event)

    def augmentation(log_ratio: float) -> tuple[FloatArray, FloatArray]:
        """Of those whose outcome is known at each point of the grid, and of those censored."""
        expected = expected_at(log_ratio) / after
        passed = np.cumsum(expected * hazard)
        return np.append(0.0, passed[:-1]), passed - expected

    made: FloatArray = np.where(known, value / before[place], 0.0)
    own_probability: FloatArray = unfloored[place]
    if event.log_ratio is None:
        of_known, of_censored = augmentation(0.0)
        return made - np.where(known, of_known[place], of_censored[place]), own_probability
    nodes, weights = _chebyshev(float(event.log_ratio.min()), float(event.log_ratio.max()))
    total, norm = np.zeros(len(value)), np.zeros(len(value))
    exact = np.full(len(value), np.nan)
    for node, weight in zip(nodes, weights, strict=True):
        of_known, of_censored = augmentation(float(node))
        own = np.where(known, of_known[place], of_censored[place])
        distance = event.log_ratio - node
        hit = distance == 0
        exact[hit] = own[hit]
        share = np.divide(weight, distance, out=np.zeros(len(value)), where=~hit)
        total += share * own
        norm += share
    interpolated = np.divide(total, norm, out=np.zeros(len(value)), where=norm != 0)
    return made - np.where(np.isnan(exact), interpolated, exact), own_probability


def _chebyshev(low: float, high: float) -> tuple[FloatArray, FloatArray]:
    """Points of the second kind between two numbers, and their barycentric weights.

    References
    ----------
    Berrut and Trefethen (2004), SIAM Review 46, 501-517, section 5.
    """
    if low == high:
        return np.array([low]), np.ones(1)
    steps = np.arange(_NODES)
    points: FloatArray = np.cos(np.pi * steps / (_NODES - 1))
    weights = np.where(steps % 2, -1.0, 1.0)
    weights[[0, -1]] /= 2
    return (low + high) / 2 + points * (high - low) / 2, weights


def _with_own_censoring_curves(
    value: FloatArray,
    known: BoolArray,
    place: IntArray,
    grid: FloatArray,
    functional: Functional,
    event: Curves,
    censoring: Curves,
) -> tuple[FloatArray, FloatArray]:
    """The same where the probability not to be censored hangs on covariates as well."""
    assert censoring.log_ratio is not None
    n = len(value)
    made, smallest = np.empty(n), np.empty(n)
    shared = np.append(1.0, censoring.shared.at(grid))
    event_ratio = np.zeros(n) if event.log_ratio is None else event.log_ratio
    expected_at = _expected_by_ratio(functional, grid, event)
    size = max(1, _PART // len(grid))
    for start in range(0, n, size):
        rows = slice(start, min(start + size, n))
        own = np.arange(rows.stop - rows.start)
        unfloored = shared ** np.exp(censoring.log_ratio[rows])[:, None]
        probability = np.maximum(unfloored, SMALLEST_PROBABILITY)
        after, before = probability[:, 1:], probability[:, :-1]
        expected = np.array([expected_at(r) for r in event_ratio[rows]])
        expected /= after
        passed = np.cumsum(expected * (1 - after / before), axis=1)
        at = place[rows]
        of_censored = passed[own, at] - expected[own, at]
        of_known = np.where(at > 0, passed[own, np.maximum(at - 1, 0)], 0.0)
        smallest[rows] = unfloored[own, at]
        weighed = value[rows] / before[own, at]
        made[rows] = np.where(known[rows], weighed - of_known, -of_censored)
    return made, smallest
