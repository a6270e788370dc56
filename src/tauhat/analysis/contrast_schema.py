"""What ``run.json`` holds of a trial with more than two arms, each key with its meaning."""

# No "from __future__ import annotations": with it TypedDict does not see NotRequired.
from typing import Annotated, Any, NotRequired, TypedDict

from tauhat.analysis.outcome_schema import Count, EstimateWithTest, Number
from tauhat.analysis.run_schema import SCHEMA, Check, Data, PlanRecord, Run


class ArmOfSeveral(TypedDict):
    label: Annotated[str, "the arm as the data call it; the first is the control"]
    n: Annotated[int, "persons with an outcome"]
    clusters: Annotated[Count, "their clusters; null when persons were randomized"]


class AverageOfContrast(TypedDict):
    contrast: Annotated[str, "the contrast"]
    individual: Annotated[EstimateWithTest, "every person counts the same"]
    cluster: Annotated[EstimateWithTest | None, "every cluster counts the same"]
    difference: Annotated[EstimateWithTest | None, "the first less the second"]
    p_adjusted: Annotated[Number, "p-value of the first, adjusted for the number of contrasts"]
    p_adjusted_cluster: Annotated[Number, "that of the second, adjusted likewise; null without it"]


class ContrastTestRecord(TypedDict):
    contrast: Annotated[str, "the contrast"]
    p_value: Annotated[Number, "that its effect is the same for everyone"]
    p_adjusted: Annotated[Number, "the same, adjusted for the number of contrasts"]


class ContrastTestsRecord(TypedDict):
    tested: Annotated[bool, "whether it could be tested"]
    p_value: Annotated[Number, "that no contrast's effect differs between persons"]
    method: Annotated[str, "test, in words"]
    text: Annotated[str, "result, in sentences"]
    contrasts: Annotated[list[ContrastTestRecord], "one for each contrast"]


class PolicyOfArms(TypedDict):
    better: Annotated[str, 'which outcome is better: "higher" or "lower"']
    best_arm: Annotated[str, "arm with the best average outcome"]
    shares: Annotated[dict[str, float], "share of persons whom the model gives each arm"]
    over_control: Annotated[EstimateWithTest, "gain over the control for everyone"]
    over_best: Annotated[EstimateWithTest, "gain over the best arm for everyone"]
    best_over_control: Annotated[EstimateWithTest, "gain of the best arm over the control"]
    text: Annotated[str, "result, in sentences"]


class RunOfArms(TypedDict):
    """Content of ``run.json`` where more than two arms are compared."""

    schema: Annotated[int, f"version of this layout: {SCHEMA}"]
    versions: Annotated[dict[str, str], "Python and packages"]
    seed: Annotated[int, "seed of the run"]
    command: Annotated[str | None, "command as typed; null from Python"]
    rerun: Annotated[str, "what to type for the same numbers"]
    plan: Annotated[PlanRecord | None, "the locked plan that was followed; null without one"]
    finished: Annotated[str, "time, UTC, ISO 8601"]
    seconds: Annotated[dict[str, float], "time of each step"]
    data: Annotated[Data, "where the data came from"]
    data_sha256: Annotated[str, "data.sha256 again"]
    synthetic: Annotated[str | None, "what to say of data that were made up"]
    roles: Annotated[dict[str, Any], "column or columns of each role"]
    arms: Annotated[list[ArmOfSeveral], "every arm, the control first"]
    check: Annotated[Check, "design check of all contrasts"]
    average_effects: Annotated[list[AverageOfContrast], "average effects by contrast"]
    heterogeneity_test: Annotated[ContrastTestsRecord, "whether effects differ in any contrast"]
    policy: Annotated[list[PolicyOfArms], "which arm for whom, and what that is worth"]
    no_policy: Annotated[str | None, "why there is none"]
    contrasts: Annotated[dict[str, Run], "by contrast, all of a run of its two arms"]
    files: NotRequired[Annotated[dict[str, str], "SHA-256 of each file of the set"]]
