"""Cross products and cluster sums of a mixed model's columns, some rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.cluster_sums import sums_over
from tauhat.numerics.ridge_dictionary import RidgeDictionary
from tauhat.numerics.standardised_columns import row_parts

# Parts of rows that are made anew are small enough for the processor's cache.
_COPIES = 16


@dataclass(frozen=True)
class MadeBlock:
    """One block of a dictionary's features, made when it is needed.

    Attributes
    ----------
    dictionary
        Whose features they are.
    name
        Name of the block.
    X
        Covariates of all rows, shape (n, p).
    contrast
        What the features are multiplied by, of few distinct values, shape (n,); None for nothing.
    """

    dictionary: RidgeDictionary
    name: str
    X: FloatArray
    contrast: FloatArray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.X), self.dictionary.width(self.name)


@dataclass
class ColumnSums:
    """Sums over rows of columns and outcome.

    Attributes
    ----------
    cross
        Weighted cross products of the columns, shape (q, q).
    cross_y
        The same of columns and outcome, shape (q,).
    sum_squares
        Weighted sum of squares of the outcome.
    columns, outcome, weight
        Weighted sums of each cluster, of shapes (m, q), (m,) and (m,).
    """

    cross: FloatArray
    cross_y: FloatArray
    sum_squares: float
    columns: FloatArray
    outcome: FloatArray
    weight: FloatArray

    @classmethod
    def empty(cls, q: int, m: int) -> ColumnSums:
        """Of no rows."""
        cross = np.zeros((q, q), order="F")
        return cls(cross, np.zeros(q), 0.0, np.zeros((m, q)), np.zeros(m), np.zeros(m))

    def add(
        self,
        columns: FloatArray,
        y: FloatArray,
        weight: FloatArray | None,
        clusters: IntArray | None,
    ) -> None:
        """Count some more rows in."""
        weighted = columns if weight is None else columns * weight[:, None]
        weighted_y = y if weight is None else y * weight
        self.cross += columns.T @ weighted
        self.cross_y += columns.T @ weighted_y
        self.sum_squares += float(y @ weighted_y)
        if clusters is not None:
            m = len(self.weight)
            self.columns += sums_over(clusters, weighted, m)
            self.outcome += sums_over(clusters, weighted_y, m)
            self.weight += sums_over(clusters, np.ones(len(y)) if weight is None else weight, m)

    def spread(self, source: IntArray, factor: FloatArray) -> ColumnSums:
        """Return the sums of columns that are these times a factor each, in any order."""
        return ColumnSums(
            cross=np.asfortranarray(self.cross[np.ix_(source, source)] * np.outer(factor, factor)),
            cross_y=self.cross_y[source] * factor,
            sum_squares=self.sum_squares,
            columns=self.columns[:, source] * factor,
            outcome=self.outcome,
            weight=self.weight,
        )

    def plus(self, other: ColumnSums) -> ColumnSums:
        """Return the sums over the rows of both."""
        return ColumnSums(
            cross=np.asfortranarray(self.cross + other.cross),
            cross_y=self.cross_y + other.cross_y,
            sum_squares=self.sum_squares + other.sum_squares,
            columns=self.columns + other.columns,
            outcome=self.outcome + other.outcome,
            weight=self.weight + other.weight,
        )


def column_sums(
    y: FloatArray,
    fixed: FloatArray,
    blocks: Sequence[FloatArray | MadeBlock],
    clusters: IntArray | None,
    weight: FloatArray | None,
) -> ColumnSums:
    """Sums that a mixed model needs of its columns, the fixed ones first.

    Blocks that are made when needed are of one dictionary. Features that serve outcome and
    effect are then made once, and summed once within the rows of each value of the contrast.

    Parameters
    ----------
    y, fixed, blocks, clusters, weight
        As in `tauhat.numerics.mixed_model.MixedModel`.

    Examples
    --------
    >>> y, fixed = np.array([1.0, 2.0, 3.0]), np.ones((3, 1))
    >>> sums = column_sums(y, fixed, [y[:, None]], None, None)
    >>> sums.cross.tolist(), sums.cross_y.tolist(), sums.sum_squares
    ([[3.0, 6.0], [6.0, 14.0]], [6.0, 14.0], 14.0)
    """
    m = 0 if clusters is None else int(clusters.max()) + 1
    arrays = [fixed, *(block for block in blocks if isinstance(block, np.ndarray))]
    made = [block for block in blocks if isinstance(block, MadeBlock)]
    q = fixed.shape[1] + sum(block.shape[1] for block in blocks)
    total = ColumnSums.empty(q, m)
    if not made:
        for rows in row_parts(len(y), q):
            columns = np.hstack([array[rows] for array in arrays])
            total.add(columns, y[rows], *_picked(rows, weight, clusters))
        return total
    dictionary, X = made[0].dictionary, made[0].X
    of_effect = next(block.contrast for block in made if block.contrast is not None)
    source, width = _places(fixed, blocks)
    for value in np.unique(of_effect):
        own = np.flatnonzero(of_effect == value)
        sums = ColumnSums.empty(width, m)
        for part in row_parts(len(own), _COPIES * width):
            picked = own[part]
            features = dictionary.blocks(X[picked])
            columns = np.hstack([*(array[picked] for array in arrays), *features.values()])
            sums.add(columns, y[picked], *_picked(picked, weight, clusters))
        factor = np.ones(q)
        edge = fixed.shape[1]
        for block in blocks:
            if isinstance(block, MadeBlock) and block.contrast is not None:
                factor[edge : edge + block.shape[1]] = value
            edge += block.shape[1]
        total = total.plus(sums.spread(source, factor))
    return total


def _places(fixed: FloatArray, blocks: Sequence[FloatArray | MadeBlock]) -> tuple[IntArray, int]:
    """Where each column stands among arrays and features, of which there is one each; how many."""
    width = fixed.shape[1]
    first: dict[int | str, int] = {}
    for k, block in enumerate(blocks):
        if isinstance(block, np.ndarray):
            first[k], width = width, width + block.shape[1]
    dictionary = next(block.dictionary for block in blocks if isinstance(block, MadeBlock))
    for name in dictionary.names:
        first[name], width = width, width + dictionary.width(name)
    places = [np.arange(fixed.shape[1])]
    for k, block in enumerate(blocks):
        key = block.name if isinstance(block, MadeBlock) else k
        places.append(first[key] + np.arange(block.shape[1]))
    return np.concatenate(places), width


def _picked(
    rows: slice | IntArray, weight: FloatArray | None, clusters: IntArray | None
) -> tuple[FloatArray | None, IntArray | None]:
    """Weights and clusters of some rows, where there are any."""
    return None if weight is None else weight[rows], None if clusters is None else clusters[rows]
