"""The trial of a loaded model: its rows checked, or what stands there when they were left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tauhat.data import LearningView, TrialData
from tauhat.endpoint import Endpoint
from tauhat.errors import TrialError
from tauhat.numerics.extremes import ColumnLimits


@dataclass(frozen=True)
class RowsLeftOut:
    """A trial without rows: it knows its columns, and says so when asked for more.

    Attributes
    ----------
    feature_names
        Names of the covariates.
    limits, endpoint
        As in `tauhat.data.TrialData`.

    Examples
    --------
    >>> RowsLeftOut(("age",)).y
    Traceback (most recent call last):
    tauhat.errors.TrialError: this needs the rows of the trial, which the saved model does not ...
    """

    feature_names: tuple[str, ...]
    limits: ColumnLimits | None = None
    endpoint: Endpoint = field(default_factory=Endpoint)

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
    (n, k), p = np.shape(data.measured), len(data.feature_names)
    numbers = {"X": (n, p), "measured": (n, k), "propensity": (n,), "sample_weight": (n,)}
    counts = {"treatment": 2, "clusters": n, "blocks": n, "rows": 2**53}
    arrays = {name: getattr(data, name) for name in (*numbers, *counts)}
    view = data.learning
    if isinstance(view, LearningView):
        numbers |= {"outcome": (n,), "block_level": (n,), "X before": (n, p)}
        arrays |= {"outcome": view.outcome, "block_level": view.block_level, "X before": view.X}
    elif view is not None:
        raise ValueError("what learners see of its trial is something else")
    for name, values in arrays.items():
        if values is None and name in ("sample_weight", "clusters", "blocks", "block_level"):
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
    check_endpoint(data.endpoint)


def check_endpoint(endpoint: Any) -> None:
    """Raise a `ValueError` unless an endpoint read from a file is one of ours."""
    if not isinstance(endpoint, Endpoint):
        raise ValueError("the endpoint of its trial is something else")
    endpoint.check()
