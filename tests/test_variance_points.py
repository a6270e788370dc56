"""Weighted points of the variance ratios against quadrature and against the prior."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from tauhat.numerics.kernel_model import KernelMixedModel
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.variance_points import NormalScores, weighted_points


def clustered(size: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    Z, clusters = rng.normal(size=(120, 6)), np.repeat(np.arange(12), 10)
    y = size * Z[:, 0] + 0.3 * rng.normal(size=12)[clusters] + rng.normal(size=120)
    return y, Z, clusters


@pytest.mark.parametrize("size", [0.0, 0.5])
def test_the_mean_is_that_of_quadrature_over_both_deviations(size: float) -> None:
    y, Z, clusters = clustered(size, 3)
    model = MixedModel(y, np.ones((120, 1)), [Z], clusters)
    scales = np.array([0.5, 0.7])
    found = weighted_points(model, scales, [1, 2], 1, 256)
    # Equal prior mass in each cell of a fine grid over the half-t priors.
    middles = student.ppf(0.5 + (np.arange(80) + 0.5) / 160, 3)
    grid = [2 * np.log(np.array([a, b]) * scales) for a in middles for b in middles]
    given = [model.conditional(point) for point in grid]
    weights = np.exp(-0.5 * np.array([one.deviance - given[0].deviance for one in given]))
    weights /= weights.sum()
    mean = weights @ np.array([one.mean()[[1, 2]] for one in given])
    np.testing.assert_allclose(found.mean, mean, atol=0.004)
    deviations = [np.exp(points / 2) for points in (found.log_ratios, np.array(grid))]
    np.testing.assert_allclose(found.weights @ deviations[0], weights @ deviations[1], rtol=0.03)
    assert found.effective > 150


def test_without_data_the_points_stand_for_the_prior() -> None:
    rng = np.random.default_rng(1)
    # Columns of zeros: whatever their variance, the outcome is as likely.
    model = MixedModel(rng.normal(size=30), np.ones((30, 1)), [np.zeros((30, 2))] * 3)
    scales = np.array([0.3, 0.5, 1.0])
    found = weighted_points(model, scales, [0], 2, 256)
    scores = NormalScores(scales).of(found.log_ratios)
    np.testing.assert_allclose(found.weights @ scores, 0, atol=0.06)
    np.testing.assert_allclose(found.weights @ scores**2, 1, atol=0.12)


def test_scores_are_normal_under_the_prior_far_out_too() -> None:
    scores = NormalScores(np.array([0.5]))
    for level in (1e-6, 0.3, 0.999999):
        deviation = 0.5 * student.ppf((1 + level) / 2, 3)
        assert scores.of(np.array([2 * np.log(deviation)]))[0] == pytest.approx(
            norm.ppf(level), abs=1e-6
        )
    at = np.array([-5.0, -0.4, 2.0, 5.0])
    step = (scores.log_ratios(at + 1e-5) - scores.log_ratios(at - 1e-5)) / 2e-5
    np.testing.assert_allclose(scores.slopes(at), step, rtol=1e-5)


def test_each_point_is_drawn_as_often_as_its_weight_says() -> None:
    y, Z, clusters = clustered(0.5, 4)
    model = MixedModel(y, np.ones((120, 1)), [Z], clusters)
    found = weighted_points(model, np.array([0.5, 0.7]), [1], 1, 64)
    counts = found.resampled(100, np.random.default_rng(1))
    assert counts.sum() == 100
    assert np.abs(counts - 100 * found.weights).max() < 1


@pytest.mark.parametrize("kind", [MixedModel, KernelMixedModel])
@pytest.mark.parametrize("count", [500, 20_000])
def test_draws_have_the_mean_and_the_variance_that_the_points_give(kind: Any, count: int) -> None:
    y, Z, clusters = clustered(0.5, 6)
    by_columns = MixedModel(y, np.ones((120, 1)), [Z], clusters)
    model, wanted = kind(y, np.ones((120, 1)), [Z], clusters), [1, 2, 0]
    found = weighted_points(model, np.array([0.5, 0.7]), wanted, 1, 256)
    # 500 use what is drawn already, of 20,000 nearly all are drawn when they are asked for.
    log_ratios, drawn, variances = found.draws(count, np.random.default_rng(2))
    assert drawn.shape == (count, 3)
    assert len(np.unique(drawn, axis=0)) == count == len(np.unique(variances))
    np.testing.assert_allclose(drawn.mean(axis=0), found.mean, atol=1e-12)
    fits = [by_columns.at(point) for point in found.log_ratios]
    residual = np.array([fit.residual_variance for fit in fits]) * 119 / 117
    own = np.array([fit.standard_errors(np.eye(7)[wanted]) ** 2 for fit in fits]) * 119 / 117
    expected = found.weights @ (own + (found.means - found.mean) ** 2)
    relative = 4 / np.sqrt(count)
    np.testing.assert_allclose(drawn.var(axis=0), expected, rtol=2 * relative)
    assert variances.mean() == pytest.approx(found.weights @ residual, rel=relative)
    # Each stands beside the ratios it was drawn at: small ratios of the block shrink it.
    assert np.corrcoef(found.log_ratios[:, 0], found.means[:, 0])[0, 1] > 0.5
    low = log_ratios[:, 0] < np.quantile(log_ratios[:, 0], 0.1)
    assert drawn[low, 0].mean() < found.mean[0] < drawn[~low, 0].mean()


def test_means_by_rows_are_those_by_columns() -> None:
    y, Z, clusters = clustered(0.5, 5)
    at = np.log([0.2, 0.3])
    both = [kind(y, np.ones((120, 1)), [Z], clusters) for kind in (MixedModel, KernelMixedModel)]
    means = [model.conditional(at).mean() for model in both]
    np.testing.assert_allclose(means[0], means[1], atol=1e-8)
