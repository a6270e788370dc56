"""What a user is told of values far outside their column, and of codes for missing values."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from tauhat._typing import FloatArray
from tauhat.errors import TauhatWarning, TrialError
from tauhat.numerics.codes import codes_at_end, pair_of_values, usual_codes
from tauhat.numerics.far_values import ColumnLimits
from tauhat.wording import counted

_MOST_SHOWN = 3
# Beside so many outcomes of two values, and so far beyond them, a code is one.
_PAIRS = ([0.0, 1.0], [1.0, 2.0])
_STEPS = 2.0
_FEWEST_OTHERS = 10


class Limited(Protocol):
    """What knows the columns of a trial and their limits, with or without its rows."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns."""

    @property
    def limits(self) -> ColumnLimits | None:
        """Their limits."""


@dataclass(frozen=True)
class FarValues:
    """Values of a column that stand apart from the others on one side.

    Attributes
    ----------
    name
        The column.
    values
        The values, one for each cell.
    lowest, highest
        Ends of the others.
    read_as
        What the models take in their place; None for the values themselves.
    """

    name: str
    values: FloatArray
    lowest: float
    highest: float
    read_as: float | None = None

    @property
    def above(self) -> bool:
        """Whether they lie above the others."""
        return bool(self.values[0] > self.highest)

    @property
    def shown(self) -> str:
        """The values, each once, as far as there are few."""
        return shown(self.values)

    @property
    def text(self) -> str:
        """What was found, in a sentence without its end."""
        count = len(self.values)
        return (
            f"{counted(count, 'value')} of {self.name!r} "
            f"{'lie' if count > 1 else 'lies'} apart from the others, which go from "
            f"{number(self.lowest)} to {number(self.highest)}: {self.shown}"
        )


def shown(values: FloatArray) -> str:
    """Values, each once, as far as there are few.

    Examples
    --------
    >>> shown(np.array([99.0, 999.0, 99.0]))
    '99, 999'
    """
    distinct = np.unique(values)
    listed = ", ".join(number(value) for value in distinct[:_MOST_SHOWN].tolist())
    return listed + (" ..." if len(distinct) > _MOST_SHOWN else "")


def number(value: float) -> str:
    """A value of the data: whole numbers in full, others to six digits.

    Examples
    --------
    >>> number(9999999.0), number(-9.51234567)
    ('9999999', '-9.51235')
    """
    return f"{value:.15g}" if value == round(value) else f"{value:.6g}"


def far_values(X: FloatArray, limits: ColumnLimits, names: Sequence[str]) -> Iterator[FarValues]:
    """Values of ``X``, shape (k, p), beyond the limits of their columns, side by side."""
    below, above = limits.beyond(X)
    for j in np.flatnonzero((below | above).any(axis=0)).tolist():
        others = X[~(below[:, j] | above[:, j]), j]
        ends = float(others.min()), float(others.max())
        for beyond, read_as in ((below[:, j], limits.below[j]), (above[:, j], limits.above[j])):
            if beyond.any():
                yield FarValues(names[j], X[beyond, j], *ends, float(read_as))


def frame_within(frame: pd.DataFrame, trial: Limited) -> pd.DataFrame:
    """Covariates before encoding with far values as the models read them.

    Parameters
    ----------
    frame
        Covariates as the user knows them, n rows.
    trial
        The trial whose limits count.

    Returns
    -------
    DataFrame
        The same one where nothing is far outside.
    """
    limits = trial.limits
    if limits is None:
        return frame
    changed = {}
    for j, name in enumerate(trial.feature_names):
        if name not in frame or not is_numeric_dtype(frame[name].dtype):
            continue
        column = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)[:, None]
        within = limits.take([j]).apply(column)
        if within is not column:
            changed[name] = within[:, 0]
    return frame.assign(**changed) if changed else frame


def codes_apart(column: FloatArray, name: str) -> Iterator[FarValues]:
    """Usual codes for missing values at the ends of a column, apart from the others.

    Parameters
    ----------
    column
        Values, shape (n,).
    name
        Of the column.

    Yields
    ------
    FarValues
        See `tauhat.numerics.codes.codes_at_end`.

    Examples
    --------
    >>> score = np.r_[np.tile(np.arange(11.0), 10), -9, -9]
    >>> [found.shown for found in codes_apart(score, "score")]
    ['-9']
    >>> list(codes_apart(np.tile(np.arange(1.0, 10), 10), "answer"))
    []
    """
    for sign in (-1.0, 1.0):
        count = codes_at_end(column, sign)
        if count:
            ordered = sign * np.sort(sign * column)[::-1]
            others = ordered[count:]
            yield FarValues(name, ordered[:count], float(others.min()), float(others.max()))


def refuse_codes_beside_two(values: FloatArray, name: str) -> None:
    """Raise a `TrialError` for usual codes in an outcome that is 0 or 1, or 1 or 2, otherwise.

    Parameters
    ----------
    values
        Outcomes that are there, shape (n,).
    name
        Name of the column.

    Examples
    --------
    >>> refuse_codes_beside_two(np.r_[np.tile([0.0, 1], 50), 9, 9], "relapse")
    Traceback (most recent call last):
    tauhat.errors.TrialError: outcome column 'relapse' is 0 or 1 but for 2 rows with 9, a usual ...
    """
    coded = usual_codes(values)
    others, codes = np.unique(values[~coded]).tolist(), values[coded]
    if others not in _PAIRS or len(values) - len(codes) < _FEWEST_OTHERS:
        return
    low, high = others
    codes = codes[np.maximum(low - codes, codes - high) > _STEPS]
    if not len(codes):
        return
    raise TrialError(
        f"outcome column {name!r} is {number(low)} or {number(high)} but for "
        f"{counted(len(codes), 'row')} with {shown(codes)}, a usual code "
        "for a missing value: leave these cells empty"
    )


def third_values(column: FloatArray, name: str) -> Iterator[FarValues]:
    """Rare values of a column that otherwise has two.

    Parameters
    ----------
    column
        Values, shape (n,).
    name
        Of the column.

    Yields
    ------
    FarValues
        Those below and those above the two.

    Examples
    --------
    >>> smoker = np.r_[np.tile([0.0, 1], 50), -1, 2, 2]
    >>> [(found.shown, len(found.values)) for found in third_values(smoker, "smoker")]
    [('-1', 1), ('2', 2)]
    """
    pair = pair_of_values(column)
    if pair is None:
        return
    for beyond in (column < pair[0], column > pair[1]):
        if beyond.any():
            yield FarValues(name, column[beyond], *pair)


def within_limits(X: FloatArray, trial: Limited) -> FloatArray:
    """Covariates, shape (k, p), with values beyond the limits of a trial read as in the trial."""
    return X if trial.limits is None else trial.limits.apply(X)


def warn_of_far_values(X: FloatArray, trial: Limited, *, new: bool = False) -> None:
    """Warn of covariates beyond the limits of a trial, and say what they are read as.

    Parameters
    ----------
    X
        Covariates, shape (k, p), as given.
    trial
        The trial whose limits count.
    new
        Whether these are new persons: of columns that had such values in the
        trial itself this was said before.
    """
    limits = trial.limits
    if limits is None:
        return
    below, above = limits.beyond(X)
    sides = [(below, limits.below, limits.n_below), (above, limits.above, limits.n_above)]
    listed = [
        f"{trial.feature_names[j]!r}: {shown(X[beyond[:, j], j])} "
        f"({counted(beyond[:, j].sum(), 'time')}), read as {number(read_as[j])}"
        for beyond, read_as, known in sides
        for j in np.flatnonzero(beyond.any(axis=0) & ~(new & (known > 0))).tolist()
    ]
    if not listed:
        return
    more = f"; and {len(listed) - _MOST_SHOWN} more" if len(listed) > _MOST_SHOWN else ""
    warnings.warn(
        f"covariates far outside {'those of the trial' if new else 'all others'}: "
        f"{'; '.join(listed[:_MOST_SHOWN])}{more}. If they stand for missing values, code them "
        "as missing; if a column is measured so, give its logarithm",
        TauhatWarning,
        stacklevel=4 if new else 3,
    )
