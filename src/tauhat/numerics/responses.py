"""Distributions of outcomes that are events or counts, with their canonical or log link."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, gammaln, logit

from tauhat._typing import FloatArray

Link = Literal["logit", "log"]

# Exponentials of larger numbers are as good as infinite for any count.
_LARGEST_LOG_MEAN = 300.0
# A row that its risk has decided keeps a little weight, so that nothing is divided by zero.
_LEAST_WEIGHT = 1e-6
# Variances beyond mean * (1 + 1e4 mean) say that the counts have no mean to speak of.
_LARGEST_OVERDISPERSION = 1e4


class Response(ABC):
    """Outcomes whose mean is the inverse link of a linear predictor.

    Attributes
    ----------
    events
        Number of events of each row, shape (n,).
    link
        "logit" or "log".
    overdispersion
        Variance beyond that of the distribution, where it can have one.
    """

    events: FloatArray
    link: ClassVar[Link]
    overdispersion: float = 0.0

    @abstractmethod
    def log_likelihood(self, predictor: FloatArray) -> FloatArray:
        """Log-likelihood of each row, shape (n,)."""

    @abstractmethod
    def score_and_weight(self, predictor: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Slope and expected curvature of each row's log-likelihood, shapes (n,)."""

    @abstractmethod
    def crude_level(self, weight: FloatArray | None, offset: FloatArray) -> float:
        """Linear predictor, less the offset, at the overall rate; finite without any event."""

    @abstractmethod
    def first_predictor(self, weight: FloatArray | None, offset: FloatArray) -> FloatArray:
        """Linear predictor half way between each row's outcome and the overall rate, shape (n,).

        From there no row's working outcome is far off, as it can be from the overall rate.
        """

    @abstractmethod
    def rows(self, chosen: Any) -> Self:
        """The same for some rows, chosen by position or by a mask."""

    def with_overdispersion(
        self, predictor: FloatArray, weight: FloatArray | None, degrees_of_freedom: float
    ) -> Self:
        """The same with an overdispersion fitted to the predictor, where there is one to fit."""
        return self


@dataclass(frozen=True, eq=False)
class Binomial(Response):
    r"""Events out of trials with log odds :math:`\eta`.

    .. math:: \log L = y\eta - N\log(1 + e^\eta) + \log\binom{N}{y}

    Attributes
    ----------
    events
        Number of events of each row, shape (n,).
    trials
        Number of trials of each row, shape (n,), or 1 for 0/1 outcomes.

    Raises
    ------
    ValueError
        If there are more events than trials or fewer than none.

    Examples
    --------
    >>> Binomial(np.array([0.0, 1.0])).log_likelihood(np.zeros(2)).round(3).tolist()
    [-0.693, -0.693]
    """

    events: FloatArray
    trials: FloatArray | float = 1.0
    link: ClassVar[Link] = "logit"

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        wrong = ~((self.events >= 0) & (self.events <= self.trials))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"{int(wrong.sum())} rows have fewer than 0 or more events than trials, "
                f"the first row {row} with {self.events[row]:g} events"
            )

    def log_likelihood(self, predictor: FloatArray) -> FloatArray:
        """Log-likelihood of each row, shape (n,)."""
        value: FloatArray = self.events * predictor - self.trials * np.logaddexp(0, predictor)
        if isinstance(self.trials, float):
            return value
        missed = self.trials - self.events
        ways = gammaln(self.trials + 1) - gammaln(self.events + 1) - gammaln(missed + 1)
        counted: FloatArray = value + ways
        return counted

    def score_and_weight(self, predictor: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Slope and curvature of each row's log-likelihood, shapes (n,)."""
        risk = expit(predictor)
        score = self.events - self.trials * risk
        return score, self.trials * np.maximum(risk * (1 - risk), _LEAST_WEIGHT)

    def crude_level(self, weight: FloatArray | None, offset: FloatArray) -> float:
        """Log odds of the overall risk, half an event away from none and from all.

        Less the mean offset: with offsets it is where a fit starts, not an estimate.
        """
        own = np.ones(len(self.events)) if weight is None else weight
        events, trials = float(own @ self.events), float((own * self.trials).sum())
        events = min(max(events, 0.5), max(trials - 0.5, 0.5))
        return float(np.log(events / max(trials - events, 0.5)) - np.average(offset, weights=own))

    def first_predictor(self, weight: FloatArray | None, offset: FloatArray) -> FloatArray:
        """Log odds half way between each row's share of events and the overall risk."""
        risk = (self.events / self.trials + expit(offset + self.crude_level(weight, offset))) / 2
        first: FloatArray = logit(np.clip(risk, _LEAST_WEIGHT, 1 - _LEAST_WEIGHT))
        return first

    def rows(self, chosen: Any) -> Self:
        """The same for some rows, chosen by position or by a mask."""
        trials = self.trials if isinstance(self.trials, float) else self.trials[chosen]
        return replace(self, events=self.events[chosen], trials=trials)


@dataclass(frozen=True, eq=False)
class Counts(Response):
    r"""Counts with log mean :math:`\eta`: Poisson, or negative binomial if overdispersed.

    .. math:: \mathrm{E}\,y = \mu = e^\eta, \qquad \mathrm{Var}\,y = \mu + \kappa\mu^2

    Person-time enters as the offset log t of the linear predictor.

    Attributes
    ----------
    events
        Counts, shape (n,).
    overdispersion
        :math:`\kappa`; 0 is Poisson.
    fits_overdispersion
        Whether :math:`\kappa` is estimated with the rest.

    Raises
    ------
    ValueError
        If a count is negative.

    Examples
    --------
    >>> Counts(np.array([0.0, 2.0])).log_likelihood(np.zeros(2)).round(3).tolist()
    [-1.0, -1.693]
    """

    events: FloatArray
    overdispersion: float = 0.0
    fits_overdispersion: bool = False
    link: ClassVar[Link] = "log"

    def __post_init__(self) -> None:
        """Refuse negative counts."""
        wrong = ~(self.events >= 0)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(f"{int(wrong.sum())} counts are negative, the first in row {row}")

    @cached_property
    def _constant(self) -> FloatArray:
        """What does not depend on the mean, shape (n,)."""
        constant: FloatArray = -gammaln(self.events + 1)
        if self.overdispersion == 0:
            return constant
        size = 1 / self.overdispersion
        # Differences of log gammas of huge numbers have no digits left, and are about zero.
        near = self.overdispersion * (1 + self.events) < 1e-7
        gap = gammaln(self.events + size) - gammaln(size) - self.events * np.log(size)
        return constant + np.where(near, 0.0, gap)

    def log_likelihood(self, predictor: FloatArray) -> FloatArray:
        """Log-likelihood of each row, shape (n,)."""
        mean = np.exp(np.minimum(predictor, _LARGEST_LOG_MEAN))
        kappa = self.overdispersion
        if kappa == 0:
            poisson: FloatArray = self.events * predictor - mean + self._constant
            return poisson
        spread = np.log1p(kappa * mean)
        value: FloatArray = self.events * (predictor - spread) - spread / kappa + self._constant
        return value

    def score_and_weight(self, predictor: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Slope and expected curvature of each row's log-likelihood, shapes (n,)."""
        mean = np.exp(np.minimum(predictor, _LARGEST_LOG_MEAN))
        share = 1 / (1 + self.overdispersion * mean)
        return (self.events - mean) * share, np.maximum(mean * share, _LEAST_WEIGHT)

    def crude_level(self, weight: FloatArray | None, offset: FloatArray) -> float:
        """Log of the overall rate, with at least half an event."""
        own = np.ones(len(self.events)) if weight is None else weight
        time = float(own @ np.exp(offset - offset.max()))
        events = max(float(own @ self.events), 0.5)
        return float(np.log(events / time) - offset.max())

    def first_predictor(self, weight: FloatArray | None, offset: FloatArray) -> FloatArray:
        """Log mean half way between each count and what the overall rate makes of it."""
        overall = np.exp(offset + self.crude_level(weight, offset))
        first: FloatArray = np.log((self.events + overall) / 2)
        return first

    def rows(self, chosen: Any) -> Self:
        """The same for some rows, chosen by position or by a mask."""
        return replace(self, events=self.events[chosen])

    def with_overdispersion(
        self, predictor: FloatArray, weight: FloatArray | None, degrees_of_freedom: float
    ) -> Self:
        r"""The same with :math:`\kappa` from Pearson's statistic, if it is to be fitted.

        .. math:: \sum_i w_i \frac{(y_i - \mu_i)^2}{\mu_i + \kappa\mu_i^2} = n - \mathrm{edf}

        0 where the counts scatter no more than Poisson ones (Breslow 1984, Applied
        Statistics 33:38-44).
        """
        if not self.fits_overdispersion:
            return self
        mean = np.exp(np.minimum(predictor, _LARGEST_LOG_MEAN))
        square = (self.events - mean) ** 2 * (1.0 if weight is None else weight)

        def excess(kappa: float) -> float:
            return float((square / (mean + kappa * mean**2)).sum()) - degrees_of_freedom

        if degrees_of_freedom <= 0 or excess(0.0) <= 0:
            return replace(self, overdispersion=0.0)
        if excess(_LARGEST_OVERDISPERSION) > 0:
            return replace(self, overdispersion=_LARGEST_OVERDISPERSION)
        found: Any = brentq(excess, 0.0, _LARGEST_OVERDISPERSION, xtol=1e-10)
        return replace(self, overdispersion=float(found))
