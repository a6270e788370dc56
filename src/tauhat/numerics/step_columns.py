"""Steps of covariates at quantiles: for effects that set in at a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.standardised_columns import column_scales

# Thresholds at deciles, or fewer.
_CUTS = 9
# Two values make a line; with a few more, a step says what a line cannot.
_FEWEST_VALUES = 5
# With fewer rows for each covariate there are no steps.
_ROWS_A_COVARIATE = 10


@dataclass(frozen=True, eq=False)
class StepColumns:
    """What takes covariates to steps in standard units.

    Attributes
    ----------
    covariate
        Position of the covariate of each step, shape (q,).
    cut
        Where it steps up: beyond this, shape (q,).
    mean, scale
        Of the steps, shape (q,).
    """

    covariate: IntArray
    cut: FloatArray
    mean: FloatArray
    scale: FloatArray

    @classmethod
    def of(
        cls, X: FloatArray, allowed: BoolArray, most: int, weight: FloatArray | None = None
    ) -> Self:
        """Steps at up to nine quantiles of each covariate with five values or more.

        Parameters
        ----------
        X
            Covariates, shape (n, p).
        allowed
            Which covariates may have steps, shape (p,).
        most
            Largest number of steps; all covariates have as many.
        weight
            Positive weights, shape (n,), or None.

        Examples
        --------
        >>> X = np.column_stack([np.arange(40.0), np.arange(40) % 2])
        >>> steps = StepColumns.of(X, np.array([True, True]), 100)
        >>> steps.covariate.tolist(), steps.cut.astype(int).tolist()
        ([0, 0, 0, 0, 0, 0, 0, 0, 0], [3, 7, 11, 15, 19, 23, 27, 31, 35])
        """
        many = [
            j
            for j in np.flatnonzero(allowed)
            if len(X) >= _ROWS_A_COVARIATE * X.shape[1]
            and len(np.unique(X[:, j])) >= _FEWEST_VALUES
        ]
        count = min(_CUTS, most // max(len(many), 1))
        shares = np.arange(1, count + 1) / (count + 1)
        covariate, cuts = [], []
        for j in many if count else []:
            found = np.unique(np.quantile(X[:, j], shares, method="lower"))
            found = found[found < X[:, j].max()]
            covariate.append(np.full(len(found), j))
            cuts.append(found)
        of_step = np.concatenate([np.zeros(0, dtype=np.int64), *covariate])
        cut = np.concatenate([np.zeros(0), *cuts])
        if not len(cut):
            return cls(of_step, cut, cut, cut)
        mean, scale = column_scales((X[:, of_step] > cut).astype(np.float64), weight)
        return cls(of_step, cut, mean, scale)

    def columns(self, X: FloatArray) -> FloatArray:
        """Steps at new rows, shape (k, q)."""
        steps: FloatArray = ((X[:, self.covariate] > self.cut) - self.mean) / self.scale
        return steps
