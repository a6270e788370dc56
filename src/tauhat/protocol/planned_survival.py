"""Power of a plan whose outcome is a time to an event: of the average effect and its modifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat.errors import TrialError
from tauhat.power.planned_times import RmstPower
from tauhat.power.times_power import power_rmst
from tauhat.protocol.analysis_plan import AnalysisPlan
from tauhat.protocol.planned_arms import level_of, of_a_contrast

#: Of [expected]: what the power of times is made of.
SURVIVAL = ("survival-control", "survival-treated")
RMST = "rmst"
_OTHERS = ("shape", "accrual", "follow-up", "frailty-sd", "size-cv", "share-treated")


def of_restricted_means(plan: AnalysisPlan) -> bool:
    """Whether times are compared by their restricted means."""
    return "event" in plan.run and plan.run.get("endpoint", RMST) == RMST


def average_power(plan: AnalysisPlan) -> RmstPower | None:
    """Power of the difference in restricted means; None of other outcomes, or where it is not told.

    Examples
    --------
    >>> run = {"event": "died", "horizon": 24, "covariates": ["age"]}
    >>> told = {"persons": 400, "survival-control": 0.5, "survival-treated": 0.65}
    >>> found = average_power(AnalysisPlan("A", run, told))
    >>> round(found.difference, 2), round(found.difference_power, 2)
    (2.19, 0.8)
    """
    if not of_restricted_means(plan) or "survival-control" not in plan.expected:
        return None
    return _power(plan, {name: plan.expected[name] for name in SURVIVAL}, None)


def interaction_power(plan: AnalysisPlan, modifier: Mapping[str, Any]) -> RmstPower:
    """Power of the difference that a modifier of two values makes.

    Parameters
    ----------
    plan
        A plan of times.
    modifier
        Its record, with ``prevalence`` and both probabilities, each without and with the modifier.
    """
    return _power(plan, {name: modifier[name] for name in SURVIVAL}, modifier["prevalence"])


def _power(plan: AnalysisPlan, survival: Mapping[str, Any], prevalence: float | None) -> RmstPower:
    expected = plan.expected
    kept = 1 - expected.get("drop-out", 0.0)
    given = {name.replace("-", "_"): expected[name] for name in _OTHERS if name in expected}
    given |= {name.replace("-", "_"): value for name, value in survival.items()}
    given["significance_level"] = level_of(plan.run)
    # Those who drop out tell of no time at all.
    if plan.clustered:
        clusters = expected["clusters"]
        given |= {
            "n_clusters": of_a_contrast(clusters, plan.run),
            "cluster_size": kept * expected["persons"] / clusters,
        }
    else:
        given["n_persons"] = of_a_contrast(round(kept * expected["persons"]), plan.run)
    try:
        return power_rmst(**given, prevalence=prevalence, horizon=float(plan.run["horizon"]))
    except TrialError as error:
        raise TrialError(f"the plan's power for times: {error}") from error
