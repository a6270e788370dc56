"""Random intercepts that a design gives to mixed models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.outcome_model import VarianceComponents


@dataclass(frozen=True)
class Intercepts:
    """Random intercepts of a mixed model of one trial, each level nested in the next.

    Besides, units that cross all of these may have intercepts.

    Attributes
    ----------
    groups
        Unit 0 to m - 1 of the innermost level of each row, shape (n,): the cluster, or what
        lies within it; the block where persons were randomized; None without any.
    above
        What these lie in, shape (m,), and so on up to the blocks: one array a level.
    groups_are_blocks
        Whether ``groups`` are blocks.
    n_within
        Number of levels within clusters, such as providers in clinics.
    crossed
        Unit 0 to k - 1 of each row of what crosses the clusters, such as neighbourhoods beside
        schools, shape (n,) each.
    """

    groups: IntArray | None
    above: tuple[IntArray, ...] = ()
    groups_are_blocks: bool = False
    n_within: int = 0
    crossed: tuple[IntArray, ...] = ()

    @property
    def nesting(self) -> IntArray | None:
        """What the groups lie in, shape (m,), or None."""
        return self.above[0] if self.above else None

    @property
    def depth(self) -> int:
        """Number of levels."""
        return 0 if self.groups is None else 1 + len(self.above)

    @property
    def crossed_blocks(self) -> list[FloatArray]:
        """Indicators of the units that cross clusters, a column block for each of these levels.

        A block of a mixed model has one variance, which is that of their intercepts.
        """
        return [np.eye(int(units.max()) + 1)[units] for units in self.crossed]

    def of_clusters(self) -> Intercepts:
        """Those of clusters and blocks, for models of no levels within and none crossed."""
        if self.n_within == 0:
            return replace(self, crossed=())
        return self._without_innermost().of_clusters()

    def at_most_two(self) -> Intercepts:
        """The two outermost levels, for models that have no more."""
        if self.depth <= 2:
            return replace(self, crossed=())
        return self._without_innermost().at_most_two()

    def _without_innermost(self) -> Intercepts:
        groups = None if self.groups is None else self.above[0][self.groups]
        return Intercepts(groups, self.above[1:], n_within=max(self.n_within - 1, 0))

    @property
    def of_blocks(self) -> bool:
        """Whether randomization blocks have intercepts."""
        return self.groups_are_blocks or self.nesting is not None

    def components(
        self,
        between: Sequence[float],
        residual: float,
        by_arm: tuple[float, float] | None = None,
        crossed: FloatArray | Sequence[float] = (),
    ) -> VarianceComponents:
        """Variance components of a mixed model with these intercepts.

        Parameters
        ----------
        between
            Variance of the intercept of each level, innermost first.
        residual
            Residual variance.
        by_arm
            Variance of the intercept in control and treated clusters.
        crossed
            Variance of the intercept of each level that crosses clusters.
        """
        of_crossed = tuple(map(float, crossed))
        of_levels = [*map(float, between[: self.depth])]
        if self.groups_are_blocks:
            return VarianceComponents(0.0, residual, between_block=of_levels[0], crossed=of_crossed)
        within, others = of_levels[: self.n_within], of_levels[self.n_within :]
        return VarianceComponents(
            others[0] if others else 0.0,
            residual,
            by_arm,
            others[1] if len(others) > 1 else None,
            tuple(reversed(within)),
            crossed=of_crossed,
        )


@dataclass(frozen=True)
class CellIntercepts(Intercepts):
    """Intercepts of the periods of clusters (``groups``), which are nested in those of clusters."""

    @property
    def of_blocks(self) -> bool:
        """No: their levels are not random."""
        return False

    def components(
        self,
        between: Sequence[float],
        residual: float,
        by_arm: tuple[float, float] | None = None,
        crossed: FloatArray | Sequence[float] = (),
    ) -> VarianceComponents:
        """Variance components, those of the clusters and of their periods."""
        of_periods, of_clusters = map(float, between[:2])
        return VarianceComponents(of_clusters, residual, between_period=of_periods)
