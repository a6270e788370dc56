"""A model of the outcome in both arms on the scale of a link other than the identity."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.outcome_model import VarianceComponents


class RiskForm(ABC):
    """A model of the outcome in both arms on the scale of a link other than the identity.

    Attributes
    ----------
    components_
        Variances of its random intercepts and of the residual, on the scale of the link.
    cluster_effects_
        Predicted intercepts by cluster number; empty without clusters.
    """

    components_: VarianceComponents
    cluster_effects_: FloatArray

    @abstractmethod
    def fit(self, data: TrialData, seed: int) -> Self:
        """Fit to a trial as its learners see it."""

    @abstractmethod
    def risks(self, X: FloatArray) -> FloatArray:
        """Risks without and with treatment in a new cluster, shape (k, 2)."""

    @abstractmethod
    def risk_draws(self, X: FloatArray) -> FloatArray:
        """Posterior draws of these, shape (draws, k, 2)."""
