"""Regression with cluster-robust variances that hold with few clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.centring import group_sums


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
class Absorbed:
    """Columns that an outcome and its regressors were freed of before they were regressed.

    They take part in the leverages and in the degrees of freedom as columns of the regression
    would, and together they must be orthonormal.

    Attributes
    ----------
    columns
        Shape (n, r).
    level
        Level 0, 1, ... of each row, one for all rows of a cluster: its indicator is one more
        column, shape (n,).
    on_level
        Entries of the rows in that column, which has unit length, shape (n,).
    """

    columns: FloatArray
    level: IntArray
    on_level: FloatArray


@dataclass(frozen=True)
class _Crossed:
    """What each cluster has in the columns' space, along one direction of the coefficients.

    Inner products of two clusters are those of their vectors, and with the same level also
    those of what they have there.
    """

    vectors: FloatArray
    level: IntArray
    on_level: FloatArray

    def of(self, rows: BoolArray) -> _Crossed:
        """The same of some clusters."""
        return _Crossed(self.vectors[rows], self.level[rows], self.on_level[rows])

    def with_own(self, other: _Crossed) -> FloatArray:
        """Inner product of each cluster here with the same one there, shape (m,)."""
        own: FloatArray = (self.vectors * other.vectors).sum(axis=1)
        return own + self.on_level * other.on_level

    def summed(self, other: _Crossed) -> tuple[FloatArray, ...]:
        """Sum over clusters of outer products, in parts whose products make a trace."""
        a, b = self.on_level, other.on_level
        if not a.any() and not b.any():
            return (self.vectors.T @ other.vectors,)
        parts = [b[:, None] * self.vectors, a[:, None] * other.vectors, (a * b)[:, None]]
        return self.vectors.T @ other.vectors, group_sums(np.hstack(parts), self.level)


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
        ``Q_i' A_i X_i`` of every cluster, with the orthonormal basis Q of the columns and of
        those that were absorbed, kept for the degrees of freedom of any contrast, shape
        (m, p + r, p).
    level, on_level
        Level of every cluster, shape (m,), and the same with the indicators of the levels that
        were absorbed, shape (m, p); zeros where there are none.
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
    level: IntArray
    on_level: FloatArray
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
        crossed = self._crossed(direction)
        df = self._matched(own, crossed)
        variance = float(weights @ self.covariance @ weights)
        if parts is not None and variance > 0:
            shares = (self.scores @ direction) ** 2
            welch = 0.0
            for part in np.unique(parts):
                rows = parts == part
                welch += shares[rows].sum() ** 2 / self._matched(own[rows], crossed.of(rows))
            df = min(df, variance**2 / welch)
        return ContrastTest(
            float(weights @ self.coefficients), float(np.sqrt(max(variance, 0.0))), max(df, 1.0)
        )

    def _crossed(self, direction: FloatArray) -> _Crossed:
        return _Crossed(self.projections @ direction, self.level, self.on_level @ direction)

    def _matched(self, own: FloatArray, crossed: _Crossed) -> float:
        """Degrees of freedom of a quadratic form with the kernel of these clusters."""
        trace = float(own.sum() - crossed.with_own(crossed).sum())
        squared = self._products(own, crossed, crossed, own, crossed, crossed)
        return max(trace**2 / squared, 1.0) if squared > 0 else 1.0

    def _products(
        self, a: FloatArray, x: _Crossed, y: _Crossed, b: FloatArray, z: _Crossed, w: _Crossed
    ) -> float:
        r"""Sum over i, j of the products of two kernels with their clusters' own parts.

        .. math:: \sum_{ij} \{1(i=j) a_i - \langle x_i, y_j\rangle\}
                  \{1(i=j) b_i - \langle z_i, w_j\rangle\}
        """
        of_own = a @ b - a @ z.with_own(w) - b @ x.with_own(y)
        both = zip(y.summed(w), x.summed(z), strict=True)
        return float(of_own + sum((of_y * of_x).sum() for of_y, of_x in both))

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
        crossed = [self._crossed(d) for d in directions.T]
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
    absorbed: Absorbed | None = None,
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
    absorbed
        What ``X`` and ``y``, both times the roots of weights, were freed of; None for nothing.

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
    if absorbed is None:
        nothing = np.zeros(len(X))
        absorbed = Absorbed(np.zeros((len(X), 0)), np.zeros(len(X), np.int64), nothing)
    basis = np.column_stack([X @ np.linalg.cholesky(bread), absorbed.columns, absorbed.on_level])
    X, basis, residual = X[order], basis[order], residual[order]
    adjusted = X if kind == "CR0" else _adjusted(X, basis, starts)
    both, own_squares = (_crossed(left, adjusted, starts) for left in (basis, adjusted))
    scores = np.add.reduceat(adjusted * residual[:, None], starts)
    covariance = bread @ (scores.T @ scores) @ bread
    return ClusterRobustRegression(
        coefficients=coefficients,
        covariance=covariance,
        n_clusters=len(starts),
        bread=bread,
        projections=both[:, :-1],
        level=absorbed.level[order][starts],
        on_level=both[:, -1],
        own_squares=own_squares,
        scores=scores,
    )


def _crossed(left: FloatArray, right: FloatArray, starts: IntArray) -> FloatArray:
    """``left_i' right_i`` of clusters that begin at these rows, shape (m, k, p)."""
    if len(starts) == len(left):
        return left[:, :, None] * right[:, None, :]
    parts = zip(np.split(left, starts[1:]), np.split(right, starts[1:]), strict=True)
    return np.array([a.T @ b for a, b in parts])


def _adjusted(X: FloatArray, basis: FloatArray, starts: IntArray) -> FloatArray:
    """``A_i X_i`` of clusters that begin at these rows, shape (n, p)."""
    if len(starts) == len(X):
        remaining = 1 - (basis**2).sum(axis=1)
        return X * _inverse_root(remaining)[:, None]
    parts = zip(np.split(X, starts[1:]), np.split(basis, starts[1:]), strict=True)
    return np.vstack([_inverse_root_times(own, half) for own, half in parts])


def _inverse_root_times(columns: FloatArray, half: FloatArray) -> FloatArray:
    """``(I - half half')^{-1/2} columns`` through the thin singular value decomposition."""
    left, values, _ = np.linalg.svd(half, full_matrices=False)
    inverse_root = _inverse_root(1 - values**2)
    result: FloatArray = columns + left @ ((inverse_root - 1)[:, None] * (left.T @ columns))
    return result


def _inverse_root(remaining: FloatArray) -> FloatArray:
    """Inverse roots, zero of nothing (Moore-Penrose)."""
    inverse: FloatArray = np.where(remaining > 1e-9, 1 / np.sqrt(np.maximum(remaining, 1e-9)), 0.0)
    return inverse
