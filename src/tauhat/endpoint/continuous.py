"""Outcomes that are numbers on a scale without bounds."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray
from tauhat.endpoint.kind import OutcomeKind, Words


def is_any(values: FloatArray) -> bool:
    """All numbers are continuous unless another kind claims them."""
    return True


def without_fault(values: FloatArray) -> str | None:
    """Nothing is wrong with any numbers."""
    return None


def unbounded(values: FloatArray) -> float:
    """Differences have no bound that is known."""
    return float(np.inf)


def same_mean(predictor: FloatArray, variance: float) -> FloatArray:
    """With the identity link the effect of a new cluster averages out."""
    return predictor


def constant_variance(mean: FloatArray) -> FloatArray:
    """The variance has nothing to do with the mean."""
    return np.ones_like(mean)


CONTINUOUS = OutcomeKind(
    name="continuous",
    is_plain=is_any,
    fault=without_fault,
    largest_effect=unbounded,
    link="identity",
    marginal_mean=same_mean,
    variance=constant_variance,
    scales=("difference",),
    words=Words(effect="difference", values="numbers"),
)
