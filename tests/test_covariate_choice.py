"""Which columns become covariates, and what is completed of those that belong to clusters."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tauhat.cli.option_kinds import split_names
from tauhat.errors import TrialError
from tauhat.tables.account import Account
from tauhat.tables.reading import read_table
from tauhat.trial.later_names import sounds_later, speaks_of_follow_up
from tauhat.trial.trial import Trial
from tauhat.trial.unsafe_covariates import comma_list


def clustered(m: int = 8, size: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    clinic = np.repeat(np.arange(m), size)
    return pd.DataFrame(
        {
            "clinic": clinic,
            "arm": clinic % 2,
            "age": rng.normal(60, 10, m * size).round(1),
            "y": rng.normal(size=m * size),
        }
    )


@pytest.mark.parametrize("blank", [None, " ", "\u00a0"])
@pytest.mark.parametrize("kind", ["table", "category", "csv"])
def test_blank_cells_of_a_named_cluster_covariate_are_completed(
    blank: str | None, kind: str, tmp_path: Path
) -> None:
    whole = clustered().assign(kind=lambda d: np.where(d["clinic"] % 3 == 0, "urban", "rural "))
    df = whole.copy()
    df.loc[[0, 6, 7, 39], "kind"] = blank
    df.loc[1, "kind"] = " urban"
    if kind == "category":
        df["kind"] = df["kind"].astype("category")
    if kind == "csv":
        df.to_csv(tmp_path / "t.csv", index=False)
        df = read_table(tmp_path / "t.csv", labels=["arm", "clinic"])
    trial = Trial(
        df,
        outcome="y",
        treatment="arm",
        cluster="clinic",
        covariates=["age"],
        cluster_covariates=["kind"],
    )
    # A category's levels stand in their own order, " urban" before "rural ".
    level = "rural " if kind == "category" else "urban"
    assert trial.X.columns.tolist() == ["age", f"kind={level.strip()}"]
    np.testing.assert_array_equal(trial.X.iloc[:, 1], whole["kind"] == level)
    np.testing.assert_array_equal(trial.encode(df), trial.X)


FOLLOW_UP = ["status", "time", "visit", "follow-up", "eventTime", "censored"]


def with_follow_up() -> pd.DataFrame:
    df = clustered().drop(columns="clinic").assign(smoking_status=[0, 1, 1, 0] * 10)
    df[FOLLOW_UP] = np.random.default_rng(6).normal(size=(40, 6))
    return df


@pytest.mark.parametrize("outcome", ["days", "time_to_death", "pain_12_weeks", "y"])
def test_columns_of_follow_up_are_refused_with_the_safe_ones_to_paste(outcome: str) -> None:
    df = with_follow_up().rename(columns={"y": outcome})
    with pytest.raises(TrialError) as refused:
        Trial(df, treatment="arm", outcome=outcome)
    said = str(refused.value)
    assert all(repr(name) in said for name in FOLLOW_UP)
    assert said.endswith("covariates=['age', 'smoking_status'] (--covariates age,smoking_status)")


def test_named_columns_of_follow_up_are_a_warning() -> None:
    trial = Trial(
        with_follow_up(), treatment="arm", outcome="y", covariates=["age", "status", "censored"]
    )
    assert trial.covariate_names == ("age", "status", "censored")
    found = [f for f in trial.check().findings if f.code == "follow-up-name"]
    assert [(f.status, f.columns) for f in found] == [("warning", ("status", "censored"))]


def test_the_safe_columns_can_be_pasted_into_the_command() -> None:
    names = ["age", "bmi, kg/m2", "it's", 'say "a"', " blanks ", '"', "two\nlines"]
    [word] = shlex.split(comma_list(names))
    assert split_names([word]) == tuple(names)


def test_words_of_follow_up_alone_make_a_name_of_follow_up() -> None:
    follow_up = ["futime", "fustat", "survTime", "time_to_death", "os_months", "visit_no", "death"]
    follow_up += ["Follow_Up_Time", "status1", "lost to follow-up", "vital_status", "DAYS", "week"]
    assert [name for name in follow_up if not speaks_of_follow_up(name)] == []
    baseline = ["smoking_status", "statin", "stature", "age", "bedtime", "parity", "month", "year"]
    baseline += ["state", "fulltime", "eventration", "code", "disease", "number", "visitor", ""]
    assert [name for name in baseline if speaks_of_follow_up(name)] == []


LATER = ["outcome", "Outcome_2", "sbp_outcome", "apgar", "APGAR5", "apgar_1min", "adverse_event"]
LATER += [
    "serious adverse events",
    "SAE",
    "AE_count",
    "dateOfDeath",
    "death_date",
    "died",
    "status",
]
LATER += ["vitalStatus", "fu_weight", "sbp_followup", "Follow-up visit", "visit", "visit2_sbp"]
LATER += ["week", "pain_week12", "painWk12", "12wk_pain", "sbp_m6", "sbp_6months", "day28_sofa"]
LATER += [
    "post_score",
    "posttest",
    "endline_income",
    "change_sbp",
    "sbp_chg",
    "withdrew",
    "year1_score",
]
EARLIER = ["age", "sex", "sbp", "baseline_sbp", "sbp_week0", "weight_bl", "visit1_sbp", "postcode"]
EARLIER += [
    "marital_status",
    "employment status",
    "smoking_status",
    "life_events",
    "month_of_birth",
]
EARLIER += ["drinks_past_12_months", "attacks last 4 weeks", "vit_d3", "area_m2", "relapses_prior"]
EARLIER += ["cd40", "il6", "gestational_age_weeks", "year", "birth_year", "re74", "stage", "height"]
EARLIER += ["family_death", "prev_adverse_event", "weekly_hours", "holiday", "monday", "dayshift"]
EARLIER += [
    "post_secondary",
    "readiness_to_change",
    "mri_t2",
    "sf36_v2",
    "school_year_7",
    "day1_sbp",
]
EARLIER += ["pre_post_code", "t3", "b12", "exp", "trace", "education_years", "time_at_address"]


def test_names_of_what_comes_after_randomization_are_known() -> None:
    assert [name for name in LATER if not sounds_later(name, "y")] == []
    assert [name for name in EARLIER if sounds_later(name, "y")] == []
    assert sounds_later("qol_t2", "pain_t2")
    assert not sounds_later("qol_t1", "pain_t2")


@pytest.mark.parametrize(
    ("name", "outcome", "later"),
    [
        ("hba1c_0", "hba1c", False),
        ("hba1c_0", "hba1c_12m", False),
        ("hba1c_baseline", "hba1c", False),
        ("phq9", "phq9_6m", False),
        ("phq9_t0", "phq9_t1", False),
        ("fev1_pre", "fev1_post", False),
        ("PHQ9_V1", "PHQ9_V4", False),
        ("il6", "il6_w12", False),
        ("il6_1d", "il6_28d", False),
        ("phq9_6m", "phq9_12m", True),
        ("sbp_6m", "sbp_12m", True),
        ("sbp_0m", "sbp_12m", False),
        ("cd820", "cd420", True),
        ("cd420_b", "cd420", True),
        ("cd80", "cd420", False),
        ("t2_phq9", "t1_phq9", True),
    ],
)
def test_a_number_of_the_measure_is_no_time(name: str, outcome: str, later: bool) -> None:
    assert sounds_later(name, outcome) is later


def test_a_label_tells_what_a_name_does_not() -> None:
    df = clustered().drop(columns="clinic").assign(v17=lambda d: d["age"] % 7)
    roles = {"outcome": "y", "treatment": "arm"}
    assert Trial(df, **roles).covariate_names == ("age", "v17")
    df.attrs["file"] = asdict(Account("SPSS", labels={"v17": "Apgar score at 5 minutes"}))
    with pytest.raises(TrialError, match=r"'v17' \(by its name\)"):
        Trial(df, **roles)


def test_a_set_of_covariates_has_one_order_and_a_set_of_arms_none() -> None:
    df = clustered().assign(bmi=lambda d: d["age"] ** 2, sex=lambda d: d["clinic"] % 3)
    roles = {"outcome": "y", "treatment": "arm", "cluster": "clinic"}
    names = {"sex", "bmi", "age"}
    assert Trial(df, **roles, covariates=names).covariate_names == ("age", "bmi", "sex")
    frozen = Trial(df, **roles, covariates=frozenset(names))
    assert frozen.covariate_names == ("age", "bmi", "sex")
    with pytest.raises(TrialError, match=r"arms is a set, which has no order, .* give a list"):
        Trial(df, **roles, arms={0, 1}, covariates=["age"])


def test_a_name_in_other_case_is_recognised() -> None:
    df = clustered().rename(columns={"y": "sbp_12m"})
    with pytest.raises(TrialError, match=r"no column 'SBP_12M'; did you mean 'sbp_12m'\?"):
        Trial(df, outcome="SBP_12M", treatment="arm", cluster="clinic")
