"""Bayes factor of heterogeneity: size under a constant effect, power, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest

from tauhat.numerics.effect_evidence import effect_evidence


def log_bayes_factor(*arguments) -> float:
    return effect_evidence(*arguments).log_bayes_factor


def draw(seed: int, slope: float, m: int = 20) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), 25)
    X = rng.normal(size=(len(clusters), 4))
    a = (clusters % 2) - 0.5
    y = X[:, 0] + a * (1 + slope * X[:, 1]) + 0.3 * rng.normal(size=m)[clusters]
    return X, y + rng.normal(size=len(y)), a, clusters


def test_no_heterogeneity_is_favoured_when_there_is_none() -> None:
    found = [log_bayes_factor(*draw(seed, 0.0), None, 1) for seed in range(12)]
    assert np.mean(found) < -0.4
    # A Bayes factor of B or more has probability 1/B at most under the constant effect.
    assert max(found) < np.log(20)


def test_it_grows_with_the_effect_s_variation_and_the_number_of_clusters() -> None:
    small, large, many = (
        np.mean([log_bayes_factor(*draw(seed, slope, m), None, 1) for seed in range(5)])
        for slope, m in ((0.15, 20), (0.6, 20), (0.6, 40))
    )
    assert small < 2 < 10 < large < many


def test_units_order_labels_and_arms_do_not_matter() -> None:
    X, y, a, clusters = draw(1, 0.4)
    value = log_bayes_factor(X, y, a, clusters, None, 1)
    assert log_bayes_factor(X, 7 - 1000 * y, a, clusters, None, 1) == pytest.approx(value, rel=1e-6)
    assert log_bayes_factor(X, y, -a, clusters, None, 1) == pytest.approx(value, rel=1e-6)
    renamed = (clusters * 7) % 20
    assert log_bayes_factor(X, y, a, renamed, None, 1) == pytest.approx(value, rel=1e-6)
    shifted = log_bayes_factor(3 - 5 * X[:, :1], y, a, clusters, None, 1)
    assert shifted == pytest.approx(log_bayes_factor(X[:, :1], y, a, clusters, None, 1), rel=0.2)


def test_the_cluster_intercept_is_no_evidence() -> None:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(20), 25)
    site = rng.normal(size=20)[clusters]
    X = np.column_stack([site, rng.normal(size=500)])
    a = (clusters % 2) - 0.5
    y = a + 2 * rng.normal(size=20)[clusters] + rng.normal(size=500)
    assert log_bayes_factor(X, y, a, clusters, None, 1) < 1
    assert log_bayes_factor(X, y, a, None, None, 1) > 5


def test_straight_lines_are_told_from_curves() -> None:
    def probability(bend: float, seed: int) -> float:
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(400, 4))
        a = np.tile([-0.5, 0.5], 200)
        effect = (1 - bend) * X[:, 0] + bend * np.abs(X[:, 0]) * 1.5
        y = X[:, 1] + a * (1 + effect) + 0.7 * rng.normal(size=400)
        return effect_evidence(X, y, a, None, None, 1).linear

    assert np.mean([probability(0.0, seed) for seed in range(6)]) > 0.75
    assert max(probability(1.0, seed) for seed in range(6)) < 0.02


def test_nothing_to_judge() -> None:
    X, y, a, clusters = draw(1, 0.4)
    assert log_bayes_factor(np.ones_like(X), y, a, clusters, None, 1) == 0
    assert log_bayes_factor(X, np.ones_like(y), a, clusters, None, 1) == 0


def test_weights_of_one_change_nothing() -> None:
    X, y, a, clusters = draw(2, 0.4)
    alone = log_bayes_factor(X, y, a, clusters, None, 1)
    assert log_bayes_factor(X, y, a, clusters, np.ones(len(y)), 1) == pytest.approx(alone)
