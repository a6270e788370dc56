"""Assignments of a randomization test and their p-values."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest

from tauhat.design.permutations import assignments, count_allocations, upper_tail_p
from tauhat.errors import TrialError


def drawn(possible):
    return np.concatenate(list(possible.batches()))


def test_enumeration_lists_every_assignment_once_with_the_observed_first():
    arm = np.array([0, 1, 0, 1, 1, 0, 0, 1])
    possible = assignments(arm, np.zeros(8, dtype=int), n_permutations=10, random_state=0)
    rows = drawn(possible)
    assert possible.enumerated
    assert len(rows) == possible.n_assignments == comb(8, 4)
    assert (rows[0] == arm).all()
    assert len(np.unique(rows, axis=0)) == 70
    assert (rows.sum(axis=1) == 4).all()


def test_enumeration_within_strata():
    arm = np.array([0, 1, 0, 1, 0, 0])
    stratum = np.array([0, 0, 1, 1, 1, 2])
    rows = drawn(assignments(arm, stratum, n_permutations=10, random_state=0))
    expected = {
        (*pair, *triple, 0)
        for pair, triple in product([(0, 1), (1, 0)], [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
    }
    assert {tuple(row) for row in rows.astype(int)} == expected
    assert count_allocations(arm, stratum) == len(rows) == 6


def test_random_draws_keep_arm_sizes_within_strata_and_differ():
    rng = np.random.default_rng(0)
    arm = rng.permutation(np.repeat([0, 1], 30))
    stratum = np.arange(60) % 3
    possible = assignments(arm, stratum, n_permutations=700, random_state=1)
    rows = drawn(possible)
    assert not possible.enumerated
    assert len(rows) == 701
    assert (rows[0] == arm).all()
    for label in range(3):
        within = rows[:, stratum == label].sum(axis=1)
        assert (within == arm[stratum == label].sum()).all()
    assert len(np.unique(rows, axis=0)) == 701
    # Every unit is treated with its stratum's share, up to Monte Carlo error.
    share = np.array([arm[stratum == label].mean() for label in range(3)])[stratum]
    assert np.abs(rows[1:].mean(axis=0) - share).max() < 5 * np.sqrt(0.25 / 700)


def test_same_seed_same_draws_and_mirrored_arms_give_mirrored_draws():
    arm = np.random.default_rng(0).permutation(np.repeat([0, 1], [20, 14]))
    stratum = np.zeros(34, dtype=int)
    one, two = (assignments(arm, stratum, n_permutations=300, random_state=4) for _ in range(2))
    mirrored = assignments(1 - arm, stratum, n_permutations=300, random_state=4)
    assert (drawn(one) == drawn(two)).all()
    assert (drawn(mirrored) == 1 - drawn(one)).all()


def test_allocation_lists_are_used_as_given():
    arm = np.array([0, 1, 1, 0])
    listed = np.array([[0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1], [0, 1, 1, 0]])
    possible = assignments(
        arm, np.zeros(4, dtype=int), n_permutations=99, random_state=0, allocations=listed
    )
    assert possible.enumerated
    assert {tuple(row) for row in drawn(possible).astype(int)} == {tuple(row) for row in listed}
    assert possible.n_assignments == 3


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([[1, 1, 0, 0], [0, 0, 1, 1]], "not among the allocations"),
        ([[0, 1, 1, 0]], "at least two are needed"),
        ([[0, 1, 1, 0], [0, 1, 2, 0]], "only 0"),
        ([[0, 1, 1, 0], [0, 1, 0, 0]], "at least two units in each arm"),
    ],
)
def test_wrong_allocations_are_refused(listed, message):
    with pytest.raises(TrialError, match=message):
        assignments(
            np.array([0, 1, 1, 0]),
            np.zeros(4, dtype=int),
            n_permutations=99,
            random_state=0,
            allocations=np.array(listed),
        )


def test_strata_of_one_arm_leave_nothing_to_permute():
    with pytest.raises(TrialError, match="only one"):
        assignments(
            np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), n_permutations=9, random_state=0
        )


def test_tail_p_counts_ties_up_to_rounding():
    values = np.array([2.0, 5.0, 2.0 * (1 + 1e-13), 0.0, 7.0])
    assert upper_tail_p(values).tolist() == [0.8, 0.4, 0.8, 1.0, 0.2]
    rng = np.random.default_rng(0)
    many = rng.normal(size=200)
    brute = [(many >= value).mean() for value in many]
    np.testing.assert_allclose(upper_tail_p(many), brute)
    assert upper_tail_p(np.zeros(3)).tolist() == [1.0, 1.0, 1.0]
