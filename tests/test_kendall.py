from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tauhat.analysis.models import agreement_table
from tauhat.numerics.kendall import kendall_matrix, kendall_tau


def brute_force_tau_b(a: np.ndarray, b: np.ndarray) -> float:
    i, j = np.triu_indices(len(a), 1)
    sign_a, sign_b = np.sign(a[i] - a[j]), np.sign(b[i] - b[j])
    return float((sign_a * sign_b).sum() / np.sqrt((sign_a**2).sum() * (sign_b**2).sum()))


def test_matrix_agrees_with_scipy_and_with_counting_pairs() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=200)
    predictions = np.column_stack(
        [base, base + rng.normal(size=200), np.round(base), -(base**3), rng.integers(0, 3, 200)]
    ).astype(float)
    matrix = kendall_matrix(predictions)
    assert matrix.shape == (5, 5)
    for i in range(5):
        for j in range(5):
            expected = stats.kendalltau(predictions[:, i], predictions[:, j]).statistic
            assert matrix[i, j] == pytest.approx(expected, abs=1e-14)
            assert matrix[i, j] == pytest.approx(
                brute_force_tau_b(predictions[:, i], predictions[:, j]), abs=1e-12
            )
    assert np.array_equal(matrix, matrix.T)


def test_a_constant_model_is_uncorrelated_with_all_others() -> None:
    values = np.arange(6.0)
    matrix = kendall_matrix(np.column_stack([values, np.full(6, 3.0), values]))
    expected = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    assert np.allclose(matrix, expected, rtol=0, atol=1e-15)
    assert matrix[1].tolist() == expected[1].tolist()


@pytest.mark.parametrize("n", [1, 2])
def test_very_few_persons(n: int) -> None:
    values = np.arange(float(n))
    assert kendall_tau(values, values) == (1.0 if n == 2 else 0.0)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="missing"):
        kendall_matrix(np.array([[1.0, np.nan], [2.0, 3.0]]))
    with pytest.raises(ValueError, match="one row per person"):
        kendall_matrix(np.zeros(3))
    with pytest.raises(ValueError, match="same persons"):
        kendall_tau(np.zeros(3), np.zeros(4))


def test_models_without_an_order_have_nothing_to_agree_on():
    rng = np.random.default_rng(1)
    outcome, effect = rng.normal(size=50), rng.normal(size=50)
    columns = {
        "Mean": effect,
        "A": effect,
        "B": effect + 1,
        "flat": -7 + 1e-6 * rng.normal(size=50),
    }
    effects = pd.DataFrame(columns)

    def agreement(*members, others=()):
        reported = SimpleNamespace(members_=dict.fromkeys(members))
        fitted = SimpleNamespace(name="Mean", reported=reported, others=dict.fromkeys(others))
        return agreement_table(fitted, effects, outcome)

    assert agreement("A", "B", "flat").columns.tolist() == ["A", "B"]
    assert agreement("A", "B").to_numpy().tolist() == [[1, 1], [1, 1]]
    assert agreement("A", "flat") is None
    assert agreement("A") is None  # the mean of A is A
    assert agreement(others=["A"]).columns.tolist() == ["Mean", "A"]
