"""The interface of outcome models, and the variance components of the mixed ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone

from tauhat._typing import FloatArray, IntArray


@dataclass(frozen=True)
class VarianceComponents:
    r"""Variances of a mixed model and the intracluster correlation.

    .. math:: \rho = \sigma_b^2 / (\sigma_b^2 + \sigma_e^2)

    Attributes
    ----------
    between_cluster
        Variance of the random intercept, in squared units of the outcome.
    residual
        Variance within clusters, in squared units of the outcome.

    Examples
    --------
    >>> VarianceComponents(between_cluster=1.0, residual=9.0).icc
    0.1
    """

    between_cluster: float
    residual: float

    @property
    def icc(self) -> float:
        """Share of the variance that lies between clusters."""
        total = self.between_cluster + self.residual
        return self.between_cluster / total if total > 0 else 0.0

    @property
    def table(self) -> pd.DataFrame:
        """One labelled row a component."""
        return pd.DataFrame(
            {
                "component": ["between clusters", "residual", "icc"],
                "value": [self.between_cluster, self.residual, self.icc],
            }
        )

    @property
    def text(self) -> str:
        """The components in a sentence."""
        return (
            f"Between-cluster variance {self.between_cluster:.4g}, residual variance "
            f"{self.residual:.4g}, intracluster correlation {self.icc:.3f}."
        )


class OutcomeModel(RegressorMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """A regression of the outcome on covariates.

    Subclasses implement `fit` and `predict` on checked float arrays. Plain
    models ignore ``clusters``; mixed models use them and set
    ``variance_components_``.

    Attributes
    ----------
    models_clusters
        Whether the model has a random intercept.
    needs_interactions
        Whether the model is additive in its columns, so that an S-learner must
        hand it treatment-by-covariate products.
    """

    models_clusters: ClassVar[bool] = False
    needs_interactions: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self,
        X: FloatArray,
        y: FloatArray,
        *,
        clusters: IntArray | None = None,
        sample_weight: FloatArray | None = None,
    ) -> Self:
        """Fit to ``X`` of shape (n, p) and ``y`` of shape (n,)."""

    @abstractmethod
    def predict(self, X: FloatArray) -> FloatArray:
        """Expected outcome at an average cluster, shape (n,)."""

    def components(self) -> Sequence[tuple[str, OutcomeModel]]:
        """Models this one is made of, which an ensemble may fit once for all."""
        return ()

    def reduced(self) -> Self:
        """Return an unfitted copy at the settings that a bootstrap can afford."""
        copy: Self = clone(self)
        return copy
