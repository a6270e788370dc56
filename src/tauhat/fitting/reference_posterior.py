"""The reference posterior of the effects of a trial, on which intervals rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.endpoint import Endpoint
from tauhat.fitting.additive_forms import ADDITIVE_FORMS
from tauhat.fitting.risk_form import RiskForm
from tauhat.numerics.probit_ridge import sample_probit_posterior
from tauhat.numerics.ridge_posterior import RidgePosterior, sample_ridge_posterior
from tauhat.numerics.standardised_columns import row_parts

# Share of the Bayesian ridge mixed model in the mixture, measured by cells of
# benchmarks/binary_outcomes.py and count_effects.py: with less of it steps and products are covered
# too rarely, with more of it intervals are wider than need be.
_RIDGE_SHARE = {"logit": 0.75, "log": 0.2}
# Standard deviation of effects, in standard deviations of the event, that trials of so many persons
# or fewer overlook: where they find nothing, both posteriors are too sure that there is nothing
# (benchmarks/binary_outcomes.py --intervals).
_OVERLOOKED, _PERSONS = 0.2, 1250
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
    r"""Mixture of two posteriors of the difference of risks, or of rates.

    .. math:: (1 - s)\,p_{\mathrm{link}}(\tau \mid y) + s\,p_{\mathrm{ridge}}(\tau \mid y)

    with the additive mixed model of the log odds (`tauhat.fitting.log_odds.AdditiveLogOdds`) or
    log rate (`tauhat.fitting.log_rates.AdditiveLogRates`), which knows that risks and rates have
    bounds and little else that may vary, and the Bayesian ridge mixed model, which lets almost
    anything vary.

    Attributes
    ----------
    log_odds
        The former, fitted; of counts it is one of log rates.
    ridge
        Draws of the latter.
    ridge_share
        s: .75 of events, .2 of counts.
    overlooked
        Standard deviation of effects, in standard deviations of the outcome, that a trial of this
        size may well overlook (`overlooked_by`); none of counts.
    """

    log_odds: RiskForm
    ridge: RidgePosterior
    ridge_share: float = 0.2
    overlooked: float = 0.0

    @property
    def n_draws(self) -> int:
        """Number of draws that are held at once."""
        return self.ridge.n_draws

    def effect_draws(self, X: FloatArray) -> FloatArray:
        """Draws of the effect in the proportions of the mixture, shape (draws, k)."""
        risks, share = self.log_odds.risk_draws(X), self.ridge_share
        available = len(risks), self.ridge.n_draws
        total = min(available[0] / (1 - share), available[1] / share)
        kept, few = (
            _spread_out(n, total * s) for n, s in zip(available, (1 - share, share), strict=True)
        )
        ridge = self.ridge.effect_draws(X)[few]
        return np.vstack([(risks[..., 1] - risks[..., 0])[kept], ridge])

    def expected_error(self, X: FloatArray, effect: FloatArray) -> FloatArray:
        r"""Root expected squared distance to an effect, each of shape (k,).

        .. math:: \max\Big\{(1 - c/2)\,\sqrt{\mathrm{E}\{\tau(x) - \hat\tau(x)\}^2},\;
                  c\,\sqrt{\bar\mu(x)\{1 - \bar\mu(x)\}}\Big\}

        with c = `overlooked` and the mean of both risks :math:`\bar\mu(x)`: never less than what
        the trial may have overlooked, and a little less than the posterior has it elsewhere.
        """
        error = np.empty(len(effect))
        for rows in row_parts(len(effect), _COPIES * self.n_draws):
            distance = self.effect_draws(X[rows]) - effect[rows]
            error[rows] = np.sqrt((distance**2).mean(axis=0))
        if not self.overlooked:
            return error
        risk = self.log_odds.risks(X).mean(axis=1)
        least = self.overlooked * np.sqrt(risk * (1 - risk))
        told: FloatArray = np.maximum((1 - self.overlooked / 2) * error, least)
        return told


def _spread_out(available: int, count: float) -> IntArray:
    """Numbers of so many of the available draws, as far apart as can be."""
    chosen = np.linspace(0, available - 1, min(round(count), available))
    return np.round(chosen).astype(np.int64)


def overlooked_by(n_persons: int) -> float:
    """Standard deviation of effects on an event that a trial may overlook, in those of the event.

    Parameters
    ----------
    n_persons
        Persons of the trial.

    Examples
    --------
    >>> overlooked_by(300), overlooked_by(5000)
    (0.2, 0.1)
    """
    return _OVERLOOKED * min(1.0, float(np.sqrt(_PERSONS / n_persons)))


_OF_LINKS = {"logit": "log odds", "log": "log rate"}


def is_ridge(endpoint: Endpoint) -> bool:
    """Whether the reference posterior is that of the Bayesian ridge mixed model alone.

    Examples
    --------
    >>> is_ridge(Endpoint())
    True
    """
    return endpoint.link not in ADDITIVE_FORMS


def reference_name(endpoint: Endpoint) -> str:
    """What the reference posterior is a posterior of, in a few words.

    Examples
    --------
    >>> reference_name(Endpoint())
    'Bayesian ridge mixed model'
    """
    ridge = "Bayesian ridge mixed model"
    if is_ridge(endpoint):
        return ridge
    return f"additive mixed model of the {_OF_LINKS[endpoint.link]} and {ridge}"


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
    if is_ridge(data.endpoint):
        return ridge
    link = data.endpoint.link
    overlooked = overlooked_by(data.n) if link == "logit" else 0.0
    form = ADDITIVE_FORMS[link]().fit(data, seed)
    return EventReference(form, ridge, _RIDGE_SHARE[link], overlooked)


def ridge_posterior(
    data: TrialData,
    seed: int,
    *,
    of_event: Mapping[str, int] | None = None,
    of_number: Mapping[str, int] | None = None,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> RidgePosterior:
    """Sample the model of a trial as its learners see it.

    Parameters
    ----------
    data
        The trial. Behind events the model is one of normal variables
        (`tauhat.numerics.probit_ridge.sample_probit_posterior`), and effects are differences
        of risks; otherwise it is `tauhat.numerics.ridge_posterior.sample_ridge_posterior`.
    seed
        Seed.
    of_event, of_number
        Numbers and lengths of the chains of the former, of points and draws of the latter, as
        these take them; None for their defaults.
    on_done
        As these take it.
    """
    intercepts = data.design.intercepts_of_levels()
    latent = data.latent(with_blocks=True)
    if latent is not None:
        intercepts = intercepts.at_most_two()
        return sample_probit_posterior(
            data.X,
            latent,
            data.treatment,
            intercepts.groups,
            seed,
            intercepts.nesting,
            on_done=on_done,
            **(of_event or {}),
        )
    return sample_ridge_posterior(
        data.X,
        data.working_with_blocks,
        data.treatment,
        intercepts.groups,
        data.sample_weight,
        seed,
        intercepts.above,
        data.design.fixed_effects,
        crossed=intercepts.crossed_blocks,
        on_done=on_done,
        **(of_number or {}),
    )
