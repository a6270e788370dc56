"""Rules by which fitted members are made into one estimate, by name."""

from __future__ import annotations

from tauhat.ensembles.causal_stacking import CausalStacking
from tauhat.ensembles.consensus import ConsensusAverage
from tauhat.ensembles.ensemble import Ensemble
from tauhat.ensembles.exponential import ExponentialWeights
from tauhat.ensembles.pointwise import MedianEffect, TrimmedMeanEffect
from tauhat.ensembles.q_aggregation import QAggregation
from tauhat.ensembles.r_stacking import RStacking
from tauhat.ensembles.t_stacking import TStacking

#: Class and description of every rule by the name that users type.
RULES: dict[str, tuple[type[Ensemble], str]] = {
    "CBA": (ConsensusAverage, "average of the estimators that agree with each other"),
    "T-Stacking": (TStacking, "regression of the transformed outcome on out-of-fold effects"),
    "R-Stacking": (RStacking, "weights with the least out-of-fold R-loss"),
    "Causal-Stacking": (
        CausalStacking,
        "convex weights with the least out-of-fold doubly robust loss",
    ),
    "Q-Aggregation": (
        QAggregation,
        "convex weights between the best combination and the best member",
    ),
    "Exponential": (ExponentialWeights, "average discounted by out-of-fold doubly robust loss"),
    "Median": (MedianEffect, "median of the members' effects, person by person"),
    "Trimmed-Mean": (
        TrimmedMeanEffect,
        "mean of the members' effects without the extremes, person by person",
    ),
}

Ensemble.rules = RULES
