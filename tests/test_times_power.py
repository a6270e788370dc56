"""Power for restricted mean survival times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.cli import main
from tauhat.errors import TrialError
from tauhat.power.times_power import weibull_rate

GIVEN: dict[str, Any] = {"horizon": 24.0, "survival_control": 0.4, "survival_treated": 0.55}


@pytest.mark.parametrize("frailty_sd", [0.0, 0.5])
def test_errors_and_the_difference_are_those_of_a_large_trial(frailty_sd: float) -> None:
    rng = np.random.default_rng(3)
    units, size = (400, 25) if frailty_sd else (10_000, 1)
    unit = np.repeat(np.arange(units), size)
    arm = unit % 2
    rate = np.array([weibull_rate(s, 24, 1.3, frailty_sd) for s in (0.4, 0.55)])[arm]
    hazard = rate * np.exp(frailty_sd * rng.standard_normal(units))[unit]
    event = (rng.exponential(size=len(unit)) / hazard) ** (1 / 1.3)
    last = 18 + 12 * rng.random(len(unit))
    df = pd.DataFrame({"unit": unit, "arm": arm, "x": rng.normal(size=len(unit))})
    df = df.assign(months=np.minimum(event, last), died=event <= last)
    trial = th.Trial(df, outcome="months", event="died", horizon=24, treatment="arm",
                     covariates=["x"], cluster="unit" if frailty_sd else None)  # fmt: skip
    found = th.survival_by_arm(trial).table.iloc[2]
    numbers = {"n_clusters": units, "cluster_size": size} if frailty_sd else {"n_persons": units}
    plan = th.power_rmst(
        **GIVEN, **numbers, shape=1.3, accrual=12, follow_up=18, frailty_sd=frailty_sd
    )
    assert found.se == pytest.approx(plan.difference_se, rel=0.12 if frailty_sd else 0.03)
    assert abs(found.estimate - plan.difference) < 3 * plan.difference_se
    assert plan.followed == pytest.approx((last >= 24).mean(), abs=0.02)


def test_the_number_found_has_the_power_wanted_and_fewer_have_not() -> None:
    for design, name, step in (({}, "n_persons", 2), ({"cluster_size": 20}, "n_clusters", 2)):
        frailty = 0.3 if design else 0.0
        plan = th.power_rmst(**GIVEN, **design, frailty_sd=frailty, power=0.8)
        number = getattr(plan, name)
        assert plan.difference_power >= 0.8
        fewer = th.power_rmst(**GIVEN, **design, frailty_sd=frailty, **{name: number - step})
        assert fewer.difference_power < 0.8


def test_halves_that_differ_alike_have_no_interaction() -> None:
    both = {"survival_control": (0.4, 0.4), "survival_treated": (0.55, 0.55)}
    plan = th.power_rmst(n_persons=400, horizon=24, prevalence=0.5, **both)
    assert plan.interaction == pytest.approx(0)
    assert plan.interaction_power == pytest.approx(0.05, abs=1e-6)
    # The error of the interaction is twice that of the difference where all cells are alike.
    assert plan.interaction_se == pytest.approx(2 * plan.difference_se)
    assert plan.difference == pytest.approx(th.power_rmst(n_persons=400, **GIVEN).difference)


def test_bad_plans_are_refused() -> None:
    for changes, words in (
        ({"n_persons": 400, "power": 0.8}, "give one of n_persons and power"),
        ({}, "give one of"),
        ({"n_persons": 4}, "at least 3 to each arm"),
        ({"n_persons": 400, "survival_control": 1.2}, "survival_control must be in"),
        ({"n_persons": 400, "survival_control": (0.4, 0.5)}, "need the prevalence"),
        ({"n_persons": 400, "prevalence": 0.5}, "two probabilities"),
        ({"n_persons": 400, "frailty_sd": 0.3}, "frailty_sd needs cluster_size"),
        ({"n_persons": 400, "accrual": 6, "follow_up": 12}, "must reach the horizon"),
        ({"n_persons": 400, "horizon": 0}, "horizon must be above 0"),
        ({"power": 0.8, "survival_treated": 0.4}, "more than 10,000,000 persons"),
    ):
        with pytest.raises(TrialError, match=words):
            th.power_rmst(**{**GIVEN, **changes})


def test_the_command_plans_times(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["power", "--horizon", "24", "--persons", "400", "--survival-treated", "0.55"]
    assert main([*words, "--survival-control", "0.4"]) == 0
    said = capsys.readouterr().out
    plan = th.power_rmst(n_persons=400, **GIVEN)
    assert plan.text in said
    assert f"{plan.difference_power:.4g}" in said
    assert main([*words, "--survival-control", "0.4", "--csv"]) == 0
    assert "power for the difference" in capsys.readouterr().out.splitlines()[0]
    assert main(words) == 2
    assert "--survival-control is missing" in capsys.readouterr().err
    assert main([*words, "--survival-control", "0.4", "--icc", "0.05"]) == 2
    assert "--icc belongs to outcomes that are no times" in capsys.readouterr().err
    assert main(["power", "--persons", "40", "--survival-control", "0.4"]) == 2
    assert "--survival-control needs --horizon" in capsys.readouterr().err
