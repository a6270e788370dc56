"""Outcomes with two values, such as 0 and 1, analysed on the scale of risk differences."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray
from tauhat.endpoint.kind import OutcomeKind, Words
from tauhat.endpoint.scales import SCALES
from tauhat.numerics.codes import pair_of_values
from tauhat.numerics.latent import ProbitOutcome
from tauhat.numerics.marginal_risks import marginal_mean


def has_two_values(values: FloatArray) -> bool:
    """Whether there are two different values, but for rare ones."""
    return pair_of_values(values) is not None


def more_or_fewer_values(values: FloatArray) -> str | None:
    """Say how many values there are when they are not two."""
    found = len(np.unique(values))
    return None if found == 2 else f"has {found} different values; a binary outcome has two"


def distance_of_two(values: FloatArray) -> float:
    """A mean moves no further than from the lowest value to the highest."""
    return float(np.ptp(values))


def lower_and_higher(values: FloatArray) -> tuple[float, float] | None:
    """The higher of two values is the event; a third one leaves open what is."""
    found = np.unique(values)
    return (float(found[0]), float(found[1])) if len(found) == 2 else None


def marginal_risk(predictor: FloatArray, variance: float) -> FloatArray:
    """Risk in a new cluster, given log odds at an intercept of zero."""
    return marginal_mean(predictor, variance, "logit")


def binomial_variance(mean: FloatArray) -> FloatArray:
    """Variance of an outcome coded 0 and 1; means that a linear model puts beyond have none."""
    inside = np.clip(mean, 0.0, 1.0)
    variance: FloatArray = inside * (1 - inside)
    return variance


def behind_events(
    events: FloatArray, weight: FloatArray | None, known: FloatArray
) -> ProbitOutcome:
    """A normal variable whose sign is the event."""
    return ProbitOutcome(events > 0, weight, known)


BINARY = OutcomeKind(
    name="binary",
    is_plain=has_two_values,
    fault=more_or_fewer_values,
    largest_effect=distance_of_two,
    link="logit",
    marginal_mean=marginal_risk,
    variance=binomial_variance,
    latent=behind_events,
    scales=tuple(SCALES),
    words=Words(
        effect="risk difference",
        values="two values",
        note="The outcome has two values; effects are differences in its mean (risk differences).",
        beyond="an outcome with two values allows",
    ),
    codes=lower_and_higher,
)
