"""Cluster-level covariates of trials with too few clusters to learn what they do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tauhat._typing import BoolArray, FloatArray
from tauhat.data import TrialData
from tauhat.numerics.standardised_columns import column_scales, independent_columns
from tauhat.numerics.working_models import WORKING_CORRELATION, ExchangeableWorkingModel

# Share of a covariate's variance between clusters from which it is one of the cluster, blanks that
# were filled in and slips aside.
_BETWEEN_CLUSTERS = 0.8
# A covariate of which one cluster has more than this share of the spread, as sums of squares, is
# learned from that cluster alone.
_MOST_OF_ONE = 0.5
_MOST_OF_ONE_IN_ARM = 0.8
# What slopes learned in one arm may add to the variance of its mean at the trial's mean
# covariates, as a share of the variance without them. Beyond it they extrapolate: the arm
# has hardly seen covariates like those of the other.
_MOST_ADDED_VARIANCE = 1.0
# Clusters that the smaller arm needs for the mean and for each cluster-level covariate.
CLUSTERS_A_COVARIATE = 2


def unlearnable_covariates(data: TrialData) -> BoolArray:
    r"""Cluster-level covariates of a trial that has too few clusters for them, shape (p,).

    Covariates count that have four fifths of their variance or more between clusters. All of
    them are named when the smaller arm has fewer than two clusters for the mean and
    two for each independent cluster-level covariate, none otherwise: with a
    regression through (nearly) as many clusters as it has coefficients, one arm
    says whatever chance wants about clusters like those of the other, and so does one that
    leans on the few persons in whom such a covariate differs from the rest of their cluster.
    A covariate of which one cluster has more than half of the spread, or four fifths of that
    in its arm, is named in any trial; and so are those whose slopes within an arm of n clusters
    would more than double the variance of its mean,

    .. math:: n (\bar v - \bar v_a)' S_a^{-1} (\bar v - \bar v_a) > 1

    with :math:`S_a` the sums of squares and products within arm a, the worst one first.

    Parameters
    ----------
    data
        The trial.

    Returns
    -------
    ndarray of bool, shape (p,)

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> clinic = np.repeat(np.arange(6), 5)
    >>> X = np.column_stack([np.arange(30.0) % 4, clinic**2])
    >>> unlearnable_covariates(validate_trial(X, X[:, 0], clinic % 2, clinic)).tolist()
    [False, True]
    """
    if data.clusters is None:
        return np.zeros(data.X.shape[1], dtype=bool)
    # Single persons of an arm without clusters are no clusters.
    has_clusters = data.design.clusters_by_arm[data.treatment] > 0
    clusters = np.unique(data.clusters[has_clusters], return_inverse=True)[1]
    size = np.bincount(clusters)
    mean, scale = column_scales(data.X)
    standard = ((data.X - mean) / scale)[has_clusters]
    sums = np.zeros((len(size), standard.shape[1]))
    np.add.at(sums, clusters, standard)
    between = (sums**2 / size[:, None]).sum(axis=0) / len(clusters)
    varying: BoolArray = (between >= _BETWEEN_CLUSTERS) & (np.ptp(data.X, axis=0) > 0)
    if not varying.any():
        return varying
    means = sums / size[:, None]
    seen = np.unique(data.clusters[has_clusters])
    arms = [
        in_arm[seen]
        for in_arm, count in zip(
            data.design.seen_in_arms(), data.design.clusters_by_arm, strict=True
        )
        if count
    ]
    alone: BoolArray = varying & (_largest_share(means) > _MOST_OF_ONE)
    for in_arm in arms:
        alone |= varying & (_largest_share(means[in_arm]) > _MOST_OF_ONE_IN_ARM)
    columns = np.column_stack([np.ones(len(size)), means[:, varying & ~alone]])
    smaller_arm = min(int(in_arm.sum()) for in_arm in arms)
    enough = smaller_arm >= CLUSTERS_A_COVARIATE * len(independent_columns(columns))
    if not enough:
        return varying
    while _added_variance(means[:, varying & ~alone], arms) > _MOST_ADDED_VARIANCE:
        left = np.flatnonzero(varying & ~alone)
        alone[left[np.argmax([_added_variance(means[:, [j]], arms) for j in left])]] = True
    return alone


def _added_variance(columns: FloatArray, arms: Sequence[BoolArray]) -> float:
    """What slopes within arms add to the variance of an arm's mean, relative, in the worse arm."""
    added = 0.0
    for in_arm in arms:
        own = columns[in_arm]
        away = columns.mean(axis=0) - own.mean(axis=0)
        # Its pseudo-inverse has no slope along what does not vary in the arm.
        reach = np.linalg.pinv(own - own.mean(axis=0), rcond=1e-8)
        added = max(added, len(own) * float(((away @ reach) ** 2).sum()))
    return added


def _largest_share(means: FloatArray) -> FloatArray:
    """Largest share of one cluster in the sum of squares of each column, shape (p,)."""
    squares = (means - means.mean(axis=0)) ** 2
    total = squares.sum(axis=0)
    share: FloatArray = squares.max(axis=0) / np.where(total > 0, total, np.inf)
    return share


def without_unlearnable_covariates(data: TrialData) -> TrialData:
    r"""The trial without the cluster-level covariates that it has too few clusters for.

    Their part of the working outcome is taken out,

    .. math:: \tilde Y = Y - (v - \bar v)'\hat\gamma, \qquad
              E(Y \mid A, X, v) = \alpha + \beta A + X'\delta + v'\gamma,

    by generalised least squares with an exchangeable correlation of .05 and a
    ridge penalty, and the covariates are set to their means. Both arms have the
    same taken out; effects then do not vary with these covariates.

    Parameters
    ----------
    data
        The trial.

    Returns
    -------
    TrialData
        The same one where there are clusters enough (`unlearnable_covariates`).

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> clinic = np.repeat(np.arange(4), 50)
    >>> rural, arm = np.array([0.0, 0, 1, 1])[clinic], clinic % 2
    >>> y = 3 * rural + arm + np.tile([-1.0, 1], 100)
    >>> data = validate_trial(rural[:, None], y, arm, clinic)
    >>> same = without_unlearnable_covariates(data)
    >>> bool(np.ptp(same.X) == 0), bool(same.working.std() < 0.7 * data.y.std())
    (True, True)
    """
    left_out = unlearnable_covariates(data)
    if not left_out.any():
        return data
    weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
    slopes = within_arm_coefficients(data)[2:]
    mean, scale = column_scales(data.X, weight)
    part = (data.X - mean) / scale @ np.where(left_out, slopes, 0.0)
    X = np.where(left_out, mean, data.X)
    return data.less(part, X=X)


def within_arm_coefficients(data: TrialData) -> FloatArray:
    r"""Coefficients of one, the contrast ``A - pi`` and the covariates in standard units.

    Generalised least squares with an exchangeable correlation of .05 within
    clusters; the covariates have a ridge penalty, see
    `tauhat.numerics.working_models.ExchangeableWorkingModel`.

    Parameters
    ----------
    data
        The trial, with clusters.

    Returns
    -------
    ndarray, shape (2 + p,)
        In units of the outcome; zeros where the outcome is constant.
    """
    assert data.clusters is not None
    if np.ptp(data.working) == 0:
        return np.zeros(2 + data.X.shape[1])
    weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
    levels = data.design.fixed_effects
    model = ExchangeableWorkingModel(
        data.working,
        np.column_stack([np.ones(data.n), data.treatment - data.propensity, levels]),
        data.X,
        clusters=data.clusters,
        weight=weight / weight.mean(),
        correlation=WORKING_CORRELATION,
    )
    return np.delete(model.coefficients(), np.arange(2, 2 + levels.shape[1]))


def without_average_effect(data: TrialData) -> FloatArray:
    r"""Working outcome less ``(A - pi)`` times the average effect, to regress without the arm.

    With the known propensity :math:`E(Y \mid x)` stays what it is. The arms of a
    few clusters go with their covariates by chance, however, and a regression
    that knows no arms takes the effect for one of these covariates.

    Parameters
    ----------
    data
        The trial, or the clusters that a model may learn from.

    Returns
    -------
    ndarray, shape (n,)
    """
    contrast = data.treatment - data.propensity
    if np.ptp(data.treatment) == 0:
        return data.working
    result: FloatArray = data.working - contrast * within_arm_coefficients(data)[1]
    return result
