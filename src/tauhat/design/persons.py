"""Designs in which every person was randomized."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.design.design import Design
from tauhat.design.intercepts import Intercepts
from tauhat.design.names import DesignName
from tauhat.design.probabilities import probabilities
from tauhat.numerics.em import identified_clusters


@dataclass(frozen=True, eq=False)
class Persons(Design):
    """Individually randomized: every row is a unit.

    Examples
    --------
    >>> pairs = Persons.of(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
    >>> pairs.n_units, pairs.clusters is None, pairs.intercepts().groups_are_blocks
    (4, True, True)
    """

    name: ClassVar[DesignName] = "individual"
    unit_word: ClassVar[str] = "person"
    whole_units: ClassVar[str] = "persons"
    holds_persons: ClassVar[bool] = False

    @classmethod
    def of(
        cls, arm: IntArray, blocks: AnyArray | None = None, propensity: FloatArray | None = None
    ) -> Self:
        """The design from one value per row; arguments as in `tauhat.design.design_of`."""
        unit = np.arange(len(arm), dtype=np.int64)
        return cls(unit, *probabilities(arm, blocks, propensity))

    @property
    def clusters(self) -> None:
        """None: persons have no intercepts of their own."""

    def intercepts(self) -> Intercepts:
        """Those of blocks that hold several persons."""
        groups = identified_clusters(self.block)
        return Intercepts(groups, groups_are_blocks=groups is not None)

    def deletion_groups(self, most: int, seed: int) -> tuple[IntArray, Design]:
        """Persons, or as many groups of persons of both arms and all blocks as may be left out."""
        if self.n_units <= most:
            return self.unit, self
        groups = self.folds(most, seed)
        return groups, Persons.of(np.zeros(int(groups.max()) + 1, dtype=np.int64))

    def _units_of(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        return np.arange(len(rows), dtype=np.int64), rows
