"""Variance of a difference between arms that may differ widely in their number of units."""

from __future__ import annotations

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray

# Each arm's variance counts as if this many more of its units had been seen, with the variance
# that both arms share. None: 2 units against 30 need t with one degree of freedom. Many: their
# own variance no longer counts. benchmarks/unequal_arms.py has the coverage behind the choice.
PRIOR_UNITS = 1.0
# Correlation of persons in a cluster for the size of an arm's error beside the other's. It matters
# where clusters differ in size. At .05, that of the working models, 5 groups against 100 persons
# are taken for 11 degrees of freedom: too many when groups vary more than single persons.
EXPECTED_CORRELATION = 0.1


def expected_squares(weight: FloatArray, persons: FloatArray, arm: IntArray) -> FloatArray:
    r"""Expected squared contribution of each unit to the mean of its arm, up to a factor.

    .. math:: q_j = \Bigl(\frac{w_j}{\sum_{A_k = A_j} w_k}\Bigr)^2
              \Bigl(\rho + \frac{1 - \rho}{N_j}\Bigr)

    under a correlation of .1 between the persons of a cluster.

    Parameters
    ----------
    weight
        Weight of each unit in each estimate, zero where it takes no part, shape (m, k).
    persons
        Number of persons of each unit in each estimate, shape (m, k).
    arm
        0 or 1 for each unit, shape (m,).

    Returns
    -------
    ndarray, shape (m, k)

    Examples
    --------
    >>> one = np.ones((3, 1))
    >>> expected_squares(one, one, np.array([0, 1, 1]))[:, 0].tolist()
    [1.0, 0.25, 0.25]
    """
    total = by_arm(weight, arm)[arm]
    share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    own = EXPECTED_CORRELATION + (1 - EXPECTED_CORRELATION) / np.maximum(persons, 1)
    squares: FloatArray = share**2 * own
    return squares


def expected_of_averages(
    size: FloatArray, persons: FloatArray, probability: FloatArray, arm: IntArray
) -> FloatArray:
    """`expected_squares` for the individual-average and for the cluster-average effect.

    Parameters
    ----------
    size
        Total weight of each unit's persons, shape (m,).
    persons
        Their number, shape (m,).
    probability
        Probability of treatment of each unit, shape (m,).
    arm
        0 or 1 for each unit, shape (m,).

    Returns
    -------
    ndarray, shape (m, 2)

    Examples
    --------
    >>> half, arm = np.full(4, 0.5), np.array([0, 0, 1, 1])
    >>> size = np.array([1.0, 3, 2, 2])
    >>> (expected_of_averages(size, np.ones(4), half, arm) * 16).tolist()
    [[1.0, 4.0], [9.0, 4.0], [4.0, 4.0], [4.0, 4.0]]
    """
    own = np.where(arm == 1, probability, 1 - probability)
    weight = np.column_stack([size, np.ones(len(arm))]) / own[:, None]
    return expected_squares(weight, np.column_stack([persons, persons]), arm)


def residual_shares(arm: IntArray, block: IntArray, present: BoolArray) -> FloatArray:
    r"""One less the leverage of each unit in a regression on blocks and arm.

    .. math:: f_j = 1 - \frac{1}{n_b} - \frac{(A_j - \bar A_b)^2}{\sum_k (A_k - \bar A_{b(k)})^2}

    with the units of the block b of j and, in the last term, the units that take part.

    Parameters
    ----------
    arm, block
        Of each unit, shape (m,).
    present
        Which units take part in each estimate, shape (m, k).

    Returns
    -------
    ndarray, shape (m, k)
        Zero for units that take no part.

    Examples
    --------
    >>> arm, block = np.array([0, 0, 0, 1, 1]), np.zeros(5, dtype=int)
    >>> residual_shares(arm, block, np.ones((5, 1), dtype=bool))[:, 0].round(3).tolist()
    [0.667, 0.667, 0.667, 0.5, 0.5]
    """
    in_block = np.bincount(block)[block]
    apart = (arm - (np.bincount(block, weights=arm))[block] / in_block) ** 2
    of_arm = apart[:, None] * present
    total = of_arm.sum(axis=0)
    leverage = np.divide(of_arm, total, out=np.zeros(present.shape), where=total > 0)
    shares: FloatArray = np.maximum(present * (1 - 1 / in_block)[:, None] - leverage, 0.0)
    return shares


def by_arm(values: FloatArray | BoolArray, arm: IntArray) -> FloatArray:
    """Column sums over controls and over treated units, shape (2, k).

    Examples
    --------
    >>> by_arm(np.array([[1.0], [2.0], [4.0]]), np.array([0, 1, 1])).tolist()
    [[1.0], [6.0]]
    """
    return np.array([values[arm == a].sum(axis=0) for a in (0, 1)], dtype=np.float64)


def moderated_variance(variance: FloatArray, expected: FloatArray, free: FloatArray) -> FloatArray:
    r"""Variance of a difference between arms, each arm's moderated by that of both.

    With :math:`v_a` the variance estimate of an arm's mean, :math:`h_a` its expectation up
    to a factor and :math:`f_a` its degrees of freedom,

    .. math::
        \tilde v_a = \frac{f_a v_a + d_0 \bar u h_a}{f_a + d_0}, \qquad
        \bar u = \frac{\sum_a f_a (f_a + 1) v_a}{\sum_a f_a (f_a + 1) h_a}, \qquad d_0 = 1,

    so that the two units of a small arm cannot be taken for certain because they happen to
    be alike. The sum is never less than that of the :math:`v_a`, and equal to it when the
    arms have equally many units.

    Parameters
    ----------
    variance, expected, free
        Of both arms, shape (2, k) each.

    Returns
    -------
    ndarray, shape (k,)

    References
    ----------
    Smyth (2004), Statistical Applications in Genetics and Molecular Biology 3, article 3,
    for variances moderated by what many have in common.

    Examples
    --------
    Two treated units that are alike by chance, against 30 controls:

    >>> expected, free = np.array([[1 / 30], [1 / 2]]), np.array([[29.0], [1.0]])
    >>> moderated_variance(np.array([[1 / 30], [0.0]]), expected, free).round(3).tolist()
    [0.275]
    """
    pooling = free * (free + 1)
    total = (pooling * expected).sum(axis=0)
    both = (pooling * variance).sum(axis=0)
    shared = np.divide(both, total, out=np.zeros_like(total), where=total > 0)
    moderated = (free * variance + PRIOR_UNITS * shared * expected) / (free + PRIOR_UNITS)
    result: FloatArray = np.maximum(moderated.sum(axis=0), variance.sum(axis=0))
    return result


def degrees_of_freedom(expected: FloatArray, free: FloatArray, most: FloatArray) -> FloatArray:
    r"""Satterthwaite's degrees of freedom of `moderated_variance`, from the design alone.

    .. math:: \frac{(h_0 + h_1)^2}{h_0^2 / (f_0 + d_0) + h_1^2 / (f_1 + d_0)},

    at most those of a variance that both arms share, and at least 1. Outcomes have no part
    in it (Bell and McCaffrey 2002): a small arm's own variance says little about itself.

    Parameters
    ----------
    expected, free
        As in `moderated_variance`, shape (2, k).
    most
        Degrees of freedom of a shared variance, shape (k,).

    Returns
    -------
    ndarray, shape (k,)

    Examples
    --------
    >>> arms = [np.array([2.0, 30]), np.array([16.0, 16])]
    >>> [degrees_of_freedom(1 / n[:, None], n[:, None] - 1, np.array([30.0])).round(1).tolist()
    ...  for n in arms]
    [[2.3], [30.0]]
    """
    spread = (expected**2 / (free + PRIOR_UNITS)).sum(axis=0)
    whole = expected.sum(axis=0) ** 2
    satterthwaite = np.divide(whole, spread, out=np.full_like(whole, np.inf), where=spread > 0)
    df: FloatArray = np.maximum(np.minimum(satterthwaite, most), 1.0)
    return df


def design_degrees_of_freedom(
    expected: FloatArray, arm: IntArray, block: IntArray, even: FloatArray | None = None
) -> FloatArray:
    r"""Degrees of freedom of differences between the arms of a randomized design.

    Those of `degrees_of_freedom` with what the units of each arm have left in a regression on
    blocks and arm, so at most (units) - (blocks) - 1: units - 2 without blocks, pairs - 1 in
    pairs. Of units that take part in an estimate, at most two less than their number.

    Weights that let few units speak leave fewer: of each arm the share

    .. math:: \frac{n(q)}{n(q^0)}, \qquad n(q) = \frac{(\sum_j q_j)^2}{\sum_j q_j^2},

    at most 1, with the expected squares q, and :math:`q^0` if every person counted the same.

    Parameters
    ----------
    expected
        `expected_squares` of each unit, zero where it takes no part, shape (m, k).
    arm, block
        Of each unit, shape (m,).
    even
        The same without weights, shape (m, k); None where there are none.

    Returns
    -------
    ndarray, shape (k,)

    Examples
    --------
    >>> arm, block = np.tile([0, 1], 12), np.repeat(np.arange(6), 4)
    >>> design_degrees_of_freedom(np.ones((24, 1)), arm, block).tolist()
    [17.0]
    >>> uneven = np.repeat([[9.0], [1.0]], 12, axis=0)
    >>> design_degrees_of_freedom(uneven, arm, block, np.ones((24, 1))).round(1).tolist()
    [12.4]
    """
    present = expected > 0
    in_block = np.bincount(block)[block]
    of_blocks = (present * (1 - 1 / in_block)[:, None]).sum(axis=0)
    # Thirds and the like should add up to whole numbers.
    most = np.minimum(np.round(of_blocks - 1, 9), present.sum(axis=0) - 2)
    free = by_arm(residual_shares(arm, block, present), arm)
    if even is not None:
        free = free * np.minimum(_units_that_tell(expected, arm) / _units_that_tell(even, arm), 1.0)
    return degrees_of_freedom(by_arm(expected, arm), free, most)


def _units_that_tell(expected: FloatArray, arm: IntArray) -> FloatArray:
    """Units of each arm that, if they counted alike, would tell as much of its variance, (2, k)."""
    squares = by_arm(expected**2, arm)
    ones = np.ones_like(squares)
    return np.divide(by_arm(expected, arm) ** 2, squares, out=ones, where=squares > 0)


def words(df: float) -> str:
    """Degrees of freedom to one decimal, without a decimal that is zero.

    Examples
    --------
    >>> words(17.0), words(2.2749)
    ('17', '2.3')
    """
    return f"{round(df, 1):g}"
