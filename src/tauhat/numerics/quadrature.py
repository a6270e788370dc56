"""The likelihood of a random intercept by adaptive Gauss-Hermite quadrature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.responses import Response

# Newton steps to the modes of the intercepts, in standard deviations of the prior: their most
# and the longest.
_STEPS, _LONGEST = 100, 2.0
_SETTLED = 1e-10
# Step of second differences: their error is about the fourth root of the rounding error.
_DIFFERENCE = 1e-3


def hermite_nodes(count: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights for means over a standard normal variable.

    Parameters
    ----------
    count
        Number of nodes; exact for polynomials up to degree 2 count - 1.

    Returns
    -------
    nodes, weights
        Each of shape (count,); the weights sum to one.

    Examples
    --------
    >>> nodes, weights = hermite_nodes(5)
    >>> round(float(weights @ nodes**4), 9)
    3.0
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()


class InterceptLikelihood:
    r"""Log-likelihood of rows in clusters with a normal intercept, by adaptive quadrature.

    .. math::
        L = \sum_c \log \int \exp\Bigl\{\sum_{i \in c} w_i \ell_i(\eta_i + \sigma u)\Bigr\}
        \varphi(u)\,du

    with the nodes centred at the mode of each integrand and scaled by its
    curvature there. One node is Laplace's approximation, as ``nAGQ=1`` in lme4's
    glmer; nine are exact for practical purposes.

    Parameters
    ----------
    response
        Outcomes.
    clusters
        Cluster number 0 to m - 1 of each row, shape (n,).
    weight
        Positive weights, or None.
    nodes
        Number of nodes.

    References
    ----------
    Pinheiro and Bates (1995), Journal of Computational and Graphical Statistics
    4:12-35.

    Examples
    --------
    >>> from tauhat.numerics.responses import Binomial
    >>> y = np.array([1.0, 1.0, 0.0, 0.0])
    >>> likelihood = InterceptLikelihood(Binomial(y), np.array([0, 0, 1, 1]))
    >>> round(likelihood(np.zeros(4), 0.0), 3), likelihood(np.zeros(4), 1.0) > -2.7
    (-2.773, True)
    """

    def __init__(
        self,
        response: Response,
        clusters: IntArray,
        weight: FloatArray | None = None,
        nodes: int = 9,
    ) -> None:
        self.response, self.clusters, self.weight = response, clusters, weight
        self.m = int(clusters.max()) + 1
        self.nodes, self.node_weights = hermite_nodes(nodes)
        self._modes = np.zeros(self.m)

    def sums(self, values: FloatArray) -> FloatArray:
        """Weighted sums over the rows of each cluster, shape (m,)."""
        weighted = values if self.weight is None else values * self.weight
        summed: FloatArray = np.bincount(self.clusters, weighted, self.m).astype(np.float64)
        return summed

    def _centred(self, predictor: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Modes and curvatures of the integrands, shapes (m,).

        The slope of each log integrand falls, so its mode is kept between bounds that
        close in: where Newton's step would leave them, or is long, half the way is gone.
        """
        modes = self._modes
        low, high = np.full(self.m, -np.inf), np.full(self.m, np.inf)
        for _ in range(_STEPS):
            score, information = self.response.score_and_weight(
                predictor + (sd * modes)[self.clusters]
            )
            curvature = 1 + sd**2 * self.sums(information)
            slope = sd * self.sums(score) - modes
            step = np.clip(slope / curvature, -_LONGEST, _LONGEST)
            if np.abs(step).max() < _SETTLED:
                break
            low, high = np.where(slope > 0, modes, low), np.where(slope < 0, modes, high)
            new = modes + step
            outside = np.isfinite(high - low) & ((new <= low) | (new >= high))
            new[outside] = (low[outside] + high[outside]) / 2
            modes = new
        self._modes = modes
        return modes, curvature

    def _integrands(
        self, predictor: FloatArray, sd: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Intercepts at the nodes and logs of the integrands there, (nodes, m); log widths."""
        modes, curvature = self._centred(predictor, sd)
        width = 1 / np.sqrt(curvature)
        at = modes + self.nodes[:, None] * width
        logs = np.empty_like(at)
        for k, u in enumerate(at):
            rows = self.response.log_likelihood(predictor + (sd * u)[self.clusters])
            logs[k] = self.sums(rows) - u**2 / 2 + self.nodes[k] ** 2 / 2
        return sd * at, logs, np.log(width)

    def __call__(self, predictor: FloatArray, sd: FloatArray | float) -> float:
        """Log-likelihood.

        Parameters
        ----------
        predictor
            Linear predictor without the intercepts, shape (n,).
        sd
            Standard deviation of the intercepts, one or one a cluster.
        """
        _, logs, log_width = self._integrands(predictor, np.broadcast_to(sd, self.m))
        top = logs.max(axis=0)
        inside = self.node_weights @ np.exp(logs - top)
        return float((top + np.log(inside) + log_width).sum())

    def posterior(
        self, predictor: FloatArray, sd: FloatArray | float
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        r"""Posterior of the intercepts, and the slopes of the likelihood in the predictor.

        Parameters
        ----------
        predictor, sd
            As in a call.

        Returns
        -------
        slopes
            Of the log-likelihood in each row's predictor, weights left out, shape
            (n,): the mean of the row's score over the intercept's posterior.
        means, variances
            Of the intercepts, each of shape (m,).
        """
        at, logs, _ = self._integrands(predictor, np.broadcast_to(sd, self.m))
        share = self.node_weights[:, None] * np.exp(logs - logs.max(axis=0))
        share /= share.sum(axis=0)
        slopes = np.zeros(len(predictor))
        for u, own in zip(at, share, strict=True):
            score, _ = self.response.score_and_weight(predictor + u[self.clusters])
            slopes += own[self.clusters] * score
        means = (share * at).sum(axis=0)
        return slopes, means, (share * (at - means) ** 2).sum(axis=0)


@dataclass(frozen=True, eq=False)
class QuadratureFit:
    """Maximum likelihood by adaptive quadrature.

    Attributes
    ----------
    coefficients
        Of the columns, shape (q,).
    between_cluster_sd
        Standard deviation of the intercept.
    covariance
        Inverse of the observed information, of the coefficients and, last, the
        standard deviation, shape (q + 1, q + 1); nan where it has none.
    log_likelihood
        At the maximum.
    """

    coefficients: FloatArray
    between_cluster_sd: float
    covariance: FloatArray
    log_likelihood: float


def maximum_likelihood(
    likelihood: InterceptLikelihood,
    columns: FloatArray,
    start: FloatArray,
    offset: FloatArray | None = None,
) -> QuadratureFit:
    """Coefficients and standard deviation of the intercept that maximise the likelihood.

    Parameters
    ----------
    likelihood
        Outcomes and clusters.
    columns
        Columns without penalty, shape (n, q), a few.
    start
        Coefficients and standard deviation to start from, shape (q + 1,), such as
        those of `tauhat.numerics.mixed_logit.GeneralisedMixedModel`.
    offset
        Known part of the predictor, or None.

    Returns
    -------
    QuadratureFit

    Examples
    --------
    >>> from tauhat.numerics.responses import Counts
    >>> clusters = np.repeat(np.arange(50), 20)
    >>> rng = np.random.default_rng(1)
    >>> y = rng.poisson(np.exp(1 + 0.5 * rng.normal(size=50)[clusters])).astype(float)
    >>> likelihood = InterceptLikelihood(Counts(y), clusters)
    >>> fit = maximum_likelihood(likelihood, np.ones((1000, 1)), np.array([1.0, 0.3]))
    >>> bool(0.4 < fit.between_cluster_sd < 0.6)
    True
    """
    known = np.zeros(len(columns)) if offset is None else offset

    def minus(point: FloatArray) -> float:
        # The likelihood is even in the standard deviation, hence smooth at zero.
        return -likelihood(known + columns @ point[:-1], abs(float(point[-1])))

    found: Any = optimize.minimize(
        minus, start, method="BFGS", jac="3-point", options={"gtol": 1e-5}
    )
    point = np.asarray(found.x, dtype=np.float64)
    point[-1] = abs(point[-1])
    hessian = _hessian(minus, point)
    proper = np.linalg.eigvalsh(hessian).min() > 0
    covariance = np.full_like(hessian, np.nan)
    if proper:
        covariance[:] = np.linalg.inv(hessian)
    return QuadratureFit(point[:-1], float(point[-1]), covariance, -float(found.fun))


def _hessian(function: Any, point: FloatArray) -> FloatArray:
    """Second differences."""
    q = len(point)
    steps = _DIFFERENCE * np.eye(q)
    hessian = np.empty((q, q))
    for i in range(q):
        for j in range(i, q):
            corners = [
                function(point + a * steps[i] + b * steps[j])
                for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
            ]
            second = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * _DIFFERENCE**2)
            hessian[i, j] = hessian[j, i] = second
    return hessian
