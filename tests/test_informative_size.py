"""The test of effects that go with the size of clusters."""

from __future__ import annotations

import numpy as np
import pytest

from tauhat.data import validate_trial
from tauhat.design import Clusters
from tauhat.inference import average_effects
from tauhat.inference.informative_size import informative_size_p


def _sizes(m: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 60, m).astype(float)
    # Outcomes go with size in both arms, and vary the more the larger the cluster is.
    level = 0.05 * sizes + (0.2 + 0.02 * sizes) * rng.standard_t(4, m)
    return rng.permutation(np.arange(m) % 2), sizes, level


def test_it_rejects_as_often_as_it_says_where_outcomes_but_not_effects_go_with_size() -> None:
    p = []
    for seed in range(200):
        arm, sizes, level = _sizes(12, seed)
        design = Clusters.of(arm, np.arange(12))
        p.append(informative_size_p(level + 2.0 * arm, sizes, 2.0, design))
    # Two standard errors of the share at .05 are .03.
    assert np.mean(np.array(p, dtype=float) <= 0.05) <= 0.08


def test_it_sees_effects_that_go_with_size_and_does_not_mind_which_arm_is_the_control() -> None:
    arm, sizes, _ = _sizes(20, 1)
    level = 0.3 * np.random.default_rng(2).normal(size=20) + 0.1 * arm * sizes
    effect = float(level[arm == 1].mean() - level[arm == 0].mean())
    found = informative_size_p(level, sizes, effect, Clusters.of(arm, np.arange(20)))
    other = informative_size_p(level, sizes, -effect, Clusters.of(1 - arm, np.arange(20)))
    assert found is not None
    assert found < 0.01
    assert other == pytest.approx(found, abs=0.01)


def test_average_effects_have_it_where_sizes_differ() -> None:
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(16), np.tile([4, 12], 8))
    arm, X = (cluster // 2) % 2, rng.normal(size=(128, 1))
    y = rng.normal(size=128) + arm
    first = average_effects((X, y, arm, cluster)).size_p_value
    assert first is not None
    assert 0 < first <= 1
    order = rng.permutation(128)
    data = validate_trial(X[order], y[order], arm[order], 99 - cluster[order])
    assert average_effects(data).size_p_value == first
    same = np.repeat(np.arange(16), 8)
    assert average_effects((X, y, same % 2, same)).size_p_value is None
    assert average_effects((X, y, np.arange(128) % 2)).size_p_value is None
