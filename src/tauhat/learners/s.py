"""S-learner: one outcome regression with the treatment among its covariates."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.errors import TauhatWarning
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit, treatment_features
from tauhat.fitting.scikit_learn import ScikitLearnModel, as_outcome_model
from tauhat.learners.chains import (
    AVERAGE_EFFECT,
    convergence_table,
    warn_unless_converged,
)
from tauhat.outcome_model import OutcomeModel, VarianceComponents

# The trace of the average effect takes that many of the trial's persons, evenly spaced.
_MOST_TRACED = 200
# Effects that differ by less than this share of the outcome's spread are all the same.
_SAME_EFFECT = 1e-9


class SLearner(CateEstimator):
    r"""Difference of one regression's predictions under treatment and control.

    .. math:: \hat\tau(x) = \hat\mu(x, 1) - \hat\mu(x, 0)

    Models that are additive in their columns get the products of treatment and
    covariates too, since their effect would otherwise be a constant; of an
    additive model of scikit-learn this must be said,
    ``SLearner(ScikitLearnModel(Ridge(), additive=True))``. Of an event the models with a probit
    form, BART with and without an intercept, take it, and the effect is a difference of risks.

    Parameters
    ----------
    outcome_model
        The regression: a `tauhat.OutcomeModel`, or a regressor or classifier of
        scikit-learn.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    convergence_
        With a model that has posterior draws: mean, standard deviation, R-hat and
        effective sample size of the average effect (over at most 200 persons of
        the trial), of the residual and of the between-cluster standard deviation. A
        `TauhatWarning` says so when R-hat of the average effect is above 1.1.

    References
    ----------
    Künzel, Sekhon, Bickel and Yu (2019), PNAS 116:4156-4165.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.outcome.linear_mixed import LinearMixedModel
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + 0.1 * rng.normal(size=400)
    >>> model = SLearner(LinearMixedModel(), random_state=1).fit(X, y, treatment=A)
    >>> bool(abs(model.effect([[0.0, 1.0]])[0] - 2) < 0.1)
    True
    """

    flips_exactly: ClassVar[bool] = False

    def __init__(
        self, outcome_model: OutcomeModel, random_state: Any = None, n_jobs: int = 1
    ) -> None:
        self.outcome_model = outcome_model
        self.random_state = random_state
        self.n_jobs = n_jobs

    @property
    def has_draws(self) -> bool:  # type: ignore[override]
        """Whether the outcome model has posterior draws."""
        return hasattr(self.outcome_model, "predict_draws")

    @property
    def is_straight(self) -> bool:
        """Whether its regression of the outcome is."""
        return as_outcome_model(self.outcome_model).is_straight

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """One regression of the outcome on covariates and treatment."""
        model = self.outcome_model
        straight = self.sees_straight(data)
        return [
            Nuisance(
                "outcome", model, with_treatment=True, seed=seed, of_risks=True, straight=straight
            )
        ]

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Keep the fitted regression."""
        self.model_ = nuisances["outcome"].fitted
        if self.has_draws:
            self._measure_convergence(data)
        if isinstance(self.model_, ScikitLearnModel) and not self.model_.additive:
            self._warn_if_constant(self.model_, data)

    def _warn_if_constant(self, model: ScikitLearnModel, data: TrialData) -> None:
        spread = float(np.ptp(self.predict_effect(data.X)))
        if spread <= _SAME_EFFECT * float(data.working.std()):
            warnings.warn(
                f"{type(model.estimator).__name__} gives everybody the same effect. If it "
                "adds up its columns, as linear models do, an S-learner must give it products of "
                "treatment and covariates: SLearner(tauhat.ScikitLearnModel(model, additive=True))",
                TauhatWarning,
                stacklevel=2,
            )

    def _measure_convergence(self, data: TrialData) -> None:
        model: Any = self.model_
        rows = np.unique(np.linspace(0, data.n - 1, min(data.n, _MOST_TRACED)).astype(np.int64))
        weight = data.sample_weight_of(rows)
        average = np.average(self.draw_effect(data.X[rows]), axis=1, weights=weight)
        traces = model.posterior_traces()
        shape = next(iter(traces.values())).shape
        self.convergence_ = convergence_table({AVERAGE_EFFECT: average.reshape(shape), **traces})
        warn_unless_converged(self.convergence_)

    @property
    def models_risks(self) -> bool:
        """Whether the fitted regression is one of risks."""
        return getattr(getattr(self, "model_", None), "models_risks", False)

    def risks_at(self, X: FloatArray) -> FloatArray:
        """Risks without and with treatment, shape (k, 2)."""
        if not self.models_risks:
            return super().risks_at(X)
        return np.column_stack([self.model_.predict(own) for own in self._features_by_arm(X)])

    def draw_risks(self, X: FloatArray) -> FloatArray:
        """Posterior draws of both risks, shape (draws, k, 2)."""
        if not self.models_risks:
            return super().draw_risks(X)
        model: Any = self.model_
        features = self._features_by_arm(X)
        return np.stack([model.predict_draws(own) for own in features], axis=-1)

    def draw_effect(self, X: FloatArray) -> FloatArray:
        """Posterior draws of the effect, shape (draws, k), if the model has them."""
        if not self.has_draws:
            return super().draw_effect(X)
        control, treated = self._features_by_arm(X)
        return self.model_.draw_difference(treated, control)

    def _features_by_arm(self, X: FloatArray) -> list[FloatArray]:
        """What the regression sees of persons without and with treatment."""
        return [treatment_features(X, arm, self.model_) for arm in (0.0, 1.0)]

    @property
    def variance_components_(self) -> VarianceComponents:
        """Variance components of a mixed outcome model."""
        components: VarianceComponents = self.model_.variance_components_
        return components

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        control, treated = self._features_by_arm(X)
        return self.model_.predict_difference(treated, control)

    def reduced(self) -> Self:
        """Return a copy with the outcome model at bootstrap settings."""
        copy: Self = clone(self)
        copy.set_params(outcome_model=as_outcome_model(self.outcome_model).reduced())
        return copy
