"""Slopes of an effect of which most may be none: averaged over which of them are there, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from math import comb

import numpy as np
from scipy.special import logsumexp

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.risk_mixture import GRID, grid_variances, kept_variances, log_prior
from tauhat.numerics.two_arm_logit import TwoArmFit, TwoArmModel

# Prior probabilities that no slope is there, and that all are; the rest belongs to sets of k
# slopes, half as likely with each further one.
_NONE, _ALL = 0.2, 0.2
_EACH_FURTHER = 0.5
# Prior probability that a covariate which may be a line or a step is a line.
_LINE = 0.7
_MOST_SETS = 2000
# At which standard deviation of slopes the outcome's part of their precision is read.
_REFERENCE_SD = 0.2


@dataclass(frozen=True)
class SlopePosterior:
    """Mean of slopes over sets of them, and what the outcome says for there being any.

    Attributes
    ----------
    mean
        Shape (p,).
    log_marginal
        Log marginal likelihood relative to that without slopes.
    """

    mean: FloatArray
    log_marginal: float


def average_over_sets(
    precision: FloatArray, right: FloatArray, covariate: IntArray | None = None
) -> SlopePosterior:
    r"""Posterior mean of slopes with a likelihood that is normal, averaged over which are there.

    .. math::
        p(y \mid \gamma) \propto \exp(c'\gamma - \tfrac12 \gamma'G\gamma), \qquad
        \gamma_j = 0 \text{ for } j \notin S, \qquad \gamma_j \sim N(0, s^2) \text{ for } j \in S

    over sets S and standard deviations s. None is there with probability .2 and the lines of all
    covariates with .2; sets of k covariates have :math:`.6 \cdot 2^{-k}`, in equal shares, as far
    as there are no more than 2,000 of them. A covariate of a set has one column: its line with
    probability .7, one of its steps, in equal shares, with the rest. Sets that would be more
    than 2,000 with all steps have lines only. The prior does not depend on how many covariates and
    steps there are.

    Parameters
    ----------
    precision
        G, shape (p, p).
    right
        c, shape (p,).
    covariate
        Number of the covariate of each column, from 0, shape (p,); the first column of each is its
        line. None if all are lines.

    Examples
    --------
    >>> found = average_over_sets(100 * np.eye(3), np.array([40.0, 3.0, -2.0]))
    >>> found.mean.round(2).tolist()
    [0.32, 0.01, -0.0]
    """
    p = len(right)
    logs, means = [np.array([np.log(_NONE)])], [np.zeros((1, p))]
    of_sds = log_prior(0.5)[1:] - np.log(0.5)
    for chosen, log_share in _sets(np.arange(p) if covariate is None else covariate):
        k = chosen.shape[1]
        own = precision[chosen[:, :, None], chosen[:, None, :]]
        score = right[chosen]
        for sd, log_sd in zip(GRID[1:], of_sds, strict=True):
            root = np.linalg.cholesky(own + np.eye(k) / sd**2)
            half = np.linalg.solve(root, score[..., None])[..., 0]
            volume = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1) + k * np.log(sd)
            logs.append((half**2).sum(axis=1) / 2 - volume + log_share + log_sd)
            mean = np.zeros((len(chosen), p))
            back = np.linalg.solve(root.transpose(0, 2, 1), half[..., None])[..., 0]
            np.put_along_axis(mean, chosen, back, axis=1)
            means.append(mean)
    every = np.concatenate(logs)
    total = float(logsumexp(every))
    return SlopePosterior(np.exp(every - total) @ np.concatenate(means), total)


def _sets(covariate: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Sets of columns of one size, shape (sets, k), and their log prior probabilities, (sets,)."""
    columns = [np.flatnonzero(covariate == j) for j in range(covariate.max(initial=-1) + 1)]
    p = len(columns)
    sizes, count = [], 0
    for k in range(1, p):
        count += comb(p, k)
        if count > _MOST_SETS:
            break
        sizes.append(k)
    some = 1 - _NONE - _ALL if sizes else 0.0
    lines = np.array([of_one[0] for of_one in columns], dtype=np.int64)
    if p:
        yield lines[None], np.log([1 - _NONE - some])
    log_form = np.zeros(len(covariate))
    for of_one in columns:
        steps = len(of_one) - 1
        if steps:
            log_form[of_one] = np.log(np.r_[_LINE, np.full(steps, (1 - _LINE) / steps)])
    with_steps = _numbers_of_sets([len(of_one) for of_one in columns])
    of_sizes = _EACH_FURTHER ** np.array(sizes, dtype=np.float64)
    for k, share in zip(sizes, some * of_sizes / of_sizes.sum(), strict=True):
        log_share = np.log(share / comb(p, k))
        if with_steps[: k + 1].sum() <= _MOST_SETS:
            among = combinations(columns, k)
            chosen = np.array([one for forms in among for one in product(*forms)])
            yield chosen, log_share + log_form[chosen].sum(axis=1)
        else:
            chosen = np.array(list(combinations(lines, k)))
            yield chosen, np.full(len(chosen), log_share)


def _numbers_of_sets(forms: list[int]) -> FloatArray:
    """How many sets of k covariates there are in all of their forms, at position k."""
    numbers = np.ones(1)
    for count in forms:
        numbers = np.convolve(numbers, [1.0, count])
    return numbers


def mean_coefficients(
    two_arms: TwoArmModel, fitted: TwoArmFit, covariate: IntArray | None = None
) -> FloatArray:
    """Posterior mean of the coefficients, the first block of the effect averaged over sets.

    Other blocks of the effect are averaged over their standard deviations
    (`tauhat.numerics.risk_mixture`). All is by the linear mixed model of the working outcome at
    the mode.

    Parameters
    ----------
    two_arms
        Model with at least one block of the effect.
    fitted
        Its fit.
    covariate
        As in `average_over_sets`, of the columns of that block.
    """
    model, fit = two_arms.model, fitted.model
    kept = kept_variances(two_arms, fit)
    working = model.working(fit.response, fit.predictor)
    at_mode, _, _ = working.given(kept)
    first, last = two_arms.effect_blocks
    inside = model.block_slices[first]
    outside = np.r_[: inside.start, inside.stop : len(at_mode)]
    logs, means = [], []
    for variances, log_share in grid_variances(kept, first + 1, last):
        variances[first] = _REFERENCE_SD**2
        coefficients, root, log_marginal = working.given(variances)
        precision = root.T @ root
        right = precision @ coefficients
        among, across = precision[np.ix_(outside, outside)], precision[outside, inside]
        solved = np.linalg.solve(among, np.column_stack([across, right[outside]]))
        of_slopes, level = solved[:, :-1], solved[:, -1]
        own = precision[inside, inside] - across.T @ of_slopes
        score = right[inside] - across.T @ level
        # What the reference has to itself is taken out again: slopes have a prior of their own.
        own_root = np.linalg.cholesky(own)
        half = np.linalg.solve(own_root, score)
        volume = np.log(np.diag(own_root)).sum() + len(score) * np.log(_REFERENCE_SD)
        found = average_over_sets(own - np.eye(len(score)) / _REFERENCE_SD**2, score, covariate)
        mean = np.empty(len(at_mode))
        mean[inside], mean[outside] = found.mean, level - of_slopes @ found.mean
        logs.append(log_marginal - (half @ half) / 2 + volume + found.log_marginal + log_share)
        means.append(mean)
    shares = np.exp(np.array(logs) - logsumexp(logs))
    averaged: FloatArray = fit.coefficients + shares @ np.array(means) - at_mode
    return averaged
