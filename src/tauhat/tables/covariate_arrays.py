"""Covariates as arrays, checked against those that a model has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray


def check_covariates(X: Any, expected_names: Sequence[str] | None = None) -> FloatArray:
    """Covariates as a float array, or an error that names the column at fault.

    Parameters
    ----------
    X
        DataFrame or array, shape (n, p).
    expected_names
        Columns seen in the fit; a DataFrame must have them in this order.

    Returns
    -------
    ndarray, shape (n, p)

    Raises
    ------
    ValueError
        On missing or infinite values, text, wrong shape or wrong columns.
    """
    if hasattr(X, "to_native") and not isinstance(X, pd.DataFrame):
        X = X.to_native()
    if hasattr(X, "columns") and hasattr(X, "to_pandas"):
        X = X.to_pandas()
    names: list[str]
    if isinstance(X, pd.DataFrame):
        names = [str(column) for column in X.columns]
        if expected_names is not None and names != list(expected_names):
            missing = [name for name in expected_names if name not in names]
            extra = [name for name in names if name not in set(expected_names)]
            raise ValueError(
                "the columns of X differ from those of the fit: "
                f"missing {missing}, unexpected {extra}; trial.encode(table) makes them of a table "
                "with the trial's columns"
                if missing or extra
                else "the columns of X are in another order than in the fit; "
                f"use X[{list(expected_names)!r}]"
            )
        for column, name in zip(X.columns, names, strict=True):
            kind = X[column].dtype if X.columns.is_unique else None
            if kind is not None and not (
                pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)
            ):
                raise ValueError(
                    f"column {name!r} of X is not numeric (it is {kind}); "
                    "make a tauhat.Trial, which encodes categories, and use trial.X"
                )
        array = X.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        try:
            array = np.asarray(X, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"X must be a numeric array or DataFrame: {error}") from error
        if array.ndim != 2:
            raise ValueError(f"X must have two dimensions, got shape {array.shape}")
        names = (
            list(expected_names)
            if expected_names is not None and len(expected_names) == array.shape[1]
            else [f"x{j + 1}" for j in range(array.shape[1])]
        )
        if expected_names is not None and array.shape[1] != len(expected_names):
            raise ValueError(f"X has {array.shape[1]} columns, the fit had {len(expected_names)}")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(f"X is empty: it has {array.shape[0]} rows and {array.shape[1]} columns")
    bad = ~np.isfinite(array)
    if bad.any():
        j = int(np.flatnonzero(bad.any(axis=0))[0])
        what = "missing (NaN)" if np.isnan(array[:, j]).any() else "infinite"
        raise ValueError(
            f"column {names[j]!r} of X has {int(bad[:, j].sum())} {what} values; "
            "make a tauhat.Trial, which fills them in, or remove these rows"
        )
    return np.ascontiguousarray(array)


def column_names(X: Any) -> tuple[str, ...]:
    """Names of the columns of ``X``: its own, or x1, x2, ... for an array."""
    if hasattr(X, "columns"):
        return tuple(str(column) for column in X.columns)
    return tuple(f"x{j + 1}" for j in range(np.shape(X)[1]))
