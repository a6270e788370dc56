"""Probabilities of the arms that the randomization gave each unit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.design.blocks import block_sizes


def probabilities(
    arm: IntArray, blocks: AnyArray | None, propensity: FloatArray | None
) -> tuple[IntArray, IntArray, FloatArray]:
    """Arm, block and probabilities of the units of a design.

    Parameters
    ----------
    arm
        0 to k - 1 for each unit, shape (m,).
    blocks
        Label of each unit's block, shape (m,), or None.
    propensity
        Probability of arm 1 of two, shape (m,); None for the shares of the arms in the block.

    Returns
    -------
    arm, block, probability
        Blocks numbered by first appearance; shapes (m,), (m,) and (m, k), k at least 2.

    Examples
    --------
    >>> probabilities(np.array([0, 1, 1]), np.array(["a", "a", "b"]), None)[2][:, 1].tolist()
    [0.5, 0.5, 1.0]
    """
    arm = arm.astype(np.int64)
    block = np.zeros(len(arm), np.int64) if blocks is None else pd.factorize(blocks)[0]
    n_arms = int(arm.max(initial=1)) + 1
    if n_arms > 2:
        if propensity is not None:
            raise ValueError("a known propensity is that of one of two arms")
        counts = block_sizes(arm, block, n_arms)
        return arm, block.astype(np.int64), (counts / counts.sum(axis=1, keepdims=True))[block]
    if propensity is None:
        propensity = (np.bincount(block, weights=arm) / np.bincount(block))[block]
    return arm, block.astype(np.int64), np.column_stack([1 - propensity, propensity])
