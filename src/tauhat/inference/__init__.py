"""What can be said with honest uncertainty: average effects and effect heterogeneity."""

from __future__ import annotations

from tauhat.inference.average_effects import AverageEffects, Estimate, average_effects

__all__ = ["AverageEffects", "Estimate", "average_effects"]
