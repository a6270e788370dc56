"""Componentwise boosting of smooth curves with a projected random intercept."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.em import RandomIntercept, identified_clusters
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.splines import smooth_terms
from tauhat.numerics.standardised_columns import constant_within
from tauhat.outcome.random_intercept import RandomInterceptModel, whole_cluster_folds

# The variances move slowly beside a learner that takes small steps.
_ROUNDS_A_REML = 25


class AdditiveBoosting(RandomInterceptModel):
    r"""Componentwise boosting of lines and curves, mixed-model nuisance in the loop.

    .. math:: y_{ij} = \alpha + \sum_k \{\beta_k x_{ijk} + s_k(x_{ijk})\} + b_i + e_{ij}

    Each round predicts the intercepts of :math:`y - f` from a REML mixed model,
    projects them off the constant and all cluster-level covariates, and moves
    :math:`f` a small step along the one line or curve that explains most of
    what is left. Every line and every curve is a base learner of one degree of
    freedom, so that curves are not preferred. The procedure of Knieper et al.'s
    R package mermboost, with rounds by whole-cluster cross-validation.

    Parameters
    ----------
    learning_rate
        Share of the base learner's fit that each round adds.
    n_splines
        Size of each B-spline basis; at most 5 for cluster-level covariates, and
        lines only when there are more than a tenth as many columns as rows.
    max_rounds
        Most rounds.
    n_folds
        Folds of whole clusters that choose the number of rounds; none is a candidate.
    patience
        Rounds without improvement after which the search stops.
    projection
        False to leave the intercepts as the mixed model predicts them.
    random_state
        Seed of the folds.

    Attributes
    ----------
    n_rounds_
        The chosen number of rounds.
    coefficients_
        Coefficients of the lines and of the curves' columns.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> X = rng.normal(size=(600, 3))
    >>> y = np.sin(2 * X[:, 0]) + rng.normal(size=30)[clusters] + rng.normal(size=600)
    >>> model = AdditiveBoosting(random_state=1).fit(X, y, clusters=clusters)
    >>> bool(0.3 < model.variance_components_.icc < 0.7)
    True
    """

    needs_interactions: ClassVar[bool] = True
    linear_part = False

    def __init__(
        self,
        *,
        learning_rate: float = 0.1,
        n_splines: int = 10,
        max_rounds: int = 300,
        n_folds: int = 5,
        patience: int = 25,
        projection: bool = True,
        random_state: Any = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.n_splines = n_splines
        self.max_rounds = max_rounds
        self.n_folds = n_folds
        self.patience = patience
        self.projection = projection
        self.random_state = random_state

    def reduced(self) -> Self:
        """Return an unfitted copy with fewer folds and rounds."""
        copy: Self = clone(self)
        copy.set_params(n_folds=min(self.n_folds, 3), max_rounds=min(self.max_rounds, 100))
        return copy

    def _fit_fixed_part(
        self, X: FloatArray, z: FloatArray, random: RandomIntercept, seed: int
    ) -> tuple[FloatArray, FloatArray]:
        n, p = X.shape
        clusters = random.clusters if random.present else None
        units = len(random.totals) if random.present else n
        level = constant_within(X, clusters)
        self.terms_ = smooth_terms(X, level, units, self.n_splines) if p <= n / 10 else []
        columns, blocks = self._columns(X)
        folds = whole_cluster_folds(n, clusters, self.n_folds, derive_seed(seed, "rounds"))
        paths, outside = [], []
        for fold in np.unique(folds):
            rows = np.flatnonzero(folds != fold)
            if len(rows):
                paths.append(_Path(self, X, z, columns, blocks, random, rows))
                left_out = np.flatnonzero(folds == fold)
                outside.append((left_out, columns[left_out]))
        held_out = np.zeros(n)

        def error() -> float:
            for path, (rows, part) in zip(paths, outside, strict=True):
                held_out[rows] = path.mean + part @ path.coefficients
            return float(random.weight @ (z - held_out) ** 2)

        best_error, self.n_rounds_ = error(), 0
        best_held_out = held_out.copy()
        for done in range(1, self.max_rounds + 1 if paths else 1):
            for path in paths:
                path.move()
            current = error()
            if current < best_error * (1 - 1e-9):
                best_error, self.n_rounds_, best_held_out = current, done, held_out.copy()
            if done - self.n_rounds_ >= self.patience:
                break
        whole = _Path(self, X, z, columns, blocks, random, np.arange(n))
        for _ in range(self.n_rounds_):
            whole.move()
        self.coefficients_ = whole.coefficients
        return columns @ self.coefficients_, best_held_out

    def _columns(self, X: FloatArray) -> tuple[FloatArray, list[slice]]:
        """Lines, then the columns of each curve; the slice of each base learner."""
        parts = [X, *(term.columns(X) for term in self.terms_)]
        blocks = [slice(j, j + 1) for j in range(X.shape[1])]
        start = X.shape[1]
        for part in parts[1:]:
            blocks.append(slice(start, start + part.shape[1]))
            start += part.shape[1]
        return np.hstack(parts), blocks

    def _predict_fixed_part(self, X: FloatArray) -> FloatArray:
        predicted: FloatArray = self._columns(X)[0] @ self.coefficients_
        return predicted


def _one_degree_of_freedom(eigenvalues: FloatArray) -> FloatArray:
    """Shrinkage factors m / (m + penalty) that sum to one, or to their number if that is one."""
    if len(eigenvalues) <= 1:
        return np.ones(len(eigenvalues))
    low, high = 0.0, float(eigenvalues.sum())
    for _ in range(60):
        middle = (low + high) / 2
        if (eigenvalues / (eigenvalues + middle)).sum() > 1:
            low = middle
        else:
            high = middle
    shrunk: FloatArray = eigenvalues / (eigenvalues + high)
    return shrunk


class _Path:
    """One boosting run on some rows, round by round."""

    def __init__(
        self,
        model: AdditiveBoosting,
        X: FloatArray,
        z: FloatArray,
        columns: FloatArray,
        blocks: list[slice],
        random: RandomIntercept,
        rows: IntArray,
    ) -> None:
        self.rate = model.learning_rate
        self.weight = random.weight[rows]
        self.mean = float(np.average(z[rows], weights=self.weight))
        self.residual = z[rows] - self.mean
        codes = identified_clusters(random.clusters[rows]) if random.present else None
        self.random = RandomIntercept(codes, self.weight, X[rows] if model.projection else None)
        self.last = self.random.start(self.residual)
        self.rounds = 0
        self.coefficients: FloatArray = np.zeros(columns.shape[1])
        self._prepare(columns[rows], blocks)

    def _prepare(self, columns: FloatArray, blocks: list[slice]) -> None:
        """Orthonormal columns of every base learner, their shrinkage and way back."""
        share = self.weight / self.weight.sum()
        centred = columns - share @ columns
        parts, self.shrink, self.back, self.places = [], [], [], []
        for place in blocks:
            own = centred[:, place]
            values, vectors = np.linalg.eigh(own.T @ (self.weight[:, None] * own))
            kept = values > 1e-9 * max(float(values[-1]), 1e-9 * len(own))
            if not kept.any():
                continue
            back = vectors[:, kept] / np.sqrt(values[kept])
            parts.append(own @ back)
            self.shrink.append(_one_degree_of_freedom(values[kept]))
            self.back.append(back)
            self.places.append(place)
        self.columns = np.hstack(parts) if parts else np.zeros((len(columns), 0))
        self.gain = np.concatenate([2 * s - s**2 for s in self.shrink]) if parts else np.zeros(0)
        self.starts = np.r_[0, np.cumsum([len(s) for s in self.shrink])].astype(np.int64)

    def move(self) -> None:
        """One round: intercepts, then a step along the best base learner."""
        if len(self.places) == 0:
            return
        if self.rounds % _ROUNDS_A_REML == 0 and len(self.residual) > 2:
            self.last = self.random.reml(self.residual)
        self.rounds += 1
        raw = self.random.predict(self.residual, self.last.between, self.last.residual)
        effects = self.random.project(raw)
        rest = self.weight * (self.residual - effects[self.random.clusters])
        slopes = self.columns.T @ rest
        best = int(np.argmax(np.add.reduceat(self.gain * slopes**2, self.starts[:-1])))
        own = slice(self.starts[best], self.starts[best + 1])
        step = self.rate * self.shrink[best] * slopes[own]
        self.residual = self.residual - self.columns[:, own] @ step
        self.coefficients[self.places[best]] += self.back[best] @ step
