"""Estimates, what they become without each randomized unit, and their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray
from tauhat.design import Design


@dataclass(frozen=True)
class Jackknife:
    """Estimates and what they become without each randomized unit.

    Attributes
    ----------
    estimate
        Shape (k,); not a number where an arm has too few units.
    deleted
        Estimates without each unit, shape (u, k).
    expected
        `tauhat.numerics.arm_variances.expected_squares` of each unit in each estimate, zero
        where it takes no part, shape (u, k).
    design
        Who was randomized, and how.
    largest
        The largest size that each estimate can have, shape (k,); None for any.
    even
        ``expected`` without weights, shape (u, k); None where there are none.

    Examples
    --------
    >>> from tauhat.design import Persons
    >>> design = Persons.of(np.array([0, 0, 1, 1]))
    >>> both = Jackknife(
    ...     np.array([1.0, 3.0]), np.array([[1.0, 2.0]] * 4), np.ones((4, 2)), design)
    >>> both.combine(np.array([[-1.0], [1.0]])).estimate.tolist()
    [2.0]
    """

    estimate: FloatArray
    deleted: FloatArray
    expected: FloatArray
    design: Design
    largest: FloatArray | None = None
    even: FloatArray | None = None

    def combine(self, weights: FloatArray) -> Jackknife:
        """Linear combinations, one a column of ``weights`` of shape (k, l).

        An estimate that is missing spoils only the combinations that use it. The units of
        a combination are those of the estimate in it with the most.
        """
        n_units = (self.expected > 0).sum(axis=0)
        most = [int(np.argmax(np.where(column != 0, n_units, -1))) for column in weights.T]
        return Jackknife(
            _combined(self.estimate, weights),
            _combined(self.deleted, weights),
            self.expected[:, most],
            self.design,
            None if self.largest is None else np.abs(weights).T @ self.largest,
            None if self.even is None else self.even[:, most],
        )

    @property
    def errors(self) -> FloatArray:
        """Jackknife standard errors, shape (k,)."""
        return self.design.errors(self.deleted, self.expected)

    @property
    def degrees_of_freedom(self) -> FloatArray:
        """Degrees of freedom of these, shape (k,)."""
        return self.design.degrees_of_freedom(self.expected, even=self.even)


def _combined(values: FloatArray, weights: FloatArray) -> FloatArray:
    """``values @ weights``, where a missing value times a weight of zero is zero."""
    missing = ~np.isfinite(values)
    combined: FloatArray = np.where(missing, 0.0, values) @ weights
    combined[missing @ (weights != 0)] = np.nan
    return combined
