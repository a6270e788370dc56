"""The latent step: truncated normal draws, and Gibbs samplers whose posteriors are known."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import log_ndtr, ndtr, ndtri

from tauhat.endpoint import Endpoint
from tauhat.numerics.latent import (
    MeasuredOutcome,
    ProbitOutcome,
    probit_risk,
    truncated_mean,
    truncated_normal,
)


@pytest.mark.parametrize("mean", [-60.0, -5.0, -0.3, 2.0, 40.0])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_draws_have_the_distribution_of_a_truncated_normal(mean, sign):
    z = truncated_normal(np.full(4000, mean), np.full(4000, sign), np.random.default_rng(1))
    assert (sign * z >= 0).all()
    towards = sign * mean
    # The probability transform on the log scale, where it still has digits.
    uniform = np.exp(log_ndtr(towards - sign * z) - log_ndtr(towards))
    assert stats.kstest(uniform, "uniform").pvalue > 0.001
    exact = truncated_mean(np.array([mean]), np.array([sign]))[0]
    assert abs(z.mean() - exact) < 4 * z.std() / np.sqrt(4000)


def test_means_stay_right_far_out():
    found = truncated_mean(np.array([-300.0, 300.0]), np.ones(2))
    np.testing.assert_allclose(found, [1 / 300, 300.0], rtol=1e-4)


def gibbs(outcome, columns, prior_sd, rng, steps):
    """Draws of coefficients with normal priors about the level that the outcome has."""
    root = np.ones(len(columns)) if outcome.root is None else outcome.root
    scaled = root[:, None] * columns
    precision = np.eye(columns.shape[1]) / prior_sd**2
    covariance = np.linalg.inv(scaled.T @ scaled + precision)
    half = np.linalg.cholesky(covariance)
    beta, draws = np.zeros(columns.shape[1]), []
    for _ in range(steps):
        beta = beta + outcome.level_change(scaled @ beta, scaled, beta, precision, rng)
        z = outcome.draw(scaled @ beta, rng)
        beta = covariance @ (scaled.T @ z) + half @ rng.normal(size=len(beta))
        draws.append(beta)
    return np.array(draws[steps // 10 :])


def exact_moments(events, offset, prior_sd, weight):
    grid = np.linspace(-4, 4, 4001)
    predictor = offset[:, None] + grid
    rows = np.where(events[:, None], log_ndtr(predictor), log_ndtr(-predictor))
    density = weight @ rows - 0.5 * (grid / prior_sd) ** 2
    density = np.exp(density - density.max())
    mean = (density @ grid) / density.sum()
    return mean, np.sqrt(density @ (grid - mean) ** 2 / density.sum())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_the_sampler_has_the_exact_posterior(share):
    events = np.arange(40) < share * 40
    outcome = ProbitOutcome(events)
    draws = gibbs(outcome, np.ones((40, 1)), 0.7, np.random.default_rng(1), 3000)[:, 0]
    mean, sd = exact_moments(events, np.full(40, outcome.level), 0.7, np.ones(40))
    assert draws.mean() == pytest.approx(mean, abs=0.12 * sd)
    assert draws.std() == pytest.approx(sd, rel=0.1)


def test_a_person_of_weight_three_counts_as_three_persons():
    rng = np.random.default_rng(3)
    events, x = rng.random(60) < 0.3, rng.normal(size=60)
    columns, weight = np.column_stack([np.ones(60), x]), np.repeat([1.0, 3.0], 30)
    times = weight.astype(int)
    # The mean weight is 2: relative weights hold half the information of these rows.
    weighted = ProbitOutcome(events, weight)
    weighted.root = np.sqrt(weight)
    repeated = ProbitOutcome(np.repeat(events, times))
    assert weighted.level == pytest.approx(repeated.level)
    one = gibbs(weighted, columns, 1.0, rng, 2500)
    other = gibbs(repeated, np.repeat(columns, times, axis=0), 1.0, rng, 2500)
    np.testing.assert_allclose(one.mean(axis=0), other.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(one.std(axis=0), other.std(axis=0), rtol=0.1)


def test_only_ratios_of_weights_matter():
    events, weight = np.arange(30) % 3 == 0, np.linspace(1, 2, 30)
    draws = [
        ProbitOutcome(events, w).draw(np.zeros(30), np.random.default_rng(1))
        for w in (weight, 4 * weight)
    ]
    np.testing.assert_allclose(draws[0], draws[1], rtol=1e-12)
    assert ProbitOutcome(events, np.full(30, 2.0)).root is None


def test_data_and_parameters_drawn_in_turn_have_the_prior():
    # "Getting it right" (Geweke 2004): outcomes drawn from the model as part of the chain.
    rng = np.random.default_rng(2)
    n, steps = 8, 8000
    x = np.linspace(-1, 1, n)
    variance = 1 / (x @ x + 1)
    beta, draws = 0.0, np.empty(steps)
    for step in range(steps):
        outcome = ProbitOutcome(x * beta + rng.normal(size=n) > 0)
        z = outcome.draw(x * beta - outcome.level, rng) + outcome.level
        beta = variance * (x @ z) + np.sqrt(variance) * rng.normal()
        draws[step] = beta
    batches = draws.reshape(40, -1)
    for values, expected in ((batches, 0.0), (batches**2, 1.0), (batches**4, 3.0)):
        means = values.mean(axis=1)
        assert abs(means.mean() - expected) < 4 * means.std(ddof=1) / np.sqrt(40)


def test_known_parts_of_the_risk_are_offsets():
    level = np.repeat([-0.15, 0.15], 200)
    events = np.r_[np.arange(200) < 30, np.arange(200) < 90]
    outcome = ProbitOutcome(events, None, level)
    spread = (ndtri(0.45) - ndtri(0.15)) / 2
    assert outcome.known_variance == pytest.approx(spread**2, rel=0.05)
    draws = gibbs(
        outcome, np.column_stack([np.ones(400), level > 0]), 1.0, np.random.default_rng(1), 2000
    )
    # What is known is not found once more.
    assert abs(draws[:, 1].mean()) < 0.1
    # Blocks without any events are not beyond reach.
    assert np.isfinite(ProbitOutcome(events, None, 10 * level).values).all()


def test_risks_are_means_over_new_clusters():
    rng = np.random.default_rng(1)
    intercepts = np.sqrt(0.6) * rng.normal(size=200_000)
    assert probit_risk(np.array([-1.0]), 0.6)[0] == pytest.approx(
        ndtr(-1 + intercepts).mean(), abs=0.002
    )


def test_measured_outcomes_are_themselves():
    z, rng = np.array([1.0, -2.0, 0.5]), np.random.default_rng(1)
    outcome = MeasuredOutcome(z)
    assert outcome.draw(np.zeros(3), rng) is z
    draws = [outcome.variance(np.ones(50), rng) for _ in range(2000)]
    assert np.mean(draws) == pytest.approx(50 / 48, rel=0.03)


def test_the_endpoint_says_what_lies_behind_the_outcome():
    nothing = np.zeros(4)
    assert Endpoint().latent(np.arange(4.0), None, nothing) is None
    for values in ([0.0, 1, 1, 0], [1.0, 2, 2, 1]):
        found = Endpoint.of(np.array(values)).latent(np.array(values), None, nothing)
        assert found.events.tolist() == [False, True, True, False]
