"""What the mixed-effects boosting models share: LightGBM and rounds by whole-cluster CV."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.em import InterceptFit, RandomIntercept
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome.boosting import cross_validated_boosting, lightgbm_rows
from tauhat.outcome.random_intercept import RandomInterceptModel, whole_cluster_folds
from tauhat.runtime.engines import engine


class BoostedInterceptModel(RandomInterceptModel):
    """Gradient-boosted trees beside a random intercept.

    Parameters
    ----------
    learning_rate
        Shrinkage of each tree.
    num_leaves
        Most leaves of a tree, at least 3: trees with 2 are additive, and an
        S-learner's effect on them is the same for everybody.
    min_samples_leaf
        Fewest rows in a leaf; at most a fifth of the rows.
    l2
        Ridge penalty on the leaf values.
    feature_fraction
        Share of the columns each tree may use.
    max_rounds
        Most rounds.
    n_folds
        Folds of whole clusters that choose the number of rounds; none is a candidate.
    patience
        Rounds without improvement after which the search stops.
    linear_part
        Whether a shrunken linear mixed model is taken out first and the trees
        learn the rest.
    projection
        False for textbook steps, in which the intercepts absorb part of a
        cluster-level treatment.
    random_state
        Seed.

    Attributes
    ----------
    n_rounds_
        The chosen number of rounds.
    booster_
        The fitted `lightgbm.Booster`, or None when ``n_rounds_`` is 0.
    """

    def __init__(
        self,
        *,
        learning_rate: float = 0.05,
        num_leaves: int = 4,
        min_samples_leaf: int = 10,
        l2: float = 5.0,
        feature_fraction: float = 0.7,
        max_rounds: int = 300,
        n_folds: int = 5,
        patience: int = 25,
        linear_part: bool = False,
        projection: bool = True,
        random_state: Any = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_samples_leaf = min_samples_leaf
        self.l2 = l2
        self.feature_fraction = feature_fraction
        self.max_rounds = max_rounds
        self.n_folds = n_folds
        self.patience = patience
        self.linear_part = linear_part
        self.projection = projection
        self.random_state = random_state

    def reduced(self) -> Self:
        """Return an unfitted copy with fewer folds and rounds."""
        copy: Self = clone(self)
        copy.set_params(n_folds=min(self.n_folds, 3), max_rounds=min(self.max_rounds, 100))
        return copy

    def _parameters(self, n: int, seed: int) -> dict[str, Any]:
        """Settings of LightGBM for ``n`` rows."""
        if self.num_leaves < 3:
            raise ValueError(f"num_leaves must be at least 3, got {self.num_leaves}")
        return {
            "objective": "regression",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": min(self.min_samples_leaf, max(1, n // 5)),
            "min_data_in_bin": 1,
            "max_bin": 63,
            "lambda_l2": self.l2,
            "feature_fraction": self.feature_fraction,
            "feature_pre_filter": False,
            "verbosity": -1,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "seed": derive_seed(seed, "boosting"),
        }

    def _folds(self, random: RandomIntercept, seed: int) -> IntArray:
        clusters = random.clusters if random.present else None
        return whole_cluster_folds(random.n, clusters, self.n_folds, derive_seed(seed, "rounds"))

    def _predict_fixed_part(self, X: FloatArray) -> FloatArray:
        if self.booster_ is None:
            return np.zeros(len(X))
        predicted: FloatArray = self.booster_.predict(X, num_threads=1)
        return predicted


class AlternatingBoosting(BoostedInterceptModel):
    """Boosting and intercepts in turn, each fitted to what the other leaves.

    Each iteration boosts the outcome less the current intercepts, with rounds
    by whole-cluster cross-validation; the held-out values of that
    cross-validation are the fixed part from which the intercepts and variances
    are updated, since in-sample residuals would shrink both.

    Parameters
    ----------
    learning_rate, num_leaves, min_samples_leaf, l2, feature_fraction, max_rounds, n_folds, \
patience, linear_part, projection, random_state
        As in `BoostedInterceptModel`.
    max_iterations, tolerance
        Most iterations, and the relative change of the criterion that ends them.

    Attributes
    ----------
    n_iterations_
        Iterations taken.
    """

    def __init__(
        self,
        *,
        learning_rate: float = 0.05,
        num_leaves: int = 4,
        min_samples_leaf: int = 10,
        l2: float = 5.0,
        feature_fraction: float = 0.7,
        max_rounds: int = 300,
        n_folds: int = 5,
        patience: int = 25,
        max_iterations: int = 5,
        tolerance: float = 1e-3,
        linear_part: bool = False,
        projection: bool = True,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            num_leaves=num_leaves,
            min_samples_leaf=min_samples_leaf,
            l2=l2,
            feature_fraction=feature_fraction,
            max_rounds=max_rounds,
            n_folds=n_folds,
            patience=patience,
            linear_part=linear_part,
            projection=projection,
            random_state=random_state,
        )
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    @abstractmethod
    def _update(
        self, z: FloatArray, held_out: FloatArray, random: RandomIntercept, last: InterceptFit
    ) -> InterceptFit:
        """Intercepts and variances given held-out values of the fixed part."""

    def _fit_fixed_part(
        self, X: FloatArray, z: FloatArray, random: RandomIntercept, seed: int
    ) -> tuple[FloatArray, FloatArray]:
        parameters = self._parameters(len(z), seed)
        folds = self._folds(random, seed)
        last = random.start(z)
        self.n_iterations_ = 0
        for _ in range(max(1, self.max_iterations)):
            target = z - last.effects[random.clusters]
            self.n_rounds_, held_out = cross_validated_boosting(
                X, target, random.weight, folds, parameters, self.max_rounds, self.patience
            )
            self.n_iterations_ += 1
            if not random.present:
                break
            fit = self._update(z, held_out, random, last)
            settled = abs(fit.criterion - last.criterion) <= self.tolerance * abs(fit.criterion)
            last = fit
            if settled:
                break
        target = z - last.effects[random.clusters]
        self.booster_ = None
        if self.n_rounds_ > 0:
            rows = lightgbm_rows(X, target, random.weight, parameters)
            self.booster_ = engine("lightgbm").train(parameters, rows, self.n_rounds_)
        return self._predict_fixed_part(X), held_out
