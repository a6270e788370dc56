"""Power of a treatment-by-covariate interaction as a function of the design alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tauhat._typing import FloatArray

# Quantiles of each arm's information over which the power is averaged.
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(24)
PROBABILITIES: FloatArray = (_POINTS + 1) / 2
SHARES: FloatArray = _WEIGHTS / 2

# Up to so many clusters an arm, the number of clusters of either kind is averaged over exactly.
FEW_CLUSTERS = 50


def cluster_sizes(mean: float, cv: float) -> tuple[FloatArray, FloatArray]:
    """Sizes of clusters and their probabilities: a rounded gamma distribution, at least 1.

    Parameters
    ----------
    mean
        Mean number of persons in a cluster, at least 1.
    cv
        Coefficient of variation of the sizes; 0 for equal sizes.

    Returns
    -------
    sizes, probabilities
        Each of shape (k,); the mean itself, rounded or not, when ``cv`` is 0.

    Examples
    --------
    >>> sizes, probabilities = cluster_sizes(25, 0.4)
    >>> round(float(sizes @ probabilities), 2)
    25.0
    """
    if cv == 0:
        return np.array([float(mean)]), np.ones(1)
    gamma = stats.gamma(cv**-2.0, scale=mean * cv**2)
    sizes = np.arange(1.0, float(gamma.ppf(1 - 1e-10)) + 2)
    probabilities: FloatArray = np.diff(np.r_[0.0, gamma.cdf(sizes + 0.5)])
    return sizes, probabilities / probabilities.sum()


def sizes_left(mean: float, cv: float, drop_out: float) -> tuple[float, float]:
    """Mean and coefficient of variation of cluster sizes when persons are lost by chance.

    Examples
    --------
    >>> sizes_left(25, 0.0, 0.0), round(sizes_left(25, 0.3, 0.2)[1], 3)
    ((25.0, 0.0), 0.316)
    """
    left = max(mean * (1 - drop_out), 1.0)
    return left, math.sqrt(cv**2 + drop_out / left)


def persons_left(number: int, drop_out: float) -> int:
    """Persons with an outcome, of so many that were randomized one by one.

    Examples
    --------
    >>> persons_left(301, 0.13)
    261
    """
    return math.floor(number * (1 - drop_out) + 1e-9)


@dataclass(frozen=True)
class ClusterInformation:
    r"""What one cluster tells on the slope of the outcome on the modifier.

    A cluster of n persons has, by the contrasts within and by its mean,

    .. math::
        I_w = \frac{\sigma_x^2}{\sigma_y^2}\,\frac{(n-1)(1-\rho_x)}{1-\rho}, \qquad
        I_b = \frac{\sigma_x^2}{\sigma_y^2}\,\frac{1+(n-1)\rho_x}{1+(n-1)\rho}

    on average over the modifier's values, in a linear mixed model with outcome
    ICC :math:`\rho` and covariate ICC :math:`\rho_x`.

    Attributes
    ----------
    within, between
        Expectations of the two over the cluster sizes.
    variance
        Variance of the information of one cluster over sizes and values of the modifier.
    mean_size
        Expected number of persons.
    prevalence
        Share of persons with a binary modifier; None for a continuous one.
    """

    within: float
    between: float
    variance: float
    mean_size: float
    prevalence: float | None = None


def cluster_information(
    sizes: FloatArray,
    probabilities: FloatArray,
    *,
    icc: float,
    icc_x: float,
    sd_y: float,
    sd_x: float,
    prevalence: float | None = None,
) -> ClusterInformation:
    """Information of one cluster, as an expectation over the distribution of its size.

    Parameters
    ----------
    sizes, probabilities
        Distribution of the sizes, as of `cluster_sizes`.
    icc, icc_x
        Intracluster correlation of the outcome given the modifier, and of the modifier.
    sd_y, sd_x
        Standard deviation of the outcome given the modifier, and of the modifier.
    prevalence
        Share of persons with a binary modifier; None for a normal one.

    Returns
    -------
    ClusterInformation

    Examples
    --------
    >>> equal = cluster_sizes(25, 0.0)
    >>> one = cluster_information(*equal, icc=0.05, icc_x=1.0, sd_y=1.0, sd_x=1.0)
    >>> one.within, round(one.between, 3)
    (0.0, 11.364)
    """
    scale = (sd_x / sd_y) ** 2
    within = scale * (sizes - 1) * (1 - icc_x) / (1 - icc)
    between = scale * (1 + (sizes - 1) * icc_x) / (1 + (sizes - 1) * icc)
    excess_kurtosis = 0.0 if prevalence is None else 1 / (prevalence * (1 - prevalence)) - 6
    # The mean of a cluster is closer to normal than one person's value.
    mean_excess = excess_kurtosis * (1 + (sizes - 1) * icc_x) / sizes
    second_moment = (
        (within + between) ** 2
        + (2 + excess_kurtosis) * within**2 / np.maximum(sizes - 1, 1)
        + (2 + mean_excess) * between**2
    )
    mean_within = float(probabilities @ within)
    mean_between = float(probabilities @ between)
    return ClusterInformation(
        mean_within,
        mean_between,
        float(probabilities @ second_moment) - (mean_within + mean_between) ** 2,
        float(probabilities @ sizes),
        prevalence,
    )


def large_sample_variance(one: ClusterInformation, n_clusters: int, share_treated: float) -> float:
    r"""Variance of the interaction with many clusters.

    .. math:: \frac{1}{m\,\pi(1-\pi)\,(I_w + I_b)}

    For equal sizes this is the variance of Yang and others (2020),

    .. math::
        \frac{\sigma_y^2}{m n\,\pi(1-\pi)\,\sigma_x^2}\,
        \frac{(1-\rho)\{1+(n-1)\rho\}}{1+(n-2)\rho-(n-1)\rho_x\rho}

    Examples
    --------
    >>> one = ClusterInformation(0.0, 4.0, 0.0, 25.0)
    >>> large_sample_variance(one, 20, 0.5)
    0.05
    """
    return 1 / (n_clusters * share_treated * (1 - share_treated) * (one.within + one.between))


def arm_sizes(n_clusters: int, share_treated: float) -> tuple[int, int]:
    """Clusters of the treated and of the control arm.

    Examples
    --------
    >>> arm_sizes(32, 0.5), arm_sizes(10, 1 / 3)
    ((16, 16), (3, 7))
    """
    treated = round(n_clusters * share_treated)
    return treated, n_clusters - treated


def degrees_of_freedom(one: ClusterInformation, n_clusters: int) -> float:
    r"""Satterthwaite's degrees of freedom of the interaction.

    .. math:: \nu = \Big\{\frac{f_w^2}{m(\bar n - 1)} + \frac{f_b^2}{m - 4}\Big\}^{-1}

    with the shares :math:`f_w, f_b` of the information from within and between
    clusters: m - 4 for a modifier of clusters, nearly the number of persons for
    one that does not differ between clusters.

    Examples
    --------
    >>> degrees_of_freedom(ClusterInformation(0.0, 4.0, 0.0, 25.0), 20)
    16.0
    """
    share = one.between / (one.within + one.between)
    inverse = share**2 / (n_clusters - 4)
    if one.within > 0:
        inverse += (1 - share) ** 2 / (n_clusters * (one.mean_size - 1))
    return 1 / inverse


def interaction_power(
    one: ClusterInformation,
    n_clusters: int,
    delta: float,
    *,
    share_treated: float = 0.5,
    significance_level: float = 0.05,
) -> float:
    """Power of the two-sided t test of an interaction in a linear mixed model.

    The noncentral t distribution with `degrees_of_freedom`, averaged over how
    much the clusters of each arm happen to tell (a gamma distribution with the
    mean and variance of the sum of their information; one cluster is spent on
    the arm's mean). With few clusters and a modifier that differs mostly
    between them that average matters more than the degrees of freedom.

    Parameters
    ----------
    one
        Information of one cluster.
    n_clusters
        Number of clusters, at least 6.
    delta
        The interaction, in units of the outcome by unit of the modifier.
    share_treated
        Share of clusters treated.
    significance_level
        Two-sided level of the test.

    Returns
    -------
    float

    Examples
    --------
    >>> equal = cluster_sizes(25, 0.0)
    >>> one = cluster_information(*equal, icc=0.05, icc_x=1.0, sd_y=1.0, sd_x=1.0)
    >>> round(interaction_power(one, 20, 0.4), 2)
    0.69
    """
    treated, control = (_arm_information(one, m) for m in arm_sizes(n_clusters, share_treated))
    with np.errstate(divide="ignore"):
        variance = 1 / treated[0][:, None] + 1 / control[0][None, :]
    df = degrees_of_freedom(one, n_clusters)
    critical = stats.t.isf(significance_level / 2, df)
    # The squared statistic: its noncentral F distribution is accurate in both tails, but for
    # a noncentrality of exactly 0.
    noncentrality = np.maximum(delta**2 / variance, 1e-12)
    power = stats.ncf.sf(critical**2, 1, df, noncentrality)
    # An arm whose clusters are all of one kind has no slope to test.
    return float(treated[1] @ np.where(np.isinf(variance), 0.0, power) @ control[1])


def _arm_information(one: ClusterInformation, clusters: int) -> tuple[FloatArray, FloatArray]:
    """Values of the information of one arm, and their probabilities."""
    if one.prevalence is not None and one.within == 0 and clusters <= FEW_CLUSTERS:
        count = np.arange(clusters + 1.0)
        spread = count * (clusters - count) / clusters
        known: FloatArray = one.between * spread / (one.prevalence * (1 - one.prevalence))
        return known, stats.binom.pmf(count, clusters, one.prevalence)
    mean = clusters * one.within + (clusters - 1) * one.between
    variance = (clusters - 1) * one.variance
    # As good as certain, and too narrow for the gamma quantiles.
    if variance <= 1e-10 * mean**2:
        return np.full(len(PROBABILITIES), mean), SHARES
    gamma = stats.gamma(mean**2 / variance, scale=variance / mean)
    return gamma.ppf(PROBABILITIES), SHARES
