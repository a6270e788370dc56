"""Values so far outside a column that no model should lean on them: codes for missing, slips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.columns import constant_within, first_rows

# A value within this many robust standard deviations of the median is never outside.
_NEAR = 6.0
# Chance that the largest value of a column with a Pareto tail lies outside; larger for values
# that stand there twice, as codes do and measurements at the end of a column hardly ever.
_CHANCE = 1e-4
_CHANCE_IF_REPEATED = 1e-3
# Tail index of the largest values of a normal sample; it counts as this many tail values more.
_USUAL_TAIL = 0.1
_USUAL_WEIGHT = 10
_FEWEST_IN_TAIL = 3
# More than this share of the units are a group of their own.
_MOST_OUTSIDE = 0.1
_FEW_LEVELS = 20
_TO_STANDARD_DEVIATION = 1.4826


@dataclass(frozen=True)
class ColumnLimits:
    r"""How far the values of each column go, and what stands for values beyond.

    With the distances from the median in falling order,
    :math:`d_{(1)} \ge d_{(2)} \ge \dots`, the first j are outside when they lie
    apart from all others by more than their tail explains:

    .. math:: \log\frac{d_{(j)}}{d_{(j+1)}} > \hat\gamma\, K (\alpha^{-1/K} - 1)

    with Hill's estimate :math:`\hat\gamma` of the tail index from the k next
    distances, drawn towards that of a normal sample, and :math:`K = k + 10`;
    :math:`\alpha` is the chance that the largest of a sample with a Pareto tail
    is called outside, .0001, or .001 for values that each stand there at least
    twice. They must also lie more than six robust standard
    deviations from the median and be at most a tenth of the units; a covariate
    of the cluster counts once a cluster.

    A value that is outside is read as the nearest one inside; if each value
    outside on its side stands in the trial at least twice, as codes for missing
    values do, as the median (in a column of at most 20 values it may be a level
    and is read as the nearest). Both move with the units of the column.

    Attributes
    ----------
    low, high
        Smallest and largest value that is not outside, infinite where nothing
        can be told, shape (p,).
    below, above
        What values beyond are read as, shape (p,).
    n_below, n_above
        Number of values beyond in the rows that the limits come from, shape (p,).

    References
    ----------
    Hill (1975), Annals of Statistics 3:1163-1174.

    Examples
    --------
    >>> age = np.r_[np.random.default_rng(1).normal(60, 10, 98).round(), 999999, 999999]
    >>> limits = ColumnLimits.of(age[:, None])
    >>> np.flatnonzero(limits.outside(age[:, None])[:, 0]).tolist()
    [98, 99]
    >>> bool(limits.apply(age[:, None])[98, 0] == np.median(age[:98]))
    True
    """

    low: FloatArray
    high: FloatArray
    below: FloatArray
    above: FloatArray
    n_below: IntArray
    n_above: IntArray

    @classmethod
    def of(cls, X: FloatArray, clusters: IntArray | None = None) -> ColumnLimits:
        """Limits of the columns of ``X``, shape (n, p), with cluster numbers or None."""
        of_cluster = constant_within(X, clusters)
        first = np.arange(len(X)) if clusters is None else first_rows(clusters)
        found = np.zeros((4, X.shape[1]))
        for j, column in enumerate(X.T):
            found[:, j] = _limits(column[first] if of_cluster[j] else column)
        low, high, below, above = found
        n_below, n_above = np.less(X, low).sum(axis=0), np.greater(X, high).sum(axis=0)
        return cls(low, high, below, above, n_below, n_above)

    def take(self, columns: Sequence[int]) -> ColumnLimits:
        """Limits of some of the columns."""
        chosen = list(columns)
        return ColumnLimits(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def outside(self, X: FloatArray) -> BoolArray:
        """Which values of ``X``, shape (k, p), are outside."""
        below, above = self.beyond(X)
        return below | above

    def beyond(self, X: FloatArray) -> tuple[BoolArray, BoolArray]:
        """Which values are outside at the lower and at the upper end, each of shape (k, p)."""
        return np.less(X, self.low), np.greater(X, self.high)

    def apply(self, X: FloatArray) -> FloatArray:
        """``X`` with something else in place of values outside; itself where there are none."""
        below, above = self.beyond(X)
        if not (below.any() or above.any()):
            return X
        return np.where(below, self.below, np.where(above, self.above, X))


def robust_scale(distance: FloatArray) -> float:
    """Standard deviation from the median absolute distance, or from that of those not zero.

    Examples
    --------
    >>> robust_scale(np.array([0.0, 0.0, 0.0, 1.0])), robust_scale(np.zeros(3))
    (1.4826, 0.0)
    """
    middle = float(np.median(distance))
    if middle == 0 and distance.any():
        # More than half are equal, as in counts with many zeros.
        middle = float(np.median(distance[distance > 0]))
    return _TO_STANDARD_DEVIATION * middle


def _limits(units: FloatArray) -> tuple[float, float, float, float]:
    """Low and high, and what stands for values below and above."""
    median = float(np.median(units))
    farthest = _farthest(units, median)
    low, high = median - farthest, median + farthest
    inside = units[(units >= low) & (units <= high)]
    typical = float(np.median(inside))
    levels = len(np.unique(inside))
    coded = [
        levels > _FEW_LEVELS and _repeated(beyond)
        for beyond in (units[units < low], units[units > high])
    ]
    ends = (float(inside.min()), float(inside.max()))
    below, above = (typical if code else end for code, end in zip(coded, ends, strict=True))
    return low, high, below, above


def _repeated(values: FloatArray) -> bool:
    """Whether there are values and each stands there at least twice."""
    counts = np.unique(values, return_counts=True)[1]
    return len(counts) > 0 and bool(counts.min() > 1)


def _farthest(units: FloatArray, median: float) -> float:
    """Largest distance from the median that is not outside; infinite if nothing can be told."""
    distance = np.abs(units - median)
    n = len(distance)
    ordered = np.sort(distance[distance > 0])[::-1]
    k = min(max(10, n // 50), len(ordered) // 4)
    if k < _FEWEST_IN_TAIL:
        return np.inf
    near = _NEAR * robust_scale(distance)
    most = min(max(1, int(_MOST_OUTSIDE * n)), len(ordered) - 1 - k)
    chance = np.full(1, _CHANCE)
    if ordered[0] > near:
        _, place, counts = np.unique(units, return_inverse=True, return_counts=True)
        repeated = counts[place][np.argsort(-distance, kind="stable")[:most]] > 1
        codes = np.logical_and.accumulate(repeated)
        chance = np.r_[chance, np.where(codes, _CHANCE_IF_REPEATED, _CHANCE)]
    # Entry j: the j largest are left out.
    left_out = np.arange(len(chance))
    logs = np.log(ordered[: len(chance) + k] / ordered[0])
    sums = np.r_[0.0, np.cumsum(logs)]
    hill = (sums[left_out + k] - sums[left_out]) / k - logs[left_out + k]
    weight = k + _USUAL_WEIGHT
    tail = np.maximum((k * hill + _USUAL_WEIGHT * _USUAL_TAIL) / weight, _USUAL_TAIL)
    with np.errstate(over="ignore"):
        reach = np.exp(tail * weight * (chance ** (-1 / weight) - 1))
        bound = np.maximum(ordered[left_out] * reach, near)
    apart = np.flatnonzero(ordered[left_out[1:] - 1] > bound[1:]) + 1
    return float(bound[apart[-1] if len(apart) else 0])
