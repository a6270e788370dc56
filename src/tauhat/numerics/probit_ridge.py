"""Posterior of the ridge mixed model for events: the latent step in front of its sampler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtr

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.kernel_model import KernelMixedModel
from tauhat.numerics.latent import ProbitOutcome, probit_risk
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.ridge_dictionary import RidgeDictionary
from tauhat.numerics.ridge_posterior import (
    BLOCK_SCALE,
    CLUSTER_SCALE,
    MANY_COVARIATES,
    OUTCOME_SCALES,
    RidgePosterior,
    posterior_mode,
    posterior_model,
    prior_penalty,
    rows_of_dictionary,
)
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.standardised_columns import row_parts
from tauhat.numerics.two_arm_gaussian import (
    LEVEL_SD,
    TREATMENT_SD,
    ByColumns,
    ByRows,
    GaussianForm,
    TwoArmDesign,
)

#: Scales of the half-t priors on standard deviations of the effect's blocks: a quarter of those
#: for numbers. An event tells so little of what is behind it that these would decide, with
#: effects too spread out and intervals a third too wide.
EFFECT_SCALES = {"linear": 0.125, "additive": 0.125, "products": 0.1, "trees": 0.125}

# Log variances beyond which the posterior has nothing.
_FARTHEST = 16.0


@dataclass(frozen=True)
class ProbitRidgePosterior(RidgePosterior):
    r"""Draws of both arms' coefficients behind events, read as risks in a new cluster.

    Attributes
    ----------
    outcome_draws_
        Draws of level and coefficients midway between the arms, shape (draws, 1 + q);
        those of the effect, ``effect_draws_``, are differences of the arms behind the events.
    known_variance
        Variance over the rows of what was known of them
        (`tauhat.numerics.latent.ProbitOutcome`).
    """

    outcome_draws_: FloatArray
    known_variance: float

    def risk_draws(self, X: FloatArray) -> FloatArray:
        """Draws of the risks without and with treatment, shape (draws, k, 2)."""
        design = self.effect_design(X).T
        middle, half = self.outcome_draws_ @ design, 0.5 * (self.effect_draws_ @ design)
        variance = (self.between_cluster + self.between_block + self.known_variance)[:, None]
        both = [probit_risk(middle - half, variance), probit_risk(middle + half, variance)]
        return np.stack(both, axis=-1)

    def intercept_variances(self, n_levels: int) -> FloatArray:
        """Draws of the variance of the intercept of each level, innermost first."""
        both = np.column_stack([self.between_cluster, self.between_block])
        return both[:, :n_levels]

    def effect_draws(self, X: FloatArray) -> FloatArray:
        """Draws of the difference of the risks, shape (draws, k)."""
        risks = self.risk_draws(X)
        return risks[..., 1] - risks[..., 0]

    def average_effect(self, X: FloatArray, weight: FloatArray | None) -> FloatArray:
        """Draws of the weighted mean effect, shape (draws,)."""
        share = np.ones(len(X)) if weight is None else weight
        total = np.zeros(self.n_draws)
        for rows in row_parts(len(X), 4 * self.n_draws):
            total += self.effect_draws(X[rows]) @ share[rows]
        average: FloatArray = total / share.sum()
        return average


def sample_probit_posterior(
    X: FloatArray,
    outcome: ProbitOutcome,
    treatment: FloatArray | IntArray,
    clusters: IntArray | None,
    seed: int,
    nesting: IntArray | None = None,
    *,
    n_chains: int = 4,
    burn_in: int = 60,
    draws: int = 100,
    thin: int = 3,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> ProbitRidgePosterior:
    r"""Sample the Bayesian ridge mixed model behind events.

    .. math::
        y = 1\{z > 0\}, \quad z = \alpha + \sum_k Z_k u_k
        + (A - \tfrac12)\Bigl(\delta + \sum_k Z_k t_k\Bigr) + g_s + b_c + e, \quad e \sim N(0, 1)

    with the blocks of `RidgeDictionary` and half-t priors with 3 degrees of freedom on their
    standard deviations, on those of the outcome's blocks as in
    `tauhat.numerics.ridge_posterior.sample_ridge_posterior` and tighter on the effect's,
    a normal prior of standard deviation 2 on the level, about the overall one, and of
    standard deviation 1 on :math:`\delta`. A step draws z (`ProbitOutcome`), moves the log
    variances by Metropolis with all coefficients integrated out, and draws the coefficients.

    Parameters
    ----------
    X, treatment, clusters, seed, nesting, n_chains, burn_in, draws, thin, on_done
        As in `tauhat.numerics.ridge_posterior.sample_ridge_posterior`.
    outcome
        What lies behind the events, with the weights.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(500, 2)), rng.integers(0, 2, 500)
    >>> outcome = ProbitOutcome(rng.normal(size=500) < A * X[:, 0] - 0.5)
    >>> posterior = sample_probit_posterior(X, outcome, A, None, 1, n_chains=1, draws=50)
    >>> low, high = posterior.effect_draws(np.array([[-1.0, 0.0], [1.0, 0.0]])).mean(axis=0)
    >>> bool(low < -0.1), bool(high > 0.2)
    (True, True)
    """
    dictionary = RidgeDictionary(rows_of_dictionary(X, seed), seed)
    names = dictionary.names
    blocks = dictionary.blocks(X)
    root = np.ones(len(X)) if outcome.root is None else outcome.root
    both = np.hstack([np.ones((len(X), 1)), *(blocks[name] for name in names)])
    both *= root[:, None]
    contrast = np.asarray(treatment, dtype=np.float64) - 0.5
    ends = 1 + np.cumsum([0, *(blocks[name].shape[1] for name in names)])
    q = int(ends[-1])
    of_outcome = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    slices = [slice(q + part.start, q + part.stop) for part in of_outcome] + of_outcome
    scales = [EFFECT_SCALES[name] for name in names] + [OUTCOME_SCALES[name] for name in names]
    of_rows = None
    if clusters is not None and nesting is not None:
        of_rows = nesting[clusters]
        slices.append(slice(2 * q, 2 * q + int(nesting.max()) + 1))
        scales.append(BLOCK_SCALE)
    if clusters is not None:
        scales.append(CLUSTER_SCALE)
    design = TwoArmDesign(both, contrast, root, clusters, of_rows, tuple(slices))
    by_rows = X.shape[1] > MANY_COVARIATES and design.width > len(X)
    form: GaussianForm = ByRows(design) if by_rows else ByColumns(design)
    prior = np.array(scales)
    model = _of_differences(design, outcome, of_outcome, nesting, X.shape[1])
    start, spread = _start(model, prior, outcome, nested=of_rows is not None)
    points, coefficients = [], []
    for chain in range(n_chains):
        own = _chain(
            form,
            design,
            outcome,
            prior,
            (start, spread),
            derive_seed(seed, "chain", chain),
            (burn_in, draws, thin),
        )
        points.append(own[0])
        coefficients.append(own[1])
        on_done(chain + 1, n_chains)
    log_variances, drawn = np.array(points), np.vstack(coefficients)
    variances = np.exp(log_variances.reshape(len(drawn), -1))
    nothing = np.zeros(len(drawn))
    level = np.zeros(q)
    level[0] = outcome.level
    return ProbitRidgePosterior(
        dictionary=dictionary,
        effect_draws_=drawn[:, q : 2 * q],
        log_ratio_draws=log_variances,
        between_cluster=nothing if clusters is None else variances[:, -1],
        between_block=nothing if of_rows is None else variances[:, -2],
        residual=np.ones(len(drawn)),
        effective=float("nan"),
        outcome_draws_=drawn[:, :q] + level,
        known_variance=outcome.known_variance,
    )


def _first_point(mode: FloatArray, root: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Where a random walk over log ratios begins, shape (d,)."""
    point: FloatArray = np.clip(
        mode + root @ rng.normal(size=len(mode)), 1 - _FARTHEST, _FARTHEST - 1
    )
    return point


def _proposed(point: FloatArray, root: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Where it would go next, shape (d,)."""
    # Some long steps: the tail towards zero variance is longer than the Hessian says.
    size = (2.0 if rng.uniform() < 0.8 else 6.0) / np.sqrt(len(point))
    proposal: FloatArray = point + size * (root @ rng.normal(size=len(point)))
    return proposal


def _chain(
    form: GaussianForm,
    design: TwoArmDesign,
    outcome: ProbitOutcome,
    scales: FloatArray,
    first: tuple[FloatArray, FloatArray],
    seed: int,
    lengths: tuple[int, int, int],
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Log variances and coefficients that are kept."""
    rng = np.random.default_rng(seed)
    burn_in, draws, thin = lengths
    start, spread = first
    penalty = prior_penalty(scales)
    levels = [0, design.both.shape[1]]
    columns = design.both[:, :1] * np.column_stack([np.ones(len(design.both)), design.contrast])
    precision = np.diag([LEVEL_SD**-2, TREATMENT_SD**-2])
    point = _first_point(start, spread, rng)
    factor = form.factor(point)
    coefficients, effects = factor.draw(design.read(outcome.values), rng)
    fitted = design.product(coefficients, effects)
    points: list[FloatArray] = []
    kept: list[FloatArray] = []
    for step in range(burn_in + draws * thin):
        own = coefficients[levels]
        fitted += columns @ outcome.level_change(fitted, columns, own, precision, rng)
        values = design.read(outcome.draw(fitted, rng))
        proposal = _proposed(point, spread, rng)
        threshold = np.log(rng.uniform())
        if np.abs(proposal).max() < _FARTHEST:
            candidate = form.factor(proposal)
            gain = candidate.density(values) - factor.density(values)
            gain -= 0.5 * (penalty(proposal)[0] - penalty(point)[0])
            if threshold < gain:
                point, factor = proposal, candidate
        coefficients, effects = factor.draw(values, rng)
        fitted = design.product(coefficients, effects)
        if step >= burn_in and (step - burn_in) % thin == thin - 1:
            points.append(point)
            kept.append(coefficients)
    return points, kept


def _of_differences(
    design: TwoArmDesign,
    outcome: ProbitOutcome,
    of_outcome: list[slice],
    nesting: IntArray | None,
    p: int,
) -> MixedModel | KernelMixedModel:
    """Gaussian model of the events themselves, whose variances say where to start."""
    plain = design.both if outcome.root is None else design.both / design.root[:, None]
    contrast = design.contrast[:, None]
    events = outcome.events.astype(np.float64)
    spread = float(events.std()) or 1.0
    columns = [plain[:, part] for part in of_outcome]
    return posterior_model(
        (events - events.mean()) / spread,
        np.hstack([plain[:, :1], contrast]),
        [contrast * block for block in columns] + columns,
        design.clusters,
        None if outcome.root is None else outcome.root**2,
        None if design.clusters is None else nesting,
        p,
    )


def _mode_and_spread(
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


def _start(
    model: MixedModel | KernelMixedModel,
    scales: FloatArray,
    outcome: ProbitOutcome,
    *,
    nested: bool,
) -> tuple[FloatArray, FloatArray]:
    """Log variances behind events from those of the events, and a root of their covariance."""
    order = np.arange(len(scales))
    if nested:
        # The model has clusters before what they lie in.
        order[-2:] = order[:-3:-1]
    mode, spread = _mode_and_spread(model, scales[order])
    risk = float(ndtr(outcome.level))
    slope = np.exp(-(outcome.level**2)) / (2 * np.pi)
    return mode[order] + np.log(risk * (1 - risk) / slope), spread[order]
