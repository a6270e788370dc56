"""Whether effects differ between persons in a trial over periods: sequences are permuted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.design import Clusters, ClustersOverPeriods, ParallelWithBaseline
from tauhat.errors import NothingToTestError
from tauhat.inference.heterogeneity_comparison import LEAST_CLUSTERS, Problem
from tauhat.inference.heterogeneity_components import PersonScores, person_scores, unit_scores
from tauhat.inference.inputs import OrderedTrial
from tauhat.numerics.standardised_columns import first_rows
from tauhat.numerics.working_models import standardize


class SequenceScores:
    r"""Sums of scores over the treated cluster-periods, for any assignment of the sequences.

    With scores :math:`S_{it}` of cluster i in period t and the arm :math:`a_{st}` of sequence s,

    .. math:: U = \sum_i \sum_t a_{s(i) t} S_{it}

    less its mean over the permutations of sequences within blocks, over its standard deviation
    there (Hoeffding 1951), so that it is z of each column.

    Parameters
    ----------
    scores
        Of each cluster in each period, zero where it was not seen, shape (m, T, K).
    design
        The design.

    Examples
    --------
    >>> clinic, month = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    >>> design = ClustersOverPeriods.over((month > clinic // 2).astype(int), clinic, month)
    >>> own = SequenceScores(np.eye(4, 3)[:, :, None], design)
    >>> own.z(np.array([[0, 0, 1, 1], [1, 1, 0, 0]])).round(3).tolist()
    [[1.0], [-1.0]]
    """

    def __init__(self, scores: FloatArray, design: ClustersOverPeriods) -> None:
        # What a cluster adds under each sequence, shape (m, sequences, K).
        self._added = np.einsum("st,itk->isk", np.maximum(design.schedule, 0), scores)
        mean, variance = np.zeros(scores.shape[2]), np.zeros(scores.shape[2])
        for block in range(design.n_blocks):
            own = np.flatnonzero(design.block == block)
            table = self._added[np.ix_(own, design.arm[own])]
            mean += table.sum(axis=(0, 1)) / len(own)
            apart = table - table.mean(axis=0) - table.mean(axis=1)[:, None]
            apart = apart + table.mean(axis=(0, 1))
            variance += (apart**2).sum(axis=(0, 1)) / max(len(own) - 1, 1)
        self._mean = mean
        largest = np.abs(self._added).max(axis=(0, 1))
        self._sd = np.where(variance > 1e-16 * largest**2, np.sqrt(variance), np.inf)

    def z(self, assigned: FloatArray) -> FloatArray:
        """Standardized sums of each column, shape (k, K), for sequences of shape (k, m)."""
        number = assigned.astype(np.int64)
        total = np.zeros((len(number), len(self._mean)))
        for unit, added in enumerate(self._added):
            total += added[number[:, unit]]
        found: FloatArray = (total - self._mean) / self._sd
        return found

    def joint(self, assigned: FloatArray) -> FloatArray:
        """Sum of the squares over the columns, shape (k,)."""
        squares: FloatArray = (self.z(assigned) ** 2).sum(axis=1)
        return squares


def without_baseline(ordered: OrderedTrial) -> OrderedTrial:
    """The rows in which the arms of a parallel trial with a baseline period are compared.

    They are those of parallel clusters, and of other designs all rows. Persons of the baseline
    would tell nothing of what differs between persons unless slopes differed between clusters.
    Outcomes are less the mean of their period, of both arms together.
    """
    data = ordered.data
    design = data.design
    if not isinstance(design, ParallelWithBaseline):
        return ordered
    rows, later = design.after_baseline()
    of_period = pd.factorize(design.period[rows])[0]
    y = data.y[rows]
    level = (np.bincount(of_period, weights=y) / np.bincount(of_period))[of_period] - y.mean()
    kept = design.unit[rows][later.first]
    found = replace(
        data.take(rows), design=later, measured=(y - level)[:, None], cluster_labels=None
    )
    return replace(
        ordered, data=found, unit_labels=ordered.unit_labels[kept], rows=ordered.rows[rows]
    )


def problem_over_periods(ordered: OrderedTrial, wanted: Mapping[str, float]) -> Problem:
    """Scores and statistics of the components in a trial over periods.

    Outcome and covariates are centred within the periods of clusters, in which everyone has the
    same arm, so that any effect that is the same for all persons of a cluster in a period drops
    out, also one that changes with exposure time: the components of person-level covariates are
    exact. Their scores are taken less what a cluster, and a period, has on average. The
    component of cluster-level covariates takes the average effect out of the means of the
    cluster-periods beforehand, and is approximate.
    """
    data = ordered.data
    design = data.design
    assert isinstance(design, ClustersOverPeriods)
    arm_of_cells = design.treatment[first_rows(design.cell)]
    cells = TrialData(
        **{
            **{name: getattr(data, name) for name in data.__dataclass_fields__},
            "design": Clusters.of(arm_of_cells[design.cell], design.cell),
        }
    )
    scores = person_scores(cells, ~ordered.marks)
    place = first_rows(design.cell)
    where = design.unit[place], design.period[place]
    persons = np.bincount(design.cell).astype(np.float64)

    def of_sequences(basis: FloatArray) -> SequenceScores:
        return SequenceScores(
            _spread(unit_scores(basis, scores, cells), persons, where, design), design
        )

    statistics: dict[str, Callable[[FloatArray], FloatArray]] = {}
    n_terms: dict[str, int] = {}
    columns: list[tuple[IntArray, Callable[[FloatArray], FloatArray]]] = []
    notes = []
    for name, basis in scores.bases.items():
        if wanted.get(name, 0) > 0:
            statistics[name] = of_sequences(basis).joint
            n_terms[name] = basis.shape[1]
    person = np.flatnonzero(scores.person_level).astype(np.int64)
    if len(person):
        columns.append((person, of_sequences(scores.covariates).z))
    between = scores.cluster_level & data.cluster_level
    if not between.any():
        notes.append(
            "No cluster-level covariate was given, so differences in effect between kinds of "
            "clusters were not tested."
        )
    elif design.n_units < LEAST_CLUSTERS:
        notes.append(
            f"With {design.n_units} clusters cluster-level covariates were not tested as effect "
            f"modifiers; that needs at least {LEAST_CLUSTERS}."
        )
    else:
        values = standardize(data.X[design.first][:, between], np.ones(design.n_units))
        left = _left_of_cells(scores, persons, where, design)
        own = SequenceScores(
            _spread(left[:, None] * values[where[0]], persons, where, design), design
        )
        columns.append((np.flatnonzero(between).astype(np.int64), partial(own.z)))
        if wanted.get("cluster-level", 0) > 0:
            statistics["cluster-level"], n_terms["cluster-level"] = own.joint, values.shape[1]
    if not statistics:
        raise NothingToTestError(
            "there is nothing to test: no covariate varies within the periods of clusters and no "
            f"cluster-level component is possible. {' '.join(notes)}"
        )
    total = sum(wanted[name] for name in statistics)
    used = {name: wanted[name] / total for name in statistics}
    return Problem(statistics, n_terms, used, columns, data.cluster_level, True, tuple(notes))


def _spread(
    values: FloatArray,
    persons: FloatArray,
    where: tuple[IntArray, IntArray],
    design: ClustersOverPeriods,
) -> FloatArray:
    """Sums over cells less what their cluster and their period have a person, (m, T, K)."""
    cluster, period = where
    for group in (cluster, period):
        count = np.bincount(group, weights=persons)
        sums = np.zeros((len(count), values.shape[1]))
        np.add.at(sums, group, values)
        mean = sums / np.where(count > 0, count, 1.0)[:, None]
        values = values - persons[:, None] * mean[group]
    table = np.zeros((design.n_units, design.n_periods, values.shape[1]))
    table[cluster, period] = values
    return table


def _left_of_cells(
    scores: PersonScores,
    persons: FloatArray,
    where: tuple[IntArray, IntArray],
    design: ClustersOverPeriods,
) -> FloatArray:
    """Sums over cells of the outcome less person-level part, levels and the average effect."""
    assert scores.cluster_outcome is not None
    cluster, period = where
    levels = np.hstack([np.eye(design.n_units)[cluster], np.eye(design.n_periods)[period][:, 1:]])
    treated = design.schedule[design.arm[cluster], period]
    root = np.sqrt(persons)
    columns = np.column_stack([treated, levels]) * root[:, None]
    found = np.linalg.lstsq(columns, scores.cluster_outcome * root, rcond=None)[0]
    left: FloatArray = scores.cluster_outcome - np.column_stack([treated, levels]) @ found
    # Only the plug-in of the average effect is taken from the fit to this assignment.
    left = left + levels @ found[1:]
    without = np.linalg.lstsq(levels * root[:, None], left * root, rcond=None)[0]
    return persons * (left - levels @ without)
