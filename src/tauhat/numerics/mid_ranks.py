"""Ranks of values some of which are tied."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray, IntArray


def mid_ranks(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted share of smaller values plus half the share of equal ones, shape (n,).

    Values that differ by rounding only count as equal.

    Examples
    --------
    >>> mid_ranks(np.array([3.0, 1.0, 1.0, 2.0]), np.ones(4)).tolist()
    [0.875, 0.25, 0.25, 0.625]
    """
    level = tied_levels(values)
    order = np.argsort(values, kind="stable")
    share = np.bincount(level[order], weights=weight[order]) / weight.sum()
    middle: FloatArray = np.cumsum(share) - share / 2
    return middle[level]


def tied_levels(values: FloatArray) -> IntArray:
    """Number 0, 1, ... of each value in ascending order, the same for equal ones, shape (n,).

    Values that differ by rounding only count as equal.

    Examples
    --------
    >>> tied_levels(np.array([3.0, 1.0, 1.0 + 1e-15, 2.0])).tolist()
    [2, 0, 0, 1]
    """
    order = np.argsort(values, kind="stable")
    tolerance = 1e-10 * max(float(np.abs(values).max()), 1e-300)
    levels = np.empty(len(values), dtype=np.int64)
    levels[order] = np.cumsum(np.r_[False, np.diff(values[order]) > tolerance])
    return levels
