"""Which design a trial over periods is, and what it can tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tauhat._typing import BoolArray, FloatArray
from tauhat.design import ClustersOverPeriods
from tauhat.numerics.icc import IntraclusterCorrelation, intracluster_correlation
from tauhat.trial.checks.finding import Finding
from tauhat.wording import counted, first_of

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

_FEW_CLUSTERS = 40
_MOST_NAMED = 12


def period_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give the kind of design, its sequences and periods, and whether its clusters are few."""
    design = trial.randomization
    if not isinstance(design, ClustersOverPeriods):
        return
    sizes = np.bincount(design.arm, minlength=len(design.schedule))
    patterns = ["".join(map(str, row)) for row in design.schedule.tolist()]
    told = ", ".join(f"{p} ({n})" for p, n in zip(patterns, sizes.tolist(), strict=True))
    column, compared = trial.roles["period"], design.compared_periods
    labels = [str(label) for label in trial.period_labels if isinstance(label, str)]
    in_order = f" (in this order: {first_of(labels, _MOST_NAMED)})" if labels else ""
    yield Finding(
        "design over periods",
        f"{design.name}, {design.n_units} clusters, {design.n_periods} periods ({column})",
        "note",
        f"This is a {design.name}: {counted(len(sizes), 'sequence')} of arms over the "
        f"{design.n_periods} periods of {column!r}{in_order}, 1 for {trial.arm_labels[1]!r} "
        f"(clusters): {told}. Rows of different periods count as different persons.",
        "design-over-periods",
    )
    without = np.setdiff1d(np.arange(design.n_periods), compared)
    if len(without):
        named = ", ".join(str(trial.period_labels[k]) for k in without)
        yield Finding(
            "periods with one arm only",
            named,
            "note",
            f"In {counted(len(without), 'period')} ({named}) all clusters have the same arm. They "
            "help to tell what clusters and covariates do, and the averages are those of the other "
            "periods.",
            "design-over-periods",
        )
    m = design.n_units
    if m < _FEW_CLUSTERS:
        yield Finding(
            "clusters",
            str(m),
            "warning",
            f"With {m} clusters the average effect, and everything that depends on the cluster, "
            f"rests on these and not on {trial.n} persons: tests use t with {m - 2} degrees of "
            "freedom and intervals are wide.",
            "few-clusters",
        )


def within_periods(trial: TrialTable, values: FloatArray, where: BoolArray) -> FloatArray:
    """Values less the mean of their period plus that of all, so that time does not part the arms.

    Parameters
    ----------
    trial
        The trial.
    values
        Columns of everyone enrolled, NaN where missing, shape (n, p).
    where
        Rows that count, shape (n,).
    """
    assert trial.enrolled_period is not None
    found = values.copy()
    with np.errstate(invalid="ignore"):
        overall = np.nanmean(values[where], axis=0)
        for period in np.unique(trial.enrolled_period):
            rows = trial.enrolled_period == period
            found[rows] += overall - np.nanmean(values[rows], axis=0)
    return found


def icc_over_periods(trial: TrialTable) -> IntraclusterCorrelation:
    """Intracluster correlation of the outcome less the means of its period and arm."""
    rows = trial.has_counterfactual
    design = trial.randomization.take(rows)
    assert isinstance(design, ClustersOverPeriods)
    cell = 2 * design.period + design.treatment
    y = trial.y[rows]
    mean = np.bincount(cell, weights=y) / np.maximum(np.bincount(cell), 1)
    return intracluster_correlation(y - mean[cell], design.unit)
