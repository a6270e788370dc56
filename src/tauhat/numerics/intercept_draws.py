"""Posterior draws of a random intercept, its variance and the linear terms it competes with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.latent import SampledOutcome

# Standard deviations of the intercept below this part of the prior's scale are zero for every
# purpose; the search stops there.
_SMALLEST_PART = 1e-3
_SLICE_WIDTH = 1.0


@dataclass(frozen=True)
class LinearDraw:
    """One draw of everything in the model that is not a tree.

    Attributes
    ----------
    coefficients
        Of the linear terms, shape (p,).
    effects
        Intercepts of the clusters, shape (m,); empty without clusters.
    between
        Their variance, 0 without clusters.
    fitted
        What both add up to on the rows, shape (n,).
    """

    coefficients: FloatArray
    effects: FloatArray
    between: float
    fitted: FloatArray


class InterceptSampler:
    r"""Block of a Gibbs sampler: intercepts, their variance and linear coefficients at once.

    .. math::
        r = W\beta + z b_c + e, \quad b_c \sim N(0, \sigma_b^2), \quad
        e \sim N(0, \sigma^2), \quad \beta \sim N(0, D), \quad \sigma_b \sim C^+(0, s)

    with the half-Cauchy prior of Gelman (2006) on the intercept's standard
    deviation. Its logarithm is drawn by slice sampling (Neal 2003) from the
    density with :math:`\beta` and :math:`b` integrated out, then
    :math:`\beta` with :math:`b` integrated out, then :math:`b`. So a
    treatment that whole clusters receive does not wait for the intercepts to
    make room, as it does when each is drawn given the other.

    Parameters
    ----------
    columns
        Linear terms W, shape (n, p); p is 0, 1 or 2.
    prior_variance
        Diagonal of D, shape (p,).
    clusters
        Cluster 0 to m - 1 of each row, shape (n,), or None for no intercept.
    regressor
        What the intercept is multiplied by, z, shape (n,): ones, or roots of weights.
    scale
        Median s of the prior on :math:`\sigma_b`.

    References
    ----------
    Gelman (2006), Bayesian Analysis 1:515-534; Neal (2003), Annals of
    Statistics 31:705-767.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(40), 25)
    >>> r = 0.5 * rng.normal(size=40)[clusters] + rng.normal(size=1000)
    >>> sampler = InterceptSampler(np.ones((1000, 1)), np.ones(1), clusters, np.ones(1000))
    >>> draws = [sampler.draw(r, 1.0, rng).between for _ in range(200)]
    >>> bool(0.15 < np.mean(draws) < 0.4)
    True
    """

    def __init__(
        self,
        columns: FloatArray,
        prior_variance: FloatArray,
        clusters: IntArray | None,
        regressor: FloatArray,
        scale: float = 1.0,
    ) -> None:
        self.columns = columns
        self.clusters = clusters
        self.regressor = regressor
        self.scale = scale
        self._precision = np.diag(1.0 / prior_variance)
        self.totals: FloatArray = np.zeros(0)
        self._column_sums: FloatArray = np.zeros((0, columns.shape[1]))
        if clusters is not None:
            self.totals = np.bincount(clusters, regressor**2).astype(np.float64)
            sums = [np.bincount(clusters, regressor * column) for column in columns.T]
            self._column_sums = np.array(sums, dtype=np.float64).reshape(-1, len(self.totals)).T
        # Of two linear terms; a missing one is a column of zeros that is known to be zero.
        two = np.zeros((len(self.totals), 2))
        two[:, : columns.shape[1]] = self._column_sums
        self._column_sums_of_two = two
        # Of each cluster: products of those sums; then, for each draw to fill in, what hangs on
        # the residual.
        pairs = [two[:, 0] ** 2, two[:, 0] * two[:, 1], two[:, 1] ** 2]
        self._by_cluster = np.column_stack([*pairs, np.zeros((len(two), 3))])
        padded = np.hstack([columns, np.zeros((len(columns), 2 - columns.shape[1]))])
        self._products_of_two: list[float] = (padded.T @ padded)[np.triu_indices(2)].tolist()
        self._precision_of_two: list[float] = [*(1.0 / prior_variance).tolist(), 1.0, 1.0][:2]
        self._log_deviation = float(np.log(0.3 * scale))

    def restart(self, between: float) -> None:
        """Continue from another state of the variance, that of another chain."""
        if between > 0:
            self._log_deviation = 0.5 * float(np.log(between))

    def with_level_moved(
        self,
        state: LinearDraw,
        fitted: FloatArray,
        outcome: SampledOutcome,
        rng: np.random.Generator,
    ) -> tuple[LinearDraw, FloatArray]:
        """State whose coefficients an outcome has moved, and the change on the rows.

        Parameters
        ----------
        state
            The last draw.
        fitted
            What the whole model fits to the outcome, shape (n,).
        outcome
            What lies behind events (`tauhat.numerics.latent`).
        rng
            Source of the draws.
        """
        change = outcome.level_change(
            fitted, self.columns, state.coefficients, self._precision, rng
        )
        moved = self.columns @ change
        coefficients = state.coefficients + change
        return replace(state, coefficients=coefficients, fitted=state.fitted + moved), moved

    def draw(
        self, residual: FloatArray, residual_variance: float, rng: np.random.Generator
    ) -> LinearDraw:
        """Draw the block.

        Parameters
        ----------
        residual
            Outcome less the trees, shape (n,).
        residual_variance
            Variance within clusters.
        rng
            Source of the draws.

        Returns
        -------
        LinearDraw
        """
        cross: list[float] = [*(self.columns.T @ residual).tolist(), 0.0, 0.0][:2]
        n_terms, between, sums = self.columns.shape[1], 0.0, np.zeros(0)
        if self.clusters is not None:
            weighted = self.regressor * residual
            sums = np.bincount(self.clusters, weighted, len(self.totals)).astype(np.float64)
            self._by_cluster[:, 3:5] = self._column_sums_of_two * sums[:, None]
            self._by_cluster[:, 5] = sums**2
            self._log_deviation = self._slice(cross, residual_variance, rng)
            between = math.exp(2 * self._log_deviation)
        share = between / (residual_variance + self.totals * between)
        coefficients = self._coefficients(share, cross, residual_variance, rng)[:n_terms]
        fitted = self.columns @ coefficients
        effects: FloatArray = np.zeros(0)
        if self.clusters is not None:
            mean = share * (sums - self._column_sums @ coefficients)
            effects = mean + np.sqrt(share * residual_variance) * rng.standard_normal(len(mean))
            fitted = fitted + self.regressor * effects[self.clusters]
        return LinearDraw(coefficients, effects, between, fitted)

    def _of_two(
        self, share: FloatArray, cross: Sequence[float], variance: float
    ) -> tuple[float, float, float, float, float, float]:
        """Precision of two coefficients (its upper triangle), that times their mean, and a square.

        The square is what the clusters explain with both coefficients at zero, where of each a
        share is kept of its intercept's unshrunken sum.
        """
        found: list[float] = (share @ self._by_cluster).tolist()
        products, prior = self._products_of_two, self._precision_of_two
        return (
            (products[0] - found[0]) / variance + prior[0],
            (products[1] - found[1]) / variance,
            (products[2] - found[2]) / variance + prior[1],
            (cross[0] - found[3]) / variance,
            (cross[1] - found[4]) / variance,
            found[5] / variance,
        )

    def _coefficients(
        self, share: FloatArray, cross: Sequence[float], variance: float, rng: np.random.Generator
    ) -> FloatArray:
        """Draw two coefficients with the intercepts integrated out, by a Cholesky factor."""
        a, b, d, r, s, _ = self._of_two(share, cross, variance)
        noise = np.zeros(2)
        noise[: self.columns.shape[1]] = rng.standard_normal(self.columns.shape[1])
        one, two = noise.tolist()
        first = math.sqrt(a)
        below = b / first
        second = math.sqrt(d - below * below)
        half = r / first
        other = ((s - below * half) / second + two) / second
        return np.array([(half + one - below * other) / first, other])

    def _log_density(self, cross: Sequence[float], variance: float) -> Callable[[float], float]:
        """Of the logarithm of the intercept's standard deviation, all else integrated out."""
        totals, scale2 = self.totals, self.scale**2

        def log_density(log_deviation: float) -> float:
            between = math.exp(2 * log_deviation)
            grown = variance + totals * between
            a, b, d, r, s, square = self._of_two(between / grown, cross, variance)
            determinant = a * d - b * b
            value = square - float(np.add.reduce(np.log(grown)))
            value += (d * r * r - 2 * b * r * s + a * s * s) / determinant - math.log(determinant)
            return 0.5 * value - math.log1p(between / scale2) + log_deviation

        return log_density

    def _slice(self, cross: Sequence[float], variance: float, rng: np.random.Generator) -> float:
        floor = float(np.log(_SMALLEST_PART * self.scale))
        now = max(self._log_deviation, floor)
        log_density = self._log_density(cross, variance)
        height = log_density(now) - rng.standard_exponential()
        low = now - _SLICE_WIDTH * rng.random()
        high = low + _SLICE_WIDTH
        while low > floor and log_density(low) > height:
            low -= _SLICE_WIDTH
        while log_density(high) > height:
            high += _SLICE_WIDTH
        low = max(low, floor)
        while True:
            new = low + (high - low) * rng.random()
            if log_density(new) >= height:
                return float(new)
            low, high = (new, high) if new < now else (low, new)
