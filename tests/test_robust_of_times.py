"""`Robust` for restricted mean times: PEM, and others as far as outcomes speak against it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import tauhat as th
from tauhat.ensembles.evidence_shares import EvidenceShares
from tauhat.ensembles.explanation import explain_weights
from tauhat.ensembles.robust import (
    CLUSTER_TIME_MEMBERS,
    INDIVIDUAL_TIME_MEMBERS,
    OF_THE_TIMES,
    RobustEnsemble,
    recipe_for,
)
from tauhat.numerics.effect_evidence import EffectEvidence
from tauhat.numerics.kendall import puts_in_order
from timed_trials import table, trial_of

EFFECTS = {"a": np.array([0.0, 1.0]), "b": np.array([1.0, 1.0]), "c": np.array([4.0, -2.0])}


def weights(log_bayes_factor: float, *given: str) -> Any:
    unweighted: Any = SimpleNamespace(sample_weight=None)
    evidence = EffectEvidence(log_bayes_factor)
    return EvidenceShares(0.4, given).weights(EFFECTS, unweighted, None, evidence)


def test_evidence_moves_weight_from_given_members_to_all() -> None:
    none, even, sure = (weights(b, "a", "b") for b in (-50.0, 0.0, 50.0))
    assert none.shares == pytest.approx({"a": 1 / 2, "b": 1 / 2, "c": 0})
    assert even.shares == pytest.approx({"a": 5 / 12, "b": 5 / 12, "c": 1 / 6})
    assert sure.shares == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    np.testing.assert_allclose(even.combined(EFFECTS), [13 / 12, 1 / 2])
    # Of members none of which is given weight all count alike.
    assert weights(-50.0, "other").shares == pytest.approx(dict.fromkeys("abc", 1 / 3))


@pytest.mark.parametrize("clusters", [0, 24])
def test_a_restricted_mean_time_has_members_of_its_own(clusters: int) -> None:
    df = table(clusters=clusters)
    trial = trial_of(df, cluster="clinic") if clusters else trial_of(df)
    model = th.estimator("Robust", random_state=1).fit_data(trial.data)
    names = CLUSTER_TIME_MEMBERS if clusters else INDIVIDUAL_TIME_MEMBERS
    assert set(model.weights_) == set(names)
    w = expit(model.evidence_.log_bayes_factor)
    assert 0.01 < w < 0.99
    for name, share in model.weights_.items():
        assert share == pytest.approx(w / 4 + (1 - w) * (name in OF_THE_TIMES))
    of_members = model.member_effects(trial.data.X)
    expected = sum(share * of_members[name] for name, share in model.weights_.items())
    np.testing.assert_allclose(model.effect(trial.data.X), expected, atol=1e-10)
    told = model.explain().text
    assert f"in ways that PEM missed with a posterior probability of {w:.2f}" in told


def test_the_evidence_is_about_what_the_model_of_the_times_missed() -> None:
    data = trial_of(table(3000, seed=3)).data
    strategy = EvidenceShares(0.4, OF_THE_TIMES)
    x = data.X[:, 0]
    told, blind = (strategy.evidence({"PEM": e}, data, 1) for e in (4.5 * (x > 0), 0.0 * x))
    assert blind.log_bayes_factor > 2
    assert told.log_bayes_factor < 0
    # What other members say does not count, and without that one nothing is subtracted.
    others = strategy.evidence({"PEM": 0.0 * x, "GAMM": x}, data, 1)
    assert others.log_bayes_factor == blind.log_bayes_factor
    assert strategy.evidence({"GAMM": x}, data, 1).log_bayes_factor == blind.log_bayes_factor


def test_members_of_ones_own_count_alike() -> None:
    members = [(name, th.estimator(name)) for name in ("LMM", "GAMM")]
    model = RobustEnsemble(members, random_state=1).fit_data(trial_of().data)
    assert model.weights_ == pytest.approx({"LMM": 0.5, "GAMM": 0.5})
    assert "missed" not in model.explain().text


def test_a_member_that_orders_nobody_agrees_with_nobody() -> None:
    weighing = weights(0.0, "a", "b")
    agreement = pd.DataFrame(np.ones((3, 3)), list("abc"), list("abc"))
    agreement.loc["a", "c"] = agreement.loc["c", "a"] = 0.4
    agreement.loc["b"] = agreement["b"] = np.nan
    told = explain_weights(weighing, EFFECTS, agreement)
    assert told.table["agreement"].to_dict() == pytest.approx(
        {"a": 0.4, "b": np.nan, "c": 0.4}, nan_ok=True
    )
    assert "correlation of members that put persons in an order is 0.40" in told.text
    alone = explain_weights(weighing, EFFECTS, agreement * np.nan)
    assert "Kendall" not in alone.text


def test_effects_that_are_one_number_have_no_order_in_an_ensemble() -> None:
    data = trial_of().data
    flat = th.estimator("PEM").fit_data(data).effect(data.X)
    assert not puts_in_order(flat.mean() + 1e-6 * (flat - flat.mean()), data.y)
    assert puts_in_order(flat, data.y)


@pytest.mark.parametrize("endpoint", ["time-lost", "survival"])
@pytest.mark.parametrize("clusters", [0, 24])
def test_all_that_is_made_of_times_is_weighed_alike(clusters: int, endpoint: str) -> None:
    df = table(clusters=clusters)
    more = {"cluster": "clinic"} if clusters else {}
    data = trial_of(df, endpoint=endpoint, **more).data
    recipe = recipe_for(data)
    assert recipe.members == (CLUSTER_TIME_MEMBERS if clusters else INDIVIDUAL_TIME_MEMBERS)
    assert recipe.weighting is EvidenceShares
    assert recipe.given == OF_THE_TIMES


def test_it_survives_saving(tmp_path: Path) -> None:
    trial = trial_of()
    model = th.estimator("Robust", random_state=1).fit_data(trial.data)
    th.save(model, tmp_path / "m.tauhat")
    loaded = th.load(tmp_path / "m.tauhat")
    np.testing.assert_array_equal(loaded.effect(trial.X), model.effect(trial.X))
    assert loaded.weighing_.varies == model.weighing_.varies
