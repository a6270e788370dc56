"""REEM-Boosting: boosted trees and a REML mixed model in turn."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray
from tauhat.numerics.em import InterceptFit, RandomIntercept
from tauhat.numerics.mixed_model import fit_random_intercept
from tauhat.outcome.mixed_boosting import AlternatingBoosting


class REEMBoosting(AlternatingBoosting):
    r"""Boosted trees and a REML mixed model in turn (Salditt, Humberg and Nestler 2023).

    .. math:: y_{ij} = \alpha + \lambda f(x_{ij}) + b_i + e_{ij}

    Each iteration boosts the outcome less the intercepts and then fits this
    mixed model by REML, with the held-out values of :math:`f` as its covariate;
    its slope :math:`\lambda` takes up what shrinkage of the trees has left, so
    that it does not count as between-cluster variance.

    Parameters
    ----------
    learning_rate, num_leaves, min_samples_leaf, l2, feature_fraction, max_rounds, n_folds, \
patience, linear_part, projection, random_state
        As in `tauhat.outcome.mixed_boosting.BoostedInterceptModel`.
    max_iterations, tolerance
        Most iterations, and the relative change of the REML deviance that ends them.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> X = rng.normal(size=(600, 3))
    >>> y = 2 * (X[:, 0] > 0) + rng.normal(size=30)[clusters] + rng.normal(size=600)
    >>> model = REEMBoosting(random_state=1).fit(X, y, clusters=clusters)
    >>> bool(0.3 < model.variance_components_.icc < 0.7)
    True
    """

    def _update(
        self, z: FloatArray, held_out: FloatArray, random: RandomIntercept, last: InterceptFit
    ) -> InterceptFit:
        """REML fit of level, slope of the held-out values and intercepts."""
        fixed = np.column_stack([np.ones(len(z)), held_out])
        if random.n < 4:
            return random.step(z - held_out, last)
        fit = fit_random_intercept(z, fixed, random.clusters, random.weight)
        return InterceptFit(
            random.project(fit.cluster_effects),
            fit.between_cluster_variance,
            fit.residual_variance,
            -2 * fit.restricted_log_likelihood,
        )
