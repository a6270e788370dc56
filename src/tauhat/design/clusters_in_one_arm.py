"""Designs in which persons were randomized and those of one arm were then treated in groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.design.clusters import Clusters
from tauhat.design.design import Design
from tauhat.design.names import DesignName
from tauhat.design.permutations import Assignments
from tauhat.errors import TrialError
from tauhat.numerics.arm_variances import by_arm
from tauhat.numerics.seeds import derive_seed
from tauhat.wording import counted

#: Clusters of two persons or more that the primary test needs.
FEWEST_FOR_TEST = 8


@dataclass(frozen=True, eq=False)
class ClustersInOneArm(Clusters):
    """Clusters in one arm only: units are groups there, and single persons in the other.

    Groups of therapists or classes came about after randomization, so that neither groups nor
    persons could have had the other arm as they are: there is nothing to permute.

    Examples
    --------
    >>> group = np.array([0, 0, 1, 1, 2, 3, 4])
    >>> trial = ClustersInOneArm.of((group < 2).astype(int), group)
    >>> trial.n_units, trial.n_clusters, trial.centred.tolist()
    (5, 2, [1, 1, 2, 2, 0, 0, 0])
    """

    name: ClassVar[DesignName] = "clusters in one arm"
    unit_word: ClassVar[str] = "unit"
    whole_units: ClassVar[str] = "whole clusters and single persons"
    can_permute: ClassVar[bool] = False

    @staticmethod
    def _shares(arm: IntArray, blocks: AnyArray | None) -> FloatArray | None:
        """Share of the treated persons in the block, since persons were randomized."""
        block = np.zeros(len(arm), int) if blocks is None else pd.factorize(blocks)[0]
        share: FloatArray = (np.bincount(block, weights=arm) / np.bincount(block))[block]
        return share

    @property
    def n_clusters(self) -> int:
        """Number of clusters, all in one arm."""
        return int(self.clusters_by_arm.sum())

    @property
    def clusters_by_arm(self) -> IntArray:
        """Clusters of each arm, zero where persons are single, shape (k,)."""
        sizes: IntArray = self.arm_sizes.copy()
        sizes[1 - self.clustered_arm] = 0
        return sizes

    @property
    def randomized(self) -> str:
        """The kind of design in words."""
        return "individual randomized, clusters in one arm only"

    @property
    def units_in_words(self) -> str:
        """Clusters and single persons."""
        persons = counted(self.n_units - self.n_clusters, "single person")
        return f"{counted(self.n_clusters, 'cluster')} and {persons}"

    @property
    def clustered_arm(self) -> int:
        """Arm that has clusters: the one with more persons to a unit."""
        persons = np.bincount(self.treatment, minlength=2)
        return int(persons[1] * self.arm_sizes[0] > persons[0] * self.arm_sizes[1])

    @property
    def centred(self) -> IntArray:
        """Cluster, or arm and block of persons without one, in which a level is the same, (n,)."""
        alone = self.treatment != self.clustered_arm
        key = np.where(alone, self.block[self.unit], self.n_blocks + self.unit)
        return np.unique(key, return_inverse=True)[1].astype(np.int64)

    def degrees_of_freedom(
        self,
        expected: FloatArray,
        deleted: FloatArray | None = None,
        even: FloatArray | None = None,
    ) -> FloatArray:
        r"""Satterthwaite's degrees of freedom, of clusters in one arm and persons in the other.

        .. math:: \frac{(v_0 + v_1)^2}{v_0^2 / f_0 + v_1^2 / f_1}

        with the arms' jackknife variances :math:`v_a` and
        :math:`f_a = (\sum_j q_j)^2 / \sum_j q_j^2 - B` for expected squares :math:`q_j`, so units
        less blocks if these count the same; but no more than the design alone gives
        (`tauhat.numerics.arm_variances.degrees_of_freedom`), which holds where two or three
        clusters happen to be alike.
        """
        by_design = super().degrees_of_freedom(expected, even=even)
        if deleted is None:
            return by_design
        v, q = self._variances(deleted, expected), by_arm(expected, self.arm)
        units = q**2 / np.maximum(by_arm(expected**2, self.arm), 1e-300)
        free = np.maximum(units - self.n_blocks, 1)
        spread, whole = (v**2 / free).sum(axis=0), v.sum(axis=0) ** 2
        df: FloatArray = np.divide(whole, spread, out=free.min(axis=0), where=spread > 0)
        return np.minimum(df, by_design)

    def _variances(self, deleted: FloatArray, expected: FloatArray) -> FloatArray:
        """Jackknife variance of each arm's part of each estimate, shape (2, l)."""
        present = expected > 0
        count = by_arm(present, self.arm)
        mean = by_arm(deleted * present, self.arm) / np.maximum(count, 1)
        squares = by_arm(np.where(present, deleted - mean[self.arm], 0.0) ** 2, self.arm)
        # (m - 1) / m of the jackknife, and the degrees of freedom that blocks take.
        factor = (count - 1) ** 2 / np.maximum(count * (count - self.n_blocks), 1)
        variances: FloatArray = factor * squares
        return variances

    def permutations(self, n_permutations: int, seed: int, allocations: Any = None) -> Assignments:
        """Refused.

        Raises
        ------
        TrialError
            Always.
        """
        raise TrialError(
            "with clusters in one arm only no other assignment can be made of these units: persons "
            "were randomized, and the clusters are what came of the treatment"
        )

    def deletion_groups(self, most: int, seed: int) -> tuple[IntArray, Design]:
        """Clusters, and single persons or as many sets of them as may be left out."""
        alone = self.arm != self.clustered_arm
        count = int(alone.sum())
        if count <= most:
            return self.unit, self
        rng = np.random.default_rng(derive_seed(seed, "sets of single persons"))
        group_of_unit = np.empty(self.n_units, dtype=np.int64)
        group_of_unit[~alone] = most + np.arange(self.n_units - count)
        # Dealt block by block, so that a set has its share of every block.
        order = rng.permutation(np.flatnonzero(alone))
        order = order[np.argsort(self.block[order], kind="stable")]
        group_of_unit[order] = np.arange(count) % most
        arm = np.where(np.arange(most + self.n_units - count) < most, 1, 0)
        arm = np.where(arm == 1, 1 - self.clustered_arm, self.clustered_arm)
        return group_of_unit[self.unit], Clusters.of(arm, np.arange(len(arm)))


def clustered_in_one_arm(arm: IntArray, clusters: AnyArray) -> bool:
    """Whether clusters of one of two arms hold one person each, and some of the other several.

    Examples
    --------
    >>> arm = np.array([0, 0, 1, 1])
    >>> [clustered_in_one_arm(arm, np.array(labels)) for labels in ([1, 2, 3, 3], [1, 1, 2, 2])]
    [True, False]
    """
    if int(arm.max(initial=0)) > 1:
        return False
    unit = pd.factorize(clusters)[0]
    several = np.bincount(unit)[unit] > 1
    of_arm = [bool(several[arm == a].any()) for a in (0, 1)]
    return of_arm[0] != of_arm[1] and bool(np.bincount(arm, minlength=2).min() > 0)
