"""Designs and columns at the edge: one clear error, or a finite result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from cli_runs import draw_nothing_and_take_few_points
from tauhat.cli import main
from tauhat.errors import NothingToTestError

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
    chosen = {**ROLES, **roles}
    # Named, since what looks measured too late is refused otherwise.
    chosen.setdefault("covariates", [c for c in df if c not in chosen.values()])
    trial = th.Trial(df, **chosen)
    trial.check()
    model = trial.fit("LMM", random_state=1)
    return np.vstack([model.effect(trial.X), *model.model_interval(trial.X)])


def with_columns(**columns: Any) -> pd.DataFrame:
    return trial_table().assign(**columns)


N = len(trial_table())

REFUSED: dict[str, tuple[Callable[[], pd.DataFrame], dict[str, Any], str]] = {
    "ids repeated": (lambda: with_columns(who="same"), {"id": "who"}, "1 identifier stands on 72"),
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
            sbp=lambda d: d["sbp"] * 1e-100, age=lambda d: d["age"] * 1e-28
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


# Designs of the issue that only the whole analysis can fail on.
WHOLE: dict[str, tuple[Callable[[], pd.DataFrame], dict[str, Any]]] = {
    **FINITE,
    "scale 1e12": (
        lambda: trial_table().assign(sbp=lambda d: d["sbp"] * 1e12, age=lambda d: d["age"] * 1e12),
        {},
    ),
    "scale 1e-12": (
        lambda: trial_table().assign(
            sbp=lambda d: d["sbp"] * 1e-12, age=lambda d: d["age"] * 1e-12
        ),
        {},
    ),
    "a category of 3000 levels": (
        lambda: trial_table(12, 500).assign(
            code=lambda d: [f"k{k}" for k in np.random.default_rng(1).permutation(len(d)) // 2]
        ),
        {},
    ),
    "cluster-level covariates only, 8 clusters": (
        lambda: trial_table(8, 10).assign(age=lambda d: d["clinic"] % 3),
        {},
    ),
    "constant in an arm, persons randomized": (
        lambda: trial_table().assign(sbp=lambda d: d["sbp"].where(d["arm"] == 1, 120.0)),
        {"cluster": None},
    ),
    "six persons": (lambda: trial_table(6, 1), {"cluster": None}),
}
# What run.json may leave empty, by the path of the key.
MAY_BE_NULL = (
    "command",
    "data.file",
    "data.read",
    "survival_by_arm",
    "average_risks",
    "average_rates",
    "average_effect.complete_cases",
    "average_effect.ratio",
    "relative_effect",
    "named_modifiers",
    "better",
    "relevance",
    "plan",
    "target",
    "endpoint.horizon",
    "endpoint.censoring",
    "synthetic",
    "endpoint.largest_effect",
    "endpoint.in_time",
    "variance_components.between_period",
    "average_effect.size_p_value",
    "average_effect.ratio",
    "over_periods",
    "missing_outcomes",
    "endpoint.weight",
    "endpoint.effective_n",
    "design.",
    "check.",
    "average_effect.cluster",
    "average_effect.difference",
    "models",
    "reported_model.explanation",
    "agreement",
    "modifiers",
    "held_out.",
    "sensitivity.",
)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """No drawing, and short chains for the intervals."""
    draw_nothing_and_take_few_points(monkeypatch)


def empty_keys(content: Any, path: str = "") -> list[str]:
    """Paths of the keys whose value is null."""
    if content is None:
        return [path]
    if isinstance(content, dict):
        return [k for key, value in content.items() for k in empty_keys(value, f"{path}.{key}")]
    if isinstance(content, list):
        return [k for value in content for k in empty_keys(value, path)]
    return []


def run_command(
    df: pd.DataFrame, folder: Path, kind: str, *, force: bool = True, **roles: Any
) -> int:
    """Exit code of the command on a table as a file."""
    file = folder / f"trial.{kind}"
    df.to_csv(file, index=False) if kind == "csv" else df.to_parquet(file)
    words = ["run", str(file), "--models", "LMM", "--jobs", "1", "--out", str(folder / "out")]
    for name, value in {**ROLES, **roles}.items():
        words += [] if value is None else [f"--{name}", str(value)]
    # Of columns that nobody named it leaves out those that cannot be covariates.
    return main([*words, *(["--force"] if force else [])])


NOT_PARQUET = {
    "mixed types as a covariate",
    "cluster labels of mixed types",
    "complex outcome",
}


# A second each; the others take their turn with the slow tests.
QUICK = {
    "one person a cluster",
    "outcome constant in an arm",
    "one covariate all missing",
    "mixed types as a covariate",
    "a covariate that is the arm",
    "scale 1e12",
    "scale 1e-12",
    "cluster-level covariates only, 8 clusters",
    "six persons",
}


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[] if case in QUICK else pytest.mark.slow) for case in WHOLE],
)
def test_the_command_gives_finite_numbers(case: str, tmp_path: Path) -> None:
    make, roles = WHOLE[case]
    kind = "csv" if case in NOT_PARQUET or len(case) % 2 else "parquet"
    assert run_command(make(), tmp_path, kind, **roles) == 0
    found = pd.read_csv(tmp_path / "out" / "effects.csv")
    values = found[["effect", "lower", "upper"]].to_numpy(dtype=float)
    assert np.isfinite(values).all()
    assert (values[:, 1] <= values[:, 0]).all()
    assert (values[:, 0] <= values[:, 2]).all()
    text = (tmp_path / "out" / "run.json").read_text()
    run = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in run.json"))
    empty = {path[1:] for path in empty_keys(run)}
    tested = run["heterogeneity_test"]["tested"]
    if not tested:
        assert {"heterogeneity_test.statistic", "heterogeneity_test.p_value"} <= empty
        empty -= {"heterogeneity_test.statistic", "heterogeneity_test.p_value"}
    assert [path for path in empty if not path.startswith(MAY_BE_NULL)] == []


@pytest.mark.parametrize("case", list(REFUSED))
def test_the_command_refuses_in_one_line(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, roles, _ = REFUSED[case]
    kind = "csv" if case in NOT_PARQUET or len(case) % 2 else "parquet"
    force = case not in ("dates as a covariate", "identifiers as a category")
    assert run_command(make(), tmp_path, kind, force=force, **roles) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("tauhat: error: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("quick_run")
def test_ids_beyond_2_to_the_53_come_back_digit_by_digit(tmp_path: Path) -> None:
    who = 2**62 + np.arange(N)
    for kind in ("csv", "parquet"):
        assert run_command(with_columns(who=who), tmp_path, kind, id="who") == 0
        lines = (tmp_path / "out" / "effects.csv").read_text().splitlines()[1:]
        assert [line.rsplit(",", 1)[1] for line in lines] == [str(value) for value in who]


@pytest.mark.usefixtures("short")
def test_a_trial_that_leaves_nothing_to_test_is_analysed_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, roles = WHOLE["cluster-level covariates only, 8 clusters"]
    assert run_command(make(), tmp_path, "csv", **roles) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Does the effect differ between persons? not tested" in said
    assert "Does the effect differ between people? Not tested." in said
    test = json.loads((tmp_path / "out" / "run.json").read_text())["heterogeneity_test"]
    assert (test["tested"], test["p_value"], test["method"]) == (False, None, "Not tested")
    assert "With 8 clusters (4 in the smaller arm)" in test["text"]
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Does the effect differ? Not tested" in report
    assert "Whether effects differ could not be tested." in report
    analysis = th.analyze(th.Trial(make(), **ROLES), models=["LMM"], random_state=1)
    assert not analysis.heterogeneity.tested
    assert analysis.heterogeneity.modifiers.empty
    assert "was not tested. There is nothing to test" in analysis.text
    with pytest.raises(NothingToTestError, match="8 clusters"):
        th.test_heterogeneity(th.Trial(make(), **ROLES))


@pytest.mark.usefixtures("short")
def test_subgroups_and_modifiers_follow_the_scales() -> None:
    df = trial_table()
    df["sbp"] += df["arm"] * 0.8 * (df["age"] - 60)
    found = []
    for factor, unit in ((1.0, 1.0), (1e12, 1e-12)):
        moved = df.assign(sbp=df["sbp"] * factor, age=df["age"] * unit)
        analysis = th.analyze(th.Trial(moved, **ROLES), models=["LMM"], random_state=1)
        held_out: Any = analysis.held_out
        persons = held_out.subgroups.table["persons"].tolist()
        strength = analysis.modifiers.table["partial_share"].tolist()
        found.append((persons, strength, held_out.groups.difference.estimate / factor))
    assert len(found[0][0]) == 2
    persons, strength, difference = found[1]
    assert persons == found[0][0]
    assert strength == pytest.approx(found[0][1], abs=0.02)
    assert difference == pytest.approx(found[0][2], rel=1e-6)


def test_an_ensemble_refuses_arms_of_two_clusters_by_name() -> None:
    with pytest.raises(th.TrialError, match="at least 3 clusters in each arm; the smaller arm has"):
        th.Trial(trial_table(4, 15), **ROLES).fit("Robust", random_state=1)
