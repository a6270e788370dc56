"""GPBoost: boosted trees on the marginal likelihood of a random intercept model."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.em import RandomIntercept, identified_clusters
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome.random_intercept import RandomInterceptModel, whole_cluster_folds
from tauhat.runtime.engines import engine

# The error of a fold is looked at after every so many rounds.
_ROUNDS_A_LOOK = 5


class GPBoost(RandomInterceptModel):
    r"""Boosted trees with a random intercept, by the package gpboost (Sigrist 2022).

    .. math:: L(F, \theta) = \tfrac12 (y - F)'\Psi_\theta^{-1}(y - F)
              + \tfrac12 \log|\Psi_\theta|, \qquad
              \Psi_\theta = \sigma_b^2 Z Z' + \sigma_e^2 I

    Each round estimates :math:`\theta` and fits a tree to
    :math:`\Psi_\theta^{-1}(y - F)`. The package's variances are those of
    in-sample residuals and, early on, hold what the trees have not learned yet;
    the ones reported here come from in-sample and held-out residuals. Its
    intercepts cannot be projected: keep the treatment out of the covariates and
    use it in X-, DR- or R-form.

    Parameters
    ----------
    learning_rate
        Shrinkage of each tree.
    num_leaves
        Most leaves of a tree, at least 3.
    min_samples_leaf
        Fewest rows in a leaf; at most a fifth of the rows.
    l2
        Ridge penalty on the leaf values.
    max_rounds
        Most rounds.
    n_folds
        Folds of whole clusters that choose the number of rounds; none is a candidate.
    linear_part
        Whether a shrunken linear mixed model is taken out first and the trees
        learn the rest.
    random_state
        Seed.

    Attributes
    ----------
    n_rounds_
        The chosen number of rounds, a multiple of 5.
    booster_
        The fitted `gpboost.Booster`, or None when ``n_rounds_`` is 0.

    References
    ----------
    Sigrist (2022), Journal of Machine Learning Research 23(232):1-46.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> X = rng.normal(size=(600, 3))
    >>> y = 2 * (X[:, 0] > 0) + rng.normal(size=30)[clusters] + rng.normal(size=600)
    >>> model = GPBoost(random_state=1).fit(X, y, clusters=clusters)
    >>> bool(0.3 < model.variance_components_.icc < 0.7)
    True
    """

    projection = False

    def __init__(
        self,
        *,
        learning_rate: float = 0.05,
        num_leaves: int = 4,
        min_samples_leaf: int = 10,
        l2: float = 5.0,
        max_rounds: int = 300,
        n_folds: int = 5,
        linear_part: bool = False,
        random_state: Any = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_samples_leaf = min_samples_leaf
        self.l2 = l2
        self.max_rounds = max_rounds
        self.n_folds = n_folds
        self.linear_part = linear_part
        self.random_state = random_state

    def reduced(self) -> Self:
        """Return an unfitted copy with fewer folds and rounds."""
        copy: Self = clone(self)
        copy.set_params(n_folds=min(self.n_folds, 3), max_rounds=min(self.max_rounds, 100))
        return copy

    def _fit_fixed_part(
        self, X: FloatArray, z: FloatArray, random: RandomIntercept, seed: int
    ) -> tuple[FloatArray, FloatArray]:
        clusters = random.clusters if random.present else None
        folds = whole_cluster_folds(len(z), clusters, self.n_folds, derive_seed(seed, "rounds"))
        looks = np.arange(_ROUNDS_A_LOOK, self.max_rounds + 1, _ROUNDS_A_LOOK)
        values = np.zeros((len(looks) + 1, len(z)))
        for fold in np.unique(folds):
            outside = folds == fold
            inside = np.flatnonzero(~outside)
            if len(inside) == 0 or len(looks) == 0:
                looks = looks[:0]
                break
            values[:, outside] = np.average(z[inside], weights=random.weight[inside])
            booster = self._train(X, z, clusters, random.weight, inside, self.max_rounds, seed)
            values[1:, outside] = self._learning_curve(booster, X[outside], looks)
        errors = (z - values) ** 2 @ random.weight
        best = int(np.argmin(errors[: len(looks) + 1]))
        self.n_rounds_ = best * _ROUNDS_A_LOOK
        self.booster_ = None
        if self.n_rounds_ > 0:
            everyone = np.arange(len(z))
            self.booster_ = self._train(
                X, z, clusters, random.weight, everyone, self.n_rounds_, seed
            )
        return self._predict_fixed_part(X), values[best]

    def _train(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        weight: FloatArray,
        rows: IntArray,
        rounds: int,
        seed: int,
    ) -> Any:
        """Boost on some rows; without an identified intercept, on the plain squared error."""
        if self.num_leaves < 3:
            raise ValueError(f"num_leaves must be at least 3, got {self.num_leaves}")
        settings = {
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": min(self.min_samples_leaf, max(1, len(rows) // 5)),
            "min_data_in_bin": 1,
            "max_bin": 63,
            "lambda_l2": self.l2,
            "verbose": -1,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "seed": derive_seed(seed, "boosting"),
        }
        codes = None if clusters is None else identified_clusters(clusters[rows])
        part = weight[rows]
        weights = None if np.ptp(part) == 0 else part
        gpboost = engine("gpboost")
        if codes is None:
            data = gpboost.Dataset(X[rows], label=z[rows], weight=weights)
            return gpboost.train({**settings, "objective": "regression"}, data, rounds)
        intercepts = gpboost.GPModel(
            group_data=codes, likelihood="gaussian", num_parallel_threads=1, weights=weights
        )
        data = gpboost.Dataset(X[rows], label=z[rows])
        return gpboost.train(settings, data, rounds, gp_model=intercepts)

    @staticmethod
    def _learning_curve(booster: Any, X: FloatArray, looks: IntArray) -> FloatArray:
        """Values after each number of rounds, shape (looks, k): every tree is evaluated once."""
        parts = [
            booster.predict(
                X,
                start_iteration=int(rounds) - _ROUNDS_A_LOOK,
                num_iteration=_ROUNDS_A_LOOK,
                ignore_gp_model=True,
            )
            for rounds in looks
        ]
        return np.cumsum(parts, axis=0, dtype=np.float64)

    def _predict_fixed_part(self, X: FloatArray) -> FloatArray:
        if self.booster_ is None:
            return np.zeros(len(X))
        values: FloatArray = self.booster_.predict(
            X, num_iteration=self.n_rounds_, ignore_gp_model=True
        )
        return values
