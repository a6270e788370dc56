"""Who benefits from this treatment? Effects for individuals in randomized trials.

The names below are loaded when first used, so that ``import tauhat`` and the
command's ``--help`` stay quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tauhat import datasets, ensembles, learners, outcome, simulate, testing
    from tauhat.analysis import Analysis, ContrastAnalysis, analyze
    from tauhat.errors import DesignError, TauhatWarning, TrialError
    from tauhat.fitting.cate_estimator import CateEstimator
    from tauhat.fitting.scikit_learn import ScikitLearnModel
    from tauhat.inference import (
        arm_policy_value,
        average_effects,
        best_linear_predictor,
        classification_analysis,
        cluster_intercepts,
        compare,
        contrast_effects,
        cross_fit,
        effect_calibration,
        effect_curve,
        effect_modifiers,
        effect_over_horizons,
        exposure_effects,
        find_subgroups,
        group_effect,
        interaction_effects,
        policy_value,
        profile_curves,
        rate,
        sorted_group_effects,
        survival_by_arm,
        survival_of_groups,
        test_contrasts,
        test_heterogeneity,
    )
    from tauhat.outcome_model import OutcomeModel, VarianceComponents
    from tauhat.power import power_by_simulation, power_hte, power_rmst
    from tauhat.registry import estimator, estimator_names
    from tauhat.report import plots
    from tauhat.saving import load, save
    from tauhat.tables.reading import read_table
    from tauhat.trial.trial import Trial

__version__ = "0.1.0"

_HOMES = {
    "Analysis": "tauhat.analysis",
    "CateEstimator": "tauhat.fitting.cate_estimator",
    "ContrastAnalysis": "tauhat.analysis",
    "DesignError": "tauhat.errors",
    "OutcomeModel": "tauhat.outcome_model",
    "ScikitLearnModel": "tauhat.fitting.scikit_learn",
    "TauhatWarning": "tauhat.errors",
    "Trial": "tauhat.trial.trial",
    "TrialError": "tauhat.errors",
    "VarianceComponents": "tauhat.outcome_model",
    "analyze": "tauhat.analysis",
    "arm_policy_value": "tauhat.inference",
    "average_effects": "tauhat.inference",
    "best_linear_predictor": "tauhat.inference",
    "classification_analysis": "tauhat.inference",
    "cluster_intercepts": "tauhat.inference",
    "compare": "tauhat.inference",
    "contrast_effects": "tauhat.inference",
    "cross_fit": "tauhat.inference",
    "effect_calibration": "tauhat.inference",
    "effect_curve": "tauhat.inference",
    "effect_modifiers": "tauhat.inference",
    "estimator": "tauhat.registry",
    "estimator_names": "tauhat.registry",
    "find_subgroups": "tauhat.inference",
    "group_effect": "tauhat.inference",
    "interaction_effects": "tauhat.inference",
    "load": "tauhat.saving",
    "policy_value": "tauhat.inference",
    "effect_over_horizons": "tauhat.inference",
    "exposure_effects": "tauhat.inference",
    "profile_curves": "tauhat.inference",
    "power_by_simulation": "tauhat.power",
    "power_hte": "tauhat.power",
    "power_rmst": "tauhat.power",
    "rate": "tauhat.inference",
    "read_table": "tauhat.tables.reading",
    "save": "tauhat.saving",
    "sorted_group_effects": "tauhat.inference",
    "survival_by_arm": "tauhat.inference",
    "survival_of_groups": "tauhat.inference",
    "test_contrasts": "tauhat.inference",
    "test_heterogeneity": "tauhat.inference",
}
_ROOMS = {
    **{n: n for n in ("datasets", "ensembles", "learners", "outcome", "simulate", "testing")},
    "plots": "report.plots",
}

__all__ = [
    "Analysis",
    "CateEstimator",
    "ContrastAnalysis",
    "DesignError",
    "OutcomeModel",
    "ScikitLearnModel",
    "TauhatWarning",
    "Trial",
    "TrialError",
    "VarianceComponents",
    "analyze",
    "arm_policy_value",
    "average_effects",
    "best_linear_predictor",
    "classification_analysis",
    "cluster_intercepts",
    "compare",
    "contrast_effects",
    "cross_fit",
    "datasets",
    "effect_calibration",
    "effect_curve",
    "effect_modifiers",
    "effect_over_horizons",
    "ensembles",
    "estimator",
    "estimator_names",
    "exposure_effects",
    "find_subgroups",
    "group_effect",
    "interaction_effects",
    "learners",
    "load",
    "outcome",
    "plots",
    "policy_value",
    "power_by_simulation",
    "power_hte",
    "power_rmst",
    "profile_curves",
    "rate",
    "read_table",
    "save",
    "simulate",
    "sorted_group_effects",
    "survival_by_arm",
    "survival_of_groups",
    "test_contrasts",
    "test_heterogeneity",
    "testing",
]


def __getattr__(name: str) -> Any:
    from tauhat.runtime.garbage import no_collections

    with no_collections():
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        if name in _ROOMS:
            return import_module(f"tauhat.{_ROOMS[name]}")
    raise AttributeError(f"module 'tauhat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
