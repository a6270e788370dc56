"""Counts over a time at risk are rates, weighted by that time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.analysis.average_record import rates_record
from tauhat.cli import main
from tauhat.errors import TrialError
from tauhat.report.rate_section import rate_words
from tauhat.report.text import how_persons_count

ROLES = {"outcome": "falls", "treatment": "arm", "exposure": "years", "endpoint": "count"}


def falls(n: int = 240, m: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    clinic = np.repeat(np.arange(m), n // m)
    df = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "age": rng.normal(size=n)})
    df["years"] = rng.uniform(0.2, 2, n).round(2)
    df["falls"] = rng.poisson(df.years * np.exp(0.3 * df.age - 0.4 * df.arm))
    return df


def test_an_arm_without_covariates_that_matter_has_its_events_over_its_time() -> None:
    df = falls().assign(age=np.tile([0.0, 1.0], 120))
    # The covariate says nothing about rates beyond chance; take that out too.
    df["falls"] = np.tile([0, 0, 1, 1, 2, 2], 40) + df.arm
    df["years"] = np.tile([1.0, 1.0, 2.0, 2.0, 0.5, 0.5], 40)
    found = th.average_effects(th.Trial(df, cluster="clinic", **ROLES))
    control, treated = (
        df.falls[df.arm == arm].sum() / df.years[df.arm == arm].sum() for arm in (0, 1)
    )
    assert found.individual.estimate == pytest.approx(treated - control, abs=1e-6)
    ratio, _ = found.on("ratio")
    assert ratio is not None
    assert ratio.estimate == pytest.approx(treated / control, rel=1e-6)


@pytest.mark.parametrize("roles", [{}, {"cluster": "clinic"}])
def test_the_unit_of_time_changes_the_difference_and_not_the_ratio(roles: dict[str, str]) -> None:
    df = falls()
    years = th.average_effects(th.Trial(df, **ROLES, covariates=["age"], **roles))
    months = df.assign(years=12 * df.years)
    monthly = th.average_effects(th.Trial(months, **ROLES, covariates=["age"], **roles))
    assert monthly.individual.estimate * 12 == pytest.approx(years.individual.estimate)
    assert monthly.individual.p_value == pytest.approx(years.individual.p_value)
    told, same = (one.on("ratio")[0] for one in (years, monthly))
    assert told is not None
    assert same is not None
    assert (same.lower, same.upper) == pytest.approx((told.lower, told.upper))
    assert told.lower < np.exp(-0.4) < told.upper


def test_a_missing_time_is_a_missing_outcome() -> None:
    df = falls()
    df.loc[[3, 7], "years"] = np.nan
    trial = th.Trial(df, cluster="clinic", missing="complete-cases", **ROLES)
    assert trial.n_missing_outcome == 2
    assert trial.sample_weight is not None
    np.testing.assert_allclose(trial.sample_weight, df.years.dropna())
    np.testing.assert_allclose(trial.y, (df.falls / df.years).dropna())


def test_a_missing_count_leaves_the_rate_ratio() -> None:
    df = falls().astype({"falls": float})
    df.loc[[3, 7, 30], "falls"] = np.nan
    found = th.average_effects(th.Trial(df, cluster="clinic", covariates=["age"], **ROLES))
    assert found.complete_cases is not None
    told, of_cases = found.on("ratio")[0], found.complete_cases.on("ratio")[0]
    assert told is not None
    assert of_cases is not None
    assert told.estimate == pytest.approx(of_cases.estimate, abs=0.05)
    assert told.estimate != of_cases.estimate


def test_without_a_time_counts_are_means_per_person() -> None:
    df = falls().drop(columns="years")
    roles = {name: value for name, value in ROLES.items() if name != "exposure"}
    trial = th.Trial(df, cluster="clinic", **roles)
    plain = th.Trial(df, cluster="clinic", **{**roles, "endpoint": "continuous"})
    count, number = (th.average_effects(one).individual for one in (trial, plain))
    assert count.estimate == number.estimate
    assert trial.endpoint.kind_name == "count"


def test_zeros_are_told_and_noted_where_they_are_most() -> None:
    df = falls()
    findings = {f.code: f for f in th.Trial(df, cluster="clinic", **ROLES).check().graded}
    assert "many-zeros" not in findings
    rare = df.assign(falls=np.where(np.arange(240) % 4, 0, df.falls))
    checked = th.Trial(rare, cluster="clinic", **ROLES).check()
    assert "many-zeros" in {f.code for f in checked.graded}
    assert "detection-limit" not in {f.code for f in checked.graded}


def test_an_arm_without_events_is_warned_of() -> None:
    df = falls()
    found = {}
    for few in (0, 4, 5):
        kept = df.falls.where(df.arm == 1, 0)
        kept[df.index[df.arm == 0][:few]] = 1
        checked = th.Trial(df.assign(falls=kept), cluster="clinic", **ROLES).check()
        found[few] = next((f for f in checked.graded if f.code == "rare-events"), None)
    assert "In arm 0, nobody had an event" in found[0].sentence
    assert "In arm 0, fewer than five persons had an event" in found[4].sentence
    assert found[5] is None


@pytest.mark.parametrize(
    ("changed", "more", "said"),
    [
        ({"falls": -1}, {}, "240 values that are negative or not whole, such as -1"),
        ({"falls": 0.5}, {}, "with endpoint='count' it holds numbers of events"),
        ({"years": 0.0}, {}, "exposure column 'years' has 240 values that are zero, negative"),
        ({"years": None}, {}, "exposure column 'years' is missing in all 240 rows"),
        (
            {"years": lambda d: d.years.where(d.index > 2)},
            {},
            "exposure column 'years' is missing for 3 of 3 persons without an outcome",
        ),
        ({}, {"weight": "age"}, "persons are weighted by their time at risk"),
        ({}, {"exposure": "falls"}, "column 'falls' cannot be both outcome and exposure"),
        ({}, {"exposure": "time"}, "'time'"),
        ({}, {"event": "arm"}, "have no meaning beside exposure="),
    ],
)
def test_wrong_counts_are_named(changed: dict[str, Any], more: dict[str, Any], said: str) -> None:
    with pytest.raises(TrialError, match=said):
        th.Trial(falls().assign(**changed), **{**ROLES, "cluster": "clinic", **more})


def test_the_command_takes_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    falls().to_csv(tmp_path / "falls.csv", index=False)
    words = ["check", str(tmp_path / "falls.csv"), "--outcome", "falls", "--treatment", "arm"]
    words += ["--cluster", "clinic", "--exposure", "years", "--endpoint", "count"]
    assert main(words) == 0
    assert "without an event" in capsys.readouterr().out


def test_the_run_tells_rates_by_arm_and_how_persons_count(tmp_path: Path) -> None:
    df = falls()
    trial = th.Trial(
        df, outcome="falls", treatment="arm", cluster="clinic", exposure="years", endpoint="count"
    )
    average = th.average_effects(trial)
    record = rates_record(trial, average)
    assert record is not None
    by_arm = df.groupby("arm")[["falls", "years"]].sum()
    assert [arm["events"] for arm in record["arms"]] == by_arm["falls"].tolist()
    assert [arm["time"] for arm in record["arms"]] == pytest.approx(by_arm["years"].tolist())
    rates = record["individual"]
    assert rates["treated"] - rates["control"] == pytest.approx(average.individual.estimate)
    assert rates["treated"] / rates["control"] == pytest.approx(rates["ratio"]["estimate"])
    rate = by_arm["falls"].sum() / by_arm["years"].sum()
    assert f"{rate:.4g} events per unit of years" in trial.check().table["value"].tolist()[6]
    run = {
        "endpoint": {"weight": "years"},
        "average_rates": record,
        "average_effect": {"primary": "individual", "individual": {"se": average.individual.se}},
        "interval": {"level": 0.95},
        "design": {"arms": {"control": {"label": "usual"}, "treated": {"label": "new"}}},
    }
    assert how_persons_count(run) == "by the time at risk (years)"
    assert rate_words(run)[0].startswith("Events per unit of years: ")


def test_rates_that_would_tell_of_few_persons_are_left_out() -> None:
    df = falls()
    df["falls"] = np.where(df.index.isin(df.index[df.arm == 0][:3]), 1, df.falls * (df.arm == 1))
    trial = th.Trial(df, outcome="falls", treatment="arm", exposure="years", endpoint="count",
                     covariates=["age"])  # fmt: skip
    record = rates_record(trial, th.average_effects(trial))
    assert record is not None
    assert record["individual"] == {"control": None, "treated": None, "ratio": None}
    assert [arm["events"] for arm in record["arms"]] == [None, None]
