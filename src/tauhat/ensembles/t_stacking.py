"""T-stacking: regress the transformed outcome on the members' effects."""

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


class TStacking(Ensemble):
    r"""Regression of the transformed outcome on the out-of-fold effects of the members.

    .. math::
        \min_{c, w}\; \sum_i \Big\{\frac{(A_i-\pi_i)(Y_i-\bar Y)}{\pi_i(1-\pi_i)}
        - c - \sum_k w_k\, \hat\tau_k(X_i)\Big\}^2

    The transformed outcome has the effect as its mean and needs no outcome
    regression, which makes it noisy. In a cluster trial the loss is whitened
    and on heterogeneity only, see `tauhat.ensembles.losses.effect_loss`, and c
    is the level by generalised least squares of the outcomes less their
    out-of-fold mean: few clusters differ in their covariates, and a level that
    is not adjusted for them is too far off. (A T-learner with stacked arm
    regressions is ``T-Stacked``.)

    Parameters
    ----------
    members
        As in `tauhat.ensembles.ensemble.Ensemble`.
    weights
        "nnls" (default): not negative. "ols": of any sign.
    n_folds, outcome_model, random_state, n_jobs
        As in `tauhat.ensembles.ensemble.Ensemble`.

    Attributes
    ----------
    members_, weights_, weighing_, out_of_fold_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.ensemble.Ensemble`; the weights
        need not sum to one.

    References
    ----------
    Athey and Imbens (2016), PNAS 113:7353-7360, for the transformed outcome.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), np.tile([0, 1], 100)
    >>> y = A * X[:, 1] + 0.1 * rng.normal(size=200)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM")]
    >>> model = TStacking(members, random_state=1).fit(X, y, treatment=A)
    >>> bool(0.7 < sum(model.weights_.values()) < 1.3)
    True
    """

    registered_name = "T-Stacking"

    def __init__(
        self,
        members: Members | None = None,
        weights: Literal["nnls", "ols"] = "nnls",
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
        if self.weights not in ("nnls", "ols"):
            raise TrialError(f"weights must be 'nnls' or 'ols', got {self.weights!r}")

    def weigh(
        self, effects: Mapping[str, FloatArray], held_out: OutOfFold, data: TrialData
    ) -> Weights:
        """Constant and weights with the least squared distance."""
        loss = effect_loss("transformed", data, held_out)
        if self.weights == "nnls":
            constant, shares = loss.nonnegative_weights()
        else:
            constant, shares = loss.least_squares_weights()
        if loss.heterogeneity_only:
            constant = effect_loss("residual", data, held_out).level(shares)
        return Weights(by_name(held_out.names, shares), constant)
