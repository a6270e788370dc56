"""What is measured in one task, and how it is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tauhat._typing import FloatArray

#: Measures of one estimator on one draw, in the order in which they are stored.
METRICS: Final = (
    "srmse", "rod", "subgroup_srmse", "subgroup_rod", "rmse", "centred_srmse", "bias",
    "calibration_slope", "policy_value", "sd_effect", "between_cluster", "residual", "icc",
    "coverage", "width",
)  # fmt: skip
#: Measures of one draw: model-robust average effects and their true values.
AVERAGES: Final = tuple(
    f"{estimand}_{part}"
    for estimand in ("individual", "cluster")
    for part in ("estimate", "se", "lower", "upper", "truth")
)


@dataclass(frozen=True, eq=False)
class TaskResult:
    """What one task gave; no person's value is in it.

    Attributes
    ----------
    row
        Key of the row.
    replicate
        Number of the draw, from 0.
    metrics
        One row per estimator, one column per name of ``METRICS``; NaN where a
        measure does not apply or the estimator failed.
    averages
        One value per name of ``AVERAGES``; NaN when the plan does not ask for them.
    fit_seconds
        Time that each estimator would have taken alone, shape (estimators,).
    seconds
        Time of the whole task.
    messages
        What went wrong, by estimator.
    """

    row: str
    replicate: int
    metrics: FloatArray
    averages: FloatArray
    fit_seconds: FloatArray
    seconds: float
    messages: Mapping[str, str]
