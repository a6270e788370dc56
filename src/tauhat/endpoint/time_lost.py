"""Times to an event where others compete: restricted mean time lost to it."""

from __future__ import annotations

from tauhat.endpoint.kind import TimeOutcome
from tauhat.endpoint.times import kind_of_times, whole_horizon
from tauhat.numerics.censored_outcomes import TIME_LOST

TIME_LOST_TO_CAUSE = kind_of_times(
    "time-lost",
    effect="difference in time lost",
    note=(
        "Effects are differences in restricted mean time lost to the event: the mean time up "
        "to the horizon that lies after it, where other events compete."
    ),
    beyond="the horizon allows",
    time=TimeOutcome("restricted mean time lost", TIME_LOST, whole_horizon, competing=True),
)
