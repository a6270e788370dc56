"""Model-robust average effects of clusters observed over periods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.design import ClustersOverPeriods, ParallelWithBaseline
from tauhat.endpoint import SCALES
from tauhat.inference.average_risks import AverageRisks
from tauhat.inference.averages import AverageEffects
from tauhat.inference.estimate import Estimate
from tauhat.inference.over_periods import ESTIMANDS, PeriodAverages
from tauhat.numerics.mixed_model import MixedFit
from tauhat.numerics.nested_model import mixed_model
from tauhat.numerics.standardised_columns import column_scales, independent_columns
from tauhat.wording import with_degrees


def average_over_periods(data: TrialData, level: float) -> AverageEffects:
    r"""Averages of the effect over persons, clusters, and periods.

    In each period j in which clusters of both arms were seen, the mean outcome of arm z is

    .. math::
        \hat\mu_j(z) = \frac{\sum_i w_{ij} \bar\eta_{ij}(z)}{\sum_i w_{ij}}
        + \frac{\sum_{Z_{ij} = z} w_{ij} \{\bar Y_{ij} - \bar\eta_{ij}(z)\}}
               {\sum_{Z_{ij} = z} w_{ij}}

    with :math:`\bar\eta_{ij}(z)` the mean in cluster i and period j of the fixed effects of a
    linear mixed model of the outcome on arm, periods, blocks and covariates, with intercepts of
    clusters and of their periods, by REML. The weight :math:`w_{ij}` is the number of persons
    :math:`N_{ij}`; or :math:`N_{ij}` over the cluster's persons; and periods count by the sum of
    their weights (the horizontal averages). The vertical ones take the means of the periods'
    differences, with weights :math:`N_{ij}` and 1. Where rows of a baseline period are modelled,
    :math:`\bar\eta_{ij}(z)` holds what they let expect of the cluster
    (`tauhat.design.ParallelWithBaseline.expected_levels`); they are from before randomization, so
    that it makes no bias, and takes away of the error what lasts of the clusters' differences.
    Standard errors are those of the delete-one-cluster jackknife, everything anew without each
    cluster,

    .. math:: v = \frac{m - 1}{m} \sum_i (\hat\theta_{(-i)} - \bar\theta)^2,

    with t on m - 2 degrees of freedom. Of an event :math:`\hat\mu(z)`, the mean of
    :math:`\hat\mu_j(z)` over periods with the same weights, are risks, and errors of the logarithms
    of their ratios are the jackknife's too.

    Parameters
    ----------
    data
        The trial, whose design is `tauhat.design.ClustersOverPeriods`.
    level
        Coverage of the intervals.

    References
    ----------
    Fang, Wang, Heagerty, Wang and Li (2026), arXiv 2507.17190, and their R package MRStdLCRT.
    """
    design = data.design
    assert isinstance(design, ClustersOverPeriods)
    everyone = np.arange(data.n)
    means, fit = _arm_means(data, everyone, None)
    m = design.n_units
    without = np.array(
        [
            _arm_means(data, np.flatnonzero(design.unit != one), fit.log_ratios)[0]
            for one in range(m)
        ]
    )
    estimates, deleted = means[:, 1] - means[:, 0], without[..., 1] - without[..., 0]
    persons = np.bincount(design.unit[np.isin(design.period, design.compared_periods)])
    # Clusters of one size count the same either way: only rounding would tell them apart.
    apart = float(np.ptp(persons) > 0)
    estimates = np.r_[estimates, apart * (estimates[0] - estimates[1])]
    deleted = np.column_stack([deleted, apart * (deleted[:, 0] - deleted[:, 1])])
    errors = _jackknife_errors(deleted)
    largest = data.endpoint.largest_effect * np.array([1, 1, 1, 1, 2])
    found = [
        Estimate.from_t(estimate, error, degrees_of_freedom=m - 2, level=level).within(bound)
        for estimate, error, bound in zip(estimates, errors, largest, strict=True)
    ]
    compared = len(design.compared_periods)
    modelled = isinstance(design, ParallelWithBaseline)
    of_baseline = " and for what the baseline says of each cluster" if modelled else ""
    method = (
        f"Model-robust estimate over {m} clusters in the {compared} of {design.n_periods} periods "
        f"that have both arms, adjusted for periods{of_baseline}; delete-one-cluster jackknife, t "
        f"with {with_degrees(str(m - 2))}"
    )
    averages = AverageEffects(
        found[0],
        found[1],
        found[4],
        method,
        (float(deleted[:, 0].min()), float(deleted[:, 0].max())),
        over_periods=PeriodAverages(dict(zip(ESTIMANDS, found[:4], strict=True)), compared),
    )
    if data.endpoint.codes is None:
        return averages
    low, high = data.endpoint.codes
    of_person, of_cluster = (
        _risks(
            (means[k] - low) / (high - low),
            (without[:, k] - low) / (high - low),
            found[k].over(high - low),
        )
        for k in (0, 1)
    )
    return replace(averages, individual_risks=of_person, cluster_risks=of_cluster)


def _jackknife_errors(deleted: FloatArray) -> FloatArray:
    """Errors from estimates without each cluster, shape (m, k)."""
    m = len(deleted)
    errors: FloatArray = np.sqrt((m - 1) / m * ((deleted - deleted.mean(axis=0)) ** 2).sum(axis=0))
    return errors


def _risks(means: FloatArray, deleted: FloatArray, difference: Estimate) -> AverageRisks:
    """Both arms' risks and their ratios, given those without each cluster, shape (m, 2)."""
    told: dict[str, Estimate | None] = {}
    both = np.vstack([means[None], deleted])
    for name in ("ratio", "odds ratio"):
        told[name] = None
        if ((both > 0) & (both < 1)).all():
            error = float(_jackknife_errors(SCALES[name].working(deleted)[:, None])[0])
            told[name] = Estimate.of_ratio(
                float(SCALES[name].working(means)),
                error,
                degrees_of_freedom=difference.degrees_of_freedom,
                level=difference.level,
            )
    control, treated = np.clip(means, 0, 1).tolist()
    return AverageRisks(control, treated, difference, told["ratio"], told["odds ratio"])


def working_columns(data: TrialData, rows: IntArray) -> tuple[FloatArray, list[FloatArray]]:
    """Fixed columns of some rows, the arm second, and the block of covariates if there are many."""
    levels = data.design.fixed_effects[rows]
    head = np.column_stack([np.ones(len(rows)), data.treatment[rows], levels])
    mean, scale = column_scales(data.X[rows])
    lines = (data.X[rows] - mean) / scale
    # The rule of the learners: more could not be carried without a penalty.
    many = lines.shape[1] > len(rows) / 10
    fixed = head if many else np.hstack([head, lines])
    return fixed[:, independent_columns(fixed)], [lines] if many else []


def _arm_means(
    data: TrialData, rows: IntArray, start: FloatArray | None
) -> tuple[FloatArray, MixedFit]:
    """Both arms' means in the four averages from rows of whole clusters, (4, 2), and the fit."""
    design = data.design.take(rows)
    assert isinstance(design, ClustersOverPeriods)
    fixed, blocks = working_columns(data, rows)
    y = data.y[rows]
    scale = float(y.std()) or 1.0
    intercepts = design.intercepts()
    model = mixed_model(
        (y - y.mean()) / scale, fixed, blocks, intercepts.groups, nesting=intercepts.nesting
    )
    begin = start if start is not None and len(start) == model.n_ratios else None
    fit = model.fit(start=begin, near=begin is not None)
    columns = np.hstack([fixed, *blocks])
    of_arm = scale * float(fit.coefficients[1])
    fitted = y.mean() + scale * (columns @ fit.coefficients)
    kept = np.isin(design.period, design.compared_periods)
    cell = np.unique(design.cell[kept], return_index=True, return_inverse=True)
    first = np.flatnonzero(kept)[cell[1]]
    persons = np.bincount(cell[2]).astype(np.float64)

    def mean(values: FloatArray) -> FloatArray:
        return np.bincount(cell[2], weights=values[kept]) / persons

    if isinstance(design, ParallelWithBaseline) and intercepts.nesting is not None:
        # The rows of the baseline say before randomization what else to expect of a cluster.
        variances = (fit.nesting_variances[0], fit.between_cluster_variance, fit.residual_variance)
        level = design.expected_levels((y - fitted) / scale, *map(float, variances))
        fitted = fitted + scale * level[design.unit]
    # What the model says under control; under treatment it is the arm's part more.
    control = mean(fitted - of_arm * design.treatment)
    of_cell = (design.unit[first], design.period[first], design.treatment[first])
    return _weighted(control, mean(y - fitted), persons, *of_cell, of_arm), fit


def _weighted(
    control: FloatArray,
    residual: FloatArray,
    persons: FloatArray,
    cluster: IntArray,
    period: IntArray,
    treated: IntArray,
    of_arm: float,
) -> FloatArray:
    """Both arms' means in the four averages from means of cells, shape (4, 2)."""
    of_cluster = np.bincount(cluster, weights=persons)[cluster]
    weights = (persons, persons / of_cluster, persons, np.ones(len(persons)))
    seen = np.unique(period)
    found = np.empty((4, 2))
    for k, weight in enumerate(weights):
        total = np.bincount(period, weight)[seen]
        explained = np.bincount(period, weight * control)[seen] / total
        of_period = total if k < 2 else np.ones(len(seen))
        for arm in (0, 1):
            own = weight * (treated == arm)
            left = np.bincount(period, own * residual)[seen] / np.bincount(period, own)[seen]
            mean = explained + of_arm * arm + left
            found[k, arm] = of_period @ mean / of_period.sum()
    return found
