"""Q-aggregation: between the best combination and the best member."""

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
from tauhat.numerics.simplex import simplex_minimum
from tauhat.outcome_model import OutcomeModel


class QAggregation(Ensemble):
    r"""Convex weights that a member's own loss helps to decide.

    .. math::
        \min_{w \ge 0,\; 1'w = 1}\; (1-\nu) L\Big(\sum_k w_k \hat\tau_k\Big)
        + \nu \sum_k w_k L(\hat\tau_k) + \beta s^2 \sum_k w_k \log(1/p_k)

    with the doubly robust loss L of `tauhat.ensembles.causal_stacking.CausalStacking`,
    summed over persons, its residual variance :math:`s^2` and prior weights p.
    :math:`\nu = 0` without prior is causal stacking, :math:`\nu = 1` picks the
    best member. In a cluster trial L is whitened and on heterogeneity only.

    Parameters
    ----------
    members
        As in `tauhat.ensembles.ensemble.Ensemble`.
    nu
        Share of the members' own losses, 0 to 1.
    beta
        Weight of the prior, in units of the residual variance; without effect
        when the prior is equal.
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
    Lan and Syrgkanis (2024), Causal Q-aggregation for CATE model selection,
    AISTATS, PMLR 238.

    Examples
    --------
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), np.tile([0, 1], 100)
    >>> y = A * X[:, 1] + 0.1 * rng.normal(size=200)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM")]
    >>> model = QAggregation(members, random_state=1).fit(X, y, treatment=A)
    >>> round(sum(model.weights_.values()), 6)
    1.0
    """

    registered_name = "Q-Aggregation"

    def __init__(
        self,
        members: Members | None = None,
        nu: float = 0.5,
        beta: float = 1.0,
        prior: Mapping[str, float] | None = None,
        n_folds: int = N_FOLDS,
        outcome_model: OutcomeModel | None = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(members, random_state, n_jobs)
        self.n_folds = n_folds
        self.outcome_model = outcome_model
        self.nu = nu
        self.beta = beta
        self.prior = prior

    def _check_settings(self) -> None:
        """Refuse a share or a weight of the prior out of bounds."""
        super()._check_settings()
        if not 0 <= self.nu <= 1:
            raise TrialError(f"nu must lie between 0 and 1, got {self.nu}")
        if self.beta < 0:
            raise TrialError(f"beta must not be negative, got {self.beta}")

    def weigh(
        self, effects: Mapping[str, FloatArray], held_out: OutOfFold, data: TrialData
    ) -> Weights:
        """Minimum over the simplex; the scores are the members' losses."""
        loss = effect_loss("doubly-robust", data, held_out)
        target, columns = loss.system()
        each = loss.of_each()
        penalty = -self.beta * np.log(prior_weights(self.prior, held_out.names))
        together = 1 - self.nu
        gram = together * (columns.T @ columns) / loss.variance
        linear = together * (columns.T @ target) / loss.variance
        shares = simplex_minimum(gram, linear - (self.nu * each + penalty) / 2)
        return Weights(by_name(held_out.names, shares), scores=by_name(held_out.names, each))
