"""Exponential weights: members discounted by their out-of-fold loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble
from tauhat.ensembles.library import Members
from tauhat.ensembles.losses import effect_loss
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.ensembles.weighing import Weights, by_name, prior_weights
from tauhat.errors import TrialError
from tauhat.learners.meta import N_FOLDS
from tauhat.outcome_model import OutcomeModel

_TEMPERATURES = {"individual": 4.0, "cluster": 8.0}


class ExponentialWeights(Ensemble):
    r"""Average of the members, each discounted by its out-of-fold loss.

    .. math::
        w_k \propto p_k \exp\Big\{-\frac{L(\hat\tau_k) - \min_j L(\hat\tau_j)}{T s^2}\Big\}

    with the doubly robust loss L of `tauhat.ensembles.causal_stacking.CausalStacking`,
    summed over persons, its residual variance :math:`s^2`, prior weights p and a
    temperature T: two members whose fit to the outcome cannot be told apart keep
    nearly equal weights. In a cluster trial L is whitened and on heterogeneity
    only.

    Parameters
    ----------
    members
        As in `tauhat.ensembles.ensemble.Ensemble`.
    temperature
        T; None means 4 when persons and 8 when clusters were randomized.
    prior
        Positive weight by name of a member; None means equal ones.
    n_folds, outcome_model, random_state, n_jobs
        As in `tauhat.ensembles.ensemble.Ensemble`.

    Attributes
    ----------
    weighing_
        ``weighing_.scores`` has the out-of-fold loss of each member over the
        residual variance.
    members_, weights_, out_of_fold_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.ensemble.Ensemble`.

    References
    ----------
    Dalalyan and Tsybakov (2008), Machine Learning 72:39-61, for aggregation by
    exponential weights.

    Examples
    --------
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), np.tile([0, 1], 100)
    >>> y = A * X[:, 1] + 0.1 * rng.normal(size=200)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM")]
    >>> model = ExponentialWeights(members, random_state=1).fit(X, y, treatment=A)
    >>> round(sum(model.weights_.values()), 6)
    1.0
    """

    registered_name = "Exponential"

    def __init__(
        self,
        members: Members | None = None,
        temperature: float | None = None,
        prior: Mapping[str, float] | None = None,
        n_folds: int = N_FOLDS,
        outcome_model: OutcomeModel | None = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(members, random_state, n_jobs)
        self.n_folds = n_folds
        self.outcome_model = outcome_model
        self.temperature = temperature
        self.prior = prior

    def _check_settings(self) -> None:
        """Refuse a temperature that is not positive."""
        super()._check_settings()
        if self.temperature is not None and self.temperature <= 0:
            raise TrialError(f"temperature must be positive, got {self.temperature}")

    def weigh(
        self, effects: Mapping[str, FloatArray], held_out: OutOfFold, data: TrialData
    ) -> Weights:
        """Discounted weights; the scores are the losses."""
        temperature = self.temperature
        if temperature is None:
            temperature = _TEMPERATURES[data.design.family]
        losses = effect_loss("doubly-robust", data, held_out).of_each()
        prior = prior_weights(self.prior, held_out.names)
        weights = prior * np.exp(-(losses - losses.min()) / temperature)
        shares = by_name(held_out.names, weights / weights.sum())
        return Weights(shares, scores=by_name(held_out.names, losses))
