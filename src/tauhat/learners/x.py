"""X-learner: impute each person's effect with the other arm's regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.learners.meta import TwoStageLearner, arm_sizes, pooled_components
from tauhat.outcome_model import VarianceComponents


class XLearner(TwoStageLearner):
    r"""Regressions of effects imputed from the other arm.

    .. math::
        D^1_i = Y_i - \hat\mu_0(X_i) \;(A_i = 1), \qquad
        D^0_i = \hat\mu_1(X_i) - Y_i \;(A_i = 0)

    .. math:: \hat\tau(x) = \pi\,\hat\tau_0(x) + (1 - \pi)\,\hat\tau_1(x)

    where :math:`\hat\tau_a` regresses :math:`D^a` and :math:`\pi` is the known
    propensity. Every imputation is out of sample, since the arm regressions
    never saw the other arm's persons or clusters.

    Parameters
    ----------
    outcome_model, effect_model, random_state, n_jobs
        As in `tauhat.learners.meta.TwoStageLearner`.

    References
    ----------
    Künzel, Sekhon, Bickel and Yu (2019), PNAS 116:4156-4165.

    Examples
    --------
    >>> from tauhat.outcome.linear_mixed import LinearMixedModel
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + 0.1 * rng.normal(size=400)
    >>> model = XLearner(LinearMixedModel(), random_state=1).fit(X, y, treatment=A)
    >>> bool(abs(model.effect([[0.0, 1.0]])[0] - 2) < 0.1)
    True
    """

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """One regression an arm."""
        straight = self.sees_straight(data)
        return [
            Nuisance("control", self.outcome_model, arm=0, seed=seed, straight=straight),
            Nuisance("treated", self.outcome_model, arm=1, seed=seed, straight=straight),
        ]

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Regress the imputed effects in each arm."""
        control, treated = (np.flatnonzero(data.treatment == arm) for arm in (0, 1))
        imputed_treated = data.working[treated] - nuisances["control"].fitted.predict(
            data.X[treated]
        )
        imputed_control = (
            nuisances["treated"].fitted.predict(data.X[control]) - data.working[control]
        )
        self.effect_models_ = [
            self.fit_effect_model(data, control, imputed_control, seed),
            self.fit_effect_model(data, treated, imputed_treated, seed),
        ]
        self.outcome_models_ = [nuisances["control"].fitted, nuisances["treated"].fitted]
        self.arm_sizes_ = arm_sizes(data)
        self.propensity_ = float(data.propensity.mean())

    @property
    def variance_components_(self) -> VarianceComponents:
        """Variance components of mixed outcome models, averaged over the arms."""
        models: list[Any] = self.outcome_models_
        return pooled_components([m.variance_components_ for m in models], self.arm_sizes_)

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        from_control, from_treated = (model.predict(X) for model in self.effect_models_)
        return self.propensity_ * from_control + (1 - self.propensity_) * from_treated
