"""What ``run.json`` holds of groups, policies, and another population than the trial's."""

from typing import Annotated, TypedDict

from tauhat.analysis.outcome_schema import EstimateWithTest, Interval, Number


class GroupRecord(Interval):
    group: Annotated[str, "the group"]
    persons: Annotated[Number, "its persons, on average over the splits"]
    predicted: Annotated[Number, "mean predicted effect"]


class PolicyComparison(Interval):
    treating: Annotated[str, "which rule against which"]


class Policy(TypedDict):
    better: Annotated[str, 'which outcome is better: "higher" or "lower"']
    threshold: Annotated[float, "predicted effect from which the rule treats"]
    share_treated: Annotated[Number, "of the persons"]
    comparisons: Annotated[list[PolicyComparison], "gain of the policy"]


class Shift(TypedDict):
    covariate: Annotated[str, "column of the covariates"]
    shift: Annotated[Number, "mean of the target less that of the trial, in its SD"]
    left: Annotated[Number, "the same after weighting"]


class WeightBin(TypedDict):
    above: Annotated[float, "weight, relative to the mean, that its persons have at least"]
    below: Annotated[float | None, "and less than this; null without an end"]
    persons: Annotated[int, "persons of the trial; neighbours are joined where few"]
    share: Annotated[float, "of the whole weight"]


class TargetGroupsRecord(TypedDict):
    groups: Annotated[list[GroupRecord], "quarters of the target by predicted effect"]
    difference: Annotated[Interval, "last less first quarter"]
    policy: Annotated[list[Policy], "gain of treating by the model"]


class NamedGroupInTarget(Interval):
    modifier: Annotated[str, "the modifier that was named"]
    group: Annotated[str, "its category or range"]
    persons: Annotated[int | None, "persons of the trial in it; null where few"]
    share: Annotated[Number, "of the weight of all whose group is known; null where few"]
    effective_n: Annotated[Number, "equally weighted persons that tell as much; null where few"]


class TargetRecord(TypedDict):
    individual: Annotated[EstimateWithTest, "average effect in the target"]
    n: Annotated[int, "rows that describe the target"]
    effective_n: Annotated[float, "equally weighted persons of the trial that tell as much"]
    effective_clusters: Annotated[Number, "the same of clusters; null without"]
    text: Annotated[str, "the target, in sentences"]
    shifts: Annotated[list[Shift], "how far the target is from the trial"]
    weights: Annotated[list[WeightBin], "weights of the trial's persons"]
    held_out: Annotated[
        TargetGroupsRecord | None, "groups and policies in the target; null where not estimated"
    ]
    named: Annotated[list[NamedGroupInTarget], "groups of the modifiers that were named"]
