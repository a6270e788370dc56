"""Posterior of a Gaussian mixed model with ridge blocks for outcome and effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
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
from tauhat.numerics.variance_points import PRIOR_DEGREES, weighted_points

#: Scales of the half-t priors on standard deviations over the residual's.
OUTCOME_SCALES = {"linear": 1.0, "additive": 1.0, "products": 0.7, "trees": 0.7}
EFFECT_SCALES = {"linear": 0.5, "additive": 0.5, "products": 0.4, "trees": 0.5}
CLUSTER_SCALE = 0.7
BLOCK_SCALE = 0.7
#: With more covariates the model is worked by rows if it has fewer rows than columns.
MANY_COVARIATES = 25


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
    effective
        Number of independent draws that the points are worth on which the draws rest; NaN of
        Markov chains.
    """

    dictionary: RidgeDictionary
    effect_draws_: FloatArray
    log_ratio_draws: FloatArray
    between_cluster: FloatArray
    between_block: FloatArray
    residual: FloatArray
    effective: float

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.effect_draws_)

    def effect_design(self, X: FloatArray) -> FloatArray:
        """Level and blocks at any rows, shape (k, 1 + q)."""
        names = self.dictionary.names
        edges = np.cumsum([1, *map(self.dictionary.width, names)])
        design = np.ones((len(X), edges[-1]))
        # One block at a time: all of them would be as large as the design.
        for name, (first, last) in zip(names, pairwise(edges), strict=True):
            design[:, first:last] = self.dictionary.block(name, X)
        return design

    def effect_draws(self, X: FloatArray) -> FloatArray:
        """Draws of the effect, shape (draws, k)."""
        draws: FloatArray = self.effect_draws_ @ self.effect_design(X).T
        return draws

    def expected_error(self, X: FloatArray, effect: FloatArray) -> FloatArray:
        """Root expected squared distance of the effect from an estimate of it, shape (k,)."""
        if len(X) <= MANY_ROWS:
            # In place: of thousands of persons it is the largest array of an analysis.
            distance = self.effect_draws(X)
            distance -= effect
            error: FloatArray = np.sqrt(np.square(distance, out=distance).mean(axis=0))
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

    def crossed_variances(self, n_levels: int, n_crossed: int) -> FloatArray:
        """Posterior mean of the variance of the intercept of each level that crosses clusters."""
        mean: FloatArray = self.intercept_variances(n_levels + n_crossed).mean(axis=0)
        return mean[:n_crossed]

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


def rows_of_dictionary(X: FloatArray, seed: int) -> FloatArray:
    """Rows that the features of a trial are learned on: all, or `MANY_ROWS` of more."""
    if len(X) <= MANY_ROWS:
        return X
    rng = np.random.default_rng(derive_seed(seed, "rows of the dictionary"))
    return X[np.sort(rng.choice(len(X), MANY_ROWS, replace=False))]


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
    crossed: Sequence[FloatArray] = (),
    n_points: int = 256,
    draws: int = 400,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> RidgePosterior:
    r"""Draws from the Bayesian ridge mixed model.

    .. math::
        y = F\alpha + \sum_k Z_k u_k + (A - \tfrac12)\sum_k Z_k t_k + g_s + b_c + e

    with flat priors on intercept, treatment and straight lines (a block of
    their own with more than a tenth as many columns as rows), the blocks of
    `RidgeDictionary` for outcome and effect, random intercepts of randomization
    blocks and of clusters, normal coefficients whose standard deviations over
    the residual's have half-t priors with 3 degrees of freedom, and Jeffreys' prior on the residual
    variance, which is integrated out. The variance ratios are integrated over by weighted points
    (`tauhat.numerics.variance_points.weighted_points`); coefficients are drawn exactly at points
    that are chosen by weight, and the draws are moved to the mean that the points give.

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
    crossed
        Indicators of units that cross the clusters, one block for each of such levels; they
        have the prior of the clusters' intercepts.
    n_points
        Points of the variance ratios, a power of two; half as many go before them.
    draws
        Number of draws.
    on_done
        Told (parts done, parts in all) after the points and at the end.

    Returns
    -------
    RidgePosterior

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(300, 2)), rng.integers(0, 2, 300)
    >>> y = A * (1 + X[:, 0]) + rng.normal(size=300)
    >>> posterior = sample_ridge_posterior(X, y, A, None, None, 1, n_points=32, draws=50)
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
    columns = [*columns, *main, *crossed]
    scales += [*main_scales, *(CLUSTER_SCALE for _ in crossed)]
    if clusters is not None:
        scales.append(CLUSTER_SCALE)
    above = levels_above(nesting)
    scales += [BLOCK_SCALE] * len(above)
    p = X.shape[1]
    model = posterior_model(outcome, fixed, columns, clusters, weight, nesting, p)
    of_effect = sum(part.shape[1] for part in features.values())
    effect = [1, *range(model.n_fixed, model.n_fixed + of_effect)]
    own = derive_seed(seed, "points")
    points = weighted_points(model, np.array(scales), effect, own, n_points)
    on_done(1, 2)
    rng = np.random.default_rng(derive_seed(seed, "coefficients"))
    log_ratios, coefficients, residual = points.draws(draws, rng)
    residual *= scale_y**2
    nothing = np.zeros(draws)
    on_done(2, 2)
    return RidgePosterior(
        dictionary=dictionary,
        effect_draws_=coefficients * scale_y,
        log_ratio_draws=log_ratios[None],
        between_cluster=nothing
        if clusters is None
        else np.exp(log_ratios[:, len(columns)]) * residual,
        between_block=np.exp(log_ratios[:, -1]) * residual if above else nothing,
        residual=residual,
        effective=points.effective,
    )
