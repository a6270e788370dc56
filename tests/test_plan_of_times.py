"""Plans of trials whose outcome is a time to an event."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tauhat.power import power_rmst
from tauhat.protocol import read_plan
from tauhat.protocol.planned_power import modifier_powers
from tauhat.protocol.planned_survival import average_power
from written_plans import planned, written

TIMES = """
title = "Death after surgery"

[run]
outcome = "months"
event = "died"
horizon = 24
treatment = "arm"

[expected]
persons = 500
survival-control = 0.5
survival-treated = 0.65
accrual = 12
drop-out = 0.2

[[modifiers]]
name = "frail"
direction = "larger effect in the frail"
rationale = "They have more to gain."
prevalence = 0.4
survival-control = [0.6, 0.35]
survival-treated = [0.65, 0.65]
"""


def test_a_plan_of_times_has_the_power_of_restricted_means(tmp_path: Path) -> None:
    (tmp_path / "trial.toml").write_text(TIMES)
    plan = read_plan(tmp_path / "trial.toml")
    known = {"n_persons": 400, "horizon": 24.0, "accrual": 12}
    alone = power_rmst(**known, survival_control=0.5, survival_treated=0.65)
    both = power_rmst(
        **known, survival_control=[0.6, 0.35], survival_treated=[0.65, 0.65], prevalence=0.4
    )
    assert average_power(plan) == alone
    (one,) = modifier_powers(plan)
    assert (one.difference, one.power) == (both.interaction, both.interaction_power)
    assert one.primary_power is None
    assert planned(tmp_path, TIMES) == 0
    page = written(tmp_path)["plan.md"]
    assert alone.text in page
    assert f"{both.interaction:.3g}" in page


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("survival-treated = 0.65\n", "\n", "needs both survival-control and survival-treated"),
        ("[0.6, 0.35]", "0.6", "survival-control must be two probabilities"),
        ("horizon = 24\n", "\n", "needs .run. event and horizon"),
    ],
)
def test_what_a_plan_of_times_lacks_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    assert planned(tmp_path, TIMES.replace(old, new, 1)) == 2
    assert re.search(message, capsys.readouterr().err)
