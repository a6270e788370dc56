"""Gibbs sampler of sums of Bayesian trees beside linear terms and a random intercept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tauhat._typing import FloatArray
from tauhat.numerics.intercept_draws import InterceptSampler, LinearDraw
from tauhat.numerics.latent import SampledOutcome
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome.tree_draws import TreeDraws
from tauhat.runtime.engines import engine

if TYPE_CHECKING:
    from stochtree import RNG, Residual

# Growing from the root looks at every cutpoint of every column it is given: 15 s
# for 1,000 columns, and as good on a random 100 of them for each tree.
MOST_COLUMNS_TO_GROW = 100
RESIDUAL = "residual standard deviation"
BETWEEN = "between-cluster standard deviation"
_LEAF_PRIOR_SHAPE = 3.0


@dataclass(frozen=True, eq=False)
class TreeTerm:
    """A sum of trees, times a regressor, and its prior (in units of the outcome's SD).

    Attributes
    ----------
    n_trees
        Number of trees.
    regressor
        What the sum is multiplied by on each row, shape (n,), or None for ones.
    split_base, split_power, max_depth
        A node at depth d is split with probability ``split_base * (1 + d)**-split_power``.
    leaf_variance
        Prior variance of the sum of trees; divided among them.
    learn_leaf_variance
        Whether that is only where the chain starts.
    kept
        Whether the draws of the trees are wanted.
    column_shares
        Probability with which a proposed split is of each column, shape (p,); None for equal ones.
    """

    n_trees: int
    regressor: FloatArray | None = None
    split_base: float = 0.95
    split_power: float = 2.0
    max_depth: int = 10
    leaf_variance: float = 2.0
    learn_leaf_variance: bool = True
    kept: bool = True
    column_shares: FloatArray | None = None


@dataclass(frozen=True)
class Chains:
    """Lengths of the chains.

    Attributes
    ----------
    n_chains
        Number of chains, each from its own greedy forest.
    n_grow
        Greedy iterations that start them, at least ``n_chains``.
    n_burn_in
        Iterations of each chain thrown away.
    n_draws
        Draws kept of each chain.
    n_cutpoints
        Most cutpoints of a column that a greedy iteration looks at.
    """

    n_chains: int
    n_grow: int
    n_burn_in: int
    n_draws: int
    n_cutpoints: int = 100

    def __post_init__(self) -> None:
        if self.n_grow < self.n_chains:
            raise ValueError(
                f"n_grow ({self.n_grow}) must be at least n_chains ({self.n_chains}): "
                "every chain starts from its own greedy forest"
            )
        if self.n_cutpoints < 1:
            raise ValueError(f"n_cutpoints must be at least 1, got {self.n_cutpoints}")


@dataclass(frozen=True, eq=False)
class TreePosterior:
    """Draws of all chains, chain after chain.

    Attributes
    ----------
    trees
        Draws of each term that is kept.
    coefficients
        Of the linear terms, shape (draws, p).
    effects
        Intercepts of the clusters, shape (draws, m).
    between, residual
        Variances between and within clusters, shape (draws,).
    """

    trees: tuple[TreeDraws, ...]
    coefficients: FloatArray
    effects: FloatArray
    between: FloatArray
    residual: FloatArray

    def traces(self, scale: float, n_chains: int) -> dict[str, FloatArray]:
        """Standard deviations in units of the outcome, each of shape (chains, draws)."""
        variances = {RESIDUAL: self.residual}
        if self.effects.shape[1]:
            variances[BETWEEN] = self.between
        return {
            name: scale * np.sqrt(draws).reshape(n_chains, -1) for name, draws in variances.items()
        }


class _Term:
    """The engine's side of one sum of trees."""

    def __init__(self, term: TreeTerm, X: FloatArray, residual: Residual, n_cutpoints: int) -> None:
        n, p = X.shape
        self.term = term
        self.engine = engine("stochtree")
        self.data = self.engine.Dataset()
        self.data.add_covariates(X)
        self.constant = term.regressor is None
        if term.regressor is not None:
            self.data.add_basis(term.regressor)
        leaf_model = 0 if self.constant else 1
        shares = np.full(p, 1.0 / p) if term.column_shares is None else term.column_shares
        self.config = self.engine.ForestModelConfig(
            num_trees=term.n_trees,
            num_features=p,
            num_observations=n,
            feature_types=np.zeros(p, dtype=int),
            variable_weights=shares,
            alpha=term.split_base,
            beta=term.split_power,
            # Arms of very few persons must still be able to split.
            min_samples_leaf=max(1, min(5, (n - 1) // 4)),
            max_depth=term.max_depth,
            leaf_model_type=leaf_model,
            leaf_model_scale=term.leaf_variance / term.n_trees,
            cutpoint_grid_size=n_cutpoints,
            num_features_subsample=min(p, MOST_COLUMNS_TO_GROW),
        )
        self.leaf_variance = term.leaf_variance / term.n_trees
        self.sampler = self.engine.ForestSampler(
            self.data, self.engine.GlobalModelConfig(1.0), self.config
        )
        self.forest = self.engine.Forest(term.n_trees, 1, self.constant, False)
        self.grown = self.engine.ForestContainer(term.n_trees, 1, self.constant, False)
        self.draws = self.engine.ForestContainer(term.n_trees, 1, self.constant, False)
        self.sampler.prepare_for_sampler(self.data, residual, self.forest, leaf_model, np.zeros(1))
        self.leaf_model = self.engine.LeafVarianceModel()

    def sweep(
        self, residual: Residual, variance: float, rng: RNG, *, grow: bool, keep: bool
    ) -> None:
        """Draw every tree, then the leaves' variance."""
        self.sampler.sample_one_iteration(
            self.grown if grow else self.draws,
            self.forest,
            self.data,
            residual,
            rng,
            self.engine.GlobalModelConfig(variance),
            self.config,
            grow or (keep and self.term.kept),
            grow,
            1,
        )
        if self.term.learn_leaf_variance:
            self.set_leaf_variance(
                self.leaf_model.sample_one_iteration(
                    self.forest, rng, _LEAF_PRIOR_SHAPE, 1.0 / self.term.n_trees
                )
            )

    def set_leaf_variance(self, value: float) -> None:
        self.leaf_variance = value
        self.config.update_leaf_model_scale(value)

    def restart(self, residual: Residual, index: int, leaf_variance: float) -> None:
        """Go back to a forest grown before."""
        self.forest.reset(self.grown, index)
        self.sampler.reconstitute_from_forest(self.forest, self.data, residual, True)
        self.set_leaf_variance(leaf_variance)


def sample_trees(
    X: FloatArray,
    outcome: SampledOutcome,
    terms: Sequence[TreeTerm],
    linear: InterceptSampler,
    chains: Chains,
    seed: int,
) -> TreePosterior:
    r"""Draw from the posterior of a sum of trees with a random intercept.

    .. math:: z = \sum_k a_k \sum_h g_{kh}(x) + W\beta + b_c + e, \quad
              e \sim N(0, \sigma^2), \quad p(\sigma^2) \propto 1 / \sigma^2

    One iteration draws z where it is what lies behind events, with :math:`\sigma^2 = 1`
    (`tauhat.numerics.latent`), then the trees of each term one by one (Chipman, George and
    McCulloch 2010) with the engine stochtree, then the intercepts, their
    variance and the linear terms in one block (`InterceptSampler`), then
    :math:`\sigma^2`. The engine's own update of the intercept's variance is not used:
    it draws from an inverse gamma distribution of twice the right shape.

    Parameters
    ----------
    X
        Covariates in standard units, shape (n, p).
    outcome
        Outcome z in standard units, or what lies behind events.
    terms
        The sums of trees.
    linear
        Linear terms and random intercept.
    chains
        Number and lengths of the chains.
    seed
        Seed of all draws.

    Returns
    -------
    TreePosterior
    """
    rng = np.random.default_rng(derive_seed(seed, "linear"))
    stochtree = engine("stochtree")
    engine_rng = stochtree.RNG(derive_seed(seed, "trees") % (2**31 - 1))
    z = outcome.values
    residual = stochtree.Residual(z)
    columns = np.ascontiguousarray(X)
    parts = [_Term(term, columns, residual, chains.n_cutpoints) for term in terms]
    variance = outcome.first_variance
    p, m = linear.columns.shape[1], len(linear.totals)
    state = LinearDraw(np.zeros(p), np.zeros(m), 0.0, np.zeros(len(z)))

    def iterate(*, grow: bool, keep: bool) -> None:
        nonlocal state, variance, z
        if outcome.is_latent:
            fitted = z - residual.get_residual().ravel()
            state, moved = linear.with_level_moved(state, fitted, outcome, rng)
            fitted += moved
            z = outcome.draw(fitted, rng)
            residual.update_data(z - fitted)
        for part in parts:
            part.sweep(residual, variance, engine_rng, grow=grow, keep=keep)
        after = residual.get_residual().ravel()
        if p or m:
            before = after + state.fitted
            state = linear.draw(before, variance, rng)
            after = before - state.fitted
            residual.update_data(after)
        variance = outcome.variance(after, rng)

    starts = []
    for _ in range(chains.n_grow):
        iterate(grow=True, keep=True)
        starts.append((state, variance, [part.leaf_variance for part in parts]))
    total = chains.n_chains * chains.n_draws
    draws = TreePosterior(
        (), np.empty((total, p)), np.empty((total, m)), np.empty(total), np.empty(total)
    )
    row = 0
    for chain in range(chains.n_chains):
        index = chains.n_grow - 1 - chain
        before = residual.get_residual().ravel() + state.fitted
        state, variance, leaves = starts[index]
        residual.update_data(before - state.fitted)
        linear.restart(state.between)
        for part, leaf_variance in zip(parts, leaves, strict=True):
            part.restart(residual, index, leaf_variance)
        for step in range(chains.n_burn_in + chains.n_draws):
            keep = step >= chains.n_burn_in
            iterate(grow=False, keep=keep)
            if keep:
                draws.coefficients[row] = state.coefficients
                draws.effects[row] = state.effects
                draws.between[row], draws.residual[row] = state.between, variance
                row += 1
    kept = tuple(
        TreeDraws(part.draws, part.term.n_trees, leaf_constant=part.constant)
        for part in parts
        if part.term.kept
    )
    return TreePosterior(kept, draws.coefficients, draws.effects, draws.between, draws.residual)
