"""What ``run.json`` holds of missing outcomes."""

# No "from __future__ import annotations": with it TypedDict does not see NotRequired.
from typing import Annotated, NotRequired, TypedDict

from tauhat.analysis.outcome_schema import Count, Number


class ArmObserved(TypedDict):
    arm: Annotated[str, "the arm as the data call it"]
    share_observed: Annotated[
        Number, "of its persons enrolled; null where an arm lost fewer than five"
    ]
    clusters_lost: Annotated[
        Count, "clusters without any outcome; null when persons were randomized"
    ]


class ClustersObserved(TypedDict):
    arm: Annotated[str, "the arm as the data call it"]
    clusters: Annotated[
        int, "clusters taken together, so that five persons or more are lost and left"
    ]
    share_observed: Annotated[Number, "of their persons; null where it would tell of few"]
    unlike_others: Annotated[Number, "smallest adjusted p-value of being like the arm's others"]


class PredictorRecord(TypedDict):
    covariate: Annotated[str, "column of the input"]
    column: Annotated[str, "encoded column"]
    difference: Annotated[
        Number, "mean of those lost less that of the others, in SD; null if of few"
    ]
    control: Annotated[Number, "the same in the control arm"]
    treated: Annotated[Number, "the same in the treated arm"]
    p_value: Annotated[Number, "of no difference, adjusted for the number of columns"]
    p_value_of_arms: Annotated[Number, "of the same in both arms, adjusted likewise"]


class MissingOutcomesRecord(TypedDict):
    persons: Annotated[
        Count, "persons enrolled; null in contrasts of several arms of which one lost one to four"
    ]
    lost: Annotated[Count, "those of them without an outcome; null likewise"]
    p_value: Annotated[Number, "of both arms losing as many"]
    arms: Annotated[list[ArmObserved], "control and treated arm"]
    clusters: Annotated[list[ClustersObserved], "clusters with outcomes, most lost first"]
    blocks_p_value: Annotated[Number, "of all blocks losing as many; null without blocks"]
    predictors: Annotated[list[PredictorRecord], "what losses go with, strongest first"]
    least_likely: Annotated[
        Number, "probability of an outcome that the five least likely do not exceed"
    ]
    floored: Annotated[Count, "persons whose probability was raised; null where few"]
    auxiliary: Annotated[list[str], "columns measured later that tell who lacks an outcome"]
    learned_from: NotRequired[
        Annotated[int, "persons that models learned from: those with an outcome"]
    ]
    learned_without_curvature: NotRequired[
        Annotated[list[str], "models whose straight lines did not see how the prognosis bends"]
    ]
