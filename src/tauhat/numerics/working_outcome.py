"""The linear mixed model of a working outcome: known residual variances, one pass of a GLMM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics import cholesky
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.nested_model import NestedMixedModel

# Less than this of a coefficient is rounding error of a block that is off.
_LEAST_EFFECTIVE = 1e-8


@dataclass(frozen=True, eq=False)
class Solution:
    """Penalised weighted least squares at given variances.

    Attributes
    ----------
    coefficients
        Fixed effects, then those of each block, shape (q,).
    root
        Upper-triangular R with ``R'R`` their precision, intercepts integrated out.
    cluster_effects, nesting_effects
        Predicted intercepts; empty without.
    squares, effective
        Sum of squares and effective number of each variance's coefficients: the
        blocks, the groups of clusters, what these lie in.
    log_volume, intercept_volume
        Log determinant of the precision of the coefficients, relative to that of
        their priors, and of the intercepts' precision given the coefficients,
        relative to their prior's.
    """

    coefficients: FloatArray
    root: FloatArray
    cluster_effects: FloatArray
    nesting_effects: FloatArray
    squares: FloatArray
    effective: FloatArray
    log_volume: float
    intercept_volume: float


class WorkingModel(MixedModel):
    """`tauhat.numerics.mixed_model.MixedModel` with residual variances 1 / weight, known.

    Its variance ratios are variances, therefore. The fixed effects have independent
    normal priors, which `set_prior` gives.
    """

    def set_prior(self, mean: FloatArray, precision: FloatArray) -> None:
        """Prior means and precisions of the fixed effects, each of shape (f,)."""
        self.prior_mean, self.prior_precision = mean, precision

    def _without_intercepts(self, ratios: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        precision, right, total = super()._without_intercepts(ratios)
        at = np.arange(self.n_fixed)
        precision[at, at] += self.prior_precision
        right[at] += self.prior_precision * self.prior_mean
        return precision, right, total

    def given(self, variances: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Coefficients, root of their precision, and log marginal likelihood of the outcome.

        The last but for terms in which the blocks' variances do not occur.

        Parameters
        ----------
        variances
            As in `solution`.
        """
        root, half, rss, _ = self._solve(np.log(variances))
        volume = 2 * np.log(np.diag(root)).sum()
        volume += float(self.block_sizes @ np.log(variances[: len(self.block_sizes)]))
        return cholesky.solve(root, half), root, -float(rss + volume) / 2

    def solution(self, variances: FloatArray) -> Solution:
        """Coefficients, intercepts and what the variances are updated with.

        Parameters
        ----------
        variances
            Positive variances: of each block, of each group of clusters, of what
            the clusters lie in.
        """
        root, half, _, _ = self._solve(np.log(variances))
        coefficients = cholesky.solve(root, half)
        inverse_root = cholesky.inverse(root)
        blocks = len(self.block_sizes)
        squares, effective = np.zeros(len(variances)), np.zeros(len(variances))
        for j, block in enumerate(self.block_slices):
            u = coefficients[block]
            squares[j] = float(u @ u)
            trace = float((inverse_root[block] ** 2).sum())
            effective[j] = self.block_sizes[j] - trace / variances[j]
        effects, *above = self._intercepts(variances, coefficients)
        nesting = above[0] if above else np.zeros(0)
        if len(variances) > blocks:
            groups = len(self.clusters.members)
            squares[blocks : blocks + groups] = self.clusters.members @ effects**2
            squares[blocks + groups :] = float(nesting @ nesting)
            # Residual variance 1: the residual sum of squares over its degrees of freedom.
            slopes = self._intercept_gradient(
                variances, coefficients, float(self.degrees_of_freedom), inverse_root
            )
            effective[blocks:] = slopes + squares[blocks:] / variances[blocks:]
        volume = 2 * np.log(np.diag(root)).sum()
        volume += float(self.block_sizes @ np.log(variances[:blocks]))
        proper = self.prior_precision[self.prior_precision > 0]
        return Solution(
            coefficients=coefficients,
            root=root,
            cluster_effects=effects,
            nesting_effects=nesting,
            squares=squares,
            effective=np.maximum(effective, _LEAST_EFFECTIVE),
            log_volume=float(volume - np.log(proper).sum()),
            intercept_volume=self._volume(variances),
        )


class NestedWorkingModel(WorkingModel, NestedMixedModel):
    """`WorkingModel` with intercepts of what the clusters lie in."""


def working_model(
    outcome: FloatArray,
    fixed: FloatArray,
    blocks: Sequence[FloatArray],
    weight: FloatArray,
    prior_mean: FloatArray,
    prior_precision: FloatArray,
    clusters: IntArray | None,
    cluster_groups: IntArray | None,
    nesting: IntArray | None,
) -> WorkingModel:
    """Working model with the intercepts that are given.

    Parameters
    ----------
    outcome
        Working outcome, less any offset, shape (n,).
    fixed, blocks, clusters, cluster_groups, nesting
        As in `tauhat.numerics.nested_model.mixed_model`.
    weight
        Working weights, shape (n,).
    prior_mean, prior_precision
        Prior of the fixed effects, shape (f,).

    Examples
    --------
    >>> one, no_prior = np.ones((4, 1)), np.zeros(1)
    >>> y = np.array([1.0, 2.0, 3.0, 4.0])
    >>> model = working_model(y, one, [], np.ones(4), no_prior, no_prior, None, None, None)
    >>> model.solution(np.zeros(0)).coefficients.tolist()
    [2.5]
    """
    if clusters is None or nesting is None:
        model = WorkingModel(outcome, fixed, blocks, clusters, weight, cluster_groups)
    else:
        model = NestedWorkingModel(
            outcome, fixed, blocks, clusters, weight, cluster_groups, nesting
        )
    model.set_prior(prior_mean, prior_precision)
    return model
