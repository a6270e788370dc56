"""Mixed models of risks and rates with the clusters' intercepts integrated out exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tauhat._typing import FloatArray
from tauhat.numerics import cholesky
from tauhat.numerics.mixed_logit import GeneralisedFit, GeneralisedMixedModel
from tauhat.numerics.quadrature import InterceptLikelihood
from tauhat.numerics.variance_updates import LOWEST, extrapolated, log_variances, shown
from tauhat.numerics.working_outcome import Solution

_NODES = 9
_MOST_ROUNDS = 40
_LEAST_EFFECTIVE = 1e-3
# Longest step of all coefficients together, in standard errors, and change of a log variance
# after which their precision is computed anew.
_LONGEST, _STALE = 3.0, 0.2


def integrate_intercepts(
    model: GeneralisedMixedModel,
    fit: GeneralisedFit,
    *,
    held: bool = False,
    nodes: int = _NODES,
    tolerance: float = 1e-3,
) -> GeneralisedFit:
    r"""Take the error of quasi-likelihood out of coefficients and of the intercept's variance.

    Penalised quasi-likelihood sets intercepts to their modes, which draws
    coefficients to zero and, where events are the rarer outcome, makes the mean risk
    of people in new clusters too high. Given the blocks' variances the coefficients
    here solve the equations of the integrated likelihood,

    .. math:: C'W\,\mathrm{E}_b\{s(\eta + b) \mid y\} = P(\hat c - m)

    with s the score of each row, P and m the precision and mean of the
    coefficients' priors and the expectation by adaptive quadrature, and the
    intercept's variance solves Fellner's and Schall's equation with the posterior
    moments in place of mode and curvature. Without penalties these are glmer's
    coefficients (``nAGQ=9``) at the same variance.

    Parameters
    ----------
    model
        The model.
    fit
        Its fit by quasi-likelihood.
    held
        Whether the intercept's variance stays as it is.
    nodes
        Quadrature nodes.
    tolerance
        Change of the log variance, and of coefficients in standard errors, that no
        longer counts.

    Returns
    -------
    GeneralisedFit
        The fit itself where there is no intercept, where its variance is zero, and where
        the rounds do not settle. Intercepts of blocks in which clusters lie stay at their
        modes, with the variance of the fit.

    Examples
    --------
    >>> from tauhat.numerics.responses import Binomial
    >>> clusters = np.repeat(np.arange(100), 10)
    >>> rng = np.random.default_rng(1)
    >>> risk = 1 / (1 + np.exp(2 - 1.2 * rng.normal(size=100)[clusters]))
    >>> y = (rng.random(1000) < risk).astype(float)
    >>> model = GeneralisedMixedModel(Binomial(y), np.ones((1000, 1)), clusters=clusters)
    >>> fit = model.fit()
    >>> better = integrate_intercepts(model, fit)
    >>> bool(better.coefficients[0] < fit.coefficients[0])
    True
    >>> bool(better.cluster_variances[0] > fit.cluster_variances[0])
    True
    """
    if model.clusters is None or not fit.cluster_variances.all():
        return fit
    if model.nesting is not None:
        return _within_blocks(model, fit, held=held, nodes=nodes, tolerance=tolerance)
    likelihood = InterceptLikelihood(fit.response, model.clusters, model.weight, nodes)
    blocks = len(model.block_slices)
    # Held variances may be any, those that are off are the least.
    logs = np.maximum(np.log(np.r_[fit.block_variances, fit.cluster_variances] + 1e-300), LOWEST)
    logs, own = logs[:blocks], logs[blocks:]
    sizes = [block.stop - block.start for block in model.block_slices]
    precision = np.r_[model.prior_precision, np.repeat(np.exp(-logs), sizes)]
    mean = np.r_[model.prior_mean, np.zeros(len(precision) - model.n_fixed)]
    members = model.cluster_members()
    counts = members.sum(axis=1)

    def spread(own: FloatArray) -> FloatArray:
        """Standard deviation of each cluster's intercept."""
        variance = model.cluster_variance(np.exp(np.r_[logs, own]))
        return np.resize(np.sqrt(variance), likelihood.m)

    def linear(c: FloatArray, own: FloatArray, effects: FloatArray) -> tuple[Solution, FloatArray]:
        """Working model here; what not knowing c adds to the intercepts' posterior variances."""
        predictor = model.offset + model.columns @ c + effects[model.clusters]
        solution = model.working(fit.response, predictor).solution(np.exp(np.r_[logs, own]))
        weight = likelihood.sums(fit.response.score_and_weight(predictor)[1])
        given = members @ (1 / (spread(own) ** -2.0 + weight))
        return solution, (counts - solution.effective[blocks:]) * np.exp(own) - given

    c, effects = fit.coefficients, fit.cluster_effects
    solution, added = linear(c, own, effects)
    known = own
    for _ in range(_MOST_ROUNDS):
        before = [own]
        for _ in range(2):
            slopes, effects, uncertain = likelihood.posterior(
                model.offset + model.columns @ c, spread(before[-1])
            )
            weighted = slopes if model.weight is None else slopes * model.weight
            gradient = model.columns.T @ weighted - precision * (c - mean)
            half = cholesky.solve_transposed(solution.root, gradient)
            length = float(np.sqrt(half @ half))
            c = c + cholesky.solve(solution.root, half) * min(1.0, _LONGEST / max(length, 1e-300))
            trace = np.maximum(members @ uncertain + added, 0.0)
            effective = np.maximum(counts - trace / np.exp(before[-1]), _LEAST_EFFECTIVE)
            effective += model.rates[blocks:] * np.exp(before[-1] / 2)
            updated = log_variances(members @ effects**2 / effective)
            before.append(own if held else updated)
        new = own if held else extrapolated(*before)
        moved = float(np.abs(new - own).max())
        own = new
        if moved < tolerance and length < tolerance:
            break
        if np.abs(own - known).max() > _STALE or length > 1:
            solution, added = linear(c, own, effects)
            known = own
    else:
        return fit
    solution, _ = linear(c, own, effects)
    predictor = model.offset + model.columns @ c
    marginal = likelihood(predictor, spread(own)) - float(precision @ (c - mean) ** 2) / 2
    marginal -= solution.log_volume / 2 + float(model.rates @ np.exp(np.r_[logs, own] / 2))
    return replace(
        fit,
        coefficients=c,
        covariance_root=solution.root,
        cluster_variances=shown(own),
        cluster_effects=effects,
        effective=solution.effective,
        predictor=predictor + effects[model.clusters],
        log_marginal=float(marginal),
    )


def _within_blocks(
    model: GeneralisedMixedModel, fit: GeneralisedFit, *, held: bool, nodes: int, tolerance: float
) -> GeneralisedFit:
    """The same with what clusters lie in as a ridge block of columns."""
    assert model.clusters is not None
    assert model.nesting is not None
    q, blocks = len(fit.coefficients), len(model.block_slices)
    lies_in = model.nesting[model.clusters][:, None] == np.arange(model.n_nesting)
    columns = [model.columns[:, block] for block in model.block_slices]
    flat = GeneralisedMixedModel(
        model.response,
        model.columns[:, : model.n_fixed],
        [*columns, lies_in.astype(np.float64)],
        model.clusters,
        model.weight,
        model.offset,
        prior_mean=model.prior_mean,
        prior_precision=model.prior_precision,
        rates=_last_after_blocks(model.rates, blocks),
        cluster_groups=model.cluster_groups,
    )
    start = replace(
        fit,
        coefficients=np.r_[fit.coefficients, fit.nesting_effects],
        block_variances=np.r_[fit.block_variances, fit.nesting_variance],
        nesting_effects=np.zeros(0),
    )
    found = integrate_intercepts(flat, start, held=held, nodes=nodes, tolerance=tolerance)
    if found is start:
        return fit
    root = found.covariance_root
    # Precision once the blocks' intercepts are integrated out: their columns come last.
    inside, across = root[q:, q:], root[:q, q:]
    own, both = root[:q, :q], root[:q, :q].T @ across
    of_blocks = inside.T @ inside + across.T @ across
    precision = own.T @ own - both @ np.linalg.solve(of_blocks, both.T)
    return replace(
        found,
        coefficients=found.coefficients[:q],
        covariance_root=cholesky.factor(np.asfortranarray(precision)),
        block_variances=fit.block_variances,
        nesting_variance=fit.nesting_variance,
        nesting_effects=found.coefficients[q:],
        effective=np.r_[np.delete(found.effective, blocks), found.effective[blocks]],
    )


def _last_after_blocks(values: FloatArray, blocks: int) -> FloatArray:
    """Values of blocks, of groups of clusters and of nesting, with the last after the blocks."""
    moved: FloatArray = np.r_[values[:blocks], values[-1], values[blocks:-1]]
    return moved
