"""What ``run.json`` holds of a trial in which clusters were observed over periods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tauhat.analysis.average_record import estimate_record
from tauhat.design import ClustersOverPeriods

if TYPE_CHECKING:
    from tauhat.analysis.parts import AnalysisParts


def period_record(analysis: AnalysisParts) -> dict[str, Any] | None:
    """The periods, the averages over them and effects by exposure time; None without periods."""
    trial, averages, exposure = analysis.trial, analysis.average_effects, analysis.exposure
    design = trial.randomization
    if not isinstance(design, ClustersOverPeriods) or averages.over_periods is None:
        return None
    labels = [str(label) for label in trial.period_labels]
    clusters = np.bincount(design.arm, minlength=len(design.schedule)).tolist()
    found = None
    if exposure is not None:
        found = {
            "effects": [
                {"exposure": k + 1, **(estimate_record(one) or {})}
                for k, one in enumerate(exposure.effects)
            ],
            "mean": estimate_record(exposure.mean),
            "p_value": exposure.p_value,
            "text": exposure.text,
        }
    return {
        "design": design.name,
        "periods": labels,
        "compared": [labels[k] for k in design.compared_periods],
        "sequences": [
            {"arms": "".join(map(str, row)), "clusters": count}
            for row, count in zip(design.schedule.tolist(), clusters, strict=True)
        ],
        "averages": [
            {"counts_the_same": name, **(estimate_record(one) or {})}
            for name, one in averages.over_periods.estimates.items()
        ],
        "exposure": found,
    }
