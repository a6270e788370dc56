"""The tables of effect modifiers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from heterogeneity_trials import person_trial
from tauhat.inference import effect_modifiers, modifiers, test_heterogeneity


def encoded_trial(X, names, sources, marks=()):
    """What the functions read of a trial whose covariates were encoded."""
    rng = np.random.default_rng(0)
    y, arm = rng.normal(size=len(X)), np.arange(len(X)) % 2
    frame = pd.DataFrame(X, columns=names)

    class Encoded:
        encoder_ = SimpleNamespace(
            sources_=dict(zip(names, sources, strict=True)),
            columns_=[SimpleNamespace(indicator=mark) for mark in marks],
        )

        def __iter__(self):
            return iter((frame, y, arm))

    return Encoded()


def test_modifiers_rank_what_the_effect_depends_on_not_the_outcome():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(800, 4))
    y = 10 * X[:, 3] + rng.normal(size=800)
    effect = 1 - 2 * X[:, 0] + 0.8 * np.abs(X[:, 1])
    found = effect_modifiers(effect, (X, y, np.arange(800) % 2))
    table = found.table.set_index("covariate")
    assert found.table.covariate[:2].tolist() == ["x1", "x2"]
    assert table.direction["x1"] == "larger effect at smaller values"
    assert table.direction["x2"] == "no steady direction"
    assert table.strength["x4"] < 0.05
    # Var(2 x1) / (Var(2 x1) + Var(.8 |x2|)) = 4 / (4 + .64 (1 - 2 / pi)).
    assert table.share["x1"] == pytest.approx(4 / (4 + 0.64 * (1 - 2 / np.pi)), abs=0.08)
    assert "not the outcome" in found.text


def test_the_order_of_the_rows_changes_no_share():
    rng = np.random.default_rng(6)
    X, order = rng.normal(size=(400, 3)), rng.permutation(400)
    effect, arm = X[:, 0] * X[:, 1] + 0.1 * X[:, 2], np.arange(400) % 2
    y = rng.normal(size=400)
    table = effect_modifiers(effect, (X, y, arm)).table
    again = effect_modifiers(effect[order], (X[order], y[order], arm[order])).table
    numbers = ["strength", "share", "partial_share", "trend"]
    np.testing.assert_allclose(again[numbers], table[numbers], rtol=1e-12)


def test_interactions_are_seen_by_the_partial_share():
    X = np.random.default_rng(2).normal(size=(1500, 3))
    table = effect_modifiers(X[:, 0] * X[:, 1], (X, X[:, 2], np.arange(1500) % 2)).table
    table = table.set_index("covariate")
    assert table.share[["x1", "x2"]].max() < 0.1
    assert table.partial_share[["x1", "x2"]].min() > 0.25
    assert table.partial_share["x3"] < 0.06


def test_modifiers_join_encoded_columns_and_adjusted_p_values():
    rng = np.random.default_rng(3)
    level = rng.integers(0, 3, size=600)
    missing = rng.random(600) < 0.2
    X = np.column_stack([level == 1, level == 2, rng.normal(size=600), missing]).astype(float)
    trial = encoded_trial(
        X,
        ["site=b", "site=c", "age", "age (missing)"],
        ["site", "site", "age", "age"],
        ["age (missing)"],
    )
    test = test_heterogeneity(trial, random_state=1, n_permutations=199)
    assert "age (missing)" not in test.modifiers.covariate.tolist()
    found = effect_modifiers(np.where(level == 2, 3.0, 1.0), trial, heterogeneity=test).table
    assert found.covariate.tolist() == ["site", "age"]
    assert found["columns"].tolist() == ["site=b, site=c", "age, age (missing)"]
    assert found.direction[0] == "differs between levels"
    assert found.trend[0] == pytest.approx(2.0)
    smallest = test.modifiers.groupby("source").p_adjusted.min()
    assert found.set_index("covariate").p_adjusted["site"] == smallest["site"]


def test_constant_effects_have_no_modifier():
    X = np.random.default_rng(0).normal(size=(100, 2))
    found = effect_modifiers(np.full(100, 0.3), (X, X[:, 0], np.arange(100) % 2))
    assert found.strongest == []
    assert found.effect_sd == 0
    assert "depends on no covariate" in found.text


def test_wrong_effects_are_refused():
    trial = person_trial(0)
    with pytest.raises(ValueError, match="150 effects"):
        effect_modifiers(np.zeros(150), trial)
    with pytest.raises(ValueError, match="missing or infinite"):
        effect_modifiers(np.full(200, np.nan), trial)


def test_the_surrogate_predicts_as_its_engine_does():
    rng = np.random.default_rng(1)
    X = np.asfortranarray(rng.normal(size=(90, 3)))
    forest = RandomForestRegressor(n_estimators=20, random_state=1).fit(X, X[:, 0])
    np.testing.assert_array_equal(modifiers._predicted(forest, X), forest.predict(X))
