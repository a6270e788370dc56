"""Lines and curves of covariates in standard units: the blocks of an additive model."""

from __future__ import annotations

from dataclasses import dataclass

from tauhat._typing import BoolArray, FloatArray
from tauhat.numerics.splines import SmoothTerm, smooth_columns, smooth_terms
from tauhat.numerics.standardised_columns import column_scales, ridge_rotation

# With fewer rows for each covariate there are lines only.
_ROWS_A_CURVE = 10


@dataclass(frozen=True, eq=False)
class AdditiveColumns:
    """What takes covariates to the blocks of an additive model: lines, and curves if any.

    Attributes
    ----------
    mean, scale
        Of the covariates, shape (p,).
    rotation
        Rotation of the lines, with no more columns than there were rows, shape (p, q).
    terms
        Smooth terms; empty for lines only.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(0, 1, 60)[:, None] ** [1, 2]
    >>> columns = AdditiveColumns.of(X, np.array([False, False]), 60)
    >>> [block.shape[1] for block in columns.blocks(X)]
    [2, 16]
    """

    mean: FloatArray
    scale: FloatArray
    rotation: FloatArray
    terms: list[SmoothTerm]

    @classmethod
    def of(
        cls,
        X: FloatArray,
        cluster_level: BoolArray,
        n_units: int,
        n_splines: int = 10,
        weight: FloatArray | None = None,
    ) -> AdditiveColumns:
        """Columns for the rows of a fit.

        Parameters
        ----------
        X
            Covariates, shape (n, p).
        cluster_level, n_units, n_splines
            As in `tauhat.numerics.splines.smooth_terms`; no splines for lines only.
        weight
            Positive weights, shape (n,), or None.
        """
        mean, scale = column_scales(X, weight)
        few_rows = len(X) < _ROWS_A_CURVE * X.shape[1]
        curved = n_splines > 0 and not few_rows
        terms = smooth_terms(X, cluster_level, n_units, n_splines) if curved else []
        return cls(mean, scale, ridge_rotation((X - mean) / scale), terms)

    def blocks(self, X: FloatArray) -> list[FloatArray]:
        """Lines and curves, where there are any, each of shape (k, columns)."""
        lines = (X - self.mean) / self.scale @ self.rotation
        return [lines, smooth_columns(self.terms, X)] if self.terms else [lines]
