"""The assignments that the randomization could have produced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import factorial, prod

import numpy as np

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.arguments import check_count
from tauhat.errors import TrialError
from tauhat.numerics.seeds import derive_seed

# With no more allocations than this all of them are used, and the p-value has no Monte Carlo error.
MOST_ENUMERATED = 10_000

# Draws made at a time: bounds memory, and fixes the random streams whatever the machine.
BATCH = 256

# More persons than this are permuted in groups, of which there are about a quarter as many.
MANY_PERSONS = 20_000
_GROUPS = 5_000
# Groups of each arm that a stratum keeps if it has the persons.
_GROUPS_OF_AN_ARM = 10


@dataclass(frozen=True)
class Assignments:
    """The observed assignment and those it is compared with.

    Attributes
    ----------
    arm
        Observed arm of each unit, shape (m,).
    stratum
        Stratum of each unit, within which arms were permuted, shape (m,).
    n_assignments
        Number of assignments in all, the observed one included.
    enumerated
        Whether these are all that could have been drawn.
    seed
        Seed of the random draws.
    listed
        The assignments after the observed one when they are known, shape
        (n_assignments - 1, m), else None.
    """

    arm: IntArray
    stratum: IntArray
    n_assignments: int
    enumerated: bool
    seed: int
    listed: AnyArray | None = None

    @property
    def words(self) -> str:
        """What was compared with the observed assignment.

        Examples
        --------
        >>> drawn = assignments(np.array([0, 0, 1, 1]), np.zeros(4, int), n_permutations=9,
        ...                     random_state=1)
        >>> drawn.words
        'all 6 possible assignments'
        """
        if self.enumerated:
            return f"all {self.n_assignments} possible assignments"
        return f"{self.n_assignments - 1} random assignments"

    @property
    def smallest_p(self) -> float:
        """Smallest p-value that a two-sided statistic can get from the observed assignment.

        Its opposite, where that was possible too, always has the same statistic.

        Examples
        --------
        >>> strata = np.zeros(5, dtype=int)
        >>> for arm in ([0, 0, 1, 1], [0, 0, 0, 1, 1]):
        ...     stratum = strata[: len(arm)]
        ...     drawn = assignments(np.array(arm), stratum, n_permutations=99, random_state=0)
        ...     drawn.n_assignments, round(drawn.smallest_p, 3)
        (6, 0.333)
        (10, 0.1)
        """
        listed = np.empty((0, len(self.arm))) if self.listed is None else self.listed
        opposite = bool((listed == 1 - self.arm).all(axis=1).any())
        return (1 + opposite) / self.n_assignments

    def batches(self) -> Iterator[FloatArray]:
        """Arms of the units, shape (k, m) each; the very first row is the observed one."""
        observed = self.arm.astype(np.float64)[None, :]
        remaining = self.n_assignments - 1
        for number, start in enumerate(range(0, remaining, BATCH)):
            size = min(BATCH, remaining - start)
            if self.listed is not None:
                rows = self.listed[start : start + size].astype(np.float64)
            else:
                rows = self._draw(size, derive_seed(self.seed, "assignments", number))
            yield np.concatenate([observed, rows]) if start == 0 else rows

    def _draw(self, size: int, seed: int) -> FloatArray:
        rng = np.random.default_rng(seed)
        rows = np.empty((size, len(self.arm)))
        for stratum in np.unique(self.stratum):
            members = np.flatnonzero(self.stratum == stratum)
            rows[:, members] = rng.permuted(np.tile(self.arm[members], (size, 1)), axis=1)
        return rows


@dataclass(frozen=True)
class PersonGroups:
    """Groups of persons of one arm and stratum that are permuted as wholes.

    Attributes
    ----------
    number
        Group of each person, 0 to g - 1, shape (n,).
    arm, stratum
        Of each group, shape (g,); the persons left over when a stratum's arm is
        divided have a stratum to themselves and stay where they are.
    persons
        In each group, shape (g,).
    """

    number: IntArray
    arm: IntArray
    stratum: IntArray
    persons: IntArray


def person_groups(arm: IntArray, stratum: IntArray, seed: int) -> PersonGroups:
    """Divide each arm of each stratum at random into groups of equal size.

    Given the groups, every way to place the arms on those of a stratum was as
    likely as the one observed (Zhang and Zhao 2023: a conditional randomization
    test), so that a test that compares these alone is as exact as one that
    permutes single persons. A group has n / 5,000 persons; fewer where an arm of
    a stratum would have less than ten groups.

    Parameters
    ----------
    arm, stratum
        Of each person, shape (n,).
    seed
        Seed.

    Returns
    -------
    PersonGroups

    Examples
    --------
    >>> groups = person_groups(np.arange(50_000) % 2, np.zeros(50_000, int), 1)
    >>> len(groups.arm), set(groups.persons.tolist())
    (5000, {10})
    """
    rng = np.random.default_rng(derive_seed(seed, "groups of persons"))
    usual = max(len(arm) // _GROUPS, 1)
    number = np.empty(len(arm), dtype=np.int64)
    arms: list[int] = []
    strata: list[int] = []
    next_stratum = int(stratum.max()) + 1
    by_stratum = np.argsort(stratum, kind="stable")
    for members in np.split(by_stratum, np.cumsum(np.bincount(stratum))[:-1]):
        of_arm = [rng.permutation(members[arm[members] == a]) for a in range(int(arm.max()) + 1)]
        size = max(min(usual, min(map(len, of_arm)) // _GROUPS_OF_AN_ARM), 1)
        for a, persons in enumerate(of_arm):
            whole = len(persons) // size
            number[persons] = len(arms) + np.arange(len(persons)) // size
            arms += [a] * whole
            strata += [int(stratum[members[0]])] * whole
            if len(persons) % size:
                arms.append(a)
                strata.append(next_stratum)
                next_stratum += 1
    return PersonGroups(number, np.array(arms), np.array(strata), np.bincount(number))


def count_allocations(arm: IntArray, stratum: IntArray) -> int:
    """Number of ways to place the arms within the strata.

    Examples
    --------
    >>> count_allocations(np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 0, 0, 1, 1]))
    12
    >>> count_allocations(np.array([0, 0, 1, 1, 2, 2]), np.zeros(6, int))
    90
    """
    total = 1
    for label in np.unique(stratum):
        members = arm[stratum == label]
        total *= factorial(len(members)) // prod(map(factorial, np.bincount(members).tolist()))
    return total


def assignments(
    arm: IntArray,
    stratum: IntArray,
    *,
    n_permutations: int,
    random_state: int,
    allocations: AnyArray | None = None,
) -> Assignments:
    """Assignments for a randomization test.

    Parameters
    ----------
    arm
        Observed arm of each unit, 0 to k - 1, shape (m,).
    stratum
        Stratum of each unit, shape (m,); arms are permuted within strata.
    n_permutations
        Random draws to make when there are too many allocations to list.
    random_state
        Seed.
    allocations
        The allocations that a restricted randomization chose from, all equally
        likely, shape (k, m); None for all permutations within strata.

    Returns
    -------
    Assignments

    Raises
    ------
    TrialError
        If only one allocation was possible, or the observed one is not listed.

    Examples
    --------
    >>> possible = assignments(np.array([0, 0, 1, 1]), np.zeros(4, dtype=int),
    ...                        n_permutations=999, random_state=0)
    >>> possible.n_assignments, possible.enumerated
    (6, True)
    """
    check_count(n_permutations, "n_permutations", 1)
    seed = derive_seed(random_state, "permutations")
    if allocations is not None:
        return _from_list(arm, stratum, allocations, n_permutations, seed)
    possible = count_allocations(arm, stratum)
    if possible < 2:
        raise TrialError(
            "no stratum (block, or group of equal propensity) holds both arms, so only one "
            "assignment was possible and there is nothing to compare with; check block= and "
            "propensity="
        )
    if possible > MOST_ENUMERATED:
        return Assignments(arm, stratum, n_permutations + 1, False, seed)
    everything = _enumerate(arm, stratum)
    others = everything[(everything != arm).any(axis=1)]
    return Assignments(arm, stratum, possible, True, seed, others)


def _enumerate(arm: IntArray, stratum: IntArray) -> AnyArray:
    """All placements of the arms within strata, shape (k, m)."""
    rows = np.zeros((1, len(arm)), dtype=np.int8)
    for label in np.unique(stratum):
        members = np.flatnonzero(stratum == label)
        options = _placements(np.bincount(arm[members]).tolist())
        expanded = np.repeat(rows, len(options), axis=0)
        for number, option in enumerate(options):
            chosen = np.arange(number, len(expanded), len(options))
            expanded[np.ix_(chosen, members)] = option
        rows = expanded
    return rows


def _placements(counts: list[int]) -> AnyArray:
    """All ways to place so many units of each arm, shape (ways, units)."""
    places = sum(counts)
    rows = np.zeros((1, places), dtype=np.int8)
    for arm in range(len(counts) - 1, 0, -1):
        placed = []
        for row in rows:
            for option in combinations(np.flatnonzero(row == 0).tolist(), counts[arm]):
                placed.append(row.copy())
                placed[-1][list(option)] = arm
        rows = np.array(placed, dtype=np.int8).reshape(-1, places)
    return rows


def _from_list(
    arm: IntArray, stratum: IntArray, allocations: AnyArray, n_permutations: int, seed: int
) -> Assignments:
    rows = np.unique(np.asarray(allocations), axis=0)
    if not np.isin(rows, (0, 1)).all():
        raise TrialError("allocations must hold only 0 (control) and 1 (treated)")
    per_arm = np.minimum(rows.sum(axis=1), (1 - rows).sum(axis=1))
    if per_arm.min() < 2:
        raise TrialError("every allocation must put at least two units in each arm")
    rows = rows.astype(np.int8)
    same = (rows == arm).all(axis=1)
    if not same.any():
        raise TrialError(
            "the observed assignment is not among the allocations given; list every allocation "
            "that the randomization could have chosen, one column per unit"
        )
    others = rows[~same]
    if len(others) == 0:
        raise TrialError("allocations hold only the observed assignment; at least two are needed")
    if len(others) + 1 <= MOST_ENUMERATED:
        return Assignments(arm, stratum, len(others) + 1, True, seed, others)
    rng = np.random.default_rng(derive_seed(seed, "listed"))
    chosen = others[rng.choice(len(others), size=min(n_permutations, len(others)), replace=False)]
    return Assignments(arm, stratum, len(chosen) + 1, False, seed, chosen)


def upper_tail_p(statistics: FloatArray) -> FloatArray:
    """Share of assignments whose statistic is at least as large, for every assignment.

    Values that agree to nine digits are ties: an assignment and its mirror image
    have the same statistic in exact arithmetic, but not after rounding.

    Parameters
    ----------
    statistics
        One value per assignment, shape (k,).

    Returns
    -------
    ndarray, shape (k,)
        Permutation p-value of each assignment, from 1 / k to 1.

    Examples
    --------
    >>> upper_tail_p(np.array([3.0, 1.0, 3.0 - 1e-14, 2.0])).tolist()
    [0.5, 1.0, 0.5, 0.75]
    """
    order = np.argsort(-statistics, kind="stable")
    ordered = statistics[order]
    gap = ordered[:-1] - ordered[1:] > 1e-9 * np.maximum(np.abs(ordered[:-1]), 1e-300)
    last_of_group = np.flatnonzero(np.r_[gap, True])
    group = np.r_[0, np.cumsum(gap)]
    p_values: FloatArray = np.empty(len(statistics))
    p_values[order] = (last_of_group[group] + 1) / len(statistics)
    return p_values
