"""Encodings of a numeric covariate for accurate generalised linear models."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray


def equal_frequency_breaks(x: FloatArray, n_bins: int) -> FloatArray:
    """Different quantiles of ``x`` that part it into bins of about equal counts.

    Parameters
    ----------
    x
        Values, shape (n,).
    n_bins
        Number of bins, at least 1; fewer when there are ties.

    Returns
    -------
    ndarray
        Increasing breaks from the smallest to the largest value.

    Examples
    --------
    >>> equal_frequency_breaks(np.array([1.0, 2, 3, 4, 5]), 2).tolist()
    [1.0, 3.0, 5.0]
    """
    shares = np.linspace(0, 1, n_bins + 1)
    # Observed values, not interpolated ones: shifts and scalings of x move them exactly.
    breaks: FloatArray = np.unique(np.quantile(x, shares, method="inverted_cdf"))
    return breaks


def jump_dummies(x: FloatArray, breaks: FloatArray) -> FloatArray:
    r"""Nested indicators: a lasso on them is a step function.

    .. math:: d_k(x) = 1(x \ge b_k)

    Parameters
    ----------
    x
        Values, shape (n,).
    breaks
        Increasing breaks, shape (k,).

    Returns
    -------
    ndarray, shape (n, k)

    Examples
    --------
    >>> jump_dummies(np.array([1.0, 2, 3]), np.array([1.0, 2, 3])).astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    return (x[:, None] >= breaks).astype(np.float64)


def continuous_dummies(x: FloatArray, breaks: FloatArray) -> FloatArray:
    r"""Ramps: a lasso on them is a continuous piecewise linear function.

    .. math:: d_k(x) = \min\{1, \max\{0, (x - b_k)/(b_{k+1} - b_k)\}\}

    Parameters
    ----------
    x
        Values, shape (n,).
    breaks
        Increasing breaks, shape (k,), at least two.

    Returns
    -------
    ndarray, shape (n, k - 1)

    Examples
    --------
    >>> continuous_dummies(np.array([1.0, 1.5, 3]), np.array([1.0, 2, 3])).tolist()
    [[0.0, 0.0], [0.5, 0.0], [1.0, 1.0]]
    """
    ramps: FloatArray = np.clip((x[:, None] - breaks[:-1]) / np.diff(breaks), 0.0, 1.0)
    return ramps


def l_variables(x: FloatArray, breaks: FloatArray) -> FloatArray:
    r"""Distances to the inner breaks: a lasso on them picks changes of slope.

    .. math:: l_k(x) = |x - b_k|

    Parameters
    ----------
    x
        Values, shape (n,).
    breaks
        Increasing breaks, shape (k,); the first and last are not used.

    Returns
    -------
    ndarray, shape (n, k - 2)

    Examples
    --------
    >>> l_variables(np.array([1, 1.5, 2, 2.3, 3]), np.array([1.0, 2, 3]))[:, 0].round(1).tolist()
    [1.0, 0.5, 0.0, 0.3, 1.0]
    """
    return np.abs(x[:, None] - breaks[1:-1])
