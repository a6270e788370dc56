"""Gradient-boosted trees with the number of rounds chosen by cross-validation."""

from __future__ import annotations

from typing import Any, Self

import lightgbm
import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.folds import cluster_folds
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.outcome.scaling import StandardizedModel


class BoostedTrees(StandardizedModel):
    """Gradient-boosted regression trees (LightGBM), sized for trials.

    The number of rounds minimises the squared error over folds of whole
    clusters (persons when there are none); zero rounds, the mean, is among the
    candidates. The search stops when the error has not fallen for ``patience``
    rounds.

    Parameters
    ----------
    learning_rate
        Shrinkage of each tree.
    num_leaves
        Most leaves of a tree.
    min_samples_leaf
        Fewest rows in a leaf.
    l2
        Ridge penalty on the leaf values.
    max_rounds
        Most rounds.
    n_folds
        Number of folds that choose the number of rounds.
    patience
        Rounds without improvement after which the search stops.
    random_state
        Seed.

    Attributes
    ----------
    n_rounds_
        The chosen number of rounds.
    booster_
        The fitted `lightgbm.Booster`, or None when ``n_rounds_`` is 0.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(1).normal(size=(300, 3))
    >>> model = BoostedTrees(random_state=1).fit(X, 3.0 + (X[:, 0] > 0))
    >>> model.predict(np.array([[-1.0, 0, 0], [1.0, 0, 0]])).round(1).tolist()
    [3.0, 4.0]
    """

    def __init__(
        self,
        *,
        learning_rate: float = 0.05,
        num_leaves: int = 6,
        min_samples_leaf: int = 8,
        l2: float = 1.0,
        max_rounds: int = 300,
        n_folds: int = 5,
        patience: int = 25,
        random_state: Any = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_samples_leaf = min_samples_leaf
        self.l2 = l2
        self.max_rounds = max_rounds
        self.n_folds = n_folds
        self.patience = patience
        self.random_state = random_state

    def _fit_standardized(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        sample_weight: FloatArray | None,
    ) -> None:
        seed = resolve_seed(self.random_state)
        weight = np.ones(len(z)) if sample_weight is None else sample_weight
        folds = cluster_folds(len(z), clusters, self.n_folds, seed)
        parameters = self._parameters(len(z), derive_seed(seed, "boosting"))
        self.n_rounds_ = self._choose_rounds(X, z, weight, folds, parameters)
        self.booster_ = None
        if self.n_rounds_ > 0:
            self.booster_ = lightgbm.train(
                parameters, _dataset(X, z, weight, parameters), self.n_rounds_
            )

    def _parameters(self, n: int, seed: int) -> dict[str, Any]:
        return {
            "objective": "regression",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            # Arms of very few persons must still be able to split.
            "min_data_in_leaf": min(self.min_samples_leaf, max(1, n // 5)),
            "min_data_in_bin": 1,
            "max_bin": 63,
            "lambda_l2": self.l2,
            "feature_pre_filter": False,
            "verbosity": -1,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "seed": seed,
        }

    def _choose_rounds(
        self,
        X: FloatArray,
        z: FloatArray,
        weight: FloatArray,
        folds: IntArray,
        parameters: dict[str, Any],
    ) -> int:
        """Rounds with the least squared error in cross-validation, all folds in step."""
        boosters: list[tuple[Any, float]] = []
        start = 0.0
        for fold in np.unique(folds):
            inside = folds != fold
            if not inside.any():
                return 0
            learn = _dataset(X[inside], z[inside], weight[inside], parameters)
            booster = lightgbm.Booster(parameters, learn)
            out = learn.create_valid(X[~inside], z[~inside], weight[~inside], params=parameters)
            booster.add_valid(out, "out")
            total = float(weight[~inside].sum())
            boosters.append((booster, total))
            mean = np.average(z[inside], weights=weight[inside])
            start += float((weight[~inside] * (z[~inside] - mean) ** 2).sum())
        best_error, best = start, 0
        for done in range(1, self.max_rounds + 1):
            error = 0.0
            for booster, total in boosters:
                booster.update()
                error += total * booster.eval_valid()[0][2]
            if error < best_error * (1 - 1e-9):
                best_error, best = error, done
            if done - best >= self.patience:
                break
        return best

    def reduced(self) -> Self:
        """Return an unfitted copy that chooses its rounds with three folds."""
        copy: Self = clone(self)
        copy.set_params(n_folds=min(self.n_folds, 3))
        return copy

    def _predict_standardized(self, X: FloatArray) -> FloatArray:
        if self.booster_ is None:
            return np.zeros(len(X))
        predicted: FloatArray = self.booster_.predict(X, num_threads=1)
        return predicted


def _dataset(
    X: FloatArray, z: FloatArray, weight: FloatArray, parameters: dict[str, Any]
) -> lightgbm.Dataset:
    # Without the parameters the data set speaks up on its own about constant columns.
    return lightgbm.Dataset(X, z, weight=weight, params=parameters)
