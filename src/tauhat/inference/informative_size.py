"""Whether effects go with the size of clusters: a test by permuting whole clusters."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray
from tauhat.design import Design
from tauhat.numerics.seeds import derive_seed

N_PERMUTATIONS = 999


def informative_size_p(
    adjusted: FloatArray,
    sizes: FloatArray,
    effect: float,
    design: Design,
    moved: FloatArray | None = None,
) -> float | None:
    r"""p-value of the hypothesis that the effect does not depend on the size of the cluster.

    With the adjusted mean :math:`r_i` of each cluster, less the average effect in treated
    ones, and its size :math:`n_i`, the statistic is the difference of the individual-average and
    the cluster-average contrast

    .. math:: D(A) = \bar r_{1}^{\,n} - \bar r_{0}^{\,n} - (\bar r_{1} - \bar r_{0})

    where the first two means weigh clusters by size. The arms of whole clusters are permuted as
    the trial could have allocated them, each keeping its mean and its size, so that large
    clusters with other outcomes, in both arms, are no evidence; two-sided, the observed
    allocation among the others. Randomization-based tests of informative cluster size: Blette
    and others, arXiv 2510.01127.

    Parameters
    ----------
    adjusted
        Mean outcome of each cluster, adjusted for covariates, shape (m,).
    sizes
        What each cluster counts in the individual-average, shape (m,).
    effect
        Average effect that is taken out of treated clusters.
    design
        The trial's, of two arms.
    moved
        What each cluster's arm changes in the statistic through outcomes made for those who lack
        one, times the clusters of an arm (`tauhat.numerics.arm_changes`), shape (m,); None where
        nobody does.

    Returns
    -------
    float or None
        None where all clusters are of one size, or there is one allocation only.

    Examples
    --------
    >>> from tauhat.design import Clusters
    >>> size, arm = np.tile([10.0, 40.0], 12), np.repeat([0, 1], 12)
    >>> noise = 0.1 * np.random.default_rng(1).normal(size=24)
    >>> design = Clusters.of(arm, np.arange(24))
    >>> informative_size_p(noise + arm * size / 40, size, 0.6, design) < 0.05
    True
    """
    if np.ptp(sizes) <= 1e-9 * sizes.max():
        return None
    left = adjusted - effect * design.arm
    draws = design.permutations(N_PERMUTATIONS, derive_seed(0, "informative cluster size"))
    if draws.n_assignments < 2:
        return None
    moved = np.zeros(len(left)) if moved is None else moved
    apart = np.abs(
        np.concatenate([_difference(arms, left, sizes, moved) for arms in draws.batches()])
    )
    # Rounding must not part what is equal.
    return float(np.mean(apart >= apart[0] * (1 - 1e-9)))


def _difference(
    arms: FloatArray, left: FloatArray, sizes: FloatArray, moved: FloatArray
) -> FloatArray:
    """Contrast of means by size less that of plain means, for each assignment (l, m)."""
    found = np.zeros(len(arms))
    for sign, own in ((1, arms), (-1, 1 - arms)):
        by_size = (own @ (sizes * left)) / (own @ sizes)
        found += sign * (by_size - (own @ (left - moved)) / own.sum(axis=1))
    return found
