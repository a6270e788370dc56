"""R-stacking: members weighed by Robinson's loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble
from tauhat.ensembles.library import Members
from tauhat.ensembles.losses import effect_loss
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.ensembles.weighing import Weights, by_name
from tauhat.errors import TrialError
from tauhat.learners.meta import N_FOLDS
from tauhat.outcome_model import OutcomeModel


class RStacking(Ensemble):
    r"""Weights that are not negative with the least out-of-fold R-loss.

    .. math::
        \min_{b, c,\, w \ge 0}\; \sum_i \Big[ Y_i - \hat m(X_i) - b
        - (A_i-\pi_i)\Big\{c + \sum_k w_k\, \hat\tau_k(X_i)\Big\}\Big]^2

    The effect is :math:`c + \sum_k w_k \hat\tau_k(x)`; the weights need not sum
    to one, so the spread of the effects can be stretched or shrunk, down to a
    constant effect. In a cluster trial the loss is whitened by a random
    intercept, see `tauhat.ensembles.losses.effect_loss`.

    Parameters
    ----------
    members
        As in `tauhat.ensembles.ensemble.Ensemble`.
    weights
        "nnls" (default): as above. "convex": weights that sum to one, without c.
    n_folds, outcome_model, random_state, n_jobs
        As in `tauhat.ensembles.ensemble.Ensemble`.

    Attributes
    ----------
    members_, weights_, weighing_, out_of_fold_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.ensemble.Ensemble`.

    References
    ----------
    Nie and Wager (2021), Biometrika 108:299-319.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), np.tile([0, 1], 100)
    >>> y = A * X[:, 1] + 0.1 * rng.normal(size=200)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM")]
    >>> model = RStacking(members, random_state=1).fit(X, y, treatment=A)
    >>> bool(0.8 < sum(model.weights_.values()) < 1.2)
    True
    """

    registered_name = "R-Stacking"

    def __init__(
        self,
        members: Members | None = None,
        weights: Literal["nnls", "convex"] = "nnls",
        n_folds: int = N_FOLDS,
        outcome_model: OutcomeModel | None = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(members, random_state, n_jobs)
        self.n_folds = n_folds
        self.outcome_model = outcome_model
        self.weights = weights

    def _check_settings(self) -> None:
        """Refuse unknown weights."""
        super()._check_settings()
        if self.weights not in ("nnls", "convex"):
            raise TrialError(f"weights must be 'nnls' or 'convex', got {self.weights!r}")

    def weigh(
        self, effects: Mapping[str, FloatArray], held_out: OutOfFold, data: TrialData
    ) -> Weights:
        """Constant and weights with the least R-loss."""
        loss = effect_loss("residual", data, held_out)
        if self.weights == "nnls":
            constant, shares = loss.nonnegative_weights()
        else:
            constant, shares = 0.0, loss.convex_weights()
        return Weights(by_name(held_out.names, shares), constant)
