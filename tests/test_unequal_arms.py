"""Few units in one arm and many in the other: errors, degrees of freedom, coverage, the check."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.numerics.arm_variances import (
    degrees_of_freedom,
    expected_squares,
    moderated_variance,
    residual_shares,
)
from tauhat.numerics.working_models import leave_one_out_ridge, outcomes_by_arm

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def simulated() -> Any:
    """The benchmark that simulates trials with unequal arms."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import unequal_arms

        yield unequal_arms
    finally:
        sys.path.remove(str(BENCHMARKS))


def clusters(
    *blocks: tuple[int, int], sizes: tuple[int, int] = (10, 10), seed: int = 0, **roles: Any
) -> th.Trial:
    """A trial of control and treated clusters in blocks, with persons a cluster by arm."""
    rng = np.random.default_rng(seed)
    arm = np.concatenate([np.repeat([0, 1], pair) for pair in blocks])
    block = np.repeat(np.arange(len(blocks)), [sum(pair) for pair in blocks])
    unit = np.repeat(np.arange(len(arm)), np.array(sizes)[arm])
    x = rng.normal(size=len(unit))
    frame = pd.DataFrame({"unit": unit, "arm": arm[unit], "block": block[unit], "x": x})
    frame["y"] = x + 0.3 * rng.normal(size=len(arm))[unit] + rng.normal(size=len(unit))
    if len(blocks) > 1:
        roles["block"] = "block"
    return th.Trial(frame, outcome="y", treatment="arm", cluster="unit", covariates=["x"], **roles)


def test_degrees_of_freedom_are_satterthwaites_and_not_more_than_those_of_a_shared_variance():
    # (1/2 + 1/30)^2 / (1/4/2 + 1/900/30): one more unit than each arm's n - 1.
    free = (1 / 2 + 1 / 30) ** 2 / (1 / 4 / 2 + 1 / 900 / 30)
    assert th.average_effects(clusters((30, 2))).individual.degrees_of_freedom == pytest.approx(
        free, rel=1e-9
    )
    assert free == pytest.approx(2.27, abs=0.01)
    assert th.average_effects(clusters((10, 10))).individual.degrees_of_freedom == 18
    assert th.average_effects(clusters((12, 20))).individual.degrees_of_freedom < 30
    assert degrees_of_freedom(np.ones((2, 1)), np.zeros((2, 1)), np.zeros(1)).tolist() == [1]


def test_the_arms_exchanged_give_the_same_error_and_degrees_of_freedom():
    trial = clusters((9, 3), seed=4)
    X, y, arm, unit, *_ = trial
    one = th.average_effects((X, y, arm, unit)).individual
    other = th.average_effects((X, y, 1 - np.asarray(arm), unit)).individual
    assert other.se == pytest.approx(one.se, rel=1e-9)
    assert other.degrees_of_freedom == pytest.approx(one.degrees_of_freedom, rel=1e-12)


def test_groups_against_single_persons_lean_on_the_groups():
    trial = clusters((100, 5), sizes=(1, 20))
    result = th.average_effects(trial).individual
    of_group = 0.1 + 0.9 / 20
    expected = np.array([1 / 100, of_group / 5])
    free = expected.sum() ** 2 / (expected**2 / np.array([100, 5])).sum()
    # At most that of the design: what the five groups show may say that more rests on them.
    assert 4 <= result.degrees_of_freedom <= free + 1e-9
    assert 8 < free < 10


def test_expected_squares_are_shares_of_the_arm_and_leave_out_who_takes_no_part():
    weight = np.array([[1.0, 0.0], [3.0, 3.0], [2.0, 2.0]])
    found = expected_squares(weight, np.array([[1.0, 1], [1, 1], [9, 9]]), np.array([0, 0, 1]))
    assert found == pytest.approx(np.array([[1 / 16, 0], [9 / 16, 1], [0.2, 0.2]]))


def test_residual_shares_are_one_less_the_leverages_of_blocks_and_arm():
    arm = np.array([0, 0, 0, 1, 0, 1, 1, 0, 1])
    block = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    design = np.column_stack([np.eye(3)[block], arm])
    leverage = np.diag(design @ np.linalg.inv(design.T @ design) @ design.T)
    found = residual_shares(arm, block, np.ones((9, 1), dtype=bool))[:, 0]
    np.testing.assert_allclose(found, 1 - leverage, rtol=1e-12)


def test_a_variance_is_moderated_up_and_never_below_what_was_seen():
    expected, free = np.array([[1 / 30], [1 / 2]]), np.array([[29.0], [1.0]])
    alike = moderated_variance(np.array([[1 / 30], [0.001]]), expected, free)[0]
    assert 0.25 < alike < 1 / 30 + 1 / 2
    apart = moderated_variance(np.array([[1 / 30], [3.0]]), expected, free)[0]
    assert apart == pytest.approx(3 + 1 / 30)
    equal = moderated_variance(np.array([[0.2], [0.7]]), np.full((2, 1), 0.1), np.full((2, 1), 9.0))
    assert equal[0] == pytest.approx(0.9, rel=1e-12)


@pytest.mark.parametrize(
    "blocks", [((30, 2),), ((10, 10),), ((2, 2),) * 6, ((8, 2), (15, 3)), ((1, 1),) * 8]
)
def test_the_check_says_the_degrees_of_freedom_that_averages_and_groups_use(blocks):
    trial = clusters(*blocks)
    averages = th.average_effects(trial)
    said = re.findall(r"t with ([\d.]+) degrees of freedom", trial.check().text)
    assert said == [f"{round(averages.individual.degrees_of_freedom, 1):g}"]
    assert f"t with {said[0]} degrees of freedom" in averages.method
    if min(min(pair) for pair in blocks) > 1:
        # Every cluster has members on both sides, about half of its persons.
        group = th.group_effect(trial, "x > 0", "LMM", n_splits=1, n_folds=2)
        free = group.inside.degrees_of_freedom
        assert free == pytest.approx(averages.individual.degrees_of_freedom, rel=0.1)


def test_the_check_says_both_numbers_where_the_averages_differ_in_them():
    rng = np.random.default_rng(2)
    sizes = rng.integers(3, 60, size=24)
    unit = np.repeat(np.arange(24), sizes)
    table = pd.DataFrame({"unit": unit, "arm": (unit < 4).astype(int)})
    table["x"] = rng.normal(size=len(unit))
    table["y"] = table.x + rng.normal(size=len(unit))
    trial = th.Trial(table, outcome="y", treatment="arm", cluster="unit", covariates=["x"])
    averages = th.average_effects(trial)
    both = [averages.individual.degrees_of_freedom, averages.cluster.degrees_of_freedom]
    said = " and ".join(f"{round(df, 1):g}" for df in both)
    assert f"t with {said} degrees of freedom" in trial.check().text
    assert f"t with {said} degrees of freedom" in averages.text


def test_the_check_counts_the_smaller_arm():
    assert "above all on the 2 of the smaller arm" in clusters((40, 2)).check().text
    assert "smaller arm" not in clusters((10, 10)).check().text
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"arm": np.arange(200) < 5, "x": rng.normal(size=200)})
    frame["y"] = frame.x + rng.normal(size=200)
    roles: dict[str, Any] = {"outcome": "y", "treatment": "arm", "covariates": ["x"]}
    few = th.Trial(frame.astype({"arm": int}), **roles)
    assert "With 5 persons in the smaller arm" in few.check().text
    half = th.Trial(frame.assign(arm=np.arange(200) % 2), **roles)
    assert "persons in the smaller arm" not in half.check().text


def test_one_unit_in_an_arm_is_refused_with_the_counts():
    with pytest.raises(th.TrialError, match="10 control and 1 treated clusters"):
        clusters((10, 1))
    X = np.arange(9.0)[:, None]
    with pytest.raises(ValueError, match="two persons in each arm"):
        th.average_effects((X, X[:, 0] ** 2, [1] + [0] * 8))


def test_few_treated_persons_are_not_many_degrees_of_freedom():
    rng = np.random.default_rng(3)
    arm = (np.arange(200) < 5).astype(int)
    X = rng.normal(size=(200, 2))
    few = th.average_effects((X, rng.normal(size=200), arm)).individual
    assert few.degrees_of_freedom == pytest.approx(5.26, abs=0.01)
    half = th.average_effects((X, rng.normal(size=200), np.arange(200) % 2)).individual
    assert half.degrees_of_freedom == 198


def test_a_few_persons_take_the_slopes_of_the_many_and_a_level_of_their_own():
    rng = np.random.default_rng(5)
    X, arm = rng.normal(size=(120, 3)), (np.arange(120) < 5).astype(int)
    y = X @ [2.0, 1, -1] + 3 * arm
    found = th.average_effects((X, y, arm)).individual
    # Five persons cannot tell three slopes and a level; 115 can.
    assert found.estimate == pytest.approx(3, abs=0.01)
    assert found.upper - found.lower < 0.1
    exchanged = th.average_effects((X, y, 1 - arm)).individual
    assert exchanged.estimate == pytest.approx(-found.estimate, rel=1e-9)
    assert exchanged.se == pytest.approx(found.se, rel=1e-9)


def test_slopes_are_shared_by_the_numbers_of_persons_alone():
    def share_slopes(few: int, many: int, n_covariates: int, seed: int = 0) -> bool:
        rng = np.random.default_rng(seed)
        X, arm = rng.normal(size=(few + many, n_covariates)), np.repeat([1, 0], [few, many])
        y, everyone = rng.normal(size=few + many), np.ones(few + many)
        control, treated = outcomes_by_arm(X, y, arm, everyone)
        own = leave_one_out_ridge(X, y, arm == 1, everyone)
        np.testing.assert_array_equal(control, leave_one_out_ridge(X, y, arm == 0, everyone))
        return not np.array_equal(treated, own)

    for seed in range(3):
        assert share_slopes(11, 189, 3, seed)
        assert not share_slopes(12, 188, 3, seed)
        assert share_slopes(20, 40, 10, seed)
        assert not share_slopes(20, 39, 10, seed)
        assert not share_slopes(4, 4, 10, seed)


def test_five_persons_against_195_are_covered(simulated):
    """With slopes of their own, .90 and .92, and errors up to half as large again."""
    for setting in ("variance x 4", "ICC .1"):
        persons = replace(simulated.SETTINGS[setting], icc=0.0)
        share, width, _ = simulated.coverage(5, 195, persons, 120, "persons")
        assert share.min() > 0.93 - 2 * np.sqrt(0.93 * 0.07 / 120)
        assert width < (6 if setting == "variance x 4" else 3)


def test_two_clusters_against_thirty_are_covered(simulated):
    """t with 30 degrees of freedom and the plain jackknife cover .83 and .86."""
    for setting in ("no covariates", "variance x 2"):
        share, width, _ = simulated.coverage(2, 30, simulated.SETTINGS[setting], 80)
        assert share.min() > 0.93 - 2.5 * np.sqrt(0.93 * 0.07 / 80)
        # A t with one degree of freedom would be twice as wide.
        assert width < 4


@pytest.mark.slow
@pytest.mark.parametrize("arms", [(2, 30), (3, 40), (2, 4), (3, 3), (4, 12), (10, 10), (16, 16)])
def test_coverage_of_unequal_arms_is_at_least_92_percent(simulated, arms):
    left_out = {"variance x 4"} if arms == (2, 4) else set()
    for name, setting in simulated.SETTINGS.items():
        share, _, _ = simulated.coverage(*arms, setting, 500)
        allowed = 0.92 - 2 * np.sqrt(0.92 * 0.08 / 500)
        assert name in left_out or share.min() > allowed, (name, share)


@pytest.mark.slow
def test_coverage_of_groups_against_persons_and_in_blocks_is_at_least_92_percent(simulated):
    allowed = 0.92 - 2 * np.sqrt(0.92 * 0.08 / 400)
    for name in ("ICC .02", "ICC .1", "ICC .3", "variance x 2", "skewed"):
        share, _, _ = simulated.coverage(5, 100, simulated.SETTINGS[name], 400, "groups")
        assert share.min() > allowed, (name, share)
    for blocks in simulated.BLOCKS.values():
        for name, setting in simulated.BLOCK_SETTINGS.items():
            share, _, _ = simulated.coverage_in_blocks(blocks, setting, 400)
            assert share.min() > allowed, (blocks, name, share)


def pairs_of_unequal_sizes(seed: int, pairs: int = 40) -> tuple[Any, float]:
    """Paired clusters whose effect grows with their size, and their individual-average."""
    rng = np.random.default_rng(seed)
    sizes = np.maximum(2, np.round(rng.lognormal(2, 0.8, 2 * pairs))).astype(int)
    pair = np.repeat(np.arange(pairs), 2)
    arm = (np.tile([0, 1], pairs) + rng.integers(2, size=pairs)[pair]) % 2
    effect = np.log(sizes)
    unit = np.repeat(np.arange(2 * pairs), sizes)
    level = rng.normal(size=pairs)[pair]
    y = (level + effect * arm + 0.2 * rng.normal(size=2 * pairs))[unit]
    y = y + 0.5 * rng.normal(size=len(unit))
    trial = (rng.normal(size=(len(unit), 1)), y, arm[unit], unit, None, pair[unit])
    return trial, float((sizes * effect).sum() / sizes.sum())


def test_an_effect_that_goes_with_size_is_not_lost_in_pairs_of_unequal_sizes():
    """Levels of pairs alone took .3 of the individual-average with them, in any number of pairs."""
    missed = []
    for seed in range(12):
        trial, aim = pairs_of_unequal_sizes(seed)
        found = th.average_effects(trial)
        missed.append((found.individual.estimate - aim) / found.individual.se)
    assert abs(np.mean(missed)) < 0.8
    assert np.abs(missed).max() < 3
