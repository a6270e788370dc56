"""What the heterogeneity test holds fixed, and its comparison over assignments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.design.permutations import PersonGroups, upper_tail_p
from tauhat.errors import NothingToTestError, TrialError
from tauhat.inference.heterogeneity_components import PersonScores, person_scores, unit_scores
from tauhat.inference.inputs import OrderedTrial
from tauhat.inference.permutation_statistics import (
    ClusterLevelComponent,
    UnitScores,
    column_statistics,
    component_statistic,
)
from tauhat.numerics.cluster_sums import gathering, sums_over
from tauhat.numerics.standardised_columns import row_parts
from tauhat.numerics.working_models import standardize

# Clusters, and clusters of each arm, that the test of cluster-level covariates needs.
LEAST_CLUSTERS, LEAST_IN_ARM = 12, 6


@dataclass(frozen=True)
class Problem:
    """Everything that stays fixed over assignments."""

    statistics: dict[str, Callable[[FloatArray], FloatArray]]
    n_terms: dict[str, int]
    weights: dict[str, float]
    columns: list[tuple[IntArray, Callable[[FloatArray], FloatArray]]]
    cluster_level: BoolArray
    has_clusters: bool
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        ordered: OrderedTrial,
        wanted: Mapping[str, float],
        groups: PersonGroups | None = None,
    ) -> Problem:
        """Scores and statistics of every component that is wanted and possible.

        With ``groups`` the assignments are of these and not of the persons.
        """
        data, has_clusters = ordered.data, ordered.data.design.holds_persons
        scores = person_scores(data, ~ordered.marks)
        statistics: dict[str, Callable[[FloatArray], FloatArray]] = {}
        n_terms: dict[str, int] = {}
        columns: list[tuple[IntArray, Callable[[FloatArray], FloatArray]]] = []
        notes = []
        for name, basis in scores.bases.items():
            if wanted.get(name, 0) > 0:
                units = unit_scores_of(basis, scores, data, groups)
                statistics[name] = partial(component_statistic, units)
                n_terms[name] = basis.shape[1]
        person_columns = np.flatnonzero(scores.person_level).astype(np.int64)
        if len(person_columns):
            units = unit_scores_of(scores.covariates, scores, data, groups)
            columns.append((person_columns, partial(column_statistics, units)))
        if scores.n_principal is not None:
            notes.append(
                f"The {len(person_columns)} person-level columns were tested through their "
                f"{scores.n_principal} leading principal components."
            )
        if has_clusters:
            component, note = cluster_level_component(data, scores)
            if component is not None:
                between = np.flatnonzero(scores.cluster_level).astype(np.int64)
                values = _cluster_values(data, scores.cluster_level)
                columns.append((between, lambda assigned: component.each(assigned, values)))
                if wanted.get("cluster-level", 0) > 0:
                    statistics["cluster-level"] = component.joint
                    n_terms["cluster-level"] = component.n_terms
            elif note:
                notes.append(note)
        if not statistics:
            raise NothingToTestError(
                "there is nothing to test: no covariate varies within clusters"
                " and no cluster-level component is possible. " + " ".join(notes)
                if has_clusters
                else "there is nothing to test: no covariate varies between persons"
            )
        total = sum(wanted[name] for name in statistics)
        used = {name: wanted[name] / total for name in statistics}
        return cls(
            statistics,
            n_terms,
            used,
            columns,
            scores.cluster_level,
            has_clusters,
            tuple(notes),
        )


def unit_scores_of(
    basis: FloatArray, scores: PersonScores, data: TrialData, groups: PersonGroups | None
) -> UnitScores:
    """Unit scores less their stratum mean, which no permutation within strata can move."""
    if groups is not None:
        return _grouped_units(basis, scores, data, groups)
    summed = _center(unit_scores(basis, scores, data), data.design.strata)
    if data.design.holds_persons:
        return UnitScores(summed)
    scale = _scale(data)
    return UnitScores(summed, (basis * scale[:, None], scores.residual * scale))


def _scale(data: TrialData) -> FloatArray:
    """Weights of mean one, shape (n,)."""
    weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
    scale: FloatArray = weight / weight.mean()
    return scale


def _grouped_units(
    basis: FloatArray,
    scores: PersonScores,
    data: TrialData,
    groups: PersonGroups,
) -> UnitScores:
    """`unit_scores_of` of groups of persons, without a table of all persons' scores."""
    stratum = data.design.strata
    count = len(groups.arm)
    scale = _scale(data)
    own = scale * scores.residual
    # A mean in each stratum without a table of scores.
    of_strata = np.bincount(stratum)
    persons_of = sparse.csr_array((own, (stratum, np.arange(data.n))), (len(of_strata), data.n))
    means = np.asarray(persons_of @ basis) / of_strata[:, None]
    sums, squares, columns = (np.zeros((count, basis.shape[1])) for _ in range(3))
    with_arms = scores.with_arms
    if with_arms is not None:
        of_persons = _center(with_arms.scores, stratum)
        gradient = with_arms.gradient(basis * scale[:, None])
    for rows in row_parts(data.n, 4 * basis.shape[1]):
        score = basis[rows] * own[rows, None]
        score -= means[stratum[rows]] if len(means) > 1 else means
        if with_arms is not None:
            score += of_persons[rows] @ gradient
        gather = gathering(groups.number[rows], count)
        sums += gather @ score
        squares += gather @ np.square(score, out=score)
        weighted = basis[rows]
        if data.sample_weight is not None:
            weighted = weighted * scale[rows, None]
        columns += gather @ weighted
    of_residuals = sums_over(groups.number, own, count)
    persons = groups.persons.astype(np.float64)
    return UnitScores(sums, (columns, of_residuals), (persons, squares))


def _center(values: FloatArray, stratum: IntArray) -> FloatArray:
    counts = np.bincount(stratum)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, stratum, values)
    centered: FloatArray = values - (sums / counts[:, None])[stratum]
    return centered


def _cluster_values(data: TrialData, columns: BoolArray) -> FloatArray:
    """Standardized cluster-level columns, one row per cluster."""
    return standardize(data.X[data.design.first][:, columns], np.ones(data.n_units))


def cluster_level_component(
    data: TrialData, scores: PersonScores
) -> tuple[ClusterLevelComponent | None, str]:
    """The cluster-level component, or why there is none."""
    assert scores.cluster_outcome is not None
    arm, stratum = data.design.arm, data.design.strata
    m, smaller = data.n_units, int(data.design.arm_sizes.min())
    between = scores.cluster_level
    if not between.any():
        return None, (
            "No cluster-level covariate was given, so differences in effect between kinds of "
            "clusters were not tested."
        )
    if m < LEAST_CLUSTERS or smaller < LEAST_IN_ARM:
        return None, (
            f"With {m} clusters ({smaller} in the smaller arm) cluster-level covariates were not "
            f"tested as effect modifiers; that needs at least {LEAST_CLUSTERS}, {LEAST_IN_ARM} in "
            "each arm."
        )
    room = (m - int(stratum.max()) - 1 - 7) // 2
    if data.design.n_arms * smaller != m or data.design.n_arms > 2:
        # Each arm has slopes and a variance of its own.
        room = min(room, smaller - 4)
    if room < 1:
        return None, (
            f"With {m} clusters in {int(stratum.max()) + 1} blocks there are too few degrees of "
            "freedom to test cluster-level covariates as effect modifiers."
        )
    sizes = np.bincount(data.design.unit, weights=_scale(data))
    component = ClusterLevelComponent(
        scores.cluster_outcome,
        _cluster_values(data, between),
        arm,
        stratum,
        scores.residual_variance / sizes,
        most_terms=room,
    )
    return component, ""


class Drawn(Protocol):
    """What the trial as it is was compared with: `Assignments`, or something in their place."""

    @property
    def n_assignments(self) -> int:
        """How many, the observed one included."""

    @property
    def enumerated(self) -> bool:
        """Whether these are all that could have been."""

    @property
    def smallest_p(self) -> float:
        """Smallest p-value that can come of them."""

    @property
    def words(self) -> str:
        """What they are."""

    def batches(self) -> Iterator[FloatArray]:
        """Of the units, shape (k, m) each; the very first row is the observed one."""


@dataclass(frozen=True)
class Comparison:
    """Statistics of all assignments."""

    assignments: Drawn
    p_value: float
    statistic: float
    component_p: dict[str, float]
    columns: list[tuple[IntArray, FloatArray]]


def compare_assignments(problem: Problem, drawn: Drawn) -> Comparison:
    """Statistics of every assignment, and their permutation p-values."""
    values: dict[str, list[FloatArray]] = {name: [] for name in problem.statistics}
    columns: list[list[FloatArray]] = [[] for _ in problem.columns]
    for assigned in drawn.batches():
        for name, statistic in problem.statistics.items():
            values[name].append(statistic(assigned))
        for store, (_, statistic) in zip(columns, problem.columns, strict=True):
            store.append(statistic(assigned))
    p_values = {name: upper_tail_p(np.concatenate(parts)) for name, parts in values.items()}
    smallest = np.min([p_values[name] / problem.weights[name] for name in p_values], axis=0)
    return Comparison(
        drawn,
        float(np.mean(smallest <= smallest[0] * (1 + 1e-12))),
        float(smallest[0]),
        {name: float(p[0]) for name, p in p_values.items()},
        [
            (which, np.concatenate(store))
            for (which, _), store in zip(problem.columns, columns, strict=True)
        ],
    )


def ordered_allocations(allocations: Any, ordered: OrderedTrial) -> AnyArray:
    """Allocations with columns in canonical order of the units."""
    labels = ordered.unit_labels
    if isinstance(allocations, pd.DataFrame):
        missing = [label for label in labels.tolist() if label not in allocations.columns]
        if missing or allocations.shape[1] != len(labels):
            raise TrialError(
                f"allocations need one column for each of the {len(labels)} randomized units; "
                f"missing: {missing[:5]}"
            )
        named: AnyArray = allocations[labels.tolist()].to_numpy()
        return named
    array = np.asarray(allocations)
    if array.ndim != 2 or array.shape[1] != len(labels):
        raise TrialError(
            f"allocations must have shape (number of allocations, {len(labels)}), got {array.shape}"
        )
    position = np.empty(len(labels), dtype=np.int64)
    position[np.argsort(labels, kind="stable")] = np.arange(len(labels))
    reordered: AnyArray = array[:, position]
    return reordered
