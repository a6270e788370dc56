"""Intracluster correlation by analysis of variance, with an exact interval."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from tauhat._typing import FloatArray, IntArray
from tauhat.runtime.display import Shown


@dataclass(frozen=True)
class IntraclusterCorrelation(Shown):
    """Share of an outcome's variance that lies between clusters.

    Attributes
    ----------
    value
        Estimate; negative when clusters differ less than chance would make them.
    low, high
        Interval; NaN when there are no replicates within clusters.
    between, within
        Variance components, in squared units of the outcome; ``between`` may be
        negative.
    n_clusters
        Number of clusters used.
    typical_size
        Cluster size ``n_0`` that the estimator works with.
    """

    value: float
    low: float
    high: float
    between: float
    within: float
    n_clusters: int
    typical_size: float

    @property
    def table(self) -> pd.DataFrame:
        """The numbers in one row."""
        return pd.DataFrame([asdict(self)])

    @property
    def text(self) -> str:
        """The correlation in a sentence."""
        return (
            f"{100 * self.value:.1f}% of the outcome's variance within arm lies between the "
            f"{self.n_clusters} clusters (interval {self.low:.3f} to {self.high:.3f})."
        )


def intracluster_correlation(
    y: FloatArray, clusters: IntArray, arms: IntArray | None = None, *, level: float = 0.95
) -> IntraclusterCorrelation:
    r"""Intracluster correlation within arm, by one-way analysis of variance.

    With :math:`m` clusters of sizes :math:`n_j` in :math:`A` arms of
    :math:`N_a` persons, and mean squares between clusters within arm
    (:math:`MSB`, :math:`m - A` df) and within clusters (:math:`MSW`,
    :math:`N - m` df),

    .. math::
        \hat\rho = \frac{MSB - MSW}{MSB + (n_0 - 1) MSW}, \qquad
        n_0 = \frac{N - \sum_a \sum_{j \in a} n_j^2 / N_a}{m - A}.

    Negative estimates are reported, not cut at 0. The interval is Wald's, exact
    for normal outcomes whatever the cluster sizes: all :math:`\rho` for which

    .. math::
        \frac{1}{(m - A) MSW} \sum_a \sum_{j \in a} w_j (\bar y_j - \tilde y_a)^2,
        \qquad w_j = \frac{n_j (1 - \rho)}{1 + (n_j - 1) \rho}

    with the :math:`w`-weighted arm mean :math:`\tilde y_a` lies between the
    quantiles of :math:`F_{m - A,\, N - m}`. It does not go below
    :math:`-1 / (\max_j n_j - 1)`. For equal sizes it is Searle's interval.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    clusters
        Integer cluster codes, shape (n,).
    arms
        Arm of each row, constant within cluster, shape (n,), or None for one arm.
    level
        Coverage of the interval.

    Returns
    -------
    IntraclusterCorrelation

    Raises
    ------
    ValueError
        If no arm has two clusters.

    References
    ----------
    Donner A, Koval JJ (1980). The estimation of intraclass correlation in the
    analysis of family data. Biometrics 36, 19-25. Wald A (1940). A note on the
    analysis of variance with unequal class frequencies. Annals of Mathematical
    Statistics 11, 96-100.

    Examples
    --------
    >>> result = intracluster_correlation(
    ...     np.array([1.0, 1.0, 2.0, 2.0]), np.array([0, 0, 1, 1]))
    >>> result.value
    1.0
    """
    codes = np.unique(clusters, return_inverse=True)[1]
    size = np.bincount(codes).astype(np.float64)
    m, n = len(size), len(y)
    arm_of_row = (
        np.zeros(n, dtype=np.int64) if arms is None else np.unique(arms, return_inverse=True)[1]
    )
    arm = np.zeros(m, dtype=np.int64)
    arm[codes] = arm_of_row
    n_arms = int(arm.max()) + 1
    if m <= n_arms:
        raise ValueError(f"{m} clusters in {n_arms} arms do not tell clusters from arms")
    arm_size = np.bincount(arm, weights=size)
    arm_mean = np.bincount(arm_of_row, weights=y) / arm_size
    cluster_mean = np.bincount(codes, weights=y) / size
    squares_between = float(size @ (cluster_mean - arm_mean[arm]) ** 2)
    squares_within = float(((y - cluster_mean[codes]) ** 2).sum())
    typical = (n - float((np.bincount(arm, weights=size**2) / arm_size).sum())) / (m - n_arms)
    mean_between = squares_between / (m - n_arms)
    if n == m:
        return IntraclusterCorrelation(
            np.nan, np.nan, np.nan, np.nan, np.nan, n_clusters=m, typical_size=typical
        )
    mean_within = squares_within / (n - m)
    total = mean_between + (typical - 1) * mean_within
    value = (mean_between - mean_within) / total if total > 0 else np.nan
    low, high = value, value
    if mean_within > 0:
        upper = float(stats.f.ppf(0.5 + level / 2, m - n_arms, n - m))
        lower = float(stats.f.ppf(0.5 - level / 2, m - n_arms, n - m))
        low = _wald_limit(upper * mean_within, size, cluster_mean, arm)
        high = _wald_limit(lower * mean_within, size, cluster_mean, arm)
    return IntraclusterCorrelation(
        value=float(value),
        low=float(low),
        high=float(high),
        between=(mean_between - mean_within) / typical,
        within=mean_within,
        n_clusters=m,
        typical_size=typical,
    )


def _wald_limit(target: float, size: FloatArray, mean: FloatArray, arm: IntArray) -> float:
    """Correlation at which the weighted mean square between clusters equals the target."""
    m, n_arms = len(size), int(arm.max()) + 1

    def excess(rho: float) -> float:
        weight = size * (1 - rho) / (1 + (size - 1) * rho)
        centre = np.bincount(arm, weights=weight * mean) / np.bincount(arm, weights=weight)
        return float(weight @ (mean - centre[arm]) ** 2) / (m - n_arms) - target

    # Just inside the values at which a weight is 0 or infinite; excess falls from one to the other.
    smallest = -1 / (size.max() - 1) * (1 - 1e-9)
    largest = 1 - 1e-12
    if excess(smallest) <= 0:
        return float(smallest)
    if excess(largest) >= 0:
        return 1.0
    return float(optimize.brentq(excess, smallest, largest, xtol=1e-10))
