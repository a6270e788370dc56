"""Values so far outside a column that no model should lean on them: codes for missing, slips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.codes import (
    FEW_LEVELS,
    MOST_APART,
    codes_at_end,
    robust_scale,
    usual_codes,
)
from tauhat.numerics.standardised_columns import constant_within, first_rows

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
# Zeros within so many robust standard deviations of the others may be amounts.
_NEAR_ZERO = 2.0
# A value that so many units share is a level of its own, unless it lies farther from the median
# than this many times the others.
_SHARE_OF_LEVEL = 0.02
_FEWEST_OF_LEVEL = 3
_FARTHEST_LEVEL = 20.0


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

    The nearest of these is a level of its own, and inside, if it is no usual code
    for missing values, is not 20 times as far from the median as the others, and a
    fiftieth of the units and three at least share it, as a dose of 100 beside 0 to 20.

    Usual codes for missing values that lie apart at an end of what is inside
    (`tauhat.numerics.codes.codes_at_end`) are outside too, beyond half of the gap.

    A value that is outside is read as the nearest one inside; if each value
    outside on its side stands in the trial at least twice, as codes for missing
    values do, as the median (in a column of at most 20 values it may be a level,
    and 0 within two robust standard deviations of the others an amount: they are
    read as the nearest). Limits move with the units of the column, but for codes.

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
        return cls.with_tails(X, clusters)[0]

    @classmethod
    def with_tails(
        cls, X: FloatArray, clusters: IntArray | None = None
    ) -> tuple[ColumnLimits, FloatArray]:
        """Limits, and the smallest and largest value that the tails explain, shape (2, p).

        What lies beyond a tail may be a level of its own, and inside.

        Examples
        --------
        >>> dose = np.r_[np.tile(np.arange(21.0), 14), np.full(12, 100)][:, None]
        >>> limits, tails = ColumnLimits.with_tails(dose)
        >>> bool(tails[1, 0] < 100), bool(limits.outside(dose).any())
        (True, False)
        """
        columns = list(_columns_of_units(X, clusters))
        tails = [_tail(units) for units in columns]
        found = [_limits(units, *tail) for units, tail in zip(columns, tails, strict=True)]
        low, high, below, above = np.array(found).reshape(-1, 4).T
        n_below, n_above = np.less(X, low).sum(axis=0), np.greater(X, high).sum(axis=0)
        limits = cls(low, high, below, above, n_below, n_above)
        return limits, np.array(tails).reshape(-1, 2).T

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


def _columns_of_units(X: FloatArray, clusters: IntArray | None) -> Iterator[FloatArray]:
    """Each column, once a cluster where it is constant within clusters."""
    of_cluster = constant_within(X, clusters)
    first = np.arange(len(X)) if clusters is None else first_rows(clusters)
    for j, column in enumerate(X.T):
        yield column[first] if of_cluster[j] else column


def _tail(units: FloatArray) -> tuple[float, float]:
    """The smallest and the largest value that the tail of a column, shape (n,), explains."""
    median = float(np.median(units))
    farthest = _farthest(units, median)
    return median - farthest, median + farthest


def _limits(units: FloatArray, low: float, high: float) -> tuple[float, float, float, float]:
    """Low and high, and what stands for values below and above, given those of the tail."""
    if np.isfinite(high):
        high = _with_levels(units, high, 1.0)
        low = -_with_levels(-units, -low, -1.0)
    inside = units[(units >= low) & (units <= high)]
    low = max(low, -_before_codes(-inside, -1.0))
    high = min(high, _before_codes(inside, 1.0))
    inside = units[(units >= low) & (units <= high)]
    coded = [
        _repeated(beyond) and len(np.unique(inside)) > FEW_LEVELS and not _amounts(beyond, inside)
        for beyond in (units[units < low], units[units > high])
    ]
    ends = (float(inside.min()), float(inside.max()))
    below, above = (
        float(np.median(inside)) if code else end for code, end in zip(coded, ends, strict=True)
    )
    return low, high, below, above


def _with_levels(units: FloatArray, high: float, sign: float) -> float:
    """The upper limit behind levels of their own that follow it.

    ``sign`` is -1 where the values are the negatives of the column's.
    """
    if not (units > high).any():
        return high
    median = float(np.median(units))
    needed = max(_FEWEST_OF_LEVEL, _SHARE_OF_LEVEL * len(units))
    while (units > high).any():
        inside, nearest = units[units <= high], float(units[units > high].min())
        reach = _FARTHEST_LEVEL * float(np.abs(inside - median).max())
        level = (units == nearest).sum() >= needed and nearest - median <= reach
        if not level or usual_codes(np.array([sign * nearest]))[0]:
            break
        high = nearest
    return high


def _before_codes(inside: FloatArray, sign: float) -> float:
    """The middle of the gap before the codes at the upper end, infinite where there are none.

    ``sign`` is -1 where the values are the negatives of the column's.
    """
    count = codes_at_end(sign * inside, sign, certain=True)
    if not count:
        return np.inf
    ordered = np.sort(inside)[::-1]
    return float(ordered[count - 1] + ordered[count]) / 2


def _amounts(beyond: FloatArray, inside: FloatArray) -> bool:
    """Whether there are zeros near enough to positive values to be none of something."""
    scale = robust_scale(np.abs(inside - np.median(inside)))
    return bool((beyond == 0).any() and inside.min() < _NEAR_ZERO * scale)


def _repeated(values: FloatArray) -> bool:
    """Whether there are values and each stands there at least twice."""
    return len(values) > 0 and bool(np.unique(values, return_counts=True)[1].min() > 1)


def _farthest(units: FloatArray, median: float) -> float:
    """Largest distance from the median that is not outside; infinite if nothing can be told."""
    distance = np.abs(units - median)
    n = len(distance)
    ordered = np.sort(distance[distance > 0])[::-1]
    k = min(max(10, n // 50), len(ordered) // 4)
    if k < _FEWEST_IN_TAIL:
        return np.inf
    near = _NEAR * robust_scale(distance)
    most = min(max(1, int(MOST_APART * n)), len(ordered) - 1 - k)
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
