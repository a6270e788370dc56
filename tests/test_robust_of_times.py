"""`Robust` for restricted mean times: calm members, and others as far as effects seem to vary."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

import tauhat as th
from tauhat.ensembles.evidence_shares import EvidenceShares
from tauhat.ensembles.robust import CALM_ON_TIMES, CLUSTER_TIME_MEMBERS, INDIVIDUAL_TIME_MEMBERS
from tauhat.numerics.effect_evidence import EffectEvidence
from timed_trials import table, trial_of

EFFECTS = {"a": np.array([0.0, 1.0]), "b": np.array([1.0, 1.0]), "c": np.array([4.0, -2.0])}


def weights(log_bayes_factor: float, *given: str) -> Any:
    unweighted: Any = SimpleNamespace(sample_weight=None)
    evidence = EffectEvidence(log_bayes_factor)
    return EvidenceShares(0.4, given).weights(EFFECTS, unweighted, None, evidence)


def test_evidence_moves_weight_from_calm_members_to_all() -> None:
    none, even, sure = (weights(b, "a", "b") for b in (-50.0, 0.0, 50.0))
    assert none.shares == pytest.approx({"a": 1 / 2, "b": 1 / 2, "c": 0})
    assert even.shares == pytest.approx({"a": 5 / 12, "b": 5 / 12, "c": 1 / 6})
    assert sure.shares == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    np.testing.assert_allclose(even.combined(EFFECTS), [13 / 12, 1 / 2])
    # Of members none of which is calm all count alike.
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
        assert share == pytest.approx(w / 4 + (1 - w) / 2 * (name in CALM_ON_TIMES))
    of_members = model.member_effects(trial.data.X)
    expected = sum(share * of_members[name] for name, share in model.weights_.items())
    np.testing.assert_allclose(model.effect(trial.data.X), expected, atol=1e-10)
    assert f"posterior probability of {w:.2f}" in model.explain().text


def test_it_survives_saving(tmp_path: Path) -> None:
    trial = trial_of()
    model = th.estimator("Robust", random_state=1).fit_data(trial.data)
    th.save(model, tmp_path / "m.tauhat")
    loaded = th.load(tmp_path / "m.tauhat")
    np.testing.assert_array_equal(loaded.effect(trial.X), model.effect(trial.X))
    assert loaded.weighing_.varies == model.weighing_.varies
