"""P-values adjusted for the number of tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tauhat._typing import FloatArray


def holm(p_values: Sequence[float], *, planned: int | None = None) -> FloatArray:
    """P-values adjusted for their number by Holm (1979); missing ones stay.

    Parameters
    ----------
    p_values
        NaN where there is none.
    planned
        How many tests were planned, so that a test that cannot be made counts too; None for
        the p-values that there are.

    Examples
    --------
    >>> holm([0.01, np.nan, 0.04]).tolist(), holm([0.01, np.nan, 0.04], planned=3).tolist()
    ([0.02, nan, 0.04], [0.03, nan, 0.08])
    """
    p = np.asarray(p_values, dtype=np.float64)
    result = np.full(len(p), np.nan)
    order = [int(k) for k in np.argsort(p) if np.isfinite(p[k])]
    number, largest = planned or len(order), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, float(p[k]) * (number - place)))
        result[k] = largest
    return result


def closed_test(p_values: FloatArray, joint: float) -> FloatArray:
    """Adjusted p-values of a closed test, its intersections by Bonferroni but for the whole.

    Parameters
    ----------
    p_values
        Of each hypothesis, shape (k,); NaN where it was not tested.
    joint
        Of all together.

    Returns
    -------
    ndarray, shape (k,)

    Examples
    --------
    >>> closed_test(np.array([0.01, 0.3, 0.02]), 0.025).tolist()
    [0.025, 0.3, 0.04]
    """
    adjusted = np.full(len(p_values), np.nan)
    for position in np.flatnonzero(~np.isnan(p_values)):
        own = p_values[position]
        others = np.delete(p_values, position)
        others = np.sort(others[~np.isnan(others)])[::-1]
        # Of the sets of a size that hold it, that of the largest others has the largest p-value.
        sets = [own, *((k + 2) * min(own, other) for k, other in enumerate(others[:-1]))]
        adjusted[position] = min(max(*sets, joint), 1.0)
    return adjusted
