"""The classes that a file may name: those of tauhat's own modules and no others."""

from __future__ import annotations

import inspect
import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

from tauhat import base, data, ensembles, learners, numerics, outcome
from tauhat.outcome.tree_draws import TreeDraws
from tauhat.saving import trees

_ROOMS = (numerics, outcome, learners, ensembles)


@cache
def known_classes() -> dict[str, type]:
    """Estimators, outcome models and their parts by the names that files use.

    Built from the package's modules, so that a file can pick from it but never
    add to it.

    Examples
    --------
    >>> known_classes()["LinearMixedEffect"].__module__
    'tauhat.learners.linear_mixed'
    >>> "Popen" in known_classes()
    False
    """
    modules = [base, data, trees, *(part for room in _ROOMS for part in _modules(room))]
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


def check_attribute(owner: type, name: str) -> None:
    """Raise a `ValueError` for an attribute that would hide a method or a special name.

    Examples
    --------
    >>> check_attribute(data.TrialData, "X")
    >>> check_attribute(data.TrialData, "take")
    Traceback (most recent call last):
    ValueError: TrialData has no attribute 'take' to set
    """
    hidden = inspect.getattr_static(owner, name, None)
    is_code = callable(hidden) or isinstance(hidden, (property, classmethod, staticmethod))
    if not name.isidentifier() or name.startswith("__") or is_code:
        raise ValueError(f"{owner.__name__} has no attribute {name!r} to set")
