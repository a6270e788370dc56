"""Times to an event where others compete: restricted mean time lost to it."""

from __future__ import annotations

from tauhat.endpoint.continuous import constant_variance, same_mean, unbounded
from tauhat.endpoint.kind import OutcomeKind, TimeOutcome, Words
from tauhat.endpoint.rmst import needs_event, never_plain, whole_horizon
from tauhat.numerics.censored_outcomes import TIME_LOST

TIME_LOST_TO_CAUSE = OutcomeKind(
    name="time-lost",
    is_plain=never_plain,
    fault=needs_event,
    largest_effect=unbounded,
    link="identity",
    marginal_mean=same_mean,
    variance=constant_variance,
    scales=("difference",),
    words=Words(
        effect="difference in time lost",
        values="times to an event",
        note=(
            "Effects are differences in restricted mean time lost to the event: the mean time up "
            "to the horizon that lies after it, where other events compete."
        ),
        beyond="the horizon allows",
    ),
    time=TimeOutcome("restricted mean time lost", TIME_LOST, whole_horizon, competing=True),
)
