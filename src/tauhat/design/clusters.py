"""Designs in which whole clusters were randomized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.design.design import Design
from tauhat.design.intercepts import Intercepts
from tauhat.design.names import DesignName
from tauhat.design.nested_codes import nested_codes
from tauhat.design.probabilities import probabilities
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.standardised_columns import first_rows


@dataclass(frozen=True, eq=False)
class Clusters(Design):
    """Cluster-randomized: the rows of a cluster share its arm, block and probability.

    Attributes
    ----------
    crossed
        Unit of each row of what crosses the clusters, such as neighbourhoods beside schools,
        shape (n,) each. Nothing was randomized there; models may have intercepts of these.

    Examples
    --------
    >>> clinic = np.repeat(np.arange(4), 2)
    >>> trial = Clusters.of(clinic % 2, clinic, clinic // 2)
    >>> trial.n_units, trial.arm.tolist(), trial.block.tolist()
    (4, [0, 1, 0, 1], [0, 0, 1, 1])
    >>> trial.take(np.array([2, 3, 4, 5])).block.tolist()
    [0, 1]
    """

    crossed: tuple[IntArray, ...] = field(default=(), kw_only=True)

    name: ClassVar[DesignName] = "cluster"
    unit_word: ClassVar[str] = "cluster"
    whole_units: ClassVar[str] = "whole clusters"
    holds_persons: ClassVar[bool] = True

    @classmethod
    def of(
        cls,
        arm: IntArray,
        clusters: AnyArray,
        blocks: AnyArray | None = None,
        propensity: FloatArray | None = None,
        within: Sequence[AnyArray] = (),
        crossed: Sequence[AnyArray] = (),
    ) -> Self:
        """The design from one value per row; arguments as in `tauhat.design.design_of`."""
        unit = pd.factorize(clusters)[0].astype(np.int64)
        first = first_rows(unit)
        propensity = cls._shares(arm, blocks) if propensity is None else propensity
        mixed = np.bincount(unit, arm != arm[first][unit]) > 0
        if mixed.any():
            raise ValueError(
                f"treatment varies within {int(mixed.sum())} of {len(first)} clusters; in a "
                "cluster-randomized trial it is constant. If persons were randomized within these "
                "units, give them as blocks and not as clusters; if units change their arm over "
                "time (stepped wedge, crossover), make a tauhat.Trial with period="
            )
        if blocks is not None and (blocks != blocks[first][unit]).any():
            raise ValueError("blocks vary within clusters; a cluster lies in one block")
        if propensity is not None and (propensity != propensity[first][unit]).any():
            raise ValueError(
                "propensity varies within clusters; give each cluster one probability of treatment"
            )
        of_units = (None if values is None else values[first] for values in (blocks, propensity))
        chances = probabilities(arm[first], *of_units)
        return cls(unit, *chances, nested_codes(unit, within), crossed=_numbered(crossed))

    @staticmethod
    def _shares(arm: IntArray, blocks: AnyArray | None) -> FloatArray | None:
        """Probability of arm 1 of each row that is not given; None for the shares of units."""
        return None

    @property
    def clusters(self) -> IntArray:
        """Cluster 0 to m - 1 of each row, shape (n,)."""
        return self.unit

    def intercepts(self) -> Intercepts:
        """Those of the clusters, nested in those of blocks that hold several clusters."""
        blocks = identified_clusters(self.block)
        # Of clusters of one person each only the blocks' can be told from the residual.
        if self.n_units == self.n and blocks is not None:
            return Intercepts(blocks, groups_are_blocks=True)
        alone = blocks is None or self.n_units == self.n
        return Intercepts(self.unit, () if alone or blocks is None else (blocks,))

    def intercepts_of_levels(self) -> Intercepts:
        """Those of the levels within clusters too, as far as they can be told apart.

        A level counts if it has fewer units than the one within it, or than rows, and more
        than there are clusters.
        """
        levels, fewest = [], self.n
        for level in reversed(self.within):
            units = int(level.max()) + 1
            if self.n_units < units < fewest:
                levels.append(level)
                fewest = units
        clusters = self.intercepts()
        if not levels:
            return replace(clusters, crossed=self.crossed)
        chain = zip(levels, [*levels[1:], self.unit], strict=True)
        above = [outer[first_rows(inner)] for inner, outer in chain]
        return Intercepts(
            levels[0], (*above, *clusters.above), n_within=len(levels), crossed=self.crossed
        )

    def deletion_groups(self, most: int, seed: int) -> tuple[IntArray, Design]:
        """Clusters, however many."""
        return self.unit, self

    def _units_of(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        codes, chosen = pd.factorize(self.unit[rows])
        return codes.astype(np.int64), chosen

    def _of(self, unit: IntArray, chosen: IntArray, block: IntArray, rows: IntArray) -> Self:
        crossed = _numbered([units[rows] for units in self.crossed])
        return replace(super()._of(unit, chosen, block, rows), crossed=crossed)


def _numbered(levels: Sequence[AnyArray]) -> tuple[IntArray, ...]:
    """Units of each level numbered by their first appearance."""
    return tuple(pd.factorize(labels)[0].astype(np.int64) for labels in levels)
