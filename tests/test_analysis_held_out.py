"""Held-out effects of an analysis: when they are given, and what they hang on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.analysis import analyze, workflow
from tauhat.analysis.held_out import QUICK, HeldOutEffects, held_out_effects, held_out_record
from tauhat.data import validate_trial
from tauhat.errors import TauhatWarning
from tauhat.inference import test_heterogeneity as heterogeneity_test
from test_analysis import table, trial_of

pytestmark = pytest.mark.usefixtures("quick_run")


def small_held_out(df: pd.DataFrame, **settings: Any) -> HeldOutEffects | str:
    trial = trial_of(df)
    test = heterogeneity_test(trial, n_permutations=99, random_state=1)
    options = {"level": 0.95, "seed": 3, **settings}
    return held_out_effects(trial, validate_trial(*trial), test, **options)


def test_held_out_effects_do_not_hang_on_jobs_or_the_order_of_rows() -> None:
    df = table(clusters=12, size=12)
    first = held_out_record(small_held_out(df))
    assert first["given"]
    shuffled = df.sample(frac=1, random_state=1)
    assert held_out_record(small_held_out(shuffled, n_jobs=2)) == first
    assert held_out_record(small_held_out(df, seed=4)) != first


def test_the_better_direction_can_be_said() -> None:
    found = small_held_out(table(clusters=12, size=12), higher_is_better=False)
    assert isinstance(found, HeldOutEffects)
    assert list(found.ranking) == list(found.policy) == ["lower"]
    assert not found.ranking["lower"].higher_is_better


def test_with_few_clusters_nothing_is_held_out() -> None:
    found = small_held_out(table(clusters=10, size=40))
    assert isinstance(found, str)
    assert "The smaller arm has 5 clusters" in found
    assert held_out_record(found) == {"given": False, "reason": found}
    assert "has 48 analysed persons" in str(small_held_out(table(clusters=24, size=2).fillna(9)))


def test_many_covariates_take_the_quicker_model() -> None:
    df = table(clusters=12, size=12)
    noise = pd.DataFrame(np.random.default_rng(1).normal(size=(len(df), 16)), index=df.index)
    found = small_held_out(df.join(noise.add_prefix("x")))
    assert isinstance(found, HeldOutEffects)
    assert found.fit.estimator == "LMM"


def test_a_rare_level_is_not_counted_out() -> None:
    df = table(clusters=12, size=12)
    df["rare"] = np.where(df.index.isin([3, 50, 99]), "yes", "no")
    rows = {r["source"]: r for r in held_out_record(small_held_out(df))["classification"]}
    assert rows["rare"]["fewer_than_five"]
    assert rows["rare"]["largest"] is None
    assert list(rows)[-1] == "rare"
    assert not rows["sex"]["fewer_than_five"]
    assert 0 < rows["sex"]["largest"] < 1


def test_a_description_that_fails_leaves_the_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **settings: Any) -> None:
        raise FloatingPointError("no split <works>")

    monkeypatch.setattr("tauhat.analysis.held_out.cross_fit", fail)
    with pytest.warns(TauhatWarning, match="no split <works>"):
        found = small_held_out(table(clusters=12, size=12))
    assert found == "This could not be estimated: FloatingPointError: no split <works>"


def test_quick_models_leave_the_held_out_effects_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "model_names", lambda *args: ("LMM",))
    trial = trial_of(table(clusters=12, size=8))
    found = analyze(trial, models="quick", random_state=1, n_permutations=99)
    assert found.held_out == QUICK
    assert "Quick models were asked for" in found.to_html()
    call = "tauhat.analyze(trial, models='quick', level=0.95, random_state=1, n_permutations=99)"
    assert found.rerun == call
