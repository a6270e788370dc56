"""Estimators whose model depends on the link of the outcome: lines in a mean, or in log odds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, get_args

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.fitting.risk_form import RiskForm
from tauhat.numerics.seeds import derive_seed

LinkChoice = Literal["endpoint", "identity"]
# What variance components of models with a link are of.
_SCALES = {"logit": "log odds", "log": "log rate"}


class LinkedEffect(CateEstimator):
    """An estimator that has one form of its model for each link that it knows.

    `fit` asks the endpoint for its link and `risk_forms` for the form that goes with it. The
    effect is then the difference of the two arms' risks. Without such a form the model is that
    of a difference of means, which a subclass says in `fit_difference` and
    `predict_difference`.

    Attributes
    ----------
    risk_forms
        What makes the form for a link, given the estimator; it returns None where the
        estimator's settings have no such form.
    link
        "endpoint": the form of the endpoint's link. "identity": that of means, whatever it is.
    risk_form_
        The fitted form; None where the model is one of a difference of means.
    """

    risk_forms: ClassVar[Mapping[str, Callable[[Any], RiskForm | None]]] = {}
    link: LinkChoice = "endpoint"

    risk_form_: RiskForm | None = None

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """None: outcome and effect are one model."""
        return []

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit the form that the link of the endpoint asks for."""
        if self.link not in get_args(LinkChoice):
            raise ValueError(f"link must be 'endpoint' or 'identity', got {self.link!r}")
        link = data.endpoint.link if self.link == "endpoint" else "identity"
        make = self.risk_forms.get(link)
        form = None if make is None else make(self)
        self.risk_form_ = None
        if form is None:
            self.fit_difference(data, nuisances, seed)
            return
        self.risk_form_ = form.fit(data, derive_seed(seed, "risks"))
        self.variance_components_ = replace(form.components_, scale=_SCALES[link])
        self.cluster_effects_ = form.cluster_effects_

    def fit_difference(
        self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int
    ) -> None:
        """Fit the model of a difference of means; refused by those that model risks only."""
        raise TrialError(
            f"{self.known_as} models the risk of an event, so it needs an outcome with two "
            f"values; this one is {data.endpoint.kind_name}"
        )

    def predict_difference(self, X: FloatArray) -> FloatArray:
        """Difference of means at checked covariates, shape (k,)."""
        raise NotImplementedError

    def has_form(self, link: str) -> bool:
        """Whether it has a model for outcomes of kinds with that link."""
        if link == "identity":
            return type(self).fit_difference is not LinkedEffect.fit_difference
        return link in self.risk_forms and self.risk_forms[link](self) is not None

    @property
    def models_risks(self) -> bool:
        """Whether the fitted estimator itself models the risks of both arms."""
        return self.risk_form_ is not None

    @property
    def has_draws(self) -> bool:  # type: ignore[override]
        """Whether it has posterior draws: where it models risks."""
        return self.models_risks or not self.has_form("identity")

    @property
    def interval_is_of_mixture(self) -> bool:
        """No: the reference posterior is for the most part one of log odds itself."""
        return False

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        if not self.models_risks:
            return self.predict_difference(X)
        risks = self.predict_risks(X)
        return risks[:, 1] - risks[:, 0]

    def risks_at(self, X: FloatArray) -> FloatArray:
        """Risks in a new cluster without and with treatment, shape (k, 2)."""
        return super().risks_at(X) if self.risk_form_ is None else self.risk_form_.risks(X)

    def draw_effect(self, X: FloatArray) -> FloatArray:
        """Posterior draws of the effect, shape (draws, k)."""
        if not self.models_risks:
            return super().draw_effect(X)
        risks = self.draw_risks(X)
        return risks[..., 1] - risks[..., 0]

    def draw_risks(self, X: FloatArray) -> FloatArray:
        """Posterior draws of `predict_risks`, shape (draws, k, 2)."""
        form = self.risk_form_
        return super().draw_risks(X) if form is None else form.risk_draws(X)
