"""Standardised data, so that every model is equivariant to the units of outcome and covariates."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.standard_units import DIGITS, StandardUnits
from tauhat.outcome_model import OutcomeModel


class StandardizedModel(OutcomeModel):
    r"""Outcome model that is fitted in standard units.

    .. math:: z = (y - \bar y) / sd(y)

    and likewise every column of ``X``. A constant outcome is predicted by its
    value, without a fit; a constant column becomes zeros. Subclasses implement
    `_fit_standardized` and `_predict_standardized`. With ``sample_weight`` the
    mean and standard deviation of the outcome are weighted, and the weights
    handed on have mean one.

    Attributes
    ----------
    location_, scale_
        Mean and standard deviation of the outcome; ``scale_`` is 0 when it is constant.
    columns_
        Means and standard deviations of the columns.
    """

    def fit(
        self,
        X: FloatArray,
        y: FloatArray,
        *,
        clusters: IntArray | None = None,
        sample_weight: FloatArray | None = None,
    ) -> Self:
        """Fit to ``X`` of shape (n, p) and ``y`` of shape (n,).

        Parameters
        ----------
        X
            Covariates, shape (n, p).
        y
            Outcome, shape (n,).
        clusters
            Cluster codes, shape (n,), or None.
        sample_weight
            Positive weights, shape (n,), or None.

        Returns
        -------
        self
        """
        weight = None if sample_weight is None else sample_weight / sample_weight.mean()
        self.n_features_in_ = X.shape[1]
        self.columns_ = StandardUnits.of(X)
        self.location_ = float(np.average(y, weights=weight))
        spread = np.sqrt(np.average((y - self.location_) ** 2, weights=weight))
        self.scale_ = float(spread) if spread > 1e-12 * abs(self.location_) else 0.0
        if self.scale_ > 0:
            z = np.round((y - self.location_) / self.scale_, DIGITS)
            self._fit_standardized(self.columns_.apply(X), z, clusters, weight)
        return self

    def predict(self, X: FloatArray) -> FloatArray:
        """Expected outcome at ``X`` of shape (k, p), shape (k,)."""
        if self.scale_ == 0:
            return np.full(len(X), self.location_)
        return self.location_ + self.scale_ * self._predict_standardized(self.columns_.apply(X))

    @abstractmethod
    def _fit_standardized(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        sample_weight: FloatArray | None,
    ) -> None:
        """Fit to covariates and outcome in standard units."""

    @abstractmethod
    def _predict_standardized(self, X: FloatArray) -> FloatArray:
        """Expected outcome in standard units at covariates in standard units."""
