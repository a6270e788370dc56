"""Sample weights, of which only the ratios matter."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray

# Means closer to one than this are one.
_ROUNDING = 1e-12
# Bits kept of a weight that was divided, so that the same weights in other units are the same
# numbers: engines that break ties by the last digit would otherwise grow another model.
_BITS = 2.0**36


def mean_one(weight: FloatArray) -> FloatArray:
    """Weights divided by their mean; weights of mean one as they are.

    Parameters
    ----------
    weight
        Positive weights, shape (n,).

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> mean_one(np.array([2.0, 6.0])).tolist()
    [0.5, 1.5]
    """
    largest = float(weight.max())
    mean = largest * float((weight / largest).mean())
    if abs(mean - 1) <= _ROUNDING:
        return weight
    scaled: FloatArray = (weight / largest) / (weight / largest).mean()
    return scaled


def relative_weights(weight: FloatArray) -> FloatArray | None:
    """Weights of mean one, the same numbers whatever units they came in.

    Parameters
    ----------
    weight
        Positive weights, shape (n,).

    Returns
    -------
    ndarray, shape (n,), or None
        None where all rows weigh the same, which is to have no weights.

    Examples
    --------
    >>> w = np.array([1.0, 2.0, 4.0])
    >>> bool((relative_weights(1e-4 * w) == relative_weights(1e4 * w)).all())
    True
    >>> relative_weights(np.full(3, 0.1)) is None
    True
    """
    if np.ptp(weight) <= _ROUNDING * weight.max():
        return None
    scaled = mean_one(weight)
    if scaled is weight:
        return weight
    mantissa, exponent = np.frexp(scaled)
    rounded: FloatArray = np.ldexp(np.round(mantissa * _BITS) / _BITS, exponent)
    return rounded
