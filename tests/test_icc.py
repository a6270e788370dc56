"""The intracluster correlation against closed forms, its coverage, and published trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tauhat.numerics.icc import intracluster_correlation

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def simulate(
    sizes: np.ndarray, rho: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    arm = clusters % 2
    y = np.sqrt(rho) * rng.standard_normal(len(sizes))[clusters] + 3.0 * arm
    return y + np.sqrt(1 - rho) * rng.standard_normal(len(clusters)), clusters, arm


def test_equal_sizes_give_the_textbook_estimate_and_searles_interval() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0, 4.0, 7.0, 2.0, 6.0, 4.0])
    clusters = np.repeat([0, 1, 2], 3)
    result = intracluster_correlation(y, clusters)
    # Cluster means 2, 5, 4: MSB = 3 * (28/6) / 2 = 7; within sums 2 + 6 + 8: MSW = 16/6.
    between, within = 7.0, 16 / 6
    assert result.value == pytest.approx((between - within) / (between + 2 * within))
    assert result.between == pytest.approx((between - within) / 3)
    assert result.within == pytest.approx(within)
    f = between / within / stats.f.ppf([0.975, 0.025], 2, 6)
    assert [result.low, result.high] == pytest.approx(((f - 1) / (f + 2)).tolist(), abs=1e-8)


def test_unequal_sizes_and_arms_by_hand() -> None:
    # Arm 0: clusters {0, 2, 4} and {6}; arm 1: {1, 3} and {5, 5}.
    y = np.array([0.0, 2, 4, 6, 1, 3, 5, 5])
    clusters = np.array([0, 0, 0, 1, 2, 2, 3, 3])
    arms = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    result = intracluster_correlation(y, clusters, arms)
    typical = (8 - (10 / 4 + 8 / 4)) / 2
    msb = (3 * 1.0 + 9.0 + 2 * 2.25 + 2 * 2.25) / 2
    msw = (8 + 0 + 2 + 0) / 4
    assert result.typical_size == pytest.approx(typical)
    assert result.value == pytest.approx((msb - msw) / (msb + (typical - 1) * msw))


def test_arms_do_not_count_as_clustering() -> None:
    rng = np.random.default_rng(5)
    y, clusters, arm = simulate(np.full(60, 20), 0.1, rng)
    shifted = intracluster_correlation(y + 100 * arm, clusters, arm)
    assert shifted.value == pytest.approx(intracluster_correlation(y, clusters, arm).value)
    assert intracluster_correlation(y, clusters).value > 0.6


def test_negative_estimates_are_reported() -> None:
    y = np.array([0.0, 2.0, 2.0, 0.0, 0.1, 2.0])
    result = intracluster_correlation(y, np.array([0, 0, 1, 1, 2, 2]))
    assert result.value < -0.9
    assert result.low == pytest.approx(-1, abs=1e-3)
    assert result.between < 0


def test_no_replicates_is_undefined_and_one_cluster_an_error() -> None:
    single = intracluster_correlation(np.arange(4.0), np.arange(4))
    assert np.isnan([single.value, single.low, single.high]).all()
    with pytest.raises(ValueError, match="do not tell clusters from arms"):
        intracluster_correlation(np.arange(4.0), np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))


def test_scale_shift_labels_and_order_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    y, clusters, arm = simulate(rng.integers(2, 40, 24), 0.1, rng)
    order = rng.permutation(len(y))
    a = intracluster_correlation(y, clusters, arm)
    b = intracluster_correlation(-7 * y[order] + 3, 1000 - 3 * clusters[order], arm[order])
    assert [b.value, b.low, b.high] == pytest.approx([a.value, a.low, a.high], abs=1e-8)
    assert a.low < a.value < a.high


@pytest.mark.parametrize(
    ("m", "rho", "spread"), [(32, 0.02, 4.0), (20, 0.3, 1.0), (200, 0.25, 1.0)]
)
def test_interval_covers_at_its_level_for_very_unequal_sizes(
    m: int, rho: float, spread: float
) -> None:
    rng = np.random.default_rng(11)
    replicates, covered, values = 600, 0, []
    for _ in range(replicates):
        sizes = np.maximum(2, rng.poisson(24 * rng.gamma(spread, 1 / spread, m)))
        result = intracluster_correlation(*simulate(sizes, rho, rng))
        covered += result.low <= rho <= result.high
        values.append(result.value)
    # Four Monte-Carlo standard errors of a coverage of .95; the estimator is nearly unbiased.
    assert covered / replicates == pytest.approx(0.95, abs=0.036)
    assert np.mean(values) == pytest.approx(rho, abs=0.015)


@pytest.mark.parametrize(
    ("file", "outcome", "arm", "cluster", "lme4"),
    [
        ("star_kindergarten.csv", "math", "cltype", "class_id", 0.2889),
        ("schoolrct_brazil.csv", "outcome_test_score", "treatment", "school", 0.2454),
    ],
)
def test_near_lme4_on_real_trials(
    file: str, outcome: str, arm: str, cluster: str, lme4: float
) -> None:
    if not (DATA / file).exists():
        pytest.skip(f"{file} is not on this machine")
    table = pd.read_csv(DATA / file)
    if "class_n" in table:
        table = table[table["class_n"].ge(5) & table["cltype"].isin(["small", "reg"])]
    table = table.dropna(subset=[outcome])
    arms = pd.factorize(table[arm])[0]
    result = intracluster_correlation(
        table[outcome].to_numpy(float), pd.factorize(table[cluster])[0], arms
    )
    assert result.value == pytest.approx(lme4, abs=0.012)
    assert result.low < lme4 < result.high
