"""Numbers of units that lie in others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, IntArray


def nested_codes(unit: IntArray, within: Sequence[AnyArray]) -> tuple[IntArray, ...]:
    """Numbers of the units of levels that lie in others.

    Parameters
    ----------
    unit
        Randomized unit of each row, shape (n,).
    within
        Labels of each level within it, outermost first, shape (n,) each.

    Examples
    --------
    >>> provider = np.array(["1", "2", "1", "1"])
    >>> nested_codes(np.array([0, 0, 1, 1]), [provider])[0].tolist()
    [0, 1, 2, 2]
    """
    found: list[IntArray] = []
    outer = unit
    for labels in within:
        codes = pd.factorize(labels)[0].astype(np.int64)
        outer = pd.factorize(outer * (codes.max() + 1) + codes)[0].astype(np.int64)
        found.append(outer)
    return tuple(found)
