"""Nothing about fewer than five persons: the one rule for all that may be passed on.

It holds for reports, figures, ``run.json`` and the design check: a group of one to
four persons has no number, a number that would give such a count back is not shown,
and standardised differences have two or three digits, from which a count cannot be
worked out. How many were analysed in each arm and lost in all is always told; how many
each arm enrolled and lost only if no arm lost one to four. Of several arms, what one contrast
hides is hidden in all, and with numbers of arms those of contrasts, which would add up to them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray

SMALLEST_GROUP = 5
FEW = "fewer than five persons"
LESS_THAN_SMALLEST = f"<{SMALLEST_GROUP}"
# Digits after the point of a standardised difference.
DIGITS_OF_DIFFERENCES = 2


def is_small(count: Any) -> Any:
    """Whether a number of persons, or each of several, is not to be told: one to four.

    Examples
    --------
    >>> is_small(3), is_small(np.array([0, 4.5, 5])).tolist()
    (True, [False, True, False])
    """
    return (count > 0) & (count < SMALLEST_GROUP)


def may_be_told(count: Any) -> Any:
    """Whether a group of so many persons, or each of several, may be described: five or more.

    Examples
    --------
    >>> may_be_told(5), may_be_told(np.array([0, 4, np.nan, 12])).tolist()
    (True, [False, False, False, True])
    """
    return count >= SMALLEST_GROUP


def smallest_told(values: FloatArray) -> float:
    """The smallest of persons' values that tells of no fewer than five; NaN where none does.

    Examples
    --------
    >>> smallest_told(np.arange(9.0)), smallest_told(np.arange(4.0))
    (4.0, nan)
    """
    if not may_be_told(len(values)):
        return float("nan")
    return float(np.sort(values)[SMALLEST_GROUP - 1])


def most_groups(n: int) -> int:
    """Into how many groups that may be described n persons can be put.

    Examples
    --------
    >>> most_groups(14)
    2
    """
    return n // SMALLEST_GROUP


def in_fives(count: float) -> int:
    """A number of persons to the nearest five, which tells of no fewer.

    Examples
    --------
    >>> in_fives(38), in_fives(2)
    (40, 0)
    """
    return SMALLEST_GROUP * round(count / SMALLEST_GROUP)


def told_places(at_risk: FloatArray, events: FloatArray) -> IntArray:
    """Which times of a curve may be told: between two of them nothing is about few persons.

    Parameters
    ----------
    at_risk
        Fewest persons at risk at each time, the first of which is told, shape (k,).
    events
        Events so far in each group, shape (groups, k).

    Returns
    -------
    ndarray of int
        Places of the times at which at least five are at risk, with no event or at least five
        in each group since the one before. Better an earlier time less than a curve that ends
        before the last one.

    Examples
    --------
    >>> events = np.array([[0, 3, 9, 12, 15], [0, 5, 5, 10, 17]])
    >>> told_places(np.full(5, 30), events).tolist(), told_places(np.arange(5)[::-1], events)
    ([0, 2, 4], array([0]))
    """

    def may_follow(place: int, before: int) -> bool:
        step = events[:, place] - events[:, before]
        return bool(at_risk[place] >= SMALLEST_GROUP and not is_small(step).any())

    kept, last = [0], len(at_risk) - 1
    for place in range(1, last + 1):
        if may_follow(place, kept[-1]):
            kept.append(place)
    while kept[-1] != last and len(kept) > 1 and may_follow(last, kept[-2]):
        kept[-1] = last
    return np.array(kept)


def count_text(count: int) -> str:
    """How many persons, unless they are few.

    Examples
    --------
    >>> count_text(30), count_text(2)
    ('30', 'fewer than five persons')
    """
    return FEW if is_small(count) else str(count)


def share_text(count: int, n: int) -> str:
    """How many of n persons, in percent, unless few are in or out.

    Examples
    --------
    >>> share_text(30, 400), share_text(2, 400), share_text(399, 400)
    ('7.5%', 'fewer than five persons', 'all but fewer than five persons')
    """
    if is_small(count):
        return FEW
    return f"all but {FEW}" if is_small(n - count) else f"{count / n:.1%}"


def tells_few(values: FloatArray, arm: IntArray) -> BoolArray:
    """Whether a column's mean in an arm would tell how many persons a small level has.

    That is so for columns of two values, one of which one to four persons of an
    arm have.

    Parameters
    ----------
    values
        Columns, NaN where missing, shape (n, p).
    arm
        0 or 1, shape (n,).

    Returns
    -------
    ndarray
        Shape (p,).

    Examples
    --------
    >>> sex, rare = np.arange(40) % 4 < 2, np.arange(40) < 3
    >>> tells_few(np.column_stack([sex, rare, np.arange(40)]), np.arange(40) % 2).tolist()
    [False, True, False]
    """
    known = ~np.isnan(values)
    low = np.where(known, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, values, -np.inf).max(axis=0, initial=-np.inf)
    two = (~known | (values == low) | (values == high)).all(axis=0) & (low < high)
    counts = [
        ((values == level) & (arm == a)[:, None]).sum(axis=0)
        for level in (low, high)
        for a in (0, 1)
    ]
    few: BoolArray = two & is_small(np.array(counts)).any(axis=0)
    return few


def hidden_split(row: dict[str, Any]) -> dict[str, Any]:
    """A group's row without the persons of its arms if one arm has few; the other tells it.

    Examples
    --------
    >>> hidden_split({"persons": 12, "control_units": 3, "treated_units": 9})
    {'persons': 12, 'control_units': None, 'treated_units': None}
    """
    arms = ("control_units", "treated_units")
    return {**row, **dict.fromkeys(arms)} if any(is_small(row[a]) for a in arms) else row
