from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tauhat.report.grouping import (
    covariate_codes,
    covariate_groups,
    histogram,
    sorted_groups,
    two_way_groups,
)


def test_groups_hold_means() -> None:
    rng = np.random.default_rng(1)
    sex = pd.Series(["f", "m"] * 200, name="sex")
    effect = np.where(sex == "f", 1.0, 3.0) + rng.normal(0, 1, 400)
    groups = covariate_groups(sex, effect)
    assert groups is not None
    assert groups.effect == pytest.approx([effect[::2].mean(), effect[1::2].mean()])


def test_numeric_covariate_is_cut_into_equal_groups_by_its_values() -> None:
    x = pd.Series(np.random.default_rng(2).permutation(400).astype(float), name="x")
    effect = x.to_numpy() ** 2
    groups = covariate_groups(x, effect)
    assert groups is not None
    assert groups.position is not None
    assert groups.count.tolist() == [50] * 8
    assert groups.position == pytest.approx(24.5 + 50 * np.arange(8))
    assert groups.effect[0] == pytest.approx((np.arange(50) ** 2).mean())


def test_missing_values_are_left_out_of_numbers_and_a_level_of_categories() -> None:
    effect = np.arange(200.0)
    x = pd.Series(np.r_[np.full(100, np.nan), np.arange(100)], name="x")
    groups = covariate_groups(x, effect)
    assert groups is not None
    assert groups.count.sum() == 100
    assert groups.effect.min() > 99
    level = pd.Series([None] * 50 + ["a"] * 75 + ["b"] * 75, name="level")
    groups = covariate_groups(level, effect)
    assert groups is not None
    assert groups.labels == ("a", "b", "(missing)")


def test_a_single_category_that_is_left_over_has_its_name() -> None:
    level = pd.Series(np.repeat([f"l{k}" for k in range(9)], 10))
    groups = covariate_groups(level, np.arange(90.0))
    assert groups is not None
    assert groups.labels == tuple(f"l{k}" for k in range(9))
    groups = covariate_groups(pd.concat([level, pd.Series(["few"])]), np.arange(91.0))
    assert groups is not None
    assert groups.labels[-1] == "(other)"
    assert groups.count[-1] == 11


def test_small_and_many_categories_are_gathered() -> None:
    level = pd.Series(np.repeat([f"l{k:02d}" for k in range(12)], 10).tolist() + ["z"] * 2)
    effect = np.arange(len(level), dtype=float)
    groups = covariate_groups(level, effect)
    assert groups is not None
    assert len(groups.labels) == 9
    assert groups.labels[-1] == "(other)"
    assert groups.count[-1] == 42
    assert groups.count.min() >= 5


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["a"] * 100),
        pd.Series(["a"] * 97 + ["b"] * 3),
        pd.Series([None] * 100, dtype=object),
        pd.Series(np.full(100, np.nan)),
        pd.Series(np.r_[np.full(99, 1.0), 2.0]),
    ],
    ids=["constant", "rare level", "missing", "missing number", "one other value"],
)
def test_nothing_is_shown_when_there_are_no_two_groups(column: pd.Series) -> None:
    effect = np.arange(100.0)
    assert covariate_groups(column, effect) is None


def test_no_group_under_five_whatever_the_ties() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        x = pd.Series(rng.poisson(rng.uniform(0.5, 8), 150).astype(float))
        effect = rng.normal(size=150)
        groups = covariate_groups(x, effect)
        assert groups is None or groups.count.min() >= 5


def test_sorted_groups_are_equal_and_ordered() -> None:
    effect = np.random.default_rng(4).normal(size=1003)
    groups = sorted_groups(effect)
    assert len(groups.effect) == 20
    assert groups.count.max() - groups.count.min() <= 1
    assert (np.diff(groups.effect) > 0).all()
    assert sorted_groups(effect[:12]).count.min() >= 5


def test_histogram_keeps_everybody_and_hides_small_bars() -> None:
    effect = np.r_[np.random.default_rng(5).normal(size=1000), 50.0]
    edges, counts = histogram(effect)
    assert edges[-1] < 5
    shown = counts[~np.isnan(counts)]
    assert shown.min() >= 5
    assert 1001 - shown.sum() < 5 * np.isnan(counts).sum() + 1
    edges, counts = histogram(np.full(30, 2.0))
    assert counts.tolist() == [30.0]
    assert edges[0] < 2 < edges[1]


def test_values_far_from_zero_for_their_spread_have_labels_that_differ() -> None:
    x = pd.Series(2**62 + np.arange(160) * 2**40, name="big")
    codes = covariate_codes(x, most_bins=4, most_categories=4)
    assert codes is not None
    assert len(set(codes.labels)) == len(codes.labels) == 4
    cells = two_way_groups(x, pd.Series([0, 1] * 80, name="sex"), np.ones(160))
    assert cells is not None
    assert not cells.duplicated(["first", "second"]).any()


def test_effects_that_hardly_differ_are_one_bar_that_can_be_seen() -> None:
    edges, counts = histogram(36.5 + 1e-4 * np.arange(50), least=1.2)
    assert counts.tolist() == [50.0]
    assert edges[1] - edges[0] == pytest.approx(1.2)
    assert edges.mean() == pytest.approx(36.5 + 1e-4 * 24.5)
