"""What each column of a trial's table is for, checked one role at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.errors import DesignError, TrialError
from tauhat.tables.columns import (
    level_labels,
    missing_values,
    numeric_values,
)
from tauhat.tables.labels import (
    match_label,
    plain_label,
    read_labels,
    words_read_as_missing,
)
from tauhat.tables.table_limits import close_names
from tauhat.trial.design_hints import changes_of_arm, staggered_change
from tauhat.wording import counted, first_of

_OVER_TIME = (
    "Say so, or what else changed over time would count as an effect: give these units as cluster "
    "and the column of the time as period"
)
MIXED_CLUSTERS = (
    "in a cluster-randomized trial it is constant. If persons were randomized within these units, "
    "they are blocks: give them as block and not as cluster. If the units changed their arm over "
    "time (stepped wedge, crossover), give the column of the time as period"
)


def require_column(table: pd.DataFrame, name: Any, role: str) -> str:
    """Name of a column that must exist, or a `TrialError` with the close matches.

    Examples
    --------
    >>> require_column(pd.DataFrame({"clinic": [1]}), "clinik", "cluster")
    Traceback (most recent call last):
    tauhat.errors.TrialError: cluster: there is no column 'clinik'; did you mean 'clinic'?
    """
    if not isinstance(name, (str, int, np.integer)):
        raise TrialError(f"{role} must be the name of a column, got {type(name).__name__}")
    if str(name) in table.columns:
        return str(name)
    known = f"; the columns are {first_of(list(map(repr, table.columns)), 15)}"
    hint = close_names(name, table.columns) or known
    raise TrialError(f"{role}: there is no column {str(name)!r}{hint}")


def require_columns(table: pd.DataFrame, names: Sequence[Any], role: str) -> list[str]:
    """Names of columns that must exist, each once.

    Examples
    --------
    >>> require_columns(pd.DataFrame({"a": [1], "b": [2]}), ["b", "a", "b"], "covariates")
    ['b', 'a']
    """
    if isinstance(names, str):
        raise TrialError(f"{role} must be a list of columns; write {role}=[{names!r}]")
    return list(dict.fromkeys(require_column(table, name, role) for name in names))


def single_roles(table: pd.DataFrame, **given: str | None) -> dict[str, str]:
    """Column of each role that has one; only a person may be both identifier and unit.

    Examples
    --------
    >>> single_roles(pd.DataFrame(columns=["y", "arm"]), outcome="y", treatment="arm", id=None)
    {'outcome': 'y', 'treatment': 'arm'}
    """
    roles: dict[str, str] = {}
    for role, name in given.items():
        if name is None and role not in ("outcome", "treatment"):
            continue
        column = require_column(table, name, role)
        units = (roles.get("cluster"), roles.get("participant"))
        if column in roles.values() and not (role == "id" and column in units):
            taken = next(other for other in roles if roles[other] == column)
            raise TrialError(f"column {column!r} cannot be both {taken} and {role}")
        roles[role] = column
    return roles


def whole_numbers(column: pd.Series[Any], role: str, meaning: str) -> FloatArray:
    """Numbers of persons or events, NaN where missing; a `TrialError` unless all are whole.

    Parameters
    ----------
    column
        Shape (n,).
    role
        Of the column.
    meaning
        What says that it holds such numbers, to end the message.

    Examples
    --------
    >>> whole_numbers(pd.Series([2, 0.5], name="falls"), "outcome", "falls are counted")
    Traceback (most recent call last):
    tauhat.errors.TrialError: outcome column 'falls' has 1 value that is negative or not whole, ...
    """
    values = numeric_values(column, str(column.name))
    wrong = ~np.isnan(values) & ((values < 0) | (values != np.floor(values)))
    refuse_numbers(
        values, wrong, f"{role} column {column.name!r}", "negative or not whole", meaning
    )
    return values


def refuse_numbers(
    values: FloatArray, wrong: BoolArray, column: str, fault: str, advice: str
) -> None:
    """Raise a `TrialError` if any of a column's numbers are wrong, with their count and the first.

    Examples
    --------
    >>> years = np.array([1.5, -2.0])
    >>> refuse_numbers(years, years < 0, "exposure column 'years'", "negative", "correct it")
    Traceback (most recent call last):
    tauhat.errors.TrialError: exposure column 'years' has 1 value that is negative, such as -2; ...
    """
    if wrong.any():
        raise TrialError(
            f"{column} has {counted(int(wrong.sum()), 'value')} that "
            f"{'are' if wrong.sum() > 1 else 'is'} {fault}, such as {values[wrong][0]:g}; {advice}"
        )


def label_values(column: pd.Series[Any], role: str) -> AnyArray:
    """Labels of clusters or blocks, none of them missing.

    Examples
    --------
    >>> label_values(pd.Series(["a", None], name="clinic"), "cluster")
    Traceback (most recent call last):
    tauhat.errors.TrialError: cluster column 'clinic' is missing in 1 of 2 rows; fill it in
    """
    read = read_labels(column)
    if read.missing.any():
        raise TrialError(
            f"{role} column {column.name!r} is missing in {int(read.missing.sum())} of "
            f"{len(column)} rows{words_read_as_missing(read)}; fill it in"
        )
    return read.values


def check_units(
    arm: IntArray,
    clusters: AnyArray | None,
    blocks: AnyArray | None,
    observed: BoolArray,
    where: str = "",
    table: pd.DataFrame | None = None,
) -> None:
    """Raise a `DesignError` when arms, clusters and blocks do not make a two-arm trial.

    Parameters
    ----------
    arm
        0 or 1, shape (n,).
    clusters, blocks
        Labels, shape (n,), or None.
    observed
        Which rows have an outcome, shape (n,).
    where
        Which part of the trial ``observed`` keeps to, in words.
    table
        Columns in which a change of the arms over time may be seen, n rows.

    Examples
    --------
    >>> check_units(np.array([0, 1, 1, 0]), np.array([1, 1, 2, 2]), None, np.ones(4, bool))
    Traceback (most recent call last):
    tauhat.errors.DesignError: treatment varies within 2 of 2 clusters (for example 1: 1 ...
    """
    where = where and f" {where}"
    if clusters is None:
        if table is not None:
            changes = None if blocks is None else changes_of_arm(arm, blocks, table, "blocks")
            changes = changes or staggered_change(arm, None, blocks, table)
            if changes:
                raise DesignError(f"{changes}. {_OVER_TIME}")
        few = int(min((arm[observed] == 0).sum(), (arm[observed] == 1).sum()))
        if few < 2:
            raise DesignError(
                f"the control arm has {int((arm[observed] == 0).sum())} and the treated arm "
                f"{counted((arm[observed] == 1).sum(), 'person')} with an outcome{where}; "
                "two in each are needed"
            )
        return
    codes, labels = pd.factorize(clusters)
    size = np.bincount(codes)
    treated = np.bincount(codes, weights=arm).astype(np.int64)
    mixed = np.flatnonzero((treated > 0) & (treated < size))
    if len(mixed):
        k = mixed[0]
        changes = None if table is None else changes_of_arm(arm, clusters, table)
        raise DesignError(
            f"treatment varies within {len(mixed)} of {len(size)} clusters (for example "
            f"{labels[k]}: {size[k] - treated[k]} control and "
            f"{counted(treated[k], 'treated person')}); "
            + (f"{changes}. {_OVER_TIME}" if changes else MIXED_CLUSTERS)
        )
    staggered = None if table is None else staggered_change(arm, clusters, blocks, table)
    if staggered:
        raise DesignError(f"{staggered}. {_OVER_TIME}")
    with_outcome = np.bincount(codes, weights=observed) > 0
    per_arm = [int(((treated > 0) == a)[with_outcome].sum()) for a in (False, True)]
    if min(per_arm) < 2:
        one = int(np.argmin(per_arm))
        if size[(treated > 0) != bool(one)].max(initial=0) == 1 and max(per_arm) > 1:
            raise DesignError(
                f"the {('control', 'treated')[one]} arm has {counted(per_arm[one], 'cluster')} "
                f"with outcomes{where}, and the other one single persons; at least two clusters "
                "are needed to tell effects from cluster differences"
            )
        only = [labels[k] for k in np.flatnonzero(with_outcome & ((treated > 0) == bool(one)))]
        empty = (
            f". If {plain_label(only[0])!r} says that persons of that arm had no cluster, leave "
            "its cells empty: clusters in one arm only"
            if min(per_arm) == 1 < max(per_arm)
            else ""
        )
        raise DesignError(
            f"there are {per_arm[0]} control and {per_arm[1]} treated clusters with outcomes"
            f"{where}; at least two in each arm are needed to tell effects from cluster "
            "differences. With one cluster in an arm a comparison is one of two places: if persons "
            f"were randomized within clusters, these are blocks{empty}"
        )
    if blocks is not None:
        pairs = pd.DataFrame({"cluster": codes, "block": pd.factorize(blocks)[0]})
        several = pairs.drop_duplicates().groupby("cluster").size() > 1
        split = np.flatnonzero(several.to_numpy())
        if len(split):
            found = first_of([repr(plain_label(labels[k])) for k in split], 5)
            raise DesignError(
                f"the block varies within {len(split)} of {len(size)} clusters ({found}); "
                "a cluster lies in one block. Leave block out if it names parts of clusters; if it "
                "names what was randomized within larger units, it is the cluster and they are the "
                "block"
            )


def row_propensity(
    propensity: Any, blocks: AnyArray | None, compared: BoolArray
) -> FloatArray | None:
    """Probability of treatment of each row from a number or one number a block.

    Parameters
    ----------
    propensity
        A number, a mapping from block label to number, or None.
    blocks
        Block labels, shape (n,), or None.
    compared
        Which rows lie in a block that holds both arms, shape (n,).

    Returns
    -------
    ndarray, shape (n,), or None

    Raises
    ------
    TrialError
        If a block has no value, or one that is not strictly between 0 and 1; where a
        block has one arm only, 0 and 1 may be its design.

    Examples
    --------
    >>> compared = np.array([True, True, False])
    >>> row_propensity({"a": 0.5, "b": 0.25, "c": 0}, np.array(["b", "a", "c"]), compared).tolist()
    [0.25, 0.5, 0.0]
    """
    if propensity is None:
        return None
    if isinstance(propensity, Mapping):
        if blocks is None:
            raise TrialError("propensity has a number for each block, but block= is not given")
        values: dict[Any, float] = {}
        for block in pd.unique(blocks):
            key = match_label(block, propensity)
            if key is None:
                raise TrialError(f"propensity has no number for block {plain_label(block)!r}")
            of_block = f" of block {plain_label(block)!r}"
            values[block] = probability(
                propensity[key], of_block, compared=compared[blocks == block].all()
            )
        return np.array([values[block] for block in blocks])
    return np.full(len(compared), probability(propensity))


def probability(value: Any, of_what: str = "", *, compared: bool = True) -> float:
    """A probability of treatment as a number.

    Parameters
    ----------
    value
        As it was given.
    of_what
        Whose it is, in words after "propensity".
    compared
        Whether both arms are possible; otherwise 0 and 1 are too.

    Examples
    --------
    >>> probability(1.5, " of arm 'new'")
    Traceback (most recent call last):
    tauhat.errors.TrialError: propensity of arm 'new' must lie strictly between 0 and 1, got 1.5
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TrialError(
            f"propensity{of_what} must be a number"
            + (", " if of_what else " or a mapping from block to number, ")
            + f"got {value!r}"
        ) from None
    if not 0 < number < 1 and (compared or number not in (0, 1)):
        raise TrialError(f"propensity{of_what} must lie strictly between 0 and 1, got {number:g}")
    return number


def varies_within(column: pd.Series[Any], codes: IntArray, *, ignore_missing: bool) -> int:
    """Number of clusters in which a column takes more than one value.

    Parameters
    ----------
    column
        Any type, shape (n,).
    codes
        Cluster number 0 to m - 1, shape (n,).
    ignore_missing
        Whether a missing value agrees with any other one.

    Examples
    --------
    >>> urban = pd.Series([1, None, 0, 1])
    >>> varies_within(urban, np.array([0, 0, 1, 1]), ignore_missing=True)
    1
    """
    missing = missing_values(column)
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    values = pd.factorize(column if numeric else level_labels(column), use_na_sentinel=True)[0]
    if ignore_missing:
        codes, values = codes[~missing], values[~missing]
        if len(codes) == 0:
            return 0
    m = int(codes.max()) + 1
    low = np.full(m, np.iinfo(np.int64).max)
    high = np.full(m, np.iinfo(np.int64).min)
    np.minimum.at(low, codes, values)
    np.maximum.at(high, codes, values)
    return int((high > low).sum())


def complete_within(frame: pd.DataFrame, names: Sequence[str], clusters: AnyArray) -> pd.DataFrame:
    """Take a cluster-level value that some persons lack from others of their cluster.

    Examples
    --------
    >>> frame = pd.DataFrame({"urban": [None, 1.0, 0.0]})
    >>> complete_within(frame, ["urban"], np.array(["a", "a", "b"]))["urban"].tolist()
    [1.0, 1.0, 0.0]
    """
    missing = {name: missing_values(frame[name]) for name in names}
    incomplete = [name for name in names if missing[name].any()]
    if not incomplete:
        return frame
    frame = frame.copy()
    codes = pd.factorize(clusters)[0]
    for name in incomplete:
        present = frame[name].mask(missing[name])
        first = present.groupby(codes).first()
        frame[name] = present.where(~missing[name], first.to_numpy()[codes])
    return frame
