"""Parallel cluster trials whose rows of the baseline period are modelled too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.design.clusters import Clusters
from tauhat.design.names import DesignName
from tauhat.design.periods import ClustersOverPeriods


@dataclass(frozen=True, eq=False)
class ParallelWithBaseline(ClustersOverPeriods):
    """Clusters are controls in the first periods; from then on some are treated, others never.

    It is a stepped wedge of two sequences, one of them never treated.

    Examples
    --------
    >>> clinic, month = np.repeat(np.arange(4), 2), np.tile(np.arange(2), 4)
    >>> trial = ParallelWithBaseline.over((clinic % 2) * month, clinic, month)
    >>> trial.schedule.tolist(), trial.in_baseline.tolist()[:2]
    ([[0, 1], [0, 0]], [True, False])
    """

    name: ClassVar[DesignName] = "parallel trial with a baseline period"

    @property
    def in_baseline(self) -> BoolArray:
        """Which rows are from before any cluster was treated, shape (n,)."""
        return self.period < int(np.argmax((self.schedule == 1).any(axis=0)))

    def after_baseline(self) -> tuple[IntArray, Clusters]:
        """Rows from after the baseline, and the parallel clusters that they are of."""
        rows = np.flatnonzero(~self.in_baseline)
        unit = self.unit[rows]
        blocks = None if self.n_blocks < 2 else self.block[unit]
        return rows, Clusters.of(self.treatment[rows], unit, blocks)

    def expected_levels(
        self, residual: FloatArray, between: float, of_period: float, within: float
    ) -> FloatArray:
        r"""What a cluster's baseline says of its later level, shape (m,).

        The best linear prediction of the cluster's intercept :math:`b_i` from the mean residuals
        :math:`r_{it}` of its :math:`N_{it}` persons in the baseline periods t,

        .. math:: \hat b_i = \frac{\sum_t w_{it} r_{it}}{\sum_t w_{it} + 1/\sigma_b^2}, \quad
            w_{it} = \frac{1}{\sigma_c^2 + \sigma_e^2/N_{it}}

        Parameters
        ----------
        residual
            Outcome less what covariates and periods explain, shape (n,).
        between, of_period, within
            Variances of the intercepts of clusters (:math:`\sigma_b^2`) and of their periods
            (:math:`\sigma_c^2`), and of the residuals (:math:`\sigma_e^2`).
        """
        if between <= 0:
            return np.zeros(self.n_units)
        cells = self.unit * self.n_periods + self.period
        size = np.bincount(cells[self.in_baseline], minlength=self.n_units * self.n_periods)
        total = np.bincount(
            cells[self.in_baseline], residual[self.in_baseline], minlength=len(size)
        )
        seen = np.flatnonzero(size)
        weight = 1.0 / (of_period + within / size[seen])
        unit: IntArray = seen // self.n_periods
        above = np.bincount(unit, weight * total[seen] / size[seen], minlength=self.n_units)
        predicted: FloatArray = above / (
            np.bincount(unit, weight, minlength=self.n_units) + 1.0 / between
        )
        return predicted
