"""The classes and attributes that a file may name: those of tauhat's own modules and no others."""

from __future__ import annotations

import dataclasses
import dis
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tauhat import data, design, ensembles, learners, learning, numerics, outcome, outcome_model
from tauhat.endpoint import endpoint, follow_up, missing
from tauhat.fitting import average_risk, hazards_form, log_odds, log_rates, reference_posterior
from tauhat.outcome.tree_draws import TreeDraws
from tauhat.saving import trees

_ROOMS = (numerics, design, outcome, learners, ensembles)


@cache
def known_classes() -> dict[str, type]:
    """Estimators, outcome models and their parts by the names that files use.

    Built from the package's modules, so that a file can pick from it but never
    add to it.

    Examples
    --------
    >>> known_classes()["LinearMixedEffect"].__module__
    'tauhat.learners.linear_mixed_effect'
    >>> "Popen" in known_classes()
    False
    """
    modules = [
        outcome_model,
        data,
        learning,
        endpoint,
        follow_up,
        missing,
        average_risk,
        hazards_form,
        log_odds,
        log_rates,
        reference_posterior,
        trees,
        *(part for room in _ROOMS for part in _modules(room)),
    ]
    found: dict[str, type] = {}
    for module in modules:
        for name, candidate in inspect.getmembers(module, inspect.isclass):
            if candidate.__module__ == module.__name__ and _is_part_of_a_model(candidate):
                found[name] = candidate
    return found


def _modules(room: ModuleType) -> list[ModuleType]:
    names = [part.name for part in pkgutil.iter_modules(room.__path__)]
    return [import_module(f"{room.__name__}.{name}") for name in names]


def _is_part_of_a_model(candidate: type) -> bool:
    # The engine's forests have a form of their own.
    return not issubclass(candidate, (BaseException, TreeDraws))


def check_state(owner: type, names: set[str]) -> None:
    """Raise a `ValueError` unless a class has attributes of these names to set.

    A dataclass has its fields, all of them but those with a default, which a file of an
    earlier version may lack. Any other class has what its own
    methods set; names that would hide a method are never among them.

    Examples
    --------
    >>> check_state(known_classes()["LinearMixedEffect"], {"effect_coefficients_"})
    >>> check_state(known_classes()["LinearMixedEffect"], {"has_draws"})
    Traceback (most recent call last):
    ValueError: LinearMixedEffect has no attribute 'has_draws' to set
    """
    known = _attributes(owner)
    unknown = sorted(names - known)
    if unknown:
        raise ValueError(f"{owner.__name__} has no attribute {unknown[0]!r} to set")
    if dataclasses.is_dataclass(owner):
        needed = {f.name for f in dataclasses.fields(owner) if f.default is dataclasses.MISSING}
        if needed - names:
            raise ValueError(f"{owner.__name__} lacks {min(needed - names)!r}")


@cache
def _attributes(owner: type) -> frozenset[str]:
    if dataclasses.is_dataclass(owner):
        return frozenset(field.name for field in dataclasses.fields(owner))
    ours = [part for part in owner.__mro__ if part.__module__.startswith("tauhat.")]
    set_by_code = {
        name
        for part in ours
        for member in vars(part).values()
        for name in _attributes_set_by(member)
    }
    hidden = {name for name in set_by_code if _is_code(inspect.getattr_static(owner, name, None))}
    return frozenset(set_by_code - hidden)


def _is_code(member: Any) -> bool:
    return callable(member) or isinstance(member, (property, classmethod, staticmethod))


def _attributes_set_by(member: Any) -> Iterator[str]:
    function = getattr(member, "fget", None) or getattr(member, "__func__", member)
    if isinstance(function, FunctionType):
        yield from _attributes_set_in(inspect.unwrap(function).__code__)


def _attributes_set_in(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "STORE_ATTR":
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _attributes_set_in(constant)
