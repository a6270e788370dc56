"""What the mixed-effects learners share: any fixed part beside a random intercept."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.design.folds import cluster_folds
from tauhat.numerics.em import RandomIntercept, identified_clusters
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.numerics.standard_units import DIGITS
from tauhat.outcome.linear_mixed import LinearMixedModel
from tauhat.outcome.scaling import StandardizedModel
from tauhat.outcome_model import VarianceComponents, named_intercepts

_LINE_FOLDS = 10


def whole_cluster_folds(n: int, clusters: IntArray | None, n_folds: int, seed: int) -> IntArray:
    """Folds of whole clusters; of persons when one cluster has more than half of them.

    Leaving that cluster out would leave too little to learn from.

    Examples
    --------
    >>> folds = whole_cluster_folds(5, np.array([0, 0, 0, 0, 1]), 2, 1)
    >>> np.bincount(folds).tolist()
    [3, 2]
    """
    dominated = clusters is not None and np.bincount(clusters).max() > n / 2
    return cluster_folds(n, None if dominated else clusters, n_folds, seed)


class RandomInterceptModel(StandardizedModel):
    r"""Outcome model of a learned fixed part and a random intercept of the cluster.

    .. math:: y_{ij} = f(x_{ij}) + b_i + e_{ij}

    Subclasses implement `_fit_fixed_part`, which alternates between the fixed
    part and the intercepts, and `_predict_fixed_part`. The variances reported
    come from products of in-sample and held-out residuals
    (`tauhat.numerics.em.RandomIntercept.leave_out_variances`): the residuals of
    the iteration itself are too small for an adaptive fit, held-out ones too
    large. Without clusters, with one, or with one row in each, there is no
    intercept and the fixed part is the plain model.

    Attributes
    ----------
    variance_components_
        Variances between clusters and of the residual.
    cluster_labels_, cluster_effects_
        Cluster codes of the fit and their predicted intercepts, shape (m,).
    """

    models_clusters: ClassVar[bool] = True

    linear_part: bool
    projection: bool
    random_state: Any

    def _fit_standardized(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        sample_weight: FloatArray | None,
    ) -> None:
        groups = identified_clusters(clusters)
        weight = np.ones(len(z)) if sample_weight is None else sample_weight
        seed = resolve_seed(self.random_state)
        line, line_held_out = self._fit_line(X, z, groups, sample_weight, seed)
        random = RandomIntercept(groups, weight, X if self.projection else None)
        fitted, held_out = self._fit_fixed_part(X, np.round(z - line, DIGITS), random, seed)
        in_sample, out = z - line - fitted, z - line_held_out - held_out
        between, residual = random.leave_out_variances(in_sample, out)
        self.level_ = random.level(in_sample, between, residual)
        effects = random.predict(out - random.level(out, between, residual), between, residual)
        self._components = (between, residual)
        self.cluster_labels_ = np.zeros(0, np.int64) if clusters is None else np.unique(clusters)
        self.cluster_effects_ = (
            self.scale_ * effects if groups is not None else np.zeros(len(self.cluster_labels_))
        )

    def _fit_line(
        self,
        X: FloatArray,
        z: FloatArray,
        groups: IntArray | None,
        sample_weight: FloatArray | None,
        seed: int,
    ) -> tuple[FloatArray, FloatArray]:
        """Linear part by a shrunken mixed model: fitted values, all clusters in and held out."""
        self.line_: LinearMixedModel | None = None
        n = len(z)
        if not self.linear_part or n < 4:
            return np.zeros(n), np.zeros(n)

        def fit(rows: IntArray) -> LinearMixedModel:
            codes = None if groups is None else identified_clusters(groups[rows])
            part = None if sample_weight is None else sample_weight[rows]
            model = LinearMixedModel(shrinkage=True)
            return model.fit(X[rows], z[rows], clusters=codes, sample_weight=part)

        self.line_ = fit(np.arange(n))
        held_out = np.empty(n)
        folds = whole_cluster_folds(n, groups, _LINE_FOLDS, derive_seed(seed, "line"))
        for fold in np.unique(folds):
            outside = folds == fold
            held_out[outside] = fit(np.flatnonzero(~outside)).predict(X[outside])
        return self.line_.predict(X), held_out

    @abstractmethod
    def _fit_fixed_part(
        self, X: FloatArray, z: FloatArray, random: RandomIntercept, seed: int
    ) -> tuple[FloatArray, FloatArray]:
        """Fit; return in-sample values and those of fits that left the row's cluster out."""

    @abstractmethod
    def _predict_fixed_part(self, X: FloatArray) -> FloatArray:
        """Fixed part, linear part and level apart, at covariates in standard units."""

    def _predict_standardized(self, X: FloatArray) -> FloatArray:
        predicted = self.level_ + self._predict_fixed_part(X)
        return predicted if self.line_ is None else predicted + self.line_.predict(X)

    def predict(self, X: FloatArray, clusters: AnyArray | None = None) -> FloatArray:
        """Expected outcome at ``X`` of shape (k, p), shape (k,).

        Parameters
        ----------
        X
            Covariates, shape (k, p).
        clusters
            Cluster labels of the fit, shape (k,), to add these clusters'
            predicted intercepts; a label the fit has not seen adds none. None
            for a new cluster.
        """
        predicted = super().predict(X)
        if clusters is None or self.scale_ == 0:
            return predicted
        return predicted + named_intercepts(self.cluster_labels_, self.cluster_effects_, clusters)

    @property
    def variance_components_(self) -> VarianceComponents:
        """Variances between clusters and of the residual, in squared units of the outcome."""
        if self.scale_ == 0:
            return VarianceComponents(0.0, 0.0)
        between, residual = self._components
        return VarianceComponents(between * self.scale_**2, residual * self.scale_**2)
