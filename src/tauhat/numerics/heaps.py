"""Values that a column holds far more often than any value near them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import pdtrc

from tauhat._typing import FloatArray
from tauhat.numerics.codes import FEW_LEVELS, usual_codes

_FEWEST = 50
# Chance that a code's count is one of a column without it.
_CHANCE = 1e-5
_NEAR = 3
# A heap of other values, and the share of the rows that have a value among many.
_SHARE = 0.02
_SHARE_OF_MANY = 0.005
_FEWEST_IN_HEAP = 10
_TIMES = 5
_MANY = 50
# Single digits are values as often as codes.
_LEAST_CODE = 10


@dataclass(frozen=True)
class Heap:
    """A value that is too frequent.

    Attributes
    ----------
    value, count
        The value and how many rows have it.
    kind
        A usual ``code`` for a missing value among the others, ``inside`` for any other value
        among them, ``low`` or ``high`` at an end.
    varied
        Whether most rows have another value that two rows or one in 200 have at most; at an
        end also where there are more than fifty values.
    """

    value: float
    count: int
    kind: Literal["code", "inside", "low", "high"]
    varied: bool


def heaps(column: FloatArray) -> list[Heap]:
    r"""Values of a column of many that are far more frequent than those beside them.

    A usual code for a missing value among the others counts when its count c is too large for
    the largest count l of the three values on either side, :math:`P(N \ge c) < 10^{-5}` for a
    Poisson variable of mean 1.5 l + 1. Any other value but 0 does when so many are not by chance
    either, ten rows and a fiftieth of all have it, and five times as many as any of those.

    Parameters
    ----------
    column
        Values, shape (n,).

    Examples
    --------
    >>> change = np.random.default_rng(1).normal(-5, 10, 400).round(1)
    >>> [(h.value, h.kind) for h in heaps(np.r_[change, np.repeat(-9.0, 30)])]
    [(-9.0, 'code')]
    >>> limit = heaps(np.maximum(change, -15))
    >>> [(h.value, h.kind) for h in limit], heaps(change)
    ([(-15.0, 'low')], [])
    """
    values, counts = np.unique(column, return_counts=True)
    n = len(column)
    if n < _FEWEST or len(values) <= FEW_LEVELS:
        return []
    beside = np.pad(counts, _NEAR)
    shifts = [k for k in range(2 * _NEAR + 1) if k != _NEAR]
    largest = np.max([beside[k : k + len(counts)] for k in shifts], axis=0)
    at_end = np.zeros(len(values), dtype=bool)
    at_end[[0, -1]] = True
    codes = usual_codes(values) & ((values < 0) | (values >= _LEAST_CODE)) & ~at_end
    unlikely = pdtrc(counts - 1.0, 1.5 * largest + 1) < _CHANCE
    codes &= (counts >= _TIMES) & unlikely
    frequent = (counts >= max(_FEWEST_IN_HEAP, _SHARE * n)) & (counts >= _TIMES * largest)
    frequent &= unlikely
    found = []
    for k in np.flatnonzero(codes | frequent):
        others = np.delete(counts, k)
        varied = bool(np.median(np.repeat(others, others)) <= max(2, _SHARE_OF_MANY * n))
        value, count = float(values[k]), int(counts[k])
        if codes[k]:
            found.append(Heap(value, count, "code", varied))
        elif at_end[k]:
            many = varied or len(values) > _MANY
            found.append(Heap(value, count, "high" if k else "low", many))
        elif value != 0:
            found.append(Heap(value, count, "inside", varied))
    return found
