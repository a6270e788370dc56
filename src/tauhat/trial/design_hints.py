"""What an error about the arms advises: which label is the control, which design this may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import comb

from tauhat._typing import AnyArray, IntArray
from tauhat.tables.columns import has_more_values
from tauhat.tables.text_order import order_of_texts

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
MOST_PERIODS = 60
# A stepped wedge has at least so many periods, and steps if the column's name is of no time; and
# most of its units are there in each.
_FEWEST_PERIODS = 3
_FEWEST_STEPS = 3
_TIME = re.compile(
    r"period|time|month|week|day|date|year|quarter|season|semester|trimester|wave|step|phase|round"
    r"|visit|calendar|epoch"
)
_MOSTLY_COMPLETE = 0.7
# Chance that units allocated at random within each centre would stand in such an order: with one
# in each period of each centre, which covariates hardly ever make, and with several.
_CHANCE = 0.02
_CHANCE_IF_SEVERAL = 1e-6


# "north-3", "Clinic 4 month 2", "c12p3": a name that holds the unit, and a number at its end;
# and 403, 1203 for month 3 of centres 4 and 12.
_LABELS = [
    re.compile(r"(.*[^\W\d_].*?|\d+)(?:[\W_]+|[\W_]*[^\W\d_]+[\W_]*)(\d+)"),
    re.compile(r"(\d+)(\d)"),
    re.compile(r"(\d+)(\d\d)"),
]


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
        moment = order_of_moments(column)
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


@dataclass(frozen=True)
class _Column:
    """What may name the centres, or the periods, of clusters; as either, in words."""

    as_time: str
    as_centre: str
    order: IntArray
    fewest_steps: int = _FEWEST_STEPS


def staggered_change(
    arm: IntArray, units: AnyArray | None, blocks: AnyArray | None, table: pd.DataFrame
) -> str | None:
    """Whether units are periods of centres, or their persons, that change arms one by one.

    So it is if some column, or the first part of the clusters' labels, names
    centres and another one, or the second part, their periods: each centre
    that has both arms is under control in all periods up to one, and treated
    after, with at least three such moments, or two in a column called month or the
    like; the first period of all is one of controls or
    the last one of treated; and clusters allocated at random within centres would
    hardly ever stand in such an order.

    Parameters
    ----------
    arm
        0 or 1, constant within clusters, shape (n,).
    units, blocks
        Label of the cluster and of the block of each row, shape (n,), or None.
    table
        Columns without a role, n rows.

    Returns
    -------
    str or None
        A sentence that names the columns and the design; None if there are no such columns.

    Examples
    --------
    >>> centre, month = np.repeat(list("abcd"), 5), np.tile(np.arange(5), 4)
    >>> treated = (month > pd.factorize(centre)[0]).astype(int)
    >>> table = pd.DataFrame({"month": month})
    >>> staggered_change(treated, np.arange(20), centre, table)
    "over 'month' the blocks change from control to treated one after the other: this looks ..."
    """
    codes, labels = pd.factorize(np.arange(len(arm)) if units is None else units)
    first = np.unique(codes, return_index=True)[1]
    m, arm_of = len(first), arm[first]

    def columns_of(most: int) -> list[_Column]:
        """What may name periods or centres, with at most so many values where it is a column."""
        columns: list[_Column] = []
        for name in table.columns:
            moment = _codes_of_clusters(table[name], codes, first, most)
            if moment is not None:
                steps = 2 if _TIME.search(str(name).casefold()) else _FEWEST_STEPS
                columns.append(_Column(repr(name), f"the values of {name!r}", moment, steps))
        if blocks is not None:
            of_block = _codes_of_clusters(pd.Series(blocks), codes, first, most)
            if of_block is not None:
                columns.append(_Column("the blocks", "the blocks", of_block))
        if units is not None:
            columns += [
                _Column(
                    f"the {part} part of the clusters' labels",
                    f"the {part} parts of their labels",
                    order,
                )
                for part, order in _parts_of_labels(labels)
            ]
        return columns

    # Most trials have nothing that may be periods, and then no centres need be looked for.
    if not any(_may_be_periods(column.order, arm_of) for column in columns_of(MOST_PERIODS)):
        return None
    columns = columns_of(m)
    for time in (column for column in columns if _may_be_periods(column.order, arm_of)):
        for centre in columns:
            if centre is time or not 2 <= centre.order.max() + 1 < m:
                continue
            if _staggered(arm_of, centre.order, time.order, time.fewest_steps):
                what = "" if units is None else ", whose clusters are periods of units"
                return (
                    f"over {time.as_time} {centre.as_centre} change from control to treated one "
                    f"after the other: this looks like a stepped wedge{what}"
                )
    return None


def _codes_of_clusters(
    column: pd.Series[Any], codes: IntArray, first: IntArray, most: int
) -> IntArray | None:
    """Order of a column's values, one a cluster; None if they vary within, or are more."""
    of_cluster = column.iloc[first]
    try:
        same = (column.to_numpy() == of_cluster.to_numpy()[codes]).all()
    except (TypeError, ValueError):
        return None
    return order_of_moments(of_cluster, most) if same else None


def _parts_of_labels(labels: AnyArray) -> Iterator[tuple[str, IntArray]]:
    """Two parts of the clusters' labels, where all have a number at the end, apart from the rest.

    Labels of digits alone are split before the last one and the last two.
    """
    texts = [str(label) for label in labels]
    for pattern in _LABELS:
        split = [pattern.fullmatch(text) for text in texts]
        if all(split):
            names, numbers = zip(*(match.groups() for match in split if match), strict=True)
            yield "first", pd.factorize(np.array(names))[0]
            yield "last", pd.factorize(np.array(numbers, dtype=np.float64), sort=True)[0]


def _may_be_periods(moment: IntArray, arm: IntArray) -> bool:
    """Whether all units begin as controls, or end as treated."""
    last = moment.max()
    if not _FEWEST_PERIODS <= last + 1 <= MOST_PERIODS:
        return False
    return bool(arm[moment == 0].max() == 0 or arm[moment == last].min() == 1)


def _staggered(arm: IntArray, centre: IntArray, moment: IntArray, fewest: int) -> bool:
    """Whether centres go from control to treated at so many different moments, not by chance."""
    treated, size = np.bincount(centre, weights=arm), np.bincount(centre)
    mixed = (treated > 0) & (treated < size)
    if mixed.sum() < 2:
        return False
    last_control, first_treated = np.full(len(size), -1), np.full(len(size), moment.max() + 1)
    np.maximum.at(last_control, centre[arm == 0], moment[arm == 0])
    np.minimum.at(first_treated, centre[arm == 1], moment[arm == 1])
    if (last_control >= first_treated)[mixed].any():
        return False
    cells = pd.DataFrame({"centre": centre, "moment": moment, "arm": arm})[mixed[centre]]
    with_both = int((cells.groupby("moment")["arm"].nunique() == 2).sum())
    if min(len(np.unique(first_treated[mixed])), with_both + 1) < fewest:
        return False
    seen = len(cells[["centre", "moment"]].drop_duplicates())
    if seen < _MOSTLY_COMPLETE * mixed.sum() * cells["moment"].nunique():
        return False
    chance = (1 / comb(size[mixed], treated[mixed])).prod()
    return bool(chance < (_CHANCE if seen == len(cells) else _CHANCE_IF_SEVERAL))


def _ordered(column: pd.Series[Any], arm: IntArray) -> bool:
    """Whether all rows of one arm come before all of the other."""
    moment = order_of_moments(column)
    if moment is None:
        return False
    control, treated = moment[arm == 0], moment[arm == 1]
    return bool(control.max() < treated.min() or treated.max() < control.min())


def order_of_moments(column: pd.Series[Any], most: int = MOST_PERIODS) -> AnyArray | None:
    """Order of the values of a column that could be a time; None if it could not."""
    try:
        if column.isna().any() or has_more_values(column, most) or column.nunique() < 2:
            return None
        if pd.api.types.is_numeric_dtype(column.dtype):
            return pd.factorize(column.to_numpy(), sort=True)[0]
        codes, labels = pd.factorize(column.astype(object).to_numpy())
        order = order_of_labels(column, list(labels))
        if order is None:
            order = sorted(range(len(labels)), key=lambda k: _natural(labels[k]))
    except TypeError:
        return None
    return np.argsort(order)[codes]


def order_of_labels(column: pd.Series[Any], labels: Sequence[Any]) -> list[int] | None:
    """Places of a column's values in the order of its categories, or that which text says.

    None where text says none.

    Examples
    --------
    >>> halves = pd.Categorical(["new", "old"], categories=["old", "new"], ordered=True)
    >>> order_of_labels(pd.Series(halves), ["new", "old"])
    [1, 0]
    """
    if isinstance(column.dtype, pd.CategoricalDtype) and column.dtype.ordered:
        places = column.dtype.categories.get_indexer(pd.Index(labels, dtype=object))
        return [int(k) for k in np.argsort(places)]
    if any(isinstance(label, str) for label in labels):
        return order_of_texts([str(label) for label in labels])
    return sorted(range(len(labels)), key=lambda k: labels[k])


def _natural(label: Any) -> Any:
    """What sorts "month 10" behind "month 9"."""
    if not isinstance(label, str):
        return label
    parts = re.split(r"(\d+)", label.casefold())
    return [int(part) if k % 2 else part for k, part in enumerate(parts)]
