"""Labels of a trial's columns that are nearly alike, under one spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tauhat.tables.spelling import MergedLabels, holds_labels


def with_merged_labels(
    table: pd.DataFrame,
    covariates: Sequence[str],
    roles: Mapping[str, str],
    merged: MergedLabels,
) -> pd.DataFrame:
    """The table with labels that are nearly alike under one spelling.

    Parameters
    ----------
    table
        The trial's table.
    covariates
        Columns of the covariates.
    roles
        Column of each role.
    merged
        Spellings, to which what is merged here is added.
    """
    changed: dict[str, pd.Series[Any]] = {}
    arm = roles["treatment"]
    units = [roles[role] for role in ("block", "cluster") if role in roles]
    for name in dict.fromkeys([arm, *units, *covariates]):
        if not holds_labels(table[name]):
            continue
        # Clusters of different arms are different, unless they change their arm over periods.
        apart = name == roles.get("cluster") and "period" not in roles
        of_arm = changed.get(arm, table[arm]) if apart else None
        spelt = merged.merge(table[name], of_arm)
        if name in merged.spelling:
            changed[name] = spelt
    return table.assign(**changed) if changed else table
