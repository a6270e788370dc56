"""Errors of estimates under blocked randomization: closed forms, and coverage in pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.design import design_of

PAIRS = design_of(np.tile([0, 1], 5), blocks=np.repeat(np.arange(5), 2))
ALL = np.ones((10, 1))


def test_without_blocks_it_is_the_plain_jackknife() -> None:
    rng = np.random.default_rng(1)
    deleted = rng.normal(size=(12, 3))
    design = design_of(np.tile([0, 1], 6))
    plain = np.sqrt(11 / 12 * ((deleted - deleted.mean(axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(design.errors(deleted, np.ones((12, 3))), plain, rtol=1e-12)
    expected = np.ones((12, 2))
    expected[:5, 1] = 0
    assert design.degrees_of_freedom(expected).tolist() == [10, 5]


def test_levels_that_were_refitted_give_the_blocked_jackknife_where_blocks_are_balanced() -> None:
    rng = np.random.default_rng(1)
    design = design_of(np.tile([0, 1], 12), blocks=np.repeat(np.arange(6), 4))
    deleted = rng.normal(size=(24, 1))
    expected = np.sqrt(3 / 4 * ((deleted - deleted.mean()) ** 2).sum())
    found = design.errors(deleted, np.ones((24, 1)), refitted=True)
    assert found[0] == pytest.approx(expected, rel=1e-12)
    assert design.degrees_of_freedom(np.ones((24, 1))).tolist() == [17]


def test_what_a_pair_shares_is_no_error_and_its_difference_counts_once() -> None:
    level = np.repeat([3.0, -1.0, 0.5, 7.0, -9.5], 2) * np.tile([-1, 1], 5)
    assert PAIRS.errors(level[:, None], ALL)[0] == pytest.approx(0, abs=1e-12)
    sums = np.array([2.0, -1.0, 0.0, 1.0, -2.0])
    deleted = np.repeat(sums / 2, 2) + level
    expected = np.sqrt(9 / 10 * 5 / 4 * (sums**2).sum())
    assert PAIRS.errors(deleted[:, None], ALL)[0] == pytest.approx(expected, rel=1e-12)
    assert PAIRS.degrees_of_freedom(ALL).tolist() == [4]


def test_levels_and_effects_of_large_blocks_drop_out() -> None:
    arm, block = np.tile([0, 0, 1, 1], 3), np.repeat(np.arange(3), 4)
    design = design_of(arm, blocks=block)
    own = np.array([1.0, -1.0, 2.0, -2.0] * 3)
    moved = own + np.array([5.0, -2.0, -3.0])[block] + np.array([1.0, 4.0, -5.0])[block] * arm
    # Two units of an arm: twice their squared distances to the mean.
    expected = np.sqrt(11 / 12 * 3 * 2 * (1 + 1 + 4 + 4))
    assert design.errors(moved[:, None], np.ones((12, 1)))[0] == pytest.approx(expected, rel=1e-12)
    counted = np.zeros((12, 2))
    counted[:, 0] = 1
    counted[[0, 4, 8, 2, 6, 10], 1] = 1
    # Each unit has three quarters left after its block's level, and one is the effect's.
    assert design.degrees_of_freedom(counted).tolist() == [8, 3.5]


def test_one_small_block_among_large_ones_counts_its_units_alone() -> None:
    design = design_of(np.array([0, 0, 1, 1, 0, 1]), blocks=np.array([0, 0, 0, 0, 1, 1]))
    deleted = np.array([[0.0], [0.0], [0.0], [0.0], [3.0], [-3.0]])
    found = design.errors(deleted, np.ones((6, 1)))[0]
    assert found == pytest.approx(np.sqrt(5 / 6 * 18), rel=1e-12)


def _paired_trial(seed: int, pairs: int = 20, persons: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(2 * pairs), persons)
    pair = cluster // 2
    arm = (np.tile([0, 1], pairs) ^ np.repeat(rng.integers(2, size=pairs), 2))[cluster]
    x, w = rng.normal(size=len(cluster)), rng.normal(size=2 * pairs)[cluster]
    level = rng.normal(size=pairs)[pair] + 0.4 * rng.normal(size=2 * pairs)[cluster]
    y = level + 0.5 * x + 0.5 * arm + rng.normal(size=len(cluster))
    return pd.DataFrame({"y": y, "arm": arm, "cluster": cluster, "pair": pair, "x": x, "w": w})


def test_the_cluster_groups_of_a_paired_trial_keep_their_degrees_of_freedom() -> None:
    trial = th.Trial(
        _paired_trial(3), outcome="y", treatment="arm", cluster="cluster", block="pair",
        covariates=["x", "w"],
    )  # fmt: skip
    found = th.group_effect(trial, "w > 0", "LMM", n_splits=1)
    # Once all pairs of the trial were taken from the clusters of the group: one was left.
    assert found.inside.degrees_of_freedom >= 8
    assert th.group_effect(trial, "x > 0", "LMM", n_splits=1).inside.degrees_of_freedom == 19


def test_the_average_effect_of_paired_persons_is_that_of_their_differences() -> None:
    rng = np.random.default_rng(8)
    pair = np.repeat(np.arange(150), 2)
    arm = (np.tile([0, 1], 150) ^ np.repeat(rng.integers(2, size=150), 2)).astype(np.int64)
    y = 2 * rng.normal(size=150)[pair] + 0.5 * arm + rng.normal(size=300)
    frame = pd.DataFrame({"y": y, "arm": arm, "pair": pair, "x": rng.normal(size=300)})
    trial = th.Trial(frame, outcome="y", treatment="arm", block="pair", covariates=["x"])
    found = th.average_effects(trial).individual
    differences = (y * (2 * arm - 1)).reshape(-1, 2).sum(axis=1)
    assert found.degrees_of_freedom == 149
    assert found.estimate == pytest.approx(differences.mean(), abs=0.03)
    # Without the pairs the error would be more than twice as large.
    assert found.se == pytest.approx(differences.std(ddof=1) / np.sqrt(150), rel=0.05)


@pytest.mark.slow
def test_groups_are_covered_in_pairs_with_and_without_shared_levels() -> None:
    """Within three Monte Carlo errors of .95; benchmarks/descriptive_coverage.py has more."""
    covered = []
    for seed in range(150):
        trial = th.Trial(
            _paired_trial(seed), outcome="y", treatment="arm", cluster="cluster", block="pair",
            covariates=["x", "w"],
        )  # fmt: skip
        fit = th.cross_fit(trial, "LMM", n_splits=1, random_state=1)
        one = th.group_effect(fit, "x > 0.4")
        covered.append(
            [e.lower <= truth <= e.upper for e, truth in ((one.inside, 0.5), (one.difference, 0))]
        )
    assert np.mean(covered, axis=0).min() > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 150)
