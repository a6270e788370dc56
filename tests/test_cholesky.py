"""Factors and solutions straight from LAPACK equal those of NumPy."""

import numpy as np
import pytest

from tauhat.numerics import cholesky
from tauhat.numerics.mixed_model import MixedModel


@pytest.fixture
def precision():
    rows = np.random.default_rng(1).normal(size=(30, 6))
    return rows.T @ rows


@pytest.mark.parametrize("order", ["C", "F"])
def test_factor_and_solutions_equal_numpy(precision, order):
    right = np.arange(6.0)
    root = cholesky.factor(np.array(precision, order=order))
    np.testing.assert_allclose(root, np.linalg.cholesky(precision).T, rtol=1e-12)
    half = cholesky.solve_transposed(root, right)
    np.testing.assert_allclose(cholesky.solve(root, half), np.linalg.solve(precision, right))
    np.testing.assert_allclose(cholesky.inverse(root) @ root, np.eye(6), atol=1e-12)


def test_only_the_upper_triangle_is_read(precision):
    below = np.tril(np.full((6, 6), 1e6), -1)
    root = cholesky.factor(np.triu(precision) + below)
    np.testing.assert_allclose(root, np.linalg.cholesky(precision).T, rtol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
def test_cross_products_are_taken_off_a_copy(precision, order):
    rows = np.random.default_rng(2).normal(size=(4, 6))
    gram = np.array(precision, order=order)
    less = cholesky.less_cross_products(gram, rows)
    np.testing.assert_allclose(np.triu(less), np.triu(precision - rows.T @ rows), rtol=1e-12)
    np.testing.assert_array_equal(gram, precision)
    nothing = cholesky.less_cross_products(gram, np.zeros((0, 6)))
    np.testing.assert_array_equal(nothing, precision)
    assert not np.shares_memory(nothing, gram)


@pytest.mark.parametrize("corner", [2.0, np.nan, np.inf])
def test_a_matrix_without_a_factor_is_an_error(corner):
    with pytest.raises(np.linalg.LinAlgError, match="a matrix of 2 columns has no Cholesky factor"):
        cholesky.factor(np.array([[1.0, corner], [corner, 1.0]]))


def test_a_fit_at_given_ratios_factors_once(monkeypatch):
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(40, 5)), rng.normal(size=40)
    model = MixedModel(y, np.ones((40, 1)), [X], np.arange(40) // 4)
    factor, sizes = cholesky.factor, []
    monkeypatch.setattr(cholesky, "factor", lambda gram: sizes.append(len(gram)) or factor(gram))
    fit = model.at(np.log([0.2, 0.3]))
    assert sizes == [6]
    value = model.objective(np.log([0.2, 0.3]))[0]
    df = model.degrees_of_freedom
    expected = -0.5 * (value + df * (np.log(2 * np.pi / df) + 1))
    assert fit.restricted_log_likelihood == pytest.approx(expected, rel=1e-13)
