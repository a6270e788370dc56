"""Latent step in front of Gaussian Gibbs samplers: a normal variable behind each event."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri, ndtri_exp

from tauhat._typing import BoolArray, FloatArray

# Differences of risks that are rounding error, and the least part of the overall risk (or of
# its complement) that a row is given for what is known of it.
_SAME_RISK = 1e-9
_SAME_WEIGHT = 1e-9
_LEAST_PART = 0.2
# Lengths of the moves of level and arm in standard deviations at the overall risk: an arm
# without events has a far wider posterior.
_MOVES = (1.5, 4.0, 10.0)
_LOG_ROOT_TWO_PI = 0.5 * float(np.log(2 * np.pi))


class SampledOutcome(Protocol):
    """What a Gaussian sampler explains: an outcome as it was measured, or one behind events.

    Rows are multiplied by the root of their weight, so that all have one residual variance.

    Attributes
    ----------
    values
        Where the sampler starts from, shape (n,).
    first_variance
        Residual variance to start from.
    intercept_scale
        Median of the prior on the standard deviation of random intercepts.
    is_latent
        Whether `draw` gives other values; if not it need not be called.
    """

    values: FloatArray
    first_variance: float
    intercept_scale: float
    is_latent: bool

    def draw(self, fitted: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Values given what the model fits to them, each of shape (n,)."""

    def level_change(
        self,
        fitted: FloatArray,
        columns: FloatArray,
        coefficients: FloatArray,
        precision: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Change of coefficients whose posterior given all else does not wait for `draw`.

        Parameters
        ----------
        fitted
            What the model fits to the values, shape (n,).
        columns
            Columns of the coefficients, shape (n, p).
        coefficients
            As they are, shape (p,).
        precision
            Precision of their prior about 0, shape (p, p).
        rng
            Source of the draws.

        Returns
        -------
        ndarray, shape (p,)
        """

    def variance(self, residual: FloatArray, rng: np.random.Generator) -> float:
        """Residual variance given the residuals, shape (n,)."""


class MeasuredOutcome:
    """An outcome that is a number, whose residual variance has the prior 1 / variance.

    Parameters
    ----------
    values
        The outcome, shape (n,).
    least
        Smallest residual variance.
    """

    is_latent = False
    intercept_scale = 1.0

    def __init__(self, values: FloatArray, least: float = 1e-10) -> None:
        self.values, self.least = values, least
        self.first_variance = max(float(values @ values) / len(values), least)

    def draw(self, fitted: FloatArray, rng: np.random.Generator) -> FloatArray:
        """The values that were measured."""
        return self.values

    def level_change(
        self,
        fitted: FloatArray,
        columns: FloatArray,
        coefficients: FloatArray,
        precision: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """None: nothing waits."""
        return np.zeros_like(coefficients)

    def variance(self, residual: FloatArray, rng: np.random.Generator) -> float:
        """A draw from the inverse gamma distribution."""
        square = float(residual @ residual) / 2
        return max(square / rng.standard_gamma(len(residual) / 2), self.least)


class ProbitOutcome:
    r"""Normal variables whose signs are the events (Albert and Chib 1993).

    .. math:: y_i = 1\{z_i > 0\}, \quad z_i \sim N(\eta_i, 1), \quad
              P(y_i = 1) = \Phi(\eta_i)

    Given :math:`\eta` and the events, z is truncated normal; given z, :math:`\eta` is a
    Gaussian model's with residual variance 1. Values are those of
    :math:`z - \Phi^{-1}(\bar y)`, so that a model whose prior is centred at 0 shrinks
    towards the overall risk.

    A known part of the mean outcome, such as the level of the person's block, comes as a
    difference of risks s and is an offset
    :math:`\Phi^{-1}(\bar y + s) - \Phi^{-1}(\bar y)` of the predictor.

    A person of weight w counts as w persons with the same event: the sampler gets the
    mean of w truncated normal draws, with precision w. For whole numbers that is the
    posterior of the repeated rows; for others the mean and the variance of such a mean
    are right.

    Parameters
    ----------
    events
        Whether the event was seen, shape (n,).
    weight
        Positive weights, shape (n,), or None. Only their ratios matter.
    known
        Known part s of each row's risk, shape (n,), or None.

    Attributes
    ----------
    level
        :math:`\Phi^{-1}` of the overall risk, half an event away from none and from all.
    root
        Roots of the weights, shape (n,), or None where all are the same.
    known_variance
        Variance of the offset over the rows, which adds to that of new clusters.

    References
    ----------
    Albert and Chib (1993), Journal of the American Statistical Association 88:669-679.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> outcome = ProbitOutcome(np.arange(1000) % 4 == 0)
    >>> z = outcome.draw(np.zeros(1000), rng) + outcome.level
    >>> bool(((z > 0) == outcome.events).all()), round(outcome.level, 3)
    (True, -0.674)
    """

    is_latent = True
    first_variance = 1.0
    # A standard deviation of .5 is an intracluster correlation of .2 behind the events.
    intercept_scale = 0.5

    def __init__(
        self,
        events: BoolArray,
        weight: FloatArray | None = None,
        known: FloatArray | None = None,
    ) -> None:
        self.events = events
        self._sign = np.where(events, 1.0, -1.0)
        self.root: FloatArray | None = None
        if weight is not None and np.ptp(weight) > _SAME_WEIGHT:
            self.root = np.sqrt(weight / weight.mean())
        n = len(events)
        risk = float(np.clip(np.average(events, weights=weight), 0.5 / n, 1 - 0.5 / n))
        self.level = float(ndtri(risk))
        self._offset = np.full(n, self.level)
        if known is not None and np.ptp(known) > _SAME_RISK:
            # A block without events has some all the same.
            least, most = _LEAST_PART * risk, 1 - _LEAST_PART * (1 - risk)
            self._offset = ndtri(np.clip(risk + known, least, most))
            self._offset += self.level - np.average(self._offset, weights=weight)
        self.known_variance = float(np.average((self._offset - self.level) ** 2, weights=weight))
        self.values = self._scaled(truncated_mean(self._offset, self._sign) - self._offset)

    def _scaled(self, values: FloatArray) -> FloatArray:
        return values if self.root is None else self.root * values

    def draw(self, fitted: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Values given what the model fits to them, each of shape (n,)."""
        predictor = self._offset + (fitted if self.root is None else fitted / self.root)
        z = truncated_normal(predictor, self._sign, rng)
        if self.root is not None:
            mean = truncated_mean(predictor, self._sign)
            z = mean + (z - mean) / self.root
        return self._scaled(z - self._offset)

    def level_change(
        self,
        fitted: FloatArray,
        columns: FloatArray,
        coefficients: FloatArray,
        precision: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Change of the coefficients of level and arm by Metropolis, z integrated out.

        Given z these move little where events are few, and an arm without any hardly moves
        at all. To follow by `draw`.
        """
        change = np.zeros_like(coefficients)
        if not len(coefficients):
            return change
        plain = columns if self.root is None else columns / self.root[:, None]
        share = 1.0 if self.root is None else self.root**2
        predictor = self._offset + (fitted if self.root is None else fitted / self.root)

        def log_density(moved: FloatArray) -> float:
            own, new = predictor + plain @ moved, coefficients + moved
            rows = share * log_ndtr(self._sign * own)
            return float(rows.sum() - 0.5 * new @ precision @ new)

        # What the events tell of the coefficients at the overall risk.
        slope = np.exp(-(self.level**2)) / (2 * np.pi)
        information = slope / (ndtr(self.level) * ndtr(-self.level)) * (columns.T @ columns)
        root = np.linalg.cholesky(np.linalg.inv(information + precision))
        now = log_density(change)
        for size in _MOVES:
            proposal = change + size * (root @ rng.standard_normal(len(change)))
            then = log_density(proposal)
            if -rng.standard_exponential() < then - now:
                change, now = proposal, then
        return change

    def variance(self, residual: FloatArray, rng: np.random.Generator) -> float:
        """One: events do not tell the scale of what is behind them."""
        return 1.0


def truncated_normal(mean: FloatArray, sign: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draws from N(mean, 1) that have the given signs, 1 or -1, shape (n,).

    Exact to rounding however far the mean lies on the other side.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> z = truncated_normal(np.full(2000, -50.0), np.ones(2000), rng)
    >>> bool((z > 0).all()), round(float(z.mean() * 50), 1)
    (True, 1.0)
    """
    # With u uniform, -log(u) is standard exponential.
    log_tail = log_ndtr(sign * mean) - rng.standard_exponential(len(mean))
    z = mean - sign * ndtri_exp(log_tail)
    drawn: FloatArray = sign * np.maximum(sign * z, 0.0)
    return drawn


def truncated_mean(mean: FloatArray, sign: FloatArray) -> FloatArray:
    """Means of such draws, shape (n,)."""
    towards = sign * mean
    value: FloatArray = mean + sign * np.exp(
        -0.5 * towards**2 - _LOG_ROOT_TWO_PI - log_ndtr(towards)
    )
    return value


def probit_risk(predictor: FloatArray, variance: FloatArray | float = 0.0) -> FloatArray:
    r"""Risk over the random intercepts of new clusters, of the shape of ``predictor``.

    .. math:: \mathrm{E}_b\,\Phi(\eta + b) = \Phi(\eta / \sqrt{1 + v}), \quad b \sim N(0, v)

    Parameters
    ----------
    predictor
        Linear predictor at an intercept of zero, shape (..., k).
    variance
        Variance of the intercepts, a number or one a draw, shape (..., 1).

    Examples
    --------
    >>> probit_risk(np.array([0.0, 1.0]), 1.0).round(3).tolist()
    [0.5, 0.76]
    """
    risk: FloatArray = ndtr(predictor / np.sqrt(1.0 + variance))
    return risk
