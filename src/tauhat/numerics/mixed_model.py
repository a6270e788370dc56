"""Linear mixed models with a random intercept and ridge blocks, by exact REML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy import linalg

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics import cholesky
from tauhat.numerics.cluster_sums import ClusterSums
from tauhat.numerics.column_sums import MadeBlock, column_sums
from tauhat.numerics.reml_search import Penalty, at_zero, penalised, search
from tauhat.numerics.standardised_columns import independent_columns


@dataclass(frozen=True)
class MixedFit:
    """A fitted mixed model.

    Attributes
    ----------
    coefficients
        Fixed effects, then the random coefficients of each block, shape (k,).
    covariance_root
        Upper-triangular R with ``R'R`` the precision of the coefficients over
        the residual variance, shape (k, k).
    log_ratios
        Log of each variance over the residual variance: one a block, then the
        random intercept's, one a group of clusters, if there are clusters.
    residual_variance
        Variance of the residuals.
    between_cluster_variance
        Variance of the random intercept, averaged over the clusters (0 without).
    between_cluster_variances
        The same in each group of clusters, shape (g,); empty without clusters.
    block_variances
        Variance of each block's coefficients.
    cluster_effects
        Predicted random intercepts, shape (m,); empty without clusters.
    restricted_log_likelihood
        REML log-likelihood, with the constants that lme4 reports.
    degrees_of_freedom
        Rows less fixed effects.
    nesting_variances
        Variances of the intercepts of what the clusters lie in, innermost first; empty without.
    level_effects
        Predicted intercepts of the clusters and of these.
    """

    coefficients: FloatArray
    covariance_root: FloatArray
    log_ratios: FloatArray
    residual_variance: float
    between_cluster_variance: float
    between_cluster_variances: FloatArray
    block_variances: FloatArray
    cluster_effects: FloatArray
    restricted_log_likelihood: float
    degrees_of_freedom: int
    nesting_variances: FloatArray = field(default_factory=lambda: np.zeros(0))
    level_effects: tuple[FloatArray, ...] = ()

    def standard_errors(self, contrasts: FloatArray) -> FloatArray:
        """Standard errors of ``contrasts @ coefficients`` for contrasts of shape (q, k)."""
        solved = linalg.solve_triangular(self.covariance_root, contrasts.T, trans="T")
        errors: FloatArray = np.sqrt(self.residual_variance * (solved**2).sum(axis=0))
        return errors


@dataclass(frozen=True, eq=False)
class _Conditional:
    """Posterior of the coefficients and the residual variance at given variance ratios.

    The residual variance has Jeffreys' prior, the fixed effects flat ones.
    """

    deviance: float
    root: FloatArray
    half: FloatArray
    rss: float
    degrees_of_freedom: int

    def draws(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draws of all coefficients, shape (count, q), and of the residual variance, (count,)."""
        variances = self.rss / rng.chisquare(self.degrees_of_freedom, count)
        noise = rng.normal(size=(count, len(self.half))) * np.sqrt(variances)[:, None]
        return cholesky.solve(self.root, noise.T + self.half[:, None]).T, variances

    def mean(self) -> FloatArray:
        """Posterior mean of all coefficients, fixed ones first, shape (q,)."""
        return cholesky.solve(self.root, self.half)


class MixedModel:
    r"""Gaussian mixed model in Henderson's form.

    .. math::
        y = F\beta + \sum_k Z_k u_k + b_{c} + e,\quad
        u_k \sim N(0, \varphi_k\sigma^2 I),\; b_c \sim N(0, \varphi_{g(c)}\sigma^2),\;
        e_i \sim N(0, \sigma^2 / w_i)

    The residual variance is profiled out. With :math:`C = [F, Z_1, \dots]`, the
    random intercept enters through cluster sums only, so one evaluation costs a
    Cholesky factor of the size of ``C``'s columns whatever the number of rows.

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
    cluster_groups
        Group 0 to g - 1 of each cluster, such as its arm, shape (m,): the random
        intercept has one variance a group. None for one variance.

    Raises
    ------
    ValueError
        If there are not more rows than fixed columns.
    """

    def __init__(
        self,
        y: FloatArray,
        fixed: FloatArray,
        blocks: Sequence[FloatArray | MadeBlock] = (),
        clusters: IntArray | None = None,
        weight: FloatArray | None = None,
        cluster_groups: IntArray | None = None,
    ) -> None:
        n = len(y)
        self.n_fixed = fixed.shape[1]
        self.degrees_of_freedom = n - self.n_fixed
        if self.degrees_of_freedom <= 0:
            raise ValueError(
                f"{n} rows cannot determine {self.n_fixed} fixed coefficients; shrink them"
            )
        self.block_sizes = np.array([block.shape[1] for block in blocks], dtype=np.int64)
        edges = self.n_fixed + np.r_[0, np.cumsum(self.block_sizes)]
        self.block_slices = [slice(a, b) for a, b in pairwise(edges)]
        self.log_weights = 0.0 if weight is None else float(np.log(weight).sum())
        sums = column_sums(y, fixed, blocks, clusters, weight)
        self.cross, self.cross_y, self.sum_squares = sums.cross, sums.cross_y, sums.sum_squares
        self.clusters = ClusterSums(sums.weight, sums.columns, sums.outcome, cluster_groups)

    @property
    def n_ratios(self) -> int:
        """Number of variance ratios."""
        return len(self.block_sizes) + len(self.clusters.members)

    def _cluster_ratios(self, ratios: FloatArray) -> FloatArray:
        """Variance ratio of each cluster's intercept, shape (m,)."""
        first = len(self.block_sizes)
        own: FloatArray = ratios[first : first + len(self.clusters.members)] @ self.clusters.members
        return own

    def _without_intercepts(self, ratios: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Cross products of columns and outcome in the metric of the intercepts' variances.

        Of those of the columns only the upper triangle counts.
        """
        own = self._cluster_ratios(ratios)
        k = own / (1 + own * self.clusters.weight)
        precision = self.clusters.less(self.cross, k)
        right = self.cross_y - self.clusters.columns.T @ (k * self.clusters.outcome)
        return precision, right, self.sum_squares - float(k @ self.clusters.outcome**2)

    def _solve(self, log_ratios: FloatArray) -> tuple[FloatArray, FloatArray, float, FloatArray]:
        """Cholesky factor R, R'^-1 times the right-hand side, residual sum of squares, ratios."""
        ratios = np.exp(log_ratios)
        precision, right, total = self._without_intercepts(ratios)
        added = np.repeat(1 / ratios[: len(self.block_sizes)], self.block_sizes)
        shrunken = np.arange(self.n_fixed, len(precision))
        precision[shrunken, shrunken] += added
        root = cholesky.factor(precision)
        half = cholesky.solve_transposed(root, right)
        # Rounding can leave a perfect fit with a tiny negative sum of squares.
        rss = max(total - float(half @ half), 1e-12 * max(self.sum_squares, 1e-300))
        return root, half, rss, ratios

    def _deviance(
        self, root: FloatArray, rss: float, log_ratios: FloatArray, ratios: FloatArray
    ) -> float:
        """Value of `deviance` from a solution at these ratios."""
        value = self.degrees_of_freedom * np.log(rss) + 2 * np.log(np.diag(root)).sum()
        value += float(self.block_sizes @ log_ratios[: len(self.block_sizes)])
        return float(value + self._volume(ratios))

    def objective(self, log_ratios: FloatArray) -> tuple[float, FloatArray]:
        r"""Minus twice the profiled restricted log-likelihood, up to a constant, and gradient.

        .. math:: (n-f)\log RSS + \log|V_b| + \sum_k q_k\log\varphi_k + \log|M|

        where M is the precision of the coefficients.
        """
        root, half, rss, ratios = self._solve(log_ratios)
        coefficients = cholesky.solve(root, half)
        df = self.degrees_of_freedom
        gradient = np.zeros(len(log_ratios))
        inverse_root = cholesky.inverse(root)
        for j, block in enumerate(self.block_slices):
            u = coefficients[block]
            trace = float((inverse_root[block] ** 2).sum())
            gradient[j] = (
                -df * float(u @ u) / (ratios[j] * rss) + self.block_sizes[j] - trace / ratios[j]
            )
        slopes = self._intercept_gradient(ratios, coefficients, rss, inverse_root)
        gradient[len(self.block_sizes) :] = slopes
        return self._deviance(root, rss, log_ratios, ratios), gradient

    def _intercept_gradient(
        self, ratios: FloatArray, coefficients: FloatArray, rss: float, inverse_root: FloatArray
    ) -> FloatArray:
        """Gradient of the deviance in the log ratios of the intercepts."""
        own = self._cluster_ratios(ratios)
        shrink = 1 + own * self.clusters.weight
        residual_sums = self.clusters.outcome - self.clusters.columns @ coefficients
        share = own / shrink**2
        slopes: FloatArray = self.clusters.members @ (
            own * self.clusters.weight / shrink
            - share * self.degrees_of_freedom * residual_sums**2 / rss
        )
        return slopes - self.clusters.leverage(share, inverse_root)

    def _volume(self, ratios: FloatArray) -> float:
        """Log determinant of the intercepts' variance; 0 without clusters."""
        return float(np.log1p(self._cluster_ratios(ratios) * self.clusters.weight).sum())

    def _intercepts(self, ratios: FloatArray, coefficients: FloatArray) -> list[FloatArray]:
        """Predicted intercepts of the clusters, and of each level that they lie in."""
        own = self._cluster_ratios(ratios)
        k = own / (1 + own * self.clusters.weight)
        effects: FloatArray = k * (self.clusters.outcome - self.clusters.columns @ coefficients)
        return [effects]

    def deviance(self, log_ratios: FloatArray) -> float:
        """Value of `objective`, without the cost of its gradient."""
        root, _, rss, ratios = self._solve(log_ratios)
        return self._deviance(root, rss, log_ratios, ratios)

    def fit(
        self,
        *,
        start: FloatArray | None = None,
        penalty: Penalty | None = None,
        near: bool = False,
    ) -> MixedFit:
        """Maximise the restricted likelihood (plus a log prior) over the variance ratios.

        Parameters
        ----------
        start
            Log ratios to start from; default .1 for every ratio.
        penalty
            Function of the log ratios that returns minus twice a log prior and
            its gradient.
        near
            Whether ``start`` is the estimate from nearly the same rows
            (`tauhat.numerics.reml_search.search`).

        Returns
        -------
        MixedFit
        """
        first = np.full(self.n_ratios, np.log(0.1)) if start is None else start
        return self.at(search(penalised(self.objective, penalty), first, near=near))

    def at(self, log_ratios: FloatArray) -> MixedFit:
        """Return the fit at given log ratios."""
        root, half, rss, ratios = self._solve(log_ratios)
        coefficients = cholesky.solve(root, half)
        df = self.degrees_of_freedom
        value = self._deviance(root, rss, log_ratios, ratios)
        variance = rss / df
        effects = self._intercepts(ratios, coefficients)
        ratios = np.where(at_zero(log_ratios), 0.0, ratios)
        loglik = -0.5 * (value + df * (np.log(2 * np.pi / df) + 1)) + 0.5 * self.log_weights
        blocks = len(self.block_sizes)
        groups, of_intercepts = len(self.clusters.members), ratios[blocks:]
        between = self._cluster_ratios(ratios) * variance
        return MixedFit(
            coefficients=coefficients,
            covariance_root=root,
            log_ratios=np.asarray(log_ratios, dtype=np.float64),
            residual_variance=variance,
            between_cluster_variance=float(between.mean()) if len(between) else 0.0,
            between_cluster_variances=of_intercepts[:groups] * variance,
            block_variances=ratios[:blocks] * variance,
            cluster_effects=effects[0],
            restricted_log_likelihood=float(loglik),
            degrees_of_freedom=df,
            nesting_variances=of_intercepts[groups:] * variance,
            level_effects=tuple(effects),
        )

    def conditional(self, log_ratios: FloatArray) -> _Conditional:
        """What is known of the coefficients at given log ratios: its `deviance`, and draws."""
        root, half, rss, ratios = self._solve(log_ratios)
        value = self._deviance(root, rss, log_ratios, ratios)
        return _Conditional(value, root, half, rss, self.degrees_of_freedom)

    def satterthwaite(self, fit: MixedFit, contrast: FloatArray) -> float:
        r"""Satterthwaite degrees of freedom of one contrast of the coefficients.

        .. math:: \nu = 2 v^2 / (g' A g)

        with :math:`v` the contrast's variance, :math:`g` its gradient in the
        variance parameters and :math:`A` twice the inverse Hessian of the
        restricted deviance there (as in lmerTest). A ratio at zero counts as known.
        """
        free = np.flatnonzero(~at_zero(fit.log_ratios))
        variance = fit.residual_variance
        weights = linalg.cho_solve((fit.covariance_root, False), contrast)
        v = variance * float(contrast @ weights)
        q = len(free)
        hessian = np.zeros((q + 1, q + 1))
        df = self.degrees_of_freedom
        hessian[q, q] = df
        step = 1e-4
        slopes = np.zeros(q + 1)
        slopes[q] = v
        ratios = np.exp(fit.log_ratios)
        for a, j in enumerate(free):
            moved = [fit.log_ratios.copy(), fit.log_ratios.copy()]
            moved[0][j] -= step
            moved[1][j] += step
            deviances = [self._deviance_gradient(x, variance) for x in moved]
            hessian[a, :q] = (deviances[1][free] - deviances[0][free]) / (2 * step)
            rss = [self._solve(x)[2] for x in moved]
            hessian[a, q] = hessian[q, a] = -(rss[1] - rss[0]) / (2 * step) / variance
            if j >= len(self.block_sizes):
                slope = self._intercept_slopes(ratios)[j - len(self.block_sizes)]
                slopes[a] = variance * float(slope @ (self.clusters.columns @ weights) ** 2)
            else:
                part = weights[self.block_slices[j]]
                slopes[a] = variance * float(part @ part) / ratios[j]
        hessian[:q, :q] = (hessian[:q, :q] + hessian[:q, :q].T) / 2
        spread = 2 * float(slopes @ np.linalg.solve(hessian, slopes))
        return 2 * v**2 / spread

    def _intercept_slopes(self, ratios: FloatArray) -> FloatArray:
        """Derivative of each cluster's shrinkage in the log ratios, shape (g, m)."""
        own = self._cluster_ratios(ratios)
        slopes: FloatArray = self.clusters.members * (own / (1 + own * self.clusters.weight) ** 2)
        return slopes

    def _deviance_gradient(self, log_ratios: FloatArray, variance: float) -> FloatArray:
        """Gradient of the restricted deviance in the log ratios at a fixed residual variance."""
        _, profiled = self.objective(log_ratios)
        root, half, rss, ratios = self._solve(log_ratios)
        coefficients = cholesky.solve(root, half)
        residual_sums = self.clusters.outcome - self.clusters.columns @ coefficients
        blocks = [
            -float(coefficients[b] @ coefficients[b]) / ratios[j]
            for j, b in enumerate(self.block_slices)
        ]
        fit_slope = np.r_[blocks, -self._intercept_slopes(ratios) @ residual_sums**2]
        adjusted: FloatArray = profiled + fit_slope * (1 / variance - self.degrees_of_freedom / rss)
        return adjusted


def fit_random_intercept(
    y: FloatArray,
    fixed: FloatArray,
    clusters: IntArray,
    weight: FloatArray | None = None,
) -> MixedFit:
    """REML fit of fixed effects and a random intercept; redundant columns get coefficient 0.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    fixed
        Fixed-effect columns, an intercept among them if wanted, shape (n, f).
    clusters
        Cluster number 0 to m - 1 of each row, shape (n,).
    weight
        Precision weights, or None.

    Returns
    -------
    MixedFit
        Its ``coefficients`` belong to the columns of ``fixed`` that
        `tauhat.numerics.standardised_columns.independent_columns` keeps.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(50), 20)
    >>> y = rng.normal(size=50)[clusters] + rng.normal(size=1000)
    >>> fit = fit_random_intercept(y, np.ones((1000, 1)), clusters)
    >>> 0.6 < fit.between_cluster_variance < 1.5
    True
    """
    kept = fixed[:, independent_columns(fixed)]
    return MixedModel(y, kept, clusters=clusters, weight=weight).fit()
