"""Generalised additive mixed model whose treatment effect is a sum of smooth curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.linked import LinkChoice
from tauhat.fitting.log_odds import AdditiveLogOdds
from tauhat.fitting.log_rates import AdditiveLogRates
from tauhat.fitting.nuisance import NuisanceFit
from tauhat.fitting.risk_form import RiskForm
from tauhat.learners.gaussian_effect import BetweenCluster, GaussianEffect
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.nested_model import mixed_model
from tauhat.numerics.reml_search import exponential_prior
from tauhat.numerics.splines import smooth_columns, smooth_terms
from tauhat.numerics.standardised_columns import (
    column_scales,
    constant_within,
    independent_columns,
    ridge_rotation,
)


class AdditiveMixedEffect(GaussianEffect):
    r"""Effect that is a sum of smooth curves, with a random cluster intercept.

    .. math::
        y_{ij} = \alpha + x_{ij}'\beta + \sum_k s_k(x_{ijk})
        + (A_i - \tfrac12)\Big\{\delta + x_{ij}'\gamma + \sum_k t_k(x_{ijk})\Big\}
        + b_i + e_{ij}

    by REML with exact gradients. The slopes :math:`\gamma` of the effect are one
    random block and the curved parts of all its smooths :math:`t_k` another, each
    with one shared variance and an exponential prior on its standard deviation
    that switches it off without evidence. Binary covariates enter as lines,
    cluster-level ones with small bases.

    Parameters
    ----------
    n_splines
        Size of each B-spline basis; cluster-level covariates get at most 5.
    prior_rate
        Rate of the exponential prior on the standard deviations of the effect's
        blocks over the residual's, for covariates in standard units. 0 is REML.
    between_cluster
        "common" (default): one variance of the random intercept. "by-arm": one
        in control and one in treated clusters, as when the treatment is
        delivered better in some clusters than in others.
    link
        "endpoint" (default): as below for means, and the same sum in the log odds of an
        event or the log rate of a count (`tauhat.fitting.log_odds.AdditiveLogOdds`,
        `tauhat.fitting.log_rates.AdditiveLogRates`), where the effect is the difference of
        both arms' risks or rates and the prior is its own. "identity": means, of these too.
    random_state, n_jobs
        As in `tauhat.CateEstimator`; the fit is not random.

    Attributes
    ----------
    variance_components_
        Between-cluster and residual variance.

    References
    ----------
    Wood (2017), Generalized Additive Models; Simpson et al. (2017), Statistical
    Science 32:1-28, for the prior.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(40), 20)
    >>> A = clusters % 2
    >>> X = rng.normal(size=(800, 2))
    >>> y = A * (1 + np.sin(2 * X[:, 0])) + 0.3 * rng.normal(size=40)[clusters]
    >>> y = y + 0.5 * rng.normal(size=800)
    >>> model = AdditiveMixedEffect().fit(X, y, treatment=A, clusters=clusters)
    >>> bool(abs(model.effect([[0.785, 0.0]])[0] - 2) < 0.5)
    True
    """

    risk_forms: ClassVar[Mapping[str, Callable[[Any], RiskForm | None]]] = {
        "logit": lambda own: AdditiveLogOdds(n_splines=own.n_splines, by_arm=own.arms_differ),
        "log": lambda own: AdditiveLogRates(n_splines=own.n_splines, by_arm=own.arms_differ),
    }

    def __init__(
        self,
        n_splines: int = 10,
        prior_rate: float = 5.0,
        between_cluster: BetweenCluster = "common",
        random_state: Any = None,
        n_jobs: int = 1,
        link: LinkChoice = "endpoint",
    ) -> None:
        self.n_splines = n_splines
        self.prior_rate = prior_rate
        self.between_cluster = between_cluster
        self.link = link
        self.random_state = random_state
        self.n_jobs = n_jobs

    @property
    def knows_periods(self) -> bool:
        """Yes: they have fixed levels, and clusters an intercept in each."""
        return True

    def fit_difference(
        self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int
    ) -> None:
        """Fit the mixed model of means."""
        n, p = data.X.shape
        weight = data.sample_weight
        self.mean_, self.scale_ = column_scales(data.X, weight)
        lines = (data.X - self.mean_) / self.scale_
        contrast = (data.treatment - 0.5)[:, None]
        outcome = data.working_with_blocks
        scale_y = float(outcome.std())
        y = (outcome - np.average(outcome, weights=weight)) / scale_y
        many = p > n / 10
        intercepts, arms = self.intercepts(data)
        cluster_level = constant_within(data.X, identified_clusters(data.clusters))
        self.terms_ = (
            [] if many else smooth_terms(data.X, cluster_level, data.n_units, self.n_splines)
        )
        curves = smooth_columns(self.terms_, data.X)
        self.rotation_ = ridge_rotation(lines)
        rotated = lines @ self.rotation_
        fixed = np.hstack([np.ones((n, 1)), contrast, data.design.fixed_effects])
        fixed = fixed[:, independent_columns(fixed)]
        blocks = [contrast * rotated]
        if self.terms_:
            blocks += [contrast * curves, curves]
        if many:
            blocks.append(rotated)
        else:
            fixed = np.hstack([fixed, lines])
            fixed = fixed[:, independent_columns(fixed)]
        groups, nesting = intercepts.groups, intercepts.above
        blocks += intercepts.crossed_blocks
        model = mixed_model(y, fixed, blocks, groups, weight, arms, nesting)
        shrunk = [0, 1] if self.terms_ else [0]
        prior = exponential_prior(shrunk, self.prior_rate) if self.prior_rate > 0 else None
        fit = model.fit(penalty=prior)
        effect = [1, *range(*model.block_slices[0].indices(len(fit.coefficients)))]
        if self.terms_:
            effect += range(*model.block_slices[1].indices(len(fit.coefficients)))
        to_effect = np.zeros((len(fit.coefficients), len(effect)))
        to_effect[effect, np.arange(len(effect))] = 1
        self.keep(intercepts, fit, to_effect, scale_y)

    def effect_design(self, X: FloatArray) -> FloatArray:
        """Intercept, slopes and curves of the effect, shape (k, q)."""
        lines = (X - self.mean_) / self.scale_ @ self.rotation_
        return np.hstack([np.ones((len(X), 1)), lines, smooth_columns(self.terms_, X)])
