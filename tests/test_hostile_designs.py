"""Designs and columns at the edge: one clear error, or a finite result."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.analysis import workflow

pytestmark = pytest.mark.filterwarnings("ignore")


def trial_table(clusters: int = 12, size: int = 6, seed: int = 1) -> pd.DataFrame:
    """A cluster trial with one covariate and no effect heterogeneity to speak of."""
    rng = np.random.default_rng(seed)
    clinic = np.repeat(np.arange(clusters), size)
    df = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "age": rng.normal(60, 10, len(clinic))})
    df["sbp"] = 140 + 0.2 * df["age"] - 3 * df["arm"] + rng.normal(0, 8, len(df))
    return df


ROLES: dict[str, Any] = {"outcome": "sbp", "treatment": "arm", "cluster": "clinic"}


def effects(df: pd.DataFrame, **roles: Any) -> np.ndarray:
    """Effects and their intervals by the linear mixed model, stacked."""
    trial = th.Trial(df, **{**ROLES, **roles})
    trial.check()
    model = trial.fit("LMM", random_state=1)
    return np.vstack([model.effect(trial.X), *model.model_interval(trial.X)])


def with_columns(**columns: Any) -> pd.DataFrame:
    return trial_table().assign(**columns)


N = len(trial_table())

REFUSED: dict[str, tuple[Callable[[], pd.DataFrame], dict[str, Any], str]] = {
    "two clusters": (lambda: trial_table(2, 30), {}, "at least two"),
    "three clusters": (lambda: trial_table(3, 20), {}, "at least two"),
    "no covariate with a value": (lambda: with_columns(age=np.nan), {}, "covariate"),
    "outcome constant": (lambda: with_columns(sbp=1.0), {}, "constant"),
    "outcome never seen": (lambda: with_columns(sbp=np.nan), {}, "sbp"),
    "outcome seen in one arm": (
        lambda: trial_table().assign(sbp=lambda d: d["sbp"].where(d["arm"] == 1)),
        {},
        "arm",
    ),
    "dates as a covariate": (lambda: with_columns(seen=pd.Timestamp("2024-05-01")), {}, "seen"),
    "lists as a covariate": (lambda: with_columns(odd=[[k] for k in range(N)]), {}, "odd"),
    "sets as the cluster": (lambda: with_columns(clinic=[{1}] * N), {}, "clinic"),
    "arrays as the arm": (lambda: with_columns(arm=[np.arange(2)] * N), {}, "arm"),
    "lists as the outcome": (lambda: with_columns(sbp=[[1.0]] * N), {}, "sbp"),
    "complex outcome": (lambda: with_columns(sbp=np.arange(N) + 1j), {}, "sbp"),
    "infinite outcome": (lambda: with_columns(sbp=[np.inf, *range(N - 1)]), {}, "infinite"),
    "outcome too large for its square": (
        lambda: trial_table().assign(sbp=lambda d: d["sbp"] * 1e200),
        {},
        "sbp",
    ),
    "identifiers as a category": (
        lambda: with_columns(name=[f"level {k}" for k in range(N)]),
        {},
        "name",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_refused_with_one_clear_error(case: str) -> None:
    make, roles, word = REFUSED[case]
    with pytest.raises(th.TrialError, match=word) as caught:
        effects(make(), **roles)
    assert len(str(caught.value)) < 400


FINITE: dict[str, tuple[Callable[[], pd.DataFrame], dict[str, Any]]] = {
    "four clusters": (lambda: trial_table(4, 15), {}),
    "one person a cluster": (lambda: trial_table(40, 1), {}),
    "outcome constant in an arm": (
        lambda: trial_table().assign(sbp=lambda d: d["sbp"].where(d["arm"] == 1, 120.0)),
        {},
    ),
    "outcome constant within clusters": (
        lambda: trial_table().assign(sbp=lambda d: d["clinic"].astype(float) ** 1.5),
        {},
    ),
    "mixed types as a covariate": (
        lambda: with_columns(odd=[1, "two", None, 4.0] * (N // 4)),
        {},
    ),
    "one covariate all missing": (lambda: with_columns(bmi=np.nan), {}),
    "covariate of NaT alone": (lambda: with_columns(seen=pd.Series([pd.NaT] * N)), {}),
    "ids of 64 bits": (
        lambda: trial_table().assign(
            clinic=lambda d: 2**62 + d["clinic"], who=np.arange(N) - 2**62
        ),
        {"id": "who"},
    ),
    "ids repeated": (lambda: with_columns(who="same"), {"id": "who"}),
    "large 64-bit integers as a covariate": (
        lambda: with_columns(big=2**62 + np.arange(N) * 2**40),
        {},
    ),
    "unsigned integers": (lambda: with_columns(big=np.arange(N, dtype=np.uint64) + 2**63), {}),
    "nullable integers": (
        lambda: with_columns(kids=pd.array([1, None, 2, 0] * (N // 4), dtype="Int64")),
        {},
    ),
    "cluster labels of mixed types": (
        lambda: trial_table().assign(
            clinic=lambda d: d["clinic"].map(lambda c: c if c % 3 else f"c{c}")
        ),
        {},
    ),
    "huge scales": (lambda: trial_table().assign(sbp=lambda d: d["sbp"] * 1e95), {}),
    "tiny scales": (
        lambda: trial_table().assign(
            sbp=lambda d: d["sbp"] * 1e-100, age=lambda d: d["age"] * 1e-100
        ),
        {},
    ),
    "tiny spread around a large mean": (
        lambda: trial_table().assign(age=lambda d: 1e12 + d["age"] * 1e-2),
        {},
    ),
    "500 covariates, 60 persons": (
        lambda: trial_table(12, 5).join(
            pd.DataFrame(np.random.default_rng(2).normal(size=(60, 500))).add_prefix("x")
        ),
        {},
    ),
    "all but one person without an outcome in a cluster": (
        lambda: trial_table().assign(sbp=lambda d: d["sbp"].where(d.index % 6 == 0)),
        {},
    ),
    "a duplicated covariate": (lambda: trial_table().assign(age2=lambda d: d["age"]), {}),
    "a covariate that is the arm": (lambda: trial_table().assign(same=lambda d: d["arm"]), {}),
}


@pytest.mark.parametrize("case", list(FINITE))
def test_finite_effects_and_intervals(case: str) -> None:
    make, roles = FINITE[case]
    found = effects(make(), **roles)
    assert np.isfinite(found).all()
    assert (found[1] <= found[2]).all()


def test_effects_follow_the_scale_of_the_outcome() -> None:
    df = trial_table()
    first = effects(df)
    for factor in (1e95, 1e-100, -1.0):
        scaled = effects(df.assign(sbp=df["sbp"] * factor))
        np.testing.assert_allclose(scaled[0] / factor, first[0], rtol=1e-6)


def test_a_category_with_3000_levels_is_pooled() -> None:
    rng = np.random.default_rng(1)
    df = trial_table(20, 300).assign(code=lambda d: [f"k{k}" for k in rng.permutation(len(d)) // 2])
    assert df["code"].nunique() == 3000
    trial = th.Trial(df, **ROLES)
    assert trial.X.shape[1] <= 1 + 20
    assert np.isfinite(trial.fit("LMM", random_state=1).effect(trial.X)).all()


@pytest.mark.parametrize(
    "case", ["four clusters", "one person a cluster", "outcome constant in an arm", "tiny scales"]
)
def test_the_whole_analysis_is_finite(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "held_out_effects", lambda *args, **settings: "Left out.")
    make, roles = FINITE[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        analysis = th.analyze(
            th.Trial(make(), **{**ROLES, **roles}), models=["LMM"], random_state=1
        )
    estimates = analysis.average_effects.table
    assert np.isfinite(estimates[["estimate", "se"]].to_numpy(dtype=float)).all()
    assert np.isfinite(np.asarray(analysis.effects["effect"], dtype=float)).all()
