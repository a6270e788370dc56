"""Models hold new covariates to the columns of their trial, however they came to be fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.analysis import analyze, workflow
from tauhat.data import validate_trial
from tauhat.ensembles import CausalStacking, ConsensusAverage, MedianEffect
from tauhat.ensembles.together import fit_together
from tauhat.learners.catalog import single_estimator
from tauhat.trial.trial import Trial

pytestmark = pytest.mark.usefixtures("short_chains")

NAMES = ["age", "bmi", "sbp"]
RNG = np.random.default_rng(7)
CLUSTERS = np.repeat(np.arange(12), 15)
A = CLUSTERS % 2
X = pd.DataFrame(RNG.normal(size=(180, 3)), columns=NAMES)
Y = X.age + A * (1 + X.bmi) + RNG.normal(size=180)
MEMBERS = [(name, single_estimator(name)) for name in ("LMM", "T-LMM", "X-LMM")]

WRONG = {
    r"another order .* use X\[\['age', 'bmi', 'sbp'\]\]": X[["sbp", "bmi", "age"]],
    r"missing \['bmi'\], unexpected \[\]": X.drop(columns="bmi"),
    r"missing \[\], unexpected \['beds'\]": X.assign(beds=1.0),
    r"missing \['age'\], unexpected \['years'\]": X.rename(columns={"age": "years"}),
}


def assert_holds_to_its_columns(model: Any) -> None:
    """Every public method for new covariates names what is wrong with their columns."""
    assert model.feature_names_in_.tolist() == NAMES
    methods = {
        "effect": model.effect,
        "predict": model.predict,
        "effect_interval": model.effect_interval,
        "risks": model.risks,
        "score": lambda X: model.score(X, Y, treatment=A, clusters=CLUSTERS),
    }
    if model.has_draws:
        methods["effect_draws"] = model.effect_draws
    if hasattr(model, "model_interval"):
        methods["model_interval"] = model.model_interval
    for method in methods.values():
        for message, table in WRONG.items():
            with pytest.raises(ValueError, match=message):
                method(table)
    right = model.effect(X)
    assert np.isfinite(right).all()
    np.testing.assert_array_equal(model.effect(X.to_numpy()), right)


@pytest.fixture(scope="module")
def found() -> Any:
    frame = X.assign(y=Y, arm=A, clinic=CLUSTERS)
    trial = Trial(frame, outcome="y", treatment="arm", cluster="clinic", covariates=NAMES)
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setattr(workflow, "held_out_effects", lambda *args, **settings: "Left out.")
        return analyze(trial, models=["LMM", "T-LMM", "BRM"], random_state=1, n_permutations=99)


def test_model_of_an_analysis_and_its_members(found: Any) -> None:
    for model in (found.model, *found.model.members_.values()):
        assert_holds_to_its_columns(model)


@pytest.mark.parametrize("with_data", [True, False])
def test_models_from_a_file(found: Any, tmp_path: Path, with_data: bool) -> None:
    for model in (found.model, found.model.members_["LMM"]):
        th.save(model, tmp_path / "model.tauhat", with_data=with_data)
        loaded: Any = th.load(tmp_path / "model.tauhat")
        if with_data:
            assert_holds_to_its_columns(loaded)
            continue
        for message, table in WRONG.items():
            for method in (loaded.effect, loaded.predict, loaded.effect_interval, loaded.risks):
                with pytest.raises(ValueError, match=message):
                    method(table)
            with pytest.raises(ValueError, match=message):
                loaded.score(table, Y, treatment=A, clusters=CLUSTERS)


def test_models_fitted_together_and_weighed_again() -> None:
    data = validate_trial(X, Y, A, CLUSTERS)
    estimators = {
        "LMM": single_estimator("LMM"),
        "consensus": ConsensusAverage(MEMBERS),
        "stacking": CausalStacking(MEMBERS, n_folds=2),
    }
    fits = fit_together(estimators, data, seed=1)
    for fit in fits.values():
        assert_holds_to_its_columns(fit.estimator)
    stacked: Any = fits["stacking"].estimator
    assert_holds_to_its_columns(stacked.reaggregate(MedianEffect()))


def test_a_second_fit_forgets_the_first() -> None:
    model = single_estimator("LMM").fit(X, Y, treatment=A, clusters=CLUSTERS)
    model.effect_interval(X)
    model.fit(X.to_numpy(), Y, treatment=A, clusters=CLUSTERS)
    assert not hasattr(model, "feature_names_in_")
    assert not hasattr(model, "reference_posterior_")
    # Fitted without names, it takes columns by position, and says which of them has text.
    np.testing.assert_array_equal(model.effect(X), model.effect(X.to_numpy()))
    with pytest.raises(ValueError, match="column 'bmi' of X is not numeric"):
        model.effect(X.assign(bmi="high"))


def test_how_new_persons_get_the_columns_of_a_model() -> None:
    df = X.assign(site=CLUSTERS, arm=A, y=Y, grp=np.resize(["a", "b", "c"], 180))
    trial = Trial(df, outcome="y", treatment="arm", cluster="site", covariates=["age", "grp"])
    model = trial.fit("LMM")
    new = pd.DataFrame({"age": [0.5], "grp": ["b"]})
    with pytest.raises(ValueError, match=r"unexpected \['grp'\]; trial\.encode\(table\)"):
        model.effect(new)
    assert model.effect(trial.encode(new)).shape == (1,)


def test_a_trial_given_whole_to_a_model_is_to_be_unpacked() -> None:
    trial = Trial(X.assign(site=CLUSTERS, arm=A, y=Y), outcome="y", treatment="arm", cluster="site")
    with pytest.raises(th.TrialError, match=r"of a Trial write fit\(\*trial\)"):
        th.estimator("LMM").fit(trial)
    with pytest.raises(th.TrialError, match="unknown estimator None"):
        th.estimator(None)
