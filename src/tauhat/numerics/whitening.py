"""Whitening of clustered rows, and projection off intercept and treatment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.standardised_columns import column_scales


@dataclass(frozen=True)
class Whitening:
    r"""Square root of the inverse covariance of a random intercept model.

    With :math:`V = \rho\,1 1' + \mathrm{diag}(1/w)` within each cluster and
    :math:`s = \sqrt w`, the symmetric square root acts as

    .. math:: W v = \tilde v - c\, s\,\frac{s'\tilde v}{s's}, \quad
              \tilde v = s \circ v, \quad c = 1 - (1 + \rho\, s's)^{-1/2}

    followed by the projection Q off ``W [1, a]``.

    Attributes
    ----------
    clusters
        Cluster number of each row, or None.
    root_weight
        Square root of each row's weight.
    size
        Sum of weights of each cluster.
    shrink
        c of each cluster.
    basis
        Orthonormal columns spanning ``W [1, a]``, shape (n, 2).
    """

    clusters: IntArray | None
    root_weight: FloatArray
    size: FloatArray
    shrink: FloatArray
    basis: FloatArray

    def whiten(self, v: FloatArray) -> FloatArray:
        """Apply ``W v`` for one vector of shape (n,)."""
        return self._correct(self.root_weight * v)

    def _correct(self, scaled: FloatArray) -> FloatArray:
        if self.clusters is None:
            return scaled
        sums = np.bincount(self.clusters, self.root_weight * scaled, len(self.size))
        share = self.shrink * sums / self.size
        corrected: FloatArray = scaled - self.root_weight * share[self.clusters]
        return corrected

    def project(self, v: FloatArray) -> FloatArray:
        """Apply ``Q v``: what intercept and treatment leave of a whitened vector."""
        projected: FloatArray = v - self.basis @ (self.basis.T @ v)
        return projected

    def back(self, v: FloatArray) -> FloatArray:
        """Apply ``W' v`` (the transpose) for one vector of shape (n,)."""
        return self.root_weight * self._correct(v)

    def heterogeneity_residual(
        self, residual: FloatArray, contrast: FloatArray, effect: FloatArray
    ) -> FloatArray:
        """Whitened, projected ``residual - contrast * effect``: blind to the effect's level."""
        return self.project(self.whiten(residual - contrast * effect))

    def level(self, residual: FloatArray, contrast: FloatArray, effect: FloatArray) -> float:
        """GLS coefficient of the contrast once the varying effect is taken out."""
        whitened = self.whiten(residual - contrast * effect)
        ones = self.whiten(np.ones(len(residual)))
        design = np.column_stack([ones, self.whiten(contrast)])
        return float(np.linalg.lstsq(design, whitened, rcond=None)[0][1])


def whitening(
    contrast: FloatArray,
    clusters: IntArray | None,
    ratio: float,
    weight: FloatArray | None = None,
) -> Whitening:
    """Whitening of rows with between-cluster over residual variance ``ratio``.

    Parameters
    ----------
    contrast
        Treatment minus propensity, shape (n,).
    clusters
        Cluster number 0 to m - 1 of each row, or None for independent rows.
    ratio
        Variance ratio, not negative.
    weight
        Positive weights, or None.

    Returns
    -------
    Whitening

    Examples
    --------
    >>> w = whitening(np.array([-0.5, -0.5, 0.5, 0.5]), np.array([0, 0, 1, 1]), 4.0)
    >>> w.whiten(np.ones(4)).round(3).tolist()
    [0.333, 0.333, 0.333, 0.333]
    """
    n = len(contrast)
    root = np.ones(n) if weight is None else np.sqrt(weight)
    size = np.ones(1) if clusters is None else np.bincount(clusters, root**2).astype(np.float64)
    shrink = 1 - 1 / np.sqrt(1 + ratio * size)
    bare = Whitening(clusters, root, size, shrink, np.zeros((n, 0)))
    columns = np.column_stack([bare.whiten(np.ones(n)), bare.whiten(contrast)])
    basis, _ = np.linalg.qr(columns)
    return Whitening(clusters, root, size, shrink, basis)


def contrast_variances(
    residual: FloatArray,
    contrast: FloatArray,
    X: FloatArray,
    clusters: IntArray | None,
    weight: FloatArray | None = None,
) -> tuple[float, float]:
    r"""Variances of residual outcomes around an effect linear in the covariates, by REML.

    .. math:: r_{ij} = \alpha + a_i\,(\delta + x_{ij}'\gamma) + b_i + e_{ij}

    with standardised covariates and :math:`\gamma` a random block; it is left
    out when there are half as many covariates as rows.

    Parameters
    ----------
    residual
        Outcome minus its expectation given the covariates, shape (n,).
    contrast
        Treatment minus propensity, shape (n,).
    X
        Covariates, shape (n, p).
    clusters
        Cluster number 0 to m - 1 of each row, or None for independent rows.
    weight
        Positive weights, or None.

    Returns
    -------
    between_cluster
        Variance of the random intercept; 0 without clusters or with one row in each.
    residual
        Variance within clusters.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> a, X = np.tile([-0.5, 0.5], 200), rng.normal(size=(400, 1))
    >>> r = a * (1 + X[:, 0]) + 2 * rng.normal(size=400)
    >>> between, within = contrast_variances(r, a, X, None)
    >>> between, bool(3.4 < within < 4.6)
    (0.0, True)
    """
    mean, scale = column_scales(X, weight)
    n, p = X.shape
    head = np.column_stack([np.ones(n), contrast])
    blocks = [contrast[:, None] * (X - mean) / scale] if p < n / 2 else []
    fit = MixedModel(residual, head, blocks, identified_clusters(clusters), weight).fit()
    return fit.between_cluster_variance, fit.residual_variance


def estimated_whitening(
    residual: FloatArray,
    contrast: FloatArray,
    X: FloatArray,
    clusters: IntArray | None,
    weight: FloatArray | None = None,
) -> tuple[Whitening, float, float]:
    """Whitening at the variances of residual outcomes around a linear effect.

    Parameters
    ----------
    residual, contrast, X, clusters, weight
        As in `contrast_variances`.

    Returns
    -------
    white
        The whitening.
    between, within
        Variance between clusters, 0 without them, and within.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> a, X = np.tile([-0.5, 0.5], 200), rng.normal(size=(400, 1))
    >>> r = a * X[:, 0] + rng.normal(size=400)
    >>> white, between, within = estimated_whitening(r, a, X, None)
    >>> bool((white.whiten(r) == r).all()), between
    (True, 0.0)
    """
    between, within = contrast_variances(residual, contrast, X, clusters, weight)
    ratio = between / within if clusters is not None else 0.0
    return whitening(contrast, clusters, ratio, weight), between, within
