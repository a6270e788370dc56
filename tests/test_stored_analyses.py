"""Today's results equal those stored in tests/reference, but for changes that were meant."""

from __future__ import annotations

import json

import pytest

from reference import stored_analyses as script

STORED = json.loads(script.STORED.read_text(encoding="utf-8"))
#: Whether last bits can be compared: other kernels of linear algebra round otherwise.
SAME_MACHINE = script.machine() == STORED["machine"]
TOLERANCE = 1e-10 if SAME_MACHINE else 1e-6
#: Markov chains and bootstraps turn other last bits into other draws.
DRAWN = {*script.CHEAP, "bootstrap"}


@pytest.mark.parametrize("name", script.TRIALS)
def test_quick_analyses_give_the_numbers_stored(name: str) -> None:
    stored = STORED["quick"][name]
    found = script.quick_numbers(name)
    assert found.keys() == stored.keys()
    apart = {
        what: script.largest_difference(stored[what], numbers)
        for what, numbers in found.items()
        if SAME_MACHINE or what not in DRAWN
    }
    assert {what: size for what, size in apart.items() if size > TOLERANCE} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", script.FOR_EVERY_ESTIMATOR)
def test_every_registered_estimator_gives_the_numbers_stored(name: str) -> None:
    if not SAME_MACHINE:
        pytest.skip(f"the numbers were stored with {STORED['machine']}")
    stored = STORED["estimators"].get(name, {})
    if not stored:
        pytest.skip("nothing stored: python tests/reference/stored_analyses.py --write --all")
    apart = {
        estimator: script.largest_difference(numbers, script.estimator_numbers(name, estimator))
        for estimator, numbers in stored.items()
    }
    assert set(stored) <= set(script.th.estimator_names())
    assert {estimator: size for estimator, size in apart.items() if size > TOLERANCE} == {}


def test_a_number_that_moves_is_seen() -> None:
    assert script.largest_difference([1.0, 200.0], [1.0, 200.2]) == pytest.approx(1e-3)
    assert script.largest_difference([1.0], [float("nan")]) == float("inf")
    assert script.largest_difference([1.0], [1.0, 2.0]) == float("inf")
