"""What an estimator that models the risks of both arms offers beside its effect."""

from __future__ import annotations

from abc import ABC, abstractmethod

from tauhat._typing import FloatArray


class RisksOfArms(ABC):
    """Risks of both arms, for estimators that model them."""

    @property
    @abstractmethod
    def known_as(self) -> str:
        """Name that users type for it, or of its class."""

    @property
    def models_risks(self) -> bool:
        """Whether the fitted estimator itself models the risks of both arms.

        Then `predict_effect` is the difference of its `predict_risks`, and `draw_effect`
        that of its `draw_risks`.
        """
        return False

    def has_form(self, link: str) -> bool:
        """Whether it has a model for outcomes of kinds with that link."""
        return link == "identity"

    def predict_risks(self, X: FloatArray) -> FloatArray:
        """Risks at checked covariates of shape (k, p), without and with treatment, (k, 2).

        Those of a participant of a new cluster: marginal over the cluster's intercept.
        """
        raise NotImplementedError(f"{self.known_as} does not model risks")

    def draw_risks(self, X: FloatArray) -> FloatArray:
        """Posterior draws of `predict_risks`, shape (draws, k, 2)."""
        raise NotImplementedError(f"{self.known_as} does not model risks")
