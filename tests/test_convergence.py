"""R-hat and effective sample size against theory."""

import numpy as np
import pytest

from tauhat.numerics.convergence import _basic_rhat, effective_sample_size, r_hat


def autoregressive(rho, chains, n, seed):
    rng = np.random.default_rng(seed)
    draws = np.empty((chains, n))
    draws[:, 0] = rng.normal(size=chains)
    for t in range(1, n):
        draws[:, t] = rho * draws[:, t - 1] + np.sqrt(1 - rho**2) * rng.normal(size=chains)
    return draws


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.5, 0.9])
def test_effective_size_of_autoregressive_chains(rho):
    draws = autoregressive(rho, 4, 5000, seed=1)
    expected = draws.size * (1 - rho) / (1 + rho)
    assert effective_sample_size(draws) == pytest.approx(expected, rel=0.15)


def test_effective_size_collapses_when_chains_disagree():
    draws = autoregressive(0.0, 4, 500, seed=1) + 3 * np.arange(4)[:, None]
    assert effective_sample_size(draws) < 15


def test_r_hat_by_hand():
    # W = 1, variance of the means 2: sqrt((2/3 * 1 + 2) / 1).
    chains = np.array([[-1.0, 0.0, 1.0], [1.0, 2.0, 3.0]])
    assert _basic_rhat(chains) == pytest.approx(np.sqrt(2 / 3 + 2))


def test_r_hat_sees_shift_scale_and_trend_but_not_noise():
    draws = autoregressive(0.0, 4, 1000, seed=2)
    assert r_hat(draws) == pytest.approx(1, abs=0.01)
    assert r_hat(draws + np.array([[0], [0], [0], [1]])) > 1.05
    assert r_hat(draws * np.array([[1], [1], [1], [3]])) > 1.05
    assert r_hat(draws + np.linspace(0, 3, 1000)) > 1.2


def test_measures_do_not_depend_on_units_or_heavy_tails():
    draws = autoregressive(0.5, 4, 400, seed=3)
    for measure in (r_hat, effective_sample_size):
        assert measure(-4 * draws) == pytest.approx(measure(draws), rel=1e-9)
    cauchy = np.random.default_rng(0).standard_cauchy((4, 1000))
    assert r_hat(cauchy) < 1.02


def test_constant_and_short_input():
    assert np.isnan(r_hat(np.ones((2, 10))))
    assert np.isnan(effective_sample_size(np.ones((2, 10))))
    with pytest.raises(ValueError, match="at least 4 draws"):
        r_hat(np.ones((2, 3)))
