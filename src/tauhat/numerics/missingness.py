"""Who lacks an outcome: whether it hangs on covariates, and clusters unlike the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from tauhat._typing import BoolArray, FloatArray, IntArray

# An arm with fewer units has no spread to compare one with.
_FEWEST_UNITS = 4


@dataclass(frozen=True)
class LossesAlong:
    """How losing persons goes with columns.

    Attributes
    ----------
    difference
        Mean of those lost less mean of the others, in standard deviations, within arms,
        shape (p,).
    by_arm
        The same in the control and the treated arm, shape (2, p).
    p_value, p_value_of_arms
        Of no difference, and of the same slope in both arms, each of shape (p,).
    """

    difference: FloatArray
    by_arm: FloatArray
    p_value: FloatArray
    p_value_of_arms: FloatArray


def losses_along(
    values: FloatArray, lost: BoolArray, arm: IntArray, units: IntArray
) -> LossesAlong:
    r"""How being lost goes with each column, with whole randomized units as units.

    With deviations from the arm's means of those observed and the sums of units

    .. math::
        S_j = \sum_{i \in j} (L_i - \bar L_a)(x_i - \bar x_a), \qquad
        T = \sum_j S_j \Big/ \sqrt{\sum_j S_j^2},

    T is turned into a t statistic of m - 2 degrees of freedom, as the mean of the sums over
    their standard error. Columns of more than two values are ranked. Where few are lost, sums of
    units hardly vary on one side, so the errors are at least those of independent persons. The
    slopes :math:`\sum_j S_j / \sum_i (x_i - \bar x_a)^2` of both arms
    are compared with errors that are robust to dependence within units.

    Parameters
    ----------
    values
        Columns, NaN where missing, shape (n, p).
    lost
        Who has no outcome, shape (n,).
    arm
        0 or 1, shape (n,).
    units
        Randomized unit of each person, shape (n,).

    References
    ----------
    Kline and Santos (2012), Journal of Econometric Methods 1:23-41 (score statistics of units).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x, arm = rng.normal(size=(400, 2)), np.arange(400) % 2
    >>> lost = rng.random(400) < 0.1 + 0.2 * (x[:, 0] > 0)
    >>> found = losses_along(x, lost, arm, np.arange(400))
    >>> (found.p_value < 0.01).tolist()
    [True, False]
    """
    codes = np.unique(units, return_inverse=True)[1]
    m = int(codes.max()) + 1
    ranked = _ranked(values)
    known = ~np.isnan(values)
    p = values.shape[1]
    score, of_persons = np.zeros((m, p)), np.zeros(p)
    spread, slope, error, degrees = np.zeros((4, 2, p))
    apart = np.full((2, p), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        for a in (0, 1):
            here = (arm == a)[:, None] & known
            n = here.sum(axis=0)
            gone = here & lost[:, None]
            n_lost = gone.sum(axis=0)
            x = _centred(ranked, here)
            L = np.where(here, lost[:, None] - n_lost / n, 0.0)
            score += _sums(x * L, codes, m)
            variance = (n_lost / n) * (1 - n_lost / n)
            of_persons += variance * (x**2).sum(axis=0)
            spread[a] = (x**2).sum(axis=0)
            slope[a] = (x * L).sum(axis=0) / spread[a]
            left = _sums(x * (L - slope[a] * x), codes, m)
            m_a = (_sums(here.astype(np.float64), codes, m) > 0).sum(axis=0)
            degrees[a] = np.where(m_a > 2, m_a - 2, np.nan)
            robust = m_a / degrees[a] * (left**2).sum(axis=0) / spread[a] ** 2
            error[a] = np.maximum(robust, variance / spread[a])
            x = _centred(values, here)
            mean_lost = np.where(gone, x, 0).sum(axis=0) / n_lost
            # The deviations of all have mean zero.
            apart[a] = mean_lost * n / (n - n_lost) / np.sqrt((x**2).sum(axis=0) / (n - 1))
        statistic = score.sum(axis=0) / np.sqrt((score**2).sum(axis=0))
        t = statistic * np.sqrt((m - 1) / np.maximum(m - statistic**2, 1e-12))
        t = np.minimum(np.abs(t), np.abs(score.sum(axis=0)) / np.sqrt(of_persons))
        welch = error.sum(axis=0) ** 2 / (error**2 / degrees).sum(axis=0)
        gap = (slope[1] - slope[0]) / np.sqrt(error.sum(axis=0))
    shares = np.array([(lost & (arm == a)).sum() for a in (0, 1)], dtype=np.float64)
    mixed = np.nansum(shares[:, None] * apart, axis=0) / max(shares.sum(), 1)
    return LossesAlong(
        np.where(spread.sum(axis=0) > 0, mixed, np.nan),
        apart,
        2 * np.asarray(stats.t.sf(t, max(m - 2, 1))),
        2 * np.asarray(stats.t.sf(np.abs(gap), np.where(np.isfinite(welch), welch, 1.0))),
    )


def unlike_other_units(lost: BoolArray, arm: IntArray, units: IntArray) -> FloatArray:
    r"""P-value, for each unit, of losing as many persons as it did, adjusted for their number.

    The larger of two: that of its share, on the scale of :math:`\arcsin\sqrt{\cdot}`, among those
    of the other units of its arm, which vary by more than chance among persons; and that of chance
    among persons alone.

    Parameters
    ----------
    lost
        Who has no outcome, shape (n,).
    arm
        0 or 1, shape (n,).
    units
        Randomized unit, 0 to m - 1, shape (n,).

    Returns
    -------
    ndarray
        Shape (m,).

    Examples
    --------
    >>> units = np.repeat(np.arange(12), 20)
    >>> lost = np.arange(240) % 10 == 0
    >>> lost[units == 3] = np.arange(20) < 18
    >>> np.flatnonzero(unlike_other_units(lost, units % 2, units) < 0.05).tolist()
    [3]
    """
    size = np.bincount(units).astype(np.float64)
    count = np.bincount(units, weights=lost)
    of = np.zeros(len(size), dtype=np.int64)
    of[units] = arm
    # Anscombe (1948): the variance is about 1 / (4 n).
    turned = np.arcsin(np.sqrt((count + 0.375) / (size + 0.75)))
    result = np.ones(len(size))
    for a in (0, 1):
        own = np.flatnonzero(of == a)
        m = len(own)
        if m < _FEWEST_UNITS:
            continue
        for j in own:
            others = own[own != j]
            within = float((1 / (4 * size[others])).mean())
            between = max(float(turned[others].var(ddof=1)) - within, 0.0)
            expected = between + 1 / (4 * size[j]) + (between + within) / (m - 1)
            t = (turned[j] - turned[others].mean()) / np.sqrt(expected)
            share = (count[others].sum() + 0.5) / (size[others].sum() + 1)
            more = stats.binom.sf(count[j] - 1, size[j], share)
            fewer = stats.binom.cdf(count[j], size[j], share)
            chance = min(1.0, 2 * min(more, fewer))
            result[j] = max(2 * stats.t.sf(abs(t), m - 2), chance)
    return np.minimum(result * len(size), 1.0)


def groups_differ(lost: BoolArray, units: IntArray, group: IntArray) -> float:
    """P-value of units of several groups losing as many persons: analysis of variance of shares.

    Parameters
    ----------
    lost
        Who has no outcome, shape (n,).
    units
        Randomized unit, shape (n,).
    group
        Group, such as the block, of each person; one for each unit, shape (n,).

    Examples
    --------
    >>> group = np.repeat([0, 1], 100)
    >>> lost = np.arange(200) % 10 < np.repeat([1, 4], 100)
    >>> groups_differ(lost, np.arange(200), group) < 0.001
    True
    """
    codes, first, unit = np.unique(units, return_index=True, return_inverse=True)
    share = np.bincount(unit, weights=lost) / np.bincount(unit)
    label = np.unique(group[first], return_inverse=True)[1]
    size = np.bincount(label)
    k, m = len(size), len(codes)
    if k < 2 or m <= k:
        return np.nan
    mean = np.bincount(label, weights=share) / size
    between = float((size * (mean - share.mean()) ** 2).sum()) / (k - 1)
    within = float(((share - mean[label]) ** 2).sum()) / (m - k)
    if within == 0:
        return np.nan
    return float(stats.f.sf(between / within, k - 1, m - k))


def _ranked(values: FloatArray) -> FloatArray:
    """Columns by rank, those of one or two values too; NaN where missing, shape (n, p)."""
    ranks: FloatArray = stats.rankdata(values, axis=0, nan_policy="omit")
    return ranks


def _centred(values: FloatArray, here: BoolArray) -> FloatArray:
    """Deviations from the mean of those meant, 0 for the others, shape (n, p)."""
    mean = np.where(here, values, 0).sum(axis=0) / here.sum(axis=0)
    return np.where(here, values - mean, 0.0)


def _sums(values: FloatArray, codes: IntArray, m: int) -> FloatArray:
    """Sums of rows by unit, shape (m, p)."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) > 0])
    total: FloatArray = np.add.reduceat(values[order], starts, axis=0)
    return total
