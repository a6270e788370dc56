"""Log variances between zero and too large, and where repeated updates of them lead."""

from __future__ import annotations

from typing import Final

import numpy as np

from tauhat._typing import FloatArray

#: Logs of the least and the largest variance on the log odds scale. A block of the least is off:
#: its standard deviation is .003. The largest would let it decide every outcome.
LOWEST: Final = float(np.log(1e-5))
HIGHEST: Final = float(np.log(25.0))
_LEAST_VARIANCE = 1e-300
# The largest factor by which an update is thought to repeat the one before, the longest jump.
_REPEATS, _JUMP = 0.9, 1.5


def log_variances(variances: FloatArray) -> FloatArray:
    """Logs of variances, within what is allowed.

    Examples
    --------
    >>> np.exp(log_variances(np.array([0.0, 1.0, 100.0]))).round(6).tolist()
    [1e-05, 1.0, 25.0]
    """
    logs: FloatArray = np.clip(np.log(np.maximum(variances, _LEAST_VARIANCE)), LOWEST, HIGHEST)
    return logs


def extrapolated(zero: FloatArray, one: FloatArray, two: FloatArray) -> FloatArray:
    """Log variances to which two updates point, within what is allowed.

    Updates shrink by much the same factor each time, so those to come have a sum; where
    they go to and fro it lies between them.

    Parameters
    ----------
    zero, one, two
        Log variances before, between and after the updates.

    Examples
    --------
    >>> extrapolated(np.array([0.0]), np.array([-0.5]), np.array([-0.75])).tolist()
    [-1.0]
    """
    first, second = one - zero, two - one
    repeats = np.clip(second / np.where(first == 0, 1.0, first), -_REPEATS, _REPEATS)
    jump = np.clip(second * repeats / (1 - repeats), -_JUMP, _JUMP)
    new: FloatArray = np.clip(two + jump, LOWEST, HIGHEST)
    return new


def shown(logs: FloatArray) -> FloatArray:
    """Variances, 0 for those that are off.

    Examples
    --------
    >>> shown(log_variances(np.array([0.0, 1.0]))).tolist()
    [0.0, 1.0]
    """
    variances: FloatArray = np.where(logs <= LOWEST + 1e-9, 0.0, np.exp(logs))
    return variances
