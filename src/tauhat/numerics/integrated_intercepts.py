"""Mixed models of risks and rates with the clusters' intercepts integrated out exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tauhat._typing import FloatArray
from tauhat.numerics import cholesky
from tauhat.numerics.mixed_logit import GeneralisedFit, GeneralisedMixedModel
from tauhat.numerics.quadrature import InterceptLikelihood
from tauhat.numerics.variance_updates import LOWEST, extrapolated, log_variances, shown

_NODES = 9
_MOST_ROUNDS = 30
_LEAST_EFFECTIVE = 1e-3


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
        The fit itself where there is no intercept, where its variance is zero, and
        where clusters lie in blocks that have intercepts of their own.

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
    if model.clusters is None or model.nesting is not None or not fit.cluster_variances.all():
        return fit
    likelihood = InterceptLikelihood(fit.response, model.clusters, model.weight, nodes)
    blocks = len(model.block_slices)
    # Held variances may be any, those that are off are the least.
    logs = np.maximum(np.log(np.r_[fit.block_variances, fit.cluster_variances] + 1e-300), LOWEST)
    precision = np.r_[
        model.prior_precision,
        np.repeat(np.exp(-logs[:blocks]), [b.stop - b.start for b in model.block_slices]),
    ]
    mean = np.r_[model.prior_mean, np.zeros(len(precision) - model.n_fixed)]
    members = model.cluster_members()
    counts = members.sum(axis=1)
    # What not knowing the coefficients adds to the intercepts' posterior variances.
    weight = likelihood.sums(fit.response.score_and_weight(fit.predictor)[1])
    given = 1 / (1 / model.cluster_variance(np.exp(logs)) + weight)
    added = (counts - fit.effective[blocks:]) * fit.cluster_variances - members @ given

    def once(
        c: FloatArray, own: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Coefficients and log variances after one round, the round's step, the intercepts."""
        predictor = model.offset + model.columns @ c
        sd = np.sqrt(model.cluster_variance(np.exp(np.r_[logs[:blocks], own])))
        slopes, effects, spread = likelihood.posterior(predictor, np.resize(sd, likelihood.m))
        weighted = slopes if model.weight is None else slopes * model.weight
        gradient = model.columns.T @ weighted - precision * (c - mean)
        half = cholesky.solve_transposed(fit.covariance_root, gradient)
        step = cholesky.solve(fit.covariance_root, half)
        if not held:
            trace = np.maximum(members @ spread + added, 0.0)
            effective = np.maximum(counts - trace / np.exp(own), _LEAST_EFFECTIVE)
            own = log_variances(members @ effects**2 / effective)
        return c + step, own, half, effects

    c, own = fit.coefficients, logs[blocks:]
    for _ in range(_MOST_ROUNDS):
        c_one, one, _, _ = once(c, own)
        c_two, two, half, effects = once(c_one, one)
        new = own if held else extrapolated(own, one, two)
        moved = float(np.abs(new - own).max())
        c, own = c_two, new
        if moved < tolerance and float(np.sqrt(half @ half)) < tolerance:
            break
    logs = np.r_[logs[:blocks], own]
    predictor = model.offset + model.columns @ c
    with_intercepts = predictor + effects[model.clusters]
    solution = model.working(fit.response, with_intercepts).solution(np.exp(logs))
    sd = np.resize(np.sqrt(model.cluster_variance(np.exp(logs))), likelihood.m)
    marginal = likelihood(predictor, sd) - float(precision @ (c - mean) ** 2) / 2
    marginal -= solution.log_volume / 2 + float(model.rates @ np.exp(logs / 2))
    return replace(
        fit,
        coefficients=c,
        covariance_root=solution.root,
        cluster_variances=shown(own),
        cluster_effects=effects,
        effective=solution.effective,
        predictor=with_intercepts,
        log_marginal=float(marginal),
    )
