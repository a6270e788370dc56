"""Plans of trials of more than two arms."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli_runs import small_trial
from tauhat.errors import TrialError
from tauhat.power import power_hte
from tauhat.protocol import read_lock
from tauhat.protocol.analysis_plan import plan_of
from tauhat.protocol.deviations import deviations
from tauhat.protocol.planned_arms import compared, multiplicity_words
from tauhat.protocol.planned_power import modifier_powers
from tauhat.trial.trial import Trial
from written_plans import PLAN, planned, written


def test_a_plan_names_every_arm() -> None:
    assert compared({"control": "usual"}) == ("usual", "treatment")
    assert compared({"arms": "usual, low,high"}) == ("usual", "low or high")
    assert compared({"arms": ["usual", "high"]}) == ("usual", "high")


@pytest.mark.parametrize(("contrasts", "number"), [("control", 2), ("sequential", 2), ("all", 3)])
@pytest.mark.parametrize("clustered", [True, False])
def test_power_of_several_arms_is_that_of_one_contrast(contrasts, number, clustered) -> None:
    content = tomllib.loads(PLAN)
    one = {"run": {**content["run"], "arms": ["HIC", "low", "high"], "contrasts": contrasts}}
    expected = {"persons": 1200, "sd": 15.0}
    given: dict[str, Any] = {"sd_y": 15.0, "n_others": 2, "significance_level": 0.05 / number}
    if clustered:
        expected |= {"clusters": 61, "icc": 0.02}
        given |= {"n_clusters": 40, "cluster_size": 1200 / 61, "icc": 0.02, "icc_x": 0.01}
    else:
        del one["run"]["cluster"]
        given |= {"n_persons": 800}
    plan = plan_of({**content, **one, "expected": expected}, Path("trial.toml"))
    (found,) = modifier_powers(plan)
    wanted = power_hte(**given, sd_x=plan.modifiers[0]["sd"], delta=plan.modifiers[0]["difference"])
    assert (found.power, found.primary_power) == (wanted.power, wanted.primary_power)
    assert multiplicity_words(plan.run, 1)[0].startswith("The primary test is one over all contr")
    assert f"times that of contrasts ({number} in all)" in multiplicity_words(plan.run, 1)[1]
    with pytest.raises(TrialError, match="share-treated belongs to plans of two arms"):
        plan_of({**content, **one, "expected": {**expected, "share-treated": 0.4}}, Path("t.toml"))


def test_a_plan_of_three_arms_says_so_and_one_of_two_does_not_fit_them(tmp_path: Path) -> None:
    table = small_trial()
    third = np.random.default_rng(1).permutation(table.clinic.unique())[:6]
    table.loc[table.clinic.isin(third), "arm"] = "third"
    roles = {"outcome": "sbp", "treatment": "arm", "control": "HIC", "cluster": "clinic"}
    trial = Trial(table, **roles, covariates=["female", "urban", "age"])
    assert planned(tmp_path) == 0
    lock = read_lock(tmp_path / "plan" / "plan.lock")
    found = deviations(lock, trial, versions=lock.versions)
    assert any("3 arms are compared (HIC, " in one and "is of two" in one for one in found)
    text = PLAN.replace('control = "HIC"', 'arms = ["HIC", "TASSH", "third"]')
    assert planned(tmp_path, text, "--force") == 0
    said = written(tmp_path)["plan.md"]
    assert "randomized to HIC, TASSH or third" in said
    assert "of each contrast (TASSH against HIC; third against HIC)" in said
    assert "at the 2.5% level, which makes 5% for all 2 contrasts (Bonferroni)" in said
    lock = read_lock(tmp_path / "plan" / "plan.lock")
    found = deviations(lock, trial, versions=lock.versions)
    assert not any("arms are compared" in one for one in found)
