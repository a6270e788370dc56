"""An analysis checks, validates and describes its trial once, and seldom asks a member twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.analysis import analyze, models, result
from tauhat.ensembles import RobustEnsemble
from tauhat.ensembles.fits import fit_member
from tauhat.fitting.learning_view import learning_view
from tauhat.learners import AdditiveMixedEffect, LinearMixedEffect
from tauhat.numerics import cholesky
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.ridge_posterior import sample_ridge_posterior
from tauhat.runtime.files import csv_text
from tauhat.tables.columns import has_more_values
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


def test_the_precision_is_factored_once_for_each_point_and_each_that_is_drawn_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(2)
    X, arm = rng.normal(size=(80, 2)), np.tile([0, 1], 40)
    counts: Counter[str] = Counter()
    counted(monkeypatch, counts, MixedModel, "objective", "slopes")
    counted(monkeypatch, counts, cholesky, "factor", "factors")
    posterior = sample_ridge_posterior(X, X[:, 0], arm, None, None, 1, n_points=32, draws=20)
    assert posterior.n_draws == 20
    d = posterior.log_ratio_draws.shape[-1]
    # The mode and both sides of each axis, 16 + 32 points and at most three rounds more, draws.
    assert counts["factors"] - counts["slopes"] <= 1 + 2 * d + 16 + 4 * 32 + 20


def test_a_fitted_member_leaves_its_trial_to_the_ensemble() -> None:
    data = learning_view(some_trial().data)
    fit = fit_member(LinearMixedEffect(), data, {}, 1)
    assert fit.estimator is not None
    assert not hasattr(fit.estimator, "trial_data_")
    members = [("LMM", LinearMixedEffect()), ("GAMM", AdditiveMixedEffect())]
    model = RobustEnsemble(members, n_folds=2, random_state=1).fit_data(data)
    assert all(member.trial_data_ is model.trial_data_ for member in model.members_.values())


@pytest.mark.parametrize("most", [2, 60, 600])
def test_a_value_that_comes_late_is_counted(most: int) -> None:
    few = pd.Series(np.arange(5000) % most, dtype=float)
    few.iloc[10] = np.nan
    assert not has_more_values(few, most)
    few.iloc[-1] = -1.0
    assert has_more_values(few, most)
    assert has_more_values(pd.Series(np.arange(5000)), most)


def test_numbers_are_written_as_pandas_writes_them_to_ten_digits() -> None:
    numbers = [0.1 + 0.2, -0.0, 1e-300, 123456789012.5, 1e22, np.inf, -np.inf, np.nan, 5.0]
    table = pd.DataFrame({"effect": numbers, "row": range(9)})
    plain = table.to_csv(index=False, float_format="%.10g", lineterminator="\n")
    assert csv_text(table) == plain
