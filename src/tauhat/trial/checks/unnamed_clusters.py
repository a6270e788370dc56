"""Columns whose values have one arm each: clusters that were randomized and that nobody named."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tauhat._typing import IntArray
from tauhat.tables.columns import missing_values
from tauhat.trial.checks.finding import Finding
from tauhat.trial.identifier_columns import names_persons
from tauhat.trial.repeated_identifiers import row_codes
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

# Chance that a column of a trial without such clusters is taken for one.
_CHANCE = 1e-8
# Fewer may be parts of an arm: its drugs, its doses.
_FEWEST_IN_AN_ARM = 4
_MOST_COLUMNS = 200


def unnamed_cluster_findings(
    table: pd.DataFrame, trial: TrialTable, taken: Collection[str]
) -> Iterator[Finding]:
    """Give the columns that look like what was randomized, or what persons were treated in.

    Parameters
    ----------
    table
        The analysed rows with all their columns, shape (n, columns).
    trial
        The trial.
    taken
        Columns that have a role.
    """
    design = trial.randomization
    if trial.period is not None or trial.rows_of_events is not None or not design.can_permute:
        return
    what, unit = design.units_word, design.unit
    within = f", before {trial.roles['cluster']!r}" if "cluster" in trial.roles else ""
    for name in table.columns[:_MOST_COLUMNS]:
        if name in taken or names_persons(str(name)):
            continue
        groups = groups_of_one_arm(table[name], trial.treatment, unit)
        if groups is None:
            continue
        yield Finding(
            "clusters without a name",
            f"{name} ({counted(groups, 'value')})",
            "warning",
            f"Each of the {groups} values of {name!r} has one arm only, which chance hardly does "
            f"where {what} were randomized one by one. If whole groups of {what} were randomized, "
            f"or {what} treated in groups, name the column in cluster={within}: without it errors "
            "come out too small.",
            "unnamed-clusters",
            columns=(name,) if name in trial.covariate_names else (),
        )


def groups_of_one_arm(column: pd.Series[Any], arm: IntArray, units: IntArray) -> int | None:
    """Number of groups of several units that each have one arm, as chance would hardly make them.

    Parameters
    ----------
    column
        Labels, shape (n,).
    arm, units
        0 or 1 and number of the randomized unit of each row, shape (n,).

    Returns
    -------
    int or None
        None where the column names no such groups.

    Examples
    --------
    >>> site = np.repeat(np.arange(10), 12)
    >>> groups_of_one_arm(pd.Series(site), site % 2, np.arange(120))
    10
    >>> groups_of_one_arm(pd.Series(site), np.arange(120) % 2, np.arange(120)) is None
    True
    """
    present = ~missing_values(column)
    if not present.any():
        return None
    codes, unit, arm = row_codes(column[present]), units[present], arm[present]
    # What varies within units names no groups of them.
    first = np.unique(unit, return_index=True)[1]
    of_unit = np.zeros(int(unit.max()) + 1, dtype=np.int64)
    of_unit[unit[first]] = codes[first]
    if not np.array_equal(of_unit[unit], codes):
        return None
    group = np.unique(codes[first], return_inverse=True)[1]
    size = np.bincount(group)
    treated = np.bincount(group, weights=arm[first]).astype(np.int64)
    pure = (treated == 0) | (treated == size)
    per_arm = min(int((treated == 0).sum()), int((treated == size).sum()))
    if not pure.all() or per_arm < _FEWEST_IN_AN_ARM or len(size) * 2 > len(first):
        return None
    share = treated.sum() / len(first)
    one_arm = np.logaddexp(size * math.log(share), size * math.log(1 - share))
    return len(size) if one_arm.sum() < math.log(_CHANCE) else None
