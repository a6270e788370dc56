"""Persons on several rows: refused, explained by the design, or found without an identifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.cli import main
from tauhat.errors import DesignError, TrialError
from tauhat.inference import average_effects
from tauhat.trial.checks.repeated_rows import n_copied_rows
from tauhat.trial.trial import Trial


def visits(persons: int = 40, times: int = 6) -> pd.DataFrame:
    """Persons with several visits, the arm and the age their own."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(persons), times)
    own = rng.normal(size=persons)[person]
    return pd.DataFrame(
        {
            "person": person,
            "arm": person % 2,
            "age": rng.normal(60, 10, persons).round(1)[person],
            "visit": np.tile(np.arange(times), persons),
            "y": 0.5 * (person % 2) + own + rng.normal(size=persons * times),
        }
    )


def crossover() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "patient": np.tile(np.arange(60), 2),
            "arm": np.repeat([0, 1], 60),
            "period": np.tile([1, 2], 60),
            "age": np.tile(rng.normal(60, 9, 60), 2),
            "y": rng.normal(size=120),
        }
    )


def persons(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "patient": np.arange(n) + 1,
            "arm": rng.permutation(np.arange(n) % 2),
            "age": rng.integers(20, 80, n),
            "sex": rng.choice(["f", "m"], n),
            "site": np.repeat(np.arange(10), n // 10),
            "y": rng.normal(size=n),
        }
    )


def schools(m: int = 20, size: int = 15) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    school = np.repeat(np.arange(m), size)
    return pd.DataFrame(
        {
            "school": school,
            "pupil": np.arange(m * size),
            "arm": school % 2,
            "age": rng.integers(6, 12, m * size),
            "n_pupils": rng.integers(100, 900, m)[school],
            "income": rng.normal(size=m)[school],
            "y": rng.normal(size=m * size),
        }
    )


def trial_of(df: pd.DataFrame, **roles: Any) -> Trial:
    return Trial(df, **{"outcome": "y", "treatment": "arm", "covariates": ["age"], **roles})


def rows_of(df: pd.DataFrame, **roles: Any) -> list[tuple[str, str]]:
    """Status and value of what the check says of rows."""
    items = ("persons on several rows", "repeated rows", "identifiers")
    check = trial_of(df, **roles).check()
    return [(f.status, f.value) for f in check.findings if f.item in items]


def test_repeated_identifiers_are_refused_with_their_number_and_a_way_out() -> None:
    with pytest.raises(DesignError) as caught:
        trial_of(visits(), id="person")
    assert str(caught.value) == (
        "id column 'person': 40 identifiers stand on 240 rows with an outcome (for example '0' on "
        "6 and '1' on 6); one row per person is needed. Choose one row of each, such as one visit, "
        "or average them (where='visit == 2', or --where, keeps some rows); if all rows are to "
        "count, say participant='person' (--participant on the command line)"
    )


def test_which_row_comes_first_does_not_matter_to_the_message() -> None:
    messages = set()
    for seed in range(3):
        with pytest.raises(DesignError) as caught:
            trial_of(visits().sample(frac=1, random_state=seed), id="person")
        messages.add(str(caught.value))
    assert len(messages) == 1


@pytest.mark.parametrize("column", [str, float, "P{:02d} ".format])
def test_persons_may_be_the_clusters(column: Any) -> None:
    df = visits().assign(code=lambda d: d["person"].map(column))
    for roles in ({"cluster": "person", "id": "person"}, {"cluster": "person", "id": "code"}):
        trial = trial_of(df, **roles)
        assert trial.n_clusters == 40
        assert [status for status, _ in rows_of(df, **roles)] == ["note"]
    expected = average_effects(trial_of(df, cluster="person")).individual
    assert average_effects(trial).individual == expected
    assert expected.se == pytest.approx(0.28, abs=0.01)


def test_clusters_of_several_persons_explain_nothing() -> None:
    df = schools()
    twice = pd.concat([df, df.assign(y=df["y"] + 1)])
    with pytest.raises(DesignError, match="300 identifiers stand on 600 rows"):
        trial_of(twice, cluster="school", id="pupil")
    moved = df.copy()
    moved.loc[[0, 1], "pupil"] = [299, 298]
    with pytest.raises(DesignError, match="2 in both arms and 2 in more than one cluster"):
        trial_of(moved, cluster="school", id="pupil")
    eyes = visits().assign(eye=lambda d: d["person"].astype(str) + "-" + d["visit"].astype(str))
    with pytest.raises(DesignError, match="40 in more than one cluster"):
        trial_of(eyes, cluster="eye", id="person")


@pytest.mark.parametrize("roles", [{}, {"block": "period"}])
def test_a_crossover_trial_is_called_one(roles: dict[str, str]) -> None:
    with pytest.raises(DesignError, match=r"60 in both arms.*crossover trial, which is not suppor"):
        trial_of(crossover(), id="patient", **roles)
    assert rows_of(crossover()) == [("error", "patient (60 values on 120 rows)")]


def test_numbers_that_start_again_in_every_cluster_or_site_are_explained() -> None:
    pupils = schools().assign(pupil=lambda d: d["pupil"] % 15)
    assert rows_of(pupils, cluster="school", id="pupil") == [("note", "pupil on several rows")]
    assert rows_of(pupils, cluster="school") == []
    patients = persons().assign(patient=lambda d: d["patient"] % 20)
    assert rows_of(patients, block="site", id="patient") == [("note", "patient on several rows")]
    with pytest.raises(DesignError, match="20 identifiers"):
        trial_of(patients, id="patient")


def test_missing_identifiers_do_not_repeat() -> None:
    df = persons()
    assert rows_of(df.assign(patient=df["patient"].where(df["patient"] > 9)), id="patient") == []
    words = df["patient"].astype(str).where(df["patient"] > 9, "NA")
    assert rows_of(df.assign(patient=words), id="patient") == []


def test_blanks_do_not_hide_a_repeated_identifier() -> None:
    df = persons()
    code = "p" + df["patient"].astype(str)
    code[1] = "p1\u00a0"
    with pytest.raises(DesignError, match="1 identifier stands on 2 rows"):
        trial_of(df.assign(code=code), id="code")


def test_rows_without_an_outcome_are_counted_by_a_warning() -> None:
    df = visits()
    last = df.assign(y=df["y"].where(df["visit"] == 5))
    assert rows_of(last, id="person") == [("warning", "person (40 values on 240 rows)")]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        *[
            (name, "error")
            for name in ("person", "PatientID", "usubjid", "subject_id", "record_id")
        ],
        *[(name, "error") for name in ("id", "ID", "nr")],
        ("xyz", "warning"),
    ],
)
@pytest.mark.parametrize("covariates", [None, ["age"]])
def test_long_tables_are_found_without_an_identifier(
    name: str, status: str, covariates: list[str] | None
) -> None:
    df = visits().rename(columns={"person": name})
    if covariates is None and status == "warning":
        with pytest.raises(TrialError, match=r"'visit' \(by its name\)"):
            rows_of(df, covariates=None)
        return
    assert rows_of(df, covariates=covariates) == [(status, f"{name} (40 values on 240 rows)")]


def test_a_persons_name_is_enough_and_another_is_not() -> None:
    bare = visits().drop(columns="visit").assign(age=lambda d: np.arange(len(d)) % 37)
    assert rows_of(bare) == [("error", "person (40 values on 240 rows)")]
    assert rows_of(bare.rename(columns={"person": "id"})) == []


def test_the_command_refuses_a_long_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    visits().to_csv(tmp_path / "t.csv", index=False)
    words = ["check", str(tmp_path / "t.csv"), "--outcome", "y", "--treatment", "arm"]
    assert main([*words, "--covariates", "age"]) == 3
    assert "'person' looks like an identifier of persons" in capsys.readouterr().err
    assert main([*words, "--covariates", "age", "--id", "person"]) == 2
    assert main([*words, "--covariates", "age", "--cluster", "person"]) == 0


def test_sites_and_what_describes_clusters_are_no_persons() -> None:
    assert rows_of(persons()) == []
    assert rows_of(schools(), cluster="school", covariates=None) == []
    plain = persons().rename(columns={"site": "unit"}).assign(year=np.tile([2020, 2021], 100))
    assert rows_of(plain, covariates=["age"]) == []
    children = persons().assign(child=np.random.default_rng(1).integers(0, 7, 200))
    assert rows_of(children) == []


def test_copies_of_rows_are_found_where_they_cannot_be_chance() -> None:
    df = persons().drop(columns="patient")
    assert rows_of(df) == []
    assert rows_of(pd.concat([df, df.iloc[[7]]])) == [("warning", "1 row")]
    assert rows_of(pd.concat([df, df.iloc[:20]])) == [("error", "20 rows")]
    renumbered = pd.concat([df, df.iloc[:20]]).assign(patient=np.arange(220))
    assert rows_of(renumbered, id="patient") == [("warning", "20 rows")]
    assert rows_of(renumbered) == [("warning", "20 rows")]


def test_equal_rows_of_a_table_of_few_values_are_no_copies() -> None:
    rng = np.random.default_rng(4)
    df = persons().drop(columns="patient").assign(y=rng.integers(0, 2, 200))
    assert df.duplicated().any()
    assert rows_of(df) == []
    # What clusters share makes rows more alike than independent columns would.
    pupils = schools(m=100, size=2).drop(columns="pupil").assign(y=rng.integers(0, 2, 200))
    assert pupils.duplicated().any()
    assert rows_of(pupils, cluster="school") == []


def test_copies_are_counted_whatever_the_types_of_the_columns() -> None:
    df = pd.DataFrame(
        {
            "y": np.random.default_rng(5).normal(size=40),
            "tags": [["a"]] * 40,
            "when": pd.Timestamp("2024-01-01"),
            "gap": [None, 1.0] * 20,
        }
    )
    assert n_copied_rows(pd.concat([df, df.iloc[:3]])) == 3
    assert n_copied_rows(df) == 0
