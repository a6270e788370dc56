"""Mixed-effects gradient boosting: EM with boosting in place of the forest."""

from __future__ import annotations

from typing import Any

from tauhat._typing import FloatArray
from tauhat.numerics.em import InterceptFit, RandomIntercept
from tauhat.outcome.mixed_boosting import AlternatingBoosting


class MEGB(AlternatingBoosting):
    r"""Mixed-effects gradient boosting (Olaniran et al.): EM around boosted trees.

    .. math:: y_{ij} = f(x_{ij}) + b_i + e_{ij}

    As `tauhat.outcome.merf.MERF` with LightGBM in place of the forest. The EM
    step is repeated until the generalised log-likelihood settles before the
    trees are boosted anew. The R package of this name boosts 500 stumps, whose
    S-learner effect is a constant, and uses in-sample residuals; this uses
    deeper trees, rounds by whole-cluster cross-validation and its held-out
    residuals.

    Parameters
    ----------
    learning_rate, num_leaves, min_samples_leaf, l2, feature_fraction, max_rounds, n_folds, \
patience, linear_part, projection, random_state
        As in `tauhat.outcome.mixed_boosting.BoostedInterceptModel`.
    max_iterations, tolerance
        Most iterations, and the relative change of the criterion that ends them.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> X = rng.normal(size=(600, 3))
    >>> y = 2 * (X[:, 0] > 0) + rng.normal(size=30)[clusters] + rng.normal(size=600)
    >>> model = MEGB(random_state=1).fit(X, y, clusters=clusters)
    >>> bool(0.3 < model.variance_components_.icc < 0.7)
    True
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

    def _update(
        self, z: FloatArray, held_out: FloatArray, random: RandomIntercept, last: InterceptFit
    ) -> InterceptFit:
        """EM steps until they settle."""
        return random.converge(z - held_out, last)
