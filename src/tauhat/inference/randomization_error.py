"""Jackknife errors of estimates under blocked randomization."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.folds import block_sizes, small_blocks


@dataclass(frozen=True)
class Randomization:
    r"""Arm and block of every randomized unit, and the errors that follow from them.

    With :math:`d_j` the estimate without unit j, less the mean of these over the
    m units, the squared error is :math:`\frac{m-1}{m}` times

    .. math::
        \sum_j d_j^2 \;\text{without blocks}, \qquad
        \sum_{b} \sum_{a} \frac{n_{ab}}{n_{ab} - 1} \sum_{j \in ab} (d_j - \bar d_{ab})^2
        + \frac{F}{F - 1} \sum_{f} (S_f - \bar S)^2 \;\text{with blocks.}

    The first sum with blocks is over those with two units or more in each arm, whose
    level and effect drop out. The second is over the F others, such as pairs,
    with :math:`S_f = \sum_{j \in f} d_j`: what both arms of a block share drops
    out of its sum, and differences between the blocks' effects count as error. A
    single such block counts its units one by one.

    Parameters
    ----------
    arm
        0 or 1 for each unit, shape (m,).
    block
        Block 0 to B - 1 of each unit, zeros without blocks, shape (m,).

    References
    ----------
    Pashley and Miratrix (2021), Journal of Educational and Behavioral Statistics
    46:271-296, on small and large blocks together.

    Examples
    --------
    >>> pairs = Randomization(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
    >>> level_of_pairs = np.array([[1.0], [-1.0], [5.0], [-5.0]])
    >>> pairs.errors(level_of_pairs).tolist()
    [0.0]
    >>> pairs.degrees_of_freedom(np.ones((4, 1), dtype=bool)).tolist()
    [1]
    """

    arm: IntArray
    block: IntArray

    @cached_property
    def _cell(self) -> IntArray:
        """Arm within block of each unit, shape (m,)."""
        cell: IntArray = 2 * self.block + self.arm
        return cell

    @cached_property
    def _cell_sizes(self) -> IntArray:
        """Units of each arm within block, shape (2 B,)."""
        return block_sizes(self.arm, self.block).ravel()

    @property
    def _n_blocks(self) -> int:
        return int(self.block.max()) + 1

    @cached_property
    def _small(self) -> BoolArray:
        """Blocks with fewer than two units in an arm, shape (B,)."""
        small = np.zeros(self._n_blocks, dtype=bool)
        small[small_blocks(self.arm, self.block)] = True
        return small

    def errors(self, deleted: FloatArray) -> FloatArray:
        """Standard errors from estimates without each unit.

        Parameters
        ----------
        deleted
            Shape (m, k).

        Returns
        -------
        ndarray, shape (k,)
        """
        m = len(deleted)
        apart = deleted - deleted.mean(axis=0)
        if self._n_blocks == 1:
            squared = (apart**2).sum(axis=0)
        else:
            squared = self._within_large(apart) + self._between_small(apart)
        errors: FloatArray = np.sqrt((m - 1) / m * squared)
        return errors

    def _within_large(self, apart: FloatArray) -> FloatArray:
        rows = ~self._small[self.block]
        sizes = self._cell_sizes[self._cell[rows], None]
        centre = _sums(apart[rows], self._cell[rows], len(self._cell_sizes))[self._cell[rows]]
        own = apart[rows] - centre / sizes
        within: FloatArray = (sizes / (sizes - 1) * own**2).sum(axis=0)
        return within

    def _between_small(self, apart: FloatArray) -> FloatArray:
        rows = self._small[self.block]
        count = int(self._small.sum())
        if count < 2:
            return np.asarray((apart[rows] ** 2).sum(axis=0))
        sums = _sums(apart[rows], self.block[rows], self._n_blocks)[self._small]
        between: FloatArray = count / (count - 1) * ((sums - sums.mean(axis=0)) ** 2).sum(axis=0)
        return between

    def degrees_of_freedom(self, present: BoolArray) -> IntArray:
        """Degrees of freedom of the errors, at least 1.

        Each arm of a large block gives as many as units take part in it, at most
        one less than it has; the small blocks in which units take part give one
        less than their number. No more than two less than all units that take part.

        Parameters
        ----------
        present
            Which units take part in each estimate, shape (m, k).

        Returns
        -------
        ndarray of int, shape (k,)
        """
        counts = _sums(present, self._cell, len(self._cell_sizes))
        large = np.repeat(~self._small, 2)
        within = np.minimum(counts, self._cell_sizes[:, None] - 1)[large].sum(axis=0)
        small = counts.reshape(self._n_blocks, 2, -1).sum(axis=1)[self._small]
        taking_part = (small > 0).sum(axis=0)
        between = np.maximum(taking_part - 1, 0) if len(small) > 1 else small.sum(axis=0)
        free: IntArray = np.minimum(within + between, counts.sum(axis=0) - 2)
        return np.maximum(free, 1).astype(np.int64)


def _sums(values: FloatArray | BoolArray, group: IntArray, n_groups: int) -> FloatArray:
    """Column sums in each group, shape (n_groups, k)."""
    sums = np.zeros((n_groups, values.shape[1]))
    np.add.at(sums, group, values)
    return sums
