"""Columns in standard units, the same to the last digit whatever units they came in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray
from tauhat.numerics.standardised_columns import column_scales

# Engines that break ties by the last digit, or whose chains amplify it, would
# otherwise grow another model for the same data in other units.
DIGITS = 10


@dataclass(frozen=True)
class StandardUnits:
    """Mean and standard deviation of columns.

    Attributes
    ----------
    location
        Means, shape (p,).
    scale
        Standard deviations, 1 for a constant column, shape (p,).

    Examples
    --------
    >>> X = np.array([[1.0, 5.0], [3.0, 5.0]])
    >>> StandardUnits.of(X).apply(X).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    location: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, X: FloatArray) -> StandardUnits:
        """Units of the columns of ``X``, shape (n, p)."""
        return cls(*column_scales(X))

    def apply(self, X: FloatArray) -> FloatArray:
        """``X`` of shape (k, p) in these units, rounded to ten digits."""
        standard: FloatArray = np.round((X - self.location) / self.scale, DIGITS)
        return standard
