"""Estimators of individual effects: meta-learners, mixed models, forests."""

from tauhat.learners.additive_mixed_effect import AdditiveMixedEffect
from tauhat.learners.bayesian_causal_forest import BayesianCausalForest
from tauhat.learners.bayesian_ridge import BayesianRidgeEffect
from tauhat.learners.causal_forest import CausalForest
from tauhat.learners.dr import DRLearner
from tauhat.learners.effect_boosting import EffectBoosting
from tauhat.learners.linear_mixed_effect import LinearMixedEffect
from tauhat.learners.mixed_s import MixedEffectsLearner
from tauhat.learners.odds_ratio import ConstantOddsRatio
from tauhat.learners.piecewise_exponential import PiecewiseExponentialEffect
from tauhat.learners.r import RLearner
from tauhat.learners.risk import RiskEffect
from tauhat.learners.s import SLearner
from tauhat.learners.t import TLearner
from tauhat.learners.x import XLearner

__all__ = [
    "AdditiveMixedEffect",
    "BayesianCausalForest",
    "BayesianRidgeEffect",
    "CausalForest",
    "ConstantOddsRatio",
    "DRLearner",
    "EffectBoosting",
    "LinearMixedEffect",
    "MixedEffectsLearner",
    "PiecewiseExponentialEffect",
    "RLearner",
    "RiskEffect",
    "SLearner",
    "TLearner",
    "XLearner",
]
