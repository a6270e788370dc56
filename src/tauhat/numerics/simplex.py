"""The best weights that are not negative and sum to one."""

from __future__ import annotations

import numpy as np
from scipy import linalg
from scipy.optimize import nnls

from tauhat._typing import FloatArray

# Relative ridge: columns that do the same share their weight, and the minimum is unique.
_RIDGE = 1e-9
# The row that holds the sum at one outweighs the loss by this factor.
_HEAVY = 1e4


def simplex_minimum(gram: FloatArray, linear: FloatArray) -> FloatArray:
    r"""Minimum of a convex quadratic over the probability simplex.

    .. math:: \min_w\; w'Gw - 2\,l'w \quad\text{subject to}\quad w \ge 0,\; 1'w = 1

    solved as nonnegative least squares with a heavy row for the sum. A ridge
    of :math:`10^{-9}` makes the minimum unique.

    Parameters
    ----------
    gram
        G, symmetric and positive semidefinite, shape (k, k).
    linear
        l, shape (k,).

    Returns
    -------
    ndarray, shape (k,)

    Examples
    --------
    >>> simplex_minimum(np.eye(2), np.array([0.75, 0.25])).round(6).tolist()
    [0.75, 0.25]
    >>> simplex_minimum(np.ones((2, 2)), np.ones(2)).round(6).tolist()
    [0.5, 0.5]
    """
    k = len(linear)
    # In deviations from the mean column: what all columns share does not matter on the simplex.
    mean_row = gram.mean(axis=0)
    centred = gram - mean_row[:, None] - mean_row[None, :] + mean_row.mean()
    slope = linear - mean_row
    slope = slope - slope.mean()
    size = max(float(np.trace(centred)) / k, float(np.abs(slope).max()))
    if size <= 0:
        return np.full(k, 1.0 / k)
    root = linalg.cholesky((centred + centred.T) / (2 * size) + _RIDGE * np.eye(k))
    target = linalg.solve_triangular(root, slope / size, trans="T")
    heavy = _HEAVY * max(float(np.abs(root).max()), float(np.abs(target).max()))
    design = np.vstack([root, np.full(k, heavy)])
    found, _ = nnls(design, np.r_[target, heavy], maxiter=100 * k)
    weights: FloatArray = found / found.sum()
    return weights
