"""The column of sample weights."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tauhat._typing import BoolArray, FloatArray
from tauhat.errors import TrialError
from tauhat.tables.columns import missing_values, numeric_values
from tauhat.tables.vectors import not_positive


def weight_values(column: pd.Series[Any], observed: BoolArray) -> FloatArray:
    """Sample weights of the persons with an outcome.

    Parameters
    ----------
    column
        Numbers, shape (n,).
    observed
        Who has an outcome, shape (n,); others need no weight.

    Returns
    -------
    ndarray, shape (k,)
        Positive and finite.

    Raises
    ------
    TrialError
        If a weight is missing, zero or negative, or no number.

    Examples
    --------
    >>> import numpy as np
    >>> weights = pd.Series([2.0, None, 1.0], name="w")
    >>> weight_values(weights, np.array([True, False, True])).tolist()
    [2.0, 1.0]
    >>> weight_values(weights, np.ones(3, dtype=bool))
    Traceback (most recent call last):
    tauhat.errors.TrialError: weight column 'w' is missing for 1 of 3 persons with an outcome; ...
    """
    name, column = column.name, column[observed]
    missing = int(missing_values(column).sum())
    if missing:
        raise TrialError(
            f"weight column {name!r} is missing for {missing} of {len(column)} persons with an "
            "outcome; fill it in, or leave out the rows that should not count"
        )
    values = numeric_values(column, str(name))
    if (values <= 0).any():
        raise TrialError(
            f"weight column {name!r} has {not_positive(values)}; weights must be positive: leave "
            "out the rows that should not count"
        )
    return values


def effective_size(weight: FloatArray) -> float:
    r"""Number of equally weighted persons that tell as much about a mean.

    .. math:: \Big(\sum_i w_i\Big)^2 \Big/ \sum_i w_i^2

    Parameters
    ----------
    weight
        Positive, shape (n,).

    References
    ----------
    Kish (1965), Survey Sampling, section 8.2.

    Examples
    --------
    >>> import numpy as np
    >>> round(effective_size(np.array([1.0, 1.0, 2.0])), 2)
    2.67
    """
    relative = weight / weight.max()
    return float(relative.sum() ** 2 / (relative**2).sum())
