from __future__ import annotations

import math
import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tauhat.simulate.metrics import srmse
from tauhat.simulate.subgroup_metrics import TWENTY_PERCENT, subgroup_means, subgroup_metrics


def brute_force(
    X: np.ndarray, values: np.ndarray, shares: tuple[float, float]
) -> list[tuple[int, str, int, str, int, float]]:
    """The definition, one sorted list of persons at a time; for values without ties."""
    rows = []
    n, p = X.shape
    for j in range(p):
        order = np.argsort(X[:, j])
        keep = round(shares[0] * n)
        for side, part in (("high", order[::-1][:keep]), ("low", order[:keep])):
            for k in range(p):
                if k == j:
                    continue
                inner = part[np.argsort(X[part, k])]
                keep_inner = round(shares[1] * len(part))
                for second_side, box in (
                    ("high", inner[::-1][:keep_inner]),
                    ("low", inner[:keep_inner]),
                ):
                    rows.append((j, side, k, second_side, len(box), values[box].mean()))
    return sorted(rows)


@pytest.mark.parametrize("shares", [(TWENTY_PERCENT, TWENTY_PERCENT), (0.5, 0.4), (0.3, 0.7)])
def test_agrees_with_the_definition(shares: tuple[float, float]) -> None:
    rng = np.random.default_rng(5)
    X, values = rng.normal(size=(173, 4)), rng.normal(size=173)
    X[:, 1] += X[:, 0]
    result = subgroup_means(pd.DataFrame(X, columns=["0", "1", "2", "3"]), values, shares=shares)
    table = result.subgroups
    found = sorted(
        zip(
            table["first"].astype(int),
            table["first_side"],
            table["second"].astype(int),
            table["second_side"],
            table["size"],
            result.means[:, 0],
            strict=True,
        )
    )
    expected = brute_force(X, values, shares)
    assert len(found) == len(expected) == 4 * 4 * 3
    assert [row[:5] for row in found] == [row[:5] for row in expected]
    assert np.allclose([row[5] for row in found], [row[5] for row in expected], atol=1e-12)


def test_default_boxes_hold_a_fifth_of_the_population() -> None:
    X = np.random.default_rng(6).normal(size=(5000, 5))
    table = subgroup_means(X, np.zeros(5000)).subgroups
    assert len(table) == 80
    assert table["size"].between(999, 1001).all()
    assert table["first"].unique().tolist() == ["x1", "x2", "x3", "x4", "x5"]


def test_second_cut_is_made_within_the_first_part() -> None:
    # x2 runs against x1: the persons low on x1 who are lowest on x2 are in the middle of x1.
    x1 = np.arange(100.0)
    X = np.column_stack([x1, -x1])
    result = subgroup_means(X, x1, shares=(0.5, 0.2))
    table = result.subgroups
    row = table.query("first == 'x1' and first_side == 'low' and second_side == 'low'").index[0]
    assert result.means[row, 0] == np.arange(40, 50).mean()


def test_ties_stay_together_at_the_nearest_share() -> None:
    binary = np.repeat([0.0, 1.0], [70, 30])
    other = np.tile(np.arange(10.0), 10)
    table = subgroup_means(np.column_stack([binary, other]), other, shares=(0.45, 0.5)).subgroups
    first = table[table["first"] == "x1"].groupby("first_side")["size"].sum()
    # Low: all 70 with 0; high: all 30 with 1; each then cut into two halves.
    assert first.to_dict() == {"high": 30, "low": 70}


def test_a_constant_covariate_makes_no_subgroup() -> None:
    rng = np.random.default_rng(7)
    X = np.column_stack([rng.normal(size=(50, 2)), np.ones(50)])
    table = subgroup_means(X, np.zeros(50)).subgroups
    assert set(table["first"]) == set(table["second"]) == {"x1", "x2"}
    with pytest.raises(ValueError, match="no subgroup can be cut from 2 covariates"):
        subgroup_means(X[:, [0, 2]], np.zeros(50))


def test_metrics_are_those_of_the_subgroup_means() -> None:
    rng = np.random.default_rng(8)
    X = rng.normal(size=(400, 5))
    truth = X[:, 0] + X[:, 1] ** 2
    effects = {"noisy": truth + 2 * rng.normal(size=400), "half": 0.5 * truth}
    table = subgroup_metrics(X, effects, truth)
    true_means = subgroup_means(X, truth).means[:, 0]
    for name, effect in effects.items():
        means = subgroup_means(X, effect).means[:, 0]
        assert table.loc[name, "subgroup_srmse"] == pytest.approx(srmse(means, true_means))
        assert table.loc[name, "subgroup_rod"] == pytest.approx(
            (1 - stats.kendalltau(means, true_means).statistic) / 2
        )
    assert table.loc["half", "subgroup_rod"] == pytest.approx(0.0, abs=1e-12)


def test_constant_estimates_score_a_half_and_constant_truth_has_no_scale() -> None:
    X = np.random.default_rng(9).normal(size=(300, 4))
    third = np.full(300, 1 / 3)  # sums of thirds are rounded differently in each subgroup
    table = subgroup_metrics(X, {"constant": third}, X[:, 0])
    assert table.loc["constant", "subgroup_rod"] == 0.5
    null = subgroup_metrics(X, {"linear": X[:, 0]}, third)
    assert math.isnan(null.loc["linear", "subgroup_srmse"])
    assert null.loc["linear", "subgroup_rod"] == 0.5


def test_same_subgroups_found_twice_rank_as_ties() -> None:
    # Two copies of a covariate give pairs of equal subgroups, in other orders of summing.
    rng = np.random.default_rng(10)
    base = rng.normal(size=(200, 2))
    X = np.column_stack([base, base[:, 0]])
    truth = rng.normal(size=200) / 3
    table = subgroup_metrics(X, {"shifted": truth + 0.1}, truth)
    assert table.loc["shifted", "subgroup_rod"] == pytest.approx(0.0, abs=1e-12)


def test_row_order_does_not_matter() -> None:
    rng = np.random.default_rng(11)
    X, truth, effect = rng.normal(size=(250, 3)), rng.normal(size=250), rng.normal(size=250)
    order = rng.permutation(250)
    one = subgroup_metrics(X, {"a": effect}, truth)
    two = subgroup_metrics(X[order], {"a": effect[order]}, truth[order])
    assert np.allclose(one, two, atol=1e-12)


def test_eleven_estimators_on_five_thousand_persons_take_less_than_a_second() -> None:
    rng = np.random.default_rng(12)
    X = rng.normal(size=(5000, 20))
    effects = {f"m{k}": X[:, 0] + rng.normal(size=5000) for k in range(11)}
    start = time.process_time()
    table = subgroup_metrics(X, effects, X[:, 0])
    assert time.process_time() - start < 1.0
    assert table.shape == (11, 2)
    assert subgroup_means(X, X[:, 0]).means.shape == (1520, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shares": (0.0, 0.5)}, "shares must lie strictly between"),
        ({"effects": {}}, "effects is empty"),
        ({"effects": {"a": np.zeros(3)}}, r"effects\['a'\] has shape \(3,\), truth has 20"),
        ({"effects": {"a": np.full(20, np.nan)}}, "missing or infinite"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    X = np.random.default_rng(13).normal(size=(20, 2))
    arguments: dict[str, object] = {"effects": {"a": X[:, 0]}, **change}
    with pytest.raises(ValueError, match=message):
        subgroup_metrics(X, truth=X[:, 0], **arguments)  # type: ignore[arg-type]
