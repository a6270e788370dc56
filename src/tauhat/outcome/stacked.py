"""Stack of outcome models: cross-fitted predictions weighed by a regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy.optimize import nnls
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.design.folds import cluster_folds
from tauhat.fitting.scikit_learn import as_outcome_model
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.numerics.weights import mean_one
from tauhat.outcome.aglm import AGLMModel
from tauhat.outcome.boosting import BoostedTrees
from tauhat.outcome.elastic_net import ElasticNetModel
from tauhat.outcome.forest import RandomForest
from tauhat.outcome_model import OutcomeModel

Weights = Literal["ols", "convex", "nnls", "ridge"]
_WEIGHTS = ("ols", "convex", "nnls", "ridge")

# With fewer, a free regression on the members' predictions comes near to interpolating.
_FEWEST_ROWS_A_MEMBER = 5
# Directions of the held-out predictions shorter than this share of the longest count as none.
_SAME_COLUMN = 1e-6


class StackedModel(OutcomeModel):
    r"""Outcome model that weighs the predictions of others.

    .. math:: \hat\mu(x) = \hat a + \sum_j \hat w_j\, \hat\mu_j(x)

    The weights regress the outcome on predictions cross-fitted over whole
    clusters (rows without clusters); the models :math:`\hat\mu_j` are then fitted
    to all rows.

    Parameters
    ----------
    members
        Pairs of name and outcome model, or regressor of scikit-learn; None takes
        elastic net, random forest, boosting and AGLM.
    weights
        "ols": least squares with intercept, the second paper's. "nnls": weights
        not negative, with intercept. "convex": weights not negative that sum to
        one, no intercept; used in place of these two when there are fewer than
        five rows a member. "ridge": shrunk towards equal weights, with
        intercept; how much is found by REML, so no rows are split.
    n_folds
        Folds of the cross-fitting.
    quick_folds
        Whether the cross-fitted models, which say nothing but the weights, are at the settings
        of the bootstrap (`OutcomeModel.reduced`).
    random_state
        Seed.

    Attributes
    ----------
    models_
        Models fitted to all rows, in the order of the members.
    weights_, intercept_
        Level-1 regression.

    References
    ----------
    Machluf, Frostig, Shoham, Milo, Berkman and Pryluk, arXiv:2407.03690.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(200, 2))
    >>> y = 2 * X[:, 0] + rng.normal(size=200)
    >>> members = [("linear", ElasticNetModel()), ("forest", RandomForest())]
    >>> model = StackedModel(members, weights="convex", random_state=1).fit(X, y)
    >>> round(float(model.weights_.sum()), 6)
    1.0
    """

    needs_interactions: ClassVar[bool] = True

    def __init__(
        self,
        members: Sequence[tuple[str, OutcomeModel]] | None = None,
        weights: Weights = "ols",
        n_folds: int = 3,
        quick_folds: bool = False,
        random_state: Any = None,
    ) -> None:
        self.members = members
        self.weights = weights
        self.n_folds = n_folds
        self.quick_folds = quick_folds
        self.random_state = random_state

    def base_models(self) -> Sequence[tuple[str, OutcomeModel]]:
        """Members, or the default ones."""
        if self.members is not None:
            return [(name, as_outcome_model(member)) for name, member in self.members]
        return [
            ("Linear", ElasticNetModel()),
            ("RF", RandomForest()),
            ("Boosting", BoostedTrees()),
            ("AGLM", AGLMModel()),
        ]

    def cross_fitted_models(self) -> Sequence[tuple[str, OutcomeModel]]:
        """Members as they are cross-fitted."""
        models = self.base_models()
        return [(name, one.reduced()) for name, one in models] if self.quick_folds else models

    def fit(
        self,
        X: FloatArray,
        y: FloatArray,
        *,
        clusters: IntArray | None = None,
        sample_weight: FloatArray | None = None,
    ) -> Self:
        """Cross-fit the members, weigh them, and fit each to all rows."""
        seed = resolve_seed(self.random_state)
        folds = cluster_folds(len(y), clusters, self.n_folds, seed)
        models, columns = [], []
        pairs = zip(self.base_models(), self.cross_fitted_models(), strict=True)
        for (_, member), (_, judged) in pairs:
            held_out = np.empty(len(y))
            for fold in range(int(folds.max()) + 1):
                inside, outside = np.flatnonzero(folds != fold), folds == fold
                part = _fit_member(judged, X, y, clusters, sample_weight, inside, seed)
                held_out[outside] = part.predict(X[outside])
            columns.append(held_out)
            rows = np.arange(len(y))
            models.append(_fit_member(member, X, y, clusters, sample_weight, rows, seed))
        return self.assemble(models, np.column_stack(columns), y, sample_weight)

    def assemble(
        self,
        models: Sequence[OutcomeModel],
        out_of_fold: FloatArray,
        y: FloatArray,
        sample_weight: FloatArray | None = None,
    ) -> Self:
        """Weigh models already fitted, given their cross-fitted predictions.

        Parameters
        ----------
        models
            One fitted model a member.
        out_of_fold
            Their predictions for rows they did not see, shape (n, members).
        y
            Outcome, shape (n,).
        sample_weight
            Positive weights, or None.

        Returns
        -------
        self
        """
        self.models_ = list(models)
        weights = self.weights
        if weights in ("ols", "nnls") and len(y) < _FEWEST_ROWS_A_MEMBER * len(models):
            weights = "convex"
        self.intercept_, self.weights_ = level_one(out_of_fold, y, weights, sample_weight)
        return self

    def predict(self, X: FloatArray) -> FloatArray:
        """Weighted prediction, shape (k,)."""
        predicted = np.full(len(X), self.intercept_)
        for weight, model in zip(self.weights_, self.models_, strict=True):
            if weight != 0:
                predicted += weight * model.predict(X)
        return predicted

    def reduced(self) -> Self:
        """Return an unfitted copy with every member at bootstrap settings."""
        copy: Self = clone(self)
        copy.set_params(members=[(name, model.reduced()) for name, model in self.base_models()])
        return copy


def _fit_member(
    member: OutcomeModel,
    X: FloatArray,
    y: FloatArray,
    clusters: IntArray | None,
    sample_weight: FloatArray | None,
    rows: IntArray,
    seed: int,
) -> OutcomeModel:
    model: OutcomeModel = clone(member)
    if "random_state" in model.get_params(deep=False):
        model.set_params(random_state=derive_seed(seed, "model"))
    part = None if clusters is None else np.unique(clusters[rows], return_inverse=True)[1]
    weight = None if sample_weight is None else sample_weight[rows]
    return model.fit(X[rows], y[rows], clusters=part, sample_weight=weight)


def level_one(
    predictions: FloatArray,
    y: FloatArray,
    weights: Weights,
    sample_weight: FloatArray | None = None,
) -> tuple[float, FloatArray]:
    """Intercept and weights of the regression of an outcome on predictions of it.

    Parameters
    ----------
    predictions
        Cross-fitted predictions, shape (n, k).
    y
        Outcome, shape (n,).
    weights
        "ols", "nnls", "convex" or "ridge", as in `StackedModel`.
    sample_weight
        Positive weights, or None.

    Returns
    -------
    intercept
    weights
        Shape (k,).

    Raises
    ------
    ValueError
        If ``weights`` is unknown.

    Examples
    --------
    >>> P = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0], [3.0, 1.0]])
    >>> intercept, weights = level_one(P, 1 + 2 * P[:, 0] - P[:, 1], "ols")
    >>> round(intercept, 6), weights.round(6).tolist()
    (1.0, [2.0, -1.0])
    """
    if weights not in _WEIGHTS:
        raise ValueError(f"weights must be one of {', '.join(_WEIGHTS)}, got {weights!r}")
    if sample_weight is not None:
        sample_weight = mean_one(sample_weight)
    root = np.ones(len(y)) if sample_weight is None else np.sqrt(sample_weight)
    mean = float(np.average(y, weights=root**2))
    if weights == "convex":
        # Weights that sum to one do not change when all move by the mean of the outcome.
        moved = (predictions - mean) * root[:, None]
        # A heavy row of ones holds the sum at one; it is then made exact.
        heavy = 1e4 * max(float(np.abs(moved).max()), 1e-12) * np.sqrt(len(y))
        design = np.vstack([moved, np.full(predictions.shape[1], heavy)])
        target = np.r_[(y - mean) * root, heavy]
        found, _ = nnls(design, target, maxiter=100 * predictions.shape[1])
        return 0.0, found / found.sum()
    centre = np.average(predictions, axis=0, weights=root**2)
    design = (predictions - centre) * root[:, None]
    target = (y - mean) * root
    if weights == "ols":
        # Members that all found nothing differ by rounding errors only: they share one weight.
        found = np.linalg.lstsq(design, target, rcond=_SAME_COLUMN)[0]
    elif weights == "ridge":
        found = _shrunken(predictions - centre, y - mean, sample_weight)
    else:
        found, _ = nnls(design, target, maxiter=100 * predictions.shape[1])
    return mean - float(centre @ found), found


def _shrunken(
    predictions: FloatArray, y: FloatArray, sample_weight: FloatArray | None
) -> FloatArray:
    """Weights shrunk towards equal ones, with the variance of the deviations by REML."""
    k = predictions.shape[1]
    scale = float(y.std()) or 1.0
    equal = predictions.mean(axis=1)
    deviations = (predictions - equal[:, None]) / scale
    model = MixedModel((y - equal) / scale, np.ones((len(y), 1)), [deviations], None, sample_weight)
    coefficients = model.fit().coefficients[model.block_slices[0]]
    found: FloatArray = 1 / k + coefficients - coefficients.mean()
    return found
