"""Scales on which an effect can be told: one table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray
from tauhat.numerics.marginal_risks import Scale, contrast, log_contrast


@dataclass(frozen=True)
class EffectScale:
    """One contrast of two mean outcomes, such as two risks.

    Attributes
    ----------
    name
        What users type as ``scale=``.
    is_log
        Whether errors are taken, and intervals made, on the scale of its logarithm.

    Examples
    --------
    >>> risks = np.array([[0.1, 0.2], [0.5, 0.5]])
    >>> SCALES["ratio"].of(risks).round(2).tolist()
    [2.0, 1.0]
    >>> SCALES["ratio"].working(risks).round(3).tolist()
    [0.693, 0.0]
    """

    name: Scale
    is_log: bool

    def of(self, risks: FloatArray) -> FloatArray:
        """Effect, given the mean outcomes without and with treatment, shape (..., 2)."""
        return contrast(risks[..., 1], risks[..., 0], self.name)

    def working(self, risks: FloatArray) -> FloatArray:
        """The same on the scale on which errors are taken."""
        if self.is_log:
            return log_contrast(risks[..., 1], risks[..., 0], self.name)
        return self.of(risks)

    def slopes(self, risks: FloatArray) -> FloatArray:
        """Slopes of `working` in the risks without and with treatment, shape (..., 2)."""
        signs = np.array([-1.0, 1.0])
        if not self.is_log:
            return np.broadcast_to(signs, risks.shape)
        slopes: FloatArray = signs / (risks * (1 - risks) if self.name == "odds ratio" else risks)
        return slopes

    def back(self, working: FloatArray) -> FloatArray:
        """From the scale of errors to that of the effect."""
        return np.exp(working) if self.is_log else working


SCALES: dict[str, EffectScale] = {
    scale.name: scale
    for scale in (
        EffectScale("difference", is_log=False),
        EffectScale("ratio", is_log=True),
        EffectScale("odds ratio", is_log=True),
    )
}
"""Every scale by its name, the usual one first."""
