"""One effect estimate out of many."""

from tauhat.runtime.garbage import no_collections

with no_collections():
    # Loaded so that `Ensemble.reaggregate` knows the aggregations by name.
    from tauhat.ensembles import aggregations as aggregations
    from tauhat.ensembles.causal_stacking import CausalStacking
    from tauhat.ensembles.consensus import ConsensusAverage
    from tauhat.ensembles.explanation import Explanation
    from tauhat.ensembles.exponential import ExponentialWeights
    from tauhat.ensembles.external import ExternalEstimator
    from tauhat.ensembles.pointwise import MedianEffect, TrimmedMeanEffect
    from tauhat.ensembles.q_aggregation import QAggregation
    from tauhat.ensembles.r_stacking import RStacking
    from tauhat.ensembles.recalibrated import Recalibrated
    from tauhat.ensembles.robust import RobustEnsemble
    from tauhat.ensembles.stacked_x import StackedX
    from tauhat.ensembles.t_stacking import TStacking

__all__ = [
    "CausalStacking",
    "ConsensusAverage",
    "Explanation",
    "ExponentialWeights",
    "ExternalEstimator",
    "MedianEffect",
    "QAggregation",
    "RStacking",
    "Recalibrated",
    "RobustEnsemble",
    "StackedX",
    "TStacking",
    "TrimmedMeanEffect",
]
