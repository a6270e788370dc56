"""Columns that tell persons or rows apart and measure nothing: by their names and their numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tauhat._typing import AnyArray, FloatArray
from tauhat.trial.later_names import name_words

# Names made of these words say that a column tells persons apart: at least one of the first ...
_PERSON = (
    r"person|patient|subject|participant|respondent|usubj|subj|volunteer|proband|pupil|child|woman"
    r"|student|infant|client|member|(?:pt|pat|pp|p|s|record|study|enrol(?:lment)?)id|ppt|mrn"
)
_NUMBER = r"(?:study|trial|identifier|id|no|nr|num|number|code|key)"
_PERSONS = re.compile(
    rf"(?:unique|study|trial|screening|rand(?:omi[sz]ation)?|anon)*(?:{_PERSON}){_NUMBER}*"
)
# ... and these that it tells something apart, or one row of a person from the next.
_IDENTIFIER = frozenset({"id", "uid", "identifier", "key", "nr", "record", "code", "number"})
_NUMBERED = re.compile(
    rf"(?:screening|rand(?:omi[sz]ation)?|enrol(?:l?ment)?|case|record|row|obs|sample|form|crf"
    rf"|running|serial|sequence|seq|index|unnamed)*(?:{_NUMBER}|index|seq|row|unnamed)+"
)

_FEW_ROWS = 20
# Among those that differ by one step or not at all, a third of the pairs are equal where values
# are measured, since neighbouring values are about as frequent: so few are not by chance.
_EQUAL = 1 / 3
_CHANCE = 1e-3
_NEARLY_ALL = 0.95
_IN_ORDER = 0.98


def names_persons(name: str) -> bool:
    """Whether a name says that a column tells persons apart.

    Examples
    --------
    >>> [names_persons(name) for name in ("patient_no", "USUBJID", "pidnum", "age", "id")]
    [True, True, True, False, False]
    """
    return _PERSONS.fullmatch("".join(name_words(name))) is not None


def names_something(name: str) -> bool:
    """Whether a name says that a column tells something apart.

    Examples
    --------
    >>> [names_something(name) for name in ("record_id", "nr", "age")]
    [True, True, False]
    """
    return not _IDENTIFIER.isdisjoint(name_words(name))


def why_identifier(
    column: pd.Series[Any], name: str, groups: Sequence[tuple[str, AnyArray]] = ()
) -> str:
    """Why a column of whole numbers looks like an identifier, to follow its name; else empty.

    Of nearly all rows the number differs, and they follow the order of the rows, or are so dense
    that measured values would repeat, or the column's name says that it numbers something.

    Parameters
    ----------
    column
        Values, shape (n,).
    name
        Of the column.
    groups
        Column and labels, shape (n,), of clusters or blocks in which persons may be numbered anew.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> why_identifier(pd.Series(rng.permutation(300) + 1), "x")
    'has a different whole number in every row, and too close ones to be measured'
    >>> why_identifier(pd.Series(np.sort(rng.choice(10**6, 300, replace=False))), "x")
    'has a different whole number in every row, in the order of the rows'
    >>> why_identifier(pd.Series(rng.integers(0, 10**6, 300)), "steps")
    ''
    >>> why_identifier(pd.Series(rng.integers(0, 10**6, 300)), "study_no")
    'has a different whole number in every row, and the name of an identifier'
    """
    numbers = _whole_numbers(column)
    if numbers is None or len(numbers) < _FEW_ROWS:
        return ""
    values, counts = np.unique(numbers, return_counts=True)
    if len(values) < _NEARLY_ALL * len(numbers):
        return _within_groups(column, name, groups)
    rows = "every row" if len(values) == len(column) else "nearly every row"
    what = f"has a different whole number in {rows}"
    rising = (np.diff(numbers) > 0).mean()
    if max(rising, 1 - rising) >= _IN_ORDER:
        return f"{what}, in the order of the rows"
    if _too_dense(values, counts):
        return f"{what}, and too close ones to be measured"
    joined = "".join(name_words(name))
    if names_persons(name) or names_something(name) or _NUMBERED.fullmatch(joined):
        return f"{what}, and the name of an identifier"
    return ""


def _within_groups(
    column: pd.Series[Any], name: str, groups: Sequence[tuple[str, AnyArray]]
) -> str:
    """The same of persons who are numbered anew in each cluster or block, told by the name."""
    if not names_persons(name):
        return ""
    for group, labels in groups:
        pairs = pd.DataFrame({"group": pd.factorize(labels)[0], "value": column.to_numpy()})
        pairs = pairs[pairs["value"].notna().to_numpy()]
        if (~pairs.duplicated()).mean() >= _NEARLY_ALL:
            return f"numbers the persons of each {group!r}"
    return ""


def _whole_numbers(column: pd.Series[Any]) -> FloatArray | None:
    """Numbers of a column that are there, in the order of the rows; None unless all are whole."""
    if pd.api.types.is_bool_dtype(column.dtype) or isinstance(column.dtype, pd.CategoricalDtype):
        return None
    if pd.api.types.is_complex_dtype(column.dtype):
        return None
    if pd.api.types.is_numeric_dtype(column.dtype):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    elif pd.api.types.is_string_dtype(column.dtype) or column.dtype == object:
        read = pd.to_numeric(column.astype(object), errors="coerce")
        if (read.isna() & column.notna()).any():
            return None
        numbers = read.to_numpy(dtype=np.float64)
    else:
        return None
    numbers = numbers[~np.isnan(numbers)]
    # Beyond these, doubles do not hold every whole number.
    whole: FloatArray = numbers
    return whole if (np.abs(whole) < 2**53).all() and (whole % 1 == 0).all() else None


def _too_dense(values: FloatArray, counts: AnyArray) -> bool:
    """Whether measured values so close together would repeat more often."""
    steps = np.diff(values.astype(np.int64))
    next_to = steps == np.gcd.reduce(steps)
    n_beside = int((counts[:-1] * counts[1:])[next_to].sum())
    n_equal = int((counts * (counts - 1) // 2).sum())
    return bool(stats.binom.cdf(n_equal, n_equal + n_beside, _EQUAL) < _CHANCE)
