"""Kendall's tau-b between many rankings of the same persons."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import stats

from tauhat._typing import FloatArray

#: Of the outcome's standard deviation: effects that spread less than this are one number.
LEAST_SPREAD_OF_EFFECTS: Final = 1e-3


def puts_in_order(effect: FloatArray, outcome: FloatArray) -> bool:
    """Whether effects differ enough to put persons in an order.

    Effects shrunken to one number still differ in their last digits; an order by these is noise.

    Examples
    --------
    >>> outcome = np.array([1.0, 2.0, 3.0])
    >>> puts_in_order(np.array([-7.0, -7.1, -7.2]), outcome)
    True
    >>> puts_in_order(np.array([-7.0, -7.000001, -7.000002]), outcome)
    False
    """
    return bool(effect.std() > LEAST_SPREAD_OF_EFFECTS * outcome.std())


def kendall_tau(first: FloatArray, second: FloatArray) -> float:
    """Kendall's tau-b of two rankings, with 0 when one of them does not rank.

    With C concordant and D discordant pairs among n(n-1)/2 = P, and T1, T2
    pairs tied in each ranking, tau-b = (C - D) / sqrt((P - T1)(P - T2)). A
    constant ranking has P = T1 and no tau-b; it says nothing about the order,
    so it counts as uncorrelated: 0. O(n log n).

    Parameters
    ----------
    first, second
        Values that rank the same n persons, each of shape (n,).

    Returns
    -------
    float
        In [-1, 1].

    Raises
    ------
    ValueError
        If the shapes differ or a value is missing or infinite.

    References
    ----------
    Kendall MG (1945). The treatment of ties in ranking problems. Biometrika
    33(3):239-251.

    Examples
    --------
    >>> kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    0.333...
    >>> kendall_tau(np.array([1.0, 2.0, 3.0]), np.zeros(3))
    0.0
    """
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"two rankings of the same persons are needed, got {first.shape} and {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("a ranking has missing or infinite values")
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    if len(first) == 2:  # one pair, for which SciPy's p-value divides by zero
        return float(np.sign(first[0] - first[1]) * np.sign(second[0] - second[1]))
    # The asymptotic method is asked for because the p-value is not used.
    return float(stats.kendalltau(first, second, method="asymptotic").statistic)


def kendall_matrix(predictions: FloatArray) -> FloatArray:
    """Kendall's tau-b between every two columns.

    Parameters
    ----------
    predictions
        One row per person, one column per model, shape (n, k).

    Returns
    -------
    ndarray, shape (k, k)
        Symmetric. The diagonal is 1, also for a constant column, whose other
        entries are 0 (see `kendall_tau`).

    Raises
    ------
    ValueError
        If ``predictions`` is not two-dimensional or has missing values.

    Examples
    --------
    >>> a = np.array([1.0, 2.0, 3.0, 4.0])
    >>> kendall_matrix(np.column_stack([a, -a, np.zeros(4)])).tolist()
    [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if predictions.ndim != 2:
        raise ValueError(
            f"predictions must have one row per person and one column per model, "
            f"got shape {predictions.shape}"
        )
    if not np.isfinite(predictions).all():
        raise ValueError("predictions has missing or infinite values")
    k = predictions.shape[1]
    # Ranks as integers once, so that each pair does not sort floats again.
    ranks = np.empty(predictions.shape, dtype=np.float64)
    for j in range(k):
        ranks[:, j] = np.unique(predictions[:, j], return_inverse=True)[1]
    matrix = np.eye(k)
    for i in range(k):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = kendall_tau(ranks[:, i], ranks[:, j])
    return matrix
