"""Power of a plan: of each named modifier's interaction, and of the primary test for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tauhat.power.planning import power_hte
from tauhat.protocol.analysis_plan import AnalysisPlan
from tauhat.protocol.planned_arms import level_of, of_a_contrast
from tauhat.protocol.planned_survival import RMST, SURVIVAL, interaction_power, of_restricted_means

POWER = 0.8


@dataclass(frozen=True)
class ModifierPower:
    """What a trial of the size expected can tell of a modifier.

    Attributes
    ----------
    name
        Of the modifier, and that a difference is one per unit of it where it is a number.
    difference
        The difference that was named; None where none was.
    power, primary_power
        Of its interaction test and of the primary test to see that difference.
    detectable
        The difference that the interaction test finds with power .8; None of times to an event,
        whose difference is that of the probabilities in the plan.
    """

    name: str
    difference: float | None
    power: float | None
    primary_power: float | None
    detectable: float | None


def modifier_powers(plan: AnalysisPlan) -> list[ModifierPower]:
    """Power for each modifier whose spread the plan tells.

    Parameters
    ----------
    plan
        The plan. Needed are the standard deviation of the outcome or its risks, the ICC of the
        outcome where clusters are randomized, and of the modifier ``sd`` or ``prevalence``
        and there its ``icc``; of a time to an event ``prevalence`` and both probabilities.

    Returns
    -------
    list of ModifierPower
        Those that can be computed, in the order of the plan.
    """
    return [_power_of(plan, one) for one in plan.modifiers if not lacking(plan, one)]


def lacking(plan: AnalysisPlan, modifier: Mapping[str, Any]) -> list[str]:
    """Keys that a modifier's power would need and the plan does not have.

    Examples
    --------
    >>> plan = AnalysisPlan("A", {"cluster": "clinic"}, {"persons": 400, "clusters": 20, "sd": 9})
    >>> lacking(plan, {"name": "age", "sd": 10.0})
    ['icc of [expected]', 'icc of the modifier']
    """
    expected = plan.expected
    if "event" in plan.run:
        if not of_restricted_means(plan):
            return [f"endpoint {RMST}, of which alone power is known without simulation"]
        needed = ["prevalence", *SURVIVAL]
        return [f"{key} of the modifier" for key in needed if key not in modifier]
    missing = []
    if "sd" not in expected and "risk-control" not in expected:
        missing.append("sd, or the risks, of [expected]")
    if "sd" not in modifier and "prevalence" not in modifier:
        missing.append("sd or prevalence of the modifier")
    if plan.clustered:
        missing += [] if "icc" in expected else ["icc of [expected]"]
        missing += [] if "icc" in modifier else ["icc of the modifier"]
    return missing


def _power_of(plan: AnalysisPlan, modifier: Mapping[str, Any]) -> ModifierPower:
    expected = plan.expected
    if "event" in plan.run:
        timed = interaction_power(plan, modifier)
        return ModifierPower(
            modifier["name"], timed.interaction, timed.interaction_power, None, None
        )
    name = f"{modifier['name']}, per unit" if "sd" in modifier else modifier["name"]
    given: dict[str, Any] = {
        "sd_y": expected.get("sd", 1.0),
        "risk_control": expected.get("risk-control"),
        "risk_treated": expected.get("risk-treated"),
        "sd_x": modifier.get("sd"),
        "prevalence": modifier.get("prevalence"),
        "share_treated": expected.get("share-treated", 0.5),
        "drop_out": expected.get("drop-out", 0.0),
        "n_others": max(len(plan.run["covariates"]) - 1, 0),
        "significance_level": level_of(plan.run),
    }
    if plan.clustered:
        clusters = expected["clusters"]
        given |= {
            "n_clusters": of_a_contrast(clusters, plan.run),
            "cluster_size": expected["persons"] / clusters,
            "icc": expected["icc"],
            "icc_x": modifier["icc"],
            "size_cv": expected.get("size-cv", 0.0),
        }
    else:
        given["n_persons"] = of_a_contrast(expected["persons"], plan.run)
    detectable = power_hte(**given, power=POWER).delta
    difference = modifier.get("difference")
    if difference is None:
        return ModifierPower(name, None, None, None, detectable)
    found = power_hte(**given, delta=difference)
    return ModifierPower(name, difference, found.power, found.primary_power, detectable)
