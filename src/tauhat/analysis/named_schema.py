"""What ``run.json`` holds of modifiers and of a relevant effect that were named beforehand."""

from typing import Annotated, TypedDict

from tauhat.analysis.outcome_schema import Count, EstimateWithTest, Interval, Number


class NamedComparison(EstimateWithTest):
    modifier: Annotated[str, "column, or condition of the subgroup"]
    measured_on: Annotated[str, '"person" or "cluster"']
    question: Annotated[
        str,
        '"persons", "within clusters", "between clusters", "within blocks" or "all clusters"',
    ]
    comparison: Annotated[str, "what is compared, in words"]
    spread: Annotated[Number, "standard deviation of a number, of which it is the effect"]
    control_units: Annotated[Count, "control units that tell anything about it"]
    treated_units: Annotated[Count, "treated units that tell anything about it"]
    detectable: Annotated[Number, "difference that would be found with power .8"]
    power: Annotated[Number, "power for the difference in moderate"]


class NamedTest(TypedDict):
    modifier: Annotated[str, "column, or condition of the subgroup"]
    p_value: Annotated[Number, "of all its comparisons together"]
    p_adjusted: Annotated[Number, "adjusted for n_tests (Holm)"]


class NamedGroup(Interval):
    modifier: Annotated[str, "column, or condition of the subgroup"]
    group: Annotated[str, "category or range"]
    value: Annotated[Number, "mean of a number in it"]
    persons: Annotated[Count, "its persons"]
    control_units: Annotated[Count, "control units with any of them"]
    treated_units: Annotated[Count, "treated units with any of them"]
    degrees_of_freedom: Annotated[Number, "degrees of freedom of t"]


class NamedModifiersRecord(TypedDict):
    adjusted_for: Annotated[list[str], "covariates adjusted for; a modifier not in its own"]
    moderate: Annotated[float, ".3 standard deviations of the outcome within arms"]
    comparisons: Annotated[list[NamedComparison], "interactions with the treatment"]
    all_clusters: Annotated[list[NamedComparison], "second line, over all clusters"]
    tests: Annotated[list[NamedTest], "one a modifier"]
    n_tests: Annotated[
        int, "tests allowed for: modifiers named, in a run of several arms times the contrasts"
    ]
    groups: Annotated[list[NamedGroup], "effects within groups"]
    notes: Annotated[list[str], "on single modifiers"]
    method: Annotated[str, "how they were estimated, by modifier"]


class RelevanceRecord(TypedDict):
    mcid: Annotated[float, "smallest benefit that matters, in units of the outcome"]
    better: Annotated[str, 'which outcome is better: "higher" or "lower"']
    persons: Annotated[int, "persons compared"]
    expected: Annotated[Count, "persons whose estimated benefit is at least that"]
    shown: Annotated[Count, "persons whose interval lies at or above it"]
    excluded: Annotated[Count, "persons whose interval lies below it"]
    share_expected: Annotated[Number, "share of the first"]
    share_shown: Annotated[Number, "share of the second"]
    share_excluded: Annotated[Number, "share of the third"]
