"""MERT-Boosting: closed-form EM updates inside the boosting loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.em import RandomIntercept
from tauhat.outcome.boosting import lightgbm_rows
from tauhat.outcome.mixed_boosting import BoostedInterceptModel
from tauhat.runtime.engines import engine

if TYPE_CHECKING:
    import lightgbm


class MERTBoosting(BoostedInterceptModel):
    r"""Boosted trees with an EM step at every tree (after Salditt, Humberg and Nestler 2023).

    Each round updates intercepts and variances in closed form from the current
    residual and grows the next tree on what they leave,

    .. math:: r = y - F, \quad (b, \sigma_b^2, \sigma_e^2) \leftarrow EM(r), \quad
              F \leftarrow F + \nu\, h(x; r - b)

    on a random half of the rows. Intercepts are kept off all cluster-level
    columns from the first round on, when :math:`F` is still a constant and they
    would otherwise take the whole difference between the arms.

    Parameters
    ----------
    learning_rate, num_leaves, min_samples_leaf, l2, feature_fraction, max_rounds, n_folds, \
patience, linear_part, projection, random_state
        As in `tauhat.outcome.mixed_boosting.BoostedInterceptModel`.
    bagging_fraction
        Share of the rows drawn for each tree.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> X = rng.normal(size=(600, 3))
    >>> y = 2 * (X[:, 0] > 0) + rng.normal(size=30)[clusters] + rng.normal(size=600)
    >>> model = MERTBoosting(random_state=1).fit(X, y, clusters=clusters)
    >>> bool(0.3 < model.variance_components_.icc < 0.7)
    True
    """

    def __init__(
        self,
        *,
        learning_rate: float = 0.1,
        num_leaves: int = 4,
        min_samples_leaf: int = 10,
        l2: float = 5.0,
        feature_fraction: float = 0.7,
        bagging_fraction: float = 0.5,
        max_rounds: int = 200,
        n_folds: int = 5,
        patience: int = 25,
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
        self.bagging_fraction = bagging_fraction

    def _parameters(self, n: int, seed: int) -> dict[str, Any]:
        settings = super()._parameters(n, seed)
        settings |= {"objective": "none", "metric": "None"}
        # Half of very few rows could not be split.
        if n >= 20:
            settings |= {"bagging_fraction": self.bagging_fraction, "bagging_freq": 1}
        return settings

    def _fit_fixed_part(
        self, X: FloatArray, z: FloatArray, random: RandomIntercept, seed: int
    ) -> tuple[FloatArray, FloatArray]:
        folds = self._folds(random, seed)
        paths = [
            _Path(self, X, z, random, np.flatnonzero(folds != fold), seed)
            for fold in np.unique(folds)
            if (folds != fold).any()
        ]
        outside = [np.setdiff1d(np.arange(len(z)), path.rows) for path in paths]
        held_out = np.zeros(len(z))
        for path, rows in zip(paths, outside, strict=True):
            held_out[rows] = path.mean
            path.watch(X[rows], z[rows], random.weight[rows])
        best_error, self.n_rounds_ = float(random.weight @ (z - held_out) ** 2), 0
        for done in range(1, self.max_rounds + 1 if paths else 1):
            error = sum(path.grow() for path in paths)
            if error < best_error * (1 - 1e-9):
                best_error, self.n_rounds_ = error, done
            if done - self.n_rounds_ >= self.patience:
                break
        if self.n_rounds_ > 0:
            for path, rows in zip(paths, outside, strict=True):
                held_out[rows] = path.predict(X[rows], self.n_rounds_)
        whole = _Path(self, X, z, random, np.arange(len(z)), seed)
        for _ in range(self.n_rounds_):
            whole.grow()
        self.booster_ = whole.booster if self.n_rounds_ > 0 else None
        return self._predict_fixed_part(X), held_out


class _Path:
    """One boosting run on some rows, tree by tree."""

    def __init__(
        self,
        model: MERTBoosting,
        X: FloatArray,
        z: FloatArray,
        random: RandomIntercept,
        rows: IntArray,
        seed: int,
    ) -> None:
        self.rows = rows
        self.weight = random.weight[rows]
        self.mean = float(np.average(z[rows], weights=self.weight))
        self.z = z[rows] - self.mean
        codes = np.unique(random.clusters[rows], return_inverse=True)[1].astype(np.int64)
        alone = not random.present or codes.max() == 0 or codes.max() + 1 == len(rows)
        self.random = RandomIntercept(
            None if alone else codes, self.weight, X[rows] if model.projection else None
        )
        self.last = self.random.start(self.z)
        self.settings = model._parameters(len(rows), seed)
        self.learn = lightgbm_rows(X[rows], self.z, self.weight, self.settings)
        self.booster: Any = None
        if (np.ptp(X[rows], axis=0) > 0).any():
            # LightGBM grows nothing without a column to split on.
            self.booster = engine("lightgbm").Booster(self.settings, self.learn)
        self.target: FloatArray | None = None

    def watch(self, X: FloatArray, z: FloatArray, weight: FloatArray) -> None:
        """Measure the error on these rows after every tree."""
        self.target, self.out_weight = z - self.mean, weight
        if self.booster is None:
            return
        out = lightgbm_rows(X, self.target, weight, self.settings, self.learn)
        self.booster.add_valid(out, "out")

    def _gradient(self, fitted: FloatArray, _: lightgbm.Dataset) -> tuple[FloatArray, FloatArray]:
        residual = self.z - fitted
        self.last = self.random.step(residual, self.last)
        remainder = residual - self.last.effects[self.random.clusters]
        return -self.weight * remainder, self.weight

    def _error(self, fitted: FloatArray, _: lightgbm.Dataset) -> tuple[str, float, bool]:
        assert self.target is not None
        return "error", float(self.out_weight @ (self.target - fitted) ** 2), False

    def grow(self) -> float:
        """Add a tree; the squared error on the watched rows, 0 when there are none."""
        if self.booster is not None:
            self.booster.update(fobj=self._gradient)
        if self.target is None:
            return 0.0
        if self.booster is None:
            return float(self.out_weight @ self.target**2)
        return float(self.booster.eval_valid(feval=self._error)[0][2])

    def predict(self, X: FloatArray, rounds: int) -> FloatArray:
        """Fixed part after some rounds."""
        if self.booster is None:
            return np.full(len(X), self.mean)
        predicted: FloatArray = self.mean + self.booster.predict(
            X, num_iteration=rounds, num_threads=1
        )
        return predicted
