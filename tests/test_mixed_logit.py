"""Generalised mixed models against R's lme4 and mgcv, at their limits, and in time."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tauhat.numerics.mixed_logit import GeneralisedMixedModel
from tauhat.numerics.quadrature import InterceptLikelihood, maximum_likelihood
from tauhat.numerics.responses import Binomial, Counts

FOLDER = Path(__file__).resolve().parent / "reference"
REFERENCE = json.loads((FOLDER / "glmer_reference.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trial():
    return pd.read_csv(FOLDER / "glmer_trial.csv")


def numbers(table, *names):
    return np.column_stack([np.ones(len(table)), *(table[n].to_numpy(float) for n in names)])


def problem(name, trial):
    """Response, columns, clusters and offset of a reference fit."""
    if name == "groups":
        groups = pd.read_csv(FOLDER / "glmer_groups.csv")
        response = Binomial(groups.events.to_numpy(float), groups.trials.to_numpy(float))
        return response, numbers(groups, "arm", "age"), groups.village.to_numpy() - 1, None
    columns, clusters = numbers(trial, "arm", "x1", "x2"), trial.cluster.to_numpy() - 1
    if name == "binary":
        return Binomial(trial.y.to_numpy(float)), columns, clusters, None
    return Counts(trial["count"].to_numpy(float)), columns, clusters, np.log(trial.time.to_numpy())


@pytest.mark.parametrize("nodes", [1, 9])
@pytest.mark.parametrize("name", ["binary", "groups", "counts"])
def test_quadrature_equals_glmer(name, nodes, trial):
    response, columns, clusters, offset = problem(name, trial)
    value = REFERENCE[f"{name}_{nodes}"]
    rough = GeneralisedMixedModel(response, columns, (), clusters, offset=offset).fit()
    start = np.r_[rough.coefficients, np.sqrt(rough.cluster_variances)]
    likelihood = InterceptLikelihood(response, clusters, nodes=nodes)
    fit = maximum_likelihood(likelihood, columns, start, offset)
    off = (fit.coefficients - value["coefficients"]) / value["errors"]
    assert np.abs(off).max() < 5e-4
    np.testing.assert_allclose(fit.between_cluster_sd, value["sd"], atol=5e-5)
    errors = np.sqrt(np.diag(fit.covariance))[:-1]
    np.testing.assert_allclose(errors, value["errors"], rtol=1e-2)
    if nodes == 1:  # with more nodes glmer leaves constants out
        assert -1e-6 < fit.log_likelihood - value["log_likelihood"] < 1e-4


@pytest.mark.parametrize("name", ["binary", "groups", "counts"])
def test_quasi_likelihood_is_near_glmer(name, trial):
    response, columns, clusters, offset = problem(name, trial)
    value = REFERENCE[f"{name}_9"]
    fit = GeneralisedMixedModel(response, columns, (), clusters, offset=offset).fit()
    off = (fit.coefficients - value["coefficients"]) / value["errors"]
    # The approximation's own error, in standard errors, and of the intercept's SD.
    assert np.abs(off).max() < 0.35
    assert 0.85 < np.sqrt(fit.cluster_variances[0]) / value["sd"] < 1.1


@pytest.mark.parametrize("name", ["binary", "counts"])
def test_quasi_likelihood_equals_mgcv(name, trial):
    response, columns, clusters, offset = problem(name, trial)
    value = REFERENCE[f"pql_{name}"]
    model = GeneralisedMixedModel(response, columns, (), clusters, offset=offset)
    fit = model.fit(tolerance=1e-8, max_passes=200)
    np.testing.assert_allclose(fit.coefficients, value["coefficients"], atol=1e-5)
    np.testing.assert_allclose(fit.standard_errors(np.eye(4)), value["errors"], rtol=1e-4)
    np.testing.assert_allclose(fit.cluster_variances, value["variances"], rtol=2e-4)
    np.testing.assert_allclose(fit.predictor[:10], value["predictor"], atol=1e-4)


def test_weights_and_nested_intercepts_equal_mgcv(trial):
    response, columns, clusters, _ = problem("binary", trial)
    nesting = trial.groupby("cluster").block.first().to_numpy() - 1
    weight = trial.weight.to_numpy()
    model = GeneralisedMixedModel(response, columns, (), clusters, weight, nesting=nesting)
    fit = model.fit(tolerance=1e-8, max_passes=200)
    value = REFERENCE["pql_nested_weighted"]
    np.testing.assert_allclose(fit.coefficients, value["coefficients"], atol=1e-5)
    np.testing.assert_allclose(fit.standard_errors(np.eye(4)), value["errors"], rtol=1e-4)
    found = [fit.cluster_variances[0], fit.nesting_variance]
    np.testing.assert_allclose(found, value["variances"], rtol=1e-3)


def test_blocks_equal_mgcv(trial):
    response, columns, clusters, _ = problem("binary", trial)
    X = trial[[f"x{k}" for k in range(1, 9)]].to_numpy()
    XA = (trial.arm.to_numpy() - 0.5)[:, None] * X
    model = GeneralisedMixedModel(response, columns[:, :2], [X, XA], clusters)
    fit = model.fit(tolerance=1e-8, max_passes=200)
    value = REFERENCE["pql_blocks"]
    np.testing.assert_allclose(fit.coefficients, value["coefficients"], atol=1e-5)
    np.testing.assert_allclose(fit.standard_errors(np.eye(18)), value["errors"], rtol=1e-4)
    found = [*fit.block_variances, *fit.cluster_variances]
    np.testing.assert_allclose(found, value["variances"], rtol=1e-3)


def test_overdispersion_equals_moments_in_r(trial):
    response = Counts(trial.scattered.to_numpy(float), fits_overdispersion=True)
    columns, offset = numbers(trial, "arm", "x1"), np.log(trial.time.to_numpy())
    fit = GeneralisedMixedModel(response, columns, offset=offset).fit(tolerance=1e-8)
    value = REFERENCE["negative_binomial"]
    np.testing.assert_allclose(fit.response.overdispersion, value["overdispersion"], rtol=1e-5)
    np.testing.assert_allclose(fit.coefficients, value["coefficients"], atol=1e-6)
