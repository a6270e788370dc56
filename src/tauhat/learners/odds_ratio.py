"""One odds ratio for everybody: effects differ as the risk without treatment does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from tauhat.fitting.linked import LinkedEffect
from tauhat.fitting.log_odds import AdditiveLogOdds
from tauhat.fitting.risk_form import RiskForm


class ConstantOddsRatio(LinkedEffect):
    r"""Risk differences under one conditional odds ratio, with a random cluster intercept.

    .. math::
        \mathrm{logit}\,P(Y_{ij} = 1) = \alpha + x'\beta + \sum_k s_k(x_k)
        + (A_i - \tfrac12)\,\delta + b_i, \qquad
        \tau(x) = \mathrm{E}_b\{\mathrm{expit}(\eta_1 + b) - \mathrm{expit}(\eta_0 + b)\}

    Treatment has one coefficient, so that the absolute benefit differs through the risk alone.
    Nothing is as accurate where that is true, and nothing else is found where it is not.

    Parameters
    ----------
    n_splines
        Size of each B-spline basis of the prognosis; cluster-level covariates get at most 5.
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
    Kent, Paulus, van Klaveren and others (2020), Annals of Internal Medicine 172:35-45.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> A, x = np.arange(2000) % 2, rng.normal(size=(2000, 1))
    >>> y = rng.random(2000) < 1 / (1 + np.exp(2 - 1.5 * x[:, 0] - A))
    >>> model = ConstantOddsRatio().fit(x, y, treatment=A)
    >>> low, middle, high = model.effect([[-2.0], [1.0], [5.0]])
    >>> bool(low < 0.05 < 0.15 < middle > high)
    True
    """

    registered_name = "Constant-Odds-Ratio"

    risk_forms: ClassVar[Mapping[str, Callable[[Any], RiskForm | None]]] = {
        "logit": lambda own: AdditiveLogOdds(n_splines=own.n_splines, interactions=False)
    }

    def __init__(self, n_splines: int = 10, random_state: Any = None, n_jobs: int = 1) -> None:
        self.n_splines = n_splines
        self.random_state = random_state
        self.n_jobs = n_jobs
