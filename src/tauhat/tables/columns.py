"""One column of a table: its type, its values, what is missing, and what is refused."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray
from tauhat.errors import TrialError
from tauhat.numerics.standardised_columns import LARGEST, LEAST_SPREAD, scale_fault
from tauhat.tables.dates import kind_of_time
from tauhat.tables.labels import is_blank, label_text
from tauhat.tables.written_numbers import way_of_writing
from tauhat.wording import counted

Kind = Literal["numeric", "boolean", "category", "ordered"]

# A text column with this share of readable numbers and few enough others is a numeric column
# with stray text; one with few distinct numbers and many words ("1", "2", "none") is a category.
_MOSTLY_NUMBERS = 0.5
_MANY_NUMBERS = 10
_STRAY_SHARE = 0.05
_FIRST_ROWS = 1000


def has_more_values(column: pd.Series[Any], most: int) -> bool:
    """Whether a column has more than ``most`` distinct values, missing ones not counted.

    Of a measurement the first rows tell so, without a look at all of them.

    Examples
    --------
    >>> has_more_values(pd.Series([3.0, 1.0, None, 3.0]), 2)
    False
    """
    first = column.iloc[: max(_FIRST_ROWS, 2 * most)]
    return bool(first.nunique() > most) or (
        len(first) < len(column) and bool(column.nunique() > most)
    )


def numeric_values(column: pd.Series[Any], name: str) -> FloatArray:
    """Values of a column that must be numeric, NaN where missing.

    Parameters
    ----------
    column
        Numbers, booleans, or text that reads as numbers.
    name
        What to call it in an error.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TrialError
        On dates, words or infinite values, naming the column, the count and the first of them.

    Examples
    --------
    >>> numeric_values(pd.Series(["1.5", None]), "dose").tolist()
    [1.5, nan]
    """
    refuse_dates(column, name)
    plain = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
    plain = plain.mask(missing_values(plain))
    if pd.api.types.is_bool_dtype(plain.dtype) or pd.api.types.is_numeric_dtype(plain.dtype):
        if pd.api.types.is_complex_dtype(plain.dtype):
            raise TrialError(f"column {name!r} holds complex numbers")
        values = plain.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        bad = np.isnan(values) & plain.notna().to_numpy()
        if bad.any():
            written = way_of_writing(map(str, pd.unique(plain[plain.notna()].astype(object))))
            if written:
                raise TrialError(f"column {name!r} holds numbers {written}")
            raise TrialError(
                f"column {name!r} holds "
                f"{counted(bad.sum(), 'value that is no number', 'values that are not numbers')}, "
                f"such as {_first(plain[bad])}; correct them or make them missing"
            )
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise TrialError(
            f"column {name!r} holds {counted(infinite, 'infinite value')}; correct them or "
            "make them missing"
        )
    huge = int((np.abs(values) > LARGEST).sum())
    if huge:
        raise TrialError(
            f"column {name!r} holds {counted(huge, 'value')} beyond {LARGEST:g}, too large to "
            "compute with; correct them or make them missing"
        )
    result: FloatArray = values
    return result


def refuse_scale(present: FloatArray, name: str, least: float = LEAST_SPREAD) -> None:
    """Raise a `TrialError` for numbers of a scale that cannot be computed with.

    Parameters
    ----------
    present
        Values that are there, shape (n,).
    name
        Name of the column.
    least
        The least spread that can be computed with.

    Examples
    --------
    >>> refuse_scale(np.array([1e-200, 2e-200]), "dose")
    Traceback (most recent call last):
    tauhat.errors.TrialError: column 'dose' varies by 1e-200 only, too little to compute with; ...
    """
    fault = scale_fault(present, least)
    if fault:
        raise TrialError(f"column {name!r} {fault}")


def refuse_dates(column: pd.Series[Any], name: str) -> None:
    """Raise a `TrialError` for a column of dates, times or durations, saying what to do.

    Examples
    --------
    >>> refuse_dates(pd.Series(pd.to_datetime(["2024-01-31"])), "visit")
    Traceback (most recent call last):
    tauhat.errors.TrialError: column 'visit' holds dates; convert it to a number, ...
    """
    present = column.dropna()
    inferred = pd.api.types.infer_dtype(present, skipna=True) if len(present) else "empty"
    kind = kind_of_time(present) if inferred == "string" else None
    if inferred in {"integer", "floating"} and are_days(present):
        kind = "dates"
    if kind == "times" or inferred == "time":
        raise TrialError(
            f"column {name!r} holds times of day; convert it to a number, such as hours since "
            "midnight, or leave it out"
        )
    if kind == "dates" or inferred in {"datetime64", "datetime", "date", "period"}:
        raise TrialError(
            f"column {name!r} holds dates; convert it to a number, such as days since "
            "randomization or age in years, or leave it out"
        )
    if inferred in {"timedelta", "timedelta64"}:
        raise TrialError(
            f"column {name!r} holds durations; convert it to a number, such as days "
            "(column.dt.total_seconds() / 86400), or leave it out"
        )


def refuse_all_missing(column: pd.Series[Any], role: str) -> BoolArray:
    """Which values of a column are missing; a `TrialError` if all are.

    Examples
    --------
    >>> refuse_all_missing(pd.Series([None, None], name="pain"), "outcome")
    Traceback (most recent call last):
    tauhat.errors.TrialError: outcome column 'pain' is missing in all 2 rows
    """
    missing: BoolArray = missing_values(column)
    if missing.all():
        raise TrialError(f"{role} column {column.name!r} is missing in all {len(column)} rows")
    return missing


def are_days(numbers: pd.Series[Any]) -> bool:
    """Whether all numbers are days written as 20230305, and many of them different.

    Examples
    --------
    >>> days = pd.Series(range(20230301, 20230321))
    >>> are_days(days), are_days(days + 20)
    (True, False)
    """
    values = numbers.to_numpy(dtype=np.float64)
    if not ((values >= 19000101) & (values <= 21001231)).all() or (values % 1 != 0).any():
        return False
    whole = values.astype(np.int64)
    month, day = whole // 100 % 100, whole % 100
    days = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool(days.all()) and len(np.unique(whole)) >= _MANY_NUMBERS


def refuse_collections(column: pd.Series[Any], name: str) -> None:
    """Raise a `TrialError` for a column whose cells are lists, arrays or other collections.

    Examples
    --------
    >>> refuse_collections(pd.Series([[1, 2], None]), "visits")
    Traceback (most recent call last):
    tauhat.errors.TrialError: column 'visits' holds values of type list; ...
    """
    if not pd.api.types.is_object_dtype(column.dtype):
        return
    for value in column:
        if not pd.api.types.is_hashable(value):
            raise TrialError(
                f"column {name!r} holds values of type {type(value).__name__}; make one number "
                "or word of each, or leave the column out"
            )


def missing_values(column: pd.Series[Any]) -> BoolArray:
    """Which values are missing, among them text that is blank.

    Examples
    --------
    >>> missing_values(pd.Series(["a", " ", None])).tolist()
    [False, True, True]
    """
    missing: BoolArray = column.isna().to_numpy(dtype=bool).copy()
    if isinstance(column.dtype, pd.CategoricalDtype):
        missing |= np.array([*map(is_blank, column.cat.categories), False])[column.cat.codes]
    elif pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype):
        try:
            codes, levels = pd.factorize(column, use_na_sentinel=True)
        except TypeError:
            # Collections have no codes; they are refused by name later.
            codes, levels = np.arange(len(column)), pd.Index(column)
        blank = np.array([*map(is_blank, levels), False])
        missing |= blank[codes]
    return missing


def _first(values: pd.Series[Any]) -> str:
    return ", ".join(repr(value) for value in pd.unique(values.astype(object))[:3])


def column_kind(column: pd.Series[Any], name: str) -> Kind:
    """Type of a covariate, or a `TrialError` when it cannot be one.

    Examples
    --------
    >>> column_kind(pd.Series(["yes", "no"]), "smoker")
    'category'
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        refuse_dates(pd.Series(dtype.categories), name)
        return "ordered" if dtype.ordered else "category"
    refuse_dates(column, name)
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(dtype):
        return "numeric"
    present = column[~missing_values(column)]
    inferred = pd.api.types.infer_dtype(present, skipna=True)
    if inferred == "boolean":
        return "boolean"
    if inferred in {"integer", "floating", "mixed-integer-float", "decimal"}:
        return "numeric"
    plain = (str, int, float, bool, np.generic)
    if not all(isinstance(value, plain) for value in present):
        odd = next(value for value in present if not isinstance(value, plain))
        raise TrialError(
            f"column {name!r} holds values of type {type(odd).__name__}, "
            "which cannot be a covariate; convert it to numbers or text, or leave it out"
        )
    return _kind_of_text(present, name)


def _kind_of_text(present: pd.Series[Any], name: str) -> Kind:
    numbers = pd.to_numeric(present, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.isnan(numbers)
    if not bad.any():
        return "numeric"
    commas = present.astype(str).str.fullmatch(r"\s*[-+]?\d*,\d+\s*").to_numpy(dtype=bool)
    if commas.any() and not commas[bad].all():
        # Among words, numbers with decimal commas are numbers all the same.
        points = present.astype(str).str.replace(",", ".", regex=False).where(commas, present)
        numbers = pd.to_numeric(points, errors="coerce").to_numpy(dtype=np.float64)
        bad = np.isnan(numbers)
    distinct = len(np.unique(numbers[~bad]))
    stray = bad.mean() <= _STRAY_SHARE or distinct > _MANY_NUMBERS
    if 1 - bad.mean() >= _MOSTLY_NUMBERS and stray:
        raise TrialError(
            f"column {name!r} is numeric except for {int(bad.sum())} of {len(present)} values, "
            f"such as {_first(present[bad])}; correct them or make them missing (na= of "
            "read_table, --na on the command line), or, if the numbers are codes of categories, "
            "convert the column to a categorical"
        )
    return "category"


def level_labels(column: pd.Series[Any]) -> AnyArray:
    """Levels as text, None where missing; blanks do not matter, whole floats read like integers.

    Examples
    --------
    >>> level_labels(pd.Series([1.0, None, 2.5])).tolist()
    ['1', None, '2.5']
    """
    missing = missing_values(column)
    values = column.astype(object)
    codes, levels = pd.factorize(values.mask(missing), use_na_sentinel=True)
    text = [label_text(level) for level in levels]
    labels: AnyArray = np.array([*text, None], dtype=object)[codes]
    return labels
