"""Gradient-boosted trees with the number of rounds chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.design.folds import cluster_folds
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.outcome.scaling import StandardizedModel
from tauhat.runtime.engines import engine

if TYPE_CHECKING:
    import lightgbm

#: With more persons only one fold is held out to choose the number of rounds.
MANY_ROWS = 20_000


class BoostedTrees(StandardizedModel):
    """Gradient-boosted regression trees (LightGBM), sized for trials.

    The number of rounds minimises the squared error over folds of whole
    clusters (persons when there are none; of more than 20,000 over one of the
    folds); zero rounds, the mean, is among the candidates. The search stops
    when the error has not fallen for ``patience`` rounds.

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
        search = parameters, self.max_rounds, self.patience
        rows = None
        if clusters is None and len(z) > MANY_ROWS:
            # One fold of so many persons tells the error well enough.
            rows = lightgbm_rows(X, z, weight, parameters)
            self.n_rounds_ = _rounds_by_one_fold(rows, z, weight, folds == folds[0], *search)
        else:
            self.n_rounds_, _ = cross_validated_boosting(X, z, weight, folds, *search)
        self.booster_ = None
        if self.n_rounds_ > 0:
            rows = lightgbm_rows(X, z, weight, parameters) if rows is None else rows
            self.booster_ = engine("lightgbm").train(parameters, rows, self.n_rounds_)

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


def lightgbm_rows(
    X: FloatArray,
    z: FloatArray,
    weight: FloatArray,
    parameters: dict[str, Any],
    reference: lightgbm.Dataset | None = None,
) -> lightgbm.Dataset:
    """Rows for a booster; the settings must come here too, or small data lose every column."""
    return engine("lightgbm").Dataset(X, z, weight=weight, params=parameters, reference=reference)


def cross_validated_boosting(
    X: FloatArray,
    z: FloatArray,
    weight: FloatArray,
    folds: IntArray,
    parameters: dict[str, Any],
    max_rounds: int,
    patience: int,
) -> tuple[int, FloatArray]:
    """Rounds with the least held-out squared error, and the held-out predictions at it.

    Parameters
    ----------
    X, z, weight
        Columns, outcome and weights of the rows.
    folds
        Fold of each row, shape (n,).
    parameters
        LightGBM's settings.
    max_rounds
        Most rounds; none, the mean, is a candidate.
    patience
        Rounds without improvement after which the search stops.

    Returns
    -------
    n_rounds, held_out
        The second of shape (n,).
    """
    held_out = np.zeros(len(z))
    boosters = []
    for fold in np.unique(folds):
        outside = folds == fold
        if outside.all():
            return 0, held_out
        held_out[outside] = np.average(z[~outside], weights=weight[~outside])
        learn = lightgbm_rows(X[~outside], z[~outside], weight[~outside], parameters)
        booster = engine("lightgbm").Booster(parameters, learn)
        out = lightgbm_rows(X[outside], z[outside], weight[outside], parameters, learn)
        booster.add_valid(out, "out")
        boosters.append((booster, outside, float(weight[outside].sum())))
    of_mean = float(weight @ (z - held_out) ** 2)
    judged = [(booster, total) for booster, _, total in boosters]
    best = _best_rounds(judged, of_mean, max_rounds, patience)
    if best > 0:
        for booster, outside, _ in boosters:
            held_out[outside] = booster.predict(X[outside], num_iteration=best, num_threads=1)
    return best, held_out


def _rounds_by_one_fold(
    rows: lightgbm.Dataset,
    z: FloatArray,
    weight: FloatArray,
    outside: BoolArray,
    parameters: dict[str, Any],
    max_rounds: int,
    patience: int,
) -> int:
    """Rounds with the least squared error in one fold; all rows are sorted into bins once."""
    learn, out = (
        rows.subset(np.flatnonzero(chosen), params=parameters) for chosen in (~outside, outside)
    )
    booster = engine("lightgbm").Booster(parameters, learn)
    booster.add_valid(out, "out")
    mean = np.average(z[~outside], weights=weight[~outside])
    of_mean = float(weight[outside] @ (z[outside] - mean) ** 2)
    return _best_rounds([(booster, float(weight[outside].sum()))], of_mean, max_rounds, patience)


def _best_rounds(
    boosters: Sequence[tuple[lightgbm.Booster, float]],
    of_mean: float,
    max_rounds: int,
    patience: int,
) -> int:
    """Rounds with the least error of boosters with their weights, 0 if the mean has less."""
    best_error, best = of_mean, 0
    for done in range(1, max_rounds + 1):
        error = 0.0
        for booster, total in boosters:
            booster.update()
            error += total * booster.eval_valid()[0][2]
        if error < best_error * (1 - 1e-9):
            best_error, best = error, done
        if done - best >= patience:
            break
    return best
