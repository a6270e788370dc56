"""AGLM: the encodings' test vectors, recovery, what the lasso on dummies may and may not do."""

import numpy as np
import pytest

from tauhat.numerics.dummies import (
    continuous_dummies,
    equal_frequency_breaks,
    jump_dummies,
    l_variables,
)
from tauhat.outcome import ElasticNetModel
from tauhat.outcome.aglm import AGLMModel


def test_jump_dummies_are_nested():
    # The test vector of the R package aglm.
    found = jump_dummies(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert found.tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert jump_dummies(np.array([0.9, 2.5, 9.0]), np.array([1.0, 2.0])).tolist() == [
        [0, 0],
        [1, 1],
        [1, 1],
    ]


def test_continuous_dummies_are_ramps():
    found = continuous_dummies(np.array([0.0, 1.0, 1.25, 2.0, 4.0, 9.0]), np.array([1.0, 2.0, 6.0]))
    assert found.tolist() == [[0, 0], [0, 0], [0.25, 0], [1, 0], [1, 0.5], [1, 1]]


def test_l_variables_are_distances():
    # The test vector of the R package aglm.
    found = l_variables(np.array([1.0, 1.5, 2.0, 2.3, 3.0]), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(found[:, 0], [1, 0.5, 0, 0.3, 1])
    assert found.shape == (5, 1)


def test_breaks_part_the_rows_evenly_and_follow_the_units_exactly():
    x = np.random.default_rng(0).exponential(size=1000)
    breaks = equal_frequency_breaks(x, 20)
    assert len(breaks) == 21
    counts = np.histogram(x, breaks)[0]
    assert counts.min() >= 49
    assert counts.max() <= 51
    assert np.array_equal(equal_frequency_breaks(8 * x, 20), 8 * breaks)
    tied = np.repeat([1.0, 2.0, 3.0], 50)
    assert equal_frequency_breaks(tied, 20).tolist() == [1.0, 2.0, 3.0]


def steps(n, seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, 4))
    X[:, 3] = X[:, 3] > 0
    signal = 2.0 * (X[:, 0] > 0.3) - 1.0 * (X[:, 0] > -0.5) + X[:, 1] + X[:, 3]
    return X, signal + 0.5 * rng.normal(size=n), signal


@pytest.mark.parametrize("encoding", ["jump", "continuous", "l-variable"])
def test_finds_steps_where_a_line_cannot(encoding):
    X, y, _ = steps(400, seed=1)
    X_new, _, signal = steps(1000, seed=2)

    def explained(model):
        return 1 - np.mean((model.fit(X, y).predict(X_new) - signal) ** 2) / np.var(signal)

    found = explained(AGLMModel(encoding=encoding, random_state=1))
    assert found > 0.93
    assert found > explained(ElasticNetModel(random_state=1)) + 0.05


def test_jump_fit_without_the_line_is_a_step_function():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(300, 1))
    y = 5.0 * (X[:, 0] > 0) + 0.1 * rng.normal(size=300)
    model = AGLMModel(random_state=1).fit(X, y)
    grid = np.linspace(-1, 1, 2001)[:, None]
    jumps = np.abs(np.diff(model.predict(grid)))
    # Bins hold 12 of 300 rows, a width of .08: the step is found within one bin of 0.
    assert abs(grid[np.argmax(jumps), 0]) < 0.08
    assert np.sort(jumps)[-2:].sum() > 4
    assert np.median(jumps) < 0.01


def test_binary_columns_get_no_dummies_and_raw_columns_stay():
    X, y, _ = steps(200, seed=0)
    model = AGLMModel(n_bins=10, random_state=1).fit(X, y)
    assert model.breaks_[3] is None
    assert [len(b) for b in model.breaks_[:3]] == [11, 11, 11]
    assert len(model.solution_.coef) == 4 + 3 * 9


def test_bins_shrink_with_the_rows_and_with_the_number_of_columns():
    rng = np.random.default_rng(0)
    few = AGLMModel(random_state=1).fit(rng.normal(size=(30, 2)), rng.normal(size=30))
    assert len(few.breaks_[0]) == 30 // 5 + 1
    wide = AGLMModel(random_state=1).fit(rng.normal(size=(60, 500)), rng.normal(size=60))
    assert len(wide.breaks_[0]) == 2000 // 500 + 1


def test_beyond_the_data_the_steps_are_flat():
    X, y, _ = steps(400, seed=1)
    y = 3.0 * (X[:, 0] > 0)
    model = AGLMModel(random_state=1).fit(X[:, :1], y)
    far = model.predict(np.array([[1.0], [1.5]]))
    assert abs(far[1] - far[0]) < 0.3


def test_unknown_encoding_is_refused():
    X, y, _ = steps(50, seed=1)
    with pytest.raises(ValueError, match="encoding must be 'jump', 'continuous' or 'l-variable'"):
        AGLMModel(encoding="step").fit(X, y)
