"""Arms compared column by column: balance, copies, and what is missing together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray

# Fewer persons, or fewer missing values, tell nothing about a correlation.
_FEW_PERSONS = 10
_FEW_MISSING = 5


@dataclass(frozen=True)
class ArmDifferences:
    """Treated minus control for each column, judged against the variation between units.

    Attributes
    ----------
    control, treated
        Means of the persons observed, shape (p,).
    sd
        Root of the mean of the two arms' variances, shape (p,).
    standard_error, p_value
        Of the difference of means, shape (p,).
    """

    control: FloatArray
    treated: FloatArray
    sd: FloatArray
    standard_error: FloatArray
    p_value: FloatArray

    @property
    def difference(self) -> FloatArray:
        """Treated minus control, in units of the column."""
        return self.treated - self.control

    @property
    def standardized(self) -> FloatArray:
        """Difference in standard deviations; 0 when the column is constant."""
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled: FloatArray = np.where(
                self.sd > 0, self.difference / self.sd, np.sign(self.difference) * np.inf
            )
        return np.where(self.difference == 0, 0.0, scaled)

    @property
    def t(self) -> FloatArray:
        """Difference in standard errors."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.difference == 0, 0.0, self.difference / self.standard_error)


def arm_differences(values: FloatArray, arm: IntArray, units: IntArray) -> ArmDifferences:
    r"""Compare the arms' means with standard errors of whole randomized units.

    .. math::
        se_a^2 = \frac{m_a}{m_a - 1} \frac{1}{N_a^2}
        \sum_{j \in a} \Big( \sum_{i \in j} (x_i - \bar x_a) \Big)^2

    over the :math:`m_a` units and :math:`N_a` persons of arm :math:`a` with the
    value observed, and a t test with Welch's degrees of freedom. When persons
    were randomized it is Welch's t test.

    Parameters
    ----------
    values
        Columns, NaN where missing, shape (n, p).
    arm
        0 or 1, shape (n,).
    units
        Number of the randomized unit of each row, shape (n,).

    Examples
    --------
    >>> x = np.array([[1.0], [2.0], [4.0], [7.0]])
    >>> result = arm_differences(x, np.array([0, 0, 1, 1]), np.arange(4))
    >>> result.difference.tolist(), result.standard_error.round(3).tolist()
    ([4.0], [1.581])
    """
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(units[order]) > 0])

    def sums(rows: AnyArray) -> AnyArray:
        # Where persons were randomized each is a unit.
        if len(starts) == len(units):
            return rows
        total: AnyArray = np.add.reduceat(rows[order], starts, axis=0)
        return total

    means, variances, squared_errors, degrees = [], [], [], []
    for this_arm in (0, 1):
        present = ~np.isnan(values) & (arm == this_arm)[:, None]
        n = present.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(present, values, 0.0).sum(axis=0) / n
            deviation = np.where(present, values - mean, 0.0)
            # Rounding leaves dust where all values are equal.
            deviation[np.abs(deviation) < 1e-12 * np.maximum(np.abs(mean), 1e-300)] = 0.0
            total = sums(deviation)
            m = (sums(present) > 0).sum(axis=0)
            squared_errors.append(m / (m - 1) * (total**2).sum(axis=0) / n**2)
            variances.append((deviation**2).sum(axis=0) / (n - 1))
        means.append(mean)
        degrees.append(m - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = squared_errors[0] + squared_errors[1]
        welch = variance**2 / sum(v**2 / d for v, d in zip(squared_errors, degrees, strict=True))
        standard_error = np.sqrt(variance)
        t = np.where(means[1] == means[0], 0.0, (means[1] - means[0]) / standard_error)
    tail = stats.t.sf(np.abs(t), np.where(np.isfinite(welch), welch, 1.0))
    return ArmDifferences(
        control=means[0],
        treated=means[1],
        sd=np.sqrt((variances[0] + variances[1]) / 2),
        standard_error=standard_error,
        p_value=2 * np.asarray(tail),
    )


def chance_of_separation(n_units: int, n_treated: int, n_levels: int) -> float:
    """Largest probability that chance alone makes every level of a covariate pure in the arm.

    At most ``2**n_levels - 2`` of the ``n_units`` choose ``n_treated`` equally
    likely assignments give each of two or more levels one arm.

    Examples
    --------
    >>> round(chance_of_separation(4, 2, 2), 3)
    0.333
    >>> chance_of_separation(20, 10, 2) < 0.0001
    True
    """
    gamma = math.lgamma
    log_all = gamma(n_units + 1) - gamma(n_treated + 1) - gamma(n_units - n_treated + 1)
    # Not all levels are pure in the same arm.
    log_ways = n_levels * math.log(2) + math.log1p(-(2.0 ** (1 - n_levels)))
    return math.exp(min(0.0, log_ways - log_all))


def outcome_correlation(X: FloatArray, y: FloatArray, arm: IntArray) -> FloatArray:
    """Absolute correlation of each column with the outcome, the larger of overall and within arm.

    Examples
    --------
    >>> y = np.arange(10.0)
    >>> outcome_correlation(np.column_stack([3 - 2 * y]), y, np.arange(10) % 2).round(9).tolist()
    [1.0]
    """
    if len(y) < _FEW_PERSONS:
        return np.zeros(X.shape[1])
    both = np.column_stack([X, y])
    found = np.zeros(X.shape[1])
    for groups in (np.zeros(len(y), dtype=np.int64), arm):
        centred = both.copy()
        for group in np.unique(groups):
            centred[groups == group] -= both[groups == group].mean(axis=0)
        norm = np.sqrt((centred**2).sum(axis=0))
        # What is left of a column that is constant within arms is rounding.
        norm[norm <= 1e-9 * np.sqrt((both**2).sum(axis=0))] = np.inf
        correlation = np.abs(centred[:, :-1].T @ centred[:, -1]) / (norm[:-1] * norm[-1])
        found = np.maximum(found, correlation)
    return found


def duplicate_columns(X: FloatArray, names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of columns that are a shift, scale or sign of each other, later one second.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 4.0])
    >>> duplicate_columns(np.column_stack([x, x**2, 10 - 5 * x]), ["a", "b", "c"])
    [('a', 'c')]
    """
    centred = X - X.mean(axis=0)
    norm = np.sqrt((centred**2).sum(axis=0))
    scaled = centred / np.where(norm > 0, norm, 1.0)
    # A shared direction: the entry that is largest in size is positive.
    largest = np.argmax(np.round(np.abs(scaled), 9), axis=0)
    scaled = scaled * np.sign(scaled[largest, np.arange(X.shape[1])])
    first: dict[bytes, str] = {}
    pairs = []
    for j, name in enumerate(names):
        key = (np.round(scaled[:, j], 7) + 0.0).tobytes()
        if key in first:
            pairs.append((first[key], name))
        first.setdefault(key, name)
    return pairs


def missing_with_outcome(missing: BoolArray, outcome_missing: BoolArray) -> FloatArray:
    """Correlation of each column's missingness with the outcome's, 0 where either is rare.

    Parameters
    ----------
    missing
        Shape (n, p).
    outcome_missing
        Shape (n,).

    Examples
    --------
    >>> lost = np.arange(50) < 10
    >>> missing_with_outcome(lost[:, None], lost).round(9).tolist()
    [1.0]
    """
    result = np.zeros(missing.shape[1])
    if outcome_missing.sum() < _FEW_MISSING:
        return result
    common = np.flatnonzero(missing.sum(axis=0) >= _FEW_MISSING)
    for j in common[~missing[:, common].all(axis=0)]:
        result[j] = np.corrcoef(missing[:, j], outcome_missing)[0, 1]
    return result
