"""Mixed models whose clusters lie in blocks that have intercepts of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics import cholesky
from tauhat.numerics.mixed_model import MixedFit, MixedModel


class NestedMixedModel(MixedModel):
    r"""`tauhat.numerics.mixed_model.MixedModel` with random intercepts of blocks of clusters.

    .. math::
        y = F\beta + \sum_k Z_k u_k + g_{s(c)} + b_{c} + e, \quad
        g_s \sim N(0, \varphi_s\sigma^2)

    With :math:`n_c = N_c / (1 + \varphi_c N_c)` for clusters of weight :math:`N_c`, what a
    block is worth is :math:`Q_s = \sum_{c \in s} n_c`, and the same sums of columns
    :math:`T_s = \sum_{c \in s} S_c / (1 + \varphi_c N_c)` give

    .. math::
        C'V^{-1}C = C'C - \sum_c \frac{\varphi_c}{1 + \varphi_c N_c} S_c S_c'
        - \sum_s \frac{\varphi_s}{1 + \varphi_s Q_s} T_s T_s', \qquad
        |V| = \prod_c (1 + \varphi_c N_c) \prod_s (1 + \varphi_s Q_s)

    so that the numbers of clusters and of blocks cost next to nothing. The log ratio of the
    blocks' variance is the last one.

    Parameters
    ----------
    y, fixed, blocks, clusters, weight, cluster_groups
        As in `tauhat.numerics.mixed_model.MixedModel`; its ``blocks`` are those of columns.
    nesting
        Block 0 to k - 1 in which each cluster lies, shape (m,).
    """

    def __init__(
        self,
        y: FloatArray,
        fixed: FloatArray,
        blocks: Sequence[FloatArray],
        clusters: IntArray,
        weight: FloatArray | None,
        cluster_groups: IntArray | None,
        nesting: IntArray,
    ) -> None:
        super().__init__(y, fixed, blocks, clusters, weight, cluster_groups)
        m = len(nesting)
        self.nesting = nesting
        self.gather = sparse.csr_array((np.ones(m), (nesting, np.arange(m))))

    @property
    def n_ratios(self) -> int:
        """Number of variance ratios."""
        return super().n_ratios + 1

    def _over_blocks(self, values: FloatArray) -> FloatArray:
        """Sums over the clusters of each block."""
        return np.asarray(self.gather @ values, dtype=np.float64)

    def _worth(self, ratios: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Shrinkage and worth of each cluster, worth and weight of each block."""
        shrink = 1 + self._cluster_ratios(ratios) * self.clusters.weight
        own = self.clusters.weight / shrink
        of_blocks = self._over_blocks(own)
        k: FloatArray = ratios[-1] / (1 + ratios[-1] * of_blocks)
        return shrink, own, of_blocks, k

    def _without_intercepts(self, ratios: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        precision, right, total = super()._without_intercepts(ratios)
        shrink, _, _, k = self._worth(ratios)
        sums = self._over_blocks(self.clusters.columns / shrink[:, None])
        sums_y = self._over_blocks(self.clusters.outcome / shrink)
        precision = cholesky.less_cross_products(precision, np.sqrt(k)[:, None] * sums)
        return precision, right - sums.T @ (k * sums_y), total - float(k @ sums_y**2)

    def _volume(self, ratios: FloatArray) -> float:
        worth = self._worth(ratios)[2]
        return super()._volume(ratios) + float(np.log1p(ratios[-1] * worth).sum())

    def _intercept_gradient(
        self, ratios: FloatArray, coefficients: FloatArray, rss: float, inverse_root: FloatArray
    ) -> FloatArray:
        shrink, own, worth, k = self._worth(ratios)
        # Sums of V^-1 times the residuals, and times the columns in the metric of their
        # precision, over clusters and over blocks.
        residual = self.clusters.outcome - self.clusters.columns @ coefficients
        both = np.column_stack([residual, self.clusters.columns @ inverse_root]) / shrink[:, None]
        of_blocks = self._over_blocks(both)
        of_clusters = both - (own[:, None] * (k[:, None] * of_blocks)[self.nesting])
        of_blocks /= (1 + ratios[-1] * worth)[:, None]

        def slope(sums: FloatArray, trace: FloatArray) -> FloatArray:
            fit = self.degrees_of_freedom * sums[:, 0] ** 2 / rss
            found: FloatArray = trace - fit - (sums[:, 1:] ** 2).sum(axis=1)
            return found

        by_cluster = slope(of_clusters, own - k[self.nesting] * own**2)
        by_block = slope(of_blocks, worth / (1 + ratios[-1] * worth))
        slopes = self.clusters.members @ (self._cluster_ratios(ratios) * by_cluster)
        gradient: FloatArray = np.r_[slopes, ratios[-1] * by_block.sum()]
        return gradient

    def _intercepts(
        self, ratios: FloatArray, coefficients: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        shrink, own, _, k = self._worth(ratios)
        sums = (self.clusters.outcome - self.clusters.columns @ coefficients) / shrink
        of_blocks = k * self._over_blocks(sums)
        of_clusters = self._cluster_ratios(ratios) * (sums - own * of_blocks[self.nesting])
        return of_clusters, of_blocks

    def satterthwaite(self, fit: MixedFit, contrast: FloatArray) -> float:
        """Not derived for nested intercepts."""
        raise NotImplementedError("Satterthwaite's degrees of freedom with nested intercepts")


def mixed_model(
    y: FloatArray,
    fixed: FloatArray,
    blocks: Sequence[FloatArray] = (),
    clusters: IntArray | None = None,
    weight: FloatArray | None = None,
    cluster_groups: IntArray | None = None,
    nesting: IntArray | None = None,
) -> MixedModel:
    """Mixed model with the intercepts that are given.

    Parameters
    ----------
    y, fixed, blocks, clusters, weight, cluster_groups
        As in `tauhat.numerics.mixed_model.MixedModel`.
    nesting
        Block in which each cluster lies, shape (m,), or None.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> cluster = np.repeat(np.arange(200), 5)
    >>> level = rng.normal(size=50)[np.arange(200) // 4] + 0.5 * rng.normal(size=200)
    >>> y = level[cluster] + rng.normal(size=1000)
    >>> ones = np.ones((1000, 1))
    >>> fit = mixed_model(y, ones, clusters=cluster, nesting=np.arange(200) // 4).fit()
    >>> bool(0.5 < fit.nesting_variance < 1.5), bool(0.1 < fit.between_cluster_variance < 0.4)
    (True, True)
    """
    if clusters is None or nesting is None:
        return MixedModel(y, fixed, blocks, clusters, weight, cluster_groups)
    return NestedMixedModel(y, fixed, blocks, clusters, weight, cluster_groups, nesting)
