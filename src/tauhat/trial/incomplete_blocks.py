"""Blocks that lack an arm: which they are, and when the column cannot be the block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, IntArray
from tauhat.design.blocks import has_counterfactual
from tauhat.disclosure import FEW, may_be_told
from tauhat.errors import DesignError
from tauhat.trial.roles import check_units

# Blocks that a sentence names. One of few persons is not: its label and arm would tell what
# somebody was given.
_MOST_NAMED = 5


def compared_within_blocks(
    arm: IntArray,
    clusters: AnyArray | None,
    blocks: AnyArray | None,
    arm_labels: Sequence[Any],
    roles: Mapping[str, str],
    period: IntArray | None = None,
) -> tuple[BoolArray, pd.DataFrame]:
    """Who can be compared within blocks, and the blocks in which nobody can.

    Parameters
    ----------
    arm
        Arm of each person with an outcome, shape (n,).
    clusters, blocks
        Labels, shape (n,), or None.
    arm_labels
        Labels of the arms.
    roles
        Column of each role.
    period
        Number of each person's period, shape (n,), or None.

    Returns
    -------
    compared
        See `tauhat.design.blocks.has_counterfactual`, shape (n,).
    table
        See `incomplete_blocks`.

    Raises
    ------
    DesignError
        If no block holds both arms, saying what the column seems to be, or if there
        are too few units in those that do.

    Examples
    --------
    >>> arm, clinic = np.array([0, 0, 1, 1, 1, 1]), np.array(list("aabbcc"))
    >>> compared_within_blocks(arm, None, clinic, (0, 1), {"treatment": "arm", "block": "clinic"})
    Traceback (most recent call last):
    tauhat.errors.DesignError: within each of the 3 values of 'clinic' everybody with an ...
    """
    compared = has_counterfactual(arm, blocks, least=2)
    if blocks is not None and not compared.any():
        raise DesignError(_why_nothing_compares(arm, clusters, blocks, roles))
    if not compared.all() and len(arm_labels) == 2 and period is None:
        check_units(arm, clusters, blocks, compared, "in blocks that hold both arms")
    return compared, incomplete_blocks(arm, arm_labels, clusters, blocks)


def _why_nothing_compares(
    arm: IntArray, clusters: AnyArray | None, blocks: AnyArray, roles: Mapping[str, str]
) -> str:
    """What a block column seems to be when no block holds both arms."""
    block, n_blocks = repr(roles["block"]), len(pd.unique(blocks))
    n_units = len(arm) if clusters is None else len(pd.unique(clusters))
    if n_blocks == len(np.unique(arm)):
        seems = f"says the same as {roles['treatment']!r}: leave block out"
    elif n_blocks == n_units and clusters is None:
        seems = f"looks like an identifier: use id={block} (--id) instead"
    elif n_blocks == n_units:
        seems = f"names the same units as {roles['cluster']!r}: leave block out"
    else:
        seems = f"looks like the randomized unit: use cluster={block} (--cluster) instead"
        if clusters is not None:
            cluster = repr(roles["cluster"])
            person = n_units == len(arm)
            seems += f", and id={cluster}" if person else f", and {cluster} as a covariate or not"
            seems += " (--id)" if person else " at all"
    return (
        f"within each of the {n_blocks} values of {block} everybody with an outcome has the same "
        f"arm, so that no arms can be compared within blocks. {block} {seems}. block= is for "
        "strata, such as sites or pairs, within which units were randomized"
    )


def incomplete_blocks(
    arm: IntArray, arm_labels: Sequence[Any], clusters: AnyArray | None, blocks: AnyArray | None
) -> pd.DataFrame:
    """One row per block that lacks an arm: block, arms, persons, units; the largest first.

    Parameters
    ----------
    arm
        Number of the arm, shape (n,).
    arm_labels
        Labels of the arms.
    clusters, blocks
        Labels, shape (n,), or None.

    Examples
    --------
    >>> incomplete_blocks(np.array([0, 1, 0, 0]), ("usual", "new"), None, np.array(list("aabb")))
      block   arms  persons  units
    0     b  usual        2      2
    """
    columns = ["block", "arms", "persons", "units"]
    left_out = ~has_counterfactual(arm, blocks, least=2)
    if blocks is None or not left_out.any():
        return pd.DataFrame(columns=columns)
    rows = pd.DataFrame(
        {
            "block": blocks[left_out],
            "arms": [str(arm_labels[k]) for k in arm[left_out]],
            "unit": np.flatnonzero(left_out) if clusters is None else clusters[left_out],
        }
    )
    table = rows.groupby("block", sort=False).agg(
        arms=("arms", lambda labels: ", ".join(sorted(set(labels)))),
        persons=("unit", "size"),
        units=("unit", "nunique"),
    )
    table = table.reset_index()
    by_size = [(-size, str(block)) for size, block in zip(table.persons, table.block, strict=True)]
    order = sorted(range(len(table)), key=by_size.__getitem__)
    return table.iloc[order][columns].reset_index(drop=True)


def named_blocks(table: pd.DataFrame) -> str:
    """The blocks of `incomplete_blocks` in words.

    Examples
    --------
    >>> named_blocks(pd.DataFrame({"block": ["B", "C", "D"], "arms": ["usual", "new", "new"],
    ...                            "persons": [40, 9, 2]}))
    'B (40 in arm usual), C (9 in arm new) and 1 more'
    """
    large = table[may_be_told(table["persons"])].head(_MOST_NAMED)
    named = [f"{row.block} ({row.persons} in arm {row.arms})" for row in large.itertuples()]
    more = len(table) - len(named)
    if not named:
        return f"{more} of {FEW}"
    return f"{', '.join(named)} and {more} more" if more else ", ".join(named)
