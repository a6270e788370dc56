"""Outcome models: regressions of the outcome on covariates, plain and mixed."""

from tauhat.outcome.bart import BART, MixedBART
from tauhat.outcome.boosting import BoostedTrees
from tauhat.outcome.elastic_net import ElasticNetModel
from tauhat.outcome.forest import RandomForest

__all__ = [
    "BART",
    "BoostedTrees",
    "ElasticNetModel",
    "MixedBART",
    "RandomForest",
]
