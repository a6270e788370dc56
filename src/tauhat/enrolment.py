"""Who takes part in a trial: rows of two arms, in blocks that hold both, with an outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.errors import DesignError
from tauhat.folds import has_counterfactual
from tauhat.roles import check_units, label_values, outcome_values

# Most blocks that a sentence names, and fewest persons of one that is named: with the arm, a
# label that few share tells what somebody was given.
_MOST_NAMED = 5
_FEWEST_NAMED = 5


@dataclass(frozen=True)
class Enrolment:
    """Persons who were randomized beside the other arm, in the table's order.

    Attributes
    ----------
    rows
        Positions in the table, shape (n,).
    treatment
        0 (control) or 1 (treated), shape (n,).
    clusters, blocks
        Labels, shape (n,), or None.
    outcome
        NaN where missing, shape (n,).
    analysed
        Who has an outcome, as has somebody in the other arm of the block, shape (n,).
    incomplete_blocks
        Blocks from which persons were left out, see `incomplete_blocks`.
    """

    rows: IntArray
    treatment: IntArray
    clusters: AnyArray | None
    blocks: AnyArray | None
    outcome: FloatArray
    analysed: BoolArray
    incomplete_blocks: pd.DataFrame


def enrol(
    table: pd.DataFrame, roles: Mapping[str, str], arm: IntArray, arm_labels: Sequence[Any]
) -> Enrolment:
    """Who takes part, or an error when arms, clusters and blocks do not make a trial.

    Parameters
    ----------
    table
        The trial's table.
    roles
        Column of each role.
    arm
        0, 1, or -1 (another arm) for each row of the table.
    arm_labels
        Labels of the arms 0 and 1.

    Examples
    --------
    >>> table = pd.DataFrame({"site": list("aaaabb"), "y": [3.0, 4, 5, 6, 8, 9]})
    >>> roles = {"outcome": "y", "treatment": "arm", "block": "site"}
    >>> found = enrol(table, roles, np.array([0, 1, 0, 1, 0, 0]), ("usual", "new"))
    >>> found.rows.tolist(), found.incomplete_blocks["block"].tolist()
    ([0, 1, 2, 3], ['b'])
    """
    rows = np.flatnonzero(arm >= 0)
    kept, arm = table.iloc[rows], arm[rows]
    clusters, blocks = (
        label_values(kept[roles[role]], role) if role in roles else None
        for role in ("cluster", "block")
    )
    outcome = outcome_values(kept[roles["outcome"]])
    observed = ~np.isnan(outcome)
    check_units(arm, clusters, blocks, observed)
    randomized, analysed = taking_part(arm, blocks, observed)
    if blocks is not None:
        refuse_without_comparison(arm, clusters, blocks, observed, roles)
        check_units(arm, clusters, blocks, analysed, "in blocks that hold both arms")
    left_out = ~randomized | (observed & ~analysed)
    return Enrolment(
        rows=rows[randomized].astype(np.int64),
        treatment=arm[randomized],
        clusters=None if clusters is None else clusters[randomized],
        blocks=None if blocks is None else blocks[randomized],
        outcome=outcome[randomized],
        analysed=analysed[randomized],
        incomplete_blocks=incomplete_blocks(left_out, arm, arm_labels, clusters, blocks),
    )


def taking_part(
    arm: IntArray, blocks: AnyArray | None, observed: BoolArray
) -> tuple[BoolArray, BoolArray]:
    """Who was randomized in a block that holds both arms, and who of them is analysed.

    Parameters
    ----------
    arm
        0 or 1, shape (n,).
    blocks
        Labels, shape (n,), or None.
    observed
        Which rows have an outcome, shape (n,).

    Returns
    -------
    randomized
        Rows of blocks that hold both arms, shape (n,).
    analysed
        Rows with an outcome, of blocks in which both arms have one, shape (n,).

    Examples
    --------
    >>> arm, block = np.array([0, 1, 0, 1, 0, 0]), np.array(list("aabbcc"))
    >>> sides = taking_part(arm, block, np.array([True, True, True, False, True, True]))
    >>> [side.astype(int).tolist() for side in sides]
    [[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]]
    """
    randomized = has_counterfactual(arm, blocks)
    analysed = observed & randomized
    seen = None if blocks is None else blocks[analysed]
    analysed[analysed] = has_counterfactual(arm[analysed], seen)
    return randomized, analysed


def refuse_without_comparison(
    arm: IntArray,
    clusters: AnyArray | None,
    blocks: AnyArray,
    observed: BoolArray,
    roles: Mapping[str, str],
) -> None:
    """Raise a `DesignError` that says what the block column seems to be, when none compares arms.

    Parameters
    ----------
    arm, clusters, blocks, observed
        As in `tauhat.roles.check_units`.
    roles
        Column of each role.

    Examples
    --------
    >>> arm, clinic = np.array([0, 0, 1, 1, 1, 1]), np.array(list("aabbcc"))
    >>> roles = {"outcome": "y", "treatment": "arm", "block": "clinic"}
    >>> refuse_without_comparison(arm, None, clinic, np.ones(6, bool), roles)
    Traceback (most recent call last):
    tauhat.errors.DesignError: within each of the 3 values of 'clinic' everybody has the same ...
    """
    randomized, analysed = taking_part(arm, blocks, observed)
    if analysed.any():
        return
    block, treatment = repr(roles["block"]), repr(roles["treatment"])
    purpose = "block= is for strata, such as sites or pairs, within which units were randomized"
    if randomized.any():
        raise DesignError(
            f"no value of the block column {block} has persons with an outcome in both arms, so "
            f"that no arms can be compared; check the outcome column {roles['outcome']!r}. "
            f"{purpose}"
        )
    n_blocks = len(pd.unique(blocks))
    n_units = len(arm) if clusters is None else len(pd.unique(clusters))
    if n_blocks == len(np.unique(arm)):
        seems = f"says the same as {treatment}: leave block out"
    elif n_blocks == n_units and clusters is None:
        seems = f"looks like an identifier: use id={block} instead"
    elif n_blocks == n_units:
        seems = f"names the same units as {roles['cluster']!r}: leave block out"
    else:
        seems = f"looks like the randomized unit: use cluster={block} (--cluster) instead"
        if clusters is not None:
            seems += f", and {roles['cluster']!r} as a covariate or not at all"
    raise DesignError(
        f"within each of the {n_blocks} values of {block} everybody has the same arm, so that no "
        f"arms can be compared within blocks. {block} {seems}. {purpose}"
    )


def incomplete_blocks(
    left_out: BoolArray,
    arm: IntArray,
    arm_labels: Sequence[Any],
    clusters: AnyArray | None,
    blocks: AnyArray | None,
) -> pd.DataFrame:
    """One row a block with persons left out: block, arms, persons, clusters; the largest first.

    Examples
    --------
    >>> left_out, arm = np.array([False, False, True, True]), np.array([0, 1, 0, 0])
    >>> incomplete_blocks(left_out, arm, ("usual", "new"), None, np.array(list("aabb")))
      block   arms  persons  clusters
    0     b  usual        2         2
    """
    columns = ["block", "arms", "persons", "clusters"]
    if blocks is None or not left_out.any():
        return pd.DataFrame(columns=columns)
    rows = pd.DataFrame(
        {
            "block": pd.Series(blocks[left_out]),
            "arms": [str(arm_labels[k]) for k in arm[left_out]],
            "unit": np.flatnonzero(left_out) if clusters is None else clusters[left_out],
        }
    )
    table = rows.groupby("block", sort=False).agg(
        arms=("arms", lambda labels: ", ".join(sorted(set(labels)))),
        persons=("unit", "size"),
        clusters=("unit", "nunique"),
    )
    table = table.reset_index()[columns]
    order = sorted(
        range(len(table)), key=lambda k: (-int(table["persons"][k]), str(table["block"][k]))
    )
    return table.iloc[order].reset_index(drop=True)


def named_blocks(table: pd.DataFrame) -> str:
    """The blocks of `incomplete_blocks` in words.

    Examples
    --------
    >>> named_blocks(pd.DataFrame({"block": ["B", "C", "D"], "arms": ["usual", "new", "new"],
    ...                            "persons": [40, 9, 2], "clusters": [4, 1, 1]}))
    'B (40 usual), C (9 new) and 1 more'
    """
    large = table[table["persons"] >= _FEWEST_NAMED].head(_MOST_NAMED)
    named = [f"{row.block} ({row.persons} {row.arms})" for row in large.itertuples()]
    more = len(table) - len(named)
    if not named:
        return f"{more} of fewer than {_FEWEST_NAMED} persons"
    if more:
        return f"{', '.join(named)} and {more} more"
    return ", ".join(named)
