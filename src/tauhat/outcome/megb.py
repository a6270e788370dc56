"""Mixed-effects gradient boosting: EM with boosting in place of the forest."""

from __future__ import annotations

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

    def _update(
        self, z: FloatArray, held_out: FloatArray, random: RandomIntercept, last: InterceptFit
    ) -> InterceptFit:
        """EM steps until they settle."""
        return random.converge(z - held_out, last)
