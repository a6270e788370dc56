"""A simulated trial of parallel clusters that were observed before any was treated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.simulate.cluster import ClusterTrial
from tauhat.simulate.scenario import SimulatedPersons, part_generator, register_scenario

#: Covariate of a cluster: the mean outcome of its persons in the baseline period.
BASELINE_MEAN = "baseline_mean"


@dataclass(frozen=True, kw_only=True)
class BaselinePeriodTrial(ClusterTrial):
    """Parallel clusters with a baseline period, whose means are a covariate of the clusters.

    Covariates, surfaces and settings are those of `ClusterTrial`. Before the arms began, other
    persons of each cluster had outcomes without treatment. What lies between clusters is parted
    into b, which lasts (share ``autocorrelation`` of its variance), and what belongs to a period:

        Y_ij = mu0 + A_i tau + b_i + c_i1 + e_ij,   baseline mean = mean_j(mu0 + b_i + c_i0 + e)

    The effect does not depend on the baseline mean.

    Attributes
    ----------
    baseline_size
        Persons of each cluster in the baseline period, at least 1.
    autocorrelation
        Correlation of the means of a cluster in both periods (cluster autocorrelation), in [0, 1].
    baseline_covariate
        Whether the covariates include ``baseline_mean``; without, the same trial as if the period
        had not been observed.

    Examples
    --------
    >>> trial = BaselinePeriodTrial(n_clusters=8).draw(random_state=1)
    >>> trial.X.columns[-1], int(trial.X["baseline_mean"].nunique())
    ('baseline_mean', 8)
    """

    effect: str = "linear"
    baseline_size: int = 25
    autocorrelation: float = 0.8
    baseline_covariate: bool = True

    def __post_init__(self) -> None:
        """Refuse settings that make no baseline period."""
        super().__post_init__()
        if self.baseline_size < 1:
            raise ValueError(f"baseline_size must be at least 1, got {self.baseline_size}")
        if not 0.0 <= self.autocorrelation <= 1.0:
            raise ValueError(f"autocorrelation must lie in [0, 1], got {self.autocorrelation}")
        if self.cluster_effects != "normal":
            raise ValueError("cluster_effects must be normal beside a baseline period")
        if self.size_covariate:
            raise ValueError("size_covariate has no place beside a baseline period")

    def _persons(
        self, sizes: IntArray, present: IntArray, seed: int, part: str
    ) -> SimulatedPersons:
        """Persons of the clusters, whose means come from others in the baseline period."""
        m = len(sizes)
        clusters = np.repeat(np.arange(m), present)
        before = np.repeat(np.arange(m), self.baseline_size)
        # In one call, so that both have the same cluster-level covariates.
        both = np.r_[clusters, before]
        everyone = self._covariates(both, m, part_generator(seed, part, "covariates"))
        log_size = np.log(sizes[both] / self.mean_size)
        mu0 = self._prognosis(everyone) + self.prognosis_log_size * log_size
        tau = self._effect(everyone) + self.effect_log_size * log_size
        n = len(clusters)
        X = everyone.iloc[:n].reset_index(drop=True)
        if self.baseline_covariate:
            X = X.assign(**{BASELINE_MEAN: self._means(mu0[n:], before, m, seed, part)[clusters]})
        nodes = pd.DataFrame({"cluster_size": sizes[clusters]})
        return SimulatedPersons(X=X, clusters=clusters, tau=tau[:n], mu0=mu0[:n], nodes=nodes)

    def _means(self, mu0: FloatArray, before: IntArray, m: int, seed: int, part: str) -> FloatArray:
        """Mean outcome of each cluster in the baseline period, shape (m,)."""
        # The same stream as that of the outcomes: what lies between clusters when they are treated.
        later = part_generator(seed, part, "cluster effects").standard_normal(m)
        rng = part_generator(seed, part, "baseline period")
        rho = self.autocorrelation
        level = rho * later + np.sqrt(1 - rho**2) * rng.standard_normal(m)
        noise = np.sqrt(1 - self.icc) * rng.standard_normal(len(mu0))
        y = mu0 + np.sqrt(self.outcome_variance) * (np.sqrt(self.icc) * level[before] + noise)
        means: FloatArray = np.bincount(before, weights=y) / self.baseline_size
        return means


register_scenario("crt-baseline", BaselinePeriodTrial, kind="cluster")
