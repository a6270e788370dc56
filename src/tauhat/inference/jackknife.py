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
    of_parts
        Most degrees of freedom of combinations, from those of their parts, shape (k,); None of
        estimates that were not combined.

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
    of_parts: FloatArray | None = None

    def combine(self, weights: FloatArray) -> Jackknife:
        r"""Linear combinations, one a column of ``weights`` of shape (k, l).

        An estimate that is missing spoils only the combinations that use it. Expected squares of
        a unit are :math:`\sum_k c_k^2 q_{jk}`, as if the estimates were of different persons, and
        the degrees of freedom are those of all units that take part, or Satterthwaite's

        .. math:: \frac{(\sum_k c_k^2 h_k)^2}{\sum_k c_k^4 h_k^2 / \nu_k}, \qquad
                  h_k = \sum_j q_{jk},

        where they are fewer: a small group beside a large one has little more than its own.
        """
        squared = weights**2
        of_estimates = self.expected.sum(axis=0)
        spread = (of_estimates**2 / self.degrees_of_freedom) @ squared**2
        of_parts = np.divide(
            (of_estimates @ squared) ** 2, spread, out=np.ones(len(spread)), where=spread > 0
        )
        return Jackknife(
            _combined(self.estimate, weights),
            _combined(self.deleted, weights),
            self.expected @ squared,
            self.design,
            None if self.largest is None else np.abs(weights).T @ self.largest,
            None if self.even is None else self.even @ squared,
            # Rounding must not make fewer of a whole number.
            np.round(of_parts, 9),
        )

    @property
    def errors(self) -> FloatArray:
        """Jackknife standard errors, shape (k,)."""
        return self.design.errors(self.deleted, self.expected)

    @property
    def degrees_of_freedom(self) -> FloatArray:
        """Degrees of freedom of these, shape (k,)."""
        of_units = self.design.degrees_of_freedom(self.expected, even=self.even)
        return of_units if self.of_parts is None else np.minimum(of_units, self.of_parts)


def _combined(values: FloatArray, weights: FloatArray) -> FloatArray:
    """``values @ weights``, where a missing value times a weight of zero is zero."""
    missing = ~np.isfinite(values)
    combined: FloatArray = np.where(missing, 0.0, values) @ weights
    combined[missing @ (weights != 0)] = np.nan
    return combined
