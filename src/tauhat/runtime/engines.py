"""Outside engines that take long to import, imported when one is first needed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from tauhat.runtime.garbage import no_collections
from tauhat.runtime.parallel import hold_new_libraries

#: What nearly every ensemble learns with.
USUAL = ("lightgbm", "stochtree")


def engine(name: str) -> Any:
    """Import an outside engine, or return it; inside a task it gets one thread.

    Parameters
    ----------
    name
        Module such as ``"lightgbm"``, ``"gpboost"``, ``"stochtree"`` or ``"sklearn.ensemble"``.

    Returns
    -------
    module

    Examples
    --------
    >>> engine("stochtree").__name__
    'stochtree'
    """
    if name in sys.modules:
        # Not from there: another thread may still be at it, for which an import waits.
        return import_module(name)
    with _without_pyplot(), no_collections():
        module = import_module(name)
    hold_new_libraries()
    return module


class _LaterModule(ModuleType):
    """Stands for a module until something of it is used; then it is imported."""

    # stochtree names this class in a signature, which is evaluated at import.
    Axes = object
    pyplot: ModuleType

    def __getattr__(self, name: str) -> Any:
        _remove(self)
        return getattr(import_module(self.__name__), name)


def _remove(module: ModuleType) -> None:
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]


@contextmanager
def _without_pyplot() -> Iterator[None]:
    """Import modules that import matplotlib.pyplot without it.

    stochtree does so for one function that draws a trace, which costs a third of
    the time to import tauhat. Meanwhile placeholders stand in
    ``sys.modules``; what keeps one (``stochtree.plotting``) gets the real
    module from it at the first use.
    """
    names = ("matplotlib", "matplotlib.pyplot")
    placed = [_LaterModule(name) for name in names if name not in sys.modules]
    sys.modules.update({module.__name__: module for module in placed})
    if len(placed) == len(names):
        # "import matplotlib.pyplot as plt" asks the package for it.
        placed[0].pyplot = placed[1]
    try:
        yield
    finally:
        for module in placed:
            _remove(module)
