"""What ``run.json`` holds of a trial over periods."""

from typing import Annotated, TypedDict

from tauhat.analysis.outcome_schema import EstimateWithTest, Number


class SequenceRecord(TypedDict):
    arms: Annotated[str, "arm in each period, 1 for treated"]
    clusters: Annotated[int, "clusters that have it"]


class PeriodAverageRecord(EstimateWithTest):
    counts_the_same: Annotated[str, "what counts the same: persons, clusters, either by period"]


class ExposureEffectRecord(EstimateWithTest):
    exposure: Annotated[int, "period under treatment, 1 for the first"]


class ExposureRecord(TypedDict):
    effects: Annotated[list[ExposureEffectRecord], "effect by exposure time"]
    mean: Annotated[EstimateWithTest, "their mean"]
    p_value: Annotated[Number, "that they are the same; null with one exposure time"]
    text: Annotated[str, "these in sentences"]


class OverPeriodsRecord(TypedDict):
    design: Annotated[
        str, '"stepped wedge", "cluster crossover" or "parallel trial with a baseline period"'
    ]
    periods: Annotated[list[str], "labels of the periods in their order"]
    compared: Annotated[list[str], "those in which both arms were seen"]
    sequences: Annotated[list[SequenceRecord], "sequences of arms"]
    averages: Annotated[list[PeriodAverageRecord], "averages over persons, clusters and periods"]
    exposure: Annotated[
        ExposureRecord | None, "effects by exposure time; null unless a stepped wedge"
    ]
