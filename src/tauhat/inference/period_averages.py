"""Model-robust average effects of clusters observed over periods."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.design import ClustersOverPeriods
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
    differences, with weights :math:`N_{ij}` and 1. Standard errors are those of the
    delete-one-cluster jackknife, everything anew without each cluster,

    .. math:: v = \frac{m - 1}{m} \sum_i (\hat\theta_{(-i)} - \bar\theta)^2,

    with t on m - 2 degrees of freedom.

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
    estimates, fit = _averages(data, everyone, None)
    m = design.n_units
    without = np.array(
        [_averages(data, np.flatnonzero(design.unit != one), fit.log_ratios)[0] for one in range(m)]
    )
    estimates = np.r_[estimates, estimates[0] - estimates[1]]
    without = np.column_stack([without, without[:, 0] - without[:, 1]])
    errors = np.sqrt((m - 1) / m * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    largest = data.endpoint.largest_effect * np.array([1, 1, 1, 1, 2])
    found = [
        Estimate.from_t(estimate, error, degrees_of_freedom=m - 2, level=level).within(bound)
        for estimate, error, bound in zip(estimates, errors, largest, strict=True)
    ]
    compared = len(design.compared_periods)
    method = (
        f"Model-robust estimate over {m} clusters in the {compared} of {design.n_periods} periods "
        "that have both arms, adjusted for periods; delete-one-cluster jackknife, t with "
        f"{with_degrees(str(m - 2))}"
    )
    return AverageEffects(
        found[0],
        found[1],
        found[4],
        method,
        (float(without[:, 0].min()), float(without[:, 0].max())),
        over_periods=PeriodAverages(dict(zip(ESTIMANDS, found[:4], strict=True)), compared),
    )


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


def _averages(
    data: TrialData, rows: IntArray, start: FloatArray | None
) -> tuple[FloatArray, MixedFit]:
    """The four averages from some rows of whole clusters, and the fit of the working model."""
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
    fit = model.fit(start=begin)
    columns = np.hstack([fixed, *blocks])
    of_arm = scale * float(fit.coefficients[1])
    # Less the part of the arm, so that it is what either arm would have but for that.
    left = y - y.mean() - scale * (columns @ fit.coefficients) + of_arm * design.treatment
    kept = np.isin(design.period, design.compared_periods)
    cell = np.unique(design.cell[kept], return_index=True, return_inverse=True)
    first = np.flatnonzero(kept)[cell[1]]
    persons = np.bincount(cell[2]).astype(np.float64)
    # What the arms differ by in the cells is in these means alone: m1 - m0 is the same everywhere.
    residual = np.bincount(cell[2], weights=left[kept]) / persons
    of_cell = (design.unit[first], design.period[first], design.treatment[first])
    return _contrasts(residual, persons, *of_cell, of_arm), fit


def _contrasts(
    residual: FloatArray,
    persons: FloatArray,
    cluster: IntArray,
    period: IntArray,
    treated: IntArray,
    of_arm: float,
) -> FloatArray:
    """The four averages from cell means, shape (4,).

    The predicted means of both arms differ by ``of_arm`` in every cell, so that the differences
    of the periods are it plus those of what is left of the outcomes.
    """
    of_cluster = np.bincount(cluster, weights=persons)[cluster]
    weights = (persons, persons / of_cluster, persons, np.ones(len(persons)))
    n_periods = int(period.max()) + 1
    found = []
    for k, weight in enumerate(weights):
        means = []
        for arm in (0, 1):
            own = weight * (treated == arm)
            # What is left of the treated holds the arm's part, and that of controls does not.
            values = residual - of_arm * arm
            with np.errstate(invalid="ignore"):
                means.append(
                    np.bincount(period, own * values, n_periods)
                    / np.bincount(period, own, n_periods)
                )
        total = np.bincount(period, weight, n_periods)
        of_period = total if k < 2 else (total > 0).astype(np.float64)
        difference = np.where(total > 0, means[1] - means[0], 0.0)
        found.append(of_arm + float(of_period @ difference / of_period.sum()))
    return np.array(found)
