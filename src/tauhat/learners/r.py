"""R-learner: regress residualised outcome on residualised treatment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.nuisance import Nuisance, NuisanceFit, fit_nuisances, pick
from tauhat.fitting.period_levels import without_period_levels
from tauhat.fitting.scikit_learn import as_outcome_model
from tauhat.learners.meta import N_FOLDS, TwoStageLearner, components_given_effect
from tauhat.outcome_model import VarianceComponents


class RLearner(TwoStageLearner):
    r"""Weighted regression that minimises Robinson's loss.

    .. math::
        \hat\tau = \arg\min_\tau \sum_i
        \big[\{Y_i - \hat m(X_i)\} - (A_i - \pi_i)\,\tau(X_i)\big]^2

    fitted as a regression of :math:`(Y_i - \hat m(X_i)) / (A_i - \pi_i)` with weights
    :math:`(A_i - \pi_i)^2`; :math:`\hat m` is cross-fitted over whole clusters and
    the propensity is known. Over periods outcomes and treatment are those within periods
    (`tauhat.fitting.period_levels.without_period_levels`), of periods in which both arms were
    seen.

    Parameters
    ----------
    outcome_model, effect_model, random_state, n_jobs
        As in `tauhat.learners.meta.TwoStageLearner`.

    References
    ----------
    Nie and Wager (2021), Biometrika 108:299-319.

    Examples
    --------
    >>> from tauhat.outcome.linear_mixed import LinearMixedModel
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + 0.1 * rng.normal(size=400)
    >>> model = RLearner(LinearMixedModel(), random_state=1).fit(X, y, treatment=A)
    >>> bool(abs(model.effect([[0.0, 1.0]])[0] - 2) < 0.3)
    True
    """

    @property
    def knows_periods(self) -> bool:
        """Yes: it compares within periods."""
        return True

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """One cross-fitted regression of the outcome on the covariates alone.

        Over periods it is of another outcome than that of the trial, and made in `fit_effect`.
        """
        return [] if data.design.fixed_effects.shape[1] else [self._mean(data, seed)]

    def _mean(self, data: TrialData, seed: int) -> Nuisance:
        straight = self.sees_straight(data)
        return Nuisance("mean", self.outcome_model, n_folds=N_FOLDS, seed=seed, straight=straight)

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Regress the ratio of residuals with the squared treatment residual as weight."""
        if not nuisances:
            data = without_period_levels(data)
            own = [self._mean(data, seed)]
            nuisances = pick(own, fit_nuisances(own, data))
        contrast = data.treatment - data.propensity
        residual = data.working - nuisances["mean"].cross_fitted
        # In a period in which all are treated, or none, there is nothing to compare.
        rows = np.flatnonzero(np.abs(contrast) > 1e-9)
        weight = contrast[rows] ** 2 / np.mean(contrast[rows] ** 2)
        ratio = residual[rows] / contrast[rows]
        self.effect_model_ = self.fit_effect_model(data, rows, ratio, seed, weight)
        self._components: VarianceComponents | None = None
        if as_outcome_model(self.outcome_model).models_clusters:
            self._components = components_given_effect(data, self.predict_effect(data.X))

    @property
    def variance_components_(self) -> VarianceComponents:
        """Variance components given the effect.

        Those of the outcome model itself would count the effect of a
        cluster-level treatment as a difference between clusters.

        Raises
        ------
        AttributeError
            If the outcome model has no random intercept.
        """
        if self._components is None:
            raise AttributeError(
                f"{type(self.outcome_model).__name__} has no random intercept, so there are no "
                "variance components"
            )
        return self._components

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.effect_model_.predict(X)
