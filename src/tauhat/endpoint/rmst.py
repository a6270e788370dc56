"""Times to an event: restricted mean survival time, the mean of the time cut at a horizon."""

from __future__ import annotations

from tauhat.endpoint.kind import TimeOutcome
from tauhat.endpoint.times import kind_of_times, whole_horizon
from tauhat.numerics.censored_outcomes import RESTRICTED_TIME

RMST = kind_of_times(
    "rmst",
    effect="RMST difference",
    note=(
        "Effects are differences in restricted mean survival time: the mean time without an "
        "event up to the horizon."
    ),
    beyond="the horizon allows",
    time=TimeOutcome("restricted mean survival time", RESTRICTED_TIME, whole_horizon),
)
