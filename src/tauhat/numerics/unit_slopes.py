"""Slopes and means of each cluster, adjusted without looking at the arm, and their weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from tauhat._typing import BoolArray, FloatArray, IntArray

# A cluster tells a slope if the modifier varies in it by more than rounding.
_LEAST_VARIATION = 1e-9
# Beyond this share of coefficients among the degrees of freedom the adjustment is shrunk.
_MANY_COLUMNS = 0.1
# Candidates for the ratio of the variance between clusters to that of one person.
_RATIOS = np.r_[0.0, np.logspace(-4, 2, 49)]


@dataclass(frozen=True)
class UnitSummaries:
    """One number for each cluster: its slope on a modifier, or its mean.

    Attributes
    ----------
    values
        Shape (m,); zero for clusters that tell nothing.
    information
        Reciprocal of the variance of each value but for the residual variance, shape (m,).
    informative
        Which clusters tell anything, shape (m,).
    residual_variance
        Of one person, within clusters.
    """

    values: FloatArray
    information: FloatArray
    informative: BoolArray
    residual_variance: float


def slopes_of_clusters(
    y: FloatArray,
    modifier: FloatArray,
    covariates: FloatArray,
    clusters: IntArray,
    weight: FloatArray,
) -> UnitSummaries:
    r"""Slope of the outcome on a modifier in each cluster, adjusted for covariates.

    .. math::
        d_i = S_i^{-1} \sum_j w_{ij} \tilde M_{ij} (y_{ij} - x_{ij}'\hat\gamma), \qquad
        S_i = \sum_j w_{ij} \tilde M_{ij}^2,

    with the modifier M centred within clusters and :math:`\hat\gamma` the pooled slopes of y on
    x after each cluster's mean and its own slope on M are removed from both. The arm has no
    part in :math:`\hat\gamma`, nor has a slope that differs between the arms.

    Parameters
    ----------
    y, modifier
        Outcome and modifier, shape (n,).
    covariates
        What to adjust for, shape (n, p).
    clusters
        Cluster of each row, 0 to m - 1, shape (n,).
    weight
        Weights of the persons, shape (n,).

    Returns
    -------
    UnitSummaries
    """
    total = np.bincount(clusters, weights=weight)

    def centred(values: FloatArray) -> FloatArray:
        sums = np.stack([np.bincount(clusters, weights=weight * v) for v in values.T], axis=1)
        result: FloatArray = values - (sums / total[:, None])[clusters]
        return result

    apart = centred(modifier[:, None])[:, 0]
    spread = np.bincount(clusters, weights=weight * apart**2)
    informative = spread > _LEAST_VARIATION * max(float(spread.max()), 1e-300)
    safe = np.where(informative, spread, 1.0)

    def slopes(values: FloatArray) -> FloatArray:
        along = [np.bincount(clusters, weights=weight * apart * v) for v in values.T]
        result: FloatArray = np.stack(along, axis=1) * (informative / safe)[:, None]
        return result

    columns = centred(np.column_stack([y, covariates]))
    own = slopes(columns)
    rest = columns - apart[:, None] * own[clusters]
    free = len(y) - len(total) - int(informative.sum())
    gamma, variance = _pooled(rest[:, 0], rest[:, 1:], weight, free, _sizes(covariates))
    values = own[:, 0] - own[:, 1:] @ gamma
    return UnitSummaries(values, np.where(informative, spread, 0.0), informative, variance)


def means_of_clusters(
    y: FloatArray, covariates: FloatArray, clusters: IntArray, weight: FloatArray
) -> UnitSummaries:
    r"""Mean outcome of each cluster, adjusted for covariates by their slopes within clusters.

    .. math:: d_i = \bar y_i - (\bar x_i - \bar x)'\hat\gamma

    Parameters are those of `slopes_of_clusters`.
    """
    total = np.bincount(clusters, weights=weight)
    columns = np.column_stack([y, covariates - np.average(covariates, axis=0, weights=weight)])
    sums = [np.bincount(clusters, weights=weight * v) for v in columns.T]
    means: FloatArray = np.stack(sums, axis=1) / total[:, None]
    rest = columns - means[clusters]
    gamma, variance = _pooled(
        rest[:, 0], rest[:, 1:], weight, len(y) - len(total), _sizes(covariates)
    )
    information = total**2 / np.bincount(clusters, weights=weight**2)
    values = means[:, 0] - means[:, 1:] @ gamma
    return UnitSummaries(values, information, np.ones(len(total), dtype=bool), variance)


def _sizes(X: FloatArray) -> FloatArray:
    sizes: FloatArray = np.abs(X).max(axis=0, initial=0.0)
    return sizes


def _pooled(
    y: FloatArray, X: FloatArray, weight: FloatArray, free: int, sizes: FloatArray
) -> tuple[FloatArray, float]:
    """Slopes of centred columns, shape (p,), and the residual variance.

    Columns that vary by no more than rounding beside ``sizes``, those of the clusters, have none.
    """
    scale = np.sqrt((weight[:, None] * X**2).sum(axis=0) / weight.sum())
    moving = scale > 1e-9 * sizes
    slopes = np.zeros(X.shape[1])
    root = np.sqrt(weight)
    rank = 0
    if moving.any():
        Z = X[:, moving] / scale[moving] * root[:, None]
        left, values, right = np.linalg.svd(Z, full_matrices=False)
        kept = values > 1e-8 * values[0]
        left, values, right = left[:, kept], values[kept], right[kept]
        rank = int(kept.sum())
        scores = left.T @ (y * root)
        coordinates = scores / values
        if rank > _MANY_COLUMNS * free:
            # Few rows for many columns: shrunk as by Hoerl, Kennard and Baldwin (1975).
            noise = float((y * root) @ (y * root) - scores @ scores) / max(free - rank, 1)
            penalty = rank * noise / max(float(coordinates @ coordinates), 1e-300)
            coordinates = scores * values / (values**2 + penalty)
        slopes[moving] = right.T @ coordinates / scale[moving]
    residual = y - X @ slopes
    return slopes, float((weight * residual**2).sum()) / max(free - rank, 1)


def precision_weights(summaries: UnitSummaries, design: FloatArray) -> FloatArray:
    r"""Weights of the clusters, :math:`1 / (\sigma^2 / S_i + \tau^2)`, by REML.

    Parameters
    ----------
    summaries
        Values of m clusters.
    design
        Regression of the values, shape (m, q).

    Returns
    -------
    ndarray, shape (m,)
        Zero for clusters that tell nothing.
    """
    use = summaries.informative
    values, X = summaries.values[use], design[use]
    noise = max(summaries.residual_variance, 1e-300) / summaries.information[use]

    def loss(ratio: float) -> float:
        weight = 1 / (noise + ratio * summaries.residual_variance)
        gram = X.T @ (X * weight[:, None])
        residual = values - X @ np.linalg.solve(gram, X.T @ (weight * values))
        return float(
            -np.log(weight).sum() + np.linalg.slogdet(gram)[1] + (weight * residual**2).sum()
        )

    losses = [loss(ratio) for ratio in _RATIOS]
    best = int(np.argmin(losses))
    ratio = float(_RATIOS[best])
    if best > 0:
        ends = _RATIOS[max(best - 1, 0)], _RATIOS[min(best + 1, len(_RATIOS) - 1)]
        refined = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-8})
        ratio = float(refined.x) if refined.fun < losses[best] else ratio
    result = np.zeros(len(use))
    result[use] = 1 / (noise + ratio * summaries.residual_variance)
    return result
