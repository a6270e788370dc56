"""What can be said with honest uncertainty: average effects and effect heterogeneity."""

from __future__ import annotations

from tauhat.inference.average_effects import AverageEffects, Estimate, average_effects
from tauhat.inference.heterogeneity import (
    DEFAULT_WEIGHTS,
    HeterogeneityTest,
    test_heterogeneity,
)
from tauhat.inference.modifiers import EffectModifiers, effect_modifiers

__all__ = [
    "DEFAULT_WEIGHTS",
    "AverageEffects",
    "EffectModifiers",
    "Estimate",
    "HeterogeneityTest",
    "average_effects",
    "effect_modifiers",
    "test_heterogeneity",
]
