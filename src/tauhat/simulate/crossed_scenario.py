"""A simulated cluster trial of pupils of schools and of neighbourhoods, which cross."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tauhat._typing import IntArray
from tauhat.simulate.scenario import register_scenario, whole_number
from tauhat.simulate.third_level import ThirdLevelTrial


@dataclass(frozen=True, kw_only=True)
class CrossedTrial(ThirdLevelTrial):
    """Schools are randomized, whose pupils come from neighbourhoods that cross the schools.

    Settings as in `ClusterTrial`, whose clusters are the schools, in `ThirdLevelTrial`, whose third
    level is that of the areas, and:

    Attributes
    ----------
    areas_of_cluster
        Areas, next to each other, that a school's pupils come from with equal probability. There
        are as many areas as schools, each of which lies in one.

    Examples
    --------
    >>> trial = CrossedTrial(n_clusters=8).draw(random_state=1)
    >>> len(trial.data.design.crossed), int(np.unique(trial.crossed[trial.clusters == 0]).size)
    (1, 4)
    """

    areas_of_cluster: int = 4

    _field: ClassVar[str] = "crossed"

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        super().__post_init__()
        whole_number(self.areas_of_cluster, "areas_of_cluster", 2)
        if self.areas_of_cluster > self.n_clusters:
            raise ValueError(
                f"areas_of_cluster ({self.areas_of_cluster}) must not be above n_clusters "
                f"({self.n_clusters}), the number of areas"
            )

    def _units(self, sizes: IntArray, present: IntArray, rng: np.random.Generator) -> IntArray:
        """Area of each person."""
        school = np.repeat(np.arange(len(sizes)), present)
        step = rng.integers(0, self.areas_of_cluster, len(school))
        area: IntArray = (school + step) % max(len(sizes), self.areas_of_cluster)
        return area


register_scenario("crt-crossed", CrossedTrial, kind="cluster")
