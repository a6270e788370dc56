"""Blocks of the Bayesian ridge mixed model: scale, replay, and curves beside lines."""

from __future__ import annotations

import numpy as np
import pytest

from tauhat.numerics import standardised_columns as columns
from tauhat.numerics.ridge_dictionary import RidgeDictionary


def covariates(seed: int, n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [rng.normal(5, 3, size=n), rng.exponential(size=n), rng.integers(0, 2, n)]
    )


def test_blocks_are_centred_and_coefficients_of_variance_one_give_a_function_of_variance_one() -> (
    None
):
    X = covariates(1)
    blocks = RidgeDictionary(X, 1).blocks(X)
    assert list(blocks) == ["linear", "additive", "products", "trees"]
    for block in blocks.values():
        assert np.abs(block.mean(axis=0)).max() < 1e-9
        assert (block**2).sum(axis=1).mean() == pytest.approx(1, abs=0.02)


def test_new_rows_get_the_features_of_the_same_persons() -> None:
    X = covariates(2)
    dictionary = RidgeDictionary(X, 1)
    whole, part = dictionary.blocks(X), dictionary.blocks(X[50:60])
    for name, block in whole.items():
        np.testing.assert_allclose(part[name], block[50:60], atol=1e-12)


def test_units_of_the_covariates_do_not_matter() -> None:
    X = covariates(3)
    one, other = RidgeDictionary(X, 1).blocks(X), RidgeDictionary(3 + 7 * X, 1).blocks(3 + 7 * X)
    for name, block in one.items():
        np.testing.assert_allclose(np.abs(other[name]), np.abs(block), atol=1e-6)


def test_curves_are_not_over_shrunk_beside_lines() -> None:
    X = covariates(4)
    block = RidgeDictionary(X, 1).blocks(X)["additive"]
    lines = np.column_stack([np.ones(len(X)), X])
    curved = block - lines @ np.linalg.lstsq(lines, block, rcond=None)[0]
    # Of the steps and hinges as they are, lines have seven tenths of the variance.
    assert (curved**2).sum(axis=1).mean() > 0.6


def test_a_constant_covariate_and_no_many_valued_one() -> None:
    X = covariates(5)
    X[:, 1] = 2.0
    X[:, 0] = X[:, 0] > 5
    assert RidgeDictionary(X, 1).names == ["linear", "products", "trees"]
    assert RidgeDictionary(np.ones((50, 2)), 1).names == []


def test_rows_in_parts_give_the_same_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    X = covariates(6)
    whole = RidgeDictionary(X, 1).blocks(X)
    monkeypatch.setattr(columns, "_FEWEST_ROWS", 130)
    monkeypatch.setattr(columns, "_NUMBERS_AT_ONCE", 0)
    parts = RidgeDictionary(X, 1).blocks(X)
    for name, block in whole.items():
        # Directions may turn around; the functions that they span may not.
        np.testing.assert_allclose(parts[name] @ parts[name].T, block @ block.T, atol=1e-8)
