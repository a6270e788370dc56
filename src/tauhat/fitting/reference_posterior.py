"""The reference posterior of the effects of a trial, on which intervals rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.endpoint import Endpoint
from tauhat.fitting.log_odds import AdditiveLogOdds
from tauhat.fitting.risk_form import RiskForm
from tauhat.numerics.probit_ridge import sample_probit_posterior
from tauhat.numerics.ridge_posterior import RidgePosterior, sample_ridge_posterior
from tauhat.numerics.standardised_columns import row_parts

# Share of the Bayesian ridge mixed model in the mixture, measured by cells of
# benchmarks/binary_outcomes.py: without it steps and products were covered too rarely, with more
# of it intervals are wider than need be.
_RIDGE_SHARE = 0.2
# Arrays of the size of the draws that are held while they are made.
_COPIES = 8


class Reference(Protocol):
    """A posterior of the effects of one trial."""

    @property
    def n_draws(self) -> int:
        """Number of draws that are held at once."""

    def effect_draws(self, X: FloatArray) -> FloatArray:
        """Draws of the effect, shape (draws, k)."""

    def expected_error(self, X: FloatArray, effect: FloatArray) -> FloatArray:
        """Root expected squared distance to an effect, each of shape (k,)."""


@dataclass(frozen=True, eq=False)
class EventReference:
    r"""Mixture of two posteriors of the risk difference.

    .. math:: 0.8\,p_{\mathrm{logit}}(\tau \mid y) + 0.2\,p_{\mathrm{ridge}}(\tau \mid y)

    with the additive mixed model of the log odds (`tauhat.fitting.log_odds.AdditiveLogOdds`),
    which knows that risks have bounds and little else that may vary, and the
    Bayesian ridge mixed model, which lets almost anything vary.

    Attributes
    ----------
    log_odds
        The former, fitted.
    ridge
        Draws of the latter.
    """

    log_odds: RiskForm
    ridge: RidgePosterior

    @property
    def n_draws(self) -> int:
        """Number of draws that are held at once."""
        return self.ridge.n_draws

    def effect_draws(self, X: FloatArray) -> FloatArray:
        """Draws of the effect in the proportions of the mixture, shape (draws, k)."""
        risks = self.log_odds.risk_draws(X)
        few = round(len(risks) * _RIDGE_SHARE / (1 - _RIDGE_SHARE))
        chosen = np.linspace(0, self.ridge.n_draws - 1, min(few, self.ridge.n_draws))
        ridge = self.ridge.effect_draws(X)[np.round(chosen).astype(np.int64)]
        return np.vstack([risks[..., 1] - risks[..., 0], ridge])

    def expected_error(self, X: FloatArray, effect: FloatArray) -> FloatArray:
        """Root expected squared distance to an effect, each of shape (k,)."""
        error = np.empty(len(effect))
        for rows in row_parts(len(effect), _COPIES * self.n_draws):
            distance = self.effect_draws(X[rows]) - effect[rows]
            error[rows] = np.sqrt((distance**2).mean(axis=0))
        return error


#: Model that the reference posterior has beside the ridge mixed model, by link of the endpoint.
REFERENCE_FORMS: dict[str, type[AdditiveLogOdds]] = {"logit": AdditiveLogOdds}


def reference_name(endpoint: Endpoint) -> str:
    """What the reference posterior is a posterior of, in a few words.

    Examples
    --------
    >>> reference_name(Endpoint())
    'Bayesian ridge mixed model'
    """
    ridge = "Bayesian ridge mixed model"
    if endpoint.link not in REFERENCE_FORMS:
        return ridge
    return f"additive mixed model of the log odds and {ridge}"


def sample_reference(
    data: TrialData, seed: int, *, on_done: Callable[[int, int], None]
) -> Reference:
    """Posterior of the Bayesian ridge mixed model, mixed with the form of the endpoint's link.

    Parameters
    ----------
    data
        The trial as its learners see it.
    seed
        Seed of the draws.
    on_done
        Called with the number of parts that are done, and of all.
    """
    ridge = ridge_posterior(data, seed, on_done=on_done)
    form = REFERENCE_FORMS.get(data.endpoint.link)
    return ridge if form is None else EventReference(form().fit(data, seed), ridge)


def ridge_posterior(data: TrialData, seed: int, **chains: Any) -> RidgePosterior:
    """Sample the model of a trial as its learners see it.

    Parameters
    ----------
    data
        The trial. Behind events the model is one of normal variables
        (`tauhat.numerics.probit_ridge.sample_probit_posterior`), and effects are differences
        of risks; otherwise it is `tauhat.numerics.ridge_posterior.sample_ridge_posterior`.
    seed
        Seed.
    **chains
        Numbers and lengths of the chains, and ``on_done``, as these take them.
    """
    intercepts = data.design.intercepts()
    latent = data.latent(with_blocks=True)
    if latent is not None:
        return sample_probit_posterior(
            data.X,
            latent,
            data.treatment,
            intercepts.groups,
            seed,
            intercepts.nesting,
            **chains,
        )
    return sample_ridge_posterior(
        data.X,
        data.working_with_blocks,
        data.treatment,
        intercepts.groups,
        data.sample_weight,
        seed,
        intercepts.nesting,
        data.design.levels,
        **chains,
    )
