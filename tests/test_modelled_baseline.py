"""Rows of a baseline period in the model: the design, what it gives, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.cli import main
from tauhat.design import ParallelWithBaseline
from test_baseline_period import ROLES, sections


def modelled(df: pd.DataFrame, **roles: Any) -> th.Trial:
    return th.Trial(df, **{**ROLES, **roles}, period="year", baseline_rows="model")


@pytest.fixture(scope="module")
def trial() -> th.Trial:
    return modelled(sections())


@pytest.mark.parametrize("treatment", ["arm", "allocated"])
def test_nobody_is_treated_in_the_baseline(treatment: str) -> None:
    df = sections()
    found = modelled(df, treatment=treatment)
    assert (found.n, found.baseline, found.X.columns.tolist()) == (800, None, ["age"])
    assert found.design == "parallel trial with a baseline period"
    np.testing.assert_array_equal(found.treatment, df.arm)
    design = found.data.design
    assert isinstance(design, ParallelWithBaseline)
    assert design.schedule.tolist() == [[0, 1], [0, 0]]
    assert design.in_baseline.sum() == 400


def test_labels_by_allocation_are_warned_of_as_with_a_covariate() -> None:
    df = sections()
    last = "so that only the order of the periods says which came first."
    for treatment, warned in (("arm", 0), ("allocated", 1)):
        check = modelled(df, treatment=treatment).check()
        found = [one for one in check.findings if one.code == "baseline-period"]
        assert [one.status for one in found] == ["warning"] * warned
        assert sum(last in one for one in check.warnings) == warned
    (found_one,) = found
    assert found_one.value == "year: 0; 400 persons"
    (beside,) = (
        one
        for one in th.Trial(df, **{**ROLES, "treatment": "allocated"}, period="year")
        .check()
        .warnings
        if last in one
    )
    assert found_one.sentence.split(". ")[-1] == beside.split(". ")[-1]
    answered = modelled(df, treatment="allocated", accept=["baseline-period"]).check()
    assert any(last in one for one in answered.accepted)
    assert not any(last in one for one in answered.warnings)


def test_what_the_baseline_lets_expect_of_a_cluster() -> None:
    rng = np.random.default_rng(1)
    clinic = np.repeat(np.arange(5), 12)
    month = np.tile(np.repeat([0, 0, 1, 2], 3), 5)
    keep = np.flatnonzero((clinic != 3) | (month != 1))
    clinic, month = clinic[keep], month[keep]
    arm = (clinic % 2) * (month == 2)
    residual = rng.normal(size=len(clinic))
    design = ParallelWithBaseline.over(arm, clinic, month)
    found = design.expected_levels(residual, between=0.5, of_period=0.2, within=1.3)
    # The best linear prediction from single persons.
    cell = clinic[:, None] == clinic
    covariance = 0.5 * cell + 0.2 * (cell & (month[:, None] == month)) + 1.3 * np.eye(len(clinic))
    before = month < 2
    of_baseline = covariance[np.ix_(before, before)]
    expected = [
        0.5 * (clinic == k)[before] @ np.linalg.solve(of_baseline, residual[before])
        for k in range(5)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_array_equal(design.expected_levels(residual, 0.0, 0.2, 1.3), np.zeros(5))


def test_the_average_is_that_of_the_later_period_and_more_precise() -> None:
    ratios, estimates = [], []
    for seed in range(8):
        df = sections(seed)
        with_rows, with_mean = (
            th.average_effects(one).individual
            for one in (modelled(df), th.Trial(df, **ROLES, period="year"))
        )
        ratios.append(with_rows.se / with_mean.se)
        estimates.append(with_rows.estimate)
    assert np.exp(np.mean(np.log(ratios))) < 0.95
    assert np.mean(estimates) == pytest.approx(1, abs=0.15)


def test_an_average_by_hand() -> None:
    # Without covariates that tell anything: means of the later period less what is expected.
    df = sections(3).assign(age=0.0)
    df.loc[0, "age"] = 1e-6
    found = th.average_effects(modelled(df)).individual.estimate
    variances = modelled(df).fit("LMM").variance_components_
    means = df.groupby(["clinic", "year"]).sbp.mean().unstack()
    treated = df[df.year == 1].groupby("clinic").arm.first() == 1
    between, of_period = variances.between_cluster, variances.between_period
    slope = between / (between + of_period + variances.residual / 20)
    left = means[1] - slope * (means[0] - means[0].mean())
    assert found == pytest.approx(left[treated].mean() - left[~treated].mean(), abs=0.03)


def test_the_test_is_that_of_the_later_rows(trial: th.Trial) -> None:
    df = sections()
    later = th.Trial(df[df.year == 1], **ROLES)
    p_values = [
        th.test_heterogeneity(one, random_state=1, n_permutations=199) for one in (trial, later)
    ]
    assert p_values[0].statistic == pytest.approx(p_values[1].statistic, rel=1e-9)
    assert p_values[0].method == p_values[1].method


def test_trends_after_the_baseline_are_taken_out() -> None:
    df = sections(years=4).assign(arm=lambda d: d.allocated * (d.year > 1))
    steep = df.assign(sbp=df.sbp + 100 * (df.year == 3))
    found = [
        th.test_heterogeneity(modelled(one), random_state=1, n_permutations=199).statistic
        for one in (df, steep)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    averages = [th.average_effects(modelled(one)).individual for one in (df, steep)]
    assert averages[0].estimate == pytest.approx(averages[1].estimate, rel=1e-6)
    assert averages[0].se == pytest.approx(averages[1].se, rel=1e-4)


@pytest.mark.parametrize("learner", ["LMM", "GAMM", "BRM"])
def test_learners_have_intercepts_of_clusters_and_periods(learner: str, trial: th.Trial) -> None:
    model = trial.fit(learner, random_state=1)
    effect = model.effect(pd.DataFrame({"age": [-1.0, 1.0]}))
    # 1 + .5 age.
    np.testing.assert_allclose(effect, [0.5, 1.5], atol=0.35)
    components = model.variance_components_
    assert components.between_cluster > 0.8
    assert components.between_period < 0.3


def test_rows_labels_and_swapped_arms() -> None:
    df = sections()
    moved = df.sample(frac=1, random_state=1).reset_index(drop=True)
    moved["clinic"] = moved.clinic.map(lambda k: f"c{(k * 7) % 20}")
    found = [th.average_effects(modelled(one)).individual for one in (df, moved)]
    assert found[1].estimate == pytest.approx(found[0].estimate, rel=1e-9)
    assert found[1].se == pytest.approx(found[0].se, rel=1e-9)
    swapped = df.assign(allocated=1 - df.allocated)
    both = [
        th.average_effects(modelled(one, treatment="allocated")).individual.estimate
        for one in (df, swapped)
    ]
    assert both[1] == pytest.approx(-both[0], rel=1e-6)


def test_pairs_of_clusters_and_events() -> None:
    df = sections()
    schools = df.drop_duplicates("clinic").set_index("clinic")
    df["pair"] = df.clinic.map(schools.groupby("allocated").cumcount())
    in_pairs = modelled(df, block="pair")
    assert in_pairs.data.design.n_blocks == 10
    assert th.test_heterogeneity(in_pairs, random_state=1, n_permutations=199).p_value < 0.05
    assert th.average_effects(in_pairs).individual.estimate == pytest.approx(1, abs=0.5)
    events = modelled(df.assign(sbp=(df.sbp > 1).astype(int)))
    found = th.average_effects(events)
    assert found.individual_risks is not None
    assert found.individual_risks.treated - found.individual_risks.control == pytest.approx(
        found.individual.estimate
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"baseline_rows": "rows"}, "baseline_rows must be one of covariate, model"),
        ({"period": None}, "baseline_rows= needs period="),
        ({"weight": "patient"}, "weight= is not supported with period="),
        ({"id": "patient"}, "closed cohort"),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    df = sections().assign(patient=lambda d: 1 + d.clinic * 20 + np.tile(np.arange(20), 40))
    with pytest.raises(th.TrialError, match=message):
        th.Trial(df, **{**ROLES, "period": "year", "baseline_rows": "model", **change})


def test_other_designs_have_no_rows_to_model() -> None:
    df = sections(years=4)
    wedge = df.assign(arm=(df.year > 1 + df.allocated).astype(int))
    with pytest.raises(th.TrialError, match="these are not: leave it out"):
        modelled(wedge)
    # As a covariate there is none either, and it is the default.
    assert th.Trial(wedge, **ROLES, period="year").design == "stepped wedge"


def test_saved_and_read_again(trial: th.Trial, tmp_path: Path) -> None:
    model = trial.fit("LMM", random_state=1)
    th.save(model, tmp_path / "model.tauhat")
    new = pd.DataFrame({"age": [0.0, 1.0]})
    np.testing.assert_array_equal(th.load(tmp_path / "model.tauhat").effect(new), model.effect(new))


@pytest.mark.slow
def test_a_run_and_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trial.csv"
    sections().drop(columns="allocated").to_csv(file, index=False)
    words = ["run", str(file), "--outcome", "sbp", "--treatment", "arm", "--cluster", "clinic"]
    words += ["--period", "year", "--baseline-rows", "model", "--covariates", "age"]
    assert main([*words, "--out", str(tmp_path / "out")]) in (0, 3)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "A parallel trial with a baseline period (2 periods)" in page
    assert "for what the baseline says of each cluster" in page
    capsys.readouterr()
    assert main(["methods", str(tmp_path / "out")]) == 0
    paragraphs = capsys.readouterr().out
    assert "in the model (Hooper and others 2018). Adjustment was for age." in paragraphs
    assert "BMJ 360:k1121" in paragraphs
