"""Generalised additive mixed model as an outcome regression."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.splines import smooth_columns, smooth_terms
from tauhat.numerics.standardised_columns import (
    column_scales,
    constant_within,
    independent_columns,
    ridge_rotation,
)
from tauhat.numerics.weights import mean_one
from tauhat.outcome_model import OutcomeModel, VarianceComponents, named_intercepts


class AdditiveMixedModel(OutcomeModel):
    r"""Smooth curves of every covariate and a random cluster intercept, by REML.

    .. math:: y_{ij} = \alpha + x_{ij}'\beta + \sum_k s_k(x_{ijk}) + b_i + e_{ij}

    Straight lines are fixed effects; the curved parts of all cubic splines are
    one random block with a shared variance, so that one number says how wiggly
    the outcome surface is and absent curves vanish. With more than a tenth as
    many columns as rows the lines are shrunk too. Without clusters, with one, or
    with one row in each, there is no intercept.

    Parameters
    ----------
    n_splines
        Size of each B-spline basis; cluster-level covariates get at most 5.

    Attributes
    ----------
    variance_components_
        Between-cluster and residual variance.
    cluster_labels_, cluster_effects_
        Cluster labels of the fit and their predicted intercepts, shape (m,).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(400, 1))
    >>> y = np.sin(2 * X[:, 0]) + 0.3 * rng.normal(size=400)
    >>> model = AdditiveMixedModel().fit(X, y)
    >>> bool(abs(model.predict(np.array([[0.785]]))[0] - 1) < 0.15)
    True
    """

    models_clusters: ClassVar[bool] = True
    needs_interactions: ClassVar[bool] = True

    def __init__(self, n_splines: int = 10) -> None:
        self.n_splines = n_splines

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
        self.mean_, self.scale_ = column_scales(X, weight)
        self.mean_y_ = float(np.average(y, weights=weight))
        self.scale_y_ = float(y.std()) or 1.0
        outcome = (y - self.mean_y_) / self.scale_y_
        codes = identified_clusters(clusters)
        units = n if codes is None else int(codes.max()) + 1
        # A curve costs more than a line: with few rows a column there are none.
        curved = p <= n / 10
        self.terms_ = (
            smooth_terms(X, constant_within(X, codes), units, self.n_splines) if curved else []
        )
        lines = (X - self.mean_) / self.scale_
        fixed = np.ones((n, 1))
        blocks = []
        if p > n / 10:
            rotation = ridge_rotation(lines)
            blocks.append(lines @ rotation)
        else:
            fixed = np.hstack([fixed, lines])
        if self.terms_:
            blocks.append(smooth_columns(self.terms_, X))
        kept = independent_columns(fixed)
        model = MixedModel(outcome, fixed[:, kept], blocks, codes, weight)
        fit = model.fit()
        self.line_ = np.zeros(1 + p)
        if p > n / 10:
            self.line_[0] = fit.coefficients[0]
            self.line_[1:] = rotation @ fit.coefficients[model.block_slices[0]]
        else:
            self.line_[kept] = fit.coefficients[: len(kept)]
        self.curve_ = fit.coefficients[model.block_slices[-1]] if self.terms_ else np.zeros(0)
        self.variance_components_ = VarianceComponents(
            between_cluster=fit.between_cluster_variance * self.scale_y_**2,
            residual=fit.residual_variance * self.scale_y_**2,
        )
        self.cluster_labels_ = np.zeros(0, np.int64) if clusters is None else np.unique(clusters)
        self.cluster_effects_ = np.zeros(len(self.cluster_labels_))
        if codes is not None:
            self.cluster_effects_ = fit.cluster_effects * self.scale_y_
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
        predicted = self.line_[0] + (X - self.mean_) / self.scale_ @ self.line_[1:]
        predicted = predicted + smooth_columns(self.terms_, X) @ self.curve_
        scaled: FloatArray = self.mean_y_ + self.scale_y_ * predicted
        if clusters is None:
            return scaled
        return scaled + named_intercepts(self.cluster_labels_, self.cluster_effects_, clusters)
