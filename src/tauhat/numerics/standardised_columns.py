"""Standardised and rotated columns for penalised models."""

from __future__ import annotations

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray

#: Squares and sums of larger numbers overflow.
LARGEST = 1e100
#: Covariates that vary less than this are lost on the way: LightGBM reads numbers below 1e-35 as
#: zero.
LEAST_SPREAD = 1e-30
#: Outcomes are brought to unit scale first; squares of smaller numbers vanish there.
LEAST_SPREAD_OF_OUTCOME = 1e-110
_NUMBERS_AT_ONCE = 20_000_000
_FEWEST_ROWS = 1000


def scale_fault(values: FloatArray, least: float = LEAST_SPREAD) -> str | None:
    """What is wrong with the scale of a column, or None when it can be computed with.

    Parameters
    ----------
    values
        Finite numbers, shape (n,), n > 0.
    least
        The least spread that can be computed with.

    Returns
    -------
    str or None
        To be put after the name of the column.

    Examples
    --------
    >>> scale_fault(np.array([0.0, 1e-200]))
    'varies by 1e-200 only, too little to compute with; give it in other units'
    >>> scale_fault(np.array([3.0, 3.0])) is None
    True
    """
    huge = int((np.abs(values) > LARGEST).sum())
    if huge:
        return (
            f"holds {huge} values beyond {LARGEST:g}, too large to compute with; "
            "correct them or make them missing"
        )
    spread = float(np.ptp(values))
    if 0 < spread < least:
        return f"varies by {spread:.3g} only, too little to compute with; give it in other units"
    return None


def column_scales(X: FloatArray, weight: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Weighted mean and standard deviation of each column; 1 for a constant column.

    Parameters
    ----------
    X
        Columns, shape (n, p).
    weight
        Positive weights, or None.

    Returns
    -------
    mean, scale
        Each of shape (p,).

    Examples
    --------
    >>> mean, scale = column_scales(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> mean.tolist(), scale.tolist()
    ([2.0, 5.0], [1.0, 1.0])
    """
    mean = np.average(X, axis=0, weights=weight)
    scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    # A constant column leaves rounding error of the size of its mean, not zero.
    constant = scale <= 1e-10 * np.maximum(np.abs(mean), 1e-300)
    return mean, np.where(constant | (scale == 0), 1.0, scale)


def ridge_rotation(Z: FloatArray) -> FloatArray:
    """Rotation that leaves a ridge block unchanged with no more columns than rows.

    A block with one shared variance depends on ``Z @ Z.T`` only, so ``Z @ V``
    with the right singular vectors V is the same model.

    Parameters
    ----------
    Z
        Block, shape (n, q).

    Returns
    -------
    ndarray, shape (q, min(n, q))
        V; the identity when the block is already narrow.

    Examples
    --------
    >>> ridge_rotation(np.ones((2, 3))).shape
    (3, 2)
    """
    n, q = Z.shape
    if q <= n:
        return np.eye(q)
    _, _, right = np.linalg.svd(Z, full_matrices=False)
    rotation: FloatArray = right.T
    return rotation


def standard_columns(columns: FloatArray) -> FloatArray:
    """Columns that vary, in standard units, rotated to no more of them than rows.

    Parameters
    ----------
    columns
        Shape (n, q).

    Returns
    -------
    ndarray, shape (n, k)
        For a block of a mixed model, with k at most q and n.

    Examples
    --------
    >>> standard_columns(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0], [1.0]]
    """
    mean, scale = column_scales(columns) if columns.shape[1] else (np.zeros(0), np.ones(0))
    standard = (columns - mean) / scale
    standard = standard[:, np.ptp(standard, axis=0) > 0]
    rotated: FloatArray = standard @ ridge_rotation(standard)
    return rotated


def row_parts(n: int, width: int, fewest: int | None = None) -> list[slice]:
    """Slices of rows, for work that would copy all of them at once: 160 MB each or less.

    Parameters
    ----------
    n
        Number of rows.
    width
        Numbers that the work holds for each row.
    fewest
        Rows of a slice at least; None for 1,000.

    Examples
    --------
    >>> row_parts(30_000, 1000)
    [slice(0, 20000, None), slice(20000, 30000, None)]
    """
    step = max(_FEWEST_ROWS if fewest is None else fewest, _NUMBERS_AT_ONCE // max(width, 1))
    return [slice(start, min(start + step, n)) for start in range(0, max(n, 1), step)]


def first_rows(clusters: IntArray) -> IntArray:
    """First row of each cluster, by cluster number.

    Parameters
    ----------
    clusters
        Cluster number of each row, shape (n,).

    Returns
    -------
    ndarray of int
        n for a number that no row has.

    Examples
    --------
    >>> first_rows(np.array([1, 0, 1])).tolist()
    [1, 0]
    """
    n = len(clusters)
    first = np.full(int(clusters.max()) + 1, n, dtype=np.int64)
    np.minimum.at(first, clusters, np.arange(n))
    return first


def constant_within(X: FloatArray, clusters: IntArray | None) -> BoolArray:
    """Which columns are constant within every cluster.

    Parameters
    ----------
    X
        Columns, shape (n, p).
    clusters
        Cluster number of each row, shape (n,), or None: no column then counts.

    Returns
    -------
    ndarray of bool, shape (p,)

    Examples
    --------
    >>> X = np.array([[1.0, 5.0], [1.0, 6.0], [2.0, 7.0]])
    >>> constant_within(X, np.array([0, 0, 1])).tolist()
    [True, False]
    """
    if clusters is None:
        return np.zeros(X.shape[1], dtype=bool)
    constant: BoolArray = (X[first_rows(clusters)[clusters]] == X).all(axis=0)
    return constant


def independent_columns(F: FloatArray, tolerance: float = 1e-9) -> IntArray:
    """Positions of columns of ``F`` that are not linear combinations of earlier ones.

    Parameters
    ----------
    F
        Columns, shape (n, f).
    tolerance
        Share of a column's length that must be new.

    Returns
    -------
    ndarray of int

    Examples
    --------
    >>> independent_columns(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0]])).tolist()
    [0, 2]
    """
    n, f = F.shape
    kept: list[int] = []
    basis = np.empty((n, min(n, f)))
    for j in range(f):
        column = F[:, j]
        length = np.linalg.norm(column)
        if length == 0 or len(kept) == n:
            continue
        used = basis[:, : len(kept)]
        rest = column - used @ (used.T @ column)
        rest -= used @ (used.T @ rest)
        new = np.linalg.norm(rest)
        if new > tolerance * length:
            basis[:, len(kept)] = rest / new
            kept.append(j)
    return np.array(kept, dtype=np.int64)
