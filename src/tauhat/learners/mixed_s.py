"""Effects from mixed-effects forests and boosting that do not lose a cluster-level treatment."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.errors import TauhatWarning
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit, treatment_features
from tauhat.fitting.scikit_learn import as_outcome_model
from tauhat.learners.dr import DRLearner
from tauhat.learners.linear_mixed_effect import LinearMixedEffect
from tauhat.learners.meta import arm_sizes
from tauhat.learners.r import RLearner
from tauhat.learners.s import SLearner
from tauhat.learners.x import XLearner
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome_model import OutcomeModel, VarianceComponents

Form = Literal["x", "x-pooled", "dr", "r", "s-fixed", "s-projected", "textbook"]

# Both means come from the same data and differ by much less than either from the truth.
_FAR = 1.5


class PooledXLearner(XLearner):
    r"""X-learner with one effect regression for the imputed effects of both arms.

    .. math:: D_i = A_i \{Y_i - \hat\mu_0(X_i)\} + (1 - A_i)\{\hat\mu_1(X_i) - Y_i\}

    One regression on all persons in place of two on half of them each: its
    random intercept sees all clusters, and its trees have twice the rows.

    Parameters
    ----------
    outcome_model, effect_model, random_state, n_jobs
        As in `tauhat.learners.x.XLearner`.

    Examples
    --------
    >>> from tauhat.outcome.linear_mixed import LinearMixedModel
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + 0.1 * rng.normal(size=400)
    >>> model = PooledXLearner(LinearMixedModel(), random_state=1).fit(X, y, treatment=A)
    >>> bool(abs(model.effect([[0.0, 1.0]])[0] - 2) < 0.1)
    True
    """

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Regress the imputed effects of all persons."""
        self.outcome_models_ = [nuisances["control"].fitted, nuisances["treated"].fitted]
        control, treated = (model.predict(data.X) for model in self.outcome_models_)
        imputed = np.where(data.treatment == 1, data.working - control, treated - data.working)
        self.effect_model_ = self.fit_effect_model(data, np.arange(data.n), imputed, seed)
        self.arm_sizes_ = arm_sizes(data)

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.effect_model_.predict(X)


class FixedTreatmentLearner(CateEstimator):
    r"""S-learner whose average effect is an unpenalised fixed effect of a mixed model.

    .. math:: y = (A - \tfrac12)\,\delta + f(x, A) + b + e

    Alternates between the regression :math:`f` with the treatment among its
    covariates and the generalised least squares estimate of :math:`\delta`, so
    that shrinkage of :math:`f` costs heterogeneity but not the average effect.

    Parameters
    ----------
    outcome_model
        Regression with a random intercept.
    n_iterations
        Times that f and the treatment's coefficient are fitted in turn.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Examples
    --------
    >>> from tauhat.outcome.merf import MERF
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(20), 20)
    >>> A, X = clusters % 2, rng.normal(size=(400, 2))
    >>> y = X[:, 0] + A + 0.1 * rng.normal(size=400)
    >>> model = FixedTreatmentLearner(MERF(), random_state=1)
    >>> effect = model.fit(X, y, treatment=A, clusters=clusters).effect(X)
    >>> bool(0.8 < effect.mean() < 1.2)
    True
    """

    flips_exactly = False

    def __init__(
        self,
        outcome_model: OutcomeModel,
        n_iterations: int = 2,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        self.outcome_model = outcome_model
        self.n_iterations = n_iterations
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """None: both parts are fitted in turn."""
        return []

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit regression and coefficient in turn, starting from the coefficient."""
        contrast = data.treatment - 0.5
        fixed = np.column_stack([np.ones(data.n), contrast])
        scale = float(data.working.std())

        def coefficient(outcome: FloatArray) -> float:
            fit = MixedModel(
                outcome / scale, fixed, clusters=data.clusters, weight=data.sample_weight
            ).fit()
            return float(fit.coefficients[1]) * scale

        self.coefficient_ = coefficient(data.working)
        for _ in range(self.n_iterations):
            self.model_ = clone(as_outcome_model(self.outcome_model))
            if "random_state" in self.model_.get_params(deep=False):
                self.model_.set_params(random_state=derive_seed(seed, "model"))
            features = treatment_features(data.X, data.treatment, self.model_)
            self.model_.fit(
                features,
                data.working - contrast * self.coefficient_,
                clusters=data.clusters,
                sample_weight=data.sample_weight,
            )
            # The regression's own mean effect is left to the coefficient.
            self.mean_ = float(np.average(self._varying(data.X), weights=data.sample_weight))
            explained = self.model_.predict(features) - contrast * self.mean_
            self.coefficient_ = coefficient(data.working - explained)

    def _varying(self, X: FloatArray) -> FloatArray:
        treated, control = (
            self.model_.predict(treatment_features(X, arm, self.model_)) for arm in (1.0, 0.0)
        )
        difference: FloatArray = treated - control
        return difference

    @property
    def variance_components_(self) -> VarianceComponents:
        """Variance components of the regression."""
        components: VarianceComponents = self.model_.variance_components_
        return components

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.coefficient_ + self._varying(X) - self.mean_


class MixedEffectsLearner(CateEstimator):
    r"""Effect from an outcome model with a random intercept, in the form that keeps it.

    In a cluster trial the treatment is constant within clusters, and so is the
    random intercept: a regression that shrinks, as forests and boosting do,
    leaves part of the effect to the intercept. Regressions that never compare
    the arms cannot lose it. On two draws of each of the six reference designs
    (20 or 50 clusters, mean true effect about .5) the forms measured, with
    `tauhat.outcome.merf.MERF` (linear part first in the forms x to r):

    ===========  ==========  ====================
    form         mean sRMSE  mean ATE error
    ===========  ==========  ====================
    x            .72         +.03 (-.09 to +.17)
    x-pooled     .75         +.03 (-.07 to +.16)
    dr           .78         +.03 (-.09 to +.14)
    r            .79         +.06 (-.05 to +.15)
    s-projected  .94         -.22 (-.35 to -.06)
    s-fixed      .96         -.00 (-.15 to +.21)
    textbook     1.18        -.38 (-.47 to -.21)
    ===========  ==========  ====================

    Projection mends half of the textbook's loss, the fixed effect all of it,
    but both still shrink the differences between persons.

    Parameters
    ----------
    outcome_model
        Regression of the outcome with a random intercept.
    effect_model
        Regression of imputed effects in the forms "x", "x-pooled", "dr" and
        "r", with a random intercept too; None means another ``outcome_model``.
    form
        "x" (default): X-learner with a random intercept at every stage.
        "x-pooled": the same with one effect regression for both arms.
        "dr", "r": regression of the doubly robust score, or of Robinson's
        ratio, cross-fitted over whole clusters.
        "s-fixed": S-learner beside an unpenalised fixed effect of treatment.
        "s-projected": S-learner whose intercepts are projected off treatment and
        cluster-level covariates.
        "textbook": plain S-learner, which loses 30 to 60% of the average
        effect at 20 to 50 clusters.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    learner_
        The fitted learner behind the form.
    reference_effect_, reference_se_
        Average effect by a linear mixed model with covariates and its standard
        error, against which the mean effect is held.

    Warns
    -----
    TauhatWarning
        If no effect was learned at all, or if the mean effect is more than 1.5
        standard errors from the average effect of the linear mixed model.

    Examples
    --------
    >>> from tauhat.outcome.merf import MERF
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> A, X = clusters % 2, rng.normal(size=(600, 2))
    >>> y = A * (1 + X[:, 0]) + 0.3 * rng.normal(size=30)[clusters] + rng.normal(size=600)
    >>> model = MixedEffectsLearner(MERF(), random_state=1)
    >>> effect = model.fit(X, y, treatment=A, clusters=clusters).effect(X)
    >>> bool(0.7 < effect.mean() < 1.3)
    True
    """

    def __init__(
        self,
        outcome_model: OutcomeModel,
        effect_model: OutcomeModel | None = None,
        form: Form = "x",
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        self.outcome_model = outcome_model
        self.effect_model = effect_model
        self.form = form
        self.random_state = random_state
        self.n_jobs = n_jobs

    @property
    def flips_exactly(self) -> bool:  # type: ignore[override]
        """Whether exchanging the arms turns the sign of the effect to rounding error."""
        return self.form in ("x", "x-pooled", "dr", "r")

    def _learner(self) -> CateEstimator:
        """Unfitted learner of the form."""
        if self.form not in get_args(Form):
            raise ValueError(f"form must be one of {', '.join(get_args(Form))}, got {self.form!r}")
        if self.form == "s-fixed":
            return FixedTreatmentLearner(self.outcome_model)
        if self.form in ("s-projected", "textbook"):
            model = clone(as_outcome_model(self.outcome_model))
            if "projection" in model.get_params(deep=False):
                model.set_params(projection=self.form == "s-projected")
            elif self.form == "s-projected":
                raise ValueError(
                    f"{type(model).__name__} cannot project its intercepts, which form="
                    "'s-projected' needs; leave form out"
                )
            return SLearner(model)
        kinds = {"x": XLearner, "x-pooled": PooledXLearner, "dr": DRLearner, "r": RLearner}
        return kinds[self.form](self.outcome_model, self.effect_model)

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Return those of the form's learner."""
        return self._learner().declare_nuisances(data, seed)

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit the form's learner and hold its mean against a linear mixed model."""
        self.learner_ = self._learner()
        self.learner_.fit_effect(data, nuisances, seed)
        reference = LinearMixedEffect(link="identity").fit_data(data).coefficients_.iloc[0]
        self.reference_effect_ = float(reference["estimate"])
        self.reference_se_ = float(reference["se"])
        effect = self.predict_effect(data.X)
        mean = float(np.average(effect, weights=data.sample_weight))
        if np.abs(effect).max() <= 1e-8 * self.reference_se_:
            warnings.warn(
                "the model found no effect of treatment at all: "
                + (
                    "its regressions learned nothing from the covariates; see what a linear mixed "
                    "model (LMM) says"
                    if self.flips_exactly
                    else "the cluster intercepts may hold it, as they do in an S-learner. The "
                    "default form of MixedEffectsLearner, which the names without -textbook "
                    "have, does not lose it"
                ),
                TauhatWarning,
                stacklevel=2,
            )
        elif abs(mean - self.reference_effect_) > _FAR * self.reference_se_:
            warnings.warn(
                f"the mean effect {mean:.3g} is far from the average effect "
                f"{self.reference_effect_:.3g} (SE {self.reference_se_:.2g}) of a linear mixed "
                "model; do not read this learner's level",
                TauhatWarning,
                stacklevel=2,
            )

    @property
    def variance_components_(self) -> VarianceComponents:
        """Variance components as the learner of the form gives them.

        Those of the outcome models, averaged over the arms in the forms "x",
        "x-pooled" and "dr"; in form "r" those of the held-out residual.
        """
        learner: Any = self.learner_
        components: VarianceComponents = learner.variance_components_
        return components

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.learner_.predict_effect(X)

    def reduced(self) -> Self:
        """Return a copy with both models at bootstrap settings."""
        copy: Self = clone(self)
        copy.set_params(outcome_model=as_outcome_model(self.outcome_model).reduced())
        if self.effect_model is not None:
            copy.set_params(effect_model=as_outcome_model(self.effect_model).reduced())
        return copy
