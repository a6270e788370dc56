"""Ways to make one estimate of fitted members, by name."""

from __future__ import annotations

from functools import partial

from tauhat.ensembles.causal_stacking import CausalStacking
from tauhat.ensembles.consensus import ConsensusAverage
from tauhat.ensembles.ensemble import FEWEST_UNITS, Ensemble
from tauhat.ensembles.exponential import ExponentialWeights
from tauhat.ensembles.pointwise import MedianEffect, TrimmedMeanEffect
from tauhat.ensembles.q_aggregation import QAggregation
from tauhat.ensembles.r_stacking import RStacking
from tauhat.ensembles.t_stacking import TStacking
from tauhat.fitting.registered import RegisteredEstimator

_EITHER = ("individual", "cluster")
_aggregation = partial(
    RegisteredEstimator,
    meant_for=_EITHER,
    risks_for=_EITHER,
    rates_for=_EITHER,
    block_intercepts="members",
    inner_levels="members",
)
_cross_fitted = partial(_aggregation, fewest_units=FEWEST_UNITS)

#: Record of every aggregation by the name that users type.
AGGREGATIONS: dict[str, RegisteredEstimator] = {
    "CBA": _aggregation(
        ConsensusAverage,
        "average of the estimators that agree with each other",
        "Machluf and others 2024",
    ),
    "T-Stacking": _cross_fitted(
        TStacking,
        "regression of the transformed outcome on out-of-fold effects",
        "transformed outcome of Athey and Imbens 2016",
    ),
    "R-Stacking": _cross_fitted(
        RStacking, "weights with the least out-of-fold R-loss", "Nie and Wager 2021"
    ),
    "Causal-Stacking": _cross_fitted(
        CausalStacking,
        "convex weights with the least out-of-fold doubly robust loss",
        "Han and Wu 2022",
    ),
    "Q-Aggregation": _cross_fitted(
        QAggregation,
        "convex weights between the best combination and the best member",
        "Lan and Syrgkanis 2024",
    ),
    "Exponential": _cross_fitted(
        ExponentialWeights,
        "average discounted by out-of-fold doubly robust loss",
        "Dalalyan and Tsybakov 2008",
    ),
    "Median": _aggregation(
        MedianEffect, "median of the members' effects, person by person", "tauhat"
    ),
    "Trimmed-Mean": _aggregation(
        TrimmedMeanEffect,
        "mean of the members' effects without the extremes, person by person",
        "tauhat",
    ),
}

Ensemble.aggregations = AGGREGATIONS
