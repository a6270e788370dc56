"""Mixed models with more columns than rows, by the covariance of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics import cholesky
from tauhat.numerics.nested_model import Nesting, levels_above


@dataclass(frozen=True, eq=False)
class _ConditionalByRows:
    """Posterior of the coefficients and the residual variance at given variance ratios."""

    model: KernelMixedModel
    deviance: float
    ratios: FloatArray
    root: FloatArray
    half: FloatArray
    rss: float

    def draws(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draws of all coefficients, shape (count, q), and of the residual variance, (count,)."""
        return self.model.draws(self, count, rng)

    def mean(self) -> FloatArray:
        """Posterior mean of all coefficients, fixed ones first, shape (q,)."""
        return self.model.mean(self)


class KernelMixedModel:
    r"""Deviance and posterior draws of `tauhat.numerics.mixed_model.MixedModel` by rows.

    .. math::
        y = F\beta + \sum_k Z_k u_k + e, \quad
        V = I + \sum_k \varphi_k Z_k Z_k' + \varphi_c C C' + \varphi_s S S'

    with the indicators C of clusters and S of what they lie in, rows scaled by the root of
    their weights. One evaluation costs a Cholesky factor of the size of the rows, however
    many columns there are: the same deviance from matrices of n rows where the other
    model has one of q columns.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    fixed
        Columns with flat priors, of full column rank, shape (n, f).
    blocks
        Column blocks, each with one shared variance.
    clusters
        Cluster number 0 to m - 1 of each row, or None for no random intercept.
    weight
        Positive precision weights, or None.
    nesting
        Block 0 to k - 1 in which each cluster lies, shape (m,), or one such array a level; or
        None.

    Examples
    --------
    >>> from tauhat.numerics.mixed_model import MixedModel
    >>> rng = np.random.default_rng(1)
    >>> y, Z, ratio = rng.normal(size=20), rng.normal(size=(20, 50)), np.log([0.1])
    >>> by_rows = KernelMixedModel(y, np.ones((20, 1)), [Z]).deviance(ratio)
    >>> abs(by_rows - MixedModel(y, np.ones((20, 1)), [Z]).deviance(ratio)) < 1e-8
    True
    """

    def __init__(
        self,
        y: FloatArray,
        fixed: FloatArray,
        blocks: Sequence[FloatArray],
        clusters: IntArray | None = None,
        weight: FloatArray | None = None,
        nesting: Nesting | None = None,
    ) -> None:
        n = len(y)
        scale = np.ones(n) if weight is None else np.sqrt(weight)
        self.n_fixed = fixed.shape[1]
        self.degrees_of_freedom = n - self.n_fixed
        self._known = np.asfortranarray(np.column_stack([fixed, y]) * scale[:, None])
        self._blocks = [block * scale[:, None] for block in blocks]
        kernels = [block @ block.T for block in self._blocks]
        groups = [] if clusters is None else [clusters]
        for lies_in in () if clusters is None else levels_above(nesting):
            groups.append(lies_in[groups[-1]])
        # A draw of the intercepts: one normal number a group, at each of its rows.
        self._intercepts = [(group, scale) for group in groups]
        kernels += [np.equal.outer(group, group) * np.outer(scale, scale) for group in groups]
        self._kernels = np.array(kernels)

    @property
    def n_ratios(self) -> int:
        """Number of variance ratios: one a block, then clusters, then what they lie in."""
        return len(self._kernels)

    def _solve(self, ratios: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Factor of V, R'^-1 [F, y], factor of F'V^-1F beside its side of y, residual square."""
        covariance = np.tensordot(ratios, self._kernels, 1)
        covariance.flat[:: len(covariance) + 1] += 1
        # Symmetric, so that its transpose is the column-major matrix that is overwritten.
        root = cholesky.factor(covariance.T)
        half = cholesky.solve_transposed(root, self._known)
        triangle: FloatArray = np.asarray(np.linalg.qr(half, mode="r"))
        # A perfect fit would leave the logarithm of nothing.
        least = 1e-12 * max(float(self._known[:, -1] @ self._known[:, -1]), 1e-300)
        return root, half, triangle, max(float(triangle[-1, -1] ** 2), least)

    def _deviance(self, root: FloatArray, triangle: FloatArray, rss: float) -> float:
        value = self.degrees_of_freedom * np.log(rss) + 2 * np.log(np.diag(root)).sum()
        return float(value + 2 * np.log(np.abs(np.diag(triangle)[:-1])).sum())

    def deviance(self, log_ratios: FloatArray) -> float:
        """Minus twice the profiled restricted log-likelihood, up to a constant."""
        root, _, triangle, rss = self._solve(np.exp(log_ratios))
        return self._deviance(root, triangle, rss)

    def objective(self, log_ratios: FloatArray) -> tuple[float, FloatArray]:
        r"""Deviance and its gradient in the log ratios.

        .. math:: \varphi_k\{\mathrm{tr}(P K_k) - (n-f)\, y'P K_k P y / RSS\}, \quad
            P = V^{-1} - V^{-1}F(F'V^{-1}F)^{-1}F'V^{-1}
        """
        ratios = np.exp(log_ratios)
        root, half, triangle, rss = self._solve(ratios)
        inverse_root = cholesky.inverse(root)
        fixed = inverse_root @ np.linalg.solve(triangle[:-1, :-1].T, half[:, :-1].T).T
        projection = inverse_root @ inverse_root.T - fixed @ fixed.T
        weighted = projection @ self._known[:, -1]
        metric = projection - self.degrees_of_freedom / rss * np.outer(weighted, weighted)
        gradient: FloatArray = ratios * np.tensordot(self._kernels, metric, 2)
        return self._deviance(root, triangle, rss), gradient

    def conditional(self, log_ratios: FloatArray) -> _ConditionalByRows:
        """What is known of the coefficients at given log ratios: its `deviance`, and draws."""
        ratios = np.exp(log_ratios)
        root, half, triangle, rss = self._solve(ratios)
        value = self._deviance(root, triangle, rss)
        return _ConditionalByRows(self, value, ratios, root, half, rss)

    def draws(
        self, given: _ConditionalByRows, count: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Draws of all coefficients and of the residual variance.

        Coefficients, intercepts and residuals are drawn from their priors, and corrected by
        what the outcome says: then they are draws from the posterior (Bhattacharya,
        Chakraborty and Mallick 2016).
        """
        variances = given.rss / rng.chisquare(self.degrees_of_freedom, count)
        deviations = np.sqrt(np.outer(given.ratios, variances))
        n_blocks = len(self._blocks)
        simulated = np.sqrt(variances) * rng.normal(size=(len(given.half), count))
        prior = []
        for s, block in zip(deviations[:n_blocks], self._blocks, strict=True):
            prior.append(s * rng.normal(size=(block.shape[1], count)))
            simulated += block @ prior[-1]
        of_groups = deviations[n_blocks:]
        for s, (group, scale) in zip(of_groups, self._intercepts, strict=True):
            simulated += scale[:, None] * (s * rng.normal(size=(group.max() + 1, count)))[group]
        fixed, shifts = self._best(given, self._known[:, -1:] - simulated)
        drawn = [own + shift for own, shift in zip(prior, shifts, strict=True)]
        return np.concatenate([fixed, *drawn]).T, variances

    def mean(self, given: _ConditionalByRows) -> FloatArray:
        """Posterior mean of all coefficients, fixed ones first, shape (q,)."""
        fixed, blocks = self._best(given, self._known[:, -1])
        return np.concatenate([fixed, *blocks])

    def _best(
        self, given: _ConditionalByRows, outcome: FloatArray
    ) -> tuple[FloatArray, list[FloatArray]]:
        """Means of the fixed coefficients and of each block's, had the outcome been another.

        Of several outcomes, shape (n, k), each has a column of the means.
        """
        left = cholesky.solve_transposed(given.root, outcome)
        solved = np.linalg.lstsq(given.half[:, :-1], left, rcond=None)[0]
        fixed = np.asarray(solved, dtype=np.float64)
        weighted = cholesky.solve(given.root, left - given.half[:, :-1] @ fixed)
        ratios = given.ratios[: len(self._blocks)]
        pairs = zip(ratios, self._blocks, strict=True)
        return fixed, [ratio * (block.T @ weighted) for ratio, block in pairs]
