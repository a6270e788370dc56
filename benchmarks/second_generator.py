"""A second generator, to confirm on other data what was measured on the scenario "crt".

Mostly binary and skewed covariates whose distribution differs between clusters, skewed effects,
skewed errors at both levels, an outcome that depends on the size of the cluster, and more
residual variance in treated clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat.simulate import ClusterScenario

EFFECTS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "constant": lambda X: 0.0 * X.x1,
    # SD .47, skewness about 1.7.
    "skewed": lambda X: 0.35 * (X.x1 - 1) + 0.4 * X.b4 * (X.x2 > 2) + 0.2 * (X.w1 - 1),
    "linear": lambda X: 0.3 * (X.x1 - 1) - 0.18 * (X.x2 - 2) + 0.3 * X.b3 + 0.2 * (X.w1 - 1),
    "one": lambda X: 0.5 * X.b3,
}


@dataclass(frozen=True, kw_only=True)
class SecondGenerator(ClusterScenario):
    """Cluster trial on five binary, three other person-level and two cluster-level covariates."""

    effect: str = "constant"
    mean_size: float = 30.0
    size_cv: float = 0.75
    min_size: int = 4
    prognosis_log_size: float = 0.4
    cluster_effects: str = "skewed"
    residuals: str = "skewed"
    treated_residual_variance: float = 1.7

    def _covariates(self, clusters, n_clusters, rng):
        n = len(clusters)
        logit = 0.5 * rng.normal(size=n_clusters)[clusters][:, None] + [-1.5, -0.5, 0, 0.5, 1.5]
        binary = (rng.random((n, 5)) < 1 / (1 + np.exp(-logit))).astype(float)
        columns = {f"b{k + 1}": binary[:, k] for k in range(5)}
        columns |= {"x1": rng.exponential(size=n), "x2": rng.poisson(2, size=n).astype(float)}
        columns |= {"x3": rng.normal(size=n), "w1": rng.exponential(size=n_clusters)[clusters]}
        columns["w2"] = (rng.random(n_clusters) < 0.3).astype(float)[clusters]
        return pd.DataFrame(columns)

    def _prognosis(self, X):
        mean = np.log1p(X.x1) + 0.3 * np.sqrt(X.x2) + 0.4 * X.b1 * X.b2
        return (mean + 0.3 * X.w1 + 0.3 * X.b4 * X.x3).to_numpy(dtype=float)

    def _effect(self, X):
        return 0.4 + EFFECTS[self.effect](X).to_numpy(dtype=float)
