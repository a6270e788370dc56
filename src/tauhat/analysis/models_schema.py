"""What ``run.json`` holds of the models: the reported one, its members, how far they agree."""

from typing import Annotated, TypedDict

from tauhat.analysis.outcome_schema import Number


class ExplainedMember(TypedDict):
    member: Annotated[str, "model"]
    weight: Annotated[float, "its weight"]
    typical_weight: Annotated[Number, "by the learned rule: with typical clues"]
    weight_of_mean: Annotated[Number, "by the learned rule: weight of its mean effect"]
    given: Annotated[Number, "of shares: part fixed in advance"]
    earned: Annotated[Number, "of shares: part earned"]
    earned_sd: Annotated[Number, "its standard deviation over reweighted trials"]
    mean_effect: Annotated[float, "mean of its effects"]
    sd: Annotated[float, "their standard deviation"]
    agreement: Annotated[Number, "mean Kendall's tau-b with the others; null without an order"]


class ExplanationRecord(TypedDict):
    text: Annotated[str, "in sentences"]
    warning: Annotated[str | None, "why learned weights may not suit this trial"]
    members: Annotated[list[ExplainedMember], "member by member"]


class ReportedModel(TypedDict):
    name: Annotated[str, "model whose effects are reported"]
    text: Annotated[str, "what it made of its members"]
    explanation: Annotated[ExplanationRecord | None, "of its weights, if it has one"]


class Model(TypedDict):
    name: Annotated[str, "model"]
    role: Annotated[str, '"reported", "member" or "also fitted"']
    weight: Annotated[Number, "weight in the ensemble"]
    kept: Annotated[bool, "whether it counts"]
    seconds: Annotated[float, "time, shared regressions included"]
    mean_effect: Annotated[Number, "mean of its effects"]
    sd_effect: Annotated[Number, "their standard deviation"]
    r_hat: Annotated[Number, "of the average effect; null without chains"]
    converged: Annotated[bool | None, "whether that is at most 1.1"]
    failure: Annotated[str | None, "what went wrong"]


class Agreement(TypedDict):
    models: Annotated[list[str], "models, in the order of the matrix"]
    kendall: Annotated[list[list[Number]], "Kendall's tau-b between their effects"]
    mean: Annotated[Number, "mean off the diagonal"]
