"""What the design check says of the follow-up of trials with times to an event."""

from __future__ import annotations

import numpy as np
import pytest

import tauhat as th
from timed_trials import table, trial_of


def sentences(trial: th.Trial, status: str) -> str:
    return " ".join(f.sentence for f in trial.check().findings if f.status == status)


def test_the_check_tells_of_follow_up() -> None:
    check = trial_of().check()
    assert check.passed
    table_ = check.table.set_index("item")["value"]
    assert table_["horizon"] == "24, in the unit of months"
    assert table_["codes of the event"] == "event: 1; censored: 0"
    assert table_["censored before the horizon"].endswith("treated")
    assert "restricted mean survival time" in check.text
    df = table()
    assert "2 was read as the event, as R does" in sentences(
        trial_of(df.assign(died=df.died + 1)), "warning"
    )
    coarse = trial_of(df.assign(months=np.ceil(df.months / 3) * 3))
    assert "different times, such as those of visits" in sentences(coarse, "note")
    zero = trial_of(df.assign(months=df.months.where(df.index > 8, 0.0)))
    assert "has times of zero" in sentences(zero, "warning")
    assert "all read as censored" in sentences(
        trial_of(df, event="cause", event_value=1), "warning"
    )


@pytest.mark.parametrize("name", ["months", "y"])
def test_the_end_of_the_trial_is_no_limit_of_a_scale(name: str) -> None:
    df = table(n=400).rename(columns={"months": name})
    late = df[name] >= 20
    df = df.assign(**{name: df[name].clip(upper=20.0), "died": df.died.where(~late, 0)})
    for event, told in (("died", []), (None, ["outcomes at a limit"])):
        horizon = None if event is None else 18
        trial = trial_of(df, outcome=name, event=event, horizon=horizon)
        items = [f.item for f in trial.check().findings if f.item == "outcomes at a limit"]
        assert items == told
    days = trial_of(table(n=400).assign(months=lambda d: d.months.clip(upper=20.0)), event=None,
                    horizon=None)  # fmt: skip
    assert "20: the end of follow-up." in sentences(days, "note")
    # Events at the last time are no end of follow-up.
    all_died = df.assign(died=1)
    assert "are the largest, 20" in sentences(
        trial_of(all_died, outcome=name, horizon=18), "note"
    ) + (sentences(trial_of(all_died, outcome=name, horizon=18), "warning"))


def test_what_is_only_told_has_no_code() -> None:
    for found in trial_of(table()).check().findings:
        assert (found.status == "ok") == (found.code == ""), found.item


def test_thin_follow_up_warns_and_then_fails() -> None:
    df = table(n=600)
    rng = np.random.default_rng(5)
    for scale, status in ((12.0, "warning"), (6.0, "error")):
        left = rng.exponential(size=600) * scale
        thin = df.assign(
            months=np.where(df.index < 20, df.months, np.minimum(df.months, left)),
            died=np.where(df.index < 20, df.died, df.died * (df.months <= left)),
        )
        assert "probability of an arm not to be censored" in sentences(trial_of(thin), status)


def test_censoring_that_goes_with_a_covariate_or_an_arm_is_told() -> None:
    df = table(n=500)
    rng = np.random.default_rng(6)
    for column, words in (("z", "Who was censored goes with 'z'"), ("arm", "unevenly")):
        left = rng.exponential(size=500) * 20 * np.exp(-1.2 * df[column])
        lost = df.assign(months=np.minimum(df.months, left), died=df.died * (df.months <= left))
        assert words in sentences(trial_of(lost), "warning")


def test_a_time_beside_an_event_column_warns_unasked() -> None:
    df = table()
    plain = th.Trial(df, outcome="months", treatment="arm", covariates=["x", "z"])
    assert "event='died' and horizon=" in sentences(plain, "warning")
    assert "event=" not in sentences(trial_of(df), "warning")
    score = df.rename(columns={"months": "score"})
    other = th.Trial(score, outcome="score", treatment="arm", covariates=["x", "z"])
    assert "event=" not in sentences(other, "warning")


def test_the_check_of_follow_up_fits_no_model_again(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = trial_of(censoring="covariates")
    smallest = trial.data.probability_followed
    assert 0 < smallest < 1
    monkeypatch.setattr("tauhat.endpoint.follow_up.fit_cox", None)
    told = {f.item: f.value for f in trial.check().findings}
    assert told["smallest probability of follow-up"] == f"{smallest:.2f}"


def test_a_copy_of_the_time_is_found_among_covariates() -> None:
    df = table()
    trial = trial_of(df.assign(copy=df.months * 30), covariates=["x", "copy"])
    assert trial.check().failures
