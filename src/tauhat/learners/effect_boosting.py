"""Boosting of the effect itself, with the cluster intercept whitened away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.learners.linear_mixed_effect import LinearMixedEffect
from tauhat.learners.meta import N_FOLDS, components_given_effect
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.whitening import Whitening, contrast_variances, whitening
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.runtime.engines import engine

if TYPE_CHECKING:
    import lightgbm


class EffectBoosting(CateEstimator):
    r"""Gradient boosting of the effect on a loss that no cluster effect can enter.

    With residuals :math:`r = y - \hat m(x)` from a cross-fitted additive mixed
    model, the contrast :math:`a = A - \pi`, the whitening W of a random
    intercept and the projection Q off ``W [1, a]``,

    .. math:: L(\tau) = \tfrac12\,\lVert Q W (r - a \circ \tau)\rVert^2

    is boosted in :math:`\tau` by shallow trees from the linear mixed model's
    effect. There is no EM loop in which a cluster-level treatment could be
    absorbed; the number of trees (0 allowed) minimises the loss on held-out
    whole clusters, and the level is set by generalised least squares at the end.

    Parameters
    ----------
    num_leaves
        Leaves of each tree.
    learning_rate
        Step of each tree.
    max_rounds
        Most trees; the number is chosen among 0, 10, ..., ``max_rounds``.
    min_samples_leaf
        Fewest rows in a leaf; fewer in trials of less than 600 persons.
    l2
        Ridge penalty of the leaves.
    outcome_model
        Regression for the mean outcome; None takes the additive mixed model.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    n_rounds_
        Number of trees chosen.
    variance_components_
        Between-cluster and residual variance of the held-out residuals, by REML:
        the error of the mean outcome is in them, so that the first is too large
        with few clusters.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(40), 20)
    >>> A = clusters % 2
    >>> X = rng.normal(size=(800, 3))
    >>> y = X[:, 1] + A * (1 + 2 * (X[:, 0] > 0)) + 0.3 * rng.normal(size=40)[clusters]
    >>> y = y + rng.normal(size=800)
    >>> model = EffectBoosting(random_state=1).fit(X, y, treatment=A, clusters=clusters)
    >>> low, high = model.effect([[-1.0, 0, 0], [1.0, 0, 0]])
    >>> bool(1.2 < high - low < 2.8)
    True
    """

    def __init__(
        self,
        num_leaves: int = 3,
        learning_rate: float = 0.05,
        max_rounds: int = 200,
        min_samples_leaf: int = 40,
        l2: float = 5.0,
        outcome_model: Any = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        self.num_leaves = num_leaves
        self.learning_rate = learning_rate
        self.max_rounds = max_rounds
        self.min_samples_leaf = min_samples_leaf
        self.l2 = l2
        self.outcome_model = outcome_model
        self.random_state = random_state
        self.n_jobs = n_jobs

    @property
    def has_straight_part(self) -> bool:
        """Yes: the linear mixed model that trees are added to."""
        return True

    def reduced(self) -> Self:
        """Return an unfitted copy with half as many trees that go twice as far each."""
        copy: Self = clone(self)
        copy.set_params(
            learning_rate=2 * self.learning_rate, max_rounds=10 * (self.max_rounds // 20)
        )
        return copy

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """One cross-fitted regression of the outcome on the covariates alone."""
        model = AdditiveMixedModel() if self.outcome_model is None else self.outcome_model
        return [Nuisance("mean", model, n_folds=N_FOLDS, seed=seed)]

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Choose the number of trees by whole-cluster cross-validation and boost."""
        residual = data.working - nuisances["mean"].cross_fitted
        # Unit scale, so that the ridge penalty of the leaves means the same in every trial.
        self.scale_y_ = float(residual.std()) or 1.0
        residual = residual / self.scale_y_
        contrast = data.treatment - data.propensity
        ratio = self._variance_ratio(data, residual, contrast)
        candidates = np.arange(0, self.max_rounds + 1, 10)
        folds = data.design.folds(N_FOLDS, derive_seed(seed, "rounds"))
        losses = np.zeros(len(candidates))
        for fold in range(int(folds.max()) + 1):
            losses += self._held_out_loss(data, residual, contrast, ratio, folds != fold, seed)
        self.n_rounds_ = int(candidates[np.argmin(losses)])
        self.linear_, self.booster_ = self._boost(data, residual, ratio, self.n_rounds_, seed)
        white = whitening(contrast, data.clusters, ratio, data.sample_weight)
        varying = self._varying(data.X, self.n_rounds_)
        self.level_ = white.level(residual, contrast, varying)
        self.variance_components_ = components_given_effect(data, self.predict_effect(data.X))

    def _variance_ratio(self, data: TrialData, residual: FloatArray, contrast: FloatArray) -> float:
        """Between-cluster over residual variance, given a linear effect."""
        between, within = contrast_variances(
            residual, contrast, data.X, data.clusters, data.sample_weight
        )
        return between / within

    def _boost(
        self, data: TrialData, residual: FloatArray, ratio: float, rounds: int, seed: int
    ) -> tuple[LinearMixedEffect, lightgbm.Booster | None]:
        """Linear start and the trees on top of it."""
        linear = LinearMixedEffect(link="identity").fit_with(data, {}, seed)
        if rounds == 0:
            return linear, None
        contrast = data.treatment - data.propensity
        white = whitening(contrast, data.clusters, ratio, data.sample_weight)
        offset = linear.predict_effect(data.X) / self.scale_y_
        parameters = {
            "objective": _objective(white, residual, contrast, offset, data.sample_weight),
            "num_leaves": self.num_leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": max(2, min(self.min_samples_leaf, data.n // 15)),
            "min_sum_hessian_in_leaf": 0.0,
            "lambda_l2": self.l2,
            "feature_fraction": 0.7,
            "seed": derive_seed(seed, "trees"),
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "feature_pre_filter": False,
            "verbose": -1,
        }
        lightgbm = engine("lightgbm")
        table = lightgbm.Dataset(data.X, label=np.zeros(data.n), params={"verbose": -1})
        return linear, lightgbm.train(parameters, table, num_boost_round=rounds)

    def _held_out_loss(
        self,
        data: TrialData,
        residual: FloatArray,
        contrast: FloatArray,
        ratio: float,
        learn: Any,
        seed: int,
    ) -> FloatArray:
        """Loss on the held-out clusters for every candidate number of trees."""
        inside, outside = data.take(np.flatnonzero(learn)), data.take(np.flatnonzero(~learn))
        linear, booster = self._boost(inside, residual[learn], ratio, self.max_rounds, seed)
        white = whitening(contrast[~learn], outside.clusters, ratio, outside.sample_weight)
        start = linear.predict_effect(outside.X) / self.scale_y_
        losses = []
        for rounds in range(0, self.max_rounds + 1, 10):
            effect = start
            if rounds and booster is not None:
                effect = start + booster.predict(outside.X, num_iteration=rounds)
            left = white.heterogeneity_residual(residual[~learn], contrast[~learn], effect)
            losses.append(float(left @ left))
        return np.array(losses)

    def _varying(self, X: FloatArray, rounds: int) -> FloatArray:
        varying = self.linear_.predict_effect(X) / self.scale_y_
        if rounds and self.booster_ is not None:
            varying = varying + self.booster_.predict(X)
        return varying

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.scale_y_ * (self.level_ + self._varying(X, self.n_rounds_))


def _objective(
    white: Whitening,
    residual: FloatArray,
    contrast: FloatArray,
    offset: FloatArray,
    weight: FloatArray | None,
) -> Callable[[FloatArray, Any], tuple[FloatArray, FloatArray]]:
    """Gradient and diagonal curvature of the whitened, projected loss."""
    curvature = contrast**2 if weight is None else weight * contrast**2

    def objective(trees: FloatArray, _: Any) -> tuple[FloatArray, FloatArray]:
        left = white.heterogeneity_residual(residual, contrast, offset + trees)
        return -contrast * white.back(left), curvature

    return objective
