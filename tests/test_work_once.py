"""An analysis checks, validates and describes its trial once, and seldom asks a member twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.analysis import analyze, models, result
from tauhat.ensembles import RobustEnsemble
from tauhat.learners import AdditiveMixedEffect, LinearMixedEffect
from tauhat.trial import trial as trial_module
from tauhat.trial import trial_table
from tauhat.trial.trial import Trial


def counted(
    monkeypatch: pytest.MonkeyPatch, counts: Counter[str], owner: Any, name: str, label: str
) -> None:
    """Count the calls of a function of a module or a class."""
    original = getattr(owner, name)

    def counting(*args: Any, **settings: Any) -> Any:
        counts[label] += 1
        return original(*args, **settings)

    monkeypatch.setattr(owner, name, counting)


def some_trial() -> Trial:
    rng = np.random.default_rng(5)
    clinic = np.repeat(np.arange(16), 15)
    table = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "age": rng.normal(size=240)})
    table["y"] = table.arm * (1 + table.age) + rng.normal(size=240)
    return Trial(table, outcome="y", treatment="arm", cluster="clinic", covariates=["age"])


@pytest.mark.usefixtures("quick_run")
def test_work_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[str] = Counter()
    trial = some_trial()
    members = [("LMM", LinearMixedEffect()), ("GAMM", AdditiveMixedEffect())]
    robust = RobustEnsemble(members, n_folds=2, random_state=1)
    monkeypatch.setattr(models, "estimator", lambda name, **settings: robust)
    counted(monkeypatch, counts, trial_module, "check_design", "checks")
    counted(monkeypatch, counts, trial_table, "validate_trial", "validations")
    counted(monkeypatch, counts, result, "run_record", "records")
    whole = LinearMixedEffect.predict_effect

    def predict(self: Any, X: Any) -> Any:
        counts["predictions of all rows"] += len(X) == 240
        return whole(self, X)

    monkeypatch.setattr(LinearMixedEffect, "predict_effect", predict)

    trial.check()
    found = analyze(trial, models=["Robust"], random_state=1, n_permutations=99)
    for view in (found.to_json(), found.to_html(), found.text):
        assert view
    # Of one member at its fit, and for the effects; intervals and explanation take those.
    assert counts == {
        "checks": 1,
        "validations": 1,
        "records": 1,
        "predictions of all rows": 2,
    }


@pytest.mark.usefixtures("quick_run")
def test_a_record_that_was_changed_changes_no_other() -> None:
    found = analyze(some_trial(), models=["LMM"], random_state=1, n_permutations=99)
    record = found.to_json()
    record["design"]["n"] = -1
    assert found.to_json()["design"]["n"] == 240
