"""Risks of both arms: modelled, or an effect put about their average."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.fitting.average_risk import AverageRisk
from tauhat.numerics.seeds import derive_seed


class RisksOfArms(ABC):
    """What a fitted estimator says of the risks of both arms, where the outcome is an event."""

    trial_data_: TrialData
    seed_: int

    @property
    @abstractmethod
    def known_as(self) -> str:
        """Name that users type for it, or of its class."""

    @abstractmethod
    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates of shape (k, p), shape (k,), before `bounded`."""

    def draw_effect(self, X: FloatArray) -> FloatArray:
        """Posterior draws at checked covariates, shape (draws, k), before `bounded`."""
        raise NotImplementedError(
            f"{self.known_as} has no posterior; use effect_interval for its uncertainty"
        )

    @property
    def models_risks(self) -> bool:
        """Whether the fitted estimator itself models the risks of both arms.

        Then `predict_effect` is the difference of its `predict_risks`, and `draw_effect`
        that of its `draw_risks`. Otherwise its effect is put about the average of both arms'
        risks, from a regression that lets no effect vary (`average_risk`).
        """
        return False

    def has_form(self, link: str) -> bool:
        """Whether it has a model for outcomes of kinds with that link."""
        return link == "identity"

    def predict_risks(self, X: FloatArray) -> FloatArray:
        """Risks at checked covariates of shape (k, p), without and with treatment, (k, 2).

        Those of a participant of a new cluster: marginal over the cluster's intercept. A table is
        refused, since `risks` is what checks one.
        """
        if hasattr(X, "columns"):
            raise TrialError("predict_risks takes checked arrays: of a table write model.risks(X)")
        return self.risks_at(X)

    def risks_at(self, X: FloatArray) -> FloatArray:
        """`predict_risks` of an array: the means of `draw_risks` where these are modelled.

        A model that has a shorter way overrides it.
        """
        if self.models_risks:
            mean: FloatArray = self.draw_risks(X).mean(axis=0)
            return mean
        model = self.average_risk()
        return model.with_effect(model.risk(X), self._risk_difference(self.predict_effect(X)))

    def draw_risks(self, X: FloatArray) -> FloatArray:
        """Posterior draws of `predict_risks`, shape (draws, k, 2)."""
        effect, model = self._risk_difference(self.draw_effect(X)), self.average_risk()
        average = model.draws(X)
        return model.with_effect(average[np.arange(len(effect)) % len(average)], effect)

    def average_risk(self) -> AverageRisk:
        """Regression of the event that gives the arms' average risk, fitted once."""
        check_is_fitted(self, "n_features_in_")
        if not hasattr(self, "average_risk_"):
            seed = derive_seed(self.seed_, "average risk")
            self.average_risk_ = AverageRisk.of(self.trial_data_, seed)
        return self.average_risk_

    def _risk_difference(self, effect: FloatArray) -> FloatArray:
        """Effects in units of the outcome as differences of risks or rates, any shape."""
        endpoint = self.trial_data_.endpoint
        return effect if endpoint.mean_exposure else effect / endpoint.largest_effect
