"""Times to an event: restricted mean survival time, the mean of the time cut at a horizon.

What is measured is a time and whether it ended with an event. The outcome that regressions,
averages and tests take is made of them (`tauhat.numerics.censored_outcomes`).
"""

from __future__ import annotations

from tauhat._typing import FloatArray
from tauhat.endpoint.continuous import constant_variance, same_mean, unbounded
from tauhat.endpoint.kind import OutcomeKind, TimeOutcome, Words
from tauhat.numerics.censored_outcomes import RESTRICTED_TIME


def never_plain(values: FloatArray) -> bool:
    """No numbers by themselves say that they are times that may be censored."""
    return False


def needs_event(values: FloatArray) -> str | None:
    """Times alone do not tell who was censored."""
    return "is a time to an event only with event= and horizon="


def whole_horizon(horizon: float) -> float:
    """A mean time moves no further than the horizon."""
    return horizon


RMST = OutcomeKind(
    name="rmst",
    is_plain=never_plain,
    fault=needs_event,
    largest_effect=unbounded,
    link="identity",
    marginal_mean=same_mean,
    variance=constant_variance,
    scales=("difference",),
    words=Words(
        effect="RMST difference",
        values="times to an event",
        note=(
            "Effects are differences in restricted mean survival time: the mean time without an "
            "event up to the horizon."
        ),
        beyond="the horizon allows",
    ),
    time=TimeOutcome("restricted mean survival time", RESTRICTED_TIME, whole_horizon),
)
