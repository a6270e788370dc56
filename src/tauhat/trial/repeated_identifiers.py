"""Identifiers that stand on several rows: what the design explains, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, IntArray
from tauhat.errors import DesignError
from tauhat.tables.labels import read_labels
from tauhat.wording import counted

FEWEST_PERSONS = 5
NEARLY_ALL = 0.95
MANY_VALUES = 10
# Numbers that start again in every cluster reach about as far as the largest cluster.
_BEYOND_LARGEST = 1.5
_MOST_PERIODS = 6


@dataclass(frozen=True)
class Repeats:
    """Values of a column that stand on several rows.

    Attributes
    ----------
    n_values, n_rows
        Number of them, and of their rows.
    n_in_both_arms, n_in_clusters
        How many have rows in both arms, and in more than one cluster.
    examples
        Two of them with the number of their rows.
    codes : ndarray of int
        Number of the value of each row, -1 where it is missing, shape (n,).
    repeated : ndarray of bool
        Which rows have a repeated one, shape (n,).
    """

    n_values: int
    n_rows: int
    n_in_both_arms: int
    n_in_clusters: int
    examples: tuple[tuple[str, int], ...]
    codes: IntArray
    repeated: BoolArray


def find_repeats(
    values: AnyArray, arm: IntArray, clusters: AnyArray | None = None
) -> Repeats | None:
    """Values that stand on several rows, or None if there are none.

    Parameters
    ----------
    values
        Labels, None where missing, shape (n,).
    arm
        0 or 1, shape (n,).
    clusters
        Labels, shape (n,), or None.

    Examples
    --------
    >>> found = find_repeats(np.array(["a", "b", "a"], dtype=object), np.array([0, 1, 1]))
    >>> found.n_values, found.n_in_both_arms, found.examples
    (1, 1, (('a', 2),))
    """
    codes, levels = pd.factorize(values, use_na_sentinel=True)
    size = np.bincount(codes[codes >= 0], minlength=len(levels))
    repeated = (codes >= 0) & (size[codes] > 1)
    if not repeated.any():
        return None
    chosen = sorted(np.flatnonzero(size > 1), key=lambda k: (len(str(levels[k])), str(levels[k])))
    within = pd.Series(codes[repeated])
    split = 0
    if clusters is not None:
        split = int((n_distinct(within, pd.factorize(clusters)[0][repeated]) > 1).sum())
    return Repeats(
        n_values=len(chosen),
        n_rows=int(repeated.sum()),
        n_in_both_arms=int((n_distinct(within, arm[repeated]) > 1).sum()),
        n_in_clusters=split,
        examples=tuple((str(levels[k]), int(size[k])) for k in chosen[:2]),
        codes=codes.astype(np.int64),
        repeated=repeated,
    )


def n_distinct(groups: pd.Series[Any], values: AnyArray) -> pd.Series[Any]:
    """Number of different values in each group."""
    return pd.Series(values).groupby(groups.to_numpy()).nunique()


def persons_are_clusters(found: Repeats, clusters: AnyArray | None) -> bool:
    """Whether each repeated value is a cluster of its own: repeated measures of a person.

    Examples
    --------
    >>> ids, arm = np.array(["a", "a", "b"], dtype=object), np.array([0, 0, 1])
    >>> persons_are_clusters(find_repeats(ids, arm), np.array([7, 7, 9]))
    True
    """
    if clusters is None:
        return False
    cluster = pd.factorize(clusters)[0]
    involved = np.isin(cluster, np.unique(cluster[found.repeated]))
    values_of = n_distinct(pd.Series(cluster[involved]), found.codes[involved])
    clusters_of = n_distinct(pd.Series(found.codes[found.repeated]), cluster[found.repeated])
    return bool((values_of == 1).all() and (clusters_of == 1).all())


def numbered_within(found: Repeats, groups: Sequence[AnyArray | None], arm: IntArray) -> int | None:
    """Which grouping numbers its persons anew in each group, or None.

    Then a value occurs once in a group, in many of them, the values are no more
    than the largest group has persons, and they have nothing to do with arms.

    Parameters
    ----------
    found
        What repeats.
    groups
        Labels of clusters and of blocks, shape (n,) each, or None.
    arm
        0 or 1, shape (n,).

    Examples
    --------
    >>> number, clinic, arm = np.tile([1, 2, 3], 4), np.repeat(list("abcd"), 3), np.arange(12) < 6
    >>> numbered_within(find_repeats(number, arm), [clinic], arm)
    0
    """
    if in_one_arm(found):
        return None
    for k, labels in enumerate(groups):
        if labels is None:
            continue
        group = pd.factorize(labels)[0]
        pairs = pd.DataFrame({"group": group, "value": found.codes})[found.codes >= 0]
        n_values, size = int(found.codes.max()) + 1, np.bincount(group)
        anew = n_values <= _BEYOND_LARGEST * size.max() and len(pairs) >= n_values * len(size) / 2
        # In a few blocks it may be a crossover trial, whose blocks are periods.
        periods = k > 0 and len(size) <= _MOST_PERIODS and balanced(found, arm)
        if anew and not periods and not pairs.duplicated().any():
            return k
    return None


def in_one_arm(found: Repeats) -> bool:
    """Whether the rows of nearly every value are in one arm."""
    return found.n_in_both_arms <= (1 - NEARLY_ALL) * found.n_values


def balanced(found: Repeats, arm: IntArray) -> bool:
    """Whether most values have as many rows in one arm as in the other."""
    treated = pd.Series(arm[found.repeated]).groupby(found.codes[found.repeated]).mean()
    return bool((treated == 0.5).mean() >= 0.8)


def shared_columns(found: Repeats, frame: pd.DataFrame) -> list[str]:
    """Columns of many values in which the rows of nearly every repeated value agree."""
    shared = []
    codes = pd.Series(found.codes[found.repeated])
    for name in frame.columns:
        values = row_codes(frame[name])
        if len(np.unique(values)) < MANY_VALUES:
            continue
        alike = n_distinct(codes, values[found.repeated]) <= 1
        if len(alike) >= FEWEST_PERSONS and alike.mean() >= NEARLY_ALL:
            shared.append(str(name))
    return shared


def check_identifiers(
    column: pd.Series[Any],
    arm: IntArray,
    clusters: AnyArray | None,
    blocks: AnyArray | None,
    frame: pd.DataFrame,
    roles: Mapping[str, str],
) -> str:
    """What to say of identifiers that stand on several rows; empty if there is nothing.

    Parameters
    ----------
    column
        Identifiers of the analysed rows, shape (n,).
    arm
        0 or 1, shape (n,).
    clusters, blocks
        Labels, shape (n,), or None.
    frame
        Covariates, shape (n, p).
    roles
        Column of each role.

    Raises
    ------
    DesignError
        Where they repeat although the design does not say why: persons are not
        the clusters, nor numbered anew in every cluster or block.

    Examples
    --------
    >>> ids, arm = pd.Series(["a", "a", "b", "c"]), np.array([0, 0, 1, 1])
    >>> check_identifiers(ids, arm, None, None, pd.DataFrame(index=range(4)), {"id": "patient"})
    Traceback (most recent call last):
    tauhat.errors.DesignError: id column 'patient': 1 identifier stands on 2 rows with ...
    """
    read = read_labels(column)
    found = find_repeats(read.values, arm, clusters)
    if found is None:
        return ""
    name = roles["id"]
    if persons_are_clusters(found, clusters):
        return (
            f"{found.n_values} persons of {name!r} have several rows and are clusters of their "
            "own: rows count as repeated measurements, persons as the randomized units."
        )
    within = numbered_within(found, (clusters, blocks), arm)
    if within is not None and not shared_columns(found, frame):
        group = roles["cluster" if within == 0 else "block"]
        return f"{name!r} numbers persons anew in each {group!r}; both together tell them apart."
    listed = " and ".join(f"{value!r} on {rows}" for value, rows in found.examples)
    digits = "; its numbers have more digits than its type keeps apart" if read.n_inexact else ""
    stand = counted(found.n_values, "identifier stands", "identifiers stand")
    raise DesignError(
        f"id column {name!r}: {stand} on {found.n_rows} rows with an outcome (for example "
        f"{listed}){where_they_stand(found)}{digits}; one row per person is needed. "
        f"{what_to_do(found, arm, name, roles)}"
    )


def where_they_stand(found: Repeats) -> str:
    """How many repeated values lie in both arms or several clusters, to be added to a sentence."""
    parts = []
    if found.n_in_both_arms:
        parts.append(f"{found.n_in_both_arms} in both arms")
    if found.n_in_clusters:
        parts.append(f"{found.n_in_clusters} in more than one cluster")
    return f", {' and '.join(parts)}" if parts else ""


def what_to_do(found: Repeats, arm: IntArray, name: str, roles: Mapping[str, str]) -> str:
    """What to do about a column whose values repeat, a sentence without its stop."""
    crossed = found.n_values >= FEWEST_PERSONS and balanced(found, arm)
    if crossed and "cluster" not in roles:
        return (
            "Persons have rows in both arms, as in a crossover trial, which is not supported: keep "
            "the first period of each"
        )
    choose = "Choose one row of each, such as one visit, or average them"
    if found.n_in_both_arms or found.n_in_clusters:
        return f"{choose}; correct identifiers that several persons share"
    return (
        f"{choose} (where='visit == 2', or --where, keeps some rows); if all rows are to count, "
        f"say participant={name!r} (--participant on the command line)"
    )


def row_codes(column: pd.Series[Any]) -> IntArray:
    """Number of the value of each row, from 0, a missing one among them."""
    try:
        codes = pd.factorize(column)[0]
    except TypeError:
        codes = pd.factorize(column.astype(str))[0]
    return codes.astype(np.int64) + 1
