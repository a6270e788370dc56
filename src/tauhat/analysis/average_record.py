"""What ``run.json`` holds of average effects, of risks of an event and of rates of events."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tauhat.inference.average_risks import AverageRisks
from tauhat.inference.averages import AverageEffects
from tauhat.inference.estimate import Estimate
from tauhat.runtime.provenance import PlanFollowed
from tauhat.trial.hidden_counts import hides_events
from tauhat.trial.trial import Trial


def estimate_record(estimate: Estimate | None) -> dict[str, Any] | None:
    """An estimate as JSON can hold it."""
    if estimate is None:
        return None
    names = ("estimate", "se", "lower", "upper", "p_value", "degrees_of_freedom")
    return {name: getattr(estimate, name) for name in names}


def primary_average(average: AverageEffects, plan: PlanFollowed | None) -> str:
    """Which average effect leads: the individual-average, unless a plan made the other primary."""
    return "individual" if plan is None or average.cluster is None else plan.average


def average_record(average: AverageEffects, plan: PlanFollowed | None) -> dict[str, Any]:
    """The average effects, which of them leads, and how they were estimated."""
    primary = primary_average(average, plan)
    return {
        "primary": primary,
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
            None if average.complete_cases is None else getattr(average.complete_cases, primary)
        ),
    }


def risks_record(trial: Trial, average: AverageEffects) -> dict[str, Any] | None:
    """Risks, ratios and numbers needed, and the events of each arm; None if nothing is an event.

    Where one to four persons of an arm have the event, or do not, what would tell their number
    is left out, of an arm of another contrast too.
    """
    if average.individual_risks is None:
        return None
    compared, endpoint = trial.has_counterfactual, trial.endpoint
    event, arm = endpoint.events(trial.y[compared]), trial.treatment[compared]
    persons = np.bincount(arm, minlength=2)
    events = np.bincount(arm, weights=event, minlength=2).astype(int)
    few = hides_events(trial)
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


def rates_record(trial: Trial, average: AverageEffects) -> dict[str, Any] | None:
    """Rates, events and time at risk of both arms; None if the outcome counts no events.

    Where one to four persons of an arm have an event, or have none, what would tell how many
    there were is left out, of an arm of another contrast too.
    """
    if not trial.endpoint.kind.counts_events or average.individual_means is None:
        return None
    compared = trial.has_counterfactual
    rate, arm = trial.y[compared], trial.treatment[compared]
    weight = trial.sample_weight
    time = np.ones(len(rate)) if weight is None else weight[compared]
    persons = np.bincount(arm, minlength=2)
    few = hides_events(trial)
    over_time = trial.weighs_by == "exposure" or weight is None
    events = np.bincount(arm, weights=rate * time, minlength=2)
    total = np.bincount(arm, weights=time, minlength=2)
    return {
        "exposure": trial.roles["weight"] if weight is not None and over_time else None,
        "arms": [
            {
                "arm": str(label),
                "persons": int(persons[a]),
                "events": None if few or not over_time else round(events[a]),
                "time": None if weight is None or not over_time else float(total[a]),
            }
            for a, label in enumerate(trial.arm_labels)
        ],
        "individual": _rates_of(average.individual_means, average.individual_ratio, few),
        "cluster": None
        if average.cluster_means is None
        else _rates_of(average.cluster_means, average.cluster_ratio, few),
    }


def _rates_of(means: tuple[float, float], ratio: Estimate | None, few: bool) -> dict[str, Any]:
    """Both rates and their ratio, from which with the difference the rates could be told."""
    control, treated = (None, None) if few else means
    return {
        "control": control,
        "treated": treated,
        "ratio": None if few else estimate_record(ratio),
    }
