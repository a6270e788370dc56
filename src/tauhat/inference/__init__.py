"""What can be said with honest uncertainty: average effects and effect heterogeneity."""

from __future__ import annotations

from tauhat.inference.arm_policy import ArmPolicyValue, arm_policy_value
from tauhat.inference.average_effects import average_effects
from tauhat.inference.average_risks import AverageRisks, NumberNeeded
from tauhat.inference.averages import AverageEffects
from tauhat.inference.best_linear_predictor import BestLinearPredictor, best_linear_predictor
from tauhat.inference.cluster_intercepts import ClusterIntercepts, cluster_intercepts
from tauhat.inference.compare import ModelComparison, compare
from tauhat.inference.contrast_effects import ContrastEffects, contrast_effects
from tauhat.inference.contrast_test import ContrastTests, test_contrasts
from tauhat.inference.covariate_group_effects import CovariateGroupEffects, covariate_group_effects
from tauhat.inference.cross_fitting import CrossFit, cross_fit
from tauhat.inference.effect_calibration import EffectCalibration, effect_calibration
from tauhat.inference.effect_curve import EffectCurve, effect_curve
from tauhat.inference.effect_over_horizons import EffectOverHorizons, effect_over_horizons
from tauhat.inference.estimate import Estimate
from tauhat.inference.exposure_time import ExposureEffects, exposure_effects
from tauhat.inference.group_effect import GroupEffect, group_effect
from tauhat.inference.heterogeneity import (
    DEFAULT_WEIGHTS,
    test_heterogeneity,
)
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.inference.imputations import (
    completed_trials,
    effects_over_imputations,
    pooled,
    pooled_tables,
)
from tauhat.inference.interaction_effects import InteractionEffects, interaction_effects
from tauhat.inference.modifiers import EffectModifiers, effect_modifiers
from tauhat.inference.over_periods import PeriodAverages
from tauhat.inference.policy_value import PolicyValue, policy_value
from tauhat.inference.profile_curves import ProfileCurves, profile_curves
from tauhat.inference.rate import RankWeightedEffect, rate
from tauhat.inference.sorted_effects import (
    ClassificationAnalysis,
    SortedGroupEffects,
    classification_analysis,
    sorted_group_effects,
)
from tauhat.inference.subgroups import Subgroup, Subgroups, find_subgroups
from tauhat.inference.survival_by_arm import SurvivalByArm, survival_by_arm
from tauhat.inference.survival_of_groups import SurvivalOfGroups, survival_of_groups

__all__ = [
    "DEFAULT_WEIGHTS",
    "ArmPolicyValue",
    "AverageEffects",
    "AverageRisks",
    "BestLinearPredictor",
    "ClassificationAnalysis",
    "ClusterIntercepts",
    "ContrastEffects",
    "ContrastTests",
    "CovariateGroupEffects",
    "CrossFit",
    "EffectCalibration",
    "EffectCurve",
    "EffectModifiers",
    "EffectOverHorizons",
    "Estimate",
    "ExposureEffects",
    "GroupEffect",
    "HeterogeneityTest",
    "InteractionEffects",
    "ModelComparison",
    "NumberNeeded",
    "PeriodAverages",
    "PolicyValue",
    "ProfileCurves",
    "RankWeightedEffect",
    "SortedGroupEffects",
    "Subgroup",
    "Subgroups",
    "SurvivalByArm",
    "SurvivalOfGroups",
    "arm_policy_value",
    "average_effects",
    "best_linear_predictor",
    "classification_analysis",
    "cluster_intercepts",
    "compare",
    "completed_trials",
    "contrast_effects",
    "covariate_group_effects",
    "cross_fit",
    "effect_calibration",
    "effect_curve",
    "effect_modifiers",
    "effect_over_horizons",
    "effects_over_imputations",
    "exposure_effects",
    "find_subgroups",
    "group_effect",
    "interaction_effects",
    "policy_value",
    "pooled",
    "pooled_tables",
    "profile_curves",
    "rate",
    "sorted_group_effects",
    "survival_by_arm",
    "survival_of_groups",
    "test_contrasts",
    "test_heterogeneity",
]
