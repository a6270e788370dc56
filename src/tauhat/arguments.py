"""Arguments of functions: lists, levels, whole numbers and switches, refused in one voice."""

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
