"""Elastic net regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.design.folds import cluster_folds
from tauhat.numerics.elastic_net_path import fit_elastic_net
from tauhat.numerics.seeds import resolve_seed
from tauhat.outcome.scaling import StandardizedModel


class ElasticNetModel(StandardizedModel):
    r"""Linear regression with an elastic-net penalty chosen by cross-validation.

    .. math:: \min_{a, b} \frac{1}{2n} \sum_i (y_i - a - x_i' b)^2
              + \lambda \Big(\alpha |b|_1 + \frac{1 - \alpha}{2} |b|_2^2\Big)

    on columns scaled to variance one. Whole clusters stay together in the
    folds that choose :math:`\lambda` and :math:`\alpha` (Zou and Hastie 2005).

    Parameters
    ----------
    l1_ratios
        Values of alpha to choose from, each in (0, 1]; 1 is the lasso.
    n_folds
        Number of folds that choose the penalty.
    n_penalties
        Number of penalties tried for each alpha.
    random_state
        Seed of the folds.

    Attributes
    ----------
    solution_
        The `tauhat.numerics.elastic_net_path.ElasticNetFit` of the standardised
        data, with the chosen ``penalty`` and ``l1_ratio``.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(1).normal(size=(100, 3))
    >>> model = ElasticNetModel(random_state=1).fit(X, 5 + 3 * X[:, 0])
    >>> model.coef_.round(1) + 0.0
    array([3., 0., 0.])
    """

    needs_interactions: ClassVar[bool] = True
    is_straight: ClassVar[bool] = True

    def __init__(
        self,
        *,
        l1_ratios: Sequence[float] = (0.5, 1.0),
        n_folds: int = 5,
        n_penalties: int = 50,
        random_state: Any = None,
    ) -> None:
        self.l1_ratios = l1_ratios
        self.n_folds = n_folds
        self.n_penalties = n_penalties
        self.random_state = random_state

    def _fit_standardized(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        sample_weight: FloatArray | None,
    ) -> None:
        folds = cluster_folds(len(z), clusters, self.n_folds, resolve_seed(self.random_state))
        self.solution_ = fit_elastic_net(
            X,
            z,
            folds,
            sample_weight=sample_weight,
            l1_ratios=self.l1_ratios,
            n_penalties=self.n_penalties,
            # With more columns than rows the end of the path interpolates: useless and slow.
            smallest_penalty=1e-3 if len(z) > X.shape[1] else 1e-2,
        )

    def _predict_standardized(self, X: FloatArray) -> FloatArray:
        return self.solution_.predict(X)

    @property
    def coef_(self) -> FloatArray:
        """Coefficients on the scale of ``X`` and ``y``, shape (p,)."""
        if self.scale_ == 0:
            return np.zeros(self.n_features_in_)
        return self.scale_ * self.solution_.coef / self.columns_.scale

    @property
    def intercept_(self) -> float:
        """Intercept on the scale of ``y``."""
        if self.scale_ == 0:
            return self.location_
        at_zero = self.location_ + self.scale_ * self.solution_.intercept
        return at_zero - float(self.columns_.location @ self.coef_)
