"""The one place where rows are split: whole clusters in a cluster trial, persons otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, IntArray
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


def block_sizes(arm: IntArray, block: IntArray) -> IntArray:
    """Control and treated units of each block, shape (B, 2).

    Examples
    --------
    >>> block_sizes(np.array([0, 1, 1]), np.array([0, 0, 1])).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(2 * block + arm, minlength=2 * int(block.max()) + 2).reshape(-1, 2)


def small_blocks(arm: IntArray, block: IntArray) -> IntArray:
    """Blocks with fewer than two units in an arm, such as pairs; none without blocks.

    Parameters
    ----------
    arm, block
        Arm and block of each unit, shape (u,).

    Returns
    -------
    ndarray of int
        Ascending.

    Examples
    --------
    >>> small_blocks(np.array([0, 1, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1, 1])).tolist()
    [0]
    """
    sizes = block_sizes(arm, block)
    # Part of a trial may lack some of its blocks.
    present = sizes.sum(axis=1) > 0
    if present.sum() == 1:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(present & (sizes.min(axis=1) < 2))


def has_counterfactual(arm: IntArray, block: AnyArray | None) -> BoolArray:
    """Which rows lie in a block that holds every arm; all of them without blocks.

    A block is randomized by itself. One that lacks an arm tells nothing about the
    effect, and its level would be taken for one: its rows have no part in
    estimates, fits and tests.

    Parameters
    ----------
    arm
        Arm of each row, shape (n,). The arms compared are those that occur.
    block
        Block of each row, shape (n,), or None. Whole clusters lie in one block,
        so that rows tell what clusters do.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> has_counterfactual(np.array([0, 1, 0, 0]), np.array(["a", "a", "b", "b"])).tolist()
    [True, True, False, False]
    >>> has_counterfactual(np.array([0, 1, 2, 0, 1]), np.array([1, 1, 1, 2, 2])).tolist()
    [True, True, True, False, False]
    """
    if block is None:
        return np.ones(len(arm), dtype=bool)
    arms, blocks = (pd.factorize(labels)[0] for labels in (arm, block))
    cells = np.unique(np.column_stack([blocks, arms]), axis=0)
    complete: BoolArray = np.bincount(cells[:, 0]) == len(np.unique(arms))
    return complete[blocks]


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
    so that arms stay balanced over folds. Pairs and other blocks with fewer
    than two units in an arm stay whole, if there are as many as folds: what
    their units share would otherwise tell a model something about the outcomes
    that it has not seen. Both arms use the same random stream, so swapping the
    arms gives the same split.

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
    small = small_blocks(arm, block)
    if len(small) < n_folds:
        small = small[:0]
    rng = np.random.default_rng(derive_seed(random_state, "folds", "small blocks"))
    for place, this_block in enumerate(rng.permutation(small)):
        fold_of_unit[block == this_block] = place % n_folds
    # Streams belong to the first unit's arm and the other, not to control and treated, so
    # that exchanging the arms gives the same split.
    for stream in (0, 1):
        this_arm = abs(int(arm[0]) - stream)
        next_fold = 0
        for this_block in np.setdiff1d(block, small):
            members = np.flatnonzero((arm == this_arm) & (block == this_block))
            rng = np.random.default_rng(derive_seed(random_state, "folds", stream, int(this_block)))
            dealt = (next_fold + np.arange(len(members))) % n_folds
            if stream == 1:
                # Counted backwards, so that one fold is not the largest in both arms.
                dealt = n_folds - 1 - dealt
            fold_of_unit[rng.permutation(members)] = dealt
            next_fold = (next_fold + len(members)) % n_folds
    return fold_of_unit[unit]


def cluster_folds(n: int, clusters: IntArray | None, n_folds: int, seed: int) -> IntArray:
    """Fold of each row for choosing a model's settings: whole clusters of about equal totals.

    Unlike `assign_folds` it knows no arms: it serves inside the fit of one
    outcome model. Clusters are shuffled and dealt, largest first, to the fold
    with the fewest rows. A single cluster cannot be left out, so its rows are
    dealt one by one.

    Parameters
    ----------
    n
        Number of rows.
    clusters
        Cluster code of each row, shape (n,), or None when every row is its own.
    n_folds
        Number of folds; reduced to the number of clusters or rows when there are fewer.
    seed
        Seed.

    Returns
    -------
    ndarray of int, shape (n,)
        Fold 0 to n_folds - 1 of each row.

    Examples
    --------
    >>> fold = cluster_folds(6, np.array([0, 0, 1, 1, 2, 2]), n_folds=3, seed=1)
    >>> [len(set(fold[2 * c : 2 * c + 2].tolist())) for c in range(3)], sorted(set(fold.tolist()))
    ([1, 1, 1], [0, 1, 2])
    """
    rng = np.random.default_rng(derive_seed(seed, "inner folds"))
    unit = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    n_units = int(unit.max()) + 1
    if n_units == 1:
        unit, n_units = np.arange(n), n
    n_folds = min(n_folds, n_units)
    if n_units == n:
        fold_of_unit = rng.permutation(n) % n_folds
        return fold_of_unit[unit].astype(np.int64)
    size = np.bincount(unit)
    shuffled = rng.permutation(n_units)
    fold_of_unit = np.empty(n_units, dtype=np.int64)
    total = np.zeros(n_folds, dtype=np.int64)
    for this_unit in shuffled[np.argsort(-size[shuffled], kind="stable")]:
        smallest = int(np.argmin(total))
        fold_of_unit[this_unit] = smallest
        total[smallest] += size[this_unit]
    return fold_of_unit[unit]
