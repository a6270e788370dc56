"""Interactions of the treatment with a modifier, by what was randomized and where it varies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.inference.named_modifiers import NamedModifier
from tauhat.numerics.centring import center_within
from tauhat.numerics.cluster_robust import (
    Absorbed,
    ClusterRobustRegression,
    ContrastTest,
    JointTest,
    cluster_robust_regression,
)
from tauhat.numerics.left_out import ChangesWithout
from tauhat.numerics.missing_outcomes import MadeOutcome
from tauhat.numerics.unit_slopes import (
    means_of_clusters,
    precision_weights,
    slopes_of_clusters,
)
from tauhat.numerics.weights import mean_one

# Randomized units of each arm that a comparison needs.
FEWEST_UNITS = 2


@dataclass(frozen=True)
class Comparison:
    """How the effect differs along one column of a modifier.

    Attributes
    ----------
    test
        Estimate, error and degrees of freedom; None where there are too few units.
    units
        Randomized units (control, treated) that tell anything about it.
    """

    test: ContrastTest | None
    units: tuple[int, int]


@dataclass(frozen=True)
class Interaction:
    """How the effect differs along a modifier.

    Attributes
    ----------
    comparisons
        One for each column of the modifier.
    joint
        Of all that have a test together; None for one, or where units are too few.
    method
        How they were estimated.
    """

    comparisons: tuple[Comparison, ...]
    joint: JointTest | None
    method: str


def between_persons(
    data: TrialData, modifier: NamedModifier, covariates: FloatArray
) -> Interaction:
    r"""Persons randomized: least squares with HC2 errors.

    .. math:: y = g_b + x'\gamma + M'\beta + (A - \pi)(\delta_0 + M'\delta) + e

    with levels g of the blocks. Degrees of freedom are Satterthwaite's for HC2 (Bell and
    McCaffrey 2002), or those of Welch with a variance for each arm where they are fewer. With
    clusters in one arm only errors are CR2, over these and single persons.
    """
    Z, q = modifier.values, modifier.values.shape[1]
    units = fewest_in_groups(modifier.group, data.treatment, q)
    found = persons_regression(data, Z, covariates)
    if found is None or any(min(u) < FEWEST_UNITS for u in units):
        return Interaction(
            tuple(Comparison(None, u) for u in units), None, "Too few persons in a group"
        )
    picked = np.eye(q + 1)[1:]
    tests = [found.contrast(own, parts=data.design.arm) for own in picked]
    comparisons = [Comparison(test, u) for test, u in zip(tests, units, strict=True)]
    joint = found.joint(picked) if q > 1 else None
    within = " within blocks" if data.design.n_blocks > 1 else ""
    errors = "HC2 errors"
    if data.design.holds_persons:
        errors = f"CR2 errors over {data.design.whole_units}"
    return Interaction(tuple(comparisons), joint, f"Least squares{within}, {errors}")


def persons_regression(
    data: TrialData, Z: FloatArray, covariates: FloatArray
) -> ClusterRobustRegression | None:
    """The regression of `between_persons` with modifiers Z, shape (n, q); q may be 0.

    Its coefficients are first the arm's, then those of the interactions; blocks and all other
    columns are absorbed. None where persons are too few.
    """
    weight, block = person_weights(data), data.design.block[data.design.unit]
    q = Z.shape[1]
    apart = (data.treatment - data.propensity)[:, None]
    # The last columns are the interactions.
    columns = np.column_stack([data.y, apart, apart * Z, Z, covariates])
    columns = center_within(columns, block, weight)
    target, other = columns[:, : q + 2], columns[:, q + 2 :]
    root = np.sqrt(weight)[:, None]
    rest, left = target * root, np.zeros((data.n, 0))
    scale = np.sqrt((weight[:, None] * other**2).mean(axis=0))
    moving = scale > 1e-9 * np.abs(np.column_stack([Z, covariates])).max(axis=0)
    if moving.any():
        left, values, _ = np.linalg.svd(other[:, moving] / scale[moving] * root,
                                        full_matrices=False)  # fmt: skip
        left = left[:, values > 1e-9 * values[0]]
        rest = rest - left @ (left.T @ rest)
    free = data.n - data.design.n_blocks - left.shape[1]
    if free < q + 2 or np.linalg.matrix_rank(rest[:, 1:]) < q + 1:
        return None
    on_block = root[:, 0] / np.sqrt(np.bincount(block, weights=weight))[block]
    return cluster_robust_regression(
        rest[:, 1:], rest[:, 0], data.design.unit, absorbed=Absorbed(left, block, on_block)
    )


def within_clusters(
    data: TrialData,
    modifier: NamedModifier,
    covariates: FloatArray,
    made: MadeOutcome | None = None,
) -> Interaction:
    r"""Clusters randomized, modifier of persons: slopes within clusters, then between arms.

    Each cluster's slope on the modifier (`tauhat.numerics.unit_slopes.slopes_of_clusters`)
    is one observation with the weight :math:`1 / (\sigma^2 / S_i + \tau^2)` by REML; the
    interaction is the difference between the arms' weighted means,

    .. math:: \hat\delta = \bar d_1 - \bar d_0, \qquad
              \hat V = \sum_a \sum_{i \in a} \frac{c_i^2 e_i^2}{1 - c_i}, \quad c_i = w_i / W_a,

    which is CR2, with the fewer of Satterthwaite's and Welch's degrees of freedom. Categories
    are compared two at a time with the first, all together by least squares of outcomes
    centred within clusters, CR2 and the approximate Hotelling test. With ``made`` for those who
    lack an outcome, errors are larger by what each cluster changes in the slopes of
    the others (`tauhat.numerics.left_out`).
    """
    comparisons = []
    changes = None if made is None else made.without
    several = modifier.values.shape[1] > 1
    for k, column in enumerate(modifier.values.T):
        rows = np.ones(data.n, dtype=bool)
        if several and modifier.group is not None:
            rows = np.isin(modifier.group, (0, k + 1))
        comparisons.append(_slopes_between_arms(data, column, covariates, rows, changes))
    joint = None
    if modifier.group is not None and sum(one.test is not None for one in comparisons) > 1:
        # Groups that are in no comparison are no part of the joint test.
        told = np.array([True, *(one.test is not None for one in comparisons)])
        rows = told[modifier.group]
        kept = np.flatnonzero(rows)
        joint = _joint_within(data.take(kept), modifier.of(kept).among(told), covariates[kept])
    method = (
        "Slopes within clusters, precision-weighted, compared between arms with CR2 errors over "
        "clusters"
    )
    return Interaction(tuple(comparisons), joint, method)


def between_clusters(
    data: TrialData, modifier: NamedModifier, covariates: FloatArray
) -> Interaction:
    r"""Clusters randomized, modifier of clusters: adjusted means of the clusters.

    .. math:: d_i = \beta_0 + \beta_1 A_i + C_i'\beta_2 + A_i C_i'\delta + u_i

    by weighted least squares (REML weights), CR2 and the fewer of Satterthwaite's and Welch's
    degrees of freedom. Where the modifier is the same for all clusters of each block, blocks
    have levels of their own: it then compares the blocks' differences between arms, with t.
    """
    design, weight = data.design, person_weights(data)
    summaries = means_of_clusters(data.y, covariates, design.unit, weight)
    C, arm, block = modifier.values[design.first], design.arm, design.block
    q = C.shape[1]
    paired = same_in_blocks(data, modifier)
    group = None if modifier.group is None else modifier.group[design.first]
    units = fewest_in_groups(group, arm, q)
    side = arm[:, None] - 0.5
    if paired:
        levels = np.eye(design.n_blocks)[block]
        columns = np.column_stack([levels, side, side * C])
    else:
        columns = np.column_stack([np.ones(len(arm)), side, C, side * C])
    free = len(arm) - columns.shape[1]
    too_few = any(min(u) < FEWEST_UNITS for u in units) or free < 1
    if too_few or np.linalg.matrix_rank(columns) < columns.shape[1]:
        return Interaction(
            tuple(Comparison(None, u) for u in units), None, "Too few clusters in a group"
        )
    precision = precision_weights(summaries, columns)
    if not paired:
        precision = precision * allocation_weights(data)
    fit = cluster_robust_regression(columns, summaries.values, np.arange(len(arm)),
                                    weight=precision)  # fmt: skip
    picked = np.eye(columns.shape[1])[-q:]
    if paired:
        rest = summaries.values - columns @ fit.coefficients
        variance = float((precision * rest**2).sum()) / free
        covariance = variance * picked @ fit.bread @ picked.T
        estimates = picked @ fit.coefficients
        tests = [
            ContrastTest(float(e), float(np.sqrt(v)), float(free))
            for e, v in zip(estimates, np.diag(covariance), strict=True)
        ]
        distance = float(estimates @ np.linalg.solve(covariance, estimates))
        joint = JointTest(distance / q, q, float(free)) if q > 1 else None
        method = "Adjusted cluster means, differences between arms within blocks, t"
    else:
        tests = [fit.contrast(c, parts=arm) for c in picked]
        joint = fit.joint(picked) if q > 1 else None
        method = "Adjusted cluster means, precision-weighted, CR2 errors"
    both = [Comparison(t, u) for t, u in zip(tests, units, strict=True)]
    return Interaction(tuple(both), joint, method)


def same_in_blocks(data: TrialData, modifier: NamedModifier) -> bool:
    """Whether a modifier of clusters is the same for all clusters of each block."""
    design = data.design
    C = modifier.values[design.first]
    return design.n_blocks > 1 and all(
        np.ptp(C[design.block == b], axis=0).max() < 1e-9 for b in range(design.n_blocks)
    )


def _slopes_between_arms(
    data: TrialData,
    modifier: FloatArray,
    covariates: FloatArray,
    rows: BoolArray,
    changes: ChangesWithout | None,
) -> Comparison:
    design = data.design
    # Clusters without any of these rows have no slope.
    present, unit = np.unique(design.unit[rows], return_inverse=True)
    weight = person_weights(data)[rows]
    found = slopes_of_clusters(data.y[rows], modifier[rows], covariates[rows], unit, weight)
    arm = design.arm[present]
    use = found.informative
    units = (int((arm[use] == 0).sum()), int((arm[use] == 1).sum()))
    if min(units) < FEWEST_UNITS:
        return Comparison(None, units)
    columns = np.column_stack([np.ones(len(arm)), arm - 0.5])
    precision = precision_weights(found, columns) * allocation_weights(data)[present]
    fit = cluster_robust_regression(
        columns[use], found.values[use], np.arange(int(use.sum())), weight=precision[use]
    )
    test = fit.contrast(np.array([0.0, 1.0]), parts=arm[use])
    if changes is None:
        return Comparison(test, units)
    # What each cluster's slope weighs in the difference, and each person's outcome in that.
    direction = fit.bread @ np.array([0.0, 1.0])
    of_cluster = np.zeros(len(arm))
    of_cluster[use] = precision[use] * (columns[use] @ direction) / found.information[use]
    apart = weight * center_within(modifier[rows], unit, weight)
    in_estimate = np.zeros((data.n, 1))
    in_estimate[rows, 0] = of_cluster[unit] * apart
    own = np.zeros(design.n_units)
    own[present[use]] = fit.scores @ direction
    moved = own - changes.sums(in_estimate)[:, 0]
    ratio = float(np.sqrt((moved**2).sum() / max(float((own**2).sum()), 1e-300)))
    return Comparison(replace(test, se=test.se * ratio), units)


def _joint_within(
    data: TrialData, modifier: NamedModifier, covariates: FloatArray
) -> JointTest | None:
    design, weight, q = data.design, person_weights(data), modifier.values.shape[1]
    side = (design.arm[design.unit] - 0.5)[:, None]
    columns = np.column_stack([data.y, modifier.values, covariates])
    columns = center_within(columns, design.unit, weight)
    inside = columns[:, 1 : q + 1]
    terms = np.column_stack([inside, side * inside])
    root = np.sqrt(weight)[:, None]
    all_terms = np.column_stack([terms, columns[:, q + 1 :]]) * root
    slopes = np.linalg.lstsq(all_terms, columns[:, 0] * root[:, 0], rcond=1e-9)[0]
    adjusted = columns[:, 0] - columns[:, q + 1 :] @ slopes[2 * q :]
    chance = allocation_weights(data)[design.unit]
    try:
        fit = cluster_robust_regression(terms, adjusted, design.unit, weight=weight * chance)
    except ValueError:
        return None
    return fit.joint(np.eye(2 * q)[q:])


def person_weights(data: TrialData) -> FloatArray:
    """Sample weights of mean one, shape (n,); ones without any."""
    return np.ones(data.n) if data.sample_weight is None else mean_one(data.sample_weight)


def allocation_weights(data: TrialData) -> FloatArray:
    """Makes the clusters of both arms stand for all, shape (m,); ones in equal allocation."""
    design = data.design
    treated = data.propensity[design.first]
    if np.ptp(treated) < 1e-9:
        return np.ones(len(treated))
    inverse = 1 / np.where(design.arm == 1, treated, 1 - treated)
    return mean_one(inverse)


def fewest_in_groups(group: IntArray | None, arm: IntArray, q: int) -> list[tuple[int, int]]:
    """Fewest (control, treated) in the groups that each of q columns of a modifier compares.

    Parameters
    ----------
    group
        Group 0 to q of each unit, shape (n,); None for a number, which compares halves.
    arm
        0 or 1 for each unit, shape (n,).
    q
        Columns of the modifier.
    """
    if group is None:
        both = (int((arm == 0).sum()) // 2, int((arm == 1).sum()) // 2)
        return [both] * q
    counts = [[int(((group == k) & (arm == a)).sum()) for a in (0, 1)] for k in range(q + 1)]
    return [
        (min(counts[0][0], of_level[0]), min(counts[0][1], of_level[1])) for of_level in counts[1:]
    ]
