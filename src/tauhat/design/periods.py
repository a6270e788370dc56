"""Designs in which whole clusters were randomized to what they get in each of several periods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.design.clusters import Clusters
from tauhat.design.design import Design
from tauhat.design.intercepts import CellIntercepts, Intercepts
from tauhat.design.permutations import Assignments, assignments
from tauhat.design.probabilities import probabilities
from tauhat.errors import TrialError
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.standardised_columns import first_rows
from tauhat.wording import first_of

#: What a schedule holds for a period in which none of a sequence's clusters was seen.
UNSEEN = -1


@dataclass(frozen=True, eq=False)
class ClustersOverPeriods(Clusters):
    """Clusters that were randomized to a sequence of arms, one for each period.

    Here ``arm`` numbers the sequences, which are what permutations exchange; ``treatment`` is
    the arm, 0 or 1, that a row's cluster had in the row's period.

    Attributes
    ----------
    period
        Period 0 to T - 1 of each row, shape (n,).
    schedule
        Arm of each sequence in each period, shape (k, T).
    """

    period: IntArray = field(kw_only=True)
    schedule: IntArray = field(kw_only=True)

    @classmethod
    def over(
        cls,
        treatment: IntArray,
        clusters: AnyArray,
        period: IntArray,
        blocks: AnyArray | None = None,
    ) -> Self:
        """The design from one value per row; arguments as in `tauhat.design.design_of`."""
        unit = pd.factorize(clusters)[0].astype(np.int64)
        first = first_rows(unit)
        if blocks is not None and (blocks != blocks[first][unit]).any():
            raise ValueError("blocks vary within clusters; a cluster lies in one block")
        sequence, schedule = sequences(arms_of_cells(treatment, unit, period))
        of_units = None if blocks is None else blocks[first]
        arm, block, chance = probabilities(sequence, of_units, None)
        periods = period.astype(np.int64)
        return cls(unit, arm, block, chance, period=periods, schedule=schedule)

    @property
    def n_periods(self) -> int:
        """Number of periods."""
        return int(self.schedule.shape[1])

    @cached_property
    def treatment(self) -> IntArray:
        """Arm of each row, 0 or 1, shape (n,)."""
        return self.schedule[self.arm[self.unit], self.period]

    @cached_property
    def propensity(self) -> FloatArray:
        """Share of the clusters of the block that were treated in each row's period, shape (n,)."""
        treated: FloatArray = self.probability @ np.maximum(self.schedule, 0)
        return treated[self.unit, self.period]

    @cached_property
    def arm_sizes(self) -> IntArray:
        """Clusters that were seen in each arm, shape (2,)."""
        return np.array([int(seen.sum()) for seen in self.seen_in_arms()])

    def seen_in_arms(self) -> tuple[BoolArray, BoolArray]:
        """Which clusters were seen as controls, and which treated, each of shape (m,)."""
        treated = np.bincount(self.unit, weights=self.treatment, minlength=self.n_units)
        size = np.bincount(self.unit, minlength=self.n_units)
        return treated < size, treated > 0

    @cached_property
    def cell(self) -> IntArray:
        """Number of the cluster-period of each row, in order of first appearance, shape (n,)."""
        return pd.factorize(self.unit * self.n_periods + self.period)[0].astype(np.int64)

    @cached_property
    def fixed_effects(self) -> FloatArray:
        """Indicators of periods, and of blocks, but for the first of each, shape (n, d)."""
        columns = [self.period[:, None] == np.arange(1, self.n_periods)]
        if self.n_blocks > 1:
            columns.append(self.block[self.unit][:, None] == np.arange(1, self.n_blocks))
        return np.hstack(columns).astype(np.float64)

    @cached_property
    def compared_periods(self) -> IntArray:
        """Periods in which some clusters were treated and others not, ascending."""
        seen = np.zeros((2, self.n_periods), dtype=bool)
        seen[self.treatment, self.period] = True
        return np.flatnonzero(seen.all(axis=0))

    @cached_property
    def exposure(self) -> IntArray:
        """Periods since each row's cluster was first treated, 1 in that one; 0 before, (n,)."""
        start = np.argmax(self.schedule == 1, axis=1)[self.arm[self.unit]]
        return np.where(self.treatment == 1, self.period - start + 1, 0)

    def intercepts(self) -> Intercepts:
        """Those of the cluster-periods, nested in those of the clusters."""
        if int(self.cell.max()) + 1 == self.n:
            # A period of a cluster with one person cannot be told from the person.
            return Intercepts(self.unit)
        return CellIntercepts(self.cell, (self.unit[first_rows(self.cell)],))

    def take(self, rows: IntArray | BoolArray) -> Self:
        """The design of some rows, with units and blocks numbered anew; periods stay."""
        return replace(super().take(rows), period=self.period[rows])

    def folds(self, n_folds: int, seed: int) -> IntArray:
        """Fold of each row: whole clusters, those of a sequence in different folds if possible."""
        if self.n_units < 2:
            raise ValueError("cross-fitting needs at least two clusters")
        n_folds = min(n_folds, self.n_units)
        rng = np.random.default_rng(derive_seed(seed, "folds over periods"))
        shuffled = rng.permutation(self.n_units)
        dealt = shuffled[np.lexsort((self.arm[shuffled], self.block[shuffled]))]
        fold = np.empty(self.n_units, dtype=np.int64)
        fold[dealt] = np.arange(self.n_units) % n_folds
        return fold[self.unit]

    def resample(self, seed: int) -> tuple[IntArray, Self]:
        """Refused: a sequence of arms has few clusters to draw from."""
        raise _unsupported("a bootstrap")

    def contrast(self, first: int, second: int) -> tuple[IntArray, Self]:
        """Refused: there are two arms."""
        raise _unsupported("more than two arms")

    def errors(
        self, deleted: FloatArray, expected: FloatArray, *, refitted: bool = False
    ) -> FloatArray:
        """Refused: a cluster has no arm whose variance could be told."""
        raise _unsupported("a comparison of whole clusters")

    def degrees_of_freedom(
        self,
        expected: FloatArray,
        deleted: FloatArray | None = None,
        even: FloatArray | None = None,
    ) -> FloatArray:
        """Refused, as `errors`."""
        raise _unsupported("a comparison of whole clusters")

    def permutations(
        self, n_permutations: int, seed: int, allocations: AnyArray | None = None
    ) -> Assignments:
        """Sequences that clusters of the same block could have had, as `Design.permutations`."""
        if allocations is not None:
            raise _unsupported("a list of allocations")
        return assignments(self.arm, self.block, n_permutations=n_permutations, random_state=seed)

    def deletion_groups(self, most: int, seed: int) -> tuple[IntArray, Design]:
        """Clusters, however many."""
        return self.unit, self


def _unsupported(what: str) -> TrialError:
    return TrialError(
        f"{what} is not supported with period= yet: average effects, the test, effects by exposure "
        "time and the models LMM, GAMM and BRM are"
    )


def arms_of_cells(
    treatment: IntArray,
    unit: IntArray,
    period: IntArray,
    labels: tuple[Sequence[Any], Sequence[Any]] | None = None,
) -> IntArray:
    """Arm of each cluster in each period, `UNSEEN` without rows, shape (m, T).

    ``labels`` are those of the clusters and of the periods, for the message.

    Raises
    ------
    ValueError
        If some cluster has both arms in one period.

    Examples
    --------
    >>> arms_of_cells(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([0, 1, 1])).tolist()
    [[0, 1], [-1, 1]]
    """
    shape = (int(unit.max()) + 1, int(period.max()) + 1)
    low, high = np.full(shape, 2), np.full(shape, UNSEEN)
    np.minimum.at(low, (unit, period), treatment)
    np.maximum.at(high, (unit, period), treatment)
    mixed = np.argwhere((high == 1) & (low == 0))
    if len(mixed):
        clusters, periods = labels or (range(shape[0]), range(shape[1]))
        found = [f"{clusters[k]} in period {periods[t]}" for k, t in mixed.tolist()]
        raise ValueError(
            f"treatment varies within {len(mixed)} of {int((high >= 0).sum())} cluster-periods "
            f"({first_of(found, 3)}); with period= a cluster has one arm in each period"
        )
    return high


def sequences(arms: IntArray) -> tuple[IntArray, IntArray]:
    """Sequence of each cluster, and the schedule of the sequences.

    A cluster that was not seen in all periods has the first sequence that fits what was seen of
    it; where none does, it goes on with the arm that it had before (or, at first, will have).

    Parameters
    ----------
    arms
        Arm of each cluster in each period, `UNSEEN` where there are no rows, shape (m, T).

    Returns
    -------
    sequence
        Of each cluster, shape (m,).
    schedule
        Of each sequence, sorted by when they are treated, the earliest first, shape (k, T).

    Examples
    --------
    >>> found, schedule = sequences(np.array([[0, 0, 1], [0, 1, 1], [0, -1, 1]]))
    >>> found.tolist(), schedule.tolist()
    ([1, 0, 0], [[0, 1, 1], [0, 0, 1]])
    """
    known = [tuple(row) for row in arms.tolist() if UNSEEN not in row]
    patterns = sorted(set(known), reverse=True)
    chosen: list[tuple[int, ...]] = []
    for row in arms:
        seen = row != UNSEEN
        fitting = [one for one in patterns if (np.array(one)[seen] == row[seen]).all()]
        if not fitting:
            filled = pd.Series(np.where(seen, row, np.nan)).ffill().bfill()
            fitting = [tuple(filled.astype(int).tolist())]
            patterns = sorted({*patterns, fitting[0]}, reverse=True)
        chosen.append(fitting[0])
    schedule = sorted(set(chosen), reverse=True)
    number = {pattern: k for k, pattern in enumerate(schedule)}
    return np.array([number[one] for one in chosen]), np.array(schedule, dtype=np.int64)
