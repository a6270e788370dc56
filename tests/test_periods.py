"""Stepped wedges and cluster crossovers: design, averages, test, models, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.design import ClusterCrossover, ClustersOverPeriods, SteppedWedge

REFERENCE = Path(__file__).parent / "reference"
ROLES: dict[str, Any] = {
    "outcome": "y",
    "treatment": "arm",
    "cluster": "clinic",
    "period": "month",
    "covariates": ["age", "bmi"],
}


def wedge(seed: int = 1, clusters: int = 9, slope: float = 0.0, trend: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    start = rng.permutation(np.resize([1, 2, 3], clusters))
    clinic, month = (
        np.repeat(np.arange(clusters), 40),
        np.tile(np.repeat(np.arange(4), 10), clusters),
    )
    x = rng.normal(size=(len(clinic), 2))
    arm = (month >= start[clinic]).astype(int)
    y = (
        trend * month
        + 0.4 * rng.normal(size=clusters)[clinic]
        + x[:, 0]
        + arm * (1 + slope * x[:, 0])
    )
    y = y + rng.normal(size=len(clinic))
    columns = {"age": x[:, 0], "bmi": x[:, 1], "y": y}
    return pd.DataFrame({"clinic": clinic, "month": month, "arm": arm, **columns})


@pytest.mark.parametrize(
    ("name", "kind"), [("stepped_wedge", SteppedWedge), ("cluster_crossover", ClusterCrossover)]
)
def test_averages_equal_the_r_package(name: str, kind: type) -> None:
    df = pd.read_csv(REFERENCE / f"{name}.csv")
    trial = th.Trial(
        df,
        outcome="y",
        treatment="trt",
        cluster="cluster",
        period="period",
        covariates=["x1", "x2"],
    )
    assert isinstance(trial.randomization, kind)
    expected = json.loads((REFERENCE / "longitudinal.json").read_text())[name]["nested"]
    found = th.average_effects(trial).over_periods
    assert found is not None
    # The R package's REML stops early, so that its last digits are not exact.
    np.testing.assert_allclose(found.table["estimate"], expected["estimate"], atol=5e-5)
    np.testing.assert_allclose(found.table["se"], expected["se"], atol=5e-5)


def test_the_cluster_that_has_both_arms_in_a_period_is_named() -> None:
    df = wedge()
    row = df.index[(df.clinic == 4) & (df.month == 0)][0]
    df.loc[row, "arm"] = 1
    with pytest.raises(th.DesignError, match=r"1 of 36 cluster-periods \(4 in period 0\); with"):
        th.Trial(df, **ROLES)


def test_rows_and_labels_do_not_matter() -> None:
    df = wedge(slope=0.5)
    moved = df.sample(frac=1, random_state=1).reset_index(drop=True)
    moved["clinic"] = moved.clinic.map(lambda k: f"c{(k * 5) % 9}")
    moved["month"] = moved.month.map(lambda k: f"month {k + 8}")
    found = []
    for table in (df, moved):
        trial = th.Trial(table, **ROLES)
        test = th.test_heterogeneity(trial, random_state=1, n_permutations=99)
        effect = trial.fit("LMM").effect([[0.0, 0.0], [1.0, 1.0]])
        found.append([th.average_effects(trial).individual.estimate, test.p_value, *effect])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_a_trend_is_no_effect() -> None:
    flat, steep = (wedge(slope=0.5, trend=trend) for trend in (0.0, 5.0))
    for name in ("LMM", "GAMM"):
        effects = [
            th.Trial(df, **ROLES).fit(name).effect(df[["age", "bmi"]]) for df in (flat, steep)
        ]
        assert np.abs(effects[0] - effects[1]).max() < 0.05
        assert np.corrcoef(effects[1], 1 + 0.5 * flat.age)[0, 1] > 0.9
    averages = [
        th.average_effects(th.Trial(df, **ROLES)).individual.estimate for df in (flat, steep)
    ]
    assert averages[0] == pytest.approx(averages[1], abs=1e-4)


def test_effects_that_are_constant_within_cells_do_not_move_the_test() -> None:
    df = wedge()
    late = df.assign(y=df.y + 3 * df.arm * df.month)
    p_values = [
        th.test_heterogeneity(th.Trial(one, **ROLES), random_state=1, n_permutations=99).p_value
        for one in (df, late)
    ]
    assert p_values[0] == p_values[1]


def test_permutations_are_of_sequences() -> None:
    design = th.Trial(wedge(), **ROLES).data.design
    assert isinstance(design, ClustersOverPeriods)
    drawn = design.permutations(999, 1)
    assert (drawn.n_assignments, drawn.enumerated) == (1680, True)
    assert design.compared_periods.tolist() == [1, 2]
    findings = th.Trial(wedge(), **ROLES).check().findings
    assert [f.status for f in findings if f.code == "design-over-periods"] == ["note", "note"]
    taken = design.take(np.flatnonzero(design.unit != 0))
    assert taken.treatment.tolist() == design.treatment[design.unit != 0].tolist()


def test_effects_by_exposure_time() -> None:
    df = wedge(clusters=18)
    first = df[df.arm == 1].groupby("clinic").month.min()
    exposure = np.where(df.arm == 1, df.month - df.clinic.map(first) + 1, 0)
    found = th.exposure_effects(th.Trial(df.assign(y=df.y + 2.0 * (exposure > 1)), **ROLES))
    assert found is not None
    assert found.p_value < 0.001
    assert [round(one.estimate) for one in found.effects] == [1, 3, 3]
    crossover = df.assign(arm=(df.clinic + df.month) % 2)
    assert th.exposure_effects(th.Trial(crossover, **ROLES)) is None


@pytest.mark.slow
def test_analysis_and_its_report(tmp_path: Path) -> None:
    analysis = th.analyze(th.Trial(wedge(slope=0.8), **ROLES), random_state=1, n_permutations=99)
    assert analysis.reported_model == "GAMM"
    record = json.loads(json.dumps(analysis.to_json()))
    assert record["over_periods"]["design"] == "stepped wedge"
    assert [one["arms"] for one in record["over_periods"]["sequences"]] == ["0111", "0011", "0001"]
    page = analysis.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Effects by periods under treatment" in page
    assert "every period counts the same" in page.lower()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cluster": None}, "needs cluster="),
        ({"weight": "bmi", "covariates": ["age"]}, "weight= is not supported with period="),
        ({"propensity": 0.5}, "propensity= is not supported with period="),
        ({"event": "arm"}, "event= is not supported with period="),
        ({"auxiliary": ["bmi"], "covariates": ["age"]}, "auxiliary= is not supported with period="),
        ({"cluster_size": True}, "cluster_size= is not supported with period="),
        ({"endpoint": "count", "outcome": "falls"}, "endpoint='count' is not supported with"),
    ],
)
def test_what_is_not_supported_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(th.TrialError, match=message):
        th.Trial(wedge().assign(falls=1), **{**ROLES, **change})


def test_other_designs_are_named() -> None:
    df = wedge()
    with pytest.raises(th.DesignError, match="all clusters have the same arm"):
        th.Trial(df.assign(arm=(df.month > 1).astype(int)), **ROLES)
    with pytest.raises(th.DesignError, match="parallel trial"):
        th.Trial(df.assign(arm=df.clinic % 2), **ROLES)
    with pytest.raises(th.DesignError, match="cluster-periods"):
        th.Trial(df.assign(arm=np.arange(len(df)) % 2), **ROLES)
    with pytest.raises(th.DesignError, match=r"stepped wedge.*as period"):
        th.Trial(df, **{**ROLES, "period": None})
    lost = df.assign(y=df.y.where(df.index > 3))
    first = df.clinic == df.clinic[df.arm == 1].iloc[0]
    one_left = df.assign(y=df.y.where((df.arm == 0) | first))
    with pytest.raises(th.DesignError, match="outcomes as controls and 1 when treated"):
        th.Trial(one_left, **{**ROLES, "missing": "complete-cases"})
    with pytest.raises(th.TrialError, match="complete-cases"):
        th.Trial(lost, **ROLES)
    assert th.Trial(lost, **ROLES, missing="complete-cases").n == len(df) - 4
    cohort = df.assign(person=df.clinic * 10 + np.tile(np.arange(10), 36))
    with pytest.raises(th.DesignError, match="closed cohort"):
        th.Trial(cohort, **ROLES, id="person")


@pytest.mark.parametrize("name", ["LMM", "GAMM", "BRM", "R-LMM"])
def test_models_are_saved_and_loaded(name: str, tmp_path: Path) -> None:
    df = wedge(slope=0.8)
    for number, table in enumerate((df, df.assign(y=(df.y > 1).astype(int)))):
        trial = th.Trial(table, **ROLES)
        model = trial.fit(name, random_state=1)
        path = tmp_path / f"{number}.tauhat"
        th.save(model, path)
        loaded = th.load(path)
        np.testing.assert_array_equal(loaded.effect(trial.X), model.effect(trial.X))
        assert loaded.trial_data_.design.name == "stepped wedge"
        assert loaded.trial_data_.endpoint == trial.endpoint


def test_other_learners_and_held_out_effects_are_refused() -> None:
    trial = th.Trial(wedge(), **ROLES)
    for name in ("X-RF", "LMM-lasso", "Robust"):
        with pytest.raises(th.TrialError, match="not supported with period=, because"):
            trial.fit(name)
    with pytest.raises(th.TrialError, match="held-out effects are not supported"):
        th.cross_fit(trial, random_state=1)
    with pytest.raises(th.TrialError, match="modifiers= is not supported"):
        th.analyze(trial, modifiers=["age"], random_state=1)
    with pytest.raises(th.TrialError, match=r"target= is not supported.*no weights within"):
        th.average_effects(trial, target=wedge()[["age", "bmi"]])
    with pytest.raises(th.TrialError, match=r"target= is not supported.*no weights within"):
        th.analyze(trial, target=wedge()[["age", "bmi"]], random_state=1)
    with pytest.raises(th.TrialError, match="comparing models is not supported"):
        th.compare(trial, ["LMM", "GAMM"], random_state=1)
    third = wedge().assign(arm=lambda df: df.arm + (df.arm == 1) * (df.month == 3))
    with pytest.raises(th.DesignError, match="3 arms are not supported with period="):
        th.Trial(third, **ROLES)
    with pytest.raises(th.TrialError, match=r"trial\.fit"):
        th.estimator("LMM").fit(*trial)


def test_r_learners_compare_within_periods() -> None:
    df = wedge(slope=0.6, trend=0.0)
    steep = df.assign(y=df.y + 8.0 * df.month)
    first, second = (
        th.Trial(one, **ROLES).fit("R-LMM", random_state=1).effect([[-1.0, 0.0], [1.0, 0.0]])
        for one in (df, steep)
    )
    # A trend is no effect, and the effect's slope is found.
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert 0.7 < (first[1] - first[0]) / 2 / 0.6 < 1.3
    # Where nobody is treated, or everybody, there is nothing to learn from.
    last = th.Trial(steep[steep.month > 0], **ROLES)
    model = last.fit("R-LMM", random_state=1)
    lower, upper = model.effect_interval([[0.0, 0.0]])
    assert lower[0] < model.effect([[0.0, 0.0]])[0] < upper[0]
    assert model.variance_components_.residual == pytest.approx(1.0, abs=0.3)
