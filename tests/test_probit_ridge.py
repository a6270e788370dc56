"""The ridge mixed model behind events: its algebra, its chains, and the risks it is read as."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tauhat.numerics.latent import ProbitOutcome
from tauhat.numerics.probit_ridge import sample_probit_posterior
from tauhat.numerics.two_arm_gaussian import (
    LEVEL_SD,
    TREATMENT_SD,
    ByColumns,
    ByRows,
    TwoArmDesign,
)


def small_design(rng, *, nested=True):
    n, clusters = 24, np.repeat(np.arange(6), 4)
    root = np.sqrt(rng.uniform(0.5, 2, n))
    both = root[:, None] * np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    slices = [slice(4, 6), slice(1, 3)] + [slice(6, 9)] * nested
    of_rows = (np.arange(6) // 2)[clusters] if nested else None
    contrast = clusters % 2 - 0.5
    return TwoArmDesign(both, contrast, root, clusters, of_rows, tuple(slices))


@pytest.mark.parametrize("nested", [False, True])
def test_both_forms_have_the_density_and_the_mean_of_the_model(nested):
    rng = np.random.default_rng(1)
    design = small_design(rng, nested=nested)
    z = rng.normal(size=24)
    variances = np.array([0.3, 0.6, 0.2, 0.4])[[0, 1, *([2] * nested), 3]]
    columns = design.rows(slice(None))
    own = np.empty(design.width)
    own[[0, 3]] = LEVEL_SD**2, TREATMENT_SD**2
    for part, variance in zip(design.slices, variances, strict=False):
        own[part] = variance
    indicators = design.root[:, None] * (design.clusters[:, None] == np.arange(6))
    V = np.eye(24) + columns * own @ columns.T + variances[-1] * indicators @ indicators.T
    exact = multivariate_normal(np.zeros(24), V).logpdf(z) + 12 * np.log(2 * np.pi)
    mean = own * (columns.T @ np.linalg.solve(V, z))
    covariance = np.diag(own) - own[:, None] * columns.T @ np.linalg.solve(V, columns * own)
    for form in (ByColumns(design), ByRows(design)):
        factor = form.factor(np.log(variances))
        assert factor.density(design.read(z)) == pytest.approx(exact, abs=1e-9)
        drawn = [factor.draw(design.read(z), rng) for _ in range(800)]
        coefficients = np.array([one[0] for one in drawn])
        effects = np.array([one[1] for one in drawn])
        sd = np.sqrt(np.diag(covariance))
        assert (np.abs(coefficients.mean(axis=0) - mean) < 5 * sd / np.sqrt(800)).all()
        np.testing.assert_allclose(coefficients.std(axis=0), sd, rtol=0.15)
        expected = variances[-1] * (indicators.T @ np.linalg.solve(V, z))
        np.testing.assert_allclose(effects.mean(axis=0), expected, atol=0.1)
        fitted = design.product(*drawn[0])
        np.testing.assert_allclose(
            fitted, columns @ coefficients[0] + indicators @ effects[0], atol=1e-12
        )


def cluster_trial(seed, m=30, size=20, level=-0.5, heterogeneous=True):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    X, A = rng.normal(size=(m * size, 2)), clusters % 2
    slope = 0.6 if heterogeneous else 0.0
    z = level + 0.4 * X[:, 1] + A * (0.5 + slope * X[:, 0]) + 0.4 * rng.normal(size=m)[clusters]
    return X, z + rng.normal(size=len(z)) > 0, A, clusters


@pytest.mark.slow
def test_more_covariates_than_rows_have_the_same_posterior(monkeypatch):
    X, events, A, clusters = cluster_trial(3, m=12, size=12)
    outcome = ProbitOutcome(events)
    means = []
    for few in (25, 1):
        monkeypatch.setattr("tauhat.numerics.probit_ridge.MANY_COVARIATES", few)
        posterior = sample_probit_posterior(X, outcome, A, clusters, 1, n_chains=2)
        means.append(posterior.effect_draws(X))
    spread = means[0].std(axis=0)
    assert (np.abs(means[0].mean(axis=0) - means[1].mean(axis=0)) < 0.6 * spread).all()
    np.testing.assert_allclose(means[1].std(axis=0), spread, rtol=0.4)


def test_between_cluster_variance_is_that_behind_the_events():
    X, events, A, clusters = cluster_trial(0, m=60)
    one = sample_probit_posterior(X, ProbitOutcome(events), A, clusters, 1, n_chains=1, thin=1)
    assert one.between_cluster.mean() == pytest.approx(0.16, abs=0.08)
    assert (one.residual == 1).all()


def test_blocks_have_a_variance_of_their_own():
    rng = np.random.default_rng(5)
    clusters, block = np.repeat(np.arange(40), 15), np.arange(40) // 4
    X, A = rng.normal(size=(600, 2)), (np.arange(40) % 2)[clusters]
    events = rng.normal(size=10)[block][clusters] + 0.5 * A + rng.normal(size=600) > 0
    one = sample_probit_posterior(
        X, ProbitOutcome(events), A, clusters, 1, block, n_chains=1, thin=1
    )
    assert one.between_block.mean() > 0.4 > one.between_cluster.mean()
    # A participant of a new block: the variances of both are averaged over.
    risks = one.risk_draws(X).mean(axis=0)
    assert risks[A == 1, 1].mean() == pytest.approx(events[A == 1].mean(), abs=0.06)


def test_average_effects_are_means_over_persons():
    X, events, A, clusters = cluster_trial(1, m=10)
    one = sample_probit_posterior(
        X, ProbitOutcome(events), A, clusters, 1, n_chains=1, draws=20, thin=1
    )
    weight = np.linspace(1, 2, len(A))
    direct = one.effect_draws(X) @ weight / weight.sum()
    np.testing.assert_allclose(one.average_effect(X, weight), direct, rtol=1e-10)


def test_an_arm_without_events_keeps_finite_risks_and_its_chains_agree():
    X, events, A, clusters = cluster_trial(2, level=-1.5)
    outcome = ProbitOutcome(events & (A == 1))
    one = sample_probit_posterior(X, outcome, A, clusters, 1, n_chains=2, thin=1)
    risks = one.risk_draws(X).mean(axis=(0, 1))
    assert 0 < risks[0] < 0.03
    assert risks[1] == pytest.approx(outcome.events[A == 1].mean(), abs=0.04)
    first, second = one.average_effect(X, None).reshape(2, -1)
    assert abs(first.mean() - second.mean()) < 0.6 * first.std()
