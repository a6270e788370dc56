"""Outcome models: regressions of the outcome on covariates, plain and mixed."""

from tauhat.outcome.aglm import AGLMModel
from tauhat.outcome.bart import BART, MixedBART
from tauhat.outcome.boosting import BoostedTrees
from tauhat.outcome.elastic_net import ElasticNetModel
from tauhat.outcome.forest import RandomForest
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.outcome.gpboost import GPBoost
from tauhat.outcome.linear_mixed import LinearMixedModel
from tauhat.outcome.megb import MEGB
from tauhat.outcome.merf import MERF
from tauhat.outcome.mermboost import AdditiveBoosting
from tauhat.outcome.mert_boosting import MERTBoosting
from tauhat.outcome.reem_boosting import REEMBoosting
from tauhat.outcome.stacked import StackedModel

__all__ = [
    "BART",
    "MEGB",
    "MERF",
    "AGLMModel",
    "AdditiveBoosting",
    "AdditiveMixedModel",
    "BoostedTrees",
    "ElasticNetModel",
    "GPBoost",
    "LinearMixedModel",
    "MERTBoosting",
    "MixedBART",
    "REEMBoosting",
    "RandomForest",
    "StackedModel",
]
