"""A count, share, level, switch or estimator that cannot be one is refused by its name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat import inference, power
from tauhat.simulate import effect_metrics, true_policy_value

NAN = float("nan")
WRONG: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("n_groups", "n_splits", "n_folds"), ("3", 2.5, 4.0, NAN, True, None, 0)),
    **dict.fromkeys(("max_depth", "n_permutations", "n_trials"), ("3", 2.5, NAN, None, 0)),
    "imputations": ("5", 2.5, True, 1),
    **dict.fromkeys(("level", "significance_level"), ("0.9", 95, 1.0, 0, NAN, None)),
    "min_share": ("a", 0, 0.9, NAN, None),
    "higher_is_better": ("lower", None, 0),
    "threshold": ("a", NAN, None, np.inf),
    "estimator": (3, ["LMM"], th.learners.LinearMixedEffect, "LMMX"),
    "n_jobs": (0, "a", 1.5, None),
}
#: What is checked when it is fitted, or by the tests of power below.
ELSEWHERE = {"estimator", "power_hte", "power_rmst"}


@cache
def table() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    df = pd.DataFrame({"clinic": np.repeat(np.arange(8), 12), "age": rng.normal(size=96)})
    return df.assign(arm=df.clinic % 2, drug=df.index % 3, x=rng.normal(size=96), y=df.age + 1)


@cache
def trial() -> th.Trial:
    names = {"cluster": "clinic", "covariates": ["age", "x"]}
    return th.Trial(table(), outcome="y", treatment="arm", **names)


@cache
def several() -> th.Trial:
    return th.Trial(table(), outcome="y", treatment="drug", covariates=["age", "x"])


@cache
def held_out() -> inference.CrossFit:
    return th.cross_fit(trial(), "LMM", n_splits=1, n_folds=2)


def of_trial(function: Callable[..., Any], *given: Any) -> Callable[..., Any]:
    return lambda **wrong: function(trial(), *given, **wrong)


def of_held_out(function: Callable[..., Any], *given: Any) -> Callable[..., Any]:
    """A function of the cross-fit, or of the trial where what is wrong is of the cross-fit."""
    fitting = {"estimator", "n_splits", "n_folds", "n_jobs"}
    return lambda **wrong: function(trial() if fitting & {*wrong} else held_out(), *given, **wrong)


def simulated(**wrong: Any) -> Any:
    planned = th.power_hte(20, 10, icc=0.05, icc_x=0.1, delta=0.5).scenario()
    return th.power_by_simulation(planned, **{"n_trials": 1, "n_permutations": 19, **wrong})


def over_imputations(**wrong: Any) -> Any:
    given = {"estimator": "LMM", "imputations": 2, **wrong}
    return inference.effects_over_imputations(trial(), **given)


CALLS: dict[str, Callable[..., Any]] = {
    **{
        name: of_held_out(getattr(inference, name))
        for name in (
            "best_linear_predictor", "classification_analysis", "effect_calibration",
            "find_subgroups", "policy_value", "rate", "sorted_group_effects", "survival_of_groups",
        )
    },
    **{
        name: of_trial(getattr(th, name))
        for name in (
            "analyze", "average_effects", "cluster_intercepts", "compare", "contrast_effects",
            "cross_fit", "effect_over_horizons", "exposure_effects", "survival_by_arm",
            "test_contrasts", "test_heterogeneity",
        )
    },
    "arm_policy_value": lambda **wrong: th.arm_policy_value(several(), **wrong),
    "completed_trials": of_trial(inference.completed_trials),
    "covariate_group_effects": of_held_out(inference.covariate_group_effects, {}),
    "effect_curve": of_held_out(th.effect_curve, "age"),
    "effects_over_imputations": over_imputations,
    "group_effect": of_held_out(th.group_effect, "age > 0"),
    "interaction_effects": of_trial(th.interaction_effects, ["age"]),
    "pooled_tables": lambda **wrong: inference.pooled_tables([], **wrong),
    "power_by_simulation": simulated,
}  # fmt: skip


def cases() -> Iterator[tuple[str, str, Any]]:
    functions = {n: getattr(m, n) for m in (inference, th) for n in m.__all__}
    for name, function in sorted(functions.items()):
        if not inspect.isfunction(function) or name in ELSEWHERE:
            continue
        for argument in inspect.signature(function).parameters:
            for value in WRONG.get(argument, ()):
                # An analysis tells both readings where it is not said which outcome is better.
                if (name, argument, value) != ("analyze", "higher_is_better", None):
                    yield name, argument, value


@pytest.mark.parametrize(("name", "argument", "value"), list(cases()))
def test_what_cannot_be_an_argument_is_refused(name: str, argument: str, value: Any) -> None:
    said = "estimator" if argument == "estimator" else f"^{argument} must "
    with pytest.raises(th.TrialError, match=said):
        CALLS[name](**{argument: value})


CLUSTERS = {"cluster_size": 10, "icc": 0.05, "icc_x": 0.1}
TIMES = {"horizon": 12, "survival_control": 0.5, "survival_treated": 0.7}
PLANS: dict[str, tuple[dict[str, Any], ...]] = {
    "power_hte": (
        {"n_clusters": 20, "delta": 0.5, **CLUSTERS},
        {"n_clusters": 20, "power": 0.8, "sd_x": 2.0, **CLUSTERS},
        {"n_persons": 300, "delta": 0.2, "prevalence": 0.5}
        | {"risk_control": 0.2, "risk_treated": 0.3},
    ),
    "power_rmst": (
        {"n_clusters": 20, "cluster_size": 20, **TIMES},
        {"n_persons": 400, **TIMES},
        {"n_persons": 400, "horizon": 12, "prevalence": 0.5}
        | {"survival_control": [0.4, 0.4], "survival_treated": [0.5, 0.7]},
    ),
    "power_one_arm": ({"n_clusters": 12, "cluster_size": 10, "icc": 0.1, "effect": 0.5},),
    "power_several_arms": ({"n_arms": 3, "n_persons": 300, "delta": 0.5},),
    "power_stepped_wedge": (
        {"n_clusters": 12, "n_periods": 5, "cluster_period_size": 20, "icc": 0.05, "effect": 0.3},
    ),
}
#: Those that no plan above has beside its others.
MORE = ("size_cv", "sd_y", "share_treated", "significance_level", "drop_out", "n_others", "shape",
        "accrual", "follow_up", "frailty_sd", "sd_alone", "autocorrelation")  # fmt: skip


@pytest.mark.parametrize("value", ["a", "0.5", [None], NAN])
@pytest.mark.parametrize(
    ("name", "plan", "argument"),
    [
        (name, plan, argument)
        for name, plans in PLANS.items()
        for plan in plans
        for argument in (*plan, *MORE)
        if argument in inspect.signature(getattr(power, name)).parameters
    ],
)
def test_what_is_no_number_makes_no_plan(
    name: str, plan: dict[str, Any], argument: str, value: Any
) -> None:
    getattr(power, name)(**plan)
    with pytest.raises(th.TrialError, match=rf"^{argument} (must|needs|and) "):
        getattr(power, name)(**{**plan, argument: value})


@pytest.mark.parametrize("value", ["a", 2.5, 1.5, 1, True])
def test_an_interval_asks_for_whole_refits(value: Any) -> None:
    model = trial().fit("LMM", random_state=1)
    with pytest.raises(th.TrialError, match=r"^n_bootstrap must be a whole number"):
        model.effect_interval(trial().X, n_bootstrap=value)


def test_one_covariate_that_was_named_is_one_name() -> None:
    one, listed = (
        th.find_subgroups(held_out(), prespecified=given, max_depth=1) for given in ("age", ["age"])
    )
    pd.testing.assert_frame_equal(one.credibility, listed.credibility)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: th.find_subgroups(held_out(), prespecified=5), "prespecified must be text or a"),
        (lambda: th.interaction_effects(trial(), 5), "modifiers must be text or a list of texts"),
        (lambda: th.effect_curve(held_out(), ["age"]), "covariate must be the name of one"),
        (lambda: th.compare(trial(), ["LMM", 3]), "this needs an estimator or the name of one"),
        (lambda: th.compare(trial(), 3), "estimators must be a list of names, got 3"),
        (
            lambda: th.rate(trial(), th.learners.LinearMixedEffect),
            "got the class LinearMixedEffect: make one of it by LinearMixedEffect()",
        ),
        (
            lambda: th.effect_modifiers(trial().fit("LMM"), trial()),
            "effects must be numbers, one for each row of the trial, as model.effect(trial.X) "
            "gives, got a LinearMixedEffect",
        ),
        (
            lambda: th.effect_modifiers(trial(), trial().fit("LMM").effect(trial().X)),
            "needs a Trial, got a ndarray",
        ),
        (
            lambda: several().fit("LMM").best_arm(several().X, higher_is_better="lower"),
            "higher_is_better must be True or False, got 'lower'",
        ),
        (
            lambda: true_policy_value([1.0], [1.0], higher_is_better=None),
            "higher_is_better must be True or False, got None",
        ),
        (
            lambda: true_policy_value([1.0], [1.0], threshold=NAN),
            "threshold must be a number in units of the outcome, got nan",
        ),
        (
            lambda: effect_metrics([1.0, 2.0], [1.0, 2.0], higher_is_better="no"),
            "higher_is_better must be True or False, got 'no'",
        ),
        (
            lambda: th.Trial(table(), outcome="y", treatment="arm", where=table().age > 0),
            "where must be a condition as text, such as 'age >= 18', got a Series",
        ),
        (
            lambda: th.Trial(table(), outcome="y", treatment="arm", where=lambda df: df.age > 0),
            "where must be a condition as text, such as 'age >= 18', got a function",
        ),
    ],
)
def test_what_is_mistaken_for_another_thing_is_refused(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(th.TrialError, match=re.escape(said)):
        call()


@pytest.mark.parametrize("name", ["LMM", "GAMM", "Constant-Odds-Ratio"])
def test_risks_are_asked_for_a_table_by_their_public_name(name: str) -> None:
    df = table().assign(y=(table().y > 1).astype(int))
    events = th.Trial(df, outcome="y", treatment="arm", cluster="clinic", covariates=["age", "x"])
    model = events.fit(name, random_state=1)
    with pytest.raises(th.TrialError, match=re.escape("of a table write model.risks(X)")):
        model.predict_risks(events.X)
    np.testing.assert_array_equal(model.predict_risks(events.X.to_numpy()), model.risks(events.X))
