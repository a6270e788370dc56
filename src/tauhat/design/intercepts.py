"""Random intercepts that a design gives to mixed models."""

from __future__ import annotations

from dataclasses import dataclass

from tauhat._typing import IntArray
from tauhat.outcome_model import VarianceComponents


@dataclass(frozen=True)
class Intercepts:
    """Random intercepts of a mixed model of one trial.

    Attributes
    ----------
    groups
        Cluster 0 to m - 1 of each row, shape (n,), or block where persons were
        randomized; None without either.
    nesting
        Block 0 to k - 1 in which each cluster lies, shape (m,), or None.
    groups_are_blocks
        Whether ``groups`` are blocks.
    """

    groups: IntArray | None
    nesting: IntArray | None = None
    groups_are_blocks: bool = False

    @property
    def of_blocks(self) -> bool:
        """Whether randomization blocks have intercepts."""
        return self.groups_are_blocks or self.nesting is not None

    def components(
        self,
        of_groups: float,
        of_nesting: float,
        residual: float,
        by_arm: tuple[float, float] | None = None,
    ) -> VarianceComponents:
        """Variance components of a mixed model with these intercepts.

        Parameters
        ----------
        of_groups, of_nesting
            Variance of the intercept of ``groups``, and of that of ``nesting``.
        residual
            Residual variance.
        by_arm
            Variance of the intercept in control and treated clusters.
        """
        if self.groups_are_blocks:
            return VarianceComponents(0.0, residual, between_block=of_groups)
        of_blocks = None if self.nesting is None else of_nesting
        return VarianceComponents(of_groups, residual, by_arm, of_blocks)


@dataclass(frozen=True)
class CellIntercepts(Intercepts):
    """Intercepts of the periods of clusters (``groups``), which are nested in those of clusters."""

    @property
    def of_blocks(self) -> bool:
        """No: their levels are not random."""
        return False

    def components(
        self,
        of_groups: float,
        of_nesting: float,
        residual: float,
        by_arm: tuple[float, float] | None = None,
    ) -> VarianceComponents:
        """Variance components, those of the clusters and of their periods."""
        return VarianceComponents(of_nesting, residual, between_period=of_groups)
