"""Standardised and rotated columns for penalised models."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray


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
