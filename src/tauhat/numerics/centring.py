"""Sums over groups of rows, and columns less their means in these."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.standardised_columns import row_parts

# Of work that copies rows, the copies that it makes of each.
_COPIES = 4


def center_within(values: FloatArray, group: IntArray, weight: FloatArray) -> FloatArray:
    """Values less their weighted mean in each group, along the first axis.

    Examples
    --------
    >>> center_within(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 1]), np.ones(3)).tolist()
    [-1.0, 1.0, 0.0]
    """
    centered = values.reshape(len(values), -1).copy()
    center_in_place(centered, group, weight)
    return centered.reshape(values.shape)


def center_in_place(columns: FloatArray, group: IntArray, weight: FloatArray) -> None:
    """Take the groups' means out of columns, in place and a few columns at a time."""
    total = np.bincount(group, weights=weight)[:, None]
    for part in row_parts(columns.shape[1], _COPIES * len(columns), fewest=2):
        few = columns[:, part]
        few -= (group_sums(few * weight[:, None], group) / total)[group]


def group_sums(values: FloatArray, group: IntArray) -> FloatArray:
    """Sums of rows within groups 0, 1, ..., shape (groups, columns)."""
    if group.min() != group.max():
        order = np.argsort(group, kind="stable")
        group, values = group[order], values[order]
    return sums_by_unit(values, group)


def sums_by_unit(values: FloatArray, units: IntArray) -> FloatArray:
    """Column sums over the rows of each unit, for units in order, shape (u, k).

    Examples
    --------
    >>> sums_by_unit(np.array([[1.0], [2.0], [4.0]]), np.array([0, 0, 1])).tolist()
    [[3.0], [4.0]]
    """
    starts = np.flatnonzero(np.r_[True, np.diff(units) != 0])
    sums: FloatArray = np.add.reduceat(values, starts, axis=0)
    return sums
