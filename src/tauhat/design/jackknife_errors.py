"""Jackknife errors of estimates under blocked randomization."""

from __future__ import annotations

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.design.blocks import block_sizes, small_blocks
from tauhat.numerics.arm_variances import by_arm, moderated_variance, residual_shares


def jackknife_errors(
    arm: IntArray,
    block: IntArray,
    deleted: FloatArray,
    expected: FloatArray,
    *,
    refitted: bool = False,
) -> FloatArray:
    r"""Standard errors of differences between two arms, from estimates without each unit.

    With :math:`d_j` the estimate without unit j, less the mean of these over the
    m units, and :math:`f_j` one less the leverage of unit j in a regression on blocks and arm
    (`tauhat.numerics.arm_variances.residual_shares`), the variance of arm a is, without blocks
    and where the block intercepts were estimated anew without each unit,

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
    deleted
        Estimates without each unit, shape (m, k).
    expected
        `tauhat.numerics.arm_variances.expected_squares` of each unit in each
        estimate, zero where it takes no part, shape (m, k).
    refitted
        Whether the block intercepts were estimated anew without each unit.

    Returns
    -------
    ndarray, shape (k,)

    References
    ----------
    Pashley and Miratrix (2021), Journal of Educational and Behavioral Statistics
    46:271-296, on small and large blocks together. Wang and Hansen (2024), arXiv 2406.10473, on
    Hajek estimators and their variance in strata of any size.

    Examples
    --------
    >>> arm, pair = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    >>> level_of_pairs = np.array([[1.0], [-1.0], [5.0], [-5.0]])
    >>> jackknife_errors(arm, pair, level_of_pairs, np.ones((4, 1))).tolist()
    [0.0]
    """
    m, n_blocks = len(deleted), int(block.max()) + 1
    apart = deleted - deleted.mean(axis=0)
    present = expected > 0
    free = residual_shares(arm, block, present)
    if refitted or n_blocks == 1:
        squares = _factors(present, free, n_blocks) * apart**2
        return np.sqrt(_moderated(squares, expected, free, arm))
    small = np.isin(block, small_blocks(block_sizes(arm, block)))
    large = ~small
    within = _moderated(
        _within_cells((2 * block + arm)[large], apart[large]),
        expected[large],
        free[large],
        arm[large],
    )
    between = _between_blocks(block[small], apart[small])
    errors: FloatArray = np.sqrt((m - 1) / m * (within + between))
    return errors


def _factors(present: BoolArray, free: FloatArray, n_blocks: int) -> FloatArray:
    """Factors of the squared distances of each unit, shape (m, k)."""
    total, m = free.sum(axis=0), len(free)
    relative = np.divide(
        free * present.sum(axis=0), total, out=np.ones_like(free), where=present & (total > 0)
    )
    factors: FloatArray = (m - n_blocks) / m * relative
    return factors


def _within_cells(cell: IntArray, apart: FloatArray) -> FloatArray:
    """Squared distances of units to the mean of their arm in their block, unbiased."""
    sizes = np.bincount(cell)[cell][:, None]
    own = apart - _sums(apart, cell)[cell] / sizes
    squares: FloatArray = sizes / (sizes - 1) * own**2
    return squares


def _between_blocks(block: IntArray, apart: FloatArray) -> FloatArray:
    """Squared distances of sums over blocks to their mean, added up; of one block its units'."""
    blocks, codes = np.unique(block, return_inverse=True)
    count = len(blocks)
    if count < 2:
        return np.asarray((apart**2).sum(axis=0))
    sums = _sums(apart, codes)
    between: FloatArray = count / (count - 1) * ((sums - sums.mean(axis=0)) ** 2).sum(axis=0)
    return between


def _sums(values: FloatArray, group: IntArray) -> FloatArray:
    """Column sums over each group, shape (groups, k)."""
    sums = np.zeros((int(group.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(sums, group, values)
    return sums


def _moderated(
    squares: FloatArray, expected: FloatArray, free: FloatArray, arm: IntArray
) -> FloatArray:
    return moderated_variance(by_arm(squares, arm), by_arm(expected, arm), by_arm(free, arm))
