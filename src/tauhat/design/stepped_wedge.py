"""Stepped wedges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tauhat.design.names import DesignName
from tauhat.design.periods import ClustersOverPeriods


@dataclass(frozen=True, eq=False)
class SteppedWedge(ClustersOverPeriods):
    """Clusters go from control to treated at randomized times and never back.

    Examples
    --------
    >>> import numpy as np
    >>> clinic, month = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    >>> wedge = SteppedWedge.over((month > clinic // 2).astype(int), clinic, month)
    >>> wedge.schedule.tolist(), wedge.arm.tolist(), wedge.compared_periods.tolist()
    ([[0, 1, 1], [0, 0, 1]], [0, 0, 1, 1], [1])
    >>> wedge.exposure[:3].tolist(), wedge.permutations(99, 1).n_assignments
    ([0, 1, 2], 6)
    """

    name: ClassVar[DesignName] = "stepped wedge"
