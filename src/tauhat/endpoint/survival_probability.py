"""Times to an event: the probability to be without an event at a horizon."""

from __future__ import annotations

from tauhat.endpoint.kind import TimeOutcome
from tauhat.endpoint.times import kind_of_times
from tauhat.numerics.censored_outcomes import ALIVE


def whole_probability(horizon: float) -> float:
    """A probability moves no further than one."""
    return 1.0


SURVIVAL = kind_of_times(
    "survival",
    effect="survival difference",
    note=(
        "Effects are differences in the probability to be without an event at the horizon. "
        "Differences in restricted mean survival time (endpoint 'rmst') are estimated more "
        "precisely."
    ),
    beyond="a probability allows",
    time=TimeOutcome("probability to be without an event", ALIVE, whole_probability, in_time=False),
)
