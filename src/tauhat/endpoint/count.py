"""Outcomes that count events, over a time at risk or without one."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray
from tauhat.endpoint.continuous import unbounded
from tauhat.endpoint.kind import OutcomeKind, Words
from tauhat.numerics.marginal_risks import marginal_mean
from tauhat.wording import counted


def has_to_be_said(values: FloatArray) -> bool:
    """Whole numbers may be scores, days or doses: nothing is taken for a count unasked."""
    return False


def not_a_count(values: FloatArray) -> str | None:
    """Counts are not negative; rates, counts over time, need not be whole."""
    negative = int((values < 0).sum())
    return f"has {counted(negative, 'negative value')}, and no count is" if negative else None


def marginal_rate(predictor: FloatArray, variance: float) -> FloatArray:
    """Rate in a new cluster, given log rates at an intercept of zero."""
    return marginal_mean(predictor, variance, "log")


def poisson_variance(mean: FloatArray) -> FloatArray:
    """As large as the mean; means that a linear model puts below zero have none."""
    return np.maximum(mean, 0.0)


COUNT = OutcomeKind(
    name="count",
    is_plain=has_to_be_said,
    fault=not_a_count,
    largest_effect=unbounded,
    link="log",
    marginal_mean=marginal_rate,
    variance=poisson_variance,
    scales=("difference", "ratio"),
    words=Words(
        effect="rate difference",
        values="counts",
        note=(
            "The outcome counts events; effects are differences in its rate, with everybody "
            "weighted by the time at risk where that was given."
        ),
    ),
    counts_events=True,
)
