"""The trial of a loaded model: its rows checked, or what stands there when they were left out."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from tauhat.data import TrialData
from tauhat.design import ClustersOverPeriods, Design
from tauhat.design.periods import UNSEEN
from tauhat.endpoint import Endpoint, MissingOutcomes
from tauhat.errors import TrialError
from tauhat.learning import LearningView
from tauhat.numerics.far_values import ColumnLimits


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
    _check_array("X", data.X, (n, p))
    _check_array("measured", data.measured, (n, k))
    _check_array("rows", data.rows, (n,), "i", 0, 2**53)
    if data.sample_weight is not None:
        _check_array("sample_weight", data.sample_weight, (n,), low=0)
    view = data.learning
    if isinstance(view, LearningView):
        _check_array("outcome", view.outcome, (n,))
        if view.block_level is not None:
            _check_array("block_level", view.block_level, (n,))
        _check_array("X before", view.X, (n, p))
        if view.curvature is not None:
            _check_array("curvature", view.curvature, (n,))
    elif view is not None:
        raise ValueError("what learners see of its trial is something else")
    _check_design(data.design, n)
    if not isinstance(data.feature_names, tuple) or not all(
        isinstance(name, str) for name in data.feature_names
    ):
        raise ValueError("the covariates of its trial have no names")
    check_limits(data.limits, p)
    check_endpoint(data.endpoint)
    if data.endpoint.follow_up is not None and k != 3:
        raise ValueError("its trial lacks the times that its outcome is made of")
    if data.missing is not None:
        if not isinstance(data.missing, MissingOutcomes):
            raise ValueError("who lacks an outcome in its trial is something else")
        _check_array("observed", data.missing.observed, (n,), "b")
        _check_array("auxiliary", data.missing.auxiliary, (n, np.shape(data.missing.auxiliary)[-1]))


def _check_design(design: Any, n: int) -> None:
    if not isinstance(design, Design):
        raise ValueError("the design of its trial is something else")
    m, n_arms = np.size(design.arm), 2
    if isinstance(design, ClustersOverPeriods):
        # What a cluster was randomized to is a sequence of arms.
        n_arms, n_periods = np.shape(design.schedule)
        _check_array("schedule", design.schedule, (n_arms, n_periods), "i", UNSEEN, 1)
        _check_array("period", design.period, (n,), "i", 0, n_periods - 1)
    _check_array("unit", design.unit, (n,), "i", 0, m - 1)
    _check_array("arm", design.arm, (m,), "i", 0, n_arms - 1)
    _check_array("block", design.block, (m,), "i", 0, m - 1)
    _check_array("probability", design.probability, (m, n_arms), "f", 0, 1)
    if len(np.unique(design.unit)) < m or len(np.unique(design.block)) <= design.block.max():
        raise ValueError("its trial has units or blocks of nobody")


def _check_array(
    name: str,
    values: Any,
    shape: tuple[int, ...],
    kind: str = "f",
    low: float = -np.inf,
    high: float = np.inf,
) -> None:
    """Raise a `ValueError` unless values are a finite array of a shape between two limits."""
    if not isinstance(values, np.ndarray) or values.dtype.kind != kind or values.shape != shape:
        raise ValueError(f"{name} of its trial is not an array of the shape {shape}")
    if not (np.isfinite(values).all() and (low <= values).all() and (values <= high).all()):
        raise ValueError(f"{name} of its trial has values that no trial has")


def check_endpoint(endpoint: Any) -> None:
    """Raise a `ValueError` unless an endpoint read from a file is one of ours."""
    if not isinstance(endpoint, Endpoint):
        raise ValueError("the endpoint of its trial is something else")
    endpoint.check()


def check_limits(limits: Any, p: int) -> None:
    """Raise a `ValueError` unless limits read from a file are those of p columns, or None."""
    if limits is None:
        return
    if not isinstance(limits, ColumnLimits):
        raise ValueError("the limits of its columns are something else")
    for part in fields(ColumnLimits):
        values = getattr(limits, part.name)
        kind = "i" if part.name.startswith("n_") else "f"
        if not isinstance(values, np.ndarray) or values.dtype.kind != kind or values.shape != (p,):
            raise ValueError(f"the limits of its columns are not an array of the shape {(p,)}")
        if np.isnan(values).any():
            raise ValueError("the limits of its columns are no numbers")
