"""Bayesian ridge mixed model: the reference posterior of the effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.bootstrap import t_quantile
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.fitting.reference_posterior import Reference, is_ridge, ridge_posterior
from tauhat.learners.chains import (
    AVERAGE_EFFECT,
    convergence_table,
    warn_unless_converged,
)
from tauhat.numerics.probit_ridge import ProbitRidgePosterior
from tauhat.numerics.ridge_posterior import RidgePosterior


class BayesianRidgeEffect(CateEstimator):
    r"""Gaussian mixed model with ridge blocks for outcome and effect, sampled.

    .. math::
        y = F\alpha + \sum_k Z_k u_k + (A - \tfrac12)\sum_k Z_k t_k + g_s + b_i + e

    where the blocks :math:`Z_k` are the covariates, steps and hinges of each,
    all pairwise products, and the leaves of random shallow trees; each block
    has its own variance with a half-t prior. The effect is
    :math:`\tau(x) = \delta + \sum_k Z_k(x) t_k`.

    Of an event the same sums stand behind it in a probit model, with tighter priors on the
    effect's blocks (`tauhat.numerics.probit_ridge.sample_probit_posterior`), and the effect is
    the difference of both arms' risks in a new cluster, averaged over the draws. The variance
    components are then those behind the event, where the residual variance is 1.

    Parameters
    ----------
    n_chains, draws
        Their product is the number of draws; of an event they come from so many Markov chains
        of so many kept draws each.
    burn_in, thin
        Of an event, discarded steps of each chain, started near the posterior mode, and steps
        for each kept draw.
    n_points
        Of other outcomes, points over which the variances are integrated, a power of two
        (`tauhat.numerics.variance_points.weighted_points`).
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    variance_components_
        Posterior means of the between-cluster and the residual variance.
    posterior_
        The draws.
    convergence_
        Mean, spread, R-hat and effective draws of the average effect. Without chains there is
        no R-hat, and effective is what the points are worth.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 15)
    >>> A = clusters % 2
    >>> X = rng.normal(size=(450, 2))
    >>> y = A * (1 + X[:, 0]) + 0.3 * rng.normal(size=30)[clusters] + rng.normal(size=450)
    >>> model = BayesianRidgeEffect(n_points=64, random_state=1)
    >>> effect = model.fit(X, y, treatment=A, clusters=clusters).effect([[-1, 0], [1, 0]])
    >>> bool(1 < effect[1] - effect[0] < 3)
    True
    """

    has_draws: ClassVar[bool] = True
    flips_exactly: ClassVar[bool] = False

    def __init__(
        self,
        n_chains: int = 4,
        burn_in: int = 60,
        draws: int = 100,
        thin: int = 3,
        n_points: int = 256,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        self.n_chains = n_chains
        self.burn_in = burn_in
        self.draws = draws
        self.thin = thin
        self.n_points = n_points
        self.random_state = random_state
        self.n_jobs = n_jobs

    @property
    def knows_periods(self) -> bool:
        """Yes: they have fixed levels, and clusters an intercept in each."""
        return True

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """None: outcome and effect are one model."""
        return []

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Draw from the posterior."""
        intercepts = data.design.intercepts_of_levels()
        of_events = data.latent() is not None
        if of_events:
            intercepts = intercepts.at_most_two()
        self.posterior_: RidgePosterior = ridge_posterior(
            data,
            seed,
            of_event={
                "n_chains": self.n_chains,
                "burn_in": self.burn_in,
                "draws": self.draws,
                "thin": self.thin,
            },
            of_number={"n_points": self.n_points, "draws": self.n_chains * self.draws},
        )
        components = intercepts.components(
            self.posterior_.intercept_variances(intercepts.depth).mean(axis=0),
            float(self.posterior_.residual.mean()),
            crossed=self.posterior_.crossed_variances(intercepts.depth, len(intercepts.crossed)),
        )
        scale = "probit" if of_events else "outcome"
        self.variance_components_ = replace(components, scale=scale)
        average = self.posterior_.average_effect(data.X, data.sample_weight)
        chains = self.n_chains if self.models_risks else 1
        self.convergence_ = convergence_table({AVERAGE_EFFECT: average.reshape(chains, -1)})
        if self.models_risks:
            warn_unless_converged(self.convergence_)
        else:
            self.convergence_["r_hat"] = np.nan
            self.convergence_["effective_draws"] = self.posterior_.effective
        self.mean_coefficients_ = self.posterior_.effect_draws_.mean(axis=0)

    @property
    def models_risks(self) -> bool:
        """Whether it was fitted to events."""
        return isinstance(getattr(self, "posterior_", None), ProbitRidgePosterior)

    def draw_risks(self, X: FloatArray) -> FloatArray:
        """Posterior draws of the risks without and with treatment, shape (draws, k, 2)."""
        if isinstance(self.posterior_, ProbitRidgePosterior):
            return self.posterior_.risk_draws(X)
        return super().draw_risks(X)

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Posterior mean of the effect at checked covariates, shape (k,)."""
        if self.models_risks:
            mean: FloatArray = self.draw_effect(X).mean(axis=0)
            return mean
        effect: FloatArray = self.posterior_.effect_design(X) @ self.mean_coefficients_
        return effect

    def draw_effect(self, X: FloatArray) -> FloatArray:
        """Posterior draws of the effect, shape (draws, k)."""
        return self.posterior_.effect_draws(X)

    def own_reference(self, data: TrialData) -> Reference | None:
        """Its posterior, unless it was shortened or the reference is a mixture."""
        least = type(self)().get_params()
        full = self.n_points >= least["n_points"] and self.n_chains * self.draws >= (
            least["n_chains"] * least["draws"]
        )
        return self.posterior_ if full and is_ridge(data.endpoint) else None

    def effect_interval(
        self,
        X: Any,
        *,
        level: float = 0.95,
        n_bootstrap: int | None = None,
        scale: str = "difference",
    ) -> tuple[FloatArray, FloatArray]:
        r"""Pointwise interval of the effect from the posterior.

        .. math:: \hat\tau(x) \pm t_{1-(1-level)/2,\,u-2}\; sd(x)

        with the posterior standard deviation and ``u`` randomized units: the
        t quantile stands for what few clusters leave unknown of the variances.

        Parameters
        ----------
        X
            Covariates with the columns of the fit, shape (k, p).
        level
            Nominal coverage for one person, averaged over persons.
        n_bootstrap
            Not used: nothing is refitted.
        scale
            As in `tauhat.CateEstimator.effect_interval`.

        Returns
        -------
        lower, upper
            Each of shape (k,).
        """
        return super().effect_interval(X, level=level, scale=scale)

    def _interval_of_difference(
        self, checked: FloatArray, level: float, n_bootstrap: int | None
    ) -> tuple[FloatArray, FloatArray]:
        """The interval at checked covariates, for which no mean is needed beforehand."""
        return self._interval_around(checked, np.zeros(0), level)

    def _interval_around(
        self, checked: FloatArray, centre: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """The same at checked covariates; the centre is the mean of the draws."""
        draws = self.draw_effect(checked)
        half = t_quantile(level, self.trial_data_.n_units - 2) * draws.std(axis=0)
        centre = np.mean(draws, axis=0)
        return self.bounded(centre - half), self.bounded(centre + half)

    def reduced(self) -> Self:
        """Return a copy with one chain, or a quarter of the points."""
        copy: Self = clone(self)
        copy.set_params(n_chains=1, draws=60, n_points=max(16, self.n_points // 4))
        return copy
