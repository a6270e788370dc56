"""The one place where rows are split: whole clusters in a cluster trial, persons otherwise."""

from __future__ import annotations

import numpy as np

from tauhat._typing import IntArray
from tauhat.numerics.seeds import derive_seed


def randomization_units(
    treatment: IntArray, clusters: IntArray | None, blocks: IntArray | None
) -> tuple[IntArray, IntArray, IntArray]:
    """Units that were randomized, with their arm and block.

    Parameters
    ----------
    treatment
        Arm of each row, 0 or 1, shape (n,).
    clusters
        Cluster code of each row, shape (n,), or None when persons were randomized.
    blocks
        Block code of each row, shape (n,), or None.

    Returns
    -------
    unit
        Unit number of each row, 0 to u - 1 in order of first appearance, shape (n,).
    arm
        Arm of each unit, shape (u,).
    block
        Block of each unit, shape (u,); zeros when there are no blocks.

    Examples
    --------
    >>> unit, arm, block = randomization_units(
    ...     np.array([1, 1, 0]), np.array([5, 5, 2]), None)
    >>> unit.tolist(), arm.tolist()
    ([0, 0, 1], [1, 0])
    """
    n = len(treatment)
    if clusters is None:
        unit = np.arange(n, dtype=np.int64)
        first = unit
    else:
        _, first_sorted, inverse = np.unique(clusters, return_index=True, return_inverse=True)
        appearance = np.argsort(first_sorted, kind="stable")
        rank = np.empty(len(appearance), dtype=np.int64)
        rank[appearance] = np.arange(len(appearance))
        unit = rank[inverse]
        first = first_sorted[appearance]
    block = np.zeros(len(first), dtype=np.int64) if blocks is None else blocks[first]
    return unit, treatment[first].astype(np.int64), block


def assign_folds(
    treatment: IntArray,
    *,
    n_folds: int,
    random_state: int,
    clusters: IntArray | None = None,
    blocks: IntArray | None = None,
) -> IntArray:
    """Fold of each row: whole clusters, balanced by arm and within blocks.

    Within every arm-by-block stratum the units are shuffled and dealt to the
    folds in turn; each stratum starts where the last one of its arm stopped,
    so that arms stay balanced over folds even when blocks are small. Both arms
    use the same random stream, so swapping the arms gives the same split.

    Parameters
    ----------
    treatment
        Arm of each row, 0 or 1, shape (n,).
    n_folds
        Number of folds; reduced to the size of the smaller arm (in units) when
        that is smaller, so that every fold's complement holds both arms.
    random_state
        Seed.
    clusters, blocks
        Codes as in `randomization_units`.

    Returns
    -------
    ndarray of int, shape (n,)
        Fold 0 to n_folds - 1 of each row.

    Raises
    ------
    ValueError
        If an arm has fewer than two units, since no fold can then be left out.

    Examples
    --------
    >>> fold = assign_folds(np.array([0, 0, 1, 1]), n_folds=2, random_state=1)
    >>> sorted(fold[:2].tolist()), sorted(fold[2:].tolist())
    ([0, 1], [0, 1])
    """
    unit, arm, block = randomization_units(treatment, clusters, blocks)
    smallest = int(min((arm == 0).sum(), (arm == 1).sum()))
    if smallest < 2:
        what = "persons" if clusters is None else "clusters"
        raise ValueError(f"cross-fitting needs at least two {what} in each arm, got {smallest}")
    n_folds = min(n_folds, smallest)
    fold_of_unit = np.empty(len(arm), dtype=np.int64)
    for this_arm in (0, 1):
        next_fold = 0
        for this_block in np.unique(block):
            members = np.flatnonzero((arm == this_arm) & (block == this_block))
            rng = np.random.default_rng(derive_seed(random_state, "folds", int(this_block)))
            dealt = (next_fold + np.arange(len(members))) % n_folds
            fold_of_unit[rng.permutation(members)] = dealt
            next_fold = (next_fold + len(members)) % n_folds
    # The second arm counts its folds backwards, so that one fold is not the largest in both.
    first_arm = arm[0]
    second = arm != first_arm
    fold_of_unit[second] = n_folds - 1 - fold_of_unit[second]
    return fold_of_unit[unit]
