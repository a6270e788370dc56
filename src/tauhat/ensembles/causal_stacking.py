"""Causal stacking: the convex combination nearest to the doubly robust score."""

from __future__ import annotations

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.cross_fitted import CrossFittedEnsemble
from tauhat.ensembles.losses import effect_loss
from tauhat.ensembles.out_of_fold import CrossFit


class CausalStacking(CrossFittedEnsemble):
    r"""Convex weights with the least out-of-fold distance to the doubly robust score.

    .. math::
        \min_{w \ge 0,\; 1'w = 1}\; \sum_i
        \Big\{\Gamma_i - \sum_k w_k\, \hat\tau_k(X_i)\Big\}^2, \quad
        \Gamma_i = \hat\mu_1 - \hat\mu_0
        + \frac{A_i-\pi_i}{\pi_i(1-\pi_i)}\{Y_i-\hat\mu_{A_i}\}

    In a cluster trial the loss is whitened by a random intercept and on
    heterogeneity only, see `tauhat.ensembles.losses.effect_loss`; the level is
    the weighted mean of the members' own.

    Parameters
    ----------
    members, n_folds, outcome_model, random_state, n_jobs
        As in `tauhat.ensembles.cross_fitted.CrossFittedEnsemble`.

    Attributes
    ----------
    members_, weights_, cross_fit_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.cross_fitted.CrossFittedEnsemble`.

    References
    ----------
    Han and Wu (2022), Ensemble method for estimating individualized treatment
    effects, arXiv:2202.12445.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), np.tile([0, 1], 100)
    >>> y = A * X[:, 1] + 0.1 * rng.normal(size=200)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM")]
    >>> model = CausalStacking(members, random_state=1).fit(X, y, treatment=A)
    >>> round(sum(model.weights_.values()), 6)
    1.0
    """

    registered_name = "Causal-Stacking"

    def learn(self, data: TrialData, cross_fit: CrossFit) -> tuple[float, FloatArray]:
        """No constant, and the convex weights with the least loss."""
        return 0.0, effect_loss("doubly-robust", data, cross_fit).convex_weights()
