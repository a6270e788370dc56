"""Times to an event: the probability to be without an event at a horizon."""

from __future__ import annotations

from tauhat.endpoint.continuous import constant_variance, same_mean, unbounded
from tauhat.endpoint.kind import OutcomeKind, TimeOutcome, Words
from tauhat.endpoint.rmst import needs_event, never_plain
from tauhat.numerics.censored_outcomes import ALIVE


def whole_probability(horizon: float) -> float:
    """A probability moves no further than one."""
    return 1.0


SURVIVAL = OutcomeKind(
    name="survival",
    is_plain=never_plain,
    fault=needs_event,
    largest_effect=unbounded,
    link="identity",
    marginal_mean=same_mean,
    variance=constant_variance,
    scales=("difference",),
    words=Words(
        effect="survival difference",
        values="times to an event",
        note=(
            "Effects are differences in the probability to be without an event at the horizon. "
            "Differences in restricted mean survival time (endpoint 'rmst') are estimated more "
            "precisely."
        ),
        beyond="a probability allows",
    ),
    time=TimeOutcome("probability to be without an event", ALIVE, whole_probability),
)
