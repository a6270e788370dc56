"""Nested random intercepts: the sums against dense matrices, and gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.nested_model import NestedMixedModel, mixed_model

RATIOS = np.log([0.3, 0.5, 0.2, 0.8])


def _data(seed: int = 1) -> tuple[FloatArray, FloatArray, FloatArray, IntArray, IntArray]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 9, 18)
    clusters, nesting = np.repeat(np.arange(18), sizes), np.arange(18) // 3
    n = len(clusters)
    fixed = np.column_stack([np.ones(n), rng.normal(size=n)])
    block = rng.normal(size=(n, 3))
    y = rng.normal(size=6)[nesting][clusters] + rng.normal(size=18)[clusters] + fixed[:, 1]
    return y + rng.normal(size=n), fixed, block, clusters, nesting


def _model(weight: FloatArray | None = None) -> NestedMixedModel:
    y, fixed, block, clusters, nesting = _data()
    arms = np.arange(18) % 2
    found = mixed_model(y, fixed, [block], clusters, weight, arms, nesting)
    assert isinstance(found, NestedMixedModel)
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_likelihood_and_predictions_are_those_of_the_dense_model(weighted: bool) -> None:
    y, fixed, block, clusters, nesting = _data()
    n = len(y)
    weight = np.random.default_rng(2).uniform(0.5, 2, n) if weighted else None
    of_lines, control, treated, of_blocks = np.exp(RATIOS)
    C, B = np.eye(18)[clusters], np.eye(6)[nesting][clusters]
    by_cluster = np.where(np.arange(18) % 2 == 0, control, treated)
    V = np.diag(1 / weight) if weight is not None else np.eye(n)
    V = V + of_lines * block @ block.T + C @ np.diag(by_cluster) @ C.T + of_blocks * B @ B.T
    inverse = np.linalg.inv(V)
    beta = np.linalg.solve(fixed.T @ inverse @ fixed, fixed.T @ inverse @ y)
    left = y - fixed @ beta
    rss = float(left @ inverse @ left)
    df = n - 2
    deviance = (
        df * np.log(rss)
        + np.linalg.slogdet(V)[1]
        + np.linalg.slogdet(fixed.T @ inverse @ fixed)[1]
        + (np.log(weight).sum() if weight is not None else 0.0)
    )
    model = _model(weight)
    assert model.deviance(RATIOS) == pytest.approx(deviance, abs=1e-8)
    assert model.objective(RATIOS)[0] == pytest.approx(deviance, abs=1e-8)
    fit = model.at(RATIOS)
    np.testing.assert_allclose(fit.coefficients[:2], beta, atol=1e-10)
    assert fit.residual_variance == pytest.approx(rss / df)
    assert fit.nesting_variances[0] == pytest.approx(of_blocks * rss / df)
    np.testing.assert_allclose(fit.level_effects[1], of_blocks * B.T @ inverse @ left, atol=1e-10)
    np.testing.assert_allclose(fit.cluster_effects, by_cluster * (C.T @ inverse @ left), atol=1e-10)


def test_gradient_is_that_of_the_likelihood() -> None:
    model = _model()
    slopes = model.objective(RATIOS)[1]
    numerical = approx_fprime(RATIOS, model.deviance, 1e-6)
    np.testing.assert_allclose(slopes, numerical, atol=2e-4)
    assert model.n_ratios == 4
    at_best = model.objective(model.fit().log_ratios)[1]
    assert np.abs(at_best).max() < 1e-5


def test_as_columns_the_blocks_give_the_same_fit() -> None:
    y, fixed, block, clusters, nesting = _data(3)
    nested = mixed_model(y, fixed, [block], clusters, None, None, nesting).fit()
    columns = MixedModel(y, fixed, [block, np.eye(6)[nesting][clusters]], clusters).fit()
    assert nested.restricted_log_likelihood == pytest.approx(
        columns.restricted_log_likelihood, abs=1e-6
    )
    assert nested.nesting_variances[0] == pytest.approx(columns.block_variances[1], rel=1e-3)
    np.testing.assert_allclose(nested.level_effects[1], columns.coefficients[-6:], atol=1e-4)


def test_without_blocks_it_is_the_plain_model_and_some_things_are_refused() -> None:
    y, fixed, block, clusters, _ = _data()
    assert type(mixed_model(y, fixed, [block], clusters)) is MixedModel
    model = _model()
    fit = model.at(RATIOS)
    with pytest.raises(NotImplementedError, match="nested"):
        model.satterthwaite(fit, np.zeros(5))
