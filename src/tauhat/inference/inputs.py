"""What the functions of this room accept: a trial as arrays, or anything that unpacks to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.comparable_rows import order_comparable
from tauhat.data import (
    TrialData,
    check_covariates,
    validate_trial,
)
from tauhat.trial import Trial

# What a trial unpacks to, and what every function of this room takes.
TrialLike = TrialData | Iterable[Any]


@dataclass(frozen=True)
class OrderedTrial:
    """A trial in canonical order, with the way back to the user's rows and labels.

    Attributes
    ----------
    data
        The validated arrays.
    unit_labels
        The user's label of each randomized unit: cluster labels, or row
        numbers when persons were randomized, shape (m,).
    sources
        The user's column behind each encoded covariate, in the order of ``data.X``.
    marks
        Which encoded covariates mark missing values, shape (p,). They help to
        predict the outcome; nobody means them as effect modifiers.
    """

    data: TrialData
    unit_labels: AnyArray
    sources: tuple[str, ...]
    marks: BoolArray


def as_trial_data(trial: TrialLike) -> TrialData:
    """Arrays of a trial in canonical order.

    Parameters
    ----------
    trial
        A `tauhat.data.TrialData`, a `tauhat.Trial`, or any iterable of X, y,
        treatment and optionally clusters, sample_weight, blocks, propensity.

    Returns
    -------
    TrialData

    Raises
    ------
    ValueError
        If the arrays do not describe a trial.

    Examples
    --------
    >>> X = np.arange(4.0)[:, None]
    >>> as_trial_data((X, [1.0, 2.0, 3.0, 5.0], [0, 1, 0, 1])).n
    4
    """
    if isinstance(trial, TrialData):
        return trial
    return trial.data if isinstance(trial, Trial) else validate_trial(*trial)


def ordered_trial(trial: TrialLike) -> OrderedTrial:
    """A trial in canonical order together with labels and source columns.

    Examples
    --------
    >>> X = np.array([[1.0], [0.0], [1.0], [0.0], [3.0], [2.0], [3.0], [2.0]])
    >>> ordered = ordered_trial((X, np.arange(8.0), [0] * 4 + [1] * 4, list("bbaaddcc")))
    >>> ordered.unit_labels.tolist(), ordered.sources
    (['b', 'a', 'd', 'c'], ('x1',))
    """
    if isinstance(trial, TrialData):
        nothing = np.zeros(len(trial.feature_names), dtype=bool)
        return OrderedTrial(trial, np.arange(trial.n_units), trial.feature_names, nothing)
    parts = tuple(trial)
    data = as_trial_data(trial)
    labels: AnyArray
    order = row_order(parts)
    if data.clusters is None:
        labels = order
    else:
        first = np.unique(data.clusters, return_index=True)[1]
        labels = np.asarray(parts[3])[order][first]
    known = source_columns(trial)
    marked = missing_marks(trial)
    return OrderedTrial(
        data,
        labels,
        tuple(known.get(name, name) for name in data.feature_names),
        np.array([name in marked for name in data.feature_names], dtype=bool),
    )


def source_columns(trial: TrialLike) -> Mapping[str, str]:
    """The user's column behind each encoded column, as far as the trial knows it."""
    encoder = getattr(trial, "encoder_", None)
    sources = getattr(encoder, "sources_", None)
    return {str(k): str(v) for k, v in sources.items()} if isinstance(sources, Mapping) else {}


def missing_marks(trial: TrialLike) -> frozenset[str]:
    """Encoded columns that mark missing values, as far as the trial knows them."""
    columns = getattr(getattr(trial, "encoder_", None), "columns_", ())
    marks = (getattr(column, "indicator", None) for column in columns)
    return frozenset(str(mark) for mark in marks if mark)


def row_order(parts: TrialData | tuple[Any, ...]) -> IntArray:
    """Position in the user's table of each row of the canonical order.

    Rows of blocks with one arm only are not among them.

    Examples
    --------
    >>> row_order((np.array([[2.0], [1.0]]), [0.0, 0.0], [0, 1])).tolist()
    [1, 0]
    """
    if isinstance(parts, TrialData):
        return np.arange(parts.n)
    X: FloatArray = check_covariates(parts[0])
    y = np.asarray(parts[1], dtype=np.float64).reshape(len(X))
    arms = np.asarray(parts[2], dtype=np.int64).reshape(len(X))
    clusters = parts[3] if len(parts) > 3 else None
    blocks = parts[5] if len(parts) > 5 else None
    codes, block_codes = (
        None if labels is None else pd.factorize(np.asarray(labels))[0].astype(np.int64)
        for labels in (clusters, blocks)
    )
    return order_comparable(X, y, arms, codes, block_codes)[0]
