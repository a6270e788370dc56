"""The keys of ``run.json`` as its records declare them: as a table, and held against a run."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, is_typeddict
from typing import get_type_hints as hints_of

from tauhat.analysis.run_schema import Run

_KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "any"}


@dataclass(frozen=True)
class Field:
    """One key of ``run.json``.

    Attributes
    ----------
    path
        Where it stands: ``design.arms.control.n``, ``models[].name``.
    kind
        What its value is, in words.
    meaning
        What it says.
    """

    path: str
    kind: str
    meaning: str


def fields(record: Any = Run, path: str = "") -> Iterator[Field]:
    """Every key of a record, those of the records in it included.

    Examples
    --------
    >>> [field.path for field in fields()][:2]
    ['schema', 'versions']
    """
    for name, declared in _declared(record).items():
        kind, meaning = declared
        here = f"{path}{name}"
        yield Field(here, _words(kind), meaning)
        told: set[str] = set()
        for inner, several in _records_in(kind):
            for field in fields(inner, f"{here}[]." if several else f"{here}."):
                if field.path not in told:
                    yield field
                told.add(field.path)


def field_table(record: Any = Run) -> str:
    """The keys as a table in Markdown, which the documentation shows."""
    rows = [f"| `{f.path}` | {f.kind} | {f.meaning} |" for f in fields(record)]
    return "\n".join(["| key | value | meaning |", "|---|---|---|", *rows])


def differences(value: Any, kind: Any = Run, path: str = "") -> list[str]:
    """Where a run departs from what the records declare, each in a few words.

    Examples
    --------
    >>> from tauhat.analysis.run_schema import Data
    >>> differences({"file": 3, "hash": "ab"}, Data)
    ['file: 3 is not text or null', 'sha256 is missing', 'hash is unknown']
    """
    options = _options(kind)
    if value is None and type(None) in options:
        return []
    records = [option for option in options if is_typeddict(option)]
    if records and isinstance(value, Mapping):
        start = f"{path}." if path else ""
        return min((_departures(value, record, start) for record in records), key=len)
    for option in options:
        origin, arguments = get_origin(option), get_args(option)
        if origin is list and isinstance(value, list):
            return [d for one in value for d in differences(one, arguments[0], f"{path}[]")]
        if origin is dict and isinstance(value, Mapping):
            return [d for k, one in value.items() for d in differences(one, arguments[1], path)]
        if _fits(value, option):
            return []
    return [f"{path}: {value!r:.40} is not {_words(kind)}"]


def _departures(value: Mapping[str, Any], record: Any, path: str) -> list[str]:
    found, declared = [], _declared(record)
    for name, (kind, _) in declared.items():
        if name in value:
            found += differences(value[name], kind, f"{path}{name}")
        elif name in record.__required_keys__:
            found.append(f"{path}{name} is missing")
    return found + [f"{path}{name} is unknown" for name in value if name not in declared]


def _declared(record: Any) -> dict[str, tuple[Any, str]]:
    """Kind and meaning of each key."""
    found = {}
    for name, hint in hints_of(record, include_extras=True).items():
        if get_origin(hint) is NotRequired:
            hint = get_args(hint)[0]
        if get_origin(hint) is not Annotated:
            raise TypeError(f"{record.__name__}.{name} has no meaning")
        kind, meaning = get_args(hint)
        found[name] = (kind, meaning)
    return found


def _options(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _records_in(kind: Any) -> Iterator[tuple[Any, bool]]:
    """The records that a kind admits, and whether there is a list of them."""
    for option in _options(kind):
        if is_typeddict(option):
            yield option, False
        elif get_origin(option) is list and is_typeddict(get_args(option)[0]):
            yield get_args(option)[0], True


def _fits(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return kind is Any or isinstance(value, kind)


def _words(kind: Any) -> str:
    """A kind in words.

    Examples
    --------
    >>> _words(list[str]), _words(dict[str, float | None]), _words(int | None)
    ('list of text', 'number or null by name', 'whole number or null')
    """
    options = _options(kind)
    said = []
    for option in options:
        arguments = get_args(option)
        if option is type(None):
            said.append("null")
        elif is_typeddict(option):
            said.append("object")
        elif get_origin(option) is list:
            one = "objects" if is_typeddict(arguments[0]) else _words(arguments[0])
            said.append(f"list of {one}")
        elif get_origin(option) is dict:
            said.append(f"{_words(arguments[1])} by name")
        else:
            said.append(_KINDS[option])
    return " or ".join(dict.fromkeys(said))
