"""Mixed models whose clusters lie in blocks that have intercepts of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics import cholesky
from tauhat.numerics.column_sums import MadeBlock
from tauhat.numerics.mixed_model import MixedFit, MixedModel

Nesting = IntArray | Sequence[IntArray]
"""What the clusters lie in: one number each, or one such array a level, innermost first."""


def levels_above(nesting: Nesting | None) -> tuple[IntArray, ...]:
    """One array for each level above the clusters, innermost first.

    Examples
    --------
    >>> len(levels_above(np.array([0, 0, 1]))), levels_above(None)
    (1, ())
    """
    if nesting is None:
        return ()
    return (nesting,) if isinstance(nesting, np.ndarray) else tuple(nesting)


class _Levels(NamedTuple):
    """What the units of each level are at some ratios, clusters first.

    Their ratio, weight and shrinkage, and the sums of columns and outcome that the intercepts
    below leave.
    """

    ratio: list[FloatArray]
    weight: list[FloatArray]
    shrink: list[FloatArray]
    columns: list[FloatArray]
    outcome: list[FloatArray]

    def of(self, level: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Those of one level."""
        return self.ratio[level], self.weight[level], self.shrink[level]


class NestedMixedModel(MixedModel):
    r"""`tauhat.numerics.mixed_model.MixedModel` with random intercepts of what clusters lie in.

    Clusters may lie in blocks, these in others, and so on: levels, of which clusters are the first.

    .. math::
        y = F\beta + \sum_k Z_k u_k + \sum_l b^{(l)}_{c_l} + e, \quad
        b^{(l)}_c \sim N(0, \varphi_l\sigma^2)

    Of the weights :math:`N_c` and the sums :math:`S_c` of columns, the units c of a level hand on
    to the unit s that holds them what their own intercepts leave:

    .. math::
        N_s = \sum_{c \in s} \frac{N_c}{1 + \varphi_c N_c}, \qquad
        S_s = \sum_{c \in s} \frac{S_c}{1 + \varphi_c N_c}

    and with sums over the units of all levels

    .. math::
        C'V^{-1}C = C'C - \sum_c \frac{\varphi_c}{1 + \varphi_c N_c} S_c S_c', \qquad
        |V| = \prod_c (1 + \varphi_c N_c)

    so that the numbers of clusters and of blocks cost next to nothing. The log ratios of the
    levels above the clusters are the last ones, the outermost at the end.

    Parameters
    ----------
    y, fixed, blocks, clusters, weight, cluster_groups
        As in `tauhat.numerics.mixed_model.MixedModel`; its ``blocks`` are those of columns.
    nesting
        Block 0 to k - 1 in which each cluster lies, shape (m,); where blocks lie in others,
        one such array a level, innermost first.
    """

    def __init__(
        self,
        y: FloatArray,
        fixed: FloatArray,
        blocks: Sequence[FloatArray | MadeBlock],
        clusters: IntArray,
        weight: FloatArray | None,
        cluster_groups: IntArray | None,
        nesting: Nesting,
    ) -> None:
        super().__init__(y, fixed, blocks, clusters, weight, cluster_groups)
        self.nesting = levels_above(nesting)
        self.gather = [
            sparse.csr_array((np.ones(len(lies_in)), (lies_in, np.arange(len(lies_in)))))
            for lies_in in self.nesting
        ]
        self._latest: tuple[FloatArray, _Levels] | None = None

    @property
    def n_ratios(self) -> int:
        """Number of variance ratios."""
        return super().n_ratios + len(self.nesting)

    def _levels(self, ratios: FloatArray) -> _Levels:
        """Those at these ratios; one evaluation asks several times."""
        if self._latest is None or not np.array_equal(self._latest[0], ratios):
            self._latest = ratios.copy(), self._levels_at(ratios)
        return self._latest[1]

    def _levels_at(self, ratios: FloatArray) -> _Levels:
        of_units, weight = [self._cluster_ratios(ratios)], [self.clusters.weight]
        shrink = [1 + of_units[0] * weight[0]]
        columns, outcome = [self.clusters.columns], [self.clusters.outcome]
        for gather, ratio in zip(self.gather, ratios[-len(self.gather) :], strict=True):
            left = shrink[-1]
            weight.append(np.asarray(gather @ (weight[-1] / left), dtype=np.float64))
            columns.append(np.asarray(gather @ (columns[-1] / left[:, None]), dtype=np.float64))
            outcome.append(np.asarray(gather @ (outcome[-1] / left), dtype=np.float64))
            of_units.append(np.full(len(weight[-1]), ratio))
            shrink.append(1 + of_units[-1] * weight[-1])
        return _Levels(of_units, weight, shrink, columns, outcome)

    def _down(self, up: list[FloatArray], levels: _Levels) -> list[FloatArray]:
        """Sums over units of V^-1 times values, of which these are what intercepts below leave."""
        found: list[FloatArray] = []
        above = np.zeros((1, up[0].shape[1]))
        for level, sums in reversed(list(enumerate(up))):
            ratio, weight, shrink = levels.of(level)
            if found:
                above = above[self.nesting[level]]
            found.append((sums - weight[:, None] * above) / shrink[:, None])
            above = above + ratio[:, None] * found[-1]
        return found[::-1]

    def _traces(self, levels: _Levels) -> list[FloatArray]:
        """Sum of V^-1 over the pairs of rows of each unit of each level."""
        found: list[FloatArray] = []
        # Variance of all intercepts above and of the unit's own, given the outcome.
        spread: FloatArray = np.zeros(1)
        for level in reversed(range(len(levels.shrink))):
            ratio, weight, shrink = levels.of(level)
            if found:
                spread = spread[self.nesting[level]]
            own = weight / shrink
            found.append(own - own**2 * spread)
            spread = ratio / shrink + spread / shrink**2
        return found[::-1]

    def _without_intercepts(self, ratios: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        precision, right, total = super()._without_intercepts(ratios)
        levels = self._levels(ratios)
        for level in range(1, len(levels.columns)):
            ratio, _, shrink = levels.of(level)
            k = ratio / shrink
            sums, sums_y = levels.columns[level], levels.outcome[level]
            precision = cholesky.less_cross_products(precision, np.sqrt(k)[:, None] * sums)
            right, total = right - sums.T @ (k * sums_y), total - float(k @ sums_y**2)
        return precision, right, total

    def _volume(self, ratios: FloatArray) -> float:
        ratio, weight = self._levels(ratios)[:2]
        above = zip(ratio[1:], weight[1:], strict=True)
        return super()._volume(ratios) + float(sum(np.log1p(r * w).sum() for r, w in above))

    def _intercept_gradient(
        self, ratios: FloatArray, coefficients: FloatArray, rss: float, inverse_root: FloatArray
    ) -> FloatArray:
        levels = self._levels(ratios)
        # Residuals, and the columns in the metric of their precision.
        both = [
            np.column_stack([outcome - columns @ coefficients, columns @ inverse_root])
            for columns, outcome in zip(levels.columns, levels.outcome, strict=True)
        ]
        slopes = []
        for sums, trace in zip(self._down(both, levels), self._traces(levels), strict=True):
            fit = self.degrees_of_freedom * sums[:, 0] ** 2 / rss
            slopes.append(trace - fit - (sums[:, 1:] ** 2).sum(axis=1))
        of_groups = self.clusters.members @ (levels.ratio[0] * slopes[0])
        above = [
            float(ratio @ slope) for ratio, slope in zip(levels.ratio[1:], slopes[1:], strict=True)
        ]
        gradient: FloatArray = np.r_[of_groups, above]
        return gradient

    def _intercepts(self, ratios: FloatArray, coefficients: FloatArray) -> list[FloatArray]:
        levels = self._levels(ratios)
        residual = [
            (outcome - columns @ coefficients)[:, None]
            for columns, outcome in zip(levels.columns, levels.outcome, strict=True)
        ]
        sums = self._down(residual, levels)
        return [ratio * of[:, 0] for ratio, of in zip(levels.ratio, sums, strict=True)]

    def satterthwaite(self, fit: MixedFit, contrast: FloatArray) -> float:
        """Not derived for nested intercepts."""
        raise NotImplementedError("Satterthwaite's degrees of freedom with nested intercepts")


def mixed_model(
    y: FloatArray,
    fixed: FloatArray,
    blocks: Sequence[FloatArray | MadeBlock] = (),
    clusters: IntArray | None = None,
    weight: FloatArray | None = None,
    cluster_groups: IntArray | None = None,
    nesting: Nesting | None = None,
) -> MixedModel:
    """Mixed model with the intercepts that are given.

    Parameters
    ----------
    y, fixed, blocks, clusters, weight, cluster_groups
        As in `tauhat.numerics.mixed_model.MixedModel`.
    nesting
        Block in which each cluster lies, shape (m,), or one such array a level; or None.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> cluster = np.repeat(np.arange(200), 5)
    >>> level = rng.normal(size=50)[np.arange(200) // 4] + 0.5 * rng.normal(size=200)
    >>> y = level[cluster] + rng.normal(size=1000)
    >>> ones = np.ones((1000, 1))
    >>> fit = mixed_model(y, ones, clusters=cluster, nesting=np.arange(200) // 4).fit()
    >>> bool(0.5 < fit.nesting_variances[0] < 1.5), bool(0.1 < fit.between_cluster_variance < 0.4)
    (True, True)
    """
    if clusters is None or not levels_above(nesting):
        return MixedModel(y, fixed, blocks, clusters, weight, cluster_groups)
    assert nesting is not None
    return NestedMixedModel(y, fixed, blocks, clusters, weight, cluster_groups, nesting)
