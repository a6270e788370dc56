"""The interface of outcome models, and the variance components of the mixed ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.runtime.display import Shown


@dataclass(frozen=True)
class VarianceComponents(Shown):
    r"""Variances of a mixed model and the intracluster correlation.

    .. math:: \rho = \sigma_b^2 / (\sigma_b^2 + \sigma_e^2)

    Attributes
    ----------
    between_cluster
        Variance of the random intercept, in squared units of the outcome;
        averaged over the clusters if the arms have their own.
    residual
        Variance within clusters, in squared units of the outcome; where there are levels within
        clusters, within the innermost of these.
    between_by_arm
        Variance of the random intercept in control and treated clusters, from
        models that estimate both; None when the arms share one.
    between_block
        Variance of the random intercept of the randomization blocks, from models
        that have one; None for others.
    within_cluster
        Variances of the random intercepts of levels within clusters, such as providers in
        clinics, outermost first, from models that have them.
    between_period
        Variance of the random intercept of the periods of a cluster, where clusters were
        observed over periods; None elsewhere.
    crossed
        Variances of the random intercepts of what crosses clusters, such as neighbourhoods beside
        schools, from models that have them.
    scale
        What the variances are of: the outcome, or its log odds, log rate, log hazard, or the
        probit scale behind an event. Components on different scales cannot be compared.

    Examples
    --------
    >>> VarianceComponents(between_cluster=1.0, residual=9.0).icc
    0.1
    >>> VarianceComponents(1.0, 7.0, within_cluster=(2.0,)).iccs
    (0.1, 0.3)
    >>> VarianceComponents(1.0, 7.0, crossed=(2.0,)).icc
    0.1
    >>> parts = VarianceComponents(0.2, 1.0, between_by_arm=(0.1, 0.3))
    >>> parts.table["component"].tolist()[:2]
    ['between control clusters', 'between treated clusters']
    """

    between_cluster: float
    residual: float
    between_by_arm: tuple[float, float] | None = None
    between_block: float | None = None
    within_cluster: tuple[float, ...] = ()
    between_period: float | None = None
    scale: str = "outcome"
    crossed: tuple[float, ...] = ()

    @property
    def icc(self) -> float:
        """Share of the variance that lies between clusters, within blocks.

        Over periods that of two persons of a cluster in different ones.
        """
        return self.iccs[0]

    @property
    def iccs(self) -> tuple[float, ...]:
        """Correlation of two outcomes of a cluster, and of a unit of each level within, in blocks.

        Those of one provider share the provider and the clinic, so that the correlations grow
        from level to level.
        """
        return self._shares(np.cumsum([self.between_cluster, *self.within_cluster]))

    @property
    def crossed_iccs(self) -> tuple[float, ...]:
        """Correlation of two outcomes in different clusters that share a crossed unit, by level."""
        return self._shares(self.crossed)

    def _shares(self, variances: Iterable[float]) -> tuple[float, ...]:
        """Shares of the variance within blocks."""
        others = [*self.within_cluster, *self.crossed, self.between_period or 0.0]
        total = self.between_cluster + sum(others) + self.residual
        return tuple(float(part) / total if total > 0 else 0.0 for part in variances)

    @property
    def table(self) -> pd.DataFrame:
        """One labelled row a component; two for the clusters if the arms have their own."""
        rows = {"between clusters": self.between_cluster}
        if self.between_by_arm is not None:
            control, treated = self.between_by_arm
            rows = {"between control clusters": control, "between treated clusters": treated}
        if self.between_block is not None:
            rows = {"between blocks": self.between_block, **rows}
        levels = enumerate(self.within_cluster, start=2)
        rows |= {f"between units of level {level}": part for level, part in levels}
        if self.between_period is not None:
            rows = {**rows, "between periods of a cluster": self.between_period}
        crossed = enumerate(self.crossed, start=1)
        rows |= {f"between crossed units of level {level}": part for level, part in crossed}
        rows |= {"residual": self.residual, "icc": self.icc}
        rows |= {f"icc of level {k}": icc for k, icc in enumerate(self.iccs[1:], start=2)}
        return pd.DataFrame({"component": list(rows), "value": list(rows.values())})

    @property
    def text(self) -> str:
        """The components in a sentence."""
        arms = ""
        if self.between_by_arm is not None:
            control, treated = self.between_by_arm
            arms = f" ({control:.4g} in control, {treated:.4g} in treated clusters)"
        blocks = "" if self.between_block is None else f", between blocks {self.between_block:.4g}"
        levels = enumerate(zip(self.within_cluster, self.iccs[1:], strict=True), start=2)
        within = "".join(
            f", of level {level} within clusters {part:.4g} (correlation {icc:.3f})"
            for level, (part, icc) in levels
        )
        periods = ""
        if self.between_period is not None:
            periods = f", between periods of a cluster {self.between_period:.4g}"
        crossed = "".join(f", between crossed units {part:.4g}" for part in self.crossed)
        of_scale = "" if self.scale == "outcome" else f", on the scale of the {self.scale}"
        return (
            f"Between-cluster variance {self.between_cluster:.4g}{arms}{blocks}{within}{periods}"
            f"{crossed}, residual variance {self.residual:.4g}, intracluster correlation "
            f"{self.icc:.3f}{of_scale}."
        )


class OutcomeModel(RegressorMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """A regression of the outcome on covariates.

    Subclasses implement `fit` and `predict` on checked float arrays. Plain
    models ignore ``clusters``; mixed models use them, set
    ``variance_components_``, and add the intercepts of named clusters in
    ``predict(X, clusters=...)``.

    Attributes
    ----------
    models_clusters
        Whether the model has a random intercept.
    needs_interactions
        Whether the model is additive in its columns, so that an S-learner must
        hand it treatment-by-covariate products.
    is_straight
        Whether its predictions are straight lines in every covariate, whatever the outcome.
    """

    models_clusters: ClassVar[bool] = False
    needs_interactions: ClassVar[bool] = False
    is_straight: ClassVar[bool] = False

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

    def predict_difference(self, X: FloatArray, other: FloatArray) -> FloatArray:
        """What `predict` gives at ``X`` less what it gives at ``other``, shape (n,)."""
        return self.predict(X) - self.predict(other)

    def draw_difference(self, X: FloatArray, other: FloatArray) -> FloatArray:
        """The same of ``predict_draws``, for models that have it, shape (draws, n)."""
        model: Any = self
        draws: FloatArray = model.predict_draws(X) - model.predict_draws(other)
        return draws

    def base_models(self) -> Sequence[tuple[str, OutcomeModel]]:
        """Models this one is made of, which an ensemble may fit once for all."""
        return ()

    def cross_fitted_models(self) -> Sequence[tuple[str, OutcomeModel]]:
        """The same as they are where they predict rows that they did not see, to be weighed."""
        return self.base_models()

    def reduced(self) -> Self:
        """Return an unfitted copy at the settings that a bootstrap can afford."""
        copy: Self = clone(self)
        return copy


def named_intercepts(labels: AnyArray, effects: FloatArray, clusters: AnyArray) -> FloatArray:
    """Predicted intercepts of named clusters; 0 for one that the fit has not seen.

    Parameters
    ----------
    labels
        Sorted labels of the clusters of the fit, shape (m,).
    effects
        Their predicted intercepts, shape (m,).
    clusters
        Labels asked for, shape (k,).

    Returns
    -------
    ndarray, shape (k,)

    Examples
    --------
    >>> named_intercepts(np.array([3, 7]), np.array([0.5, -0.5]), np.array([7, 9, 3])).tolist()
    [-0.5, 0.0, 0.5]
    """
    if len(labels) == 0:
        return np.zeros(len(clusters))
    place = np.minimum(np.searchsorted(labels, clusters), len(labels) - 1)
    intercepts: FloatArray = np.where(labels[place] == clusters, effects[place], 0.0)
    return intercepts
