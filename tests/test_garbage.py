"""Where objects stand after a block in which Python looks for no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tauhat.runtime.garbage import no_collections


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """Nothing frozen, as in a user's process; the tests freeze what they import."""
    gc.unfreeze()
    yield
    gc.freeze()


def is_old(one: list[int]) -> bool:
    return any(other is one for other in gc.get_objects(generation=2))


def test_what_an_import_makes_counts_as_old_and_can_still_be_collected() -> None:
    with no_collections():
        made: list[int] = []
        assert not gc.isenabled()
    assert gc.isenabled()
    assert is_old(made)
    assert gc.get_freeze_count() == 0
    cycle: list[object] = []
    cycle.append(cycle)
    with no_collections():
        del cycle
    assert gc.collect() > 0


def test_what_somebody_else_froze_stays_frozen() -> None:
    gc.freeze()
    before = gc.get_freeze_count()
    with no_collections():
        made: list[int] = []
    assert gc.get_freeze_count() > before / 2
    assert not is_old(made)


def test_without_collections_there_are_none_afterwards() -> None:
    gc.disable()
    try:
        with no_collections():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
