"""What the functions of this room accept: a trial as arrays, or anything that unpacks to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tauhat._typing import AnyArray, BoolArray, IntArray
from tauhat.data import TrialData, validate_trial
from tauhat.errors import TrialError
from tauhat.trial.trial import Trial

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
    rows
        Position of each row of ``data`` in what was given, shape (n,). Rows of blocks
        with one arm only are not among them.
    """

    data: TrialData
    unit_labels: AnyArray
    sources: tuple[str, ...]
    marks: BoolArray
    rows: IntArray


def refuse_no_trial(trial: Any, *, arrays: bool = True) -> None:
    """Raise a `TrialError` where something else was given in place of a trial.

    Parameters
    ----------
    trial
        What was given.
    arrays
        Whether arrays will do as well, in their order.

    Examples
    --------
    >>> refuse_no_trial({"y": [1.0, 2.0]})
    Traceback (most recent call last):
    tauhat.errors.TrialError: this needs a Trial, got a dict: th.Trial(df, outcome=..., ...
    """
    if isinstance(trial, Trial) or (arrays and isinstance(trial, (TrialData, tuple, list))):
        return
    table = isinstance(trial, (str, Path, Mapping, np.ndarray)) or hasattr(trial, "columns")
    if table or not arrays or not isinstance(trial, Iterable):
        raise TrialError(
            f"this needs a Trial, got a {type(trial).__name__}: "
            "th.Trial(df, outcome=..., treatment=..., cluster=...) makes one of a table"
        )


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
    refuse_no_trial(trial)
    if isinstance(trial, TrialData):
        return trial
    return trial.data if isinstance(trial, Trial) else validate_trial(*trial)


def refuse_over_periods(data: TrialData, what: str) -> None:
    """Raise a `TrialError` where clusters change their arm over periods, which is not supported.

    Parameters
    ----------
    data
        The trial.
    what
        What is not supported, in words.
    """
    if data.design.fixed_effects.shape[1]:
        raise TrialError(
            f"{what} not supported with period= yet: average effects, the test, effects by "
            "exposure time and the models LMM, GAMM and BRM are"
        )


def counted_data(trial: TrialLike) -> TrialData:
    """Arrays of everyone who counts in averages and tests, in canonical order.

    Those of `as_trial_data`; of a `tauhat.Trial` also persons who lack an outcome
    (`Trial.enrolled_data`).

    Examples
    --------
    >>> X = np.arange(4.0)[:, None]
    >>> counted_data((X, [1.0, 2.0, 3.0, 5.0], [0, 1, 0, 1])).n
    4
    """
    return trial.enrolled_data if isinstance(trial, Trial) else as_trial_data(trial)


def ordered_trial(trial: TrialLike, *, counted: bool = False) -> OrderedTrial:
    """A trial in canonical order together with labels and source columns.

    With ``counted``, of everyone who counts in averages and tests (`counted_data`).

    Examples
    --------
    >>> X = np.array([[1.0], [0.0], [1.0], [0.0], [3.0], [2.0], [3.0], [2.0]])
    >>> ordered = ordered_trial((X, np.arange(8.0), [0] * 4 + [1] * 4, list("bbaaddcc")))
    >>> ordered.unit_labels.tolist(), ordered.sources
    (['b', 'a', 'd', 'c'], ('x1',))
    """
    data = counted_data(trial) if counted else as_trial_data(trial)
    # What was given may be validated arrays, or some of their rows.
    rows = np.arange(data.n) if isinstance(trial, TrialData) else data.rows
    return with_sources(trial, data, data.unit_labels, rows)


def with_sources(
    trial: TrialLike, data: TrialData, unit_labels: AnyArray, rows: IntArray
) -> OrderedTrial:
    """Arrays made of a trial, with what it knows of its columns."""
    known, marked = source_columns(trial), missing_marks(trial)
    return OrderedTrial(
        data,
        unit_labels,
        tuple(known.get(name, name) for name in data.feature_names),
        np.array([name in marked for name in data.feature_names], dtype=bool),
        rows,
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
