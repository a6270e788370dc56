"""Which columns become covariates, and what is completed of those that belong to clusters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tauhat.tables.reading import read_table
from tauhat.trial.covariate_choice import speaks_of_follow_up, speaks_of_time_or_event
from tauhat.trial.trial import Trial


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


@pytest.mark.parametrize(
    ("outcome", "left_out"),
    [
        ("days", ("status", "time", "visit", "follow-up", "eventTime", "censored")),
        ("time_to_death", ("status", "time", "visit", "follow-up", "eventTime", "censored")),
        ("event", ("status", "time", "visit", "follow-up", "eventTime", "censored")),
        ("pain_12_weeks", ()),
        ("y", ()),
    ],
)
def test_columns_of_follow_up_are_no_covariates_beside_a_time_unless_named(
    outcome: str, left_out: tuple[str, ...]
) -> None:
    df = (
        clustered()
        .drop(columns="clinic")
        .rename(columns={"y": outcome})
        .assign(smoking_status=[0, 1, 1, 0] * 10)
    )
    rng = np.random.default_rng(6)
    names = ["status", "time", "visit", "follow-up", "eventTime", "censored"]
    df[names] = rng.normal(size=(40, 6))
    roles = {"outcome": outcome}
    trial = Trial(df, treatment="arm", **roles)
    assert trial.left_out == left_out
    assert trial.covariate_names == (
        "age",
        "smoking_status",
        *(names if not left_out else ()),
    )
    findings = [f for f in trial.check().findings if f.item == "columns of follow-up"]
    assert [f.value for f in findings] == ([", ".join(left_out)] if left_out else [])
    assert Trial(df, treatment="arm", **roles, covariates=["age", "status"]).covariate_names == (
        "age",
        "status",
    )


def test_words_of_follow_up_alone_make_a_name_of_follow_up() -> None:
    follow_up = ["futime", "fustat", "survTime", "time_to_death", "os_months", "visit_no", "death"]
    follow_up += ["Follow_Up_Time", "status1", "lost to follow-up", "vital_status", "DAYS"]
    assert [name for name in follow_up if not speaks_of_follow_up(name)] == []
    baseline = ["smoking_status", "statin", "stature", "age", "bedtime", "parity", "month", "year"]
    baseline += ["state", "fulltime", "eventration", "code", "disease", "number", "visitor", ""]
    assert [name for name in baseline if speaks_of_follow_up(name)] == []


def test_outcomes_that_are_times_or_events_are_known_by_their_names() -> None:
    assert all(map(speaks_of_time_or_event, ["days", "OS", "survTime", "died", "time_to_event"]))
    assert not any(map(speaks_of_time_or_event, ["sbp", "week12", "score_months_6", "cd420", "y"]))
