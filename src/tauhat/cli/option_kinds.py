"""Kinds of values of options: how the command line and a TOML file give them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A name in double quotes, which are doubled within it, or one up to the next comma.
_NAME = re.compile(r'\s*"((?:[^"]|"")*)"\s*(?:,|$)|([^,]*)(?:,|$)')


def split_names(values: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names from comma lists; one that holds a comma or begins or ends with a blank is in quotes.

    Examples
    --------
    >>> split_names(["age, female", '"bmi, kg/m2", " height "'])
    ('age', 'female', 'bmi, kg/m2', ' height ')
    """
    if not values:
        return None
    found = [one for value in values for one in _NAME.finditer(value)]
    names = [
        (one[2] or "").strip() if one[1] is None else one[1].replace('""', '"') for one in found
    ]
    return tuple(name for name in names if name)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _label(value: Any) -> str | None:
    # Arms coded 0 and 1 are numbers in TOML as well.
    return str(value) if isinstance(value, str) or _is_number(value) else None


def _names(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return split_names([value]) or ()
    if isinstance(value, list) and all(isinstance(v, (str, int)) for v in value):
        return tuple(str(v) for v in value)
    return None


def _conditions(value: Any) -> tuple[str, ...] | None:
    # A condition may hold commas.
    listed = [value] if isinstance(value, str) else value
    if isinstance(listed, list) and all(isinstance(one, str) for one in listed):
        return tuple(listed)
    return None


def _switch(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    return float(value) if _is_number(value) else None


def _codes(value: Any) -> Any:
    """Codes of missing values, for all columns or by column."""
    if isinstance(value, dict):
        by_column = {column: _codes(codes) for column, codes in value.items()}
        return None if None in by_column.values() else by_column
    if isinstance(value, str):
        return split_names([value]) or ()
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(code, str) or _is_number(code) for code in listed):
        return None
    return tuple(str(code) for code in listed)


def _path(value: Any) -> Path | None:
    return Path(value) if isinstance(value, str) and value.strip() else None


@dataclass(frozen=True)
class Kind:
    """What an option's value is, on the command line and in a TOML file.

    Attributes
    ----------
    parsed
        Type that the parser gives.
    wanted
        Words for a message: what the TOML file must hold.
    read
        The value of a TOML file as a setting; None for one that is not of this kind.
    """

    parsed: Any
    wanted: str
    read: Callable[[Any], Any]


TEXT = Kind(str, "a text in quotes", _text)
LABEL = Kind(str, "a text in quotes", _label)
NAMES = Kind(list[str], 'a list such as ["age", "female"]', _names)
SWITCH = Kind(bool, "true or false", _switch)
WHOLE = Kind(int, "a whole number", _whole)
NUMBER = Kind(float, "a number", _number)
CONDITIONS = Kind(list[str], 'a condition in quotes, or a list such as ["age > 65"]', _conditions)
CODES = Kind(list[str], 'codes such as [".", -9], or [na] with age = [999]', _codes)
PATH = Kind(Path, "a path in quotes", _path)
