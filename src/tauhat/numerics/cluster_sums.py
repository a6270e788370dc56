"""Sums over clusters, through which random intercepts enter a mixed model."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics import cholesky

# With more clusters than this, those of one group and weight share one matrix of products
# if they are eight or more on average: adding matrices costs less than multiplying sums.
_MANY_CLUSTERS = 200
_SHARED_BY = 8


def sums_over(clusters: IntArray, values: FloatArray, m: int) -> FloatArray:
    """Sums of rows over each of ``m`` clusters, shape (m,) or (m, q).

    Examples
    --------
    >>> sums_over(np.array([0, 1, 1]), np.array([1.0, 2.0, 3.0]), 2).tolist()
    [1.0, 5.0]
    """
    return np.asarray(gathering(clusters, m) @ values, dtype=np.float64)


def means_of(codes: IntArray, values: FloatArray) -> FloatArray:
    """Mean of each row's group, shape (n,).

    Parameters
    ----------
    codes
        Group 0 to m - 1 of each row, shape (n,).
    values
        Shape (n,).

    Examples
    --------
    >>> means_of(np.array([0, 1, 0]), np.array([1.0, 5.0, 3.0])).tolist()
    [2.0, 5.0, 2.0]
    """
    means: FloatArray = np.bincount(codes, weights=values) / np.bincount(codes)
    return means[codes]


def gathering(clusters: IntArray, m: int) -> sparse.csr_array:
    """Matrix that sums rows over each of ``m`` clusters, shape (m, n), for several tables.

    Examples
    --------
    >>> (gathering(np.array([0, 1, 1]), 2) @ np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 5.0]
    """
    rows = np.arange(len(clusters))
    return sparse.csr_array((np.ones(len(rows)), (clusters, rows)), shape=(m, len(rows)))


class ClusterSums:
    r"""Weights and sums of columns and outcome in each cluster.

    A random intercept of variance ratio :math:`\varphi` takes
    :math:`\sum_c k_c S_c S_c'` with :math:`k_c = \varphi / (1 + \varphi N_c)` off the cross
    products. Clusters of equal weight :math:`N_c` have equal :math:`k_c`, so thousands of
    clusters of few sizes cost no more than the few matrices :math:`\sum_c S_c S_c'`.

    Parameters
    ----------
    weight
        Total weight of each cluster, shape (m,).
    columns
        Sums of columns times weights, shape (m, q).
    outcome
        Sums of the outcome times weights, shape (m,).
    groups
        Group 0 to g - 1 of each cluster, each with a variance of its own, shape (m,), or None.

    Attributes
    ----------
    members
        Whether a cluster lies in a group, shape (g, m).
    """

    def __init__(
        self,
        weight: FloatArray,
        columns: FloatArray,
        outcome: FloatArray,
        groups: IntArray | None = None,
    ) -> None:
        self.weight, self.columns, self.outcome = weight, columns, outcome
        groups = np.zeros(len(weight), np.int64) if groups is None else groups
        self.members: BoolArray = np.arange(groups.max(initial=-1) + 1)[:, None] == groups
        self._first, self._products = self._shared(groups)

    def _shared(self, groups: IntArray) -> tuple[IntArray, FloatArray | None]:
        """First cluster and matrix of products of each group and weight; None for few."""
        m, q = self.columns.shape
        if m <= _MANY_CLUSTERS:
            return np.arange(m), None
        kinds = np.column_stack([groups, self.weight])
        _, first, kind = np.unique(kinds, axis=0, return_index=True, return_inverse=True)
        if _SHARED_BY * len(first) > m:
            return np.arange(m), None
        products = np.empty((len(first), q, q))
        for k in range(len(first)):
            own = self.columns[kind.ravel() == k]
            products[k] = own.T @ own
        return first, products

    def less(self, cross: FloatArray, k: FloatArray) -> FloatArray:
        """Upper triangle of ``cross`` less each cluster's products times its ``k``, a new array."""
        if self._products is None:
            return cholesky.less_cross_products(cross, np.sqrt(k)[:, None] * self.columns)
        less: FloatArray = cross - np.tensordot(k[self._first], self._products, 1).T
        return less

    def leverage(self, share: FloatArray, inverse_root: FloatArray) -> FloatArray:
        """Sum over each group of ``share`` times the squared length of the sums, shape (g,).

        Lengths are in the metric of the coefficients' precision, of whose Cholesky
        factor ``inverse_root`` is the inverse.
        """
        if self._products is None:
            lengths = ((self.columns @ inverse_root) ** 2).sum(axis=1)
            own: FloatArray = self.members @ (share * lengths)
            return own
        covariance = inverse_root @ inverse_root.T
        traces = np.tensordot(self._products, covariance, 2)
        shared: FloatArray = self.members[:, self._first] @ (share[self._first] * traces)
        return shared
