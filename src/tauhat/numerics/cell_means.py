"""Means of the groups within clusters: their variances by REML, and observations made alike."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.centring import group_sums

# Candidates for the ratios of both variances between clusters to that of one person.
_RATIOS = np.r_[0.0, np.logspace(-4, 2, 13)]


def variances_of_cells(
    values: FloatArray, X: FloatArray, noise: FloatArray, clusters: IntArray
) -> tuple[float, float]:
    r"""Variance between clusters, and between the groups of a cluster, by REML.

    .. math:: d_{ig} = x_{ig}'\beta + u_i + v_{ig} + e_{ig}, \qquad
              \operatorname{var} e_{ig} = \text{noise}_{ig}

    Parameters
    ----------
    values
        Mean of each cell, shape (k,).
    X
        Regression of the cells, shape (k, q).
    noise
        Known variance of each mean, shape (k,).
    clusters
        Cluster of each cell, 0 to m - 1, shape (k,).

    Returns
    -------
    tuple
        Variances of u and v.
    """
    unit = float(np.median(noise))

    def loss(between: float, within: float) -> float:
        precision = 1 / (noise + within)
        total = np.bincount(clusters, weights=precision)
        shared = between / (1 + between * total)
        both = np.column_stack([values, X])
        sums = group_sums(precision[:, None] * both, clusters)
        gram = both.T @ (precision[:, None] * both) - sums.T @ (shared[:, None] * sums)
        slopes = np.linalg.solve(gram[1:, 1:], gram[1:, 0])
        rest = gram[0, 0] - gram[1:, 0] @ slopes
        return float(
            np.log1p(between * total).sum() - np.log(precision).sum()
            + np.linalg.slogdet(gram[1:, 1:])[1] + rest
        )  # fmt: skip

    losses = np.array([[loss(a * unit, b * unit) for b in _RATIOS] for a in _RATIOS])
    first, second = np.unravel_index(int(np.argmin(losses)), losses.shape)
    start = np.array([_RATIOS[first], _RATIOS[second]])
    free = start > 0
    if not free.any():
        return 0.0, 0.0

    def at(logs: FloatArray) -> float:
        ratios = np.zeros(2)
        ratios[free] = np.exp(logs)
        return loss(float(ratios[0] * unit), float(ratios[1] * unit))

    found = minimize(
        at, np.log(start[free]), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10}
    )
    start[free] = np.exp(found.x)
    return float(start[0] * unit), float(start[1] * unit)


def made_alike(
    columns: FloatArray, noise: FloatArray, clusters: IntArray, variances: tuple[float, float]
) -> FloatArray:
    r"""Columns of the cells times :math:`V^{-1/2}` of their model, shape (k, q).

    Parameters
    ----------
    columns
        Values and regression of the cells, shape (k, q).
    noise, clusters
        As in `variances_of_cells`.
    variances
        Of clusters, and of groups within clusters.
    """
    between, within = variances
    result = np.empty_like(columns)
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order])) + 1
    for rows in np.split(order, starts):
        values, vectors = np.linalg.eigh(np.diag(noise[rows] + within) + between)
        result[rows] = vectors @ ((vectors.T @ columns[rows]) / np.sqrt(values)[:, None])
    return result
