"""What making outcomes anew with other arms of the units changes in scores of the units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.cluster_sums import sums_over
from tauhat.numerics.left_out import precision_of


@dataclass(frozen=True, eq=False)
class PartWithArms:
    """What the coefficients of the arm and its products change in some values, to first order.

    Attributes
    ----------
    rows
        The values, shape (k,).
    slopes
        Their derivatives in the coefficients over the contrast of the arms, shape (k, q).
    scores
        Shape (m, q): with the contrast :math:`h_u` of each unit's arm, the coefficients change by
        the sum of :math:`h_u` times these, over the variance of the contrast.
    """

    rows: IntArray
    slopes: FloatArray
    scores: FloatArray

    @classmethod
    def of(
        cls,
        rows: IntArray,
        slopes: FloatArray,
        columns: FloatArray,
        score: FloatArray,
        unit: IntArray,
        covariance: FloatArray,
        m: int,
    ) -> PartWithArms:
        """The part that a ridge regression plays.

        Parameters
        ----------
        rows, slopes
            As above.
        columns, score, unit
            Of the regression's rows: what the contrast is multiplied by, weight times residual,
            and randomized unit, shapes (l, q), (l,) and (l,).
        covariance
            Of the coefficients, over the residual variance, times the variance of the contrast.
        m
            Number of units.
        """
        return cls(rows, slopes, sums_over(unit, columns * score[:, None], m) @ covariance)


@dataclass(frozen=True, eq=False)
class ChangesWithArms:
    r"""How sums of values that are made change with the arms of the units, to first order.

    A regression whose columns :math:`h_u c_i` have the contrast of the unit's arm in them, fitted
    anew with other arms, has coefficients :math:`\sum_u h_u \psi_u / v` of these, with
    :math:`\psi_u = v V \sum_{i \in u} c_i s_i` of residuals s, the covariance V of the
    coefficients and the variance v of the contrast. A value with derivative
    :math:`h_u d_i` in them moves the difference between the arms' means of
    :math:`\sum_{i \in u} b_i Y_i` by what

    .. math:: \psi_u' \sum_i d_i b_i

    added to each unit's sum would: arms go into it squared, and that is the same for all. So the
    scores of the units are corrected once, whatever is permuted how often.

    Attributes
    ----------
    parts
        One for each regression.

    References
    ----------
    Freedman and Lane (1983), Journal of Business and Economic Statistics 1:292-298 (permuting
    what a model of the observed arms leaves); Pierce (1982), Annals of Statistics 10:475-478
    (statistics with estimated parameters).

    Examples
    --------
    >>> part = PartWithArms(np.arange(2), np.array([[1.0], [3.0]]), np.array([[0.5], [-1.0]]))
    >>> ChangesWithArms([part]).corrections(np.array([[1.0], [2.0]])).tolist()
    [[3.5], [-7.0]]
    """

    parts: Sequence[PartWithArms]

    @property
    def scores(self) -> FloatArray:
        """Scores of all parts side by side, shape (m, Q)."""
        return np.hstack([part.scores for part in self.parts])

    def gradient(self, columns: FloatArray) -> FloatArray:
        """Derivatives of sums of values times columns in all coefficients, shape (Q, K).

        Parameters
        ----------
        columns
            Shape (n, K).
        """
        return np.vstack([part.slopes.T @ columns[part.rows] for part in self.parts])

    def corrections(self, columns: FloatArray) -> FloatArray:
        """What is added to the units' sums of values times columns, shape (m, K)."""
        corrections: FloatArray = self.scores @ self.gradient(columns)
        return corrections


def covariance_of(root: FloatArray, which: IntArray) -> FloatArray:
    """Covariance of some of the coefficients from the root of their precision, shape (q, q)."""
    covariance = np.linalg.inv(precision_of(root))[np.ix_(which, which)]
    return covariance.astype(np.float64)
