"""Linear mixed model as an outcome regression."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.standardised_columns import column_scales, independent_columns, ridge_rotation
from tauhat.numerics.weights import mean_one
from tauhat.outcome_model import OutcomeModel, VarianceComponents, named_intercepts


class LinearMixedModel(OutcomeModel):
    r"""Linear regression with a random intercept, by REML.

    .. math:: y_{ij} = \alpha + x_{ij}'\beta + b_i + e_{ij}

    The same model and criterion as lme4's ``lmer(y ~ x + (1 | cluster))`` when
    ``shrinkage`` is off. With it, the coefficients of the standardised columns
    are one random block whose variance REML estimates too (a mixed-model ridge).
    Without clusters, with one, or with one row in each, there is no intercept.

    Parameters
    ----------
    shrinkage
        True, False, or "auto": shrink when there are more than a tenth as many
        columns as rows, where unpenalised fits are too noisy to be used.

    Attributes
    ----------
    intercept_, coefficients_
        Fixed part on the columns as given; 0 for a redundant column.
    variance_components_
        Between-cluster and residual variance (between-cluster 0 without clusters).
    cluster_labels_, cluster_effects_
        Cluster labels of the fit and their predicted intercepts, shape (m,).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> X = rng.normal(size=(600, 2))
    >>> y = 2 * X[:, 0] + 0.5 * rng.normal(size=30)[clusters] + rng.normal(size=600)
    >>> model = LinearMixedModel().fit(X, y, clusters=clusters)
    >>> bool(abs(model.coefficients_[0] - 2) < 0.15)
    True
    >>> 0.1 < model.variance_components_.between_cluster < 0.5
    True
    """

    models_clusters: ClassVar[bool] = True
    needs_interactions: ClassVar[bool] = True
    is_straight: ClassVar[bool] = True

    def __init__(self, shrinkage: bool | Literal["auto"] = "auto") -> None:
        self.shrinkage = shrinkage

    def fit(
        self,
        X: FloatArray,
        y: FloatArray,
        *,
        clusters: IntArray | None = None,
        sample_weight: FloatArray | None = None,
    ) -> Self:
        """Fit to ``X`` of shape (n, p) and ``y`` of shape (n,)."""
        n, p = X.shape
        weight = None if sample_weight is None else mean_one(sample_weight)
        mean, scale = column_scales(X, weight)
        standardised = (X - mean) / scale
        mean_y = float(np.average(y, weights=weight))
        scale_y = float(y.std()) or 1.0
        outcome = (y - mean_y) / scale_y
        shrink = p > n / 10 if self.shrinkage == "auto" else bool(self.shrinkage)
        ones = np.ones((n, 1))
        coefficients = np.zeros(p)
        codes = identified_clusters(clusters)
        if shrink:
            rotation = ridge_rotation(standardised)
            fit = MixedModel(outcome, ones, [standardised @ rotation], codes, weight).fit()
            slope = rotation @ fit.coefficients[1:]
            coefficients[:] = slope
        else:
            kept = independent_columns(np.hstack([ones, standardised]))
            fixed = np.hstack([ones, standardised])[:, kept]
            fit = MixedModel(outcome, fixed, (), codes, weight).fit()
            coefficients[kept[1:] - 1] = fit.coefficients[1:]
        self.coefficients_ = coefficients * scale_y / scale
        self.intercept_ = mean_y + float(fit.coefficients[0]) * scale_y
        self.intercept_ -= float(mean @ self.coefficients_)
        self.variance_components_ = VarianceComponents(
            between_cluster=fit.between_cluster_variance * scale_y**2,
            residual=fit.residual_variance * scale_y**2,
        )
        self.cluster_labels_ = np.zeros(0, np.int64) if clusters is None else np.unique(clusters)
        self.cluster_effects_ = np.zeros(len(self.cluster_labels_))
        if codes is not None:
            self.cluster_effects_ = fit.cluster_effects * scale_y
        return self

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
        predicted: FloatArray = self.intercept_ + X @ self.coefficients_
        if clusters is None:
            return predicted
        return predicted + named_intercepts(self.cluster_labels_, self.cluster_effects_, clusters)
