"""Causal stacking: the convex combination nearest to the doubly robust score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble
from tauhat.ensembles.library import Members
from tauhat.ensembles.losses import effect_loss
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.ensembles.weighing import Weights, by_name
from tauhat.learners.meta import N_FOLDS
from tauhat.outcome_model import OutcomeModel


class CausalStacking(Ensemble):
    r"""Convex weights with the least out-of-fold distance to the doubly robust score.

    .. math::
        \min_{w \ge 0,\; 1'w = 1}\; \sum_i
        \Big\{\Gamma_i - \sum_k w_k\, \hat\tau_k(X_i)\Big\}^2, \quad
        \Gamma_i = \hat\mu_1 - \hat\mu_0
        + \frac{A_i-\pi_i}{\pi_i(1-\pi_i)}\{Y_i-\hat\mu_{A_i}\}

    In a cluster trial the loss is whitened by a random intercept and on
    heterogeneity only, see `tauhat.ensembles.losses.effect_loss`; the level is
    the weighted mean of the members' own.

    Parameters
    ----------
    members, n_folds, outcome_model, random_state, n_jobs
        As in `tauhat.ensembles.ensemble.Ensemble`.

    Attributes
    ----------
    members_, weights_, out_of_fold_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.ensemble.Ensemble`.

    References
    ----------
    Han and Wu (2022), Ensemble method for estimating individualized treatment
    effects, arXiv:2202.12445.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), np.tile([0, 1], 100)
    >>> y = A * X[:, 1] + 0.1 * rng.normal(size=200)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM")]
    >>> model = CausalStacking(members, random_state=1).fit(X, y, treatment=A)
    >>> round(sum(model.weights_.values()), 6)
    1.0
    """

    registered_name = "Causal-Stacking"

    def __init__(
        self,
        members: Members | None = None,
        n_folds: int = N_FOLDS,
        outcome_model: OutcomeModel | None = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(members, random_state, n_jobs)
        self.n_folds = n_folds
        self.outcome_model = outcome_model

    def weigh(
        self, effects: Mapping[str, FloatArray], held_out: OutOfFold, data: TrialData
    ) -> Weights:
        """Convex weights with the least loss."""
        loss = effect_loss("doubly-robust", data, held_out)
        return Weights(by_name(held_out.names, loss.convex_weights()))
