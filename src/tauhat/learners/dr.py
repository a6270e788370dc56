"""DR-learner: regress the doubly robust score with the known propensity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.learners.meta import N_FOLDS, TwoStageLearner, arm_sizes, pooled_components
from tauhat.outcome_model import VarianceComponents


class DRLearner(TwoStageLearner):
    r"""Regression of the doubly robust score on the covariates.

    .. math::
        \phi_i = \hat\mu_1(X_i) - \hat\mu_0(X_i)
        + \frac{A_i - \pi_i}{\pi_i(1 - \pi_i)}\,\{Y_i - \hat\mu_{A_i}(X_i)\}

    with arm regressions cross-fitted over whole clusters (persons in individual
    trials) and the known propensity, so that :math:`E[\phi_i \mid X_i] = \tau(X_i)`
    whatever the outcome regressions are.

    Parameters
    ----------
    outcome_model, effect_model, random_state, n_jobs
        As in `tauhat.learners.meta.TwoStageLearner`.

    References
    ----------
    Kennedy (2023), Electronic Journal of Statistics 17:3008-3049.

    Examples
    --------
    >>> from tauhat.outcome.linear_mixed import LinearMixedModel
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + 0.1 * rng.normal(size=400)
    >>> model = DRLearner(LinearMixedModel(), random_state=1).fit(X, y, treatment=A)
    >>> bool(abs(model.effect([[0.0, 1.0]])[0] - 2) < 0.1)
    True
    """

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """One cross-fitted regression an arm."""
        straight = self.sees_straight(data)
        return [
            Nuisance(
                "control", self.outcome_model, arm=0, n_folds=N_FOLDS, seed=seed, straight=straight
            ),
            Nuisance(
                "treated", self.outcome_model, arm=1, n_folds=N_FOLDS, seed=seed, straight=straight
            ),
        ]

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Regress the scores of all persons."""
        control = nuisances["control"].cross_fitted
        treated = nuisances["treated"].cross_fitted
        own = np.where(data.treatment == 1, treated, control)
        pi = data.propensity
        weight = (data.treatment - pi) / (pi * (1 - pi))
        score = treated - control + weight * (data.working - own)
        self.effect_model_ = self.fit_effect_model(data, np.arange(data.n), score, seed)
        self.fold_components_ = [nuisances[arm].components for arm in ("control", "treated")]
        self.arm_sizes_ = arm_sizes(data)

    @property
    def variance_components_(self) -> VarianceComponents:
        """Variance components of mixed outcome models, averaged over folds and arms.

        Raises
        ------
        AttributeError
            If the outcome model has no random intercept.
        """
        if not all(self.fold_components_):
            raise AttributeError(
                f"{type(self.outcome_model).__name__} has no random intercept, so there are no "
                "variance components"
            )
        parts = [
            VarianceComponents(
                between_cluster=float(np.mean([p.between_cluster for p in folds])),
                residual=float(np.mean([p.residual for p in folds])),
            )
            for folds in self.fold_components_
        ]
        return pooled_components(parts, self.arm_sizes_)

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.effect_model_.predict(X)
