"""Score bases of the heterogeneity test: linear, curvature and product terms of persons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.design import Design
from tauhat.numerics.arm_changes import ChangesWithArms
from tauhat.numerics.centring import center_in_place, center_within, group_sums
from tauhat.numerics.standardised_columns import row_parts
from tauhat.numerics.working_models import standardize

# More person-level columns than this are replaced by their leading principal components.
MOST_COVARIATES = 100

# Products are many; beyond this number they are taken between leading principal components.
MOST_PRODUCTS = 500

# Ridge penalties over the diagonal of the Gram matrix; the smallest is the usual one.
PENALTIES = tuple(0.01 * 4.0**k for k in range(8))

# Of work that copies rows, the copies that it makes of each.
_COPIES = 4


@dataclass(frozen=True)
class PersonScores:
    """Person-level residuals and bases from which scores are summed.

    Attributes
    ----------
    residual
        Outcome less its prediction, centred within group, shape (n,).
    covariates
        Standardized person-level columns, centred within group, shape (n, p).
    person_level, cluster_level
        Which columns of ``X`` are tested within and between clusters, shape (columns of X,).
    bases
        Whitened basis of each component, shape (n, K).
    cluster_outcome
        Cluster means of the outcome less its predicted part, shape (m,), or
        None when persons were randomized.
    residual_variance
        Variance of the residuals within clusters.
    n_principal
        Number of principal components tested in place of the columns, or None.
    with_arms
        How outcomes made for those who lack one change with the arms, which corrects the units'
        scores; None where nobody lacks one, or where arms are not permuted.
    """

    residual: FloatArray
    covariates: FloatArray
    person_level: BoolArray
    cluster_level: BoolArray
    bases: dict[str, FloatArray]
    cluster_outcome: FloatArray | None
    residual_variance: float
    n_principal: int | None
    with_arms: ChangesWithArms | None = None


def unit_scores(bases: FloatArray, scores: PersonScores, data: TrialData) -> FloatArray:
    """Sum over the persons of a unit of basis times residual, shape (units, K)."""
    if data.sample_weight is not None:
        bases = bases * (data.sample_weight / data.sample_weight.mean())[:, None]
    summed = group_sums(bases * scores.residual[:, None], data.design.unit)
    return summed if scores.with_arms is None else summed + scores.with_arms.corrections(bases)


def person_scores(
    data: TrialData, modifiers: BoolArray, centred: IntArray | None = None
) -> PersonScores:
    """Residuals and whitened bases of the person-level components.

    With clusters, outcome and covariates are centred within cluster, so that
    any effect that is the same for all members of a cluster drops out and the
    treatment is never looked at. Without clusters they are centred within
    stratum and the treatment's main effect is projected out; in pairs and other
    small blocks the covariates are centred over all of these, since whom of a
    pair an effect belongs to cannot be told from the pair.

    Parameters
    ----------
    data
        The trial.
    modifiers
        Which columns of ``X`` may be effect modifiers; the others only help to
        predict the outcome, shape (p,).
    centred
        Groups of rows in which outcome and covariates are centred, shape (n,); None for those
        of the design.

    Returns
    -------
    PersonScores
    """
    weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
    weight = weight / weight.mean()
    has_clusters = data.design.holds_persons
    group = data.design.unit if has_clusters else data.design.strata
    if centred is not None:
        group = centred
    of_bases = group if has_clusters else _strata_of_bases(data.design)
    varies = ~data.cluster_level
    # A constant column tells nobody from anybody, and no slope can be fitted to it.
    modifiers = modifiers & (np.ptp(data.X, axis=0) > 0)
    columns = standardize(data.X, weight)
    person, cluster = columns[:, varies & modifiers], columns[:, ~varies & modifiers]
    n_principal = MOST_COVARIATES if person.shape[1] > MOST_COVARIATES else None
    tested = principal_directions(person, MOST_COVARIATES) if n_principal else person
    marks = columns[:, varies & ~modifiers]
    if marks.shape[1] > MOST_COVARIATES:
        marks = principal_directions(marks, MOST_COVARIATES)
    residual, used, cluster_outcome = _residuals(data, tested, marks, group, weight)
    free = max(data.n - int(group.max()) - 1 - used, 1.0)
    return PersonScores(
        residual=residual,
        covariates=center_within(person, of_bases, weight),
        person_level=varies & modifiers,
        cluster_level=~varies & modifiers,
        bases=_bases(tested, cluster, of_bases, weight),
        cluster_outcome=cluster_outcome,
        residual_variance=float(weight @ residual**2) / free,
        n_principal=n_principal,
        with_arms=None if data.missing is None else data.missing.with_arms,
    )


def _strata_of_bases(design: Design) -> IntArray:
    """Strata with all small blocks as one, shape (n,).

    A pair's covariates and outcomes, both less the pair's mean, have the same product in
    both its persons, which no exchange of their arms can move.
    """
    strata = design.strata.copy()
    strata[np.isin(design.block, design.small_blocks)] = -1
    merged: IntArray = np.unique(strata, return_inverse=True)[1].astype(np.int64)
    return merged[design.unit]


def _residuals(
    data: TrialData, tested: FloatArray, marks: FloatArray, group: IntArray, weight: FloatArray
) -> tuple[FloatArray, float, FloatArray | None]:
    """Residuals of the outcome, degrees of freedom used, and the clusters' outcomes."""
    splines = np.column_stack([tested, marks, _hinges(tested, (0.25, 0.5, 0.75))])
    outcome = center_within(data.y, group, weight)
    if not data.design.holds_persons:
        center_in_place(splines, group, weight)
        in_arm = [data.treatment == a for a in range(1, data.design.n_arms)]
        arm = np.column_stack(
            [center_within(rows.astype(np.float64), group, weight) for rows in in_arm]
        )
        outcome = outcome[:, None]
        _remove(outcome, arm, weight)
        _remove(splines, arm, weight)
        outcome = outcome[:, 0]
        coefficients, used = _ridge(splines, outcome, weight, int(group.max()) + 1)
        return outcome - splines @ coefficients, used, None
    within_splines = center_within(splines, group, weight)
    coefficients, used = _ridge(within_splines, outcome, weight, int(group.max()) + 1)
    remainder = weight * (data.y - splines @ coefficients)
    total = np.bincount(data.design.unit, weights=weight)
    cluster_outcome = np.bincount(data.design.unit, weights=remainder) / total
    return outcome - within_splines @ coefficients, used, cluster_outcome


def _bases(
    tested: FloatArray, cluster: FloatArray, group: IntArray, weight: FloatArray
) -> dict[str, FloatArray]:
    linear = center_within(tested, group, weight)
    bases = {"linear": linear}
    # One after the other, each in place: of many persons these are the largest tables there are.
    for name in ("curvature", "products"):
        columns = _curves(tested) if name == "curvature" else _products(tested, cluster)
        center_in_place(columns, group, weight)
        before = np.sqrt(_squares(columns, weight) / weight.sum())
        _remove(columns, linear, weight)
        after = np.sqrt(_squares(columns, weight) / weight.sum())
        # Columns that the linear ones already span hold only rounding errors.
        bases[name] = _whiten(_chosen(columns, after > 1e-3 * np.maximum(before, 1e-12)), weight)
    bases["linear"] = _whiten(linear, weight)
    return {name: basis for name, basis in bases.items() if basis.shape[1] > 0}


def _chosen(columns: FloatArray, which: BoolArray) -> FloatArray:
    """Some of the columns; no copy if that is all of them."""
    return columns if which.all() else columns[:, which]


def _squares(columns: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted sum of squares of each column."""
    total = np.zeros(columns.shape[1])
    for rows in row_parts(len(columns), _COPIES * columns.shape[1]):
        total += weight[rows] @ columns[rows] ** 2
    return total


def _many_valued(columns: FloatArray) -> AnyArray:
    """Numbers of the columns with more than two distinct values."""
    low, high = columns.min(axis=0), columns.max(axis=0)
    return np.flatnonzero(
        [
            bool(((column > a) & (column < b)).any())
            for column, a, b in zip(columns.T, low, high, strict=True)
        ]
    )


def _hinges(columns: FloatArray, quantiles: tuple[float, ...]) -> FloatArray:
    """``max(x - c, 0)`` at quantiles of every many-valued column."""
    chosen = columns[:, _many_valued(columns)]
    if chosen.shape[1] == 0:
        return np.empty((len(columns), 0))
    cuts = np.quantile(chosen, quantiles, axis=0)
    hinges: FloatArray = np.column_stack([np.maximum(chosen - cut, 0.0) for cut in cuts])
    return hinges


def _curves(columns: FloatArray) -> FloatArray:
    """Squares and hinges at the thirds of every many-valued column."""
    chosen = columns[:, _many_valued(columns)]
    curves: FloatArray = np.column_stack([chosen**2, _hinges(columns, (0.33, 0.67))])
    return curves


def _products(person: FloatArray, cluster: FloatArray) -> FloatArray:
    """Products of two person-level columns and of one with a cluster-level column."""
    room = min(MOST_PRODUCTS, max(50, int(4e7 / len(person))))
    p, q = person.shape[1], cluster.shape[1]
    if p * (p - 1) // 2 + p * q > room:
        if p * (p - 1) // 2 > room // 2:
            p = int((1 + np.sqrt(1 + 4 * room)) / 2)
            person = principal_directions(person, p)
        if p * (p - 1) // 2 + p * q > room:
            cluster = principal_directions(cluster, max((room - p * (p - 1) // 2) // max(p, 1), 0))
    first, second = np.triu_indices(person.shape[1], k=1)
    own = len(first)
    products: FloatArray = np.empty((len(person), own + person.shape[1] * cluster.shape[1]))
    for rows in row_parts(len(person), _COPIES * products.shape[1]):
        part = person[rows]
        products[rows, :own] = part[:, first] * part[:, second]
        between = part[:, None, :] * cluster[rows][:, :, None]
        products[rows, own:] = between.reshape(len(part), -1)
    return products


def principal_directions(columns: FloatArray, count: int) -> FloatArray:
    """Leading principal components, scaled to standard deviation 1."""
    count = min(count, columns.shape[1])
    centered = columns - columns.mean(axis=0)
    values, vectors = np.linalg.eigh(centered.T @ centered)
    keep = np.argsort(values)[::-1][:count]
    # The sign of an eigenvector is arbitrary; the largest entry is made positive.
    chosen = vectors[:, keep]
    chosen = chosen * np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(len(keep))])
    return standardize(centered @ chosen, np.ones(len(columns)))


def _remove(values: FloatArray, columns: FloatArray, weight: FloatArray) -> None:
    """Put residuals of weighted least squares of each of ``values`` on ``columns`` in its place."""
    root = np.sqrt(weight)[:, None]
    scaled = columns * root
    gram = scaled.T @ scaled
    inverse = np.linalg.pinv(gram, rcond=1e-10, hermitian=True)
    parts = row_parts(len(values), _COPIES * values.shape[1])
    cross = np.zeros((columns.shape[1], values.shape[1]))
    for rows in parts:
        cross += scaled[rows].T @ (values[rows] * root[rows])
    coefficients = inverse @ cross
    for rows in parts:
        values[rows] -= columns[rows] @ coefficients


def _whiten(columns: FloatArray, weight: FloatArray) -> FloatArray:
    """Columns of standard deviation 1 in the metric of their shrunken correlation.

    The columns given are overwritten.
    """
    total = weight.sum()
    spread = np.sqrt(_squares(columns, weight) / total)
    kept = spread > 1e-10
    whitened = _chosen(columns, kept)
    whitened /= spread[kept]
    if whitened.shape[1] == 0:
        return whitened
    parts = row_parts(len(whitened), _COPIES * whitened.shape[1])
    correlation = np.zeros((whitened.shape[1], whitened.shape[1]))
    for rows in parts:
        correlation += (whitened[rows] * weight[rows][:, None]).T @ whitened[rows]
    values, vectors = np.linalg.eigh(0.9 * (correlation / total) + 0.1 * np.eye(len(correlation)))
    root = (vectors / np.sqrt(values)) @ vectors.T
    for rows in parts:
        whitened[rows] = whitened[rows] @ root
    return whitened


def _ridge(
    columns: FloatArray, outcome: FloatArray, weight: FloatArray, n_groups: int
) -> tuple[FloatArray, float]:
    """Ridge coefficients and their degrees of freedom, the penalty by cross-validation.

    The penalty is a multiple of the diagonal of the Gram matrix; generalized
    cross-validation moves it above .01 only when there are many columns for
    the persons at hand.
    """
    gram = (columns * weight[:, None]).T @ columns
    scale = np.sqrt(np.diag(gram))
    scale = np.where(scale > 1e-10, scale, np.inf)
    cross = columns.T @ (weight * outcome) / scale
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    values = np.maximum(values, 0.0)
    rotated = vectors.T @ cross
    total = float(weight @ outcome**2)
    free = max(len(outcome) - n_groups, 2)
    best = (np.inf, rotated, 0.0)
    for penalty in PENALTIES:
        solved = rotated / (values + penalty)
        used = float((values / (values + penalty)).sum())
        left = total - 2 * float(solved @ rotated) + float(values @ solved**2)
        error = left / max(free - used, 1e-3) ** 2
        if error < best[0] * (1 - 1e-9) and used < 0.9 * free:
            best = (error, solved, used)
    if not np.isfinite(best[0]):
        return np.zeros(columns.shape[1]), 0.0
    return (vectors @ best[1]) / scale, best[2]
