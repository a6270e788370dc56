"""Numerical libraries have one thread while we compute, and those of the user afterwards."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import tauhat as th
from tauhat import inference
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.learners.linear_mixed_effect import LinearMixedEffect
from tauhat.runtime.parallel import on_one_thread
from tauhat.testing import example_trial
from tauhat.trial.checks.design_check import check_design


def threads() -> set[int]:
    """Threads of the libraries of linear algebra that are loaded."""
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@pytest.fixture
def three_threads():
    with threadpool_limits(3, "blas"):
        if threads() != {3}:
            pytest.skip("this machine's linear algebra cannot have three threads")
        yield


@pytest.mark.usefixtures("three_threads")
def test_a_held_function_has_one_thread_and_gives_back_those_there_were():
    @on_one_thread
    def inner() -> set[int]:
        return threads()

    @on_one_thread
    def outer() -> list[set[int]]:
        return [threads(), inner(), threads()]

    @on_one_thread
    def fails() -> None:
        raise ValueError("as it must")

    assert outer() == [{1}, {1}, {1}]
    assert threads() == {3}
    with pytest.raises(ValueError, match="as it must"):
        fails()
    assert threads() == {3}


@pytest.mark.usefixtures("three_threads")
def test_fits_effects_and_intervals_are_computed_on_one_thread(monkeypatch):
    seen = []

    def watched(method):
        original = getattr(LinearMixedEffect, method)

        def watching(self, *arguments, **settings):
            seen.append((method, *threads()))
            return original(self, *arguments, **settings)

        monkeypatch.setattr(LinearMixedEffect, method, watching)

    watched("fit_effect")
    watched("predict_effect")
    X, y, treatment, clusters = example_trial()
    model = th.estimator("LMM", random_state=1).fit(X, y, treatment=treatment, clusters=clusters)
    seen.clear()
    model.effect(X)
    model.effect_interval(X)
    model.fit(X, y, treatment=treatment, clusters=clusters)
    assert {method for method, *_ in seen} == {"fit_effect", "predict_effect"}
    assert {number for _, number in seen} == {1}
    assert threads() == {3}


def is_held(function: object) -> bool:
    """Whether the function runs inside `on_one_thread`."""
    return function.__code__ is on_one_thread(lambda: None).__code__


def test_everything_that_is_asked_of_a_trial_is_held():
    public = [getattr(inference, name) for name in inference.__all__]
    functions = [one for one in public if inspect.isfunction(one)]
    # These two only add up what was found.
    left = {one.__name__ for one in functions if not is_held(one)}
    assert left == {"pooled", "pooled_tables"}
    held = [th.analyze, check_design, CateEstimator.fit_data, CateEstimator.score]
    held += [getattr(CateEstimator, n) for n in ("effect", "effect_draws", "effect_interval")]
    assert all(map(is_held, [*held, CateEstimator.risks]))


@pytest.mark.usefixtures("three_threads")
def test_numbers_are_the_same_whatever_the_threads():
    X, y, treatment, clusters = example_trial()

    def effects() -> np.ndarray:
        model = th.estimator("BRM", random_state=1)
        return model.fit(X, y, treatment=treatment, clusters=clusters).effect(X)

    several = effects()
    with threadpool_limits(1, "blas"):
        np.testing.assert_array_equal(effects(), several)
