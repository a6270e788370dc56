"""Mixed-effects random forest."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import clone

from tauhat._typing import FloatArray
from tauhat.numerics.em import RandomIntercept
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome.bagged_trees import BaggedTrees
from tauhat.outcome.random_intercept import RandomInterceptModel


class MERF(RandomInterceptModel):
    r"""Random forest with a random intercept of the cluster, by EM (Hajjem et al. 2014).

    .. math:: y_{ij} = f(x_{ij}) + b_i + e_{ij}

    Alternates between the forest on :math:`y - b` and the EM step for :math:`b`
    on out-of-bag residuals. Three things differ from the textbook and its
    packages. Trees are grown on a bootstrap of clusters and of rows within
    them, so that out-of-bag means out of cluster too. Between growths only the
    leaf means follow :math:`b`, which costs milliseconds, so that the EM
    converges instead of stopping after a few forests. And predicted intercepts
    are projected off the constant and all cluster-level columns, so that the
    forest, not the intercept, gets what these explain.

    Parameters
    ----------
    n_estimators
        Number of trees.
    min_samples_leaf
        Fewest rows in a leaf.
    max_features
        Share of the columns tried at each split, rounded up.
    n_growths
        How often the trees are grown: on the outcome, then on the outcome less
        the intercepts found with the last trees.
    max_iterations, tolerance
        Most EM steps for one growth, and the relative change of the
        generalised log-likelihood at which they end.
    linear_part
        Whether a shrunken linear mixed model is taken out first and the forest
        learns the rest; forests need many leaves for a straight line.
    projection
        False for the textbook's EM, in which the intercepts absorb part of a
        cluster-level treatment.
    random_state
        Seed.

    Attributes
    ----------
    forest_
        The fitted `tauhat.outcome.bagged_trees.BaggedTrees`.
    n_iterations_
        EM steps taken over all growths.

    References
    ----------
    Hajjem, Bellavance and Larocque (2014), Journal of Statistical Computation
    and Simulation 84:1313-1328.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> X = rng.normal(size=(600, 3))
    >>> y = 2 * (X[:, 0] > 0) + rng.normal(size=30)[clusters] + rng.normal(size=600)
    >>> model = MERF(random_state=1).fit(X, y, clusters=clusters)
    >>> bool(0.3 < model.variance_components_.icc < 0.7)
    True
    """

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        min_samples_leaf: int = 5,
        max_features: float = 0.5,
        n_growths: int = 2,
        max_iterations: int = 50,
        tolerance: float = 1e-4,
        linear_part: bool = False,
        projection: bool = True,
        random_state: Any = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.n_growths = n_growths
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.linear_part = linear_part
        self.projection = projection
        self.random_state = random_state

    def reduced(self) -> Self:
        """Return an unfitted copy with fewer trees, grown once."""
        copy: Self = clone(self)
        copy.set_params(n_estimators=min(self.n_estimators, 40), n_growths=1)
        return copy

    def _fit_fixed_part(
        self, X: FloatArray, z: FloatArray, random: RandomIntercept, seed: int
    ) -> tuple[FloatArray, FloatArray]:
        if self.n_growths < 1:
            raise ValueError(f"n_growths must be at least 1, got {self.n_growths}")
        last = random.start(z)
        self.n_iterations_ = 0
        for _ in range(self.n_growths if random.present else 1):
            self.forest_ = BaggedTrees.grow(
                X,
                z - last.effects[random.clusters],
                random.weight,
                random.clusters if random.present else None,
                n_trees=self.n_estimators,
                min_samples_leaf=self.min_samples_leaf,
                max_features=self.max_features,
                seed=derive_seed(seed, "forest"),
            )
            for _ in range(self.max_iterations):
                _, held_out = self.forest_.update(z - last.effects[random.clusters])
                fit = random.step(z - held_out, last)
                change = abs(fit.criterion - last.criterion)
                settled = change <= self.tolerance * abs(fit.criterion)
                last = fit
                self.n_iterations_ += 1
                if settled:
                    break
        fitted, held_out = self.forest_.update(z - last.effects[random.clusters])
        self.forest_.forget_rows()
        return fitted, held_out

    def _predict_fixed_part(self, X: FloatArray) -> FloatArray:
        return self.forest_.predict(X)
