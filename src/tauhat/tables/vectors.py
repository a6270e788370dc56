"""Arguments with one value per row, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.wording import counted


def vector(values: Any, name: str, n: int) -> AnyArray:
    """One value per row, or an error that names the argument."""
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {array.shape}")
    if len(array) != n:
        raise ValueError(f"{name} has {len(array)} values but X has {n} rows")
    return array


def label_codes(values: Any, name: str, n: int) -> IntArray:
    """Integer codes of labels of any kind, or an error when a label is missing."""
    codes, _ = pd.factorize(vector(values, name, n), use_na_sentinel=True)
    if (codes < 0).any():
        raise ValueError(f"{name} has {int((codes < 0).sum())} missing labels")
    return codes.astype(np.int64)


def columns_of(values: Any) -> list[Any]:
    """Columns of an argument that has one or several.

    Examples
    --------
    >>> len(columns_of(np.zeros((3, 2)))), columns_of([1, 2]), columns_of(None)
    (2, [[1, 2]], [])
    """
    if values is None:
        return []
    if np.ndim(values) < 2:
        return [values]
    return list(np.asarray(values, dtype=object).T)


def numeric(values: Any, name: str, n: int) -> FloatArray:
    """Finite numbers, one a row, or an error that names the argument and counts the others."""
    given = vector(values, name, n)
    try:
        array = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numeric: {error}") from error
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise ValueError(f"{name} has {count} missing or infinite values; remove these rows")
    return array


def positive(sample_weight: Any, n: int) -> FloatArray:
    """Positive numbers, one a row, or an error that counts the others."""
    weight = numeric(sample_weight, "sample_weight", n)
    if (weight <= 0).any():
        raise ValueError(
            f"sample_weight has {not_positive(weight)}; weights must be positive: leave out the "
            "rows that should not count"
        )
    return weight


def not_positive(values: FloatArray) -> str:
    """How many values are negative or zero, in words.

    Examples
    --------
    >>> not_positive(np.array([-1.0, 0, 0, 2])), not_positive(np.array([0.0, 1]))
    ('1 negative value and 2 zeros', '1 zero')
    """
    negative, zero = int((values < 0).sum()), int((values == 0).sum())
    counts = [counted(negative, "negative value"), counted(zero, "zero")]
    return " and ".join(words for words, n in zip(counts, (negative, zero), strict=True) if n)


def number_or_vector(values: Any, name: str, n: int) -> FloatArray | None:
    """One number for all of n rows, or one for each, shape (n,); None for None.

    Examples
    --------
    >>> number_or_vector(0.5, "propensity", 2).tolist()
    [0.5, 0.5]
    """
    if values is None:
        return None
    return np.full(n, float(values)) if np.ndim(values) == 0 else numeric(values, name, n)
