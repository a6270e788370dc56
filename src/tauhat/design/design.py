"""What every kind of randomized design knows and does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.design.blocks import block_sizes, small_blocks
from tauhat.design.intercepts import Intercepts
from tauhat.design.jackknife_errors import jackknife_errors
from tauhat.design.names import DesignName
from tauhat.design.nested_codes import nested_codes
from tauhat.design.permutations import Assignments, assignments
from tauhat.numerics.arm_variances import design_degrees_of_freedom
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.standardised_columns import first_rows
from tauhat.wording import counted


@dataclass(frozen=True, eq=False)
class Design(ABC):
    """Who was randomized, and how.

    A kind of design is a subclass that says which rows make a unit. All that follows from
    units, arms and blocks stands here: splits, bootstrap, permutations, errors.

    Attributes
    ----------
    unit
        Randomized unit 0 to m - 1 of each row, in order of first appearance, shape (n,).
    arm
        Arm of each unit, 0 to k - 1, shape (m,).
    block
        Block of each unit, 0 to B - 1; zeros without blocks, shape (m,).
    probability
        Probability of each arm by unit, shape (m, k).
    within
        Number of each row's unit of each level within randomized units, such as providers in
        clinics, outermost first, shape (n,) each.
    name
        Of the kind: "individual", "cluster", "stepped wedge", "cluster crossover",
        "parallel trial with a baseline period", "clusters in one arm".
    unit_word, whole_units
        What a unit is called, and several of them in a sentence on splits.
    holds_persons
        Whether a unit holds several persons, who can be compared within it.
    can_permute
        Whether units could have had each other's arm.
    """

    unit: IntArray
    arm: IntArray
    block: IntArray
    probability: FloatArray
    within: tuple[IntArray, ...] = ()

    name: ClassVar[DesignName]
    unit_word: ClassVar[str]
    whole_units: ClassVar[str]
    holds_persons: ClassVar[bool]
    can_permute: ClassVar[bool] = True

    @property
    @abstractmethod
    def clusters(self) -> IntArray | None:
        """Units of several rows whose outcomes share a level, shape (n,), or None."""

    @abstractmethod
    def intercepts(self) -> Intercepts:
        """Random intercepts of a mixed model of the outcome: of units and blocks."""

    def intercepts_of_levels(self) -> Intercepts:
        """The same with those of levels within units, for models that have them."""
        return self.intercepts()

    @abstractmethod
    def deletion_groups(self, most: int, seed: int) -> tuple[IntArray, Design]:
        """What a jackknife of costly estimates leaves out: group of each row, their design.

        Parameters
        ----------
        most
            Most persons that may be left out one by one.
        seed
            Seed of the groups.
        """

    @abstractmethod
    def _units_of(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Unit of each of some rows, numbered anew, and which units these are."""

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.unit)

    @property
    def n_units(self) -> int:
        """Number of randomized units."""
        return len(self.arm)

    @property
    def n_arms(self) -> int:
        """Number of arms."""
        return int(self.probability.shape[1])

    @cached_property
    def n_blocks(self) -> int:
        """Number of blocks; one where there are none."""
        return int(self.block.max()) + 1

    @property
    def n_clusters(self) -> int:
        """Number of units that hold several persons by design."""
        return self.n_units if self.holds_persons else 0

    @property
    def clusters_by_arm(self) -> IntArray:
        """These by arm, shape (k,)."""
        return self.arm_sizes if self.holds_persons else np.zeros_like(self.arm_sizes)

    @property
    def randomized(self) -> str:
        """The kind of design in words."""
        return f"{self.name} randomized"

    @property
    def units_in_words(self) -> str:
        """How many units there are of what kind."""
        return counted(self.n_units, self.unit_word)

    @property
    def family(self) -> Literal["individual", "cluster"]:
        """What models are chosen by: whether persons of a unit share a level."""
        return "cluster" if self.holds_persons else "individual"

    @property
    def units_word(self) -> str:
        """What units are called: persons or clusters."""
        return f"{self.unit_word}s"

    @cached_property
    def treatment(self) -> IntArray:
        """Arm of each row, shape (n,)."""
        return self.arm[self.unit]

    @cached_property
    def blocks(self) -> IntArray | None:
        """Block of each row, shape (n,); None where there is only one."""
        return None if self.n_blocks == 1 else self.block[self.unit]

    @cached_property
    def propensity(self) -> FloatArray:
        """Probability of arm 1 of each row, shape (n,)."""
        of_unit: FloatArray = self.probability[:, 1]
        return of_unit[self.unit]

    @cached_property
    def fixed_effects(self) -> FloatArray:
        """Columns of effects that an outcome model must have beside the treatment, shape (n, d).

        Those of periods; none where all were treated, or not, at the same time.
        """
        return np.zeros((self.n, 0))

    @cached_property
    def cell(self) -> IntArray:
        """Number of the rows that share an arm by design, such as their unit's, shape (n,)."""
        return self.unit

    def seen_in_arms(self) -> tuple[BoolArray, BoolArray]:
        """Which units were seen as controls, and which treated, each of shape (m,)."""
        return self.arm == 0, self.arm == 1

    @cached_property
    def first(self) -> IntArray:
        """First row of each unit, shape (m,)."""
        return first_rows(self.unit)

    @cached_property
    def arm_sizes(self) -> IntArray:
        """Units of each arm, shape (k,)."""
        return np.bincount(self.arm, minlength=self.n_arms)

    @cached_property
    def block_sizes(self) -> IntArray:
        """Units of each arm in each block, shape (B, k)."""
        return block_sizes(self.arm, self.block, self.n_arms)

    @cached_property
    def small_blocks(self) -> IntArray:
        """Blocks with fewer than two units in an arm, such as pairs; none without blocks."""
        return small_blocks(self.block_sizes)

    @cached_property
    def strata(self) -> IntArray:
        """Units whose arms could have been exchanged: same block and probabilities, shape (m,)."""
        # Rounded, since a share may be written 1/3 or .3333333333.
        kinds = np.column_stack([self.block, np.round(self.probability, 9)])
        return pd.factorize(pd.Series(map(tuple, kinds.tolist())))[0].astype(np.int64)

    def take(self, rows: IntArray | BoolArray) -> Self:
        """The design of some rows, with units and blocks numbered anew.

        Examples
        --------
        >>> from tauhat.design import Persons
        >>> pairs = Persons.of(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
        >>> pairs.take(np.array([2, 3])).block.tolist()
        [0, 0]
        """
        numbers = np.arange(len(self.unit))[rows]
        unit, chosen = self._units_of(numbers)
        block = np.unique(self.block[chosen], return_inverse=True)[1]
        return self._of(unit, chosen, block, numbers)

    def contrast(self, first: int, second: int) -> tuple[IntArray, Self]:
        """Two arms of the design, as arms 0 and 1.

        Parameters
        ----------
        first, second
            Numbers of the arms.

        Returns
        -------
        rows
            Those of both arms in blocks that hold both, ascending.
        design
            Of these rows; its probabilities are given that a unit has one of both arms.

        Examples
        --------
        >>> from tauhat.design import Persons
        >>> arm = np.tile([0, 1, 2], 4)
        >>> three = Persons(np.arange(12), arm, np.zeros(12, int), np.full((12, 3), 1 / 3))
        >>> rows, two = three.contrast(0, 2)
        >>> rows.tolist(), two.arm_sizes.tolist(), two.propensity[0].tolist()
        ([0, 2, 3, 5, 6, 8, 9, 11], [4, 4], 0.5)
        """
        both = self.block_sizes[:, [first, second]].min(axis=1) > 0
        rows = np.flatnonzero(
            np.isin(self.treatment, (first, second)) & both[self.block][self.unit]
        )
        part = self.take(rows)
        chance = part.probability[:, [first, second]]
        chance = chance / chance.sum(axis=1, keepdims=True)
        return rows, replace(part, arm=(part.arm == second).astype(np.int64), probability=chance)

    def folds(self, n_folds: int, seed: int) -> IntArray:
        """Fold of each row: whole units, balanced by arm and within blocks.

        Within every arm-by-block stratum the units are shuffled and dealt to the
        folds in turn; each stratum starts where the last one of its arm stopped,
        so that arms stay balanced over folds. Pairs and other blocks with fewer
        than two units in an arm stay whole, if there are as many as folds: what
        their units share would otherwise tell a model something about the outcomes
        that it has not seen. Both arms use the same random stream, so swapping the
        arms gives the same split. Folds inside a part of a trial are ``take(rows).folds``.

        Parameters
        ----------
        n_folds
            Number of folds; reduced to the size of the smallest arm (in units) when
            that is smaller, so that every fold's complement holds all arms.
        seed
            Seed.

        Returns
        -------
        ndarray of int, shape (n,)
            Fold 0 to n_folds - 1 of each row.

        Raises
        ------
        ValueError
            If an arm has fewer than two units, since no fold can then be left out.

        Examples
        --------
        >>> from tauhat.design import Persons
        >>> fold = Persons.of(np.array([0, 0, 1, 1])).folds(2, seed=1)
        >>> sorted(fold[:2].tolist()), sorted(fold[2:].tolist())
        ([0, 1], [0, 1])
        """
        smallest = int(self.arm_sizes.min())
        if smallest < 2:
            raise ValueError(
                f"cross-fitting needs at least two {self.units_word} in each arm, got {smallest}"
            )
        n_folds = min(n_folds, smallest)
        fold_of_unit = np.empty(self.n_units, dtype=np.int64)
        small = self.small_blocks if len(self.small_blocks) >= n_folds else np.empty(0, np.int64)
        rng = np.random.default_rng(derive_seed(seed, "folds", "small blocks"))
        for place, block in enumerate(rng.permutation(small)):
            fold_of_unit[self.block == block] = place % n_folds
        for stream, arm in enumerate(self._arms_in_streams()):
            next_fold = 0
            for block in np.setdiff1d(self.block, small):
                members = np.flatnonzero((self.arm == arm) & (self.block == block))
                rng = np.random.default_rng(derive_seed(seed, "folds", stream, int(block)))
                dealt = (next_fold + np.arange(len(members))) % n_folds
                if stream % 2 == 1:
                    # Counted backwards, so that one fold is not the largest in both arms.
                    dealt = n_folds - 1 - dealt
                fold_of_unit[rng.permutation(members)] = dealt
                next_fold = (next_fold + len(members)) % n_folds
        return fold_of_unit[self.unit]

    def resample(self, seed: int) -> tuple[IntArray, Self]:
        """Draw units with replacement within arm and block; copies become units of their own.

        Of pairs and other blocks with fewer than two units in an arm whole blocks are drawn:
        within such a block there is nothing to draw.

        Parameters
        ----------
        seed
            Seed of this draw.

        Returns
        -------
        rows
            Rows of the sample.
        design
            Its design, with the same number of units in each arm of each large block, and the
            same number of small blocks.

        Examples
        --------
        >>> from tauhat.design import Persons
        >>> rows, sample = Persons.of(np.array([0, 0, 0, 1, 1])).resample(seed=1)
        >>> len(rows), sample.arm_sizes.tolist()
        (5, [3, 2])
        """
        small = self.small_blocks if len(self.small_blocks) >= 2 else np.empty(0, np.int64)
        chosen = np.empty(self.n_units, dtype=np.int64)
        for stream, arm in enumerate(self._arms_in_streams()):
            for block in np.setdiff1d(self.block, small):
                members = np.flatnonzero((self.arm == arm) & (self.block == block))
                rng = np.random.default_rng(derive_seed(seed, "resample", stream, int(block)))
                chosen[members] = members[rng.integers(len(members), size=len(members))]
        large = np.flatnonzero(~np.isin(self.block, small))
        rng = np.random.default_rng(derive_seed(seed, "resample", "small blocks"))
        drawn = [np.flatnonzero(self.block == k) for k in rng.choice(small, size=len(small))]
        chosen = np.concatenate([chosen[large], *drawn])
        block = np.r_[self.block[large], np.repeat(small, [len(units) for units in drawn])]
        sizes = np.bincount(self.unit)
        by_unit = np.split(np.argsort(self.unit, kind="stable"), np.cumsum(sizes)[:-1])
        rows = np.concatenate([by_unit[k] for k in chosen])
        unit = np.repeat(np.arange(len(chosen)), sizes[chosen])
        return rows, self._of(unit, chosen, block, rows)

    def permutations(
        self, n_permutations: int, seed: int, allocations: AnyArray | None = None
    ) -> Assignments:
        """Assignments of two arms that the randomization could have produced.

        Parameters
        ----------
        n_permutations
            Random draws to make when there are too many to list.
        seed
            Seed of the draws.
        allocations
            What a restricted randomization chose from, shape (l, m), or None.

        Raises
        ------
        ValueError
            With more than two arms.
        """
        self._check_two_arms()
        return assignments(
            self.arm,
            self.strata,
            n_permutations=n_permutations,
            random_state=seed,
            allocations=allocations,
        )

    def errors(
        self, deleted: FloatArray, expected: FloatArray, *, refitted: bool = False
    ) -> FloatArray:
        """Standard errors of differences between two arms; see `jackknife_errors`.

        Parameters
        ----------
        deleted
            Estimates without each unit, shape (m, l).
        expected
            `tauhat.numerics.arm_variances.expected_squares` of each unit in each
            estimate, zero where it takes no part, shape (m, l).
        refitted
            Whether the block intercepts were estimated anew without each unit.

        Returns
        -------
        ndarray, shape (l,)

        Raises
        ------
        ValueError
            With more than two arms.
        """
        self._check_two_arms()
        return jackknife_errors(self.arm, self.block, deleted, expected, refitted=refitted)

    def degrees_of_freedom(
        self,
        expected: FloatArray,
        deleted: FloatArray | None = None,
        even: FloatArray | None = None,
    ) -> FloatArray:
        """`design_degrees_of_freedom` of these errors, shape (l,); of arms of other kinds fewer."""
        self._check_two_arms()
        return design_degrees_of_freedom(expected, self.arm, self.block, even)

    def _check_two_arms(self) -> None:
        if self.n_arms != 2:
            raise ValueError(
                f"two arms are compared, and this design has {self.n_arms}: take its contrast(a, b)"
            )

    def _arms_in_streams(self) -> list[int]:
        """Arms in the order of their random streams.

        Streams belong to the first unit's arm and those that follow, not to control and
        treated, so that exchanging two arms gives the same draw.
        """
        return [(int(self.arm[0]) + stream) % self.n_arms for stream in range(self.n_arms)]

    def _of(self, unit: IntArray, chosen: IntArray, block: IntArray, rows: IntArray) -> Self:
        """The design of units chosen with their rows, in blocks given."""
        return replace(
            self,
            unit=unit,
            arm=self.arm[chosen],
            block=block.astype(np.int64),
            probability=self.probability[chosen],
            within=nested_codes(unit, [level[rows] for level in self.within]),
        )
