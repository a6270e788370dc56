"""What ``run.json`` holds of estimates, and of outcomes that are events or times to one."""

from typing import Annotated, TypedDict

#: Numbers that could not be estimated, or would tell of fewer than five persons, are null.
Number = float | None
Count = int | None


class Interval(TypedDict):
    estimate: Annotated[Number, "estimate"]
    se: Annotated[Number, "standard error"]
    lower: Annotated[Number, "lower end of the interval"]
    upper: Annotated[Number, "upper end of the interval"]


class EstimateWithTest(Interval):
    p_value: Annotated[Number, "two-sided p-value of no effect"]
    degrees_of_freedom: Annotated[Number, "degrees of freedom of t"]


class SurvivalOfArm(TypedDict):
    arm: Annotated[str, "label"]
    persons: Annotated[int, "persons"]
    events: Annotated[int | None, "events by the horizon; null where few"]
    censored: Annotated[int | None, "censored before the horizon; null where few"]
    at_risk: Annotated[int | None, "at risk at the horizon; null where few"]
    estimate: Annotated[float, "what the arms are compared on"]
    se: Annotated[float, "its standard error"]
    lower: Annotated[float, "lower end of its interval"]
    upper: Annotated[float, "upper end of its interval"]


class SurvivalDifference(TypedDict):
    estimate: Annotated[float, "treated less control arm"]
    se: Annotated[float, "its standard error"]
    lower: Annotated[float, "lower end of its interval"]
    upper: Annotated[float, "upper end of its interval"]


class SurvivalCurve(TypedDict):
    arm: Annotated[str, "label"]
    time: Annotated[list[float], "times, the first of them zero"]
    probability: Annotated[list[float], "probability at these"]
    at_risk: Annotated[list[int], "at risk at these, in fives"]


class GroupCurves(TypedDict):
    group: Annotated[str, '"smallest" or "largest" held-out effects']
    curves: Annotated[list[SurvivalCurve], "of both arms, means over the splits"]


class EffectAtHorizon(TypedDict):
    horizon: Annotated[float, "time up to which, or at which, the arms are compared"]
    estimate: Annotated[Number, "average effect"]
    se: Annotated[Number, "standard error"]
    lower: Annotated[Number, "lower end of the interval"]
    upper: Annotated[Number, "upper end of the interval"]
    p_value: Annotated[Number, "two-sided p-value of no effect"]
    p_adjusted: Annotated[Number, "adjusted for the number of horizons (Holm)"]


class RatiosRecord(TypedDict):
    individual: Annotated[EstimateWithTest, "every person counts the same"]
    cluster: Annotated[EstimateWithTest | None, "every cluster counts the same"]


class SurvivalRecord(TypedDict):
    measure: Annotated[str, "what the arms are compared on, in words"]
    horizon: Annotated[float, "up to which, or at which, time"]
    incidence: Annotated[bool, "whether the curves are of having had the event, not of being free"]
    arms: Annotated[list[SurvivalOfArm], "control and treated arm"]
    difference: Annotated[SurvivalDifference, "between them, without covariates"]
    curves: Annotated[list[SurvivalCurve], "of both arms"]
    groups: Annotated[list[GroupCurves], "curves of the outer quarters by held-out effect"]
    over_horizons: Annotated[list[EffectAtHorizon], "average effects, the planned horizon last"]


class EventsOfArm(TypedDict):
    arm: Annotated[str, "the arm as the data call it"]
    persons: Annotated[int, "persons compared"]
    events: Annotated[Count, "those with the event; null where it would tell of few persons"]


class NumberNeededRecord(TypedDict):
    estimate: Annotated[Number, "persons treated for one event fewer, or more"]
    fewer: Annotated[bool, "whether it is one event fewer"]
    lower: Annotated[Number, "end of the interval on the estimate's side"]
    upper: Annotated[Number, "other end; null where it is infinite"]
    crosses: Annotated[bool, "whether it lies on the other side, through infinity"]


class RisksRecord(TypedDict):
    control: Annotated[Number, "adjusted risk under control; null where few have the event"]
    treated: Annotated[Number, "adjusted risk under treatment; likewise"]
    difference: Annotated[EstimateWithTest, "risk difference"]
    ratio: Annotated[EstimateWithTest | None, "risk ratio; its se is that of the logarithm"]
    odds_ratio: Annotated[EstimateWithTest | None, "odds ratio; likewise"]
    number_needed: Annotated[NumberNeededRecord, "number needed to treat"]
    text: Annotated[str, "these in sentences"]


class CalibrationOfRisk(TypedDict):
    arm: Annotated[int, "0 control, 1 treated"]
    persons: Annotated[int, "persons of the group"]
    predicted: Annotated[float, "their mean held-out risk in their own arm"]
    observed: Annotated[float, "share of them with the event"]
    lower: Annotated[float, "lower end of its interval"]
    upper: Annotated[float, "upper end of its interval"]


class AverageRisksRecord(TypedDict):
    event: Annotated[str, "the outcome and its value that is the event"]
    arms: Annotated[list[EventsOfArm], "control and treated arm"]
    individual: Annotated[RisksRecord, "every person counts the same"]
    cluster: Annotated[RisksRecord | None, "every cluster counts the same"]


class RateOfArm(TypedDict):
    arm: Annotated[str, "the arm as the data call it"]
    persons: Annotated[int, "persons compared"]
    events: Annotated[Count, "their events; null where it would tell of few persons"]
    time: Annotated[Number, "their time at risk; null where none was given"]


class RatesRecord(TypedDict):
    control: Annotated[Number, "adjusted rate under control; null where few have an event"]
    treated: Annotated[Number, "adjusted rate under treatment; likewise"]
    ratio: Annotated[EstimateWithTest | None, "rate ratio; its se is that of the logarithm"]


class AverageRatesRecord(TypedDict):
    exposure: Annotated[str | None, "column of the time at risk; null where all are the same"]
    arms: Annotated[list[RateOfArm], "control and treated arm"]
    individual: Annotated[RatesRecord, "every person counts by the time at risk"]
    cluster: Annotated[RatesRecord | None, "every cluster counts the same"]


class EffectByRisk(TypedDict):
    persons: Annotated[int, "persons of the group"]
    risk: Annotated[float, "their mean risk without treatment"]
    effect: Annotated[float, "mean risk difference of the reported model"]
    one_odds_ratio: Annotated[float, "mean risk difference if one odds ratio held for everyone"]
