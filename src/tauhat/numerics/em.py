"""Random intercepts beside any fixed part: EM steps, projection, leave-out variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.standardised_columns import constant_within, first_rows

# Below this share of the residual variance an intercept's variance is zero for every purpose.
_SMALLEST_RATIO = 1e-8
# Few clusters cannot spare more directions than this share of their number.
_SHARE_PROJECTED = 0.25


def identified_clusters(clusters: IntArray | None) -> IntArray | None:
    """Clusters renumbered 0 to m - 1, or None when a random intercept is not identified.

    One cluster, or one row in each, cannot tell an intercept from the mean or
    from the residual.

    Examples
    --------
    >>> identified_clusters(np.array([7, 7, 3])).tolist()
    [1, 1, 0]
    >>> identified_clusters(np.array([1, 2, 3])) is None
    True
    """
    if clusters is None:
        return None
    labels, codes = np.unique(clusters, return_inverse=True)
    return codes.astype(np.int64) if 1 < len(labels) < len(clusters) else None


def cluster_basis(
    X: FloatArray, clusters: IntArray, totals: FloatArray, *, most: int | None = None
) -> FloatArray:
    r"""Orthonormal directions of the constant and of the cluster-level columns.

    Columns of ``X`` that are constant within every cluster are standardised;
    when they span more than ``most`` directions the leading principal ones are
    kept. With :math:`T` the diagonal of totals the result Q satisfies
    :math:`Q'Q = I` and spans :math:`T^{1/2}[1, V]`.

    Parameters
    ----------
    X
        Columns, shape (n, p).
    clusters
        Cluster 0 to m - 1 of each row, shape (n,).
    totals
        Total weight of each cluster, shape (m,).
    most
        Most directions beside the constant; default a quarter of the clusters.

    Returns
    -------
    ndarray, shape (m, k)

    Examples
    --------
    >>> X = np.array([[1.0, 5], [1.0, 6], [2.0, 7], [2.0, 8]])
    >>> cluster_basis(X, np.array([0, 0, 1, 1]), np.array([2.0, 2.0]), most=1).shape
    (2, 2)
    """
    m = len(totals)
    most = max(1, int(_SHARE_PROJECTED * m)) if most is None else most
    level = X[first_rows(clusters)][:, constant_within(X, clusters)]
    root = np.sqrt(totals)
    constant = root / np.linalg.norm(root)
    centred = level - (totals @ level) / totals.sum()
    spread = np.sqrt((totals @ centred**2) / totals.sum())
    varies = spread > 1e-10 * np.maximum(np.abs(level).max(axis=0, initial=0.0), 1e-300)
    scaled = root[:, None] * (centred[:, varies] / spread[varies])
    if scaled.shape[1] == 0:
        alone: FloatArray = constant[:, None]
        return alone
    left, values, _ = np.linalg.svd(scaled, full_matrices=False)
    kept = int((values[:most] > 1e-8 * values[0]).sum())
    return np.column_stack([constant, left[:, :kept]])


@dataclass(frozen=True)
class InterceptFit:
    """Predicted random intercepts and variances, given a fixed part.

    Attributes
    ----------
    effects
        Predicted intercepts, shape (m,).
    between, residual
        Variances of the intercept and within clusters.
    criterion
        What the iteration watches: smaller is better.
    """

    effects: FloatArray
    between: float
    residual: float
    criterion: float


class RandomIntercept:
    r"""The random part of :math:`y = f(x) + b_c + e`, whatever :math:`f` is.

    .. math:: b \sim N(0, \sigma_b^2), \qquad e_i \sim N(0, \sigma_e^2 / w_i)

    With ``X``, predicted intercepts are made orthogonal, row by row, to the
    constant and to every column that is constant within clusters — a
    cluster-level treatment among them — so that :math:`f` has to carry what
    such a column explains (the idea of Knieper et al.'s R package mermboost).
    Without clusters all intercepts are zero.

    Parameters
    ----------
    clusters
        Cluster 0 to m - 1 of each row, shape (n,), or None.
    weight
        Precision weights of mean 1, shape (n,).
    X
        Columns to keep the intercepts off, shape (n, p), or None for textbook
        steps without projection.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(40), 25)
    >>> residual = 0.5 * rng.normal(size=40)[clusters] + rng.normal(size=1000)
    >>> random = RandomIntercept(clusters, np.ones(1000))
    >>> fit = random.converge(residual, random.start(residual))
    >>> bool(0.15 < fit.between < 0.4), bool(0.9 < fit.residual < 1.1)
    (True, True)
    """

    def __init__(
        self, clusters: IntArray | None, weight: FloatArray, X: FloatArray | None = None
    ) -> None:
        self.n = len(weight)
        self.clusters: IntArray = np.zeros(self.n, np.int64) if clusters is None else clusters
        self.weight = weight
        self.present = clusters is not None
        self.totals: FloatArray = np.bincount(self.clusters, weight).astype(np.float64)
        self.basis: FloatArray | None = None
        if self.present and X is not None:
            self.basis = cluster_basis(X, self.clusters, self.totals)

    def start(self, residual: FloatArray) -> InterceptFit:
        """No intercepts yet; a tenth of the variance between clusters."""
        variance = max(float(np.mean(self.weight * residual**2)), 1e-300)
        between = 0.1 * variance if self.present else 0.0
        return InterceptFit(np.zeros(len(self.totals)), between, variance, np.inf)

    def predict(self, residual: FloatArray, between: float, variance: float) -> FloatArray:
        """Best linear unbiased predictions of the intercepts, before any projection."""
        if not self.present:
            return np.zeros(len(self.totals))
        sums = np.bincount(self.clusters, self.weight * residual, len(self.totals))
        effects: FloatArray = between * sums / (variance + between * self.totals)
        return effects

    def project(self, effects: FloatArray) -> FloatArray:
        """Intercepts less what the constant and the cluster-level columns explain of them."""
        if self.basis is None:
            return effects
        root = np.sqrt(self.totals)
        scaled = root * effects
        remainder: FloatArray = (scaled - self.basis @ (self.basis.T @ scaled)) / root
        return remainder

    def step(self, residual: FloatArray, last: InterceptFit) -> InterceptFit:
        r"""One EM step of Hajjem, Bellavance and Larocque (2014) for a random intercept.

        .. math::
            b_c &= \frac{\sigma_b^2 \sum_i w_i r_i}{\sigma_e^2 + \sigma_b^2 W_c}, \quad
            v_c = \frac{\sigma_b^2 \sigma_e^2}{\sigma_e^2 + \sigma_b^2 W_c}, \\
            \sigma_e^2 &\leftarrow \tfrac1n \sum_c \Bigl\{\sum_i w_i (r_i - b_c)^2
            + W_c v_c\Bigr\}, \quad
            \sigma_b^2 \leftarrow \tfrac1m \sum_c (b_c^2 + v_c)

        with :math:`W_c` the cluster's total weight and the old variances on the
        right. The variances are updated from unprojected intercepts: projected
        ones have less than :math:`\sigma_b^2`. The criterion is the generalised
        log-likelihood of the new values.

        Parameters
        ----------
        residual
            Outcome less the fixed part, best out-of-sample, shape (n,).
        last
            Result of the previous step.

        Returns
        -------
        InterceptFit
        """
        if not self.present:
            variance = max(float(np.mean(self.weight * residual**2)), 1e-300)
            return InterceptFit(np.zeros(1), 0.0, variance, self.n * float(np.log(variance)))
        raw = self.predict(residual, last.between, last.residual)
        spread = last.between * last.residual / (last.residual + last.between * self.totals)
        remainder = residual - raw[self.clusters]
        variance = float(self.weight @ remainder**2 + self.totals @ spread) / self.n
        variance = max(variance, 1e-300)
        between = max(float(np.mean(raw**2 + spread)), _SMALLEST_RATIO * variance)
        criterion = (
            float(self.weight @ remainder**2) / variance
            + float(raw @ raw) / between
            + len(raw) * float(np.log(between))
            + self.n * float(np.log(variance))
        )
        return InterceptFit(self.project(raw), between, variance, criterion)

    def converge(
        self,
        residual: FloatArray,
        last: InterceptFit,
        *,
        tolerance: float = 1e-5,
        max_steps: int = 100,
    ) -> InterceptFit:
        """EM steps for a fixed part that stays as it is, until the criterion settles."""
        for _ in range(max_steps):
            fit = self.step(residual, last)
            settled = abs(fit.criterion - last.criterion) <= tolerance * abs(fit.criterion)
            last = fit
            if settled:
                break
        return last

    def reml(self, residual: FloatArray) -> InterceptFit:
        """REML fit of a level and the intercept to the residual; the criterion is -2 log L."""
        if not self.present:
            return self.step(residual, self.start(residual))
        fit = MixedModel(
            residual, np.ones((self.n, 1)), clusters=self.clusters, weight=self.weight
        ).fit()
        between, variance = fit.between_cluster_variance, fit.residual_variance
        effects = self.project(fit.cluster_effects)
        return InterceptFit(effects, between, variance, -2 * fit.restricted_log_likelihood)

    def level(self, residual: FloatArray, between: float, variance: float) -> float:
        """Generalised least squares mean of a residual."""
        sums = np.bincount(self.clusters, self.weight * residual, len(self.totals))
        share = 1 / (variance + between * self.totals)
        return float(share @ sums / (share @ self.totals))

    def leave_out_variances(
        self, in_sample: FloatArray, held_out: FloatArray
    ) -> tuple[float, float]:
        r"""Variances from products of in-sample and held-out residuals.

        In-sample residuals are too small and held-out ones too large: for a
        linear fit their product has expectation :math:`\sigma^2` exactly, since
        :math:`r^{out}_i = r^{in}_i / (1 - h_i)` (the leave-out estimator of
        Kline, Saggio and Sølvsten 2020; the product is the square of the CR2
        residual). Within clusters

        .. math:: \hat\sigma_e^2 = \frac{1}{n - m} \sum_i w_i
            (r^{in}_i - \bar r^{in}_c)(r^{out}_i - \bar r^{out}_c)

        and between them :math:`\hat\sigma_b^2` solves :math:`\sum_c \omega_c
        (\bar r^{in}_c \bar r^{out}_c - \sigma_b^2 - \sigma_e^2 / W_c) = 0` with
        :math:`\omega_c = (\sigma_b^2 + \sigma_e^2 / W_c)^{-2}`, cut at zero.

        Parameters
        ----------
        in_sample
            Residual of the fit to all rows, shape (n,).
        held_out
            Residual of fits that saw neither the row nor its cluster, shape (n,).

        Returns
        -------
        between, residual
        """
        floor = 1e-3 * float(np.mean(self.weight * held_out**2))
        if not self.present:
            product = float(np.mean(self.weight * in_sample * held_out))
            return 0.0, max(product, floor)
        means = [
            np.bincount(self.clusters, self.weight * r, len(self.totals)) / self.totals
            for r in (in_sample, held_out)
        ]
        within = [
            r - mean[self.clusters] for r, mean in zip((in_sample, held_out), means, strict=True)
        ]
        df = self.n - len(self.totals)
        residual = max(float(self.weight @ (within[0] * within[1])) / df, floor)
        noise = residual / self.totals
        excess = means[0] * means[1] - noise
        between = max(float(excess.mean()), 0.0)
        for _ in range(100):
            share = (between + noise) ** -2.0
            new = max(float(share @ excess / share.sum()), 0.0)
            if abs(new - between) <= 1e-9 * residual:
                break
            between = new
        return new, residual
