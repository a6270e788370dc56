"""Bayesian causal forest, with or without a random intercept of the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.learners.chains import (
    AVERAGE_EFFECT,
    convergence_table,
    warn_unless_converged,
)
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.intercept_draws import InterceptSampler
from tauhat.numerics.latent import MeasuredOutcome, SampledOutcome, probit_risk
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.standard_units import DIGITS, StandardUnits
from tauhat.outcome.tree_sampler import (
    BETWEEN,
    RESIDUAL,
    Chains,
    TreePosterior,
    TreeTerm,
    sample_trees,
)
from tauhat.outcome_model import VarianceComponents


class BayesianCausalForest(CateEstimator):
    r"""Two sums of Bayesian trees: one for the outcome, a heavily shrunk one for the effect.

    .. math::
        y_{ij} = \mu(x_{ij}) + A_i\{\tau_0 + \tau(x_{ij})\} + b_i + e_{ij}, \quad
        b_i \sim N(0, \sigma_b^2)

    (Hahn, Murray and Carvalho 2020), with a half-Cauchy prior on
    :math:`\sigma_b` whose median is the standard deviation of the outcome.
    The intercepts, their variance, :math:`\tau_0` and a level are drawn in one
    block (`tauhat.numerics.intercept_draws.InterceptSampler`), so that
    the effect of a treatment that whole clusters receive mixes well. The propensity
    is known and not among the covariates. The intercept :math:`b` never enters an
    effect: for anyone, in a seen cluster or a new one, the effect is
    :math:`\tau_0 + \tau(x)`. Weights are precisions.

    The control arm is the reference: what persons have without treatment may vary in any way, what
    treatment adds is shrunk. With the arms exchanged it is another model, and effects differ by
    more than their sign (docs/learners.md).

    Of an event the same sums stand in a probit model, sampled through the normal variable
    behind it (`tauhat.numerics.latent.ProbitOutcome`), and the effect is the difference of
    the risks in a new cluster,

    .. math::
        \Phi\Big(\frac{\mu(x) + \tau_0 + \tau(x)}{\sqrt{1 + \sigma_b^2}}\Big) -
        \Phi\Big(\frac{\mu(x)}{\sqrt{1 + \sigma_b^2}}\Big),

    averaged over the draws; the median of :math:`\sigma_b` is then .5 a priori.

    The default lengths are for intervals; `quick` is for points.

    Parameters
    ----------
    n_outcome_trees, n_effect_trees
        Trees of :math:`\mu` and :math:`\tau`.
    n_chains
        Number of chains.
    n_grow
        Greedy iterations that start the chains, at least ``n_chains``.
    n_burn_in
        Iterations of each chain that are thrown away.
    n_draws
        Draws kept of each chain.
    n_cutpoints
        Most cutpoints of a covariate that a greedy iteration looks at.
    random_intercept
        Whether to model :math:`b` when there are clusters of several persons.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    variance_components_
        Posterior means of the variances; with a random intercept only.
    cluster_effects_
        Posterior means of the intercepts, in canonical order of the clusters;
        with a random intercept only.
    convergence_
        Mean, standard deviation, R-hat and effective sample size of the average
        effect in the trial, of the residual and of the between-cluster standard
        deviation. A `TauhatWarning` says so when R-hat of the average effect is above
        1.1.

    References
    ----------
    Hahn, Murray and Carvalho (2020), Bayesian Analysis 15:965-1056.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    >>> y = X[:, 0] + A * (1 + (X[:, 1] > 0)) + 0.3 * rng.normal(size=400)
    >>> model = BayesianCausalForest(random_state=1).fit(X, y, treatment=A)
    >>> model.effect([[0.0, -1.0], [0.0, 1.0]]).round().tolist()
    [1.0, 2.0]
    >>> model.effect_draws(X[:3]).shape
    (400, 3)
    """

    has_draws: ClassVar[bool] = True
    flips_exactly: ClassVar[bool] = False

    def __init__(
        self,
        n_outcome_trees: int = 100,
        n_effect_trees: int = 50,
        n_chains: int = 4,
        n_grow: int = 10,
        n_burn_in: int = 100,
        n_draws: int = 100,
        n_cutpoints: int = 100,
        random_intercept: bool = False,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        self.n_outcome_trees = n_outcome_trees
        self.n_effect_trees = n_effect_trees
        self.n_chains = n_chains
        self.n_grow = n_grow
        self.n_burn_in = n_burn_in
        self.n_draws = n_draws
        self.n_cutpoints = n_cutpoints
        self.random_intercept = random_intercept
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """None: outcome and effect are one model."""
        return []

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Run the chains."""
        chains = Chains(self.n_chains, self.n_grow, self.n_burn_in, self.n_draws, self.n_cutpoints)
        self.columns_ = StandardUnits.of(data.X)
        # Multiplied through by the root of the weight the model has equal variances.
        root = np.ones(data.n)
        if data.sample_weight is not None:
            root = np.sqrt(data.sample_weight / data.sample_weight.mean())
        latent = data.latent()
        if latent is None:
            location = np.average(data.working, weights=data.sample_weight)
            self.scale_ = float(data.working.std())
            z = np.round((data.working - location) / self.scale_, DIGITS)
            outcome: SampledOutcome = MeasuredOutcome(root * z)
        else:
            self.scale_, outcome = 1.0, latent
        groups = identified_clusters(data.clusters) if self.random_intercept else None
        posterior = self._sample(data, root, outcome, groups, chains, derive_seed(seed, "bcf"))
        self.tree_draws_ = posterior.trees[-1]
        self.constant_draws_ = self.scale_ * posterior.coefficients[:, 1]
        self.outcome_tree_draws_ = None
        if latent is not None:
            self.outcome_tree_draws_ = posterior.trees[0]
            self.level_draws_ = latent.level + posterior.coefficients[:, 0]
            self.new_cluster_draws_ = posterior.between + latent.known_variance
        average = np.average(self.draw_effect(data.X), axis=1, weights=data.sample_weight)
        traces = posterior.traces(self.scale_, self.n_chains)
        self.convergence_ = convergence_table(
            {AVERAGE_EFFECT: average.reshape(self.n_chains, -1), **traces}
        )
        warn_unless_converged(self.convergence_)
        if groups is not None:
            self.cluster_effects_ = self.scale_ * posterior.effects.mean(axis=0)
            self.variance_components_ = VarianceComponents(
                between_cluster=float((traces[BETWEEN] ** 2).mean()),
                residual=float((traces[RESIDUAL] ** 2).mean()),
                scale="outcome" if latent is None else "probit",
            )

    def _sample(
        self,
        data: TrialData,
        root: FloatArray,
        outcome: SampledOutcome,
        groups: IntArray | None,
        chains: Chains,
        seed: int,
    ) -> TreePosterior:
        treated = root * data.treatment
        level = TreeTerm(
            self.n_outcome_trees,
            None if np.ptp(root) < 1e-9 else root,
            kept=outcome.is_latent,
        )
        effect = TreeTerm(
            self.n_effect_trees,
            treated,
            split_base=0.25,
            split_power=3.0,
            max_depth=5,
            leaf_variance=0.5,
            learn_leaf_variance=False,
        )
        columns, scale = np.column_stack([root, treated]), outcome.intercept_scale
        linear = InterceptSampler(columns, np.ones(2), groups, root, scale)
        X = self.columns_.apply(data.X)
        return sample_trees(X, outcome, [level, effect], linear, chains, seed)

    @property
    def models_risks(self) -> bool:
        """Whether it was fitted to events."""
        return getattr(self, "outcome_tree_draws_", None) is not None

    def draw_risks(self, X: FloatArray) -> FloatArray:
        """Posterior draws of the risks without and with treatment, shape (draws, k, 2)."""
        if self.outcome_tree_draws_ is None:
            return super().draw_risks(X)
        columns = self.columns_.apply(X)
        without = self.level_draws_[:, None] + self.outcome_tree_draws_.predict(columns)
        effect = self.constant_draws_[:, None] + self.tree_draws_.predict(columns)
        variance = self.new_cluster_draws_[:, None]
        both = [probit_risk(without, variance), probit_risk(without + effect, variance)]
        return np.stack(both, axis=-1)

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Posterior mean of the effect at checked covariates, shape (k,)."""
        mean: FloatArray = self.draw_effect(X).mean(axis=0)
        return mean

    def draw_effect(self, X: FloatArray) -> FloatArray:
        """Posterior draws of the effect, chain after chain, shape (draws, k)."""
        if self.models_risks:
            risks = self.draw_risks(X)
            return risks[..., 1] - risks[..., 0]
        # In place: of thousands of persons the draws are the largest array of a fit.
        draws = self.tree_draws_.predict(self.columns_.apply(X))
        draws *= self.scale_
        draws += self.constant_draws_[:, None]
        return draws

    def quick(self) -> Self:
        """Return an unfitted copy with chains of 50 + 50: enough for points, not for intervals."""
        copy: Self = clone(self)
        copy.set_params(n_burn_in=min(self.n_burn_in, 50), n_draws=min(self.n_draws, 50))
        return copy

    def brief(self) -> Self:
        """Return an unfitted copy for one of many, as `tauhat.outcome.BART.brief` is."""
        copy: Self = clone(self)
        copy.set_params(
            n_grow=min(self.n_grow, max(6, self.n_chains)),
            n_burn_in=min(self.n_burn_in, 25),
            n_cutpoints=min(self.n_cutpoints, 30),
        )
        return copy

    def with_two_chains(self) -> Self:
        """Return an unfitted copy with two chains of 50 + 50 that start from few forests."""
        copy = self.quick()
        n_chains = min(self.n_chains, 2)
        copy.set_params(n_chains=n_chains, n_grow=min(self.n_grow, max(6, n_chains)))
        return copy

    def reduced(self) -> Self:
        """Return an unfitted copy with one short chain."""
        copy: Self = clone(self)
        copy.set_params(
            n_chains=1,
            n_grow=min(self.n_grow, 4),
            n_burn_in=min(self.n_burn_in, 20),
            n_draws=min(self.n_draws, 60),
        )
        return copy
