"""Levels within randomized clusters, such as providers in clinics, and repeated participants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, IntArray
from tauhat.errors import DesignError, TrialError
from tauhat.tables.labels import plain_label
from tauhat.trial.one_arm import labels_of_clusters
from tauhat.trial.roles import label_values
from tauhat.wording import counted, first_of

PARTICIPANT = "participant"
# Numbers that start again in every cluster reach about as far as the largest cluster.
_BEYOND_LARGEST = 1.5


def level_role(level: int) -> str:
    """Role of the column of a level, of which the randomized clusters are the first."""
    return f"level {level}"


def level_columns(cluster: Any, participant: str | None) -> dict[str, Any]:
    """Column of the randomized cluster and of each level within it, by role.

    Parameters
    ----------
    cluster
        Name of a column, or several, the outermost first; None if persons were randomized.
    participant
        Column of the participant, of whom several rows may be there, or None. Without a cluster
        it is the randomized unit.

    Examples
    --------
    >>> level_columns(["clinic", "provider"], "patient")
    {'cluster': 'clinic', 'level 2': 'provider', 'participant': 'patient'}
    >>> level_columns(None, "patient")
    {'cluster': 'patient'}
    """
    names = list(cluster) if isinstance(cluster, (list, tuple)) else [cluster]
    if not names:
        raise TrialError("cluster is an empty list; leave it out if persons were randomized")
    if names[0] is None:
        return {"cluster": participant}
    roles = {"cluster": names[0]}
    roles |= {level_role(level): name for level, name in enumerate(names[1:], start=2)}
    return {**roles, PARTICIPANT: participant} if participant is not None else roles


def is_level(role: str) -> bool:
    """Whether a role is that of a level within clusters.

    Examples
    --------
    >>> is_level("level 2"), is_level("participant"), is_level("cluster")
    (True, True, False)
    """
    return role == PARTICIPANT or role.startswith("level ")


def check_levels(labels: Sequence[AnyArray], names: Sequence[str]) -> tuple[AnyArray, ...]:
    """Labels of the levels within clusters, once it is clear how they are nested.

    Where labels start again in every cluster, such as 1 and 2, those of different clusters are
    different units. Otherwise a label is a unit, which lies in one cluster.

    Parameters
    ----------
    labels
        Of the clusters, then of each level within, outermost first, shape (n,) each.
    names
        Of their columns.

    Returns
    -------
    tuple of ndarray
        Labels of the levels within clusters.

    Raises
    ------
    DesignError
        If units lie in more than one cluster.

    Examples
    --------
    >>> clinic, provider = np.array(list("aabb")), np.array(["1", "2", "1", "2"])
    >>> len(check_levels([clinic, provider], ["clinic", "provider"]))
    1
    >>> check_levels([np.array(list("aabbc")), np.array(list("uvwxu"))], ["clinic", "provider"])
    Traceback (most recent call last):
    tauhat.errors.DesignError: 1 unit of 'provider' lies in more than one of 'clinic': 'u'...
    """
    outer = pd.factorize(labels[0])[0]
    for level in range(1, len(labels)):
        codes, units = pd.factorize(labels[level])
        cells = np.unique(np.column_stack([outer, codes]), axis=0)
        largest = int(np.bincount(cells[:, 0]).max())
        split = np.flatnonzero(np.bincount(cells[:, 1]) > 1)
        if len(split) and len(units) > _BEYOND_LARGEST * largest:
            inner, outside = names[level], names[level - 1]
            found = first_of([repr(plain_label(units[k])) for k in split], 5)
            lies = counted(len(split), f"unit of {inner!r} lies", f"units of {inner!r} lie")
            raise DesignError(
                f"{lies} in more than one of {outside!r}: {found}. {_advice(outer, codes, names)}"
            )
        outer = pd.factorize(outer * (len(units) + 1) + codes)[0]
    return tuple(labels[1:])


def check_participants(arm: IntArray, labels: AnyArray, name: str) -> None:
    """Raise a `DesignError` when participants who were randomized are in more than one arm.

    Parameters
    ----------
    arm
        Number of the arm of each row, shape (n,).
    labels
        Of the participants, shape (n,).
    name
        Of their column.

    Examples
    --------
    >>> check_participants(np.array([0, 1, 1]), np.array(["a", "a", "b"]), "patient")
    Traceback (most recent call last):
    tauhat.errors.DesignError: 1 participant of 'patient' is in more than one arm: 'a'. If ...
    """
    codes, units = pd.factorize(labels)
    cells = np.unique(np.column_stack([codes, arm]), axis=0)
    mixed = np.flatnonzero(np.bincount(cells[:, 0]) > 1)
    if len(mixed):
        found = first_of([repr(plain_label(units[k])) for k in mixed], 5)
        raise DesignError(
            f"{counted(len(mixed), 'participant')} of {name!r} "
            f"{'is' if len(mixed) == 1 else 'are'} in more than one arm: {found}. If everybody had "
            "one treatment after the other, this looks like a crossover of persons, which is not "
            "supported: keep the first period of each; otherwise put the identifiers right"
        )


def clusters_and_levels(
    table: pd.DataFrame,
    roles: Mapping[str, str],
    arm: IntArray,
    arm_labels: Sequence[Any],
    participant: str | None,
) -> tuple[AnyArray | None, tuple[AnyArray, ...]]:
    """Labels of the randomized clusters, or None, and of each level within, outermost first.

    Parameters
    ----------
    table
        The trial's columns, n rows.
    roles
        Column of each role.
    arm
        Number of each row's arm, shape (n,).
    arm_labels
        Of the arms.
    participant
        Column of the participant, or None.

    Raises
    ------
    DesignError
        If units of a level lie in several of the one before, or participants in several arms.
    """
    if "cluster" not in roles:
        return None, ()
    name = roles["cluster"]
    within = {role: column for role, column in roles.items() if is_level(role)}
    levels = bool(within) or "period" in roles
    clusters = labels_of_clusters(table[name], arm, arm_labels, levels=levels)
    if participant == name:
        check_participants(arm, clusters, name)
    labels = [label_values(table[column], role) for role, column in within.items()]
    try:
        return clusters, check_levels([clusters, *labels], [name, *within.values()])
    except DesignError:
        if PARTICIPANT in within:
            # That some were seen under both arms says more than that they were in two clusters.
            check_participants(arm, labels[list(within).index(PARTICIPANT)], within[PARTICIPANT])
        raise


def with_levels(clusters: AnyArray | None, within: Sequence[AnyArray]) -> AnyArray | None:
    """Labels of clusters, shape (n,), and where there are levels within, shape (n, levels)."""
    if not within:
        return clusters
    return np.column_stack([np.asarray(labels, dtype=object) for labels in (clusters, *within)])


def _advice(outer: IntArray, codes: IntArray, names: Sequence[str]) -> str:
    """What may be meant by levels that are not nested."""
    cells = np.unique(np.column_stack([outer, codes]), axis=0)
    if (np.bincount(cells[:, 0]) == 1).all():
        first, *others = (repr(name) for name in (names[1], names[0], *names[2:]))
        listed = ", ".join([first, *others])
        return f"The outermost level comes first: cluster=[{listed}]"
    return (
        "Correct labels that are shared by mistake. If its units cross the clusters, such as "
        f"neighbourhoods beside schools, say cluster={names[0]!r}, crossed={names[1]!r}"
    )
