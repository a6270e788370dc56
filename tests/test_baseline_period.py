"""Parallel cluster trials with a baseline period: how it is found, and what is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.errors import DesignError

ROLES: dict[str, Any] = {
    "outcome": "sbp",
    "treatment": "arm",
    "cluster": "clinic",
    "covariates": ["age"],
}
MEAN = "baseline mean of sbp"


def sections(seed: int = 1, clusters: int = 20, years: int = 2, person: int = 20) -> pd.DataFrame:
    """Repeated cross-sections: in year 0 nobody is treated, and then every other clinic is."""
    rng = np.random.default_rng(seed)
    clinic = np.repeat(np.arange(clusters), years * person)
    year = np.tile(np.repeat(np.arange(years), person), clusters)
    allocated = rng.permutation(np.arange(clusters) % 2)[clinic]
    age = rng.normal(size=len(clinic))
    arm = allocated * (year > 0)
    level = 2.0 * rng.normal(size=clusters)[clinic]
    sbp = year + level + age + arm * (1 + 0.5 * age) + rng.normal(size=len(clinic))
    columns = {"arm": arm, "allocated": allocated, "age": age, "sbp": sbp}
    return pd.DataFrame({"clinic": clinic, "year": year, **columns})


def by_hand(df: pd.DataFrame) -> th.Trial:
    means = df[df.year == 0].groupby("clinic").sbp.mean()
    later = df[df.year > 0].assign(**{MEAN: lambda rows: rows.clinic.map(means)})
    return th.Trial(later, **{**ROLES, "covariates": ["age", MEAN]})


@pytest.mark.parametrize("treatment", ["arm", "allocated"])
def test_the_baseline_means_are_a_covariate(treatment: str) -> None:
    df = sections()
    trial = th.Trial(df, **{**ROLES, "treatment": treatment}, period="year")
    other = by_hand(df)
    pd.testing.assert_frame_equal(trial.X, other.X)
    assert (trial.n, trial.n_rows, trial.design, trial.period) == (400, 800, "cluster", None)
    assert trial.n_excluded == 0
    assert df.year.iloc[trial.rows].eq(1).all()
    assert trial.cluster_level_names == (MEAN,)
    np.testing.assert_allclose(trial.fit("LMM").effect(trial.X), other.fit("LMM").effect(other.X))
    averages = [th.average_effects(one).individual.estimate for one in (trial, other)]
    assert averages[0] == averages[1]
    (found,) = [one for one in trial.check().findings if one.code == "baseline-period"]
    assert found.status == ("note" if treatment == "arm" else "warning")
    assert "parallel arms with a baseline period (year: 0)" in found.sentence
    assert "400 persons" in found.sentence


def test_the_baseline_makes_the_average_more_precise() -> None:
    ratios, estimates = [], []
    for seed in range(8):
        df = sections(seed)
        errors = [
            th.average_effects(one).individual
            for one in (
                th.Trial(df, **ROLES, period="year"),
                th.Trial(df[df.year == 1], **ROLES),
            )
        ]
        ratios.append(errors[0].se / errors[1].se)
        estimates.append(errors[0].estimate)
    # The baseline tells 4 of 4.05 parts of the variance between clusters.
    assert max(ratios) < 0.6
    assert np.mean(estimates) == pytest.approx(1, abs=0.2)


def test_rows_labels_and_swapped_arms() -> None:
    df = sections()
    moved = df.sample(frac=1, random_state=1).reset_index(drop=True)
    moved["clinic"] = moved.clinic.map(lambda k: f"c{(k * 7) % 20}")
    moved["year"] = moved.year.map({0: "year 9", 1: "year 10"})
    swapped = df.assign(allocated=1 - df.allocated)
    found = [
        th.average_effects(
            th.Trial(table, **{**ROLES, "treatment": "allocated"}, period="year")
        ).individual.estimate
        for table in (df, moved, swapped)
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-9)
    assert found[2] == pytest.approx(-found[0], rel=1e-9)


def test_several_periods_before_and_after() -> None:
    df = sections(years=4)
    later = df.assign(arm=df.allocated * (df.year > 1))
    found = th.Trial(later, **ROLES, period="year").baseline
    assert found is not None
    assert (found.labels, found.later_labels, found.n_persons) == ((0, 1), (2, 3), 800)
    with pytest.raises(th.DesignError, match="of more than two it cannot be told"):
        th.Trial(df, **{**ROLES, "treatment": "allocated"}, period="year")
    # Clusters that are all treated in the end are a stepped wedge.
    wedge = df.assign(arm=(df.year > 1 + df.allocated).astype(int))
    trial = th.Trial(wedge, **ROLES, period="year")
    assert (trial.baseline, trial.design) == (None, "stepped wedge")


def test_clusters_without_a_baseline_and_new_clusters() -> None:
    df = sections()
    df = df[(df.year == 1) | (df.clinic != 3)]
    trial = th.Trial(df, **ROLES, period="year")
    assert trial.frame[MEAN].isna().sum() == 20
    assert any("1 cluster has no outcome" in one.sentence for one in trial.check().findings)
    only_before = th.Trial(df[(df.year == 0) | (df.clinic != 5)], **ROLES, period="year")
    assert only_before.n_clusters == 19
    assert any("1 cluster was seen" in one.sentence for one in only_before.check().findings)
    known = trial.encode(df[["clinic", "age"]].iloc[:5])
    assert known[MEAN].nunique() == 1
    named = trial.encode(pd.DataFrame({"age": [0.0], MEAN: [2.5]}))
    assert named[MEAN].tolist() == [2.5]
    with pytest.raises(th.TrialError, match="needs the column 'baseline mean of sbp', or 'clinic'"):
        trial.encode(df[["age"]])
    with pytest.raises(th.TrialError, match="already"):
        th.Trial(df.assign(**{MEAN: df.age}), **{**ROLES, "covariates": None}, period="year")


def test_a_closed_cohort_is_named() -> None:
    df = sections()
    cohort = df.assign(patient=df.clinic * 20 + np.tile(np.arange(20), 40))
    trial = th.Trial(cohort, **ROLES, period="year", id="patient")
    (found,) = [one for one in trial.check().findings if one.code == "baseline-cohort"]
    assert "400 participants of 'patient' have rows" in found.sentence
    sections_of = th.Trial(df.assign(patient=range(800)), **ROLES, period="year", id="patient")
    assert "baseline-cohort" not in {one.code for one in sections_of.check().findings}


def test_rates_weights_and_events() -> None:
    df = sections().assign(years=lambda rows: 1 + rows.age.abs())
    df["sbp"] = np.random.default_rng(1).poisson(df.years)
    trial = th.Trial(df, **ROLES, period="year", endpoint="count", exposure="years")
    first = df[(df.year == 0) & (df.clinic == 0)]
    assert trial.frame[MEAN].iloc[0] == pytest.approx(first.sbp.sum() / first.years.sum())
    binary = th.Trial(df.assign(sbp=np.where(df.sbp > 0, "yes", "no")), event_value="yes",
                      **ROLES, period="year")  # fmt: skip
    assert binary.frame[MEAN].iloc[0] == pytest.approx((first.sbp > 0).mean())
    with pytest.raises(th.TrialError, match="event= is not supported with period="):
        th.Trial(df, **ROLES, period="year", event="arm")


@pytest.mark.slow
def test_analysis_and_its_report(tmp_path: Path) -> None:
    trial = th.Trial(sections(), **ROLES, period="year")
    analysis = th.analyze(trial, random_state=1, n_permutations=99)
    page = analysis.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "parallel arms with a baseline period" in page
    assert MEAN in page
    assert "over_periods" not in {key for key, value in analysis.to_json().items() if value}


def test_pairs_of_schools_with_two_baseline_years() -> None:
    df = sections(years=4).assign(arm=lambda d: d.allocated * (d.year > 1))
    schools = df.drop_duplicates("clinic").set_index("clinic")
    df["pair"] = df.clinic.map(schools.groupby("allocated").cumcount())
    trial = th.Trial(df, **ROLES, period="year", block="pair")
    assert trial.baseline is not None
    assert trial.notes[0].startswith("800 persons are those of a baseline period (year: 0, 1)")
    assert (trial.data.design.n_blocks, trial.n) == (10, 800)
    alone = th.Trial(df[df.year > 1], **ROLES, block="pair")
    errors = [th.average_effects(one).individual.se for one in (trial, alone)]
    assert errors[0] < 0.8 * errors[1]
    test = th.test_heterogeneity(trial, random_state=1, n_permutations=199)
    assert test.p_value < 0.05


def test_periods_of_different_clusters_are_no_baseline() -> None:
    df = sections().assign(urban=lambda rows: rows.clinic % 4 // 2)
    wrong = (
        r"period column 'urban': no cluster of 'clinic' was seen both in the baseline period \(0\)"
    )
    with pytest.raises(DesignError, match=wrong):
        th.Trial(df, **{**ROLES, "treatment": "allocated"}, period="urban")
