"""What is given in place of a trial, names or an estimator: one error that says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th

DF = pd.DataFrame(
    {
        "arm": np.arange(40) % 2,
        "age": np.linspace(40, 79, 40),
        "sex": np.arange(40) // 2 % 2,
        "y": np.sin(np.arange(40)),
    }
)
TAKE_A_TRIAL = [
    "analyze",
    "arm_policy_value",
    "average_effects",
    "best_linear_predictor",
    "classification_analysis",
    "cluster_intercepts",
    "contrast_effects",
    "cross_fit",
    "effect_calibration",
    "effect_over_horizons",
    "exposure_effects",
    "find_subgroups",
    "policy_value",
    "rate",
    "sorted_group_effects",
    "survival_by_arm",
    "survival_of_groups",
    "test_contrasts",
    "test_heterogeneity",
]
MORE: dict[str, tuple[Any, ...]] = {
    "compare": (["LMM", "GAMM"],),
    "effect_curve": ("age",),
    "group_effect": ("age > 60",),
    "interaction_effects": ("age",),
    "profile_curves": (DF[["age", "sex"]],),
}


@pytest.mark.parametrize("name", [*TAKE_A_TRIAL, *MORE])
def test_a_table_is_no_trial(name: str) -> None:
    with pytest.raises(th.TrialError, match=r"needs a Trial, got a DataFrame: th\.Trial\(df, "):
        getattr(th, name)(DF, *MORE.get(name, ()))


def test_nor_is_one_of_modifiers() -> None:
    model = th.Trial(DF, outcome="y", treatment="arm", covariates=["age", "sex"]).fit("LMM")
    with pytest.raises(th.TrialError, match="needs a Trial, got a DataFrame"):
        th.effect_modifiers(model, DF)


@pytest.mark.parametrize("given", ["trial.csv", 3, None, {"y": [1]}, DF.to_numpy()])
def test_nor_is_anything_else(given: Any) -> None:
    for function in (th.analyze, th.average_effects, th.policy_value):
        with pytest.raises(th.TrialError, match="needs a Trial, got a"):
            function(given)


@pytest.mark.parametrize("estimator", [DF.age > 60, (DF.age > 60).to_numpy(), lambda x: x])
def test_who_is_treated_is_no_estimator(estimator: Any) -> None:
    trial = th.Trial(DF, outcome="y", treatment="arm", covariates=["age"])
    for function in (lambda: th.policy_value(trial, estimator), lambda: trial.fit(estimator)):
        with pytest.raises(th.TrialError, match="needs an estimator or the name of one, such as"):
            function()


@pytest.mark.parametrize("kind", [pd.Index, np.array, pd.Series, tuple])
def test_names_come_in_any_sequence(kind: Any) -> None:
    trial = th.Trial(
        DF,
        outcome="y",
        treatment="arm",
        covariates=kind(["age", "sex"]),
        arms=kind([0, 1]),
        accept=kind([]),
    )
    assert trial.covariate_names == ("age", "sex")
    found = th.interaction_effects(trial, kind(["sex"]), adjust=kind(["age"]))
    assert found.adjusted_for == ("age",)
