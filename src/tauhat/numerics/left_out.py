"""What leaving a unit out changes in a ridge regression, and in what is made of its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.centring import sums_by_unit

# Of the mean diagonal of the precision: enough to solve where an arm's only unit is left out.
_LEAST_PRECISION = 1e-8


def precision_of(root: FloatArray) -> FloatArray:
    """Precision of coefficients from its upper-triangular root, and a trace more, shape (q, q)."""
    q = len(root)
    whole = np.triu(root).T @ np.triu(root)
    whole[np.diag_indices(q)] += _LEAST_PRECISION * np.trace(whole) / q
    return whole


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """Rows of a ridge regression with an intercept of each unit.

    Attributes
    ----------
    columns
        Shape (n, q).
    weight
        Inverse variance of each row over that of the residuals, shape (n,).
    unit
        Unit 0 to m - 1 of each row, shape (n,).
    m
        Number of units, some of which may have no rows.
    ratio
        Variance of the intercepts over that of the residuals; 0 without.
    """

    columns: FloatArray
    weight: FloatArray
    unit: IntArray
    m: int
    ratio: float

    @property
    def shrinkage(self) -> FloatArray:
        """What makes predicted intercepts of sums of weighted residuals, shape (m,)."""
        total: FloatArray = np.bincount(self.unit, self.weight, self.m).astype(np.float64)
        return self.ratio / (1 + self.ratio * total)

    def effects(self, residual: FloatArray) -> FloatArray:
        """Predicted intercepts of residuals from the columns, shape (m,)."""
        sums = np.bincount(self.unit, weights=self.weight * residual, minlength=self.m)
        effects: FloatArray = self.shrinkage * sums
        return effects

    def slopes_of(self, columns: FloatArray, unit: IntArray) -> FloatArray:
        """How predictions with intercepts of these rows move with the coefficients, (k, q).

        Parameters
        ----------
        columns, unit
            Of the persons predicted for, shapes (k, q) and (k,).
        """
        sums = np.zeros((self.m, self.columns.shape[1]))
        np.add.at(sums, self.unit, self.columns * self.weight[:, None])
        slopes: FloatArray = columns - (self.shrinkage[:, None] * sums)[unit]
        return slopes

    def without_each(self, score: FloatArray, root: FloatArray) -> FloatArray:
        r"""Change of the coefficients without each unit, at the same variances, shape (m, q).

        .. math:: -(P - C_i'M_iC_i)^{-1} C_i's_i, \qquad M_i = W_i - k_i W_i 1 1'W_i

        with P the precision of the coefficients once the intercepts are integrated out. In a
        linear model it is exact, in others a step of Newton's.

        Parameters
        ----------
        score
            s, weight times residual given the unit's intercept, shape (n,).
        root
            Upper-triangular R with R'R the precision P, over the residual variance, shape (q, q).

        Examples
        --------
        >>> y = np.array([1.0, 2.0, 6.0])
        >>> rows = WeightedRows(np.ones((3, 1)), np.ones(3), np.arange(3), 3, 0.0)
        >>> change = rows.without_each(y - 3, np.sqrt([[3.0]]))
        >>> (3 + change[:, 0]).round(3).tolist()
        [4.0, 3.5, 1.5]
        """
        q, k = self.columns.shape[1], self.shrinkage
        whole = precision_of(root)
        order = np.argsort(self.unit, kind="stable")
        ends = np.cumsum(np.bincount(self.unit, minlength=self.m))
        found = np.zeros((self.m, q))
        for i, rows in enumerate(np.split(order, ends[:-1])):
            columns = self.columns[rows]
            weighted = columns * self.weight[rows][:, None]
            sums = weighted.sum(axis=0)
            own = weighted.T @ columns - k[i] * np.outer(sums, sums)
            found[i] = -np.linalg.solve(whole - own, columns.T @ score[rows])
        return found


@dataclass(frozen=True, eq=False)
class PartOfChange:
    """What some coefficients change in some values, to first order.

    Attributes
    ----------
    rows
        The values, shape (k,).
    slopes
        Their derivatives in the coefficients, shape (k, q).
    without
        Change of the coefficients without each unit, shape (m, q).
    """

    rows: IntArray
    slopes: FloatArray
    without: FloatArray


@dataclass(frozen=True, eq=False)
class ChangesWithout:
    """How values made for everybody change without each unit, to first order.

    Attributes
    ----------
    parts
        What makes them change.
    unit
        Unit of each value, shape (n,).

    Examples
    --------
    >>> part = PartOfChange(np.arange(3), np.ones((3, 1)), np.array([[1.0], [5.0]]))
    >>> changes = ChangesWithout([part], np.array([0, 0, 1]))
    >>> changes.sums(np.array([[1.0], [2.0], [4.0]])).tolist()
    [[4.0], [15.0]]
    """

    parts: Sequence[PartOfChange]
    unit: IntArray

    @property
    def m(self) -> int:
        """Number of units."""
        return int(self.unit.max()) + 1

    def sums_of_units(self, weight: FloatArray) -> FloatArray:
        """Weighted sums of the changes in each other unit's values without each unit, (m, m).

        Parameters
        ----------
        weight
            Shape (n,).
        """
        total: FloatArray = np.zeros((self.m, self.m))
        for part in self.parts:
            slopes = np.zeros((self.m, part.slopes.shape[1]))
            np.add.at(slopes, self.unit[part.rows], part.slopes * weight[part.rows, None])
            total += part.without @ slopes.T
        np.fill_diagonal(total, 0.0)
        return total

    def sums(self, weights: FloatArray) -> FloatArray:
        """Weighted sums of the changes without each unit, over the other units' values, (m, k).

        Parameters
        ----------
        weights
            Shape (n, k).
        """
        total: FloatArray = np.zeros((self.m, weights.shape[1]))
        own = np.zeros(len(self.unit))
        for part in self.parts:
            total += part.without @ (part.slopes.T @ weights[part.rows])
            own[part.rows] += (part.slopes * part.without[self.unit[part.rows]]).sum(axis=1)
        return total - sums_by_unit(weights * own[:, None], self.unit)
