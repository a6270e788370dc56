"""Slopes averaged over which of them are there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from tauhat.numerics import sparse_slopes
from tauhat.numerics.piecewise_hazards import PersonPeriods, interval_cuts, polynomials
from tauhat.numerics.responses import Counts
from tauhat.numerics.risk_mixture import GRID, log_prior
from tauhat.numerics.sparse_slopes import average_over_sets, mean_coefficients
from tauhat.numerics.two_arm_logit import TwoArmModel


def test_one_slope_is_averaged_over_its_standard_deviation() -> None:
    information, estimate = 40.0, 0.3
    found = average_over_sets(np.array([[information]]), np.array([information * estimate]))
    sds = np.array(GRID[1:])
    shares = 0.8 * np.exp(log_prior(0.5)[1:]) / 0.5
    density = norm.pdf(estimate, scale=np.sqrt(sds**2 + 1 / information))
    without = norm.pdf(estimate, scale=np.sqrt(1 / information))
    total = 0.2 * without + shares @ density
    shrunk = estimate * sds**2 / (sds**2 + 1 / information)
    assert found.mean[0] == pytest.approx((shares * density) @ shrunk / total)
    assert found.log_marginal == pytest.approx(np.log(total / without))


def test_what_is_independent_of_the_slope_that_matters_is_left_at_none() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(2000, 8))
    y = 0.3 * z[:, 2] + rng.normal(size=2000)
    found = average_over_sets(z.T @ z, z.T @ y)
    assert found.mean[2] == pytest.approx(0.3, abs=0.05)
    assert np.abs(np.delete(found.mean, 2)).max() < 0.02
    # So many that sets of two are too many: one of them, or all.
    many = rng.normal(size=(600, 80))
    found = average_over_sets(many.T @ many, many.T @ (0.4 * many[:, 5] + rng.normal(size=600)))
    assert found.mean[5] > 0.3
    assert np.abs(np.delete(found.mean, 5)).max() < 0.1
    assert average_over_sets(np.zeros((0, 0)), np.zeros(0)).mean.shape == (0,)


def test_the_reference_does_not_matter(monkeypatch) -> None:
    rng = np.random.default_rng(2)
    n, x = 500, rng.normal(size=(500, 3))
    arm = np.arange(n) % 2
    time = rng.exponential(size=n) / np.exp(0.3 * x[:, 0] + arm * (0.6 * x[:, 1] - 0.4))
    cuts = interval_cuts(time, time <= 2, 2.0)
    rows = PersonPeriods.of(np.minimum(time, 2.0), time <= 2, cuts)
    block, along = x[rows.person], polynomials(len(cuts) - 1)[rows.interval]
    two_arms = TwoArmModel(
        Counts(rows.event),
        arm[rows.person].astype(float),
        [block],
        [block, along],
        clusters=(np.arange(n) // 25)[rows.person],
        offset=np.log(rows.exposure),
    )
    fit = two_arms.fit()
    coefficients = mean_coefficients(two_arms, fit)
    monkeypatch.setattr(sparse_slopes, "_REFERENCE_SD", 0.7)
    np.testing.assert_allclose(mean_coefficients(two_arms, fit), coefficients, atol=1e-9)
    slopes = coefficients[5:8]
    assert slopes[1] == pytest.approx(0.6, abs=0.2)
    assert np.abs(slopes[[0, 2]]).max() < 0.1
