"""Power of the primary test, which looks through all covariates, without simulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from tauhat._typing import FloatArray
from tauhat.inference.heterogeneity import DEFAULT_WEIGHTS
from tauhat.inference.heterogeneity_comparison import LEAST_CLUSTERS, LEAST_IN_ARM
from tauhat.power.interaction_power import (
    PROBABILITIES,
    SHARES,
    ClusterInformation,
    arm_sizes,
    degrees_of_freedom,
    interaction_power,
)

# The noncentral F distribution fails at exactly 0.
_NO_EFFECT = 1e-12


@dataclass(frozen=True)
class Sums:
    """Sum of squares of the modifier about its mean in one randomized unit.

    Attributes
    ----------
    mean
        Its expectation.
    by_values, by_sizes
        Its variance by the values of the modifier in units of one size, and by the sizes.
    noise
        Variance of the outcome within units.
    """

    mean: float
    by_values: float
    by_sizes: float
    noise: float


def sums_within(
    sizes: FloatArray,
    probabilities: FloatArray,
    *,
    clustered: bool,
    icc: float,
    icc_x: float,
    sd_y: float,
    sd_x: float,
    prevalence: float | None,
) -> Sums:
    """What one randomized unit tells on the slope within it; a person alone is one of size 1.

    Examples
    --------
    >>> from tauhat.power.interaction_power import cluster_sizes
    >>> sums_within(*cluster_sizes(21, 0.0), clustered=True, icc=0.05, icc_x=0.1, sd_y=1.0,
    ...             sd_x=1.0, prevalence=None)
    Sums(mean=18.0, by_values=32.4..., by_sizes=0.0, noise=0.95)
    """
    scale = sd_x**2 * (1 - icc_x if clustered else 1.0)
    excess = 0.0 if prevalence is None else 1 / (prevalence * (1 - prevalence)) - 6
    free = sizes - 1 if clustered else sizes
    mean = float(probabilities @ free)
    by_values = float(probabilities @ (free * (2 + excess * free / sizes)))
    by_sizes = max(float(probabilities @ free**2) - mean**2, 0.0)
    return Sums(scale * mean, scale**2 * by_values, scale**2 * by_sizes, sd_y**2 * (1 - icc))


def power_within(
    sums: Sums,
    n_units: int,
    delta: float,
    *,
    n_others: int,
    binary: bool,
    share_treated: float,
    significance_level: float,
) -> float:
    r"""Power of `tauhat.test_heterogeneity` for a modifier that differs between persons.

    The test is that of the smallest weighted p-value of its components. The linear one compares,
    of K covariates, sums of covariate times residual over the persons of a unit. Of these m sums
    the modifier's has in arm a the mean :math:`\delta_a q`, given the sum of squares q of the
    modifier in the unit, and the variance :math:`\sigma_w^2 q`; :math:`\delta_1 = (1-\pi)\delta`
    and :math:`\delta_0 = -\pi\delta` are the slopes that remain in the arms when that of both
    together is taken out. q has a gamma distribution with the coefficient of variation c, by the
    sizes of units and by the values of the modifier.

    Arms happen to tell more or less: the power is an average over their mean q. Given these the
    statistic is about noncentral F with

    .. math::
        \lambda = \frac{(\delta_1\bar q_1 - \delta_0\bar q_0)^2}
                       {\sigma_w^2 (\bar q_1/m_1 + \bar q_0/m_0)},

    K and K times Welch's degrees of freedom, its denominator larger by what
    :math:`\delta_a^2 \mathrm{var}(q)` adds in one of K columns. With K columns a K-th of the
    variance by values is dealt with in that way, the rest as noise.

    Permuted sums differ in two ways from those of equal units without an effect. Their fourth
    moments :math:`\kappa + 3` change the variance of the numerator by the factor
    :math:`\exp\{g\kappa/(2m)\}`, with the excess kurtosis g of an arm (-2 in equal arms). And they
    hold the effect, so that the modifier's have the larger variance :math:`1 + \beta`,
    :math:`\beta = \pi(1-\pi)\delta^2\mathrm{E}q^2/(\sigma_w^2\mathrm{E}q)`. Both enter the
    critical value by its degrees of freedom, the first without an effect those of the statistic
    too, which then rejects at the level.

    The other components have no part in a linear effect, reject by chance only, and are taken
    to be independent.

    Parameters
    ----------
    sums
        Of one unit, as of `sums_within`.
    n_units
        Number of clusters, or of persons if these are randomized.
    delta
        The interaction.
    n_others
        Further covariates that differ between persons, continuous and without any effect.
    binary
        Whether the modifier has two values.
    share_treated
        Share of units treated.
    significance_level
        Level of the test.

    Returns
    -------
    float

    Examples
    --------
    >>> sums = Sums(mean=17.1, by_values=30.8, by_sizes=0.0, noise=0.95)
    >>> given = {"binary": False, "share_treated": 0.5, "significance_level": 0.05}
    >>> [round(power_within(sums, 20, 0.35, n_others=k, **given), 2) for k in (0, 3)]
    [0.83, 0.6]
    """
    components = ["linear"]
    components += ["curvature"] if n_others or not binary else []
    components += ["products"] if n_others else []
    # Clusters of one person each tell nothing of a slope within them.
    if sums.mean == 0:
        return significance_level if n_others else 0.0
    arms = _Arms.of(sums, n_units, delta, 1 + n_others, share_treated)

    return _of_components(components, "linear", arms.power, significance_level)


@dataclass(frozen=True)
class _Arms:
    """The linear component in a planned trial, by the quantiles of the arms' information.

    Attributes
    ----------
    noncentrality, larger
        Of the statistic, and the factor of its denominator, shape (treated, control).
    permuted, statistic
        Degrees of freedom of the two: under permutation, and in repeated trials.
    """

    noncentrality: FloatArray
    larger: FloatArray
    permuted: tuple[float, float]
    statistic: tuple[float, float]

    @classmethod
    def of(cls, sums: Sums, n_units: int, delta: float, k: int, share_treated: float) -> _Arms:
        """Of so many units and columns."""
        sizes = arm_sizes(n_units, share_treated)
        share, mean = sizes[0] / n_units, sums.mean
        slopes = ((1 - share) * delta, share * delta)
        by_values, by_sizes = sums.by_values / mean**2, sums.by_sizes / mean**2
        spread = by_sizes + by_values / k
        told = [_information(spread, m) for m in sizes]
        parts = [told[0][:, None], told[1][None, :]]
        noise: FloatArray = np.zeros((len(PROBABILITIES), len(PROBABILITIES)))
        shift, added = noise.copy(), noise.copy()
        for q, slope, m in zip(parts, slopes, sizes, strict=True):
            noise = noise + (sums.noise * mean * q + slope**2 * sums.by_values * (1 - 1 / k)) / m
            shift = shift + slope * mean * q
            added = added + (slope * mean * q) ** 2 * spread / m
        # Welch's, of one column: the two arms' variances are estimated apart.
        treated, control = sizes
        welch = (1 / treated + 1 / control) ** 2 / (
            1 / (treated**2 * (treated - 1)) + 1 / (control**2 * (control - 1))
        )
        # Moments of a gamma distribution of mean 1.
        second = 1 + by_sizes + by_values
        third = second * (2 * second - 1)
        fourth = third * (3 * second - 2)
        product = share * (1 - share)
        effect = product * delta**2 * mean / sums.noise
        own = (1 / product - 3) * effect**2 * fourth + 6 * effect * third + 3 * second
        own = own / (1 + effect * second) ** 2 - 3
        other, ratio = 3 * second - 3, (1 + effect * second) ** 2
        kurtosis = (own * ratio + other * (k - 1)) / (ratio + k - 1)
        of_arm = (1 / product - 6) / (2 * n_units)
        held = (k + effect * second) ** 2 / (ratio + k - 1)
        without = k * math.exp(-of_arm * other)
        return cls(
            np.maximum(shift**2 / noise * without / k, _NO_EFFECT),
            1 + added / noise / k,
            (held * math.exp(-of_arm * kurtosis), held * welch),
            (without, k * welch),
        )

    def power(self, level: float) -> float:
        """Power at a level of the component."""
        critical = stats.f.isf(level, *self.permuted) * self.larger
        reached = stats.ncf.sf(critical, *self.statistic, self.noncentrality)
        return float(SHARES @ reached @ SHARES)


def _information(spread: float, units: int) -> FloatArray:
    """Quantiles of the mean information of so many units, of mean 1."""
    variance = spread / units
    # As good as certain, and too narrow for the gamma quantiles.
    if variance <= 1e-10:
        return np.ones(len(PROBABILITIES))
    found: FloatArray = stats.gamma(1 / variance, scale=variance).ppf(PROBABILITIES)
    return found


def power_between(
    one: ClusterInformation,
    n_clusters: int,
    delta: float,
    *,
    n_others: int,
    share_treated: float,
    significance_level: float,
) -> float:
    r"""Power of `tauhat.test_heterogeneity` for a modifier of clusters.

    The component of cluster-level covariates has the power of the interaction test at the level
    that its weight leaves it; below 12 clusters, or 6 in an arm, it is not tested. Permuted
    statistics hold the effect as well, so that the critical value of t squared is larger by
    about

    .. math:: \sqrt{\frac{1 + \kappa s}{1 + s}}, \qquad s = \delta^2 I_b / 4,

    with the kurtosis :math:`\kappa` of the modifier and the information :math:`I_b` of a cluster;
    the root is fitted to simulations.

    Parameters
    ----------
    one
        Information of one cluster.
    n_clusters, delta, n_others, share_treated, significance_level
        As in `power_within`.

    Returns
    -------
    float
        0 where nothing can be tested.

    Examples
    --------
    >>> one = ClusterInformation(0.0, 4.0, 8.0, 25.0)
    >>> given = {"share_treated": 0.5, "significance_level": 0.05}
    >>> [round(power_between(one, 40, 0.5, n_others=k, **given), 2) for k in (0, 3)]
    [0.8, 0.57]
    """
    components = ["linear", "curvature", "products"] if n_others else []
    smaller = min(arm_sizes(n_clusters, share_treated))
    if n_clusters < LEAST_CLUSTERS or smaller < LEAST_IN_ARM:
        return significance_level if components else 0.0

    kurtosis = 3.0 if one.prevalence is None else 1 / (one.prevalence * (1 - one.prevalence)) - 3
    held = delta**2 * one.between / 4
    inflation = math.sqrt((1 + kurtosis * held) / (1 + held))
    df = degrees_of_freedom(one, n_clusters)

    def between(level: float) -> float:
        reached = float(stats.f.sf(stats.f.isf(level, 1, df) * inflation, 1, df))
        return interaction_power(
            one, n_clusters, delta, share_treated=share_treated, significance_level=reached
        )

    return _of_components(
        [*components, "cluster-level"], "cluster-level", between, significance_level
    )


def _of_components(
    components: Sequence[str], able: str, power: Callable[[float], float], significance_level: float
) -> float:
    """Power of the smallest weighted p-value where one component's p-value is not by chance."""
    total = sum(DEFAULT_WEIGHTS[name] for name in components)
    weights = {name: DEFAULT_WEIGHTS[name] / total for name in components}

    def excess(c: float) -> float:
        none = math.prod(1 - c * weight for weight in weights.values())
        return 1 - none - significance_level

    c = float(brentq(excess, 0.0, 1.0))
    others = math.prod(1 - c * weight for name, weight in weights.items() if name != able)
    return 1 - (1 - power(c * weights[able])) * others
