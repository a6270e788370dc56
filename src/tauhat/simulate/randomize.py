"""Complete randomization of persons or clusters to two arms or several."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray, IntArray

_LEAST_UNITS = 2


def randomize(units: int, share_treated: float, rng: np.random.Generator) -> IntArray:
    """Complete randomization: fixed arm sizes, every unit treated with the same probability.

    Parameters
    ----------
    units
        Number of persons or clusters, at least 2.
    share_treated
        Probability of treatment. When ``units * share_treated`` is not whole,
        the number of treated units is one of its neighbours, by chance, so
        that the probability is exact; both arms always get a unit.
    rng
        Generator.

    Returns
    -------
    ndarray, shape (units,)
        0 or 1.

    Raises
    ------
    ValueError
        If ``share_treated`` is not strictly between 0 and 1 or there are
        fewer than 2 units.

    Examples
    --------
    >>> int(randomize(10, 0.5, np.random.default_rng(1)).sum())
    5
    """
    if not 0.0 < share_treated < 1.0:
        raise ValueError(f"share_treated must lie strictly between 0 and 1, got {share_treated}")
    if units < 2:
        raise ValueError(f"two arms need at least 2 units to randomize, got {units}")
    whole = round(units * share_treated, 9)
    treated = int(whole) + int(rng.random() < whole - int(whole))
    treated = min(max(treated, 1), units - 1)
    arm = np.zeros(units, dtype=np.int64)
    arm[rng.permutation(units)[:treated]] = 1
    return arm


def allocate(units: int, shares: FloatArray, rng: np.random.Generator) -> IntArray:
    """Complete randomization to several arms, every unit to each with its probability.

    Parameters
    ----------
    units
        Number of persons or clusters.
    shares
        Probability of each arm; where ``units`` times it is not whole, the arm has one of the
        neighbours, by chance.
    rng
        Generator.

    Returns
    -------
    ndarray, shape (units,)

    Raises
    ------
    ValueError
        If an arm would have fewer than 2 units.

    Examples
    --------
    >>> np.bincount(allocate(9, np.full(3, 1 / 3), np.random.default_rng(1))).tolist()
    [3, 3, 3]
    """
    ends = np.floor(np.round(np.r_[0.0, np.cumsum(shares)] * units, 9) + rng.random())
    sizes = np.diff(ends).astype(np.int64)
    if sizes.min() < _LEAST_UNITS:
        raise ValueError(
            f"{units} units are too few for {len(shares)} arms: each needs {_LEAST_UNITS}"
        )
    arm: IntArray = rng.permutation(np.repeat(np.arange(len(shares)), sizes))
    return arm
