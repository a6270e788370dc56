"""Piecewise-exponential mixed model: what a linear mixed model is for means, for hazards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.hazards_form import HazardsForm
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.numerics.piecewise_hazards import PiecewiseHazards


class PiecewiseExponentialEffect(CateEstimator):
    r"""Effect on a time, from a model of the hazard in both arms with a frailty of the cluster.

    .. math::
        \log\lambda_{ij}(t) = \alpha + u_{k(t)} + x_{ij}'\beta + f(x_{ij})
        + (A_i - \tfrac12)\{\delta + z_{ij}'\gamma + q_{k(t)}'s\} + b_i, \qquad
        \tau(x) = \mathrm{E}_b\{m(\lambda_1) - m(\lambda_0)\}

    with the hazard constant within up to eight intervals k(t), which have about as many events
    each, a line and a parabola q of the number of the interval, so that hazards need not be
    proportional, curves f, and a normal log frailty b. m is what the endpoint asks for: the
    restricted mean survival time, the probability to be without an event at the horizon, or the
    restricted mean time lost; where events compete, they have a model of their own. Slopes and
    curves of the prognosis and intervals are random blocks with a variance each. z has the lines
    of all covariates and steps of persons' covariates at deciles
    (`tauhat.numerics.step_columns.StepColumns`). Their slopes :math:`\gamma` are averaged over
    which of them are there: none, a few, or all lines
    (`tauhat.numerics.sparse_slopes.average_over_sets`), so that a single covariate that matters
    is not shrunk as the others are, and an effect may set in at a threshold.

    It takes the times themselves, not the outcome that is made of them, and assumes that
    censoring has nothing to do with the time to the event given covariates and arm. Where hazards
    are far from this model others are nearer.

    Parameters
    ----------
    random_state, n_jobs
        As in `tauhat.CateEstimator`; nothing is random.

    Attributes
    ----------
    variance_components_
        Variance of the log frailties of the event, of clusters and of blocks, and that of the log
        of a time with constant hazard.
    cluster_effects_
        Predicted log frailties by cluster number; empty without clusters.
    hazards_
        Fitted hazards of the event and of those that compete with it, where some do
        (`tauhat.numerics.piecewise_hazards.PiecewiseHazards`).

    Raises
    ------
    TrialError
        In `fit`, if the outcome is no time to an event.

    References
    ----------
    Holford (1980), Biometrics 36, 299-305, and Laird and Olivier (1981), JASA 76, 231-240, for
    the likelihood; Breslow and Clayton (1993), JASA 88, 9-25, for mixed models of rates; the
    shrinkage is tauhat's.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from tauhat.trial.trial import Trial
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"x": rng.normal(size=600), "arm": np.arange(600) % 2})
    >>> months = 10 * rng.exponential(size=600) * np.exp(df.arm * (0.5 + df.x))
    >>> df = df.assign(months=np.minimum(months, 15), died=months <= 15)
    >>> trial = Trial(df, outcome="months", treatment="arm", event="died", horizon=12)
    >>> model = trial.fit("PEM")
    >>> low, high = model.effect(pd.DataFrame({"x": [-1.0, 1.0]}))
    >>> bool(low < 0 < 3 < high)
    True
    """

    registered_name = "PEM"

    hazards_: list[PiecewiseHazards]

    def __init__(self, random_state: Any = None, n_jobs: int = 1) -> None:
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """None: outcome and effect are one model."""
        return []

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit the hazards of the event and of those that compete with it."""
        follow_up, made = data.endpoint.follow_up, data.endpoint.kind.time
        if follow_up is None or made is None:
            raise TrialError(
                f"{self.known_as} models the hazard of an event, so it needs a time to an event: "
                f"a Trial with event= and horizon=; this outcome is {data.endpoint.kind_name}"
            )
        self.form_ = HazardsForm().fit(data, seed)
        self.hazards_ = self.form_.hazards_
        self.variance_components_ = self.form_.components_
        self.cluster_effects_ = self.form_.cluster_effects_

    def predict_means(self, X: FloatArray) -> FloatArray:
        """What is compared, without and with treatment in a new cluster, shape (k, 2).

        Mean times up to the horizon, probabilities at it, or mean times lost, as the endpoint
        says.
        """
        return self.form_.means(X)

    def risks_at(self, X: FloatArray) -> FloatArray:
        """The same as shares of the largest effect that can be, such as the horizon."""
        return self.form_.risks(X)

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        means = self.predict_means(X)
        return means[:, 1] - means[:, 0]
