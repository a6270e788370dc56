"""Jackknife errors of estimates under blocked randomization."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.folds import block_sizes, small_blocks
from tauhat.numerics.arm_variances import (
    by_arm,
    design_degrees_of_freedom,
    moderated_variance,
    residual_shares,
)


@dataclass(frozen=True)
class Randomization:
    r"""Arm and block of every randomized unit, and the errors that follow from them.

    With :math:`d_j` the estimate without unit j, less the mean of these over the
    m units, and :math:`f_j` one less the leverage of unit j in a regression on blocks and arm
    (`tauhat.numerics.arm_variances.residual_shares`), the variance of arm a is, without blocks
    and where the levels of blocks were estimated anew without each unit,

    .. math::
        v_a = \frac{m - B}{m \bar f} \sum_{A_j = a} f_j d_j^2.

    Where leaving a unit out only drops its terms, it is

    .. math::
        v_a = \frac{m - 1}{m} \sum_{b} \frac{n_{ab}}{n_{ab} - 1} \sum_{j \in ab}
        (d_j - \bar d_{ab})^2

    over the blocks with two units or more in each arm, whose level and effect drop out. The
    F others, such as pairs, add

    .. math:: \frac{m - 1}{m} \frac{F}{F - 1} \sum_{f} (S_f - \bar S)^2

    with :math:`S_f = \sum_{j \in f} d_j`: what both arms of a block share drops
    out of its sum, and differences between the blocks' effects count as error. A
    single such block counts its units one by one. The variances of both arms are put together by
    `tauhat.numerics.arm_variances.moderated_variance`.

    Parameters
    ----------
    arm
        0 or 1 for each unit, shape (m,).
    block
        Block 0 to B - 1 of each unit, zeros without blocks, shape (m,).

    References
    ----------
    Pashley and Miratrix (2021), Journal of Educational and Behavioral Statistics
    46:271-296, on small and large blocks together. Wang and Hansen (2024), arXiv 2406.10473, on
    Hajek estimators and their variance in strata of any size.

    Examples
    --------
    >>> pairs = Randomization(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
    >>> level_of_pairs = np.array([[1.0], [-1.0], [5.0], [-5.0]])
    >>> everyone = np.ones((4, 1))
    >>> pairs.errors(level_of_pairs, everyone).tolist()
    [0.0]
    >>> pairs.degrees_of_freedom(everyone).tolist()
    [1.0]
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

    def errors(
        self, deleted: FloatArray, expected: FloatArray, *, refitted: bool = False
    ) -> FloatArray:
        """Standard errors from estimates without each unit.

        Parameters
        ----------
        deleted
            Shape (m, k).
        expected
            `tauhat.numerics.arm_variances.expected_squares` of each unit in each
            estimate, zero where it takes no part, shape (m, k).
        refitted
            Whether the levels of blocks were estimated anew without each unit.

        Returns
        -------
        ndarray, shape (k,)
        """
        m = len(deleted)
        apart = deleted - deleted.mean(axis=0)
        present = expected > 0
        free = residual_shares(self.arm, self.block, present)
        if refitted or self._n_blocks == 1:
            squares = self._factors(present, free) * apart**2
            return np.sqrt(_moderated(squares, expected, free, self.arm))
        large = ~self._small[self.block]
        within = _moderated(
            self._within_large(apart), expected[large], free[large], self.arm[large]
        )
        errors: FloatArray = np.sqrt((m - 1) / m * (within + self._between_small(apart)))
        return errors

    def _factors(self, present: BoolArray, free: FloatArray) -> FloatArray:
        """Factors of the squared distances of each unit, shape (m, k)."""
        total = free.sum(axis=0)
        relative = np.divide(
            free * present.sum(axis=0), total, out=np.ones_like(free), where=present & (total > 0)
        )
        m = len(self.arm)
        factors: FloatArray = (m - self._n_blocks) / m * relative
        return factors

    def _within_large(self, apart: FloatArray) -> FloatArray:
        rows = ~self._small[self.block]
        sizes = self._cell_sizes[self._cell[rows], None]
        centre = _sums(apart[rows], self._cell[rows], len(self._cell_sizes))[self._cell[rows]]
        own = apart[rows] - centre / sizes
        squares: FloatArray = sizes / (sizes - 1) * own**2
        return squares

    def _between_small(self, apart: FloatArray) -> FloatArray:
        rows = self._small[self.block]
        count = int(self._small.sum())
        if count < 2:
            return np.asarray((apart[rows] ** 2).sum(axis=0))
        sums = _sums(apart[rows], self.block[rows], self._n_blocks)[self._small]
        between: FloatArray = count / (count - 1) * ((sums - sums.mean(axis=0)) ** 2).sum(axis=0)
        return between

    def degrees_of_freedom(self, expected: FloatArray) -> FloatArray:
        """Degrees of freedom of the errors.

        Parameters
        ----------
        expected
            As in `errors`, shape (m, k).

        Returns
        -------
        ndarray, shape (k,)
            Those of `tauhat.numerics.arm_variances.design_degrees_of_freedom`.
        """
        return design_degrees_of_freedom(expected, self.arm, self.block)


def _moderated(
    squares: FloatArray, expected: FloatArray, free: FloatArray, arm: IntArray
) -> FloatArray:
    return moderated_variance(by_arm(squares, arm), by_arm(expected, arm), by_arm(free, arm))


def _sums(values: FloatArray, group: IntArray, n_groups: int) -> FloatArray:
    """Column sums in each group, shape (n_groups, k)."""
    sums = np.zeros((n_groups, values.shape[1]))
    np.add.at(sums, group, values)
    return sums
