"""Regression with cluster-robust variances that hold with few clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from tauhat._typing import FloatArray, IntArray


@dataclass(frozen=True)
class ContrastTest:
    """A linear combination of coefficients with its cluster-robust uncertainty.

    Attributes
    ----------
    estimate, se
        The combination and its standard error.
    degrees_of_freedom
        Satterthwaite's, under independent errors of equal variance.

    Examples
    --------
    >>> round(ContrastTest(2.0, 1.0, 10.0).p_value, 4)
    0.0734
    """

    estimate: float
    se: float
    degrees_of_freedom: float

    @property
    def p_value(self) -> float:
        """Two-sided p-value against zero."""
        return float(2 * stats.t.sf(abs(self.statistic), self.degrees_of_freedom))

    @property
    def p_value_greater(self) -> float:
        """One-sided p-value against the alternative that it is positive."""
        return float(stats.t.sf(self.statistic, self.degrees_of_freedom))

    @property
    def statistic(self) -> float:
        """Estimate over standard error."""
        return self.estimate / self.se if self.se > 0 else float(np.sign(self.estimate) * np.inf)


@dataclass(frozen=True)
class JointTest:
    """Test that several combinations of coefficients are zero.

    Attributes
    ----------
    statistic
        F statistic; missing where there are too few clusters.
    numerator, denominator
        Its degrees of freedom.

    Examples
    --------
    >>> round(JointTest(4.0, 2, 10.0).p_value, 4)
    0.0529
    """

    statistic: float
    numerator: int
    denominator: float

    @property
    def p_value(self) -> float:
        """Of the F distribution."""
        return float(stats.f.sf(self.statistic, self.numerator, self.denominator))


@dataclass(frozen=True)
class ClusterRobustRegression:
    """Least squares with a cluster-robust covariance; the result of `cluster_robust_regression`.

    Attributes
    ----------
    coefficients
        Shape (p,).
    covariance
        Shape (p, p).
    n_clusters
        Number of clusters.
    bread
        Inverse Gram matrix, shape (p, p).
    projections
        ``A_i X_i`` of every cluster with its cross-products, kept for the
        degrees of freedom of any contrast, shapes (m, p, p).
    own_squares
        ``X_i' A_i' A_i X_i`` of every cluster, shape (m, p, p).
    scores
        ``X_i' A_i e_i`` of every cluster, shape (m, p).
    """

    coefficients: FloatArray
    covariance: FloatArray
    n_clusters: int
    bread: FloatArray
    projections: FloatArray
    own_squares: FloatArray
    scores: FloatArray

    def contrast(self, weights: FloatArray, *, parts: IntArray | None = None) -> ContrastTest:
        r"""Test of a linear combination :math:`c'\beta`.

        With :math:`p_i = A_i X_i M c` the variance estimate is a quadratic form
        in normal errors whose kernel is :math:`\Omega_{ij} = 1(i = j) p_i'p_i -
        (X_i'p_i)' M (X_j'p_j)`; the degrees of freedom match its first two
        moments, :math:`\mathrm{tr}(\Omega)^2 / \mathrm{tr}(\Omega^2)`.

        With parts of the clusters, such as the arms, that may differ in variance, each
        part a contributes :math:`V_a` to the variance with :math:`\nu_a` degrees of
        freedom of its own, and Welch's :math:`(\sum V_a)^2 / \sum(V_a^2 / \nu_a)`
        are used where they are fewer.

        Parameters
        ----------
        weights
            The combination c, shape (p,).
        parts
            Part of each cluster, in ascending order of the clusters, shape (m,); None to
            take for granted that all clusters are alike.

        Returns
        -------
        ContrastTest
        """
        direction = self.bread @ np.asarray(weights, dtype=np.float64)
        own = self.own_squares @ direction @ direction
        crossed = self.projections @ direction
        df = self._matched(own, crossed)
        variance = float(weights @ self.covariance @ weights)
        if parts is not None and variance > 0:
            shares = (self.scores @ direction) ** 2
            welch = 0.0
            for part in np.unique(parts):
                rows = parts == part
                welch += shares[rows].sum() ** 2 / self._matched(own[rows], crossed[rows])
            df = min(df, variance**2 / welch)
        return ContrastTest(
            float(weights @ self.coefficients), float(np.sqrt(max(variance, 0.0))), max(df, 1.0)
        )

    def _matched(self, own: FloatArray, crossed: FloatArray) -> float:
        """Degrees of freedom of a quadratic form with the kernel of these clusters."""
        trace = float(own.sum() - np.einsum("ip,pq,iq->", crossed, self.bread, crossed))
        squared = self._products(own, crossed, crossed, own, crossed, crossed)
        return max(trace**2 / squared, 1.0) if squared > 0 else 1.0

    def _products(
        self, a: FloatArray, x: FloatArray, y: FloatArray, b: FloatArray, z: FloatArray,
        w: FloatArray,
    ) -> float:  # fmt: skip
        r"""Sum over i, j of the products of two kernels with their clusters' own parts.

        .. math:: \sum_{ij} \{1(i=j) a_i - x_i'My_j\} \{1(i=j) b_i - z_i'Mw_j\}
        """
        M = self.bread
        of_own = (
            a @ b - a @ np.einsum("ip,pq,iq->i", z, M, w) - b @ np.einsum("ip,pq,iq->i", x, M, y)
        )
        return float(of_own + np.trace(M @ (y.T @ w) @ M @ (z.T @ x)))

    def joint(self, contrasts: FloatArray) -> JointTest:
        r"""Test that several linear combinations are all zero.

        .. math::
            F = \frac{\eta - q + 1}{\eta q}\, (C\hat\beta)'(C \hat V C')^{-1} C\hat\beta
            \sim F(q, \eta - q + 1), \qquad
            \eta = \frac{q (q + 1)}{\sum_{s,t} \mathrm{var}(D_{st})}

        with D the covariance of the combinations in units of its expectation under
        independent errors of equal variance (Pustejovsky and Tipton 2018, Journal of Business
        & Economic Statistics 36:672-683).

        Parameters
        ----------
        contrasts
            The combinations C, shape (q, p).

        Returns
        -------
        JointTest
            With a missing p-value where there are too few clusters for q combinations.
        """
        C = np.asarray(contrasts, dtype=np.float64)
        q = len(C)
        values, vectors = np.linalg.eigh(C @ self.bread @ C.T)
        root = vectors / np.sqrt(values)
        directions = self.bread @ C.T @ root
        crossed = [self.projections @ d for d in directions.T]
        total = 0.0
        for s, of_s in enumerate(directions.T):
            for t, of_t in enumerate(directions.T):
                own_s = self.own_squares @ of_s @ of_s
                own_t = self.own_squares @ of_t @ of_t
                both = self.own_squares @ of_t @ of_s
                u, v = crossed[s], crossed[t]
                total += self._products(own_s, u, u, own_t, v, v)
                total += self._products(both, u, v, both, v, u)
        free = q * (q + 1) / total
        estimate = C @ self.coefficients
        distance = float(estimate @ np.linalg.pinv(C @ self.covariance @ C.T) @ estimate)
        if free - q + 1 < 1:
            return JointTest(np.nan, q, free - q + 1)
        return JointTest((free - q + 1) / (free * q) * distance, q, free - q + 1)

    def coefficient(self, j: int) -> ContrastTest:
        """Test of coefficient ``j``."""
        return self.contrast(np.eye(len(self.coefficients))[j])


def cluster_robust_regression(
    X: FloatArray,
    y: FloatArray,
    clusters: IntArray,
    *,
    weight: FloatArray | None = None,
    kind: Literal["CR0", "CR2"] = "CR2",
) -> ClusterRobustRegression:
    r"""Least squares with the CR0 or the bias-reduced CR2 covariance.

    .. math::
        \hat V = M \Bigl(\sum_i X_i' A_i e_i e_i' A_i' X_i\Bigr) M, \qquad
        M = (X'X)^{-1}, \qquad A_i = (I - X_i M X_i')^{-1/2},

    with :math:`A_i = I` for CR0. CR2 is unbiased when errors are independent
    with equal variance (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018).
    Directions in which a cluster determines a coefficient alone are given no
    correction (Moore-Penrose inverse).

    Parameters
    ----------
    X
        Design matrix with its own constant column, full column rank, shape (n, p).
    y
        Outcome, shape (n,).
    clusters
        Cluster of each row, shape (n,).
    weight
        Inverse-variance weights, shape (n,); the working variance of CR2 and of
        the degrees of freedom is their inverse.
    kind
        Which covariance.

    Returns
    -------
    ClusterRobustRegression

    Raises
    ------
    ValueError
        If the columns of ``X`` are linearly dependent.

    Examples
    --------
    >>> clusters = np.repeat(np.arange(8), 5)
    >>> arm = clusters % 2
    >>> rng = np.random.default_rng(0)
    >>> y = arm + rng.normal(size=8)[clusters] + rng.normal(size=40)
    >>> fit = cluster_robust_regression(np.column_stack([np.ones(40), arm]), y, clusters)
    >>> round(fit.coefficient(1).degrees_of_freedom, 6)
    6.0
    """
    if weight is not None:
        root = np.sqrt(weight)
        X, y = X * root[:, None], y * root
    gram = X.T @ X
    scale = np.sqrt(np.diag(gram))
    if (scale == 0).any() or np.linalg.cond(gram / np.outer(scale, scale)) > 1e12:
        raise ValueError("the columns of the regression are linearly dependent; leave some out")
    bread: FloatArray = np.linalg.inv(gram).astype(np.float64)
    coefficients = bread @ (X.T @ y)
    residual = y - X @ coefficients
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(clusters[order]) != 0])
    factor = np.linalg.cholesky(bread)
    width = X.shape[1]
    scores = np.empty((len(starts), width))
    projections = np.empty((len(starts), width, width))
    own_squares = np.empty((len(starts), width, width))
    for i, rows in enumerate(np.split(order, starts[1:])):
        own = X[rows]
        adjusted = own if kind == "CR0" else _inverse_root_times(own, own @ factor)
        scores[i] = adjusted.T @ residual[rows]
        projections[i] = own.T @ adjusted
        own_squares[i] = adjusted.T @ adjusted
    covariance = bread @ (scores.T @ scores) @ bread
    return ClusterRobustRegression(
        coefficients, covariance, len(starts), bread, projections, own_squares, scores
    )


def _inverse_root_times(columns: FloatArray, half: FloatArray) -> FloatArray:
    """``(I - half half')^{-1/2} columns`` through the thin singular value decomposition."""
    left, values, _ = np.linalg.svd(half, full_matrices=False)
    remaining = 1 - values**2
    inverse_root = np.where(remaining > 1e-9, 1 / np.sqrt(np.maximum(remaining, 1e-9)), 0.0)
    result: FloatArray = columns + left @ ((inverse_root - 1)[:, None] * (left.T @ columns))
    return result
