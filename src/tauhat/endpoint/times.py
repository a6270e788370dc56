"""What kinds of outcome that are made of times to an event have in common.

What is measured is a time and whether it ended with an event. The outcome that regressions,
averages and tests take is made of them (`tauhat.numerics.censored_outcomes`).
"""

from __future__ import annotations

from tauhat._typing import FloatArray
from tauhat.endpoint.continuous import constant_variance, same_mean, unbounded
from tauhat.endpoint.kind import OutcomeKind, TimeOutcome, Words


def never_plain(values: FloatArray) -> bool:
    """No numbers by themselves say that they are times that may be censored."""
    return False


def needs_event(values: FloatArray) -> str | None:
    """Times alone do not tell who was censored."""
    return "is a time to an event only with event= and horizon="


def whole_horizon(horizon: float) -> float:
    """A mean time moves no further than the horizon."""
    return horizon


def kind_of_times(name: str, effect: str, note: str, beyond: str, time: TimeOutcome) -> OutcomeKind:
    """A kind of outcome that is made of times.

    Parameters
    ----------
    name
        As in `OutcomeKind`.
    effect, note, beyond
        As in `Words`.
    time
        What is made of the times.
    """
    return OutcomeKind(
        name=name,
        is_plain=never_plain,
        fault=needs_event,
        largest_effect=unbounded,
        link="identity",
        marginal_mean=same_mean,
        variance=constant_variance,
        scales=("difference", "ratio"),
        words=Words(effect=effect, values="times to an event", note=note, beyond=beyond),
        time=time,
    )
