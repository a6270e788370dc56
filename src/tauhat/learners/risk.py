"""The risk model: an odds ratio that changes with the predicted risk, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.linked import LinkedEffect
from tauhat.fitting.log_odds import AdditiveLogOdds, LogOddsForm
from tauhat.fitting.risk_form import RiskForm

# Prior SDs of the coefficient of the predicted log odds and of its interaction with treatment,
# per standard deviation of the predicted log odds: the first is next to none.
_SLOPE_SD, _INTERACTION_SD = 10.0, 0.3
#: Standard deviation of predicted log odds below which they are taken in units of this. Predictions
#: that hardly differ are mostly noise; in units of their own the odds ratio along them would be
#: shrunk no more than along any other, and their shrinkage undone (benchmarks/weak_prognosis.py).
LEAST_SPREAD = 0.5


class RiskLogOdds(LogOddsForm):
    """Log odds that are linear in those predicted by a model without interactions.

    Parameters
    ----------
    n_splines
        Size of each B-spline basis of the prediction.
    """

    def __init__(self, *, n_splines: int = 10) -> None:
        self.n_splines = n_splines

    def fit(self, data: TrialData, seed: int) -> Self:
        """Fit the prediction, then the odds ratio along it."""
        self.prediction_ = AdditiveLogOdds(n_splines=self.n_splines, interactions=False)
        self.prediction_.fit(data, seed)
        predicted = self.prediction_.log_odds(data.X).mean(axis=1)
        self.mean_ = float(np.average(predicted, weights=data.sample_weight))
        self.scale_ = max(float(predicted.std()), LEAST_SPREAD)
        self.fit_model(data, seed, held=(_SLOPE_SD**2, _INTERACTION_SD**2))
        return self

    def blocks(self, X: FloatArray) -> list[FloatArray]:
        """The predicted log odds in their units, the mean of both arms."""
        predicted = self.prediction_.log_odds(X).mean(axis=1)
        return [((predicted - self.mean_) / self.scale_)[:, None]]


class RiskEffect(LinkedEffect):
    r"""Risk modelling: the effect differs with the predicted risk of the event alone.

    A mixed logistic model without interactions predicts everybody's log odds r(x), blind to
    who benefits; then the log odds ratio of treatment is linear in them, with a shrunken
    slope,

    .. math::
        \mathrm{logit}\,P(Y_{ij} = 1) = \alpha + \beta\,r(x)
        + (A_i - \tfrac12)\{\delta + \gamma\,r(x)\} + b_i, \qquad \gamma \sim N(0, 0.3^2)

    with r(x) in standard units, or in units of .5 where its standard deviation is less: such
    differences are mostly noise. The effect is the difference of both arms' risks in a new
    cluster.

    Parameters
    ----------
    n_splines
        Size of each B-spline basis of the prediction; cluster-level covariates get at most 5.
    random_state, n_jobs
        As in `tauhat.CateEstimator`; only the draws are random.

    Attributes
    ----------
    variance_components_
        Variance of the clusters' intercepts in squared log odds, and that of the logistic
        distribution.

    Raises
    ------
    TrialError
        In `fit`, if the outcome is not an event.

    References
    ----------
    Kent, Paulus, van Klaveren and others (2020), The PATH statement, Annals of Internal
    Medicine 172:35-45; the shrinkage is tauhat's.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> A, X = np.arange(2000) % 2, rng.normal(size=(2000, 2))
    >>> y = rng.random(2000) < 1 / (1 + np.exp(1 - X[:, 0] + A * (0.2 + X[:, 0])))
    >>> model = RiskEffect().fit(X, y, treatment=A)
    >>> low, high = model.effect([[-1.0, 0.0], [2.0, 0.0]])
    >>> bool(high < -0.3 < -0.1 < low)
    True
    """

    registered_name = "Risk"

    risk_forms: ClassVar[Mapping[str, Callable[[Any], RiskForm | None]]] = {
        "logit": lambda own: RiskLogOdds(n_splines=own.n_splines)
    }

    def __init__(self, n_splines: int = 10, random_state: Any = None, n_jobs: int = 1) -> None:
        self.n_splines = n_splines
        self.random_state = random_state
        self.n_jobs = n_jobs
