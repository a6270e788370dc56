"""Trials that tests of the heterogeneity test share."""

from __future__ import annotations

import numpy as np

from tauhat.inference import test_heterogeneity


def cluster_trial(seed, m=20, *, slope=0.0, between=0.0, treated=None, size=20):
    """X (2 continuous, 1 binary, 1 cluster-level), y, arm, clusters; effect .4 + slope x1."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(size - 8, size + 9, size=m)
    clusters = np.repeat(np.arange(m), sizes)
    n = len(clusters)
    arm = np.zeros(m, dtype=int)
    arm[rng.permutation(m)[: treated or m // 2]] = 1
    w = rng.normal(size=m)
    x = rng.normal(size=(n, 2)) + 0.3 * rng.normal(size=(m, 2))[clusters]
    X = np.column_stack([x, rng.random(n) < 0.4, w[clusters]]).astype(float)
    y = np.sin(1.5 * X[:, 0]) + 0.4 * X[:, 1] + 0.4 * X[:, 3]
    y += arm[clusters] * (0.4 + slope * X[:, 0] + between * X[:, 3])
    y += 0.33 * rng.normal(size=m)[clusters] + 0.95 * rng.normal(size=n)
    return X, y, arm[clusters], clusters


def person_trial(seed, n=200, *, slope=0.0, skewed=False):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=(n, 3)), rng.random(n) < 0.4]).astype(float)
    arm = np.zeros(n, dtype=int)
    arm[rng.permutation(n)[: n // 2]] = 1
    e = (rng.chisquare(2, n) - 2) / 2 if skewed else rng.normal(size=n)
    return X, np.sin(X[:, 0]) + arm * (0.4 + slope * X[:, 1]) + e * (1 + 0.4 * arm), arm


def p_values(result):
    return result.table.set_index("component").p_value


def rejections(trials, **options):
    return np.mean(
        [test_heterogeneity(t, random_state=1, **options).p_value <= 0.05 for t in trials]
    )
