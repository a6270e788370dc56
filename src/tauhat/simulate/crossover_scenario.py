"""A simulated cluster crossover trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tauhat._typing import IntArray
from tauhat.simulate.randomize import randomize
from tauhat.simulate.scenario import part_generator, register_scenario
from tauhat.simulate.stepped_wedge_scenario import SteppedWedgeTrial


@dataclass(frozen=True, kw_only=True)
class ClusterCrossoverTrial(SteppedWedgeTrial):
    """Cluster crossover: half of the clusters begin with treatment, and all change every period.

    Covariates, outcomes and settings are those of `SteppedWedgeTrial`; nothing carries over.

    Examples
    --------
    >>> trial = ClusterCrossoverTrial(n_clusters=8).draw(random_state=1)
    >>> [round(float(trial.treatment[trial.period == t].mean()), 1) for t in range(2)]
    [0.5, 0.5]
    >>> trial.data.design.name
    'cluster crossover'
    """

    mean_size: float = 40.0
    n_periods: int = 2

    _least_periods: ClassVar[int] = 2

    def _arms(self, seed: int) -> IntArray:
        """Arm of each cluster in each period."""
        first = randomize(self.n_clusters, 0.5, part_generator(seed, "trial", "treatment"))
        arms: IntArray = (first[:, None] + np.arange(self.n_periods)) % 2
        return arms


register_scenario("cluster-crossover", ClusterCrossoverTrial, kind="cluster")
