"""Who was randomized, and how: one object that splits, tests, errors and mixed models ask."""

from tauhat.design.cluster_crossover import ClusterCrossover
from tauhat.design.clusters import Clusters
from tauhat.design.clusters_in_one_arm import ClustersInOneArm
from tauhat.design.design import Design
from tauhat.design.intercepts import Intercepts
from tauhat.design.kinds import design_of
from tauhat.design.names import DesignName
from tauhat.design.parallel_with_baseline import ParallelWithBaseline
from tauhat.design.periods import ClustersOverPeriods
from tauhat.design.persons import Persons
from tauhat.design.stepped_wedge import SteppedWedge

__all__ = [
    "ClusterCrossover",
    "Clusters",
    "ClustersInOneArm",
    "ClustersOverPeriods",
    "Design",
    "DesignName",
    "Intercepts",
    "ParallelWithBaseline",
    "Persons",
    "SteppedWedge",
    "design_of",
]
