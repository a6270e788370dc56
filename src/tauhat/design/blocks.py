"""What blocks hold of each arm."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, IntArray


def block_sizes(arm: IntArray, block: IntArray, n_arms: int = 2) -> IntArray:
    """Units of each arm in each block, shape (B, n_arms).

    Examples
    --------
    >>> block_sizes(np.array([0, 1, 1]), np.array([0, 0, 1])).tolist()
    [[1, 1], [0, 1]]
    """
    cells = n_arms * (int(block.max()) + 1)
    return np.bincount(n_arms * block + arm, minlength=cells).reshape(-1, n_arms)


def small_blocks(sizes: IntArray) -> IntArray:
    """Blocks with fewer than two units in an arm, such as pairs; none where there is one block.

    Parameters
    ----------
    sizes
        Units of each arm in each block, shape (B, k).

    Returns
    -------
    ndarray of int
        Ascending.

    Examples
    --------
    >>> small_blocks(np.array([[1, 1], [2, 2]])).tolist(), small_blocks(np.array([[1, 1]])).tolist()
    ([0], [])
    """
    return np.flatnonzero((len(sizes) > 1) & (sizes.min(axis=1) < 2))


def has_counterfactual(
    arm: IntArray, block: AnyArray | None, least: int | None = None
) -> BoolArray:
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
    least
        How many arms a block must hold; None for every one.

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
    wanted = len(np.unique(arms)) if least is None else least
    complete: BoolArray = np.bincount(cells[:, 0]) >= wanted
    return complete[blocks]
