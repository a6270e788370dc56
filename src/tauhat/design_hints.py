"""What an error about the arms advises: which label is the control, which design this may be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, IntArray

# Words that trials use for the arm without the treatment. The first must be the whole label,
# the others may stand in it.
_WHOLE = frozenset(
    {"0", "no", "none", "tau", "soc", "c", "ctl", "ctrl", "con", "n", "false", "off"}
)
_WITHIN = (
    r"placebo|controls?|usual care|care as usual|treatment as usual|standard( of)? care|standard|"
    r"sham|no treatment|no intervention|untreated|not treated|wait(ing)?[ -]?list|comparator|"
    r"comparison|vehicle|observation only|unexposed"
)
# More values than this are no periods of a trial.
_MOST_PERIODS = 60


def control_hint(labels: Sequence[Any]) -> str:
    """How to name the control among two labels: the one that says so, or either.

    Parameters
    ----------
    labels
        Both labels of the treatment column.

    Returns
    -------
    str

    Examples
    --------
    >>> control_hint(["Drug", "Placebo"])
    "control='Placebo'"
    >>> control_hint(["A", "B"])
    "control='A' or control='B'"
    """
    known = [label for label in labels if _is_control(label)]
    chosen = known if len(known) == 1 else labels
    return " or ".join(f"control={label!r}" for label in chosen)


def _is_control(label: Any) -> bool:
    words = re.sub(r"[\s_]+", " ", str(label)).strip().casefold()
    return words in _WHOLE or re.search(rf"(?<![\w-])({_WITHIN})(?!\w)", words) is not None


def changes_of_arm(
    arm: IntArray, units: AnyArray, table: pd.DataFrame, kind: str = "clusters"
) -> str | None:
    """Whether units change their arm over time, as in a stepped wedge or a crossover.

    A column counts as time when, in every unit that has both arms, all rows of
    one arm come before all of the other; a value of the column in a unit has
    several rows on average, as a period has and no person's covariate does; and
    one value at least is found with both arms, other than in a copy of the arm.

    Parameters
    ----------
    arm
        0 or 1, shape (n,).
    units
        Label of the cluster or block of each row, shape (n,).
    table
        Columns that may be a time, n rows.
    kind
        What the units are, for the sentence.

    Returns
    -------
    str or None
        A sentence that names the column and the design; None if there is no such column.

    Examples
    --------
    >>> clinic, month = np.repeat([1, 2, 3], 6), np.tile([1, 1, 2, 2, 3, 3], 3)
    >>> changes_of_arm((month > clinic).astype(int), clinic, pd.DataFrame({"month": month}))
    "over 'month' clusters change from control to treated: this looks like a stepped wedge"
    """
    codes = pd.factorize(units)[0]
    treated, size = np.bincount(codes, weights=arm), np.bincount(codes)
    mixed = (treated > 0) & (treated < size)
    rows = np.flatnonzero(mixed[codes])
    if mixed.sum() < 2:
        return None
    in_first = codes[rows] == codes[rows[0]]
    for name in table.columns:
        column = table[name].iloc[rows]
        # Most columns are done with after a look at one unit.
        if not _ordered(column[in_first], arm[rows][in_first]):
            continue
        moment = _moments(column)
        if moment is None:
            continue
        cells = pd.DataFrame({"unit": codes[rows], "time": moment, "arm": arm[rows]})
        if len(rows) < 2 * len(cells[["unit", "time"]].drop_duplicates()):
            continue
        if cells.groupby("time")["arm"].nunique().max() < 2:
            continue
        span = cells.groupby(["unit", "arm"])["time"].agg(["min", "max"]).unstack("arm")
        up = (span["max"][0] < span["min"][1]).to_numpy()
        down = (span["max"][1] < span["min"][0]).to_numpy()
        if up.all():
            return (
                f"over {name!r} {kind} change from control to treated: this looks like a "
                "stepped wedge"
            )
        if (up | down).all():
            return f"over {name!r} {kind} change from one arm to the other, as in a crossover"
    return None


def _ordered(column: pd.Series[Any], arm: IntArray) -> bool:
    """Whether all rows of one arm come before all of the other."""
    moment = _moments(column)
    if moment is None:
        return False
    control, treated = moment[arm == 0], moment[arm == 1]
    return bool(control.max() < treated.min() or treated.max() < control.min())


def _moments(column: pd.Series[Any]) -> AnyArray | None:
    """Order of the values of a column that could be a time; None if it could not."""
    if column.isna().any() or not 2 <= column.nunique() <= _MOST_PERIODS:
        return None
    try:
        return pd.factorize(column.to_numpy(), sort=True)[0]
    except TypeError:
        return None
