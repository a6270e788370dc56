"""A canonical order of rows and clusters, so that labels and row order never matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tauhat._typing import FloatArray, IntArray


def canonical_order(
    X: FloatArray,
    y: FloatArray,
    treatment: IntArray,
    clusters: IntArray | None,
    ties: Sequence[FloatArray] = (),
) -> tuple[IntArray, IntArray | None]:
    """Order rows by their content and number the clusters by theirs.

    Rows are sorted by covariates, then outcome, then arm, then ``ties``. Clusters are sorted
    by size, then covariate means, then mean outcome, and come one after the
    other. Everything random downstream (folds, bootstrap, tree subsamples)
    works on this order, so shuffled rows or renamed clusters give the same
    bytes.

    Parameters
    ----------
    X
        Covariates, shape (n, p).
    y
        Outcome, shape (n,).
    treatment
        Arm of each row, 0 or 1, shape (n,).
    clusters
        Integer cluster codes, shape (n,), or None.
    ties
        What else tells rows apart that are alike in these, each of shape (n,).

    Returns
    -------
    order
        Row numbers in canonical order, shape (n,).
    codes
        Cluster number 0, 1, ... of each row in the new order, or None.

    Examples
    --------
    >>> X = np.array([[2.0], [1.0], [3.0]])
    >>> order, codes = canonical_order(X, np.zeros(3), np.zeros(3, int), None)
    >>> order.tolist()
    [1, 0, 2]
    """
    order = _row_order(X, (y, treatment, *ties))
    if clusters is None:
        return order, None
    by_cluster = order[np.argsort(clusters[order], kind="stable")]
    sorted_codes = clusters[by_cluster]
    starts = np.flatnonzero(np.r_[True, sorted_codes[1:] != sorted_codes[:-1]])
    sizes = np.diff(np.r_[starts, len(sorted_codes)])
    mean_X = np.add.reduceat(X[by_cluster], starts, axis=0) / sizes[:, None]
    mean_y = np.add.reduceat(y[by_cluster], starts) / sizes
    arm = treatment[by_cluster][starts]
    rank_order = np.lexsort((arm, mean_y, *mean_X.T[::-1], sizes))
    rank = np.empty(len(starts), dtype=np.int64)
    rank[rank_order] = np.arange(len(starts))
    row_rank = np.repeat(rank, sizes)
    final = np.argsort(row_rank, kind="stable")
    return by_cluster[final], row_rank[final]


def _row_order(X: FloatArray, then: Sequence[FloatArray | IntArray]) -> IntArray:
    """Order by covariates, then by the others; a sort by all of these only where rows tie."""
    first = X[:, 0] if X.shape[1] else then[0]
    order = np.argsort(first, kind="stable").astype(np.int64)
    same = np.r_[False, first[order[1:]] == first[order[:-1]], False]
    tied = same[:-1] | same[1:]
    rows = np.sort(order[tied])
    keys = (*(values[rows] for values in reversed(then)), *X[rows].T[::-1])
    order[tied] = rows[np.lexsort(keys)]
    return order
