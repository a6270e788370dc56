"""Posterior of a Gaussian mixed model with ridge blocks for outcome and effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.column_sums import MadeBlock
from tauhat.numerics.kernel_model import KernelMixedModel
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.nested_model import Nesting, levels_above, mixed_model
from tauhat.numerics.reml_search import Penalty, penalised, search
from tauhat.numerics.ridge_dictionary import MANY_ROWS, RidgeDictionary
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.standardised_columns import column_scales, independent_columns, row_parts

#: Scales of the half-t priors on standard deviations over the residual's.
OUTCOME_SCALES = {"linear": 1.0, "additive": 1.0, "products": 0.7, "trees": 0.7}
EFFECT_SCALES = {"linear": 0.5, "additive": 0.5, "products": 0.4, "trees": 0.5}
CLUSTER_SCALE = 0.7
BLOCK_SCALE = 0.7
#: Degrees of freedom of these priors.
PRIOR_DEGREES = 3.0
#: With more covariates the model is worked by rows if it has fewer rows than columns.
MANY_COVARIATES = 25

#: Log ratios of variances beyond which the posterior has nothing.
FARTHEST = 16.0

# Log ratios, coefficients and residual variance.
_Draw = tuple[FloatArray, FloatArray, float]


@dataclass(frozen=True)
class RidgePosterior:
    """Draws of the effect's coefficients.

    Attributes
    ----------
    dictionary
        Features of the effect.
    effect_draws_
        Draws of level and block coefficients, shape (draws, 1 + q).
    log_ratio_draws
        Draws of log variance ratios by chain, shape (chains, draws, blocks).
    between_cluster, between_block, residual
        Draws of the variances, in squared units of the outcome, shape (draws,); 0 for
        intercepts that the model does not have.
    acceptance
        Share of accepted proposals of each chain, shape (chains,).
    """

    dictionary: RidgeDictionary
    effect_draws_: FloatArray
    log_ratio_draws: FloatArray
    between_cluster: FloatArray
    between_block: FloatArray
    residual: FloatArray
    acceptance: FloatArray

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.effect_draws_)

    def effect_design(self, X: FloatArray) -> FloatArray:
        """Level and blocks at any rows, shape (k, 1 + q)."""
        blocks = self.dictionary.blocks(X)
        return np.hstack([np.ones((len(X), 1)), *(blocks[name] for name in self.dictionary.names)])

    def effect_draws(self, X: FloatArray) -> FloatArray:
        """Draws of the effect, shape (draws, k)."""
        draws: FloatArray = self.effect_draws_ @ self.effect_design(X).T
        return draws

    def expected_error(self, X: FloatArray, effect: FloatArray) -> FloatArray:
        """Root expected squared distance of the effect from an estimate of it, shape (k,)."""
        if len(X) <= MANY_ROWS:
            distance = self.effect_draws(X) - effect
            error: FloatArray = np.sqrt((distance**2).mean(axis=0))
            return error
        # A root of the draws' covariance has fewer rows than there are draws.
        mean = self.effect_draws_.mean(axis=0)
        spread = (self.effect_draws_ - mean) / np.sqrt(self.n_draws)
        root = linalg.qr(spread, mode="r")[0][: len(mean)]
        error = np.empty(len(X))
        for rows in row_parts(len(X), 8 * self.n_draws):
            design = self.effect_design(X[rows])
            variance = ((design @ root.T) ** 2).sum(axis=1)
            error[rows] = np.sqrt(variance + (design @ mean - effect[rows]) ** 2)
        return error

    def intercept_variances(self, n_levels: int) -> FloatArray:
        """Draws of the variance of the intercept of each level, innermost first."""
        ratios = self.log_ratio_draws.reshape(self.n_draws, -1)
        last = ratios[:, ratios.shape[1] - n_levels :]
        variances: FloatArray = np.exp(last) * self.residual[:, None]
        return variances

    def average_effect(self, X: FloatArray, weight: FloatArray | None) -> FloatArray:
        """Draws of the weighted mean effect, shape (draws,)."""
        draws: FloatArray = self.effect_draws_ @ np.average(
            self.effect_design(X), axis=0, weights=weight
        )
        return draws


def prior_penalty(scales: FloatArray) -> Penalty:
    """Minus twice the log prior of the log ratios, and its gradient.

    Parameters
    ----------
    scales
        Scales of the half-t priors on the standard deviations, shape (k,).
    """

    def penalty(log_ratios: FloatArray) -> tuple[float, FloatArray]:
        scaled = np.exp(log_ratios) / (scales**2 * PRIOR_DEGREES)
        value = (PRIOR_DEGREES + 1) * np.log1p(scaled).sum() - log_ratios.sum()
        return float(value), (PRIOR_DEGREES + 1) * scaled / (1 + scaled) - 1

    return penalty


def without_heterogeneity(
    features: Mapping[str, FloatArray],
    contrast: FloatArray,
    p: int,
    levels: FloatArray | None = None,
) -> tuple[FloatArray, list[FloatArray], list[float]]:
    """Columns of the model in which the effect is the same for everyone.

    Parameters
    ----------
    features
        Blocks of the dictionary at the rows of the trial.
    contrast
        Treatment less a constant, shape (n, 1).
    p
        Number of covariates.
    levels
        Further columns with flat priors, shape (n, d), or None.

    Returns
    -------
    fixed
        Intercept, treatment, further columns and straight lines, with flat priors, shape (n, f);
        no lines where there are more than a tenth as many covariates as rows.
    columns
        Blocks with a shared variance, each of shape (n, q).
    scales
        Scales of the priors on their standard deviations.
    """
    names, n = list(features), len(contrast)
    fixed = np.hstack([np.ones((n, 1)), contrast, *([] if levels is None else [levels])])
    if "linear" in features and p <= n / 10:
        names.remove("linear")
        mean, scale = column_scales(features["linear"])
        fixed = np.hstack([fixed, (features["linear"] - mean) / scale])
    # A covariate may tell the arms apart, as a cluster-level one can by chance.
    fixed = fixed[:, independent_columns(fixed)]
    columns = [features[name] for name in names]
    return fixed, columns, [OUTCOME_SCALES[name] for name in names]


def posterior_model(
    outcome: FloatArray,
    fixed: FloatArray,
    columns: Sequence[FloatArray],
    clusters: IntArray | None,
    weight: FloatArray | None,
    nesting: Nesting | None,
    p: int,
) -> MixedModel | KernelMixedModel:
    """Mixed model in the form that is cheaper; by rows only with many covariates.

    Both have the same posterior. With few covariates it is that by columns, whatever the
    number of rows, so that one more row does not change the random numbers of a draw.

    Parameters
    ----------
    outcome, fixed, columns, clusters, weight, nesting
        As in `tauhat.numerics.nested_model.mixed_model`.
    p
        Number of covariates.
    """
    width = sum(block.shape[1] for block in columns)
    if p > MANY_COVARIATES and width > len(outcome):
        return KernelMixedModel(outcome, fixed, columns, clusters, weight, nesting)
    return mixed_model(outcome, fixed, columns, clusters, weight, None, nesting)


def posterior_mode(model: MixedModel | KernelMixedModel, scales: FloatArray) -> FloatArray:
    """Mode of the log variance ratios under half-t priors with these scales, shape (k,)."""
    return search(penalised(model.objective, prior_penalty(scales)), 2 * np.log(0.3 * scales))


def mode_and_spread(
    model: MixedModel | KernelMixedModel, scales: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Posterior mode of the log ratios and a root of the covariance around it."""
    penalty = prior_penalty(scales)
    mode = posterior_mode(model, scales)
    d, step = len(mode), 0.05
    hessian = np.empty((d, d))
    for j in range(d):
        slopes = []
        for sign in (-1, 1):
            moved = mode.copy()
            moved[j] += sign * step
            slopes.append(model.objective(moved)[1] + penalty(moved)[1])
        hessian[j] = (slopes[1] - slopes[0]) / (2 * step)
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 4)
    # A variance that the data leave open still has the prior's spread.
    root: FloatArray = vectors / np.sqrt(np.clip(values, 0.15, None))
    return mode, root


def rows_of_dictionary(X: FloatArray, seed: int) -> FloatArray:
    """Rows that the features of a trial are learned on: all, or `MANY_ROWS` of more."""
    if len(X) <= MANY_ROWS:
        return X
    rng = np.random.default_rng(derive_seed(seed, "rows of the dictionary"))
    return X[np.sort(rng.choice(len(X), MANY_ROWS, replace=False))]


def first_point(mode: FloatArray, root: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Where a random walk over log ratios begins, shape (d,)."""
    point: FloatArray = np.clip(
        mode + root @ rng.normal(size=len(mode)), 1 - FARTHEST, FARTHEST - 1
    )
    return point


def proposed(point: FloatArray, root: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Where it would go next, shape (d,)."""
    # Some long steps: the tail towards zero variance is longer than the Hessian says.
    size = (2.0 if rng.uniform() < 0.8 else 6.0) / np.sqrt(len(point))
    proposal: FloatArray = point + size * (root @ rng.normal(size=len(point)))
    return proposal


def _density(given: Any, penalty: float) -> float:
    return -0.5 * float(given.deviance + penalty)


def _chain(
    model: MixedModel | KernelMixedModel,
    scales: FloatArray,
    mode: FloatArray,
    root: FloatArray,
    seed: int,
    burn_in: int,
    draws: int,
    thin: int,
    rng_of_coefficients: np.random.Generator,
) -> tuple[list[_Draw], float]:
    """Random-walk Metropolis over the log ratios; what is kept and the acceptance rate."""
    rng = np.random.default_rng(seed)
    penalty = prior_penalty(scales)
    point = first_point(mode, root, rng)
    given = model.conditional(point)
    current = _density(given, penalty(point)[0])
    kept: list[_Draw] = []
    accepted = 0
    for step in range(burn_in + draws * thin):
        proposal = proposed(point, root, rng)
        threshold = np.log(rng.uniform())
        if np.abs(proposal).max() <= FARTHEST:
            candidate = model.conditional(proposal)
            density = _density(candidate, penalty(proposal)[0])
            if threshold < density - current:
                point, given, current = proposal, candidate, density
                accepted += step >= burn_in
        if step >= burn_in and (step - burn_in) % thin == thin - 1:
            # Here, where the factor of the precision is at hand.
            kept.append((point, *given.draw(rng_of_coefficients)))
    return kept, accepted / (draws * thin)


def features_by_rows(
    dictionary: RidgeDictionary, X: FloatArray, contrast: FloatArray
) -> tuple[dict[str, Any], list[Any]]:
    """Blocks of features and their products with the contrast, never all rows at once.

    The straight lines are an array; the others are made when they are needed.
    """
    blocks: dict[str, Any] = {name: MadeBlock(dictionary, name, X) for name in dictionary.names}
    products = [MadeBlock(dictionary, name, X, contrast[:, 0]) for name in dictionary.names]
    if "linear" in blocks:
        parts = row_parts(len(X), 4 * blocks["linear"].shape[1])
        blocks["linear"] = np.vstack([dictionary.block("linear", X[rows]) for rows in parts])
    return blocks, products


def sample_ridge_posterior(
    X: FloatArray,
    y: FloatArray,
    treatment: FloatArray | IntArray,
    clusters: IntArray | None,
    weight: FloatArray | None,
    seed: int,
    nesting: Nesting | None = None,
    levels: FloatArray | None = None,
    *,
    n_chains: int = 4,
    burn_in: int = 60,
    draws: int = 100,
    thin: int = 3,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> RidgePosterior:
    r"""Sample the Bayesian ridge mixed model.

    .. math::
        y = F\alpha + \sum_k Z_k u_k + (A - \tfrac12)\sum_k Z_k t_k + g_s + b_c + e

    with flat priors on intercept, treatment and straight lines (a block of
    their own with more than a tenth as many columns as rows), the blocks of
    `RidgeDictionary` for outcome and effect, random intercepts of randomization
    blocks and of clusters, normal coefficients whose standard deviations over
    the residual's have half-t priors with 3 degrees of freedom, and Jeffreys' prior on the residual
    variance, which is integrated out. Random-walk Metropolis moves over the log
    variance ratios; coefficients are drawn exactly.

    Parameters
    ----------
    X, y, treatment, clusters, weight
        The trial, in canonical order.
    seed
        Seed.
    nesting
        Randomization block in which each cluster lies, shape (m,), or one such array a level
        (`tauhat.numerics.nested_model.NestedMixedModel`); or None. Where persons were
        randomized their blocks are the ``clusters``.
    levels
        Columns that have flat priors too, such as indicators of periods, shape (n, d), or None.
    n_chains, burn_in, draws, thin
        Chains, discarded steps, kept draws of each chain, steps for each draw.
    on_done
        Told (parts done, parts in all) after each chain and at the end.

    Returns
    -------
    RidgePosterior

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(300, 2)), rng.integers(0, 2, 300)
    >>> y = A * (1 + X[:, 0]) + rng.normal(size=300)
    >>> posterior = sample_ridge_posterior(X, y, A, None, None, 1, n_chains=1, draws=50)
    >>> draws = posterior.effect_draws(np.array([[0.0, 0.0]]))
    >>> bool(0.5 < draws.mean() < 1.5)
    True
    """
    scale_y = float(y.std()) or 1.0
    outcome = (y - y.mean()) / scale_y
    contrast = (np.asarray(treatment, dtype=np.float64) - 0.5)[:, None]
    features: Mapping[str, FloatArray]
    columns: list[FloatArray]
    if len(X) <= MANY_ROWS:
        dictionary = RidgeDictionary(X, seed)
        features = dictionary.blocks(X)
        columns = [contrast * features[name] for name in dictionary.names]
    else:
        dictionary = RidgeDictionary(rows_of_dictionary(X, seed), seed)
        features, columns = features_by_rows(dictionary, X, contrast)
    fixed, main, main_scales = without_heterogeneity(features, contrast, X.shape[1], levels)
    scales = [EFFECT_SCALES[name] for name in dictionary.names]
    columns, scales = columns + main, scales + main_scales
    if clusters is not None:
        scales.append(CLUSTER_SCALE)
    above = levels_above(nesting)
    scales += [BLOCK_SCALE] * len(above)
    p = X.shape[1]
    model = posterior_model(outcome, fixed, columns, clusters, weight, nesting, p)
    of_effect = sum(part.shape[1] for part in features.values())
    effect = [1, *range(model.n_fixed, model.n_fixed + of_effect)]
    mode, root = mode_and_spread(model, np.array(scales))
    rng = np.random.default_rng(derive_seed(seed, "coefficients"))
    chains, rates = [], []
    coefficients, residual = [], []
    between: dict[str, list[float]] = {"cluster": [], "block": []}
    for chain in range(n_chains):
        own = derive_seed(seed, "chain", chain)
        kept, rate = _chain(model, np.array(scales), mode, root, own, burn_in, draws, thin, rng)
        chains.append([point for point, _, _ in kept])
        rates.append(rate)
        for point, draw, variance in kept:
            coefficients.append(draw[effect] * scale_y)
            ratio = 0.0 if clusters is None else np.exp(point[len(columns)])
            between["cluster"].append(ratio * variance * scale_y**2)
            ratio = np.exp(point[-1]) if above else 0.0
            between["block"].append(ratio * variance * scale_y**2)
            residual.append(variance * scale_y**2)
        on_done(chain + 1, n_chains + 1)
    on_done(n_chains + 1, n_chains + 1)
    return RidgePosterior(
        dictionary=dictionary,
        effect_draws_=np.array(coefficients),
        log_ratio_draws=np.array(chains),
        between_cluster=np.array(between["cluster"]),
        between_block=np.array(between["block"]),
        residual=np.array(residual),
        acceptance=np.array(rates),
    )
