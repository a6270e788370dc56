"""The kinds of design, and the one that a trial's columns tell of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.design.cluster_crossover import ClusterCrossover
from tauhat.design.clusters import Clusters
from tauhat.design.clusters_in_one_arm import ClustersInOneArm, clustered_in_one_arm
from tauhat.design.design import Design
from tauhat.design.parallel_with_baseline import ParallelWithBaseline
from tauhat.design.periods import ClustersOverPeriods
from tauhat.design.persons import Persons
from tauhat.design.stepped_wedge import SteppedWedge


def design_of(
    arm: IntArray,
    clusters: AnyArray | None = None,
    blocks: AnyArray | None = None,
    propensity: FloatArray | None = None,
    within: Sequence[AnyArray] = (),
    period: IntArray | None = None,
    crossed: Sequence[AnyArray] = (),
) -> Design:
    """The design of a trial, from one value per row.

    Parameters
    ----------
    arm
        0 or 1, or 0 to k - 1 of several arms, shape (n,).
    clusters
        Label of the cluster, shape (n,), or None where persons were randomized. Where those of one
        arm hold one person each and those of the other several, persons were randomized, and
        clustered in that arm only.
    blocks
        Label of the randomization block, shape (n,), or None.
    propensity
        Known probability of arm 1 of two, shape (n,); None for the shares of the arms in the
        block, which a design with fixed arm sizes has.
    within
        Labels of the levels within clusters, outermost first, shape (n,) each. Equal labels in
        different clusters, or in different units of the level before, are different units.
    period
        Period 0 to T - 1, shape (n,), where clusters change their arm over time, or None.
    crossed
        Labels of what crosses the clusters, shape (n,) each.

    Returns
    -------
    Design

    Raises
    ------
    ValueError
        If what whole clusters have in common varies within one.

    Examples
    --------
    >>> design_of(np.array([1, 1, 0]), np.array(["b", "b", "a"])).arm.tolist()
    [1, 0]
    >>> design_of(np.array([0, 1, 1, 1])).propensity.tolist()
    [0.75, 0.75, 0.75, 0.75]
    """
    if period is not None:
        assert clusters is not None
        kind: type[ClustersOverPeriods] = ClusterCrossover
        if never_back(arm, clusters, period):
            parallel = parallel_after_baseline(arm, clusters, period)
            kind = ParallelWithBaseline if parallel else SteppedWedge
        return kind.over(arm, clusters, period, blocks)
    if clusters is None:
        return Persons.of(arm, blocks, propensity)
    kind_of_clusters = ClustersInOneArm if clustered_in_one_arm(arm, clusters) else Clusters
    return kind_of_clusters.of(arm, clusters, blocks, propensity, within, crossed)


def never_back(arm: IntArray, clusters: AnyArray, period: IntArray) -> bool:
    """Whether no cluster was seen as a control after it was treated.

    Examples
    --------
    >>> clinic, month = np.array([1, 1, 2, 2]), np.array([0, 1, 0, 1])
    >>> never_back(np.array([0, 1, 0, 0]), clinic, month)
    True
    >>> never_back(np.array([0, 1, 1, 0]), clinic, month)
    False
    """
    cluster = pd.factorize(clusters)[0]
    order = np.lexsort((arm, period, cluster))
    went_back = (np.diff(arm[order]) < 0) & (np.diff(cluster[order]) == 0)
    return not went_back.any()


def parallel_after_baseline(arm: IntArray, clusters: AnyArray, period: IntArray) -> bool:
    """Whether clusters are all controls at first, and later some treated at once and others never.

    Examples
    --------
    >>> clinic, month = np.array([1, 1, 2, 2]), np.array([0, 1, 0, 1])
    >>> parallel_after_baseline(np.array([0, 1, 0, 0]), clinic, month)
    True
    >>> parallel_after_baseline(np.array([0, 1, 1, 1]), clinic, month)
    False
    """
    start = period[arm == 1].min()
    if start == period.min():
        return False
    later = period >= start
    cluster = pd.factorize(clusters)[0]
    treated = np.bincount(cluster, weights=later * (arm == 1)) > 0
    control = np.bincount(cluster, weights=later * (arm == 0)) > 0
    return bool(not (treated & control).any() and control.any())
