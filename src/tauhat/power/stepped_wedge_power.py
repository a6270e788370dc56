"""Power and sample size for the average effect in a stepped wedge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tauhat._typing import FloatArray, IntArray
from tauhat.arguments import check_numbers, is_whole
from tauhat.errors import TrialError
from tauhat.power.planned_design import MOST_UNITS
from tauhat.runtime.display import Shown

_LEAST_CLUSTERS = 4


@dataclass(frozen=True)
class SteppedWedgePower(Shown):
    """A planned stepped wedge with its power; the result of `power_stepped_wedge`.

    Attributes
    ----------
    n_clusters, n_periods, cluster_period_size
        Clusters, periods, and persons of a cluster in one period.
    n_persons
        Persons in all.
    clusters_of_steps
        Clusters that change to the treatment at each step, shape (n_periods - 1,).
    effect
        Average effect, in units of the outcome.
    sd_y, icc, autocorrelation
        As in `power_stepped_wedge`.
    se
        Standard error of the effect in the mixed model.
    power, large_sample_power
        Of the mixed model, by the t distribution, and by the normal one as published.
    averages_se, averages_power
        The same for `tauhat.average_effects`, which compares clusters within periods only.
    degrees_of_freedom
        Of the t test: clusters less two.
    significance_level
        Two-sided level of the test.
    """

    n_clusters: int
    n_periods: int
    cluster_period_size: float
    n_persons: int
    clusters_of_steps: tuple[int, ...]
    effect: float
    sd_y: float
    icc: float
    autocorrelation: float
    se: float
    power: float
    large_sample_power: float
    averages_se: float
    averages_power: float
    degrees_of_freedom: int
    significance_level: float

    @property
    def table(self) -> pd.DataFrame:
        """One row per quantity: ``quantity`` and ``value``."""
        rows = [
            ("clusters", self.n_clusters),
            ("periods", self.n_periods),
            ("persons of a cluster in a period", self.cluster_period_size),
            ("persons", self.n_persons),
            ("outcome ICC within a period", self.icc),
            ("cluster autocorrelation", self.autocorrelation),
            ("SD of the outcome", self.sd_y),
            ("average effect", self.effect),
            ("standard error, mixed model", self.se),
            ("standard error, average effects", self.averages_se),
            ("degrees of freedom", self.degrees_of_freedom),
            ("significance level, two-sided", self.significance_level),
            ("power of the mixed model", self.power),
            ("power of the average effects", self.averages_power),
            ("power by the large-sample formula", self.large_sample_power),
        ]
        return pd.DataFrame(rows, columns=["quantity", "value"]).astype({"value": "float64"})

    @property
    def text(self) -> str:
        """The plan in sentences, for a protocol or a grant."""
        steps = sorted(set(self.clusters_of_steps))
        each = " or ".join(map(str, steps))
        return (
            f"In a stepped wedge of {self.n_clusters} clusters over {self.n_periods} periods, with "
            f"{each} clusters that change at each of {self.n_periods - 1} steps and "
            f"{self.cluster_period_size:g} other persons of each cluster in each period, a "
            f"two-sided test at the {100 * self.significance_level:.3g}% level (t with "
            f"{self.degrees_of_freedom} degrees of freedom) in a mixed model has "
            f"{100 * self.power:.1f}% power to detect an average effect of {self.effect:.3g}, "
            f"assuming an outcome standard deviation of {self.sd_y:.3g}, an ICC of "
            f"{self.icc:.3g} within a period and a cluster autocorrelation of "
            f"{self.autocorrelation:.3g}. Variance of Hussey and Hughes (2007) "
            "with the correlations of Hooper et al. (2016); the effect is taken to be the same "
            "from the first period under treatment on. The model-robust average effect of tauhat, "
            "which compares clusters within periods only and needs no such model, has "
            f"{100 * self.averages_power:.1f}% power."
        )


def power_stepped_wedge(
    n_clusters: int | None = None,
    *,
    n_periods: int,
    cluster_period_size: float,
    effect: float,
    icc: float,
    autocorrelation: float = 1.0,
    sd_y: float = 1.0,
    power: float | None = None,
    significance_level: float = 0.05,
) -> SteppedWedgePower:
    r"""Power for the average effect in a stepped wedge, or the clusters that it takes.

    Clusters are shared out evenly among the steps, one after each period but the last; in the
    first period all are controls. Of the means of clusters in periods,

    .. math:: \bar Y_{it} = \beta_t + A_{it} \theta + b_i + c_{it} + \bar e_{it},

    with :math:`\tau^2 = \mathrm{Var}(b) = \rho \pi s^2` and
    :math:`\sigma^2 = \mathrm{Var}(c) + \mathrm{Var}(\bar e) = \rho (1 - \pi) s^2 + (1 - \rho) s^2
    / n` for ICC :math:`\rho` and autocorrelation :math:`\pi`, the variance is

    .. math::

        \mathrm{Var}(\hat\theta) = \frac{m \sigma^2 (\sigma^2 + T \tau^2)}
        {(m U - W) \sigma^2 + (U^2 + m T U - T W - m V) \tau^2}

    where U is the number of cluster-periods under treatment, W the sum over periods of the square
    of the clusters treated in it, and V that over clusters of the square of the periods treated.

    `tauhat.average_effects` has the mean, over the periods with both arms, of the differences
    between treated and control clusters, which is :math:`\sum_{it} w_{it} \bar Y_{it}` and has
    the larger variance :math:`\sigma^2 \sum_{it} w_{it}^2 + \tau^2 \sum_i (\sum_t w_{it})^2`.

    Parameters
    ----------
    n_clusters
        Number of clusters, at least 4 and one a step; None to solve for it, in whole sets of
        one a step.
    n_periods
        Number of periods, at least 3.
    cluster_period_size
        Persons of a cluster in one period; each period has other persons.
    effect
        Average effect, in units of the outcome.
    icc
        Correlation of the outcomes of two persons of a cluster in the same period, in [0, 1).
    autocorrelation
        Correlation of two persons of a cluster in different periods as a share of ``icc``
        (cluster autocorrelation), in [0, 1]; 1 is Hussey and Hughes's model, which is often too
        hopeful.
    sd_y
        Standard deviation of the outcome within arm and period.
    power
        Wanted power of the mixed model, to solve for the number of clusters.
    significance_level
        Two-sided level of the test.

    Returns
    -------
    SteppedWedgePower

    Raises
    ------
    TrialError
        If an argument is missing or out of range.

    References
    ----------
    Hussey and Hughes (2007), Contemporary Clinical Trials 28, 182-191. Hooper et al. (2016),
    Statistics in Medicine 35, 4718-4728.

    Examples
    --------
    >>> from tauhat.power import power_stepped_wedge
    >>> given = {"n_periods": 5, "cluster_period_size": 20, "icc": 0.05, "effect": 0.3}
    >>> round(power_stepped_wedge(12, **given).power, 2)
    0.79
    >>> power_stepped_wedge(autocorrelation=0.8, power=0.8, **given).n_clusters
    16
    """
    check_numbers(
        cluster_period_size=cluster_period_size,
        effect=effect,
        icc=icc,
        autocorrelation=autocorrelation,
        sd_y=sd_y,
        significance_level=significance_level,
    )
    check_numbers(or_none=True, power=power)
    for name, value, within, wanted in (
        ("cluster_period_size", cluster_period_size, cluster_period_size >= 1, "at least 1"),
        ("icc", icc, 0 <= icc < 1, "in [0, 1)"),
        ("autocorrelation", autocorrelation, 0 <= autocorrelation <= 1, "in [0, 1]"),
        ("sd_y", sd_y, 0 < sd_y < math.inf, "above 0"),
        ("significance_level", significance_level, 0 < significance_level < 1, "in (0, 1)"),
        ("effect", effect, math.isfinite(effect) and effect != 0, "a number other than 0"),
    ):
        if not within:
            raise TrialError(f"{name} must be {wanted}, got {value:g}")
    if not is_whole(n_periods) or n_periods < 3:
        raise TrialError(f"n_periods must be a whole number of at least 3, got {n_periods!r}")
    if (n_clusters is None) == (power is None):
        raise TrialError("give one of n_clusters and power: the other is solved for")
    least = max(_LEAST_CLUSTERS, n_periods - 1)
    shape = (n_periods, cluster_period_size, icc, autocorrelation)
    given: dict[str, Any] = {"effect": float(effect), "sd_y": float(sd_y)}

    def plan(clusters: int) -> SteppedWedgePower:
        return _planned(clusters, *shape, **given, significance_level=significance_level)

    if n_clusters is not None:
        if not is_whole(n_clusters) or n_clusters < least:
            raise TrialError(
                f"n_clusters must be a whole number of at least {least} with {n_periods} periods, "
                f"got {n_clusters!r}"
            )
        return plan(int(n_clusters))
    if power is None or not significance_level < power < 1:
        raise TrialError(f"power must be in ({significance_level:g}, 1), got {power!r}")
    steps = n_periods - 1
    low, high = 0, math.ceil(least / steps)
    while plan(high * steps).power < power:
        low, high = high, 2 * high
        if high * steps > MOST_UNITS:
            raise TrialError(
                f"effect = {effect:g} would need more than {MOST_UNITS:,} clusters; plan for a "
                "larger one"
            )
    while high - low > 1:
        middle = (low + high) // 2
        if middle * steps >= least and plan(middle * steps).power >= power:
            high = middle
        else:
            low = middle
    return plan(high * steps)


def _treated(n_clusters: int, n_periods: int) -> tuple[IntArray, IntArray]:
    """Clusters of each step, and how many are treated in each period."""
    steps = n_periods - 1
    of_step = np.full(steps, n_clusters // steps)
    of_step[: n_clusters % steps] += 1
    return of_step, np.r_[0, np.cumsum(of_step)]


def _weights(of_step: IntArray) -> FloatArray:
    """What the mean of each cluster in each period with both arms counts, shape (m, T - 2)."""
    step = np.repeat(np.arange(len(of_step)), of_step)
    treated = step[:, None] <= np.arange(len(of_step) - 1)
    n_treated = treated.sum(axis=0)
    weights = np.where(treated, 1 / n_treated, -1 / (len(step) - n_treated))
    found: FloatArray = weights / weights.shape[1]
    return found


def _t_power(shift: float, df: int, significance_level: float) -> float:
    critical = float(stats.t.isf(significance_level / 2, df))
    return float(stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift))


def _planned(
    n_clusters: int,
    n_periods: int,
    size: float,
    icc: float,
    autocorrelation: float,
    *,
    effect: float,
    sd_y: float,
    significance_level: float,
) -> SteppedWedgePower:
    of_step, of_period = _treated(n_clusters, n_periods)
    m, periods = float(n_clusters), float(n_periods)
    lasting = sd_y**2 * icc * autocorrelation
    rest = sd_y**2 * (icc * (1 - autocorrelation) + (1 - icc) / size)
    cells = float(of_period.sum())
    by_period = float((of_period.astype(np.float64) ** 2).sum())
    by_cluster = float((of_step * np.arange(n_periods - 1, 0, -1, dtype=np.float64) ** 2).sum())
    information = (m * cells - by_period) * rest + (
        cells**2 + m * periods * cells - periods * by_period - m * by_cluster
    ) * lasting
    se = math.sqrt(m * rest * (rest + periods * lasting) / information)
    weights = _weights(of_step)
    averages_se = math.sqrt(
        rest * float((weights**2).sum()) + lasting * float((weights.sum(axis=1) ** 2).sum())
    )
    df, shift = n_clusters - 2, abs(effect) / se
    normal = float(stats.norm.isf(significance_level / 2))
    return SteppedWedgePower(
        n_clusters=n_clusters,
        n_periods=int(n_periods),
        cluster_period_size=float(size),
        n_persons=round(n_clusters * n_periods * size),
        clusters_of_steps=tuple(of_step.tolist()),
        effect=effect,
        sd_y=sd_y,
        icc=float(icc),
        autocorrelation=float(autocorrelation),
        se=se,
        power=_t_power(shift, df, significance_level),
        large_sample_power=float(stats.norm.sf(normal - shift) + stats.norm.cdf(-normal - shift)),
        averages_se=averages_se,
        averages_power=_t_power(abs(effect) / averages_se, df, significance_level),
        degrees_of_freedom=df,
        significance_level=float(significance_level),
    )
