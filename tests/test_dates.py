"""Dates and times as text, in any usual spelling, and what only looks like them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tauhat.cli import main
from tauhat.errors import TrialError
from tauhat.tables.dates import kind_of_time
from tauhat.trial.trial import Trial

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
FORMATS = [
    "%d%b%Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%B %d %Y",
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%y",
    "%Y/%m/%d",
    "%d-%b-%y",
    "%Y%b%d",
    "%d%b%Y:%H:%M:%S",
    "%A, %d %B %Y",
    "%a %b %d %H:%M:%S %Y",
    "%b %Y",
    "%Y-%m",
]


def days(form: str, n: int = 60) -> list[str]:
    when = pd.date_range("2021-03-01 08:30", periods=n, freq="17D")
    return [str(day.strftime(form)) for day in when]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", [str, str.upper, str.lower])
def test_dates_in_any_spelling_are_dates(form: str, case: type[str]) -> None:
    assert kind_of_time(pd.Series([case(day) for day in days(form)])) == "dates"


@pytest.mark.parametrize(
    "form",
    [
        "%d. März %Y",
        "%d mars %Y",
        "%d déc. %Y",
        "%d de marzo %Y",
        "%Y年%m月%d日",
        "%Y-W%V-%u",
        "%Y%m%d",
    ],
)
def test_dates_of_other_places_are_dates(form: str) -> None:
    assert kind_of_time(pd.Series(days(form))) == "dates"


@pytest.mark.parametrize("form", ["%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M%p", "%I %p"])
def test_times_of_day_are_times(form: str) -> None:
    assert kind_of_time(pd.Series(days(form))) == "times"


@pytest.mark.parametrize(
    "texts",
    [
        MONTHS,
        ["mild", "moderate", "severe", "may improve"],
        ["1:10", "1:80", "1:160", "1:320", "1:640"],
        ["10-19", "20-29", "30-39"],
        ["120/80", "140/90"],
        ["stage 1", "stage 2", "ward 12"],
        ["SEPT9", "MARCH2", "DEC1"],
        ["2019", "2020", "2021"],
        ["2019-20", "2020-21"],
        ["3 months", "6 months", "12 months"],
        ["summer 2021", "winter 2021"],
        [f"{day}{'x' * 100}" for day in days("%d%b%Y")],
    ],
)
def test_words_and_codes_are_neither(texts: list[str]) -> None:
    assert kind_of_time(pd.Series(texts)) is None


def trial_table(texts: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = len(texts)
    return pd.DataFrame(
        {
            "arm": np.arange(n) % 2,
            "when": texts,
            "age": rng.normal(size=n),
            "y": rng.normal(size=n),
        }
    )


@pytest.mark.parametrize(
    ("texts", "words"),
    [(days("%d%b%Y", 80)[:80], "holds dates"), (["08:30", "14:00"] * 40, "holds times of day")],
)
@pytest.mark.parametrize("kind", ["csv", "parquet", "category", "table"])
def test_dates_as_text_are_refused_like_dates(
    texts: list[str], words: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    df = trial_table(texts)
    message = f"'when' {words}; convert it to a number"
    if kind in ("csv", "parquet"):
        file = tmp_path / f"t.{kind}"
        df.to_csv(file, index=False) if kind == "csv" else df.to_parquet(file)
        check = ["check", str(file), "--outcome", "y", "--treatment", "arm"]
        assert main([*check, "--covariates", "when,age"]) == 2
        assert message in capsys.readouterr().err
        assert main(check) == 2
        assert f"'when' ({words})" in capsys.readouterr().err
        return
    if kind == "category":
        df["when"] = df["when"].astype("category")
    for covariates, said in ((None, rf"'when' \({words}\)"), (["when"], message)):
        with pytest.raises(TrialError, match=said):
            Trial(df, outcome="y", treatment="arm", covariates=covariates)


def test_days_as_numbers_are_dates_and_other_large_numbers_are_not() -> None:
    df = trial_table(days("%Y%m%d", 80)).astype({"when": int})
    for written in (df, df.astype({"when": float})):
        with pytest.raises(TrialError, match="'when' holds dates"):
            Trial(written, outcome="y", treatment="arm", covariates=["when"])
    costs = df.assign(when=df["when"] + 40)
    assert Trial(costs, outcome="y", treatment="arm", covariates=["when"]).n == 80


def test_a_date_may_be_a_block_or_a_cluster() -> None:
    df = trial_table(days("%d%b%Y", 20) * 4)
    df["when"] = np.repeat(days("%d%b%Y", 20), 4)
    trial = Trial(df, outcome="y", treatment="arm", block="when", covariates=["age"])
    assert trial.blocks is not None
    assert len(np.unique(trial.blocks)) == 20
