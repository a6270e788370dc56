"""Outcome models: regressions of the outcome on covariates, plain and mixed."""

from tauhat.outcome.aglm import AGLMModel
from tauhat.outcome.bart import BART, MixedBART
from tauhat.outcome.boosting import BoostedTrees
from tauhat.outcome.elastic_net import ElasticNetModel
from tauhat.outcome.forest import RandomForest
from tauhat.outcome.stacked import StackedModel

__all__ = [
    "BART",
    "AGLMModel",
    "BoostedTrees",
    "ElasticNetModel",
    "MixedBART",
    "RandomForest",
    "StackedModel",
]
