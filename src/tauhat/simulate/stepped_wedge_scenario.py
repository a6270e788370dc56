"""A simulated stepped wedge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tauhat._typing import IntArray
from tauhat.numerics.seeds import resolve_seed
from tauhat.simulate.cluster import ClusterTrial
from tauhat.simulate.scenario import (
    RandomState,
    SimulatedTrial,
    part_generator,
    register_scenario,
    whole_number,
)


@dataclass(frozen=True, kw_only=True)
class SteppedWedgeTrial(ClusterTrial):
    """Stepped wedge: clusters go from control to treated at randomized times, one step a period.

    Covariates and surfaces are those of `ClusterTrial`. For person j of cluster i in period t

        Y_ijt = mu0 + trend t + A_it tau + b_i + c_it + e_ijt,

    where the variance ``icc * outcome_variance`` between clusters is parted into that of b
    (share ``autocorrelation``) and that of c. All clusters are controls in the first period and
    treated in the last. Each period has other persons, and a cluster's persons are shared out
    evenly over the periods. Settings as in `ClusterTrial` and:

    Attributes
    ----------
    n_periods
        Number of periods, at least 3.
    trend
        Change of the outcome from one period to the next.
    autocorrelation
        Correlation of the means of a cluster in two periods (cluster autocorrelation), in [0, 1].
    mean_size, size_cv, min_size
        Of clusters in all periods together.

    Examples
    --------
    >>> trial = SteppedWedgeTrial(n_clusters=8, n_periods=3).draw(random_state=1)
    >>> [round(float(trial.treatment[trial.period == t].mean()), 1) for t in range(3)]
    [0.0, 0.6, 1.0]
    """

    n_clusters: int = 12
    mean_size: float = 60.0
    min_size: int = 10
    effect: str = "linear"
    n_periods: int = 5
    trend: float = 0.25
    autocorrelation: float = 0.8

    _least_periods: ClassVar[int] = 3

    def __post_init__(self) -> None:
        """Refuse settings that make no stepped wedge."""
        super().__post_init__()
        whole_number(self.n_periods, "n_periods", self._least_periods)
        if self.n_clusters < self.n_periods - 1:
            raise ValueError(
                f"n_clusters must be at least n_periods - 1 = {self.n_periods - 1}, so that some "
                f"cluster changes at each step, got {self.n_clusters}"
            )
        if self.min_size < self.n_periods:
            raise ValueError(
                f"min_size must be at least n_periods ({self.n_periods}), so that each cluster is "
                f"seen in each, got {self.min_size}"
            )
        if not 0.0 <= self.autocorrelation <= 1.0:
            raise ValueError(f"autocorrelation must lie in [0, 1], got {self.autocorrelation}")
        if self.share_treated != 0.5 or self.treated_cluster_variance != 1:
            raise ValueError(
                "share_treated and treated_cluster_variance have no place in a stepped wedge or "
                "crossover, in which clusters change their arm"
            )

    def _arms(self, seed: int) -> IntArray:
        """Arm of each cluster in each period, shape (n_clusters, n_periods)."""
        steps = np.resize(np.arange(1, self.n_periods), self.n_clusters)
        start = part_generator(seed, "trial", "treatment").permutation(steps)
        arms: IntArray = (np.arange(self.n_periods) >= start[:, None]).astype(np.int64)
        return arms

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTrial:
        """Draw one trial; see `ClusterScenario.draw`.

        Parameters
        ----------
        n
            Number of persons in all periods; None for ``n_clusters * mean_size`` on average.
        random_state
            Seed.

        Returns
        -------
        SimulatedTrial
            With ``period``; ``nodes`` as in `ClusterScenario.draw`, and period_effect (c).
        """
        seed = resolve_seed(random_state)
        m = self.n_clusters
        sizes = self._trial_sizes(n, seed)
        persons = self._persons(sizes, sizes, seed, "trial")
        clusters = np.repeat(np.arange(m), sizes)
        first = np.r_[0, np.cumsum(sizes)[:-1]]
        period = (np.arange(len(clusters)) - first[clusters]) % self.n_periods
        treatment = self._arms(seed)[clusters, period]
        nodes = self._outcomes(persons, clusters, seed)
        of_cells = part_generator(seed, "trial", "cluster-periods").standard_normal(
            (m, self.n_periods)
        )
        between = np.sqrt(self.icc * self.outcome_variance * (1 - self.autocorrelation))
        of_period = between * of_cells[clusters, period]
        lasting = np.sqrt(self.autocorrelation) * nodes["cluster_effect"]
        change = self.trend * period + of_period + lasting - nodes["cluster_effect"]
        nodes = nodes.assign(
            cluster_effect=lasting,
            period_effect=of_period,
            y0=nodes["y0"] + change,
            y1=nodes["y1"] + change,
        )
        return self._seen(persons, clusters, nodes, treatment, seed, period)

    def _large_trial(self, n: int, seed: int) -> SimulatedTrial:
        clusters = max(self._many_clusters(n), self.n_periods - 1)
        return replace(self, n_clusters=clusters, dropout=0.0).draw(None, seed)


register_scenario("stepped-wedge", SteppedWedgeTrial, kind="cluster")
