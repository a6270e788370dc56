"""Curves of right-censored times: Kaplan-Meier, Nelson-Aalen, Aalen-Johansen, restricted means.

At ties events come before censorings: whoever is censored at a time was at risk of the events of
that time, and whoever had an event was not at risk of being censored then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class RiskTable:
    """Who was at risk, and what happened, at each distinct time.

    Attributes
    ----------
    times
        Distinct times, increasing, shape (k,).
    at_risk
        Weight of those whose time is this one or later, shape (k,).
    events
        Weight of those with an event at this time, shape (k,).
    censored
        Weight of those censored at this time, shape (k,).
    """

    times: FloatArray
    at_risk: FloatArray
    events: FloatArray
    censored: FloatArray

    @classmethod
    def of(cls, time: FloatArray, event: BoolArray, weight: FloatArray | None = None) -> RiskTable:
        """Count times, shape (n,), with events, shape (n,), and weights or None.

        Examples
        --------
        >>> table = RiskTable.of(np.array([2.0, 1.0, 2.0]), np.array([True, True, False]))
        >>> table.times.tolist(), table.at_risk.tolist(), table.events.tolist()
        ([1.0, 2.0], [3.0, 2.0], [1.0, 1.0])
        """
        times, place = np.unique(time, return_inverse=True)
        weighed = np.ones(len(time)) if weight is None else weight
        happened = np.bincount(place, weighed * event, len(times)).astype(np.float64)
        left = np.bincount(place, weighed * ~event, len(times)).astype(np.float64)
        at_risk = np.cumsum((happened + left)[::-1])[::-1]
        return cls(times, at_risk, happened, left)


@dataclass(frozen=True)
class StepCurve:
    """A function of time that changes at some times only, continuous from the right.

    Attributes
    ----------
    times
        Where it changes, increasing, shape (k,).
    values
        What it is from each of these times on, shape (k,).
    start
        What it is before the first.
    """

    times: FloatArray
    values: FloatArray
    start: float = 1.0

    def at(self, time: FloatArray) -> FloatArray:
        """Its values at times of any shape."""
        return self._value(np.searchsorted(self.times, time, side="right"))

    def before(self, time: FloatArray) -> FloatArray:
        """Its values just before times of any shape."""
        return self._value(np.searchsorted(self.times, time, side="left"))

    def _value(self, place: IntArray) -> FloatArray:
        values: FloatArray = np.append(self.start, self.values)[place]
        return values

    def area(self, horizon: float) -> float:
        """Integral from zero to the horizon."""
        inside = self.times < horizon
        edges = np.concatenate([[0.0], self.times[inside], [horizon]])
        heights = np.append(self.start, self.values[inside])
        return float((heights * np.diff(edges)).sum())


def kaplan_meier(time: FloatArray, event: BoolArray, weight: FloatArray | None = None) -> StepCurve:
    r"""Product-limit estimate of the probability to be without an event.

    .. math:: \hat S(t) = \prod_{u \le t} (1 - d_u / r_u)

    Parameters
    ----------
    time
        Time to the event or to censoring, shape (n,).
    event
        Whether the event was seen, shape (n,).
    weight
        Positive, shape (n,), or None where all count the same.

    References
    ----------
    Kaplan and Meier (1958), J. Am. Stat. Assoc. 53, 457-481.

    Examples
    --------
    >>> curve = kaplan_meier(np.array([1.0, 2.0, 2.0, 3.0]), np.array([True, True, False, True]))
    >>> curve.values.tolist(), curve.area(2.5)
    ([0.75, 0.5, 0.0], 2.0)
    """
    table = RiskTable.of(time, event, weight)
    survival = np.cumprod(1 - table.events / table.at_risk).astype(np.float64)
    return StepCurve(table.times, survival)


def censoring_curve(
    time: FloatArray, event: BoolArray, weight: FloatArray | None = None
) -> StepCurve:
    """Product-limit estimate of the probability not to be censored yet.

    Those with an event at a time are no longer at risk of being censored then.

    Examples
    --------
    >>> censoring_curve(np.array([1.0, 2.0, 2.0]), np.array([True, True, False])).values.tolist()
    [1.0, 0.0]
    """
    table = RiskTable.of(time, event, weight)
    at_risk = table.at_risk - table.events
    hazard = np.divide(
        table.censored, at_risk, out=np.zeros(len(at_risk)), where=table.censored > 0
    )
    curve: FloatArray = np.cumprod(1 - np.minimum(hazard, 1.0))
    return StepCurve(table.times, curve)


def aalen_johansen(
    time: FloatArray, cause: IntArray, of: int = 1, weight: FloatArray | None = None
) -> StepCurve:
    r"""Cumulative incidence of one cause where others compete.

    .. math:: \hat F_k(t) = \sum_{u \le t} \hat S(u-)\, d_{ku} / r_u

    Parameters
    ----------
    time
        Time to the first event of any cause or to censoring, shape (n,).
    cause
        0 where censored, else the number of the cause, shape (n,).
    of
        The cause.
    weight
        Positive, shape (n,), or None.

    References
    ----------
    Aalen and Johansen (1978), Scand. J. Statist. 5, 141-150.

    Examples
    --------
    >>> aalen_johansen(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 2, 0, 1])).values.tolist()
    [0.25, 0.25, 0.25, 0.75]
    """
    everyone = RiskTable.of(time, cause > 0, weight)
    own = RiskTable.of(time, cause == of, weight)
    survival = np.cumprod(1 - everyone.events / everyone.at_risk)
    before = np.append(1.0, survival[:-1])
    return StepCurve(own.times, np.cumsum(before * own.events / own.at_risk), 0.0)
