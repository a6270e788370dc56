"""What ``run.json`` holds of average effects, and of the risks of an outcome that is an event."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tauhat.disclosure import is_small
from tauhat.inference.average_risks import AverageRisks
from tauhat.inference.averages import AverageEffects
from tauhat.inference.estimate import Estimate
from tauhat.trial.trial import Trial


def estimate_record(estimate: Estimate | None) -> dict[str, Any] | None:
    """An estimate as JSON can hold it."""
    if estimate is None:
        return None
    names = ("estimate", "se", "lower", "upper", "p_value", "degrees_of_freedom")
    return {name: getattr(estimate, name) for name in names}


def average_record(average: AverageEffects) -> dict[str, Any]:
    """The average effects and how they were estimated."""
    return {
        "individual": estimate_record(average.individual),
        "cluster": estimate_record(average.cluster),
        "difference": estimate_record(average.difference),
        "ratio": None
        if average.individual_ratio is None
        else {
            "individual": estimate_record(average.individual_ratio),
            "cluster": estimate_record(average.cluster_ratio),
        },
        "size_p_value": average.size_p_value,
        "method": average.method,
        "complete_cases": estimate_record(
            None if average.complete_cases is None else average.complete_cases.individual
        ),
    }


def risks_record(trial: Trial, average: AverageEffects) -> dict[str, Any] | None:
    """Risks, ratios and numbers needed, and the events of each arm; None if nothing is an event.

    Where one to four persons of an arm have the event, or do not, what would tell their number
    is left out.
    """
    if average.individual_risks is None:
        return None
    compared, endpoint = trial.has_counterfactual, trial.endpoint
    event, arm = endpoint.events(trial.y[compared]), trial.treatment[compared]
    persons = np.bincount(arm, minlength=2)
    events = np.bincount(arm, weights=event, minlength=2).astype(int)
    few = bool((is_small(events) | is_small(persons - events)).any())
    _, code = endpoint.refuse_without_events("a risk")
    return {
        "event": f"{trial.roles['outcome']} = {trial.outcome.label or f'{code:g}'}",
        "arms": [
            {"arm": str(label), "persons": int(n), "events": None if few else int(count)}
            for label, n, count in zip(trial.arm_labels, persons, events, strict=True)
        ],
        "individual": _of_average(average.individual_risks, few),
        "cluster": _of_average(average.cluster_risks, few),
    }


def _of_average(risks: AverageRisks | None, few: bool) -> dict[str, Any] | None:
    if risks is None:
        return None
    told = risks.hidden() if few else risks
    return {
        "control": told.control,
        "treated": told.treated,
        "difference": estimate_record(told.difference),
        "ratio": estimate_record(told.ratio),
        "odds_ratio": estimate_record(told.odds_ratio),
        "number_needed": asdict(told.number_needed),
        "text": told.text,
    }
