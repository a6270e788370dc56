"""docs/engines.md: its versions are those pinned, its guards exist, and each guard holds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tauhat.fitting.bootstrap import t_quantile
from tauhat.learners import BayesianCausalForest, CausalForest
from tauhat.learners.mixed_s import MixedEffectsLearner
from tauhat.numerics.mixed_model import MixedModel
from tauhat.outcome import GPBoost
from tauhat.outcome.linear_mixed import LinearMixedModel
from tauhat.tables.reading import read_table
from tauhat.testing.checks import CHECKS
from tauhat.trial.trial import Trial

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "engines.md").read_text("utf-8")
USED, OTHERS = (
    [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines()[1:]]
    for part in (
        re.search(r"(?:^\|.*\n)+", PAGE[PAGE.index(heading) :], flags=re.MULTILINE)[0]
        for heading in ("## Engines that", "## Other packages")
    )
)
PINNED = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text("utf-8").split()
    if "==" in line
)


@pytest.mark.parametrize("row", USED[1:], ids=lambda row: f"{row[0]}: {row[2][:40]}")
def test_versions_are_those_pinned_and_guards_exist(row: list[str]) -> None:
    engine, version, _, _, guards = row
    assert PINNED[engine] == version, "look again at what the new version does"
    for guard in re.findall(r"`([^`]*)`", guards):
        where, name = guard.split(".")
        if where == "testing":
            assert name in [check.__name__ for check in CHECKS]
        else:
            assert f"def {name}(" in (ROOT / "tests" / f"{where}.py").read_text("utf-8")


def test_packages_not_used_are_not_pinned_for_tauhat() -> None:
    assert len(OTHERS) > 10
    assert not {row[0].lower() for row in OTHERS[1:]} & set(PINNED)


def clustered(
    m: int = 16, size: int = 12
) -> tuple[pd.DataFrame, pd.Series, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(m), size)
    arm = clusters % 2
    X = pd.DataFrame(rng.normal(size=(m * size, 2)), columns=["age", "bmi"])
    y = X.age + arm * (1 + X.bmi) + 0.5 * rng.normal(size=m)[clusters] + rng.normal(size=m * size)
    return X, y, arm, clusters


def test_a_boolean_arm_is_0_and_1() -> None:
    X, y, arm, clusters = clustered()
    settings = {"n_outcome_trees": 10, "n_effect_trees": 5, "n_chains": 1, "n_grow": 2}
    model = BayesianCausalForest(**settings, n_burn_in=5, n_draws=10, random_state=1)
    numbers = model.fit(X, y, treatment=arm, clusters=clusters).effect(X)
    np.testing.assert_array_equal(
        model.fit(X, y, treatment=arm == 1, clusters=clusters).effect(X), numbers
    )
    assert np.abs(numbers).max() < 10


def test_the_type_of_cluster_labels_does_not_matter() -> None:
    X, y, arm, clusters = clustered()
    learner = MixedEffectsLearner(GPBoost(max_rounds=20, n_folds=2), random_state=1)
    labels = (clusters, clusters.astype(float), np.array([f"c{c:02d}" for c in clusters]))
    effects = [learner.fit(X, y, treatment=arm, clusters=c).effect(X) for c in labels]
    for effect in effects[1:]:
        np.testing.assert_array_equal(effect, effects[0])


def test_intervals_of_the_causal_forest_are_not_those_of_its_trees() -> None:
    X, y, arm, _ = clustered()
    person_arm = np.random.default_rng(1).permutation(arm)
    model = CausalForest(LinearMixedModel(), n_estimators=40, random_state=1)
    model.fit(X, y, treatment=person_arm)
    lower, upper = model.effect_interval(X)
    draws = model.reference_posterior().effect_draws(X.to_numpy())
    error = np.sqrt(((draws - model.effect(X)) ** 2).mean(axis=0))
    half = t_quantile(0.95, len(y) - 2) * error
    np.testing.assert_allclose((upper - lower) / 2, half, rtol=1e-9)


def table() -> pd.DataFrame:
    X, y, arm, clusters = clustered()
    grade = np.random.default_rng(2).integers(1, 5, len(y))
    site = np.array(["north", "east", "south"])[grade % 3]
    words = np.where(arm == 1, "new", "usual")
    return X.assign(y=y, arm=words, clinic=clusters, site=site, grade=grade)


def test_text_arms_of_a_trial_are_coded() -> None:
    trial = Trial(table(), outcome="y", treatment="arm", control="usual", cluster="clinic")
    assert sorted(np.unique(trial.treatment).tolist()) == [0, 1]
    assert np.isfinite(trial.fit("LMM").effect(trial.X)).all()


def test_categories_reach_the_engines_as_numbers() -> None:
    columns = Trial(table(), outcome="y", treatment="arm", control="usual", cluster="clinic").X
    assert all(kind.kind in "fiub" for kind in columns.dtypes)
    assert {column for column in columns if str(column).startswith("site")}


def test_categories_of_a_parquet_file_are_those_of_the_csv(tmp_path: Path) -> None:
    frame = table()
    frame.to_csv(tmp_path / "trial.csv", index=False)
    levels = ["north", "east", "south", "west"]  # nobody is in the west
    frame["site"] = pd.Categorical(frame.site, categories=levels)
    frame["grade"] = pd.Categorical(frame.grade, categories=[4, 3, 2, 1], ordered=True)
    frame.to_parquet(tmp_path / "trial.parquet")
    roles = {"outcome": "y", "treatment": "arm", "control": "usual", "cluster": "clinic"}
    tables = [Trial(read_table(tmp_path / f"trial.{k}"), **roles).X for k in ("csv", "parquet")]
    pd.testing.assert_frame_equal(tables[0], tables[1], check_dtype=False)


def test_no_variance_between_clusters_is_a_result() -> None:
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(20), 10)
    y = rng.normal(size=200)
    y -= (np.bincount(clusters, y) / 10)[clusters]
    fit = MixedModel(y, np.ones((200, 1)), clusters=clusters).fit()
    assert fit.between_cluster_variance == pytest.approx(0, abs=1e-6)
    assert fit.residual_variance == pytest.approx(y @ y / 199, rel=1e-3)
    assert np.isfinite(fit.standard_errors(np.eye(1))).all()
