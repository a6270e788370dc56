"""Trials with more than two arms: which pairs are compared, and what must hold of all arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, IntArray
from tauhat.errors import DesignError, TrialError
from tauhat.tables.labels import match_label, plain_label, read_labels
from tauhat.trial.roles import MIXED_CLUSTERS, probability
from tauhat.wording import counted, join_words

CONTRASTS = {
    "control": "each arm against the control",
    "sequential": "each arm against the one before it",
    "all": "each pair of arms",
}
"""Which pairs of arms a trial compares."""

# What a probability that was written with two digits can be away from itself.
_ROUNDED = 0.005 + 1e-9


def pairs_of_arms(n_arms: int, contrasts: str) -> list[tuple[int, int]]:
    """Numbers of the arms of each contrast, the reference first.

    Parameters
    ----------
    n_arms
        Number of arms.
    contrasts
        A name of `CONTRASTS`.

    Raises
    ------
    TrialError
        If the name is unknown.

    Examples
    --------
    >>> pairs_of_arms(3, "control"), pairs_of_arms(3, "sequential")
    ([(0, 1), (0, 2)], [(0, 1), (1, 2)])
    >>> len(pairs_of_arms(4, "all"))
    6
    """
    if contrasts not in CONTRASTS:
        raise TrialError(f"contrasts must be one of {', '.join(CONTRASTS)}, got {contrasts!r}")
    if contrasts == "control":
        return [(0, arm) for arm in range(1, n_arms)]
    if contrasts == "sequential":
        return [(arm - 1, arm) for arm in range(1, n_arms)]
    return list(combinations(range(n_arms), 2))


def contrast_name(labels: Sequence[Any], pair: tuple[int, int]) -> str:
    """What a contrast is called: its arm against its reference.

    Examples
    --------
    >>> contrast_name(("placebo", "low", "high"), (0, 2))
    'high against placebo'
    """
    return f"{labels[pair[1]]} against {labels[pair[0]]}"


def named_pairs(labels: Sequence[Any], contrasts: str) -> dict[str, tuple[int, int]]:
    """Numbers of the arms of each contrast by its name, see `pairs_of_arms`.

    Examples
    --------
    >>> named_pairs(("none", "low", "high"), "sequential")
    {'low against none': (0, 1), 'high against low': (1, 2)}
    """
    return {contrast_name(labels, pair): pair for pair in pairs_of_arms(len(labels), contrasts)}


def find_contrast(given: Any, labels: Sequence[Any], pairs: Mapping[str, tuple[int, int]]) -> str:
    """Name of the contrast that is meant.

    Parameters
    ----------
    given
        A name, the label of an arm that is compared with one other, or a pair of labels,
        the reference first.
    labels
        Of the arms, control first.
    pairs
        Arms of each contrast by its name.

    Raises
    ------
    TrialError
        If it is none of these.

    Examples
    --------
    >>> pairs = {"a against c": (0, 1), "b against c": (0, 2)}
    >>> find_contrast("b", "cab", pairs), find_contrast(("c", "a"), "cab", pairs)
    ('b against c', 'a against c')
    """
    if isinstance(given, str) and given in pairs:
        return given
    number = {label: arm for arm, label in enumerate(labels)}
    wanted = given if isinstance(given, (tuple, list)) else (given,)
    arms = [number.get(match_label(label, labels), -1) for label in wanted]
    if len(arms) == 1:
        meant = [name for name, pair in pairs.items() if pair[1] == arms[0]]
    else:
        meant = [name for name, pair in pairs.items() if list(pair) == arms]
    if len(meant) == 1:
        return meant[0]
    known = ", ".join(map(repr, pairs))
    several = "several contrasts are meant by" if meant else "there is no contrast"
    raise TrialError(f"contrast: {several} {given!r}; the contrasts are {known}")


def check_one_arm_each(
    arm: IntArray,
    labels: Sequence[Any],
    clusters: AnyArray | None,
    ids: pd.Series[Any] | None,
) -> None:
    """Raise a `DesignError` when a cluster or a participant is in more than one of many arms.

    Parameters
    ----------
    arm
        Number of the arm of each row, shape (n,).
    labels
        Of the arms.
    clusters
        Label of each row's cluster, shape (n,), or None.
    ids
        Identifier of each row's participant, or None.

    Examples
    --------
    >>> arm, clinic = np.array([0, 1, 2, 2]), np.array(["x", "y", "y", "z"])
    >>> check_one_arm_each(arm, ("c", "a", "b"), clinic, None)
    Traceback (most recent call last):
    tauhat.errors.DesignError: treatment varies within 1 of 3 clusters (for example y: 1 in a ...
    """
    if clusters is not None:
        codes, found = pd.factorize(clusters)
        mixed = _several_arms(arm, codes)
        if len(mixed):
            example = f"{found[mixed[0]]}: {_arms_of(arm[codes == mixed[0]], labels)}"
            raise DesignError(
                f"treatment varies within {len(mixed)} of {len(found)} clusters (for example "
                f"{example}); {MIXED_CLUSTERS}"
            )
    if ids is not None and clusters is None:
        read = read_labels(ids)
        codes = pd.factorize(read.values)[0]
        mixed = _several_arms(arm, codes, ~np.asarray(read.missing, dtype=bool))
        if len(mixed):
            raise DesignError(
                f"{counted(len(mixed), 'participant')} of {ids.name!r} "
                f"{'is' if len(mixed) == 1 else 'are'} in more than one arm. If everybody had one "
                "treatment after the other, this looks like a crossover trial, which is not "
                "supported; otherwise put the identifiers right"
            )


def _several_arms(arm: IntArray, codes: IntArray, counts: Any = slice(None)) -> IntArray:
    """Units with rows in more than one arm."""
    cells = np.unique(np.column_stack([codes[counts], arm[counts]]), axis=0)
    found: IntArray = np.flatnonzero(np.bincount(cells[:, 0]) > 1)
    return found


def _arms_of(arm: IntArray, labels: Sequence[Any]) -> str:
    """Persons in each arm, in words."""
    count = np.bincount(arm, minlength=len(labels))
    return join_words([f"{count[a]} in {labels[int(a)]}" for a in np.flatnonzero(count)])


def chances_of_arms(
    propensity: Any, labels: Sequence[Any], column: pd.Series[Any]
) -> tuple[float, ...] | None:
    """Probability of each arm, or None where none was given.

    Parameters
    ----------
    propensity
        Probability of each arm by its label, or None. Of arms that are left out it may have one.
    labels
        Of the arms that are compared, more than two.
    column
        Label of everyone's arm.

    Raises
    ------
    TrialError
        If it is no such mapping, names what is no arm, or does not add up to 1. It may add up to
        less where arms are left out and have no probability.

    Examples
    --------
    >>> everyone = pd.Series(["c", "a", "b"])
    >>> chances_of_arms({"c": 0.5, "a": 0.25, "b": 0.25}, ("c", "a", "b"), everyone)
    (0.5, 0.25, 0.25)
    """
    if propensity is None:
        return None
    given = propensity if isinstance(propensity, Mapping) else {}
    chosen = [match_label(label, given) for label in labels]
    if None in chosen:
        raise TrialError(
            f"propensity: of {len(labels)} arms it is a mapping from each arm's label to its "
            "probability, in Python only; leave it out for the shares of the arms, or name two "
            "arms by arms="
        )
    arms = list(pd.unique(read_labels(column, keep=list(map(str, labels))).values))
    keys = [match_label(label, propensity) for label in arms]
    unknown = [key for key in propensity if key not in keys]
    if unknown:
        raise TrialError(
            f"propensity names {unknown[0]!r}, which is no arm; the arms are "
            f"{join_words(list(map(repr, map(plain_label, arms))))}"
        )
    chances = {key: probability(propensity[key], f" of arm {key!r}") for key in propensity}
    total, rounding = sum(chances.values()), _ROUNDED * len(chances)
    if total > 1 + rounding or (total < 1 - rounding and None not in keys):
        raise TrialError(
            f"propensity must add up to 1 over the arms, got {total:g}: give each arm the "
            "probability that the design gave it"
        )
    return tuple(chances[key] for key in chosen)


def pair_propensity(chances: Sequence[float] | None, pair: tuple[int, int]) -> float | None:
    """Probability of the second of two arms for whoever has one of them.

    Parameters
    ----------
    chances
        Probability of each arm, or None.
    pair
        Numbers of the two.

    Examples
    --------
    >>> pair_propensity((0.5, 0.25, 0.25), (0, 1))
    0.3333333333333333
    """
    if chances is None:
        return None
    first, second = (chances[arm] for arm in pair)
    return second / (first + second)
