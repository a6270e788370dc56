"""Cluster crossover trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tauhat.design.names import DesignName
from tauhat.design.periods import ClustersOverPeriods


@dataclass(frozen=True, eq=False)
class ClusterCrossover(ClustersOverPeriods):
    """Clusters change between the arms, some in one order and some in another.

    Examples
    --------
    >>> import numpy as np
    >>> ward, half = np.repeat(np.arange(4), 2), np.tile([0, 1], 4)
    >>> ClusterCrossover.over((ward + half) % 2, ward, half).schedule.tolist()
    [[1, 0], [0, 1]]
    """

    name: ClassVar[DesignName] = "cluster crossover"
