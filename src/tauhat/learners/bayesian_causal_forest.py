"""Bayesian causal forest, with or without a random intercept of the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import clone
from stochtree import BCFModel

from tauhat._typing import FloatArray, IntArray
from tauhat.base import VarianceComponents
from tauhat.cate_estimator import CateEstimator
from tauhat.data import TrialData
from tauhat.nuisance import Nuisance, NuisanceFit
from tauhat.numerics.convergence import effective_sample_size, r_hat
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.standard_units import DIGITS, StandardUnits
from tauhat.outcome.bart import MOST_COLUMNS_TO_GROW, intercept_draws
from tauhat.outcome.tree_draws import TreeDraws


class BayesianCausalForest(CateEstimator):
    r"""Two sums of Bayesian trees: one for the outcome, a heavily shrunk one for the effect.

    .. math::
        y_{ij} = \mu(x_{ij}) + A_i\{\tau_0 + \tau(x_{ij})\} + b_i + e_{ij}, \quad
        b_i \sim N(0, \sigma_b^2)

    (Hahn, Murray and Carvalho 2020). The propensity is known and not among the
    covariates. The intercept :math:`b` never enters an effect: for anyone, in a
    seen cluster or a new one, the effect is :math:`\tau_0 + \tau(x)`. Unequal
    weights are honoured by a systematic sample of the rows of each arm with
    probabilities in proportion to them.

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
        Draws kept of each chain. The defaults are enough for the posterior
        mean; intervals from so short chains are too narrow.
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
        Table with R-hat and effective sample size of the average effect in the
        trial, the residual standard deviation and the between-cluster variance.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    >>> y = X[:, 0] + A * (1 + (X[:, 1] > 0)) + 0.3 * rng.normal(size=400)
    >>> model = BayesianCausalForest(random_state=1).fit(X, y, treatment=A)
    >>> model.effect([[0.0, -1.0], [0.0, 1.0]]).round().tolist()
    [1.0, 2.0]
    >>> model.effect_draws(X[:3]).shape
    (200, 3)
    """

    has_draws: ClassVar[bool] = True
    flips_exactly: ClassVar[bool] = False

    def __init__(
        self,
        n_outcome_trees: int = 100,
        n_effect_trees: int = 50,
        n_chains: int = 2,
        n_grow: int = 10,
        n_burn_in: int = 50,
        n_draws: int = 100,
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
        self.random_intercept = random_intercept
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """None: outcome and effect are one model."""
        return []

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Run the chains."""
        if self.n_grow < self.n_chains:
            raise ValueError(
                f"n_grow ({self.n_grow}) must be at least n_chains ({self.n_chains}): "
                "every chain starts from its own greedy forest"
            )
        self.columns_ = StandardUnits.of(data.X)
        location = np.average(data.y, weights=data.sample_weight)
        self.scale_ = float(data.y.std())
        y = np.round((data.y - location) / self.scale_, DIGITS)
        groups = identified_clusters(data.clusters) if self.random_intercept else None
        rows = weighted_rows(data, derive_seed(seed, "weights"))
        engine = self._sample(data, y, groups, rows, derive_seed(seed, "bcf"))
        self.tree_draws_ = TreeDraws(
            engine.forest_container_tau, self.n_effect_trees, leaf_constant=False
        )
        # The engine gives its variances and its constant on y's scale, trees and intercepts not.
        self.tree_scale_ = self.scale_ * float(engine.y_std)
        self.constant_draws_ = self.scale_ * np.asarray(engine.tau_0_samples[0], dtype=np.float64)
        self.sigma_draws_ = self.scale_ * np.sqrt(engine.global_var_samples)
        traces = {
            "average effect": np.average(
                self._draws_at(data.X), axis=1, weights=data.sample_weight
            ),
            "residual standard deviation": self.sigma_draws_,
        }
        if groups is not None:
            effects, variance = intercept_draws(engine)
            self.cluster_effects_ = np.zeros(data.n_units)
            self.cluster_effects_[np.unique(groups[rows])] = self.tree_scale_ * effects.mean(axis=0)
            traces["between-cluster variance"] = self.tree_scale_**2 * variance
            self.variance_components_ = VarianceComponents(
                between_cluster=float(traces["between-cluster variance"].mean()),
                residual=float((self.sigma_draws_**2).mean()),
            )
        self.convergence_ = self._measure(traces)

    def _sample(
        self, data: TrialData, y: FloatArray, groups: IntArray | None, rows: IntArray, seed: int
    ) -> BCFModel:
        grouping = {} if groups is None else {"rfx_group_ids_train": groups[rows]}
        leaf = {
            # Arms of very few persons must still be able to split.
            "min_samples_leaf": max(1, min(5, (data.n - 1) // 4)),
            "num_features_subsample": min(data.X.shape[1], MOST_COLUMNS_TO_GROW),
        }
        engine = BCFModel()
        engine.sample(
            X_train=self.columns_.apply(data.X[rows]),
            Z_train=data.treatment[rows].astype(np.float64),
            y_train=y[rows],
            propensity_train=data.propensity[rows],
            num_gfr=self.n_grow,
            num_burnin=self.n_burn_in,
            num_mcmc=self.n_draws,
            general_params={
                "random_seed": seed,
                "num_threads": 1,
                "num_chains": self.n_chains,
                # Without it the chains explode when the mean is not zero to the last digit.
                "standardize": True,
                "propensity_covariate": "none",
            },
            prognostic_forest_params={"num_trees": self.n_outcome_trees, **leaf},
            treatment_effect_forest_params={"num_trees": self.n_effect_trees, **leaf},
            random_effects_params={"model_spec": "intercept_only"},
            **grouping,
        )
        return engine

    def _measure(self, traces: Mapping[str, FloatArray]) -> pd.DataFrame:
        chains = {name: draws.reshape(self.n_chains, -1) for name, draws in traces.items()}
        measured = self.n_draws >= 4
        return pd.DataFrame(
            {
                "quantity": list(chains),
                "r_hat": [r_hat(c) if measured else np.nan for c in chains.values()],
                "effective_draws": [
                    effective_sample_size(c) if measured else np.nan for c in chains.values()
                ],
            }
        )

    def _draws_at(self, X: FloatArray) -> FloatArray:
        trees = self.tree_draws_.predict(self.columns_.apply(X))
        draws: FloatArray = self.constant_draws_[:, None] + self.tree_scale_ * trees
        return draws

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Posterior mean of the effect at checked covariates, shape (k,)."""
        mean: FloatArray = self._draws_at(X).mean(axis=0)
        return mean

    def effect_draws(self, X: Any) -> FloatArray:
        """Posterior draws of the effect.

        Parameters
        ----------
        X
            Covariates with the columns of the fit, shape (k, p).

        Returns
        -------
        ndarray, shape (draws, k)
            Chain after chain, in units of the outcome.
        """
        return self._draws_at(self._check_new(X))

    def reduced(self) -> Self:
        """Return an unfitted copy with one short chain."""
        copy: Self = clone(self)
        copy.set_params(
            n_chains=1,
            n_burn_in=min(self.n_burn_in, 20),
            n_draws=min(self.n_draws, 60),
        )
        return copy


def weighted_rows(data: TrialData, seed: int) -> IntArray:
    """Rows to learn from: all of them, or a systematic sample when weights are unequal.

    The engine cannot be given weights: they enter its trees as variances, its
    constant effect and its intercepts not at all, and its chains then drift
    without end. Each arm keeps its number of rows; a row comes up as often as
    its share of the arm's weight says, rounded up or down.

    Parameters
    ----------
    data
        The trial.
    seed
        Seed of the sample's start, the same in both arms.

    Returns
    -------
    ndarray of int, shape (n,)
        Row numbers in rising order.
    """
    weight = data.sample_weight
    if weight is None or np.ptp(weight) <= 1e-9 * weight.mean():
        return np.arange(data.n)
    start = np.random.default_rng(seed).random()
    chosen = []
    for arm in (0, 1):
        members = np.flatnonzero(data.treatment == arm)
        upper = np.cumsum(weight[members])
        points = (start + np.arange(len(members))) / len(members) * upper[-1]
        chosen.append(members[np.searchsorted(upper, points)])
    return np.sort(np.concatenate(chosen))
