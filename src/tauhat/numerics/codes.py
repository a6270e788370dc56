"""Usual codes for missing values at the ends of a column, apart from the other values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import pdtr

from tauhat._typing import BoolArray, FloatArray

# Codes of surveys and laboratory systems: refused, does not know, does not apply, missing.
_CODES = np.array(
    sorted(
        {-1.0}
        | {s * float(d * n) for s in (1, -1) for d in "789" for n in range(1, 9)}
        | {s * float("9" * n + d) for s in (1, -1) for d in "678" for n in range(1, 4)}
    )
)
_CODE_SET = frozenset(_CODES.tolist())
# Chance of a gap like this before a code, if the column had an exponential tail.
_CHANCE = 0.005
# A gap before a code is this many times as wide as any other gap.
_WIDER = 1.5
# Among few levels, a value within so many steps may be measured.
_STEPS = 2.0
_FEWEST_OTHERS = 10
_SOME_VARIETY = 5
# Among no more different values than this, a rare one may be a level of its own.
FEW_LEVELS = 20
# More than this share of the units are a group of their own.
MOST_APART = 0.1
# A value that so few have beside two others is none of a pair's.
_RARE = 0.05
_PAIRS = ((0.0, 1.0), (1.0, 2.0))
_TO_STANDARD_DEVIATION = 1.4826


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


def usual_codes(values: FloatArray) -> BoolArray:
    """Which values are usual codes for missing ones.

    Examples
    --------
    >>> usual_codes(np.array([-9.0, 99, 100, 0])).tolist()
    [True, True, False, False]
    """
    return np.isin(values, _CODES)


def codes_at_end(column: FloatArray, sign: float, *, certain: bool = False) -> int:
    r"""How many values at one end of a column are codes for missing ones, apart from the others.

    A code counts when the gap g before it is half as wide again as any between
    the others, and one that their own tail does not explain: with the mean
    excess e of their k outermost over the next, at least a third of a robust
    standard deviation, and j codes,

    .. math:: \{1 + j g / (k e)\}^{-k} < .005

    as the gap before the largest of a sample with an exponential tail. Values
    that go on as the others do, as the last of the doses 1, 2, 4, 8, are none.
    Below at least five different values that are never negative any negative code counts.
    0 counts as a code when all else, of more than 20 different values, is positive.

    Parameters
    ----------
    column
        Values, shape (n,).
    sign
        1 for the upper end, -1 for the lower.
    certain
        Whether to leave out what may be measured: -1 near the others, or other
        negative codes after a gap no wider than those of the lower half; zeros within a
        robust standard deviation; and, beside at most 20 other values, positive
        codes that more than a tenth have or that follow within two steps.

    Returns
    -------
    int

    Examples
    --------
    >>> codes_at_end(np.r_[np.tile(np.arange(11.0), 10), -9, -9], -1)
    2
    >>> doses = np.repeat([0.0, 3, 9], [40, 40, 10])
    >>> codes_at_end(doses, 1), codes_at_end(doses, 1, certain=True)
    (10, 0)
    """
    ordered = np.sort(sign * column)[::-1]
    best = 0
    for end in _ends_of_codes(sign * ordered):
        others, nearest = ordered[end:], float(ordered[end - 1])
        if sign < 0 and nearest > 0 and others[0] <= 0:
            code = _below_all(others, nearest, end, certain)
        elif nearest == 0 and not (sign < 0 and _no_amounts(others, end, certain)):
            code = False
        else:
            wide = _wide(others, nearest) and not _may_be_level(others, nearest, end, certain)
            code = wide and _beyond_tail(others, nearest, end)
        best = end if code else best
    return best


def _ends_of_codes(values: FloatArray) -> Iterator[int]:
    """Numbers of values, from the first on, that are codes all, at most half of them."""
    end = 0
    while float(values[end]) in _CODE_SET or values[end] == 0:
        end = int(np.flatnonzero(values == values[end])[-1]) + 1
        if end > len(values) // 2:
            return
        yield end


def _below_all(others: FloatArray, nearest: float, count: int, certain: bool) -> bool:
    """Whether negatives lie below values that never are, all given as their negatives."""
    levels = np.unique(others)
    varied = len(levels) >= _SOME_VARIETY
    if varied and not certain:
        return True
    step = float(np.diff(levels).min(initial=np.inf))
    # At the other end, gaps may be as wide as they like; equal values are no gap at all.
    wide = _wide(others[: len(others) // 2 + 1], nearest)
    wide = wide and nearest - float(others[0]) > _WIDER * step
    return wide and ((varied and nearest > 1) or _beyond_tail(others, nearest, count))


def _no_amounts(others: FloatArray, count: int, certain: bool) -> bool:
    """Whether zeros beside these values, given as their negatives, may stand for missing ones."""
    rare = count <= MOST_APART * (len(others) + count)
    if not rare or others[0] >= 0 or len(np.unique(others)) <= FEW_LEVELS:
        return False
    return not certain or -others[0] > robust_scale(np.abs(others - np.median(others)))


def _may_be_level(others: FloatArray, nearest: float, count: int, certain: bool) -> bool:
    """Whether values go on as few levels do, or perhaps are one of them."""
    levels = np.unique(others)[::-1]
    if not 1 < len(levels) <= FEW_LEVELS:
        return False
    if levels[1] > 0 and nearest * levels[1] <= levels[0] ** 2:
        return True
    many = count > MOST_APART * (len(others) + count)
    near = nearest - levels[0] <= _STEPS * float(-np.diff(levels).min())
    return certain and bool(many or near)


def _wide(others: FloatArray, nearest: float) -> bool:
    """Whether the gap after the largest of the others is wider than any between them."""
    widest = float(np.abs(np.diff(others)).max(initial=0.0))
    return nearest - float(others.max()) > _WIDER * widest


def _beyond_tail(others: FloatArray, nearest: float, count: int) -> bool:
    """Whether the tail of the others does not explain ``count`` values so far off."""
    k = min(max(10, len(others) // 10), len(others) // 2)
    if len(others) < _FEWEST_OTHERS or others[0] == others[-1]:
        return False
    scale = robust_scale(np.abs(others - np.median(others)))
    excess = max(float((others[:k] - others[k]).mean()), scale / 3)
    return bool((1 + count * (nearest - others[0]) / (k * excess)) ** -k < _CHANCE)


def pair_of_values(values: FloatArray) -> tuple[float, float] | None:
    """The two values of a column that has no others, 0 and 1 or 1 and 2 but for rare ones.

    Parameters
    ----------
    values
        Shape (n,).

    Returns
    -------
    tuple of float, or None
        Smaller and larger; None for other columns. At most one rare value is below, and one
        above.

    Examples
    --------
    >>> pair_of_values(np.r_[np.tile([0.0, 1], 50), 2, 2]), pair_of_values(np.arange(9.0))
    ((0.0, 1.0), None)
    """
    distinct, counts = np.unique(values, return_counts=True)
    if not 2 <= len(distinct) <= 4:
        return None
    first, second = np.sort(np.argsort(-counts, kind="stable")[:2])
    pair = float(distinct[first]), float(distinct[second])
    if len(distinct) == 2:
        return pair
    rare = len(values) - counts[[first, second]].sum() <= _RARE * len(values)
    one_each = first <= 1 and second == first + 1 and len(distinct) - second <= 2
    return pair if pair in _PAIRS and rare and one_each else None


def goes_on_rarely(values: FloatArray, pair: tuple[float, float], third: float) -> bool:
    """Whether a third value is as rare as that of a count, or of two chances, may be.

    That is with the step of the pair, and no rarer than :math:`n_1^2 / 4 n_0` makes
    likely, for :math:`n_0 > n_1` of the two others.

    Examples
    --------
    >>> rare, half = (np.repeat([0.0, 1, 2], counts) for counts in ([250, 47, 3], [140, 157, 3]))
    >>> goes_on_rarely(rare, (0, 1), 2), goes_on_rarely(half, (0, 1), 2)
    (True, False)
    """
    near, far = pair[::-1] if third > pair[1] else pair
    n_near, n_far = (int((values == value).sum()) for value in (near, far))
    expected = n_near**2 / (4 * n_far)
    count = int((values == third).sum())
    return bool(
        np.isclose(third - near, near - far) and n_near < n_far and pdtr(count, expected) > _CHANCE
    )
