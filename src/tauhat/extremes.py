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
from tauhat.errors import TauhatWarning
from tauhat.numerics.extremes import ColumnLimits, robust_scale

# Codes of surveys and laboratory systems: refused, does not know, does not apply, missing.
_CODES = frozenset(
    {-1.0}
    | {s * float(d * n) for s in (1, -1) for d in "789" for n in range(1, 9)}
    | {s * float("9" * n + d) for s in (1, -1) for d in "678" for n in range(1, 4)}
)
# Chance of a gap like this before a code, if the column had an exponential tail.
_CHANCE = 0.005
# A gap before a code is this many times as wide as any other gap.
_WIDER = 1.5
_FEWEST_OTHERS = 10
_SOME_VARIETY = 5
_MOST_SHOWN = 3


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
    def shown(self) -> str:
        """The values, each once, as far as there are few."""
        return shown(self.values)

    @property
    def text(self) -> str:
        """What was found, in a sentence without its end."""
        count = len(self.values)
        return (
            f"{count} value{'s' if count > 1 else ''} of {self.name!r} "
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
    r"""Usual codes for missing values at the ends of a column, apart from the others.

    A code counts when the gap g before it is half as wide again as any between
    the others, and one that their own tail does not explain: with the mean
    excess e of their k outermost over the next, at least a third of a robust
    standard deviation, and j codes,

    .. math:: \{1 + j g / (k e)\}^{-k} < .005

    as the gap before the largest of a sample with an exponential tail. Negative
    codes count also when all else, of at least five different values, is not negative.

    Parameters
    ----------
    column
        Values, shape (n,).
    name
        Of the column.

    Yields
    ------
    FarValues

    Examples
    --------
    >>> score = np.r_[np.tile(np.arange(11.0), 10), -9, -9]
    >>> [found.shown for found in codes_apart(score, "score")]
    ['-9']
    >>> list(codes_apart(np.tile(np.arange(1.0, 10), 10), "answer"))
    []
    """
    for sign in (-1.0, 1.0):
        ordered = np.sort(sign * column)[::-1]
        best = 0
        end = 0
        while end < len(ordered) // 2 and sign * ordered[end] in _CODES:
            end = int((ordered >= ordered[end]).sum())
            others = ordered[end:]
            if end < len(ordered) and (
                _apart(others, ordered[end - 1], end)
                or (sign < 0 and _never_negative(-others) and ordered[end - 1] > 0)
            ):
                best = end
        if best:
            others = sign * ordered[best:]
            ends = float(others.min()), float(others.max())
            yield FarValues(name, sign * ordered[:best], *ends)


def _never_negative(others: FloatArray) -> bool:
    """Whether values of some variety are all 0 or more."""
    return others.min() >= 0 and len(np.unique(others)) >= _SOME_VARIETY


def _apart(others: FloatArray, nearest: float, count: int) -> bool:
    """Whether the gap between the largest of the others and ``count`` codes is too wide."""
    k = min(max(10, len(others) // 10), len(others) // 2)
    if len(others) < _FEWEST_OTHERS or others[0] == others[-1]:
        return False
    scale = robust_scale(np.abs(others - np.median(others)))
    excess = max(float((others[:k] - others[k]).mean()), scale / 3)
    if nearest - others[0] <= _WIDER * float(-np.diff(others).min()):
        return False
    return bool((1 + count * (nearest - others[0]) / (k * excess)) ** -k < _CHANCE)


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
        f"({beyond[:, j].sum()} times), read as {number(read_as[j])}"
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
