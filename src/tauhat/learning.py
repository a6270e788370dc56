"""What learners see of a trial in place of its outcome and covariates."""

from __future__ import annotations

from dataclasses import dataclass

from tauhat._typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class LearningView:
    """What learners see in place of the outcome and the covariates of a trial.

    Attributes
    ----------
    outcome
        Working outcome, shape (n,): without what must not be taken for an effect.
    block_level
        What of the outcome was taken out as the level of each row's block, shape (n,), or None.
    X
        Covariates before any was set to its mean, shape (n, p).
    curvature
        How the prognosis bends, for learners that are straight, shape (n,); None where they see
        what the others see (`tauhat.fitting.prognosis_curvature`).
    """

    outcome: FloatArray
    block_level: FloatArray | None
    X: FloatArray
    curvature: FloatArray | None = None

    def take(self, rows: IntArray | BoolArray) -> LearningView:
        """Return the rows named."""
        level, curvature = (
            None if part is None else part[rows] for part in (self.block_level, self.curvature)
        )
        return LearningView(self.outcome[rows], level, self.X[rows], curvature)
