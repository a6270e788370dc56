"""Bayesian additive regression trees, with and without a random intercept."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.intercept_draws import InterceptSampler
from tauhat.numerics.latent import MeasuredOutcome, ProbitOutcome, SampledOutcome, probit_risk
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.numerics.standard_units import StandardUnits
from tauhat.outcome.scaling import StandardizedModel
from tauhat.outcome.tree_sampler import (
    BETWEEN,
    RESIDUAL,
    Chains,
    TreePosterior,
    TreeTerm,
    sample_trees,
)
from tauhat.outcome_model import VarianceComponents, named_intercepts


class BART(StandardizedModel):
    r"""Bayesian additive regression trees (Chipman, George and McCulloch 2010).

    .. math:: y = \sum_{h=1}^{H} g_h(x) + e, \quad e \sim N(0, \sigma^2)

    Each chain starts from a forest grown greedily from the root (He and Hahn
    2023), so short chains suffice for the posterior mean; several short chains
    predict better than one long one of the same total length. The defaults are
    for points; intervals need those of `MixedBART` or more.

    Parameters
    ----------
    n_trees
        Number of trees H.
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
    random_state
        Seed.

    Attributes
    ----------
    tree_draws_
        Draws of the sum of trees, in standard units; None when the outcome is
        constant or has fewer than three rows.

    Examples
    --------
    >>> X = np.random.default_rng(1).normal(size=(200, 3))
    >>> model = BART(random_state=1).fit(X, 3.0 + (X[:, 0] > 0))
    >>> model.predict(np.array([[-1.0, 0, 0], [1.0, 0, 0]])).round(1).tolist()
    [3.0, 4.0]
    >>> model.predict_draws(X[:5]).shape
    (200, 5)
    """

    def __init__(
        self,
        *,
        n_trees: int = 50,
        n_chains: int = 4,
        n_grow: int = 10,
        n_burn_in: int = 50,
        n_draws: int = 50,
        n_cutpoints: int = 100,
        random_state: Any = None,
    ) -> None:
        self.n_trees = n_trees
        self.n_chains = n_chains
        self.n_grow = n_grow
        self.n_burn_in = n_burn_in
        self.n_draws = n_draws
        self.n_cutpoints = n_cutpoints
        self.random_state = random_state

    def _fit_standardized(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        sample_weight: FloatArray | None,
    ) -> None:
        self._sample_numbers(X, z, sample_weight, None)

    def fit_latent(
        self, X: FloatArray, outcome: ProbitOutcome, *, clusters: IntArray | None = None
    ) -> Self:
        """Fit a probit model to events; predictions are then risks in a new cluster.

        Parameters
        ----------
        X
            Covariates, shape (n, p).
        outcome
            What lies behind the events, see `tauhat.numerics.latent`.
        clusters
            Cluster codes, shape (n,), or None.

        Returns
        -------
        self
        """
        self.n_features_in_ = X.shape[1]
        self.columns_ = StandardUnits.of(X)
        self.location_, self.scale_, self.sign_ = outcome.level, 1.0, 1.0
        self.known_variance_: float | None = outcome.known_variance
        self._fit_probit(self.columns_.apply(X), outcome, clusters)
        return self

    def _fit_probit(self, X: FloatArray, outcome: ProbitOutcome, clusters: IntArray | None) -> None:
        """Fit to covariates in standard units."""
        self._sample(X, outcome, outcome.root, None)

    @property
    def models_risks(self) -> bool:
        """Whether it was fitted to events by `fit_latent`."""
        return getattr(self, "known_variance_", None) is not None

    def _sample_numbers(
        self,
        X: FloatArray,
        z: FloatArray,
        sample_weight: FloatArray | None,
        groups: IntArray | None,
    ) -> TreePosterior | None:
        """Run the chains on an outcome in standard units."""
        self.sign_ = orientation(z)
        self.known_variance_ = None
        z = self.sign_ * z
        # Multiplied through by the root of the weight the model has equal variances:
        # root * y = root * f(x) + root * b + e.
        root = None
        if sample_weight is not None and np.ptp(sample_weight) > 1e-9:
            root = np.sqrt(sample_weight)
        values = z if root is None else z * root
        return self._sample(X, MeasuredOutcome(values), root, groups)

    def _sample(
        self,
        X: FloatArray,
        outcome: SampledOutcome,
        root: FloatArray | None,
        groups: IntArray | None,
    ) -> TreePosterior | None:
        """Run the chains; no draws when there are too few rows to split."""
        chains = Chains(self.n_chains, self.n_grow, self.n_burn_in, self.n_draws, self.n_cutpoints)
        n = len(outcome.values)
        self.tree_draws_ = None
        self.level_draws_ = np.zeros(self.n_chains * self.n_draws)
        self._traces = {RESIDUAL: np.full((self.n_chains, self.n_draws), self.scale_)}
        if n < 3:
            return None
        regressor = np.ones(n) if root is None else root
        # The intercepts' mean and the trees' would crawl along together: a level of its own,
        # drawn with the intercepts integrated out, frees them.
        has_level = groups is not None or outcome.is_latent
        levels = (regressor if has_level else np.zeros(0)).reshape(n, -1)
        scale = outcome.intercept_scale
        # What a share of their own does to events was not measured.
        shares = None if outcome.is_latent else self._column_shares(X.shape[1])
        linear = InterceptSampler(levels, np.ones(levels.shape[1]), groups, regressor, scale)
        posterior = sample_trees(
            X,
            outcome,
            [TreeTerm(self.n_trees, root, column_shares=shares)],
            linear,
            chains,
            derive_seed(resolve_seed(self.random_state), "bart"),
        )
        self.tree_draws_ = posterior.trees[0]
        if has_level:
            self.level_draws_ = posterior.coefficients[:, 0]
        self._traces = posterior.traces(self.scale_, self.n_chains)
        return posterior

    def _column_shares(self, p: int) -> FloatArray | None:
        """Probability of a split of each column; None for equal ones."""
        return None

    def quick(self) -> Self:
        """Return an unfitted copy with chains of 50 + 50: enough for points, not for intervals."""
        copy: Self = clone(self)
        copy.set_params(n_burn_in=min(self.n_burn_in, 50), n_draws=min(self.n_draws, 50))
        return copy

    def brief(self) -> Self:
        """Return an unfitted copy for one of many: chains that start from few, coarser forests.

        The greedy iterations are half of the time of chains as short as the default ones.
        """
        copy: Self = clone(self)
        copy.set_params(
            n_grow=min(self.n_grow, max(6, self.n_chains)),
            n_burn_in=min(self.n_burn_in, 25),
            n_cutpoints=min(self.n_cutpoints, 30),
        )
        return copy

    def reduced(self) -> Self:
        """Return an unfitted copy with at most two short chains."""
        copy: Self = clone(self)
        copy.set_params(
            n_chains=min(self.n_chains, 2),
            # Half as many, and one for each chain at least.
            n_grow=max(min(self.n_grow // 2, 5), min(self.n_chains, 2)),
            n_burn_in=min(self.n_burn_in, 20),
            n_draws=min(self.n_draws, 30),
        )
        return copy

    def predict_draws(self, X: FloatArray) -> FloatArray:
        """Posterior draws of the expected outcome at an average cluster.

        Parameters
        ----------
        X
            Covariates, shape (k, p).

        Returns
        -------
        ndarray, shape (draws, k)
            Draws of the trees alone: never a seen cluster's effect. After `fit_latent` of the
            risk in a new cluster.
        """
        known = self.known_variance_ if self.models_risks else None
        if self.scale_ == 0 or self.tree_draws_ is None:
            level = self.location_
            if known is not None:
                level = float(probit_risk(np.array(level), known))
            return np.full((self.n_chains * self.n_draws, len(X)), level)
        draws = self._draws_at(self.columns_.apply(X))
        if known is not None:
            variance = self._traces.get(BETWEEN, np.zeros(1)).reshape(-1, 1) ** 2
            return probit_risk(self.location_ + draws, variance + known)
        return self.location_ + self.scale_ * self.sign_ * draws

    def predict(self, X: FloatArray) -> FloatArray:
        """Expected outcome at ``X`` of shape (k, p), or risk of an event, shape (k,)."""
        if self.models_risks:
            mean: FloatArray = self.predict_draws(X).mean(axis=0)
            return mean
        return super().predict(X)

    def draw_difference(self, X: FloatArray, other: FloatArray) -> FloatArray:
        """What `predict_draws` gives at ``X`` less what it gives at ``other``, shape (draws, k)."""
        if self.models_risks or self.scale_ == 0 or self.tree_draws_ is None:
            return super().draw_difference(X, other)
        own, others = self.columns_.apply(X), self.columns_.apply(other)
        return self.scale_ * self.sign_ * self.tree_draws_.predict_difference(own, others)

    def predict_difference(self, X: FloatArray, other: FloatArray) -> FloatArray:
        """What `predict` gives at ``X`` less what it gives at ``other``, shape (k,)."""
        mean: FloatArray = self.draw_difference(X, other).mean(axis=0)
        return mean

    def posterior_traces(self) -> dict[str, FloatArray]:
        """Draws of the standard deviations by name, each of shape (chains, draws)."""
        if self.scale_ == 0:
            return {RESIDUAL: np.zeros((self.n_chains, self.n_draws))}
        return self._traces

    def _predict_standardized(self, X: FloatArray) -> FloatArray:
        if self.tree_draws_ is None:
            return np.zeros(len(X))
        mean: FloatArray = self.sign_ * self._draws_at(X).mean(axis=0)
        return mean

    def _draws_at(self, X: FloatArray) -> FloatArray:
        """Draws at covariates in standard units, before the sign is turned back."""
        assert self.tree_draws_ is not None
        draws: FloatArray = self.level_draws_[:, None] + self.tree_draws_.predict(X)
        return draws


class MixedBART(BART):
    r"""Bayesian additive regression trees with a random intercept of the cluster.

    .. math:: y_{ij} = \sum_{h=1}^{H} g_h(x_{ij}) + b_i + e_{ij},\quad
              b_i \sim N(0, \sigma_b^2),\; e_{ij} \sim N(0, \sigma^2)

    with a half-Cauchy prior on :math:`\sigma_b` whose median is the standard deviation of
    the outcome (`tauhat.numerics.intercept_draws.InterceptSampler`). Without
    clusters, with a single one or with one row in each, the intercept is not
    identified and the model is `BART`.

    Fitted to events by `fit_latent` it is a probit model,
    :math:`P(y_{ij} = 1) = \Phi\{\sum_h g_h(x_{ij}) + b_i\}`, and predicts risks of new
    clusters, :math:`\Phi\{\sum_h g_h(x) / \sqrt{1 + \sigma_b^2}\}`, averaged over the draws;
    the variances are those behind the events.

    The default lengths are for intervals; `quick` is for points.

    Parameters
    ----------
    treatment_share
        Probability with which a proposed split is of the last column, where an S-learner has the
        treatment, if that is more than an equal part; None (default) for equal parts, which models
        of events have in any case. One column among many seldom has its turn, and an effect that
        is not in the trees when a chain starts comes late.
    n_trees, n_chains, n_grow, n_burn_in, n_draws, n_cutpoints, random_state
        As in `BART`.

    Attributes
    ----------
    variance_components_
        Posterior means of the variances; a between-cluster variance of 0 when
        there is no intercept.
    cluster_labels_, cluster_effects_
        Cluster codes of the fit and the posterior means of their intercepts.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(20), 20)
    >>> X = rng.normal(size=(400, 3))
    >>> y = X[:, 0] + rng.normal(size=20)[clusters] + rng.normal(size=400)
    >>> model = MixedBART(random_state=1).fit(X, y, clusters=clusters)
    >>> 0.2 < model.variance_components_.icc < 0.5
    True
    """

    models_clusters: ClassVar[bool] = True

    def __init__(
        self,
        *,
        treatment_share: float | None = None,
        n_trees: int = 50,
        n_chains: int = 4,
        n_grow: int = 10,
        n_burn_in: int = 200,
        n_draws: int = 250,
        n_cutpoints: int = 100,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_trees=n_trees,
            n_chains=n_chains,
            n_grow=n_grow,
            n_burn_in=n_burn_in,
            n_draws=n_draws,
            n_cutpoints=n_cutpoints,
            random_state=random_state,
        )
        self.treatment_share = treatment_share

    def _column_shares(self, p: int) -> FloatArray | None:
        share = self.treatment_share
        if share is not None and not 0 < share < 1:
            raise ValueError(f"treatment_share must lie between 0 and 1, got {share}")
        if share is None or share * p <= 1:
            return None
        shares = np.full(p, (1 - share) / (p - 1))
        shares[-1] = share
        return shares

    def _fit_standardized(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        sample_weight: FloatArray | None,
    ) -> None:
        groups = identified_clusters(clusters)
        posterior = self._sample_numbers(X, z, sample_weight, groups)
        self._keep_intercepts(posterior, clusters, groups)

    def _fit_probit(self, X: FloatArray, outcome: ProbitOutcome, clusters: IntArray | None) -> None:
        groups = identified_clusters(clusters)
        self._keep_intercepts(self._sample(X, outcome, outcome.root, groups), clusters, groups)

    def _keep_intercepts(
        self, posterior: TreePosterior | None, clusters: IntArray | None, groups: IntArray | None
    ) -> None:
        self.cluster_labels_ = np.zeros(0, dtype=np.int64)
        if clusters is not None and groups is not None:
            self.cluster_labels_ = np.unique(clusters)
        self.cluster_effects_ = np.zeros(len(self.cluster_labels_))
        if posterior is not None and groups is not None:
            effects = posterior.effects.mean(axis=0)
            self.cluster_effects_ = self.scale_ * self.sign_ * effects

    def predict(self, X: FloatArray, clusters: AnyArray | None = None) -> FloatArray:
        """Expected outcome at ``X`` of shape (k, p), shape (k,).

        Parameters
        ----------
        X
            Covariates, shape (k, p).
        clusters
            Cluster labels of the fit, shape (k,), to add these clusters'
            intercepts; a label the fit has not seen adds none. None for a new
            cluster.
        """
        predicted = super().predict(X)
        if clusters is None or self.scale_ == 0:
            return predicted
        own = named_intercepts(self.cluster_labels_, self.cluster_effects_, clusters)
        if self.models_risks:
            # At the mean intercept of its cluster, in place of the mean over new ones.
            draws = self.location_ + self._draws_at(self.columns_.apply(X)) + own
            seen = np.isin(clusters, self.cluster_labels_)
            return np.where(seen, probit_risk(draws).mean(axis=0), predicted)
        return predicted + own

    @property
    def variance_components_(self) -> VarianceComponents:
        """Posterior means of the variances between clusters and of the residual."""
        traces = self.posterior_traces()
        between = traces.get(BETWEEN, np.zeros(1))
        return VarianceComponents(
            float((between**2).mean()),
            float((traces[RESIDUAL] ** 2).mean()),
            scale="probit" if self.models_risks else "outcome",
        )


def orientation(z: FloatArray) -> float:
    """Sign that turns an outcome so that its long tail is to the right.

    A chain on ``-z`` is another chain; one on ``orientation(z) * z`` is the same
    for both, so that a model fitted to it only changes its sign.

    Examples
    --------
    >>> z = np.array([-1.0, -1.0, 2.0])
    >>> orientation(z), orientation(-z)
    (1.0, -1.0)
    """
    skewness = float((z**3).sum())
    if skewness == 0:
        skewness = float(z[np.flatnonzero(z)[0]])
    return 1.0 if skewness > 0 else -1.0
