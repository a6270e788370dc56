"""Rows that hold events out of a number of persons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.cli import main
from tauhat.errors import TrialError


def grouped(m: int = 12) -> pd.DataFrame:
    """Two rows a clinic, of younger and older persons."""
    rng = np.random.default_rng(2)
    df = pd.DataFrame({"clinic": np.repeat(np.arange(m), 2), "older": np.tile([0, 1], m)})
    df["arm"] = df.clinic % 2
    df["births"] = rng.integers(8, 25, 2 * m)
    df["died"] = rng.binomial(df.births, 0.2 + 0.15 * df.arm * df.older)
    return df


def trial_of(df: pd.DataFrame, **more: Any) -> th.Trial:
    roles = {"treatment": "arm", "cluster": "clinic", "covariates": ["older"], **more}
    return th.Trial(df, outcome="died", **roles)


def test_rows_of_events_are_those_of_the_persons_that_they_stand_for() -> None:
    df = grouped()
    trial = trial_of(df, exposure="births")
    long = df.loc[df.index.repeat(df.births)].reset_index(drop=True)
    long["died"] = (long.groupby(["clinic", "older"]).cumcount() < long.died).astype(int)
    same = trial_of(long.drop(columns="births"))
    assert trial.n == df.births.sum()
    assert trial.endpoint == same.endpoint
    assert th.average_effects(trial) == th.average_effects(same)
    persons = trial.fit("GAMM", random_state=1)
    np.testing.assert_array_equal(
        persons.risks([[0.0], [1.0]]), same.fit("GAMM", random_state=1).risks([[0.0], [1.0]])
    )
    assert f"24 rows with numbers of events were read as {trial.n} persons" in trial.check().text
    assert [c.code for c in trial.check().graded if "row" in c.code] == ["rows-of-events"]


def test_persons_of_a_row_are_no_copies_of_each_other() -> None:
    df = grouped(30).assign(age=np.random.default_rng(3).normal(60, 5, 60), number=range(60))
    found = trial_of(df, exposure="births", covariates=["older", "age"], id="number").check()
    assert "repeated-rows" not in [one.code for one in found.findings]
    twice = pd.concat([df, df.head(6)], ignore_index=True).drop(columns="number")
    found = trial_of(twice, exposure="births", covariates=["older", "age"]).check()
    (copies,) = [one for one in found.findings if one.code == "repeated-rows"]
    assert (copies.value, copies.status) == ("6 rows", "error")
    with pytest.raises(th.DesignError, match="6 identifiers stand on 12 rows"):
        trial_of(pd.concat([df, df.head(6)], ignore_index=True), exposure="births", id="number")


def test_missing_events_are_persons_without_an_outcome() -> None:
    df = grouped().astype({"died": float})
    df.loc[3, "died"] = np.nan
    assert trial_of(df, exposure="births").n_missing_outcome == df.births[3]


@pytest.mark.parametrize(
    ("changed", "more", "said"),
    [
        ({"died": 30}, {}, "24 rows with more events than persons, the first of 30 in 'died'"),
        ({"births": 0}, {}, "missing in 0 rows and 0 in 24: leave out rows without anyone"),
        ({"births": np.nan}, {}, "is missing in 24 rows"),
        ({"births": 1.5}, {}, "the time at risk of counted events, add endpoint='count'"),
        ({"births": 12.5}, {}, "24 values that are negative or not whole, such as 12.5"),
        ({"died": -1}, {}, "outcome column 'died' has 24 values that are negative or not whole"),
        ({"births": 9e6}, {}, "person-time is no number of persons"),
        ({}, {"cluster": None}, "exposure= needs cluster="),
        ({}, {"exposure": "birth"}, "exposure: there is no column 'birth'; did you mean 'births'"),
        ({}, {"exposure": "died"}, "cannot be both outcome and exposure"),
        ({}, {"event_value": 1}, "event= and event_value= have no meaning beside exposure="),
        ({"died": 0}, {}, "outcome column 'died' is constant"),
        ({}, {"endpoint": "rmst"}, "exposure= is for events out of persons"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(
    changed: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(TrialError, match=said):
        trial_of(grouped().assign(**changed), **{"exposure": "births", **more})


def test_the_command_reads_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grouped().to_csv(tmp_path / "births.csv", index=False)
    words = ["check", str(tmp_path / "births.csv"), "--outcome", "died", "--treatment", "arm"]
    main([*words, "--cluster", "clinic", "--covariates", "older", "--exposure", "births"])
    assert "24 rows with numbers of events" in capsys.readouterr().out
