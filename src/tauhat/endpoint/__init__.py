"""What was measured: the endpoint of a trial, and one file for each kind of outcome."""

from __future__ import annotations

from tauhat.endpoint.endpoint import (
    KINDS,
    OF_COUNTS,
    OF_TIMES,
    OF_TWO_VALUES,
    Endpoint,
    takes_times,
)
from tauhat.endpoint.follow_up import (
    ArmFollowUp,
    FollowUp,
    Times,
    arm_follow_up,
    checked_follow_up,
    with_squares,
)
from tauhat.endpoint.kind import OutcomeKind, TimeOutcome, Words
from tauhat.endpoint.missing import COMPLETE_CASES, DOUBLY_ROBUST, MissingOutcomes, checked_way
from tauhat.endpoint.outcome_values import outcome_events, outcome_values
from tauhat.endpoint.recorded_times import RecordedTimes, recorded_times
from tauhat.endpoint.sample_weights import effective_size, weight_values
from tauhat.endpoint.scales import SCALES, EffectScale

__all__ = [
    "COMPLETE_CASES",
    "DOUBLY_ROBUST",
    "KINDS",
    "OF_COUNTS",
    "OF_TIMES",
    "OF_TWO_VALUES",
    "SCALES",
    "ArmFollowUp",
    "EffectScale",
    "Endpoint",
    "FollowUp",
    "MissingOutcomes",
    "OutcomeKind",
    "RecordedTimes",
    "TimeOutcome",
    "Times",
    "Words",
    "arm_follow_up",
    "checked_follow_up",
    "checked_way",
    "effective_size",
    "outcome_events",
    "outcome_values",
    "recorded_times",
    "takes_times",
    "weight_values",
    "with_squares",
]
