"""Arguments of functions: lists, levels, numbers and switches, refused in one voice."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Set
from typing import Any

import numpy as np

from tauhat.errors import TrialError


def as_listed(names: Any, ordered: str = "") -> Any:
    """Several names as a list, whatever holds them; a single one, or none, as it is.

    A set has another order in every process: its names are sorted, so that the same seed gives
    the same numbers, or refused for an argument (``ordered``) in which the order has a meaning.

    Examples
    --------
    >>> as_listed(("sex", "age")), as_listed({"sex", "age"}), as_listed("age")
    (['sex', 'age'], ['age', 'sex'], 'age')
    >>> as_listed({"usual", "new"}, "arms")
    Traceback (most recent call last):
    tauhat.errors.TrialError: arms is a set, which has no order, and the first has a meaning: ...
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        return names
    if isinstance(names, Set):
        if ordered:
            raise TrialError(
                f"{ordered} is a set, which has no order, and the first has a meaning: give a list"
            )
        return sorted(names, key=str)
    return list(names)


def listed(names: Any, argument: str = "") -> list[str]:
    """One name or several as a list; those of a set sorted (`as_listed`).

    Raises
    ------
    TrialError
        If what was given for the argument holds no names.

    Examples
    --------
    >>> listed("age"), listed(("age", "sex")), listed({"sex", "age"})
    (['age'], ['age', 'sex'], ['age', 'sex'])
    >>> listed(5, "subgroups")
    Traceback (most recent call last):
    tauhat.errors.TrialError: subgroups must be text or a list of texts, got int
    """
    if isinstance(names, str):
        return [names]
    if not isinstance(names, Iterable):
        kind = type(names).__name__
        raise TrialError(f"{argument or 'names'} must be text or a list of texts, got {kind}")
    return list(as_listed(names))


def check_level(level: Any, name: str = "level") -> None:
    """Raise a `TrialError` unless a level lies between 0 and 1.

    Examples
    --------
    >>> check_level(95)
    Traceback (most recent call last):
    tauhat.errors.TrialError: level must lie between 0 and 1, got 95: write 0.95 for 95%
    """
    if not _is_number(level):
        raise TrialError(f"{name} must be a number such as 0.95, got {level!r}")
    if not 0 < level < 1:
        hint = f": write {level / 100:g} for {level:g}%" if 1 < level < 100 else ""
        raise TrialError(f"{name} must lie between 0 and 1, got {level}{hint}")


def check_count(count: Any, name: str, least: int) -> None:
    """Raise a `TrialError` unless a number is whole and not less than another.

    Examples
    --------
    >>> check_count(1.5, "n_seeds", 0)
    Traceback (most recent call last):
    tauhat.errors.TrialError: n_seeds must be a whole number of 0 or more, got 1.5
    """
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < least:
        raise TrialError(f"{name} must be a whole number of {least} or more, got {count!r}")


def check_splits(n_splits: Any, n_folds: Any) -> None:
    """Raise a `TrialError` unless there is a split, and a fold to learn from beside another.

    Examples
    --------
    >>> check_splits(5, 2.5)
    Traceback (most recent call last):
    tauhat.errors.TrialError: n_folds must be a whole number of 2 or more, got 2.5
    """
    check_count(n_splits, "n_splits", 1)
    check_count(n_folds, "n_folds", 2)


def check_number(value: Any, name: str, meaning: str = "a number") -> None:
    """Raise a `TrialError` unless a value is a finite number.

    Examples
    --------
    >>> check_number(float("nan"), "threshold", "a number in units of the outcome")
    Traceback (most recent call last):
    tauhat.errors.TrialError: threshold must be a number in units of the outcome, got nan
    """
    if not (_is_number(value) and np.isfinite(value)):
        raise TrialError(f"{name} must be {meaning}, got {value!r}")


def check_share(share: Any, name: str, most: float) -> None:
    """Raise a `TrialError` unless a share is above 0 and at most another.

    Examples
    --------
    >>> check_share(0.9, "min_share", 0.5)
    Traceback (most recent call last):
    tauhat.errors.TrialError: min_share must be a number above 0 and at most 0.5, got 0.9
    """
    if not (_is_number(share) and 0 < share <= most):
        raise TrialError(f"{name} must be a number above 0 and at most {most:g}, got {share!r}")


def check_numbers(*, or_none: bool = False, **values: Any) -> None:
    """Raise a `TrialError` for the first argument that is no number; their ranges are others' task.

    Examples
    --------
    >>> check_numbers(or_none=True, n_clusters=None, icc="0.05")
    Traceback (most recent call last):
    tauhat.errors.TrialError: icc must be a number, got '0.05'
    """
    for name, value in values.items():
        if not (_is_number(value) or (or_none and value is None)):
            raise TrialError(f"{name} must be a number, got {value!r}")


def is_whole(value: Any) -> bool:
    """Whether a value is a number without a fraction, of any type.

    Examples
    --------
    >>> is_whole(12.0), is_whole(12.5), is_whole(float("nan")), is_whole("12")
    (True, False, False, False)
    """
    return _is_number(value) and float(value).is_integer()


def check_jobs(n_jobs: Any) -> None:
    """Raise a `TrialError` unless a number of jobs is whole and not 0.

    Examples
    --------
    >>> check_jobs(0)
    Traceback (most recent call last):
    tauhat.errors.TrialError: n_jobs must be a whole number, 1 or more, or -1 for all cores, got 0
    """
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, (int, np.integer)) or n_jobs == 0:
        raise TrialError(
            f"n_jobs must be a whole number, 1 or more, or -1 for all cores, got {n_jobs!r}"
        )


def check_switch(value: Any, name: str) -> None:
    """Raise a `TrialError` unless a switch is on or off: the text "no" would count as on.

    Examples
    --------
    >>> check_switch("no", "higher_is_better")
    Traceback (most recent call last):
    tauhat.errors.TrialError: higher_is_better must be True or False, got 'no'
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TrialError(f"{name} must be True or False, got {value!r}")


def check_positive(value: Any, name: str, unit: str) -> None:
    """Raise a `TrialError` unless a value is a positive, finite number.

    Examples
    --------
    >>> check_positive("2", "mcid", "units of the outcome")
    Traceback (most recent call last):
    tauhat.errors.TrialError: mcid must be a positive number in units of the outcome, got '2'
    """
    if not (_is_number(value) and 0 < value < np.inf):
        told = f"{value:g}" if _is_number(value) else repr(value)
        raise TrialError(f"{name} must be a positive number in {unit}, got {told}")


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
