"""Effects within the groups of a named modifier, and their difference over all clusters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.inference.interactions import (
    FEWEST_UNITS,
    Comparison,
    Interaction,
    allocation_weights,
    fewest_in_groups,
    person_weights,
    persons_regression,
)
from tauhat.inference.named_modifiers import NamedModifier
from tauhat.numerics.cell_means import made_alike, variances_of_cells
from tauhat.numerics.cluster_robust import cluster_robust_regression
from tauhat.numerics.unit_slopes import means_of_clusters, precision_weights

# Groups of a number: of persons, and of whole clusters, which are few.
GROUPS_OF_PERSONS, GROUPS_OF_CLUSTERS = 5, 3


@dataclass(frozen=True)
class ModifierGroup:
    """Persons with one category of a modifier, or numbers within a range.

    Attributes
    ----------
    name
        The category or range.
    value
        Mean of a number in it; not a number for categories.
    rows
        Who is in it, shape (n,).
    """

    name: str
    value: float
    rows: BoolArray


def groups_of(modifier: NamedModifier, first: IntArray | None) -> list[ModifierGroup]:
    """The categories of a modifier, or ranges of a number with about as many units each.

    Parameters
    ----------
    modifier
        The modifier, known for everyone.
    first
        A row of each cluster where the modifier is one of clusters; else None.
    """
    if modifier.group is not None:
        return [
            ModifierGroup(label, float("nan"), modifier.group == k)
            for k, label in enumerate(modifier.labels)
        ]
    numbers = modifier.mean + modifier.spread * modifier.values[:, 0]
    count = GROUPS_OF_PERSONS if first is None else GROUPS_OF_CLUSTERS
    counted = numbers if first is None else numbers[first]
    inner = np.quantile(counted, np.linspace(0, 1, count + 1)[1:-1])
    cuts = np.unique(inner[(inner >= counted.min()) & (inner < counted.max())])
    if not len(cuts):
        # Most have the largest value: it and all below are the groups.
        cuts = counted[counted < counted.max()].max()[None]
    place = np.searchsorted(cuts, numbers, side="left")
    edges = [f"{cut:.4g}" for cut in cuts]
    names = [f"up to {edges[0]}", *(f"{low} to {high}" for low, high in pairwise(edges)),
             f"above {edges[-1]}"]  # fmt: skip
    return [
        ModifierGroup(name, float(numbers[place == k].mean()), place == k)
        for k, name in enumerate(names)
    ]


def effect_in_group(
    data: TrialData, covariates: FloatArray, rows: BoolArray, *, in_blocks: bool
) -> Comparison:
    r"""Effect on the persons of a group alone, with the units that it rests on.

    Persons randomized: least squares as in `tauhat.inference.interactions.between_persons`.
    Clusters randomized: their means over the persons of the group, adjusted without looking at
    the arm, with REML weights, CR2 errors, and the fewer of Satterthwaite's and Welch's degrees
    of freedom; ``in_blocks`` within blocks, for modifiers that are the same in all clusters of a
    block.
    """
    design = data.design
    if not design.holds_persons or not design.can_permute:
        own = data.take(np.flatnonzero(rows))
        units = (int(own.design.arm_sizes[0]), int(own.design.arm_sizes[1]))
        found = persons_regression(own, np.zeros((own.n, 0)), covariates[rows])
        if found is None or min(units) < FEWEST_UNITS:
            return Comparison(None, units)
        return Comparison(found.contrast(np.ones(1), parts=own.design.arm), units)
    present, unit = np.unique(design.unit[rows], return_inverse=True)
    arm = design.arm[present]
    units = (int((arm == 0).sum()), int((arm == 1).sum()))
    if min(units) < FEWEST_UNITS:
        return Comparison(None, units)
    summaries = means_of_clusters(data.y[rows], covariates[rows], unit, person_weights(data)[rows])
    levels, weight = np.ones((len(arm), 1)), allocation_weights(data)[present]
    if in_blocks:
        _, block = np.unique(design.block[present], return_inverse=True)
        levels, weight = np.eye(block.max() + 1)[block], np.ones(len(arm))
    columns = np.column_stack([levels, arm - 0.5])
    if np.linalg.matrix_rank(columns) < columns.shape[1] or len(arm) <= columns.shape[1]:
        return Comparison(None, units)
    precision = precision_weights(summaries, columns) * weight
    fit = cluster_robust_regression(
        columns, summaries.values, np.arange(len(arm)), weight=precision
    )
    return Comparison(fit.contrast(np.eye(columns.shape[1])[-1], parts=arm), units)


def single_group_share(data: TrialData, modifier: NamedModifier) -> float:
    """Share of the clusters that hold one category only, and so tell nothing within clusters."""
    if modifier.group is None:
        return 0.0
    found = np.zeros((data.design.n_units, len(modifier.labels)), dtype=bool)
    found[data.design.unit, modifier.group] = True
    return float((found.sum(axis=1) < 2).mean())


def over_all_clusters(
    data: TrialData, modifier: NamedModifier, covariates: FloatArray
) -> Interaction:
    r"""Difference of the effect between persons of different groups, whatever their cluster.

    The adjusted means of the groups within clusters follow

    .. math:: d_{ig} = \beta_0 + \beta_1 A_i + M_g'\beta_2 + A_i M_g'\delta + u_i + v_{ig} + e_{ig}

    by generalised least squares (REML), CR2 errors over clusters and the fewer of Satterthwaite's
    and Welch's degrees of freedom. Clusters that hold one group only count too, so that
    :math:`\delta` also has a part in what goes with the mix of groups in a cluster.
    """
    design, q = data.design, modifier.values.shape[1]
    assert modifier.group is not None
    cells, cell = np.unique(design.unit * (q + 1) + modifier.group, return_inverse=True)
    unit, group = cells // (q + 1), cells % (q + 1)
    arm = design.arm[unit]
    units = fewest_in_groups(group, arm, q)
    if any(min(u) < FEWEST_UNITS for u in units):
        return Interaction(tuple(Comparison(None, u) for u in units), None, "Too few clusters")
    found = means_of_clusters(data.y, covariates, cell, person_weights(data))
    noise = max(found.residual_variance, 1e-300) / found.information
    Z, side = np.eye(q + 1)[group][:, 1:], (arm - 0.5)[:, None]
    columns = np.column_stack([np.ones(len(cells)), side, Z, side * Z])
    _, place = np.unique(unit, return_inverse=True)
    variances = variances_of_cells(found.values, columns, noise, place)
    alike = made_alike(np.column_stack([found.values, columns]), noise, place, variances)
    fit = cluster_robust_regression(
        alike[:, 1:], alike[:, 0], place, weight=allocation_weights(data)[unit]
    )
    picked = np.eye(columns.shape[1])[-q:]
    tests = [fit.contrast(one, parts=design.arm) for one in picked]
    joint = fit.joint(picked) if q > 1 else None
    both = tuple(Comparison(test, u) for test, u in zip(tests, units, strict=True))
    return Interaction(both, joint, "Means of groups in clusters, all clusters, CR2 errors")
