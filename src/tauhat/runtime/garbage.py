"""Python's search for cyclic garbage: seldom while a command runs, never during imports."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New containers after which Python looks; its own number is a few hundred.
_SELDOM = 20_000


@contextmanager
def no_collections() -> Iterator[None]:
    """Look for no garbage inside this block.

    An import makes many objects that all stay; to look through them again and
    again takes a tenth of its time. They are counted among the old ones at the end, unseen:
    the next look would go through all of them.

    Examples
    --------
    >>> with no_collections():
    ...     gc.isenabled()
    False
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            # To freeze and to thaw makes everything old; not where somebody else has frozen.
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()


@contextmanager
def few_collections() -> Iterator[None]:
    """Look for garbage less often inside this block.

    Examples
    --------
    >>> with few_collections():
    ...     gc.get_threshold()[0]
    20000
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _SELDOM) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
