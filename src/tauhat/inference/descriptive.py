"""What the descriptive functions share: group effects, their jackknife, averages over splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tauhat._typing import FloatArray
from tauhat.arguments import check_level
from tauhat.inference.cross_fitting import CrossFit
from tauhat.inference.estimate import Estimate
from tauhat.inference.jackknife import Jackknife
from tauhat.numerics.arm_variances import expected_squares
from tauhat.numerics.centring import sums_by_unit
from tauhat.wording import with_digits_alike

#: Said by every result of this layer.
DESCRIPTIVE = (
    "This is descriptive: the primary test of whether the effect differs at all is "
    "test_heterogeneity."
)

# Mean scores below this share of the outcome's standard deviation are rounding errors of zero.
_NOISE = 1e-12


def units_an_arm(fit: CrossFit, member: FloatArray) -> list[tuple[int, int]]:
    """Control and treated units with members of each group who have an outcome.

    Columns of ``member`` are 1 for members.
    """
    counts = []
    for arm in (0, 1):
        here = member * ((fit.data.treatment == arm) & fit.observed)[:, None]
        counts.append((sums_by_unit(here, fit.units) > 0).sum(axis=0))
    return [(int(control), int(treated)) for control, treated in zip(*counts, strict=True)]


def jackknife_words(fit: CrossFit) -> str:
    """What the jackknife leaves out, for the method of a result."""
    return f"delete-one-{fit.design.unit_word} jackknife"


def arm_inverse(fit: CrossFit, arm: int) -> FloatArray:
    """Weight over the probability of the arm for its persons, 0 for others, shape (n,)."""
    data = fit.data
    chance = data.propensity if arm == 1 else 1 - data.propensity
    result: FloatArray = fit.weight * (data.treatment == arm) / chance
    return result


def outcome_moves(fit: CrossFit, weights: FloatArray) -> FloatArray:
    """Changes of weighted sums of the others' outcomes without each unit, shape (u, k).

    Zero but where outcomes are made for those who lack one (`TrialData.outcome_changes`).

    Parameters
    ----------
    fit
        Cross-fit of the trial.
    weights
        Shape (n, k).
    """
    changes = fit.outcome_changes
    if changes is None:
        return np.zeros((fit.design.n_units, weights.shape[1]))
    return changes.sums(weights)


def split_group_effects(fit: CrossFit, split: int, member: FloatArray) -> Jackknife:
    r"""Average effects of groups of persons, with their delete-one-unit jackknife.

    .. math::
        \hat\theta_G = \frac{\sum_{i \in G} w_i \hat\tau_i}{\sum_{i \in G} w_i}
        + \frac{\sum_{i \in G} w_i \frac{A_i}{\pi_i} r_i}{\sum_{i \in G} w_i \frac{A_i}{\pi_i}}
        - \frac{\sum_{i \in G} w_i \frac{1 - A_i}{1 - \pi_i} r_i}
               {\sum_{i \in G} w_i \frac{1 - A_i}{1 - \pi_i}}

    with the held-out effects and the residuals r of the split: the Hajek form of
    the mean score, so that a difference in level between arms that the group
    shares cancels. Held-out predictions of a cluster do not depend on it, so
    leaving it out only drops its terms, and changes outcomes that are made for those who
    lack one.

    Parameters
    ----------
    fit
        Cross-fit of the trial.
    split
        Which split.
    member
        1 for members of each group and 0 otherwise, shape (n, k).

    Returns
    -------
    Jackknife
        One estimate a group; not a number for one with fewer than two units in an arm with members
        who have an outcome.
    """
    units, weight = fit.units, fit.weight
    weighted = member * weight[:, None]
    effect = sums_by_unit(weighted * fit.effects[split][:, None], units)
    size = sums_by_unit(weighted, units)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = effect.sum(axis=0) / size.sum(axis=0)
        deleted = (effect.sum(axis=0) - effect) / (size.sum(axis=0) - size)
        few = np.zeros(member.shape[1], dtype=bool)
        for arm, sign in ((1, 1.0), (0, -1.0)):
            inverse = member * arm_inverse(fit, arm)[:, None]
            residual = sums_by_unit(inverse * fit.residuals[split][:, None], units)
            total = sums_by_unit(inverse, units)
            estimate = estimate + sign * residual.sum(axis=0) / total.sum(axis=0)
            left = total.sum(axis=0) - total
            others = residual.sum(axis=0) - residual + outcome_moves(fit, inverse)
            deleted = deleted + sign * others / left
            few |= (sums_by_unit(inverse * fit.observed[:, None], units) > 0).sum(axis=0) < 2
    estimate[few], deleted[:, few] = np.nan, np.nan
    largest = _largest(fit, np.ones(member.shape[1]))
    expected, even = expected_in_groups(fit, member), expected_without_weights(fit, member)
    return Jackknife(estimate, deleted, expected, fit.design, largest, even)


def _largest(fit: CrossFit, share: FloatArray) -> FloatArray | None:
    """The largest size of means over these shares of everyone, where effects have one."""
    largest = fit.data.endpoint.largest_effect
    return largest * share if largest < np.inf else None


def expected_in_groups(fit: CrossFit, member: FloatArray) -> FloatArray:
    """Expected squared contribution of each unit to the effect of each group, shape (u, k).

    Parameters
    ----------
    fit
        Cross-fit of the trial.
    member
        1 for members of each group and 0 otherwise, shape (n, k).
    """
    inverse = (arm_inverse(fit, 0) + arm_inverse(fit, 1))[:, None]
    return expected_squares(
        sums_by_unit(member * inverse, fit.units),
        sums_by_unit((member > 0).astype(np.float64), fit.units),
        fit.design.arm,
    )


def expected_without_weights(fit: CrossFit, member: FloatArray) -> FloatArray | None:
    """`expected_in_groups` if every person counted the same; None where they do."""
    if fit.data.sample_weight is None:
        return None
    persons = sums_by_unit((member > 0).astype(np.float64), fit.units)
    pi = fit.data.propensity[fit.design.first]
    weight = persons / np.where(fit.design.arm == 1, pi, 1 - pi)[:, None]
    return expected_squares(weight, persons, fit.design.arm)


def fixed_group_rows(
    fit: CrossFit,
    member: FloatArray,
    names: Sequence[str],
    *,
    level: float,
    differences: FloatArray | None = None,
) -> tuple[list[dict[str, Any]], list[Estimate]]:
    """Average effects of groups that do not depend on outcomes, as rows of a table.

    Parameters
    ----------
    fit
        Cross-fit of the trial.
    member
        1 for members of each group and 0 otherwise, shape (n, k).
    names
        The k groups in words.
    level
        Coverage of each interval.
    differences
        Weights of the groups in each combination of them, shape (k, l).

    Returns
    -------
    rows
        One a group: ``group``, ``persons``, ``control units`` and ``treated units``
        with members, ``estimate``, ``se``, ``lower``, ``upper``.
    combinations
        One a column of ``differences``.
    """
    weights = np.eye(len(names))
    if differences is not None:
        weights = np.hstack([weights, differences])
    results = [split_group_effects(fit, s, member).combine(weights) for s in range(fit.n_splits)]
    estimates = over_splits(fit, results, level=level, fixed=True)
    units = units_an_arm(fit, member)
    rows = [
        {
            "group": name,
            "persons": int(member[:, k].sum()),
            "control units": units[k][0],
            "treated units": units[k][1],
            **estimate_columns(estimates[k]),
        }
        for k, name in enumerate(names)
    ]
    return rows, estimates[len(names) :]


def score_means(fit: CrossFit, split: int, share: FloatArray) -> Jackknife:
    r"""Means over everyone of shares times scores, with their delete-one-unit jackknife.

    .. math:: \frac{\sum_i w_i g_i \psi_i}{\sum_i w_i}

    with the residuals of the scores centred within arm (Hajek).

    Parameters
    ----------
    fit
        Cross-fit of the trial.
    split
        Which split.
    share
        Weight g of each person in each mean, shape (n, k).

    Returns
    -------
    Jackknife
    """
    units, columns = fit.units, score_columns(fit, split)
    # Sums over the rows of each unit, for every share and every column of the scores.
    products = (share[:, :, None] * columns[:, None, :]).reshape(len(share), -1)
    parts = sums_by_unit(products, units).reshape(-1, share.shape[1], columns.shape[1])
    totals = sums_by_unit(columns, units)
    moved, moved_totals = score_moves(fit, share)
    left = parts.sum(axis=0) - parts + moved
    noise = _NOISE * float(fit.data.y.std())
    return Jackknife(
        _without_noise(mean_scores(parts.sum(axis=0), totals.sum(axis=0)), noise),
        _without_noise(mean_scores(left, totals.sum(axis=0) - totals + moved_totals), noise),
        expected_in_groups(fit, np.ones(share.shape)),
        fit.design,
        _largest(fit, np.average(np.abs(share), axis=0, weights=fit.weight)),
        expected_without_weights(fit, np.ones(share.shape)),
    )


def score_moves(fit: CrossFit, share: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Changes without each unit of the sums of `score_columns` with shares, and without.

    Parameters
    ----------
    fit
        Cross-fit of the trial.
    share
        Shape (n, k).

    Returns
    -------
    with_shares, without
        Shapes (u, k, 6) and (u, 6).
    """
    moved = np.zeros((fit.design.n_units, share.shape[1] + 1, 6))
    if fit.outcome_changes is not None:
        every = np.column_stack([share, np.ones(len(share))])
        for column, arm in ((3, 1), (5, 0)):
            moved[:, :, column] = outcome_moves(fit, every * arm_inverse(fit, arm)[:, None])
    return moved[:, :-1], moved[:, -1]


def _without_noise(values: FloatArray, noise: float) -> FloatArray:
    """The values, 0 where rounding made them."""
    kept: FloatArray = np.where(np.abs(values) <= noise, 0.0, values)
    return kept


def score_columns(fit: CrossFit, split: int) -> FloatArray:
    """Weight, weighted effect, and each arm's inverse weight without and with residual, (n, 6)."""
    weight, residual = fit.weight, fit.residuals[split]
    treated, control = arm_inverse(fit, 1), arm_inverse(fit, 0)
    return np.column_stack(
        [
            weight,
            weight * fit.effects[split],
            treated,
            treated * residual,
            control,
            control * residual,
        ]
    )


def mean_scores(parts: FloatArray, totals: FloatArray) -> FloatArray:
    """Mean scores from sums of `score_columns`: with shares, (..., k, 6), and without, (..., 6).

    Examples
    --------
    >>> mean_scores(np.array([[2.0, 6, 2, 2, 2, 4]]), np.array([4.0, 9, 4, 4, 4, 4])).tolist()
    [1.0]
    """
    totals = totals[..., None, :]
    mean: FloatArray = parts[..., 1] / totals[..., 0]
    for column, sign in ((2, 1.0), (4, -1.0)):
        centre = totals[..., column + 1] / totals[..., column]
        own = parts[..., column + 1] - centre * parts[..., column]
        mean = mean + sign * (own / totals[..., column] + centre * parts[..., 0] / totals[..., 0])
    return mean


def one_sided(estimate: Estimate) -> Estimate:
    """The estimate with its p-value against values above zero.

    Examples
    --------
    >>> round(one_sided(Estimate.from_t(1, 0.5, degrees_of_freedom=14, level=0.95)).p_value, 4)
    0.0326
    """
    if not np.isfinite(estimate.estimate):
        return replace(estimate, p_value=1.0)
    half = estimate.p_value / 2
    return replace(estimate, p_value=half if estimate.estimate > 0 else 1 - half)


def over_splits(
    fit: CrossFit,
    results: Sequence[Jackknife],
    *,
    level: float,
    fixed: bool = False,
) -> list[Estimate]:
    r"""One estimate from those of the splits: their mean, with an honest error.

    Where the groups are chosen anew in each split, the squared error is the
    mean of the splits' squared errors plus the variance between splits,

    .. math:: se^2 = \frac1S \sum_s se_s^2
              + \frac{1}{S - 1} \sum_s (\hat\theta_s - \bar\theta)^2,

    that of one split and not of their mean: the jackknife takes the groups as
    given, and this makes up for their being chosen from the same outcomes.
    Where the groups are fixed in advance, the splits only repeat the
    regressions, and the error is the jackknife of the mean.

    The t distribution has the degrees of freedom of
    `tauhat.numerics.arm_variances.design_degrees_of_freedom`. Splits in which a
    group has fewer than two units in an arm are left out; if they are more than
    half there is no estimate. Estimates and intervals are cut to what an outcome
    with two values allows.

    Parameters
    ----------
    fit
        Cross-fit of the trial.
    results
        One of each split, with k estimates each.
    level
        Coverage of the intervals.
    fixed
        Whether the groups are the same in every split.

    Returns
    -------
    list of Estimate
        One of each of the k estimates; not a number where there is none.
    """
    check_level(level)
    estimates = np.array([result.estimate for result in results])
    errors = np.array([result.errors for result in results])
    if fixed:
        mean = Jackknife(
            estimates.mean(axis=0),
            np.mean([result.deleted for result in results], axis=0),
            results[0].expected,
            results[0].design,
        )
        errors = np.tile(mean.errors, (len(results), 1))
    free = np.array([result.degrees_of_freedom for result in results])
    pooled = []
    for j in range(estimates.shape[1]):
        usable = np.isfinite(estimates[:, j]) & np.isfinite(errors[:, j])
        if usable.mean() <= 0.5:
            pooled.append(no_estimate(level))
            continue
        squared = float((errors[usable, j] ** 2).mean())
        if not fixed and usable.sum() > 1:
            squared += float(estimates[usable, j].var(ddof=1))
        estimate = Estimate.from_t(
            float(estimates[usable, j].mean()),
            float(np.sqrt(squared)),
            degrees_of_freedom=float(np.median(free[usable, j])),
            level=level,
        )
        possible = [one.largest[j] for one in results if one.largest is not None]
        pooled.append(estimate.within(max(possible, default=np.inf)))
    return pooled


def no_estimate(level: float) -> Estimate:
    """An estimate that could not be made.

    Examples
    --------
    >>> no_estimate(0.95).estimate
    nan
    """
    return Estimate(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, level)


def estimate_columns(estimate: Estimate) -> dict[str, float]:
    """Columns of a table for one estimate: estimate, se, lower, upper.

    Examples
    --------
    >>> sorted(estimate_columns(Estimate.from_t(1, 1, degrees_of_freedom=9, level=0.9)))
    ['estimate', 'lower', 'se', 'upper']
    """
    return {name: getattr(estimate, name) for name in ("estimate", "se", "lower", "upper")}


def interval_text(estimate: Estimate) -> str:
    """An estimate and its interval, without a p-value: description, not a test.

    Examples
    --------
    >>> interval_text(Estimate.from_t(1.0, 0.5, degrees_of_freedom=14, level=0.95))
    '1.00 (95% confidence interval -0.07 to 2.07)'
    """
    if not np.isfinite(estimate.estimate):
        return "not estimated (too few randomized units in an arm)"
    told, lower, upper = with_digits_alike(estimate.estimate, estimate.lower, estimate.upper)
    return f"{told} ({100 * estimate.level:g}% confidence interval {lower} to {upper})"
