from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tauhat.simulate.metrics import (
    bias,
    calibration_slope,
    centred_srmse,
    coverage,
    effect_metrics,
    mean_width,
    rmse,
    rod,
    srmse,
    true_policy_value,
)
from tauhat.simulate.performance import performance

TRUTH = np.array([1.0, 2.0, 4.0, 5.0])


def test_srmse_is_rmse_over_the_population_sd() -> None:
    estimated = TRUTH + np.array([1.0, -1.0, 1.0, -1.0])
    assert rmse(estimated, TRUTH) == 1.0
    assert srmse(estimated, TRUTH) == pytest.approx(1 / math.sqrt(2.5))


def test_the_true_average_scores_one_and_a_half() -> None:
    average = np.full(4, TRUTH.mean())
    assert srmse(average, TRUTH) == pytest.approx(1.0)
    assert rod(average, TRUTH) == 0.5


def test_srmse_splits_into_centred_part_and_bias() -> None:
    estimated = 0.3 + np.array([2.0, 2.5, 3.0, 7.0])
    total = srmse(estimated, TRUTH) ** 2
    parts = centred_srmse(estimated, TRUTH) ** 2 + (bias(estimated, TRUTH) / TRUTH.std()) ** 2
    assert total == pytest.approx(parts, rel=1e-12)
    assert centred_srmse(TRUTH + 7, TRUTH) == 0.0
    assert srmse(TRUTH + 7, TRUTH) == pytest.approx(7 / TRUTH.std())


def test_a_constant_truth_has_no_scale() -> None:
    truth = np.full(3, 0.4)  # the floating-point SD of this is not exactly zero
    estimated = np.array([0.4, 0.5, 0.6])
    assert math.isnan(srmse(estimated, truth))
    assert math.isnan(centred_srmse(estimated, truth))
    assert rod(estimated, truth) == 0.5
    assert rmse(estimated, truth) == pytest.approx(math.sqrt(0.05 / 3))


def test_rod_counts_discordant_pairs() -> None:
    rng = np.random.default_rng(3)
    truth, estimated = rng.normal(size=(2, 60))
    i, j = np.triu_indices(60, 1)
    discordant = np.mean(np.sign(truth[i] - truth[j]) != np.sign(estimated[i] - estimated[j]))
    assert rod(estimated, truth) == pytest.approx(discordant)
    assert rod(-truth, truth) == pytest.approx(1.0)
    tied = np.round(truth)
    assert rod(estimated, tied) == pytest.approx(
        (1 - stats.kendalltau(estimated, tied).statistic) / 2
    )


def test_best_rod_with_tied_truth() -> None:
    truth = np.repeat([0.0, 1.0, 2.0], [60, 20, 20])
    best = truth + 1e-6 * np.arange(100)
    tied_share = sum(k * (k - 1) / 2 for k in (60, 20, 20)) / (100 * 99 / 2)
    assert rod(best, truth) == pytest.approx((1 - math.sqrt(1 - tied_share)) / 2)


def test_calibration_slope() -> None:
    rng = np.random.default_rng(4)
    estimated = rng.normal(size=50)
    truth = 0.6 * estimated + rng.normal(size=50)
    assert calibration_slope(estimated, truth) == pytest.approx(
        stats.linregress(estimated, truth).slope
    )
    assert math.isnan(calibration_slope(np.zeros(50), truth))


def test_coverage_counts_the_ends_and_width_is_a_mean() -> None:
    lower, upper = np.array([0.0, 0.0, 0.0, 3.0]), np.array([1.0, 1.9, 4.0, 9.0])
    assert coverage(lower, upper, TRUTH) == 0.75
    assert mean_width(lower, upper) == pytest.approx(3.225)
    with pytest.raises(ValueError, match="1 intervals have their lower end above"):
        coverage([0.0, 2.0], [1.0, 1.0], [0.0, 0.0])


def test_policy_value() -> None:
    truth = np.array([3.0, -1.0, 2.0, -4.0])
    assert true_policy_value(truth, truth) == 1.25
    assert true_policy_value(np.ones(4), truth) == 0.0
    assert true_policy_value(np.zeros(4), truth) == 0.0
    assert true_policy_value(truth, truth, higher_is_better=False) == 1.25
    assert true_policy_value(-truth, truth) == -1.25
    assert true_policy_value(truth, truth, threshold=2.5) == 0.75


def test_effect_metrics_holds_every_measure() -> None:
    estimated = TRUTH + 0.5
    measures = effect_metrics(estimated, TRUTH, lower=estimated - 0.1, upper=estimated + 0.1)
    assert measures["coverage"] == 0.0
    assert measures["width"] == pytest.approx(0.2)
    assert measures["bias"] == 0.5
    assert measures["calibration_slope"] == pytest.approx(1.0)
    assert set(effect_metrics(estimated, TRUTH)) == set(measures) - {"coverage", "width"}
    with pytest.raises(ValueError, match="both"):
        effect_metrics(estimated, TRUTH, lower=estimated)


def test_performance_over_replicates() -> None:
    estimates = np.array([1.0, 2.0, 3.0, 2.0])
    result = performance(
        estimates,
        1.5,
        se=np.array([1.0, 1.0, 2.0, 2.0]),
        lower=estimates - 1,
        upper=estimates + 1,
    )
    assert result.replicates == 4
    assert result.bias == 0.5
    assert result.empirical_se == pytest.approx(estimates.std(ddof=1))
    assert result.bias_se == pytest.approx(estimates.std(ddof=1) / 2)
    assert result.rmse == pytest.approx(math.sqrt((0.25 + 0.25 + 2.25 + 0.25) / 4))
    assert result.mean_se == pytest.approx(math.sqrt(2.5))
    assert result.coverage == 0.75
    assert result.coverage_se == pytest.approx(math.sqrt(0.75 * 0.25 / 4))
    assert result.mean_width == 2.0
    without = performance([0.2, 0.3], [0.1, 0.4])
    assert without.bias == pytest.approx(0.0)
    assert math.isnan(without.coverage)
    assert math.isnan(without.mean_se)


@pytest.mark.parametrize(
    ("effect", "truth", "message"),
    [
        ([1.0], [1.0, 2.0], "one value per person"),
        ([], [], "empty"),
        ([1.0, np.nan], [1.0, 2.0], "effect has 1 missing"),
        ([1.0, 2.0], [np.inf, 2.0], "truth has 1 missing"),
    ],
)
def test_bad_input_is_named(effect: list[float], truth: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        srmse(effect, truth)
