"""The trial of a loaded model: its rows checked, or what stands there when they were left out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.numerics.extremes import ColumnLimits


@dataclass(frozen=True)
class RowsLeftOut:
    """A trial without rows: it knows its columns, and says so when asked for more.

    Attributes
    ----------
    feature_names
        Names of the covariates.
    limits, largest_effect
        As in `tauhat.data.TrialData`.

    Examples
    --------
    >>> RowsLeftOut(("age",)).y
    Traceback (most recent call last):
    tauhat.errors.TrialError: this needs the rows of the trial, which the saved model does not ...
    """

    feature_names: tuple[str, ...]
    limits: ColumnLimits | None = None
    largest_effect: float = np.inf

    def __getattr__(self, name: str) -> Any:
        # Copies and pickles ask for special names that an object need not have.
        if name.startswith("__"):
            raise AttributeError(name)
        raise TrialError(
            "this needs the rows of the trial, which the saved model does not hold: "
            "it was saved with with_data=False; save it with its data, or fit it again"
        )


def check_trial(data: TrialData) -> None:
    """Raise a `ValueError` unless the arrays of a trial go together and are finite.

    Parameters
    ----------
    data
        A trial read from a file.
    """
    n, p = np.shape(data.y)[0], len(data.feature_names)
    numbers = {"X": (n, p), "y": (n,), "propensity": (n,), "sample_weight": (n,)}
    numbers["block_level"] = (n,)
    counts = {"treatment": 2, "clusters": n, "blocks": n}
    for name in (*numbers, *counts):
        values = getattr(data, name)
        if values is None and name not in ("X", "y", "treatment", "propensity"):
            continue
        kind, shape = ("i", (n,)) if name in counts else ("f", numbers[name])
        if not isinstance(values, np.ndarray) or values.dtype.kind != kind or values.shape != shape:
            raise ValueError(f"{name} of its trial is not an array of the shape {shape}")
        low, high = (0, counts[name] - 1) if name in counts else (-np.inf, np.inf)
        if name in ("propensity", "sample_weight"):
            low, high = 0, (1 if name == "propensity" else np.inf)
        if not (np.isfinite(values).all() and (low <= values).all() and (values <= high).all()):
            raise ValueError(f"{name} of its trial has values that no trial has")
    if not isinstance(data.feature_names, tuple) or not all(
        isinstance(name, str) for name in data.feature_names
    ):
        raise ValueError("the covariates of its trial have no names")
    check_bounds(data.limits, data.largest_effect, p)


def check_bounds(limits: Any, largest_effect: Any, p: int) -> None:
    """Raise a `ValueError` unless limits are those of p columns and the largest effect a number.

    Parameters
    ----------
    limits, largest_effect
        As in `tauhat.data.TrialData`, read from a file.
    p
        Number of covariates.
    """
    if type(largest_effect) is not float or not largest_effect >= 0:
        raise ValueError("the largest effect of its trial is no distance")
    if limits is None:
        return
    if not isinstance(limits, ColumnLimits):
        raise ValueError("the limits of its columns are something else")
    for field in fields(ColumnLimits):
        values = getattr(limits, field.name)
        kind = "i" if field.name.startswith("n_") else "f"
        if not isinstance(values, np.ndarray) or values.dtype.kind != kind or values.shape != (p,):
            raise ValueError(f"the limits of its columns are not an array of the shape {(p,)}")
        if np.isnan(values).any():
            raise ValueError("the limits of its columns are no numbers")
