"""Estimates without each unit, and their combinations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.design import Persons
from tauhat.inference.jackknife import Jackknife
from tauhat.numerics.arm_variances import expected_squares


def of_groups(*sizes: int) -> tuple[Jackknife, np.ndarray]:
    """Differences between arms of disjoint groups with so many persons an arm, and outcomes."""
    group = np.repeat(np.arange(len(sizes)), 2 * np.array(sizes))
    arm = np.concatenate([np.tile([0, 1], size) for size in sizes])
    y = np.random.default_rng(1).normal(size=len(arm))
    member = (group[:, None] == np.arange(len(sizes))).astype(float)
    means = [np.array([y[(group == k) & (arm == a)].mean() for k in range(len(sizes))])
             for a in (0, 1)]  # fmt: skip
    estimate = means[1] - means[0]
    deleted = np.tile(estimate, (len(y), 1))
    for j, (k, a) in enumerate(zip(group, arm, strict=True)):
        others = (group == k) & (arm == a) & (np.arange(len(y)) != j)
        deleted[j, k] += (1 if a else -1) * (y[others].mean() - means[a][k])
    expected = expected_squares(member, np.ones_like(member), arm)
    return Jackknife(estimate, deleted, expected, Persons.of(arm)), y


def test_a_difference_has_the_degrees_of_freedom_of_what_makes_its_error() -> None:
    both, _ = of_groups(3, 60)
    small, large = both.degrees_of_freedom
    difference = both.combine(np.array([[1.0], [-1.0]]))
    parts = 2 / 3, 2 / 60
    satterthwaite = sum(parts) ** 2 / (parts[0] ** 2 / small + parts[1] ** 2 / large)
    assert difference.degrees_of_freedom[0] == pytest.approx(satterthwaite)
    assert small < satterthwaite < small + 0.6
    # Of equal groups it is that of both, and of everyone no more than of everyone.
    equal, _ = of_groups(20, 20)
    df = equal.combine(np.array([[1.0], [-1.0]])).degrees_of_freedom[0]
    assert df == pytest.approx(2 * equal.degrees_of_freedom[0])


def test_combinations_of_one_estimate_are_that_estimate() -> None:
    both, _ = of_groups(4, 30)
    same = both.combine(np.eye(2))
    np.testing.assert_allclose(same.estimate, both.estimate)
    np.testing.assert_allclose(same.errors, both.errors)
    np.testing.assert_allclose(same.degrees_of_freedom, both.degrees_of_freedom)
    halved = both.combine(np.array([[0.5], [0.0]]))
    np.testing.assert_allclose(halved.errors, both.errors[:1] / 2)
    np.testing.assert_allclose(halved.degrees_of_freedom, both.degrees_of_freedom[:1])


def test_the_order_of_the_groups_turns_the_sign_alone() -> None:
    both, _ = of_groups(5, 5)
    one, two = (both.combine(np.array([[sign], [-sign]])) for sign in (1.0, -1.0))
    assert one.estimate[0] == -two.estimate[0]
    assert one.errors[0] == two.errors[0]
    assert one.degrees_of_freedom[0] == two.degrees_of_freedom[0]


@pytest.mark.parametrize("clustered", [False, True])
def test_arms_exchanged_change_the_sign_of_the_largest_less_the_smallest(clustered: bool) -> None:
    rng = np.random.default_rng(3)
    df = pd.DataFrame({"age": rng.normal(size=192), "unit": np.arange(192) % 16})
    df["arm"] = df.unit % 2 if clustered else rng.permutation(np.arange(192) % 2)
    df["y"] = df.age * df.arm + rng.normal(size=192)
    found = []
    for arm in (df.arm, 1 - df.arm):
        table = df.assign(arm=arm)
        roles = {"outcome": "y", "treatment": "arm", "covariates": ["age"]}
        trial = th.Trial(table, **roles, **({"cluster": "unit"} if clustered else {}))
        found.append(th.sorted_group_effects(trial, "LMM", n_folds=4, random_state=1).difference)
    assert found[0].estimate == pytest.approx(found[1].estimate, rel=1e-7)
    assert found[0].se == pytest.approx(found[1].se, rel=1e-7)
    assert found[0].degrees_of_freedom == pytest.approx(found[1].degrees_of_freedom, rel=1e-7)


def test_a_rare_group_beside_all_others_has_an_interval_as_wide_as_its_own() -> None:
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"age": rng.normal(size=200), "arm": np.tile([0, 1], 100)})
    df["rare"] = (np.arange(200) < 5).astype(int)
    df["y"] = df.age + rng.normal(size=200)
    trial = th.Trial(df, outcome="y", treatment="arm", covariates=["age", "rare"])
    found = th.group_effect(trial, "rare == 1", "LMM", n_splits=1, random_state=1)
    assert found.inside.degrees_of_freedom == pytest.approx(3)
    assert 3 < found.difference.degrees_of_freedom < 3.5
    widths = [one.upper - one.lower for one in (found.inside, found.difference)]
    assert 0.9 < widths[1] / widths[0] < 1.2
