"""Causal forest on residual outcomes with the known propensity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import BoolArray, FloatArray
from tauhat.data import TrialData
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.fitting.scikit_learn import as_outcome_model
from tauhat.learners.meta import components_given_effect
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.standard_units import DIGITS, StandardUnits
from tauhat.numerics.standardised_columns import ridge_rotation
from tauhat.outcome_model import OutcomeModel, VarianceComponents

N_FOLDS = 5

#: With more rows than this each tree sees as many as in a trial of half of them, and a quarter as
#: many trees are grown: time would grow with the rows, and trees of that size differ less.
MANY_ROWS = 20_000


class CausalForest(CateEstimator):
    r"""Honest forest whose splits seek differences of the effect (Athey, Tibshirani, Wager 2019).

    In every leaf, and with the forest's weights :math:`\alpha_i(x)` at a new point,

    .. math::
        (\hat\tau, \hat c) = \arg\min_{\tau, c} \sum_i \alpha_i(x)
        \big\{Y_i - \hat m(X_i) - \hat b_{c(i)} - (A_i - \pi_i)\,\tau - c\big\}^2

    with :math:`\hat m(x) = E[Y \mid x]` cross-fitted over whole clusters and the
    known propensity :math:`\pi`. In a cluster-randomized trial
    :math:`\hat b` is the best linear prediction of a random intercept of the
    residuals, given a linear effect, with all that the arm and the
    cluster-level covariates explain of it taken out again, so that it absorbs
    no treatment effect.

    Parameters
    ----------
    outcome_model
        Regression of the outcome, without treatment.
    n_estimators
        Number of trees; rounded up to a multiple of four.
    min_samples_leaf
        Fewest rows in a leaf, in each half of an honest tree.
    max_samples
        Share of the rows in each tree's sample, at most one half. With more than
        20,000 rows it is the share of 10,000, and a quarter as many trees are grown.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    forest_
        The fitted `econml.grf.CausalForest`, for the residuals in standard units.
    cluster_effects_
        The intercepts taken out, by cluster, in canonical order; empty without clusters.

    Examples
    --------
    >>> from tauhat.outcome import ElasticNetModel
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(800, 2)), rng.integers(0, 2, 800)
    >>> y = X[:, 0] + A * (1 + (X[:, 1] > 0)) + 0.5 * rng.normal(size=800)
    >>> model = CausalForest(ElasticNetModel(), random_state=1).fit(X, y, treatment=A)
    >>> model.effect([[0.0, -1.0], [0.0, 1.0]]).round().tolist()
    [1.0, 2.0]
    """

    def __init__(
        self,
        outcome_model: OutcomeModel,
        n_estimators: int = 400,
        min_samples_leaf: int = 5,
        max_samples: float = 0.45,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        self.outcome_model = outcome_model
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_samples = max_samples
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Outcome mean over both arms, cross-fitted."""
        return [Nuisance("mean", self.outcome_model, n_folds=N_FOLDS, seed=seed)]

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Grow the forest on the residuals."""
        # Two seconds of imports, which a session without this learner need not pay.
        from econml.grf import CausalForest as Forest

        self.columns_ = StandardUnits.of(data.X)
        treatment = data.treatment - data.propensity
        residual = data.working - nuisances["mean"].cross_fitted
        self.cluster_effects_ = np.zeros(0)
        clusters = identified_clusters(data.clusters)
        if clusters is not None:
            self.cluster_effects_ = residual_intercepts(residual, treatment, data)
            residual = residual - self.cluster_effects_[clusters]
        self.scale_ = float(residual.std())
        if self.scale_ <= 1e-12 * np.abs(data.working).max():
            # The covariates alone explain the outcome to the last digit.
            self.scale_, self.forest_ = 0.0, None
            if clusters is not None:
                self.variance_components_ = VarianceComponents(0.0, 0.0)
            return
        n_trees, share = self.n_estimators, self.max_samples
        if data.n > MANY_ROWS:
            n_trees, share = -(-n_trees // 4), share * MANY_ROWS / 2 / data.n
        self.forest_ = Forest(
            n_estimators=4 * -(-n_trees // 4),
            criterion="mse",
            min_samples_leaf=self.min_samples_leaf,
            max_samples=share,
            random_state=derive_seed(seed, "causal forest"),
            n_jobs=1,
        ).fit(
            self.columns_.apply(data.X),
            treatment[:, None],
            np.round(residual / self.scale_, DIGITS)[:, None],
            sample_weight=data.sample_weight,
        )
        if clusters is not None:
            self.variance_components_ = components_given_effect(data, self.predict_effect(data.X))

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        if self.forest_ is None:
            return np.zeros(len(X))
        effect: FloatArray = self.scale_ * self.forest_.predict(self.columns_.apply(X))[:, 0]
        return effect

    def reduced(self) -> Self:
        """Return an unfitted copy with 100 trees."""
        copy: Self = clone(self)
        copy.set_params(
            outcome_model=as_outcome_model(self.outcome_model).reduced(),
            n_estimators=min(self.n_estimators, 100),
        )
        return copy


def residual_intercepts(residual: FloatArray, treatment: FloatArray, data: TrialData) -> FloatArray:
    r"""Random intercepts of residual outcomes that hold no treatment effect.

    .. math:: r = \gamma_0 + \gamma_1 a + a\,x'\delta + b_c + e, \quad
              \delta \sim N(0, \sigma_\delta^2 I)

    by REML; the predicted :math:`b`, less its weighted regression over clusters
    on one, the arm and the cluster-level covariates, weighted by cluster size.

    Parameters
    ----------
    residual
        Outcome less its mean given the covariates, shape (n,).
    treatment
        Arm less propensity, shape (n,).
    data
        The trial, with clusters.

    Returns
    -------
    intercepts
        One a cluster, shape (m,).
    """
    assert data.clusters is not None
    scale = float(residual.std())
    if scale <= 1e-12 * np.abs(data.working).max():
        return np.zeros(data.n_units)
    X = StandardUnits.of(data.X).apply(data.X)
    fixed = np.column_stack([np.ones(data.n), treatment])
    products = treatment[:, None] * (X @ ridge_rotation(X))
    model = MixedModel(residual / scale, fixed, (products,), data.clusters, data.sample_weight)
    fit = model.fit()
    size = np.bincount(data.clusters).astype(np.float64)
    design = _cluster_design(X, treatment, data.clusters, data.cluster_level, size)
    root = np.sqrt(size)
    explained = np.linalg.lstsq(design * root[:, None], fit.cluster_effects * root, rcond=None)[0]
    intercepts: FloatArray = scale * (fit.cluster_effects - design @ explained)
    return intercepts


def _cluster_design(
    X: FloatArray, treatment: FloatArray, clusters: Any, cluster_level: BoolArray, size: FloatArray
) -> FloatArray:
    """One, the arm and the cluster-level covariates of each cluster, shape (m, 2 + q)."""
    columns = np.column_stack([np.ones(len(X)), treatment, X[:, cluster_level]])
    totals = np.zeros((len(size), columns.shape[1]))
    np.add.at(totals, clusters, columns)
    return totals / size[:, None]
