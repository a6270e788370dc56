"""One effect estimate out of many."""

from tauhat.ensembles.consensus import ConsensusAverage
from tauhat.ensembles.stacked_x import StackedX

__all__ = ["ConsensusAverage", "StackedX"]
