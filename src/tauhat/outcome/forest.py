"""Random forest."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.outcome.grown_trees import GrownForest, TreeGrower
from tauhat.outcome.scaling import StandardizedModel

# In fewer rows than this a row may lie in every tree's sample, as heavy rows do.
_FEWEST_FOR_OUT_OF_BAG = 10


class RandomForest(StandardizedModel):
    """Mean of regression trees grown on bootstrap samples of the rows (Breiman 2001).

    Parameters
    ----------
    n_estimators
        Number of trees.
    min_samples_leaf
        Fewest rows in a leaf.
    max_features
        Share of the columns tried at each split, rounded up.
    oob_score
        Whether to keep ``oob_prediction_``, which takes a sixth of the time of a fit.
    random_state
        Seed.

    Attributes
    ----------
    forest_
        The fitted `tauhat.outcome.grown_trees.GrownForest`, on the outcome in
        standard units.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(1).normal(size=(200, 3))
    >>> model = RandomForest(random_state=1).fit(X, 3.0 + (X[:, 0] > 0))
    >>> model.predict(np.array([[-1.0, 0, 0], [1.0, 0, 0]])).round(1).tolist()
    [3.0, 4.0]
    """

    def __init__(
        self,
        *,
        n_estimators: int = 200,
        min_samples_leaf: int = 5,
        max_features: float = 0.5,
        oob_score: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.oob_score = oob_score
        self.random_state = random_state

    def _fit_standardized(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        sample_weight: FloatArray | None,
    ) -> None:
        enough = len(z) >= _FEWEST_FOR_OUT_OF_BAG
        self.forest_ = GrownForest.grow(
            TreeGrower(
                X, z, min_samples_leaf=self.min_samples_leaf, max_features=self.max_features
            ),
            self.n_estimators,
            derive_seed(resolve_seed(self.random_state), "random forest"),
            sample_weight,
            out_of_bag=self.oob_score and enough and sample_weight is None,
        )

    def reduced(self) -> Self:
        """Return an unfitted copy with at most 60 trees."""
        copy: Self = clone(self)
        copy.set_params(n_estimators=min(self.n_estimators, 60))
        return copy

    def _predict_standardized(self, X: FloatArray) -> FloatArray:
        predicted: FloatArray = self.forest_.predict(X)
        return predicted

    @property
    def oob_prediction_(self) -> FloatArray:
        """Prediction of each training row by the trees that did not draw it, shape (n,).

        Missing (an ``AttributeError``) without ``oob_score``, with fewer than ten
        rows, with weights and for a constant outcome.
        """
        out_of_bag = None if self.scale_ == 0 else self.forest_.out_of_bag
        if out_of_bag is None:
            raise AttributeError("this forest has kept no predictions out of bag")
        predicted: FloatArray = self.location_ + self.scale_ * out_of_bag
        return predicted
