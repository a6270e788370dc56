"""Sums of columns that are made some rows at a time, against the arrays themselves."""

from __future__ import annotations

import numpy as np
import pytest

from tauhat.numerics import standardised_columns
from tauhat.numerics.column_sums import MadeBlock, column_sums
from tauhat.numerics.ridge_dictionary import RidgeDictionary


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("with_clusters", [False, True])
def test_sums_of_made_features_are_those_of_the_arrays(
    weighted: bool, with_clusters: bool, monkeypatch: pytest.MonkeyPatch
):
    rng = np.random.default_rng(1)
    n = 300
    X = np.column_stack([rng.normal(size=(n, 3)), rng.integers(0, 2, n)])
    y, contrast = rng.normal(size=n), rng.integers(0, 2, n) - 0.5
    weight = rng.uniform(0.5, 2, n) if weighted else None
    # Clusters that hold persons of both arms.
    clusters = rng.permutation(np.arange(n) % 20) if with_clusters else None
    dictionary = RidgeDictionary(X, 1, n_trees=5)
    features = dictionary.blocks(X)
    fixed = np.column_stack([np.ones(n), contrast, X])
    names = dictionary.names
    assert names == ["linear", "additive", "products", "trees"]
    # Straight lines may be an array of the outcome and made of the effect.
    arrays = [contrast[:, None] * features[name] for name in names]
    arrays += [features[name] for name in names]
    made = [MadeBlock(dictionary, name, X, contrast) for name in names]
    made += [features["linear"], *(MadeBlock(dictionary, name, X) for name in names[1:])]
    expected = column_sums(y, fixed, arrays, clusters, weight)
    monkeypatch.setattr(standardised_columns, "_NUMBERS_AT_ONCE", 7000)
    monkeypatch.setattr(standardised_columns, "_FEWEST_ROWS", 40)
    found = column_sums(y, fixed, made, clusters, weight)
    for name in ("cross", "cross_y", "sum_squares", "columns", "outcome", "weight"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=1e-12, atol=1e-11
        )
