"""Trials with times to an event: reading, making the outcome, bad input, what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tauhat as th
from tauhat.cli import main
from tauhat.errors import TrialError
from tauhat.numerics.survival_curves import aalen_johansen, kaplan_meier
from timed_trials import HORIZON, table, trial_of


def arm_means(trial: th.Trial) -> list[float]:
    y = trial.data.with_outcome_made_anew("none")
    return [float(y.y[y.treatment == arm].mean()) for arm in (0, 1)]


def test_arm_means_without_covariates_are_those_of_the_curves() -> None:
    df = table()
    for endpoint in ("rmst", "survival", "time-lost"):
        event = "cause" if endpoint == "time-lost" else "died"
        value = 1 if endpoint == "time-lost" else None
        found = arm_means(trial_of(df, endpoint=endpoint, event=event, event_value=value))
        for arm in (0, 1):
            own = df[df.arm == arm]
            time, cause = own.months.to_numpy(), own.cause.to_numpy()
            curve = kaplan_meier(time, cause > 0)
            known = {
                "rmst": curve.area(HORIZON),
                "survival": float(curve.at(np.array(HORIZON))),
                "time-lost": aalen_johansen(time, cause).area(HORIZON),
            }
            assert found[arm] == pytest.approx(known[endpoint], abs=1e-10)


def test_codes_of_events_are_read_alike() -> None:
    df = table()
    y = trial_of(df).y
    for column, value in (
        (df.died.astype(bool), None),
        (df.died.map({0: "alive", 1: "dead"}), "dead"),
        (df.died + 1, None),
        (df.died.astype(float), None),
        (df.cause, ["1", "2"]),
        (df.died.map({0: "0", 1: "1"}).astype("category"), 1),
    ):
        other = trial_of(df.assign(died=column), event_value=value)
        np.testing.assert_array_equal(other.y, y)


def test_order_of_rows_and_names_of_clusters_change_nothing() -> None:
    df = table(clusters=20)
    trial = trial_of(df, cluster="clinic", censoring="covariates")
    order = np.random.default_rng(2).permutation(len(df))
    other = df.iloc[order].assign(clinic=lambda d: "c" + (50 - d.clinic).astype(str))
    shuffled = trial_of(other, cluster="clinic", censoring="covariates")
    np.testing.assert_array_equal(shuffled.y, trial.y[order])
    np.testing.assert_array_equal(
        shuffled.fit("LMM").effect(trial.X), trial.fit("LMM").effect(trial.X)
    )


def test_a_resample_makes_its_outcome_of_its_own_times() -> None:
    data = trial_of(table(clusters=20), cluster="clinic").data
    drawn = data.resample(3)
    place = {row: k for k, row in enumerate(data.rows)}
    taken = [place[row] for row in drawn.rows]
    np.testing.assert_array_equal(drawn.measured[:, 1:], data.measured[taken, 1:])
    assert not (drawn.y == data.y[taken]).all()
    made = drawn.with_outcome_made_anew("none")
    for arm in (0, 1):
        rows = drawn.treatment == arm
        curve = kaplan_meier(drawn.measured[rows, 1], drawn.measured[rows, 2] > 0)
        assert made.y[rows].mean() == pytest.approx(curve.area(HORIZON), abs=1e-10)
    # Rows that are taken out, such as folds, keep theirs.
    np.testing.assert_array_equal(data.take(np.arange(50)).y, data.y[:50])


def test_effects_stay_within_the_horizon_and_survive_saving(tmp_path) -> None:
    trial = trial_of(horizon=5.0)
    assert trial.endpoint.largest_effect == 5.0
    assert trial_of(endpoint="survival").endpoint.largest_effect == 1.0
    model = trial.fit("LMM")
    far = trial.X.assign(x=trial.X.x * 1000)
    th.save(model, tmp_path / "m.tauhat")
    loaded = th.load(tmp_path / "m.tauhat")
    with pytest.warns(th.TauhatWarning):
        assert np.abs(model.effect(far)).max() <= 5.0
    np.testing.assert_array_equal(loaded.effect(trial.X), model.effect(trial.X))
    assert loaded.trial_data_.endpoint == trial.endpoint


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({}, {"horizon": None}, r"horizon= is needed: the time up to which 'months'.*Up to 30,"),
        ({}, {"horizon": 0}, "horizon must be a positive time, got 0"),
        ({}, {"horizon": -3}, "horizon must be a positive time"),
        ({}, {"horizon": "long"}, "horizon must be a number, got 'long'"),
        ({}, {"horizon": True}, "horizon must be a number, got True"),
        ({}, {"horizon": 400}, "horizon 400 is beyond the follow-up of the control arm"),
        ({}, {"horizon": 1e-6}, "no event by the horizon 1e-06"),
        ({}, {"censoring": "sites"}, "censoring must be 'arm' or 'covariates', got 'sites'"),
        ({}, {"endpoint": "binary"}, "endpoint must be one of 'rmst', 'survival', 'time-lost'"),
        ({}, {"event": None}, "horizon= is given but event= is not"),
        ({}, {"event": None, "horizon": None, "endpoint": "rmst"}, "'rmst' needs event="),
        ({}, {"event": "dead"}, "event: there is no column 'dead'"),
        ({}, {"event_value": "yes"}, "event column 'died' has no 'yes', which event_value= names"),
        ({}, {"event_value": [0, 1]}, "event_value= names every label of event column 'died'"),
        ({}, {"endpoint": ["rmst"]}, r"endpoint must be one of .*, got \['rmst'\]"),
        ({"months": lambda d: d.months - 3}, {}, r"'months' has \d+ negative times"),
        ({"months": 0.0}, {}, "all 240 times in 'months' are zero"),
        (
            {},
            {"event": None, "horizon": None, "censoring": "covariates"},
            "give event= and horizon=",
        ),
        ({"died": 0}, {}, "all 240 persons are censored: event column 'died' has no event"),
        ({"died": lambda d: d.died * d.arm}, {}, "the control arm has no event among 120"),
        ({"died": lambda d: d.index % 5}, {}, "has the labels '0', '1', '2', '3', '4'; say with"),
        ({"died": None}, {}, "event column 'died' is missing in all 240 rows"),
        ({"months": "2020-01-01"}, {}, "'months'"),
    ],
)
def test_bad_input_gets_one_clear_error(
    change: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrialError, match=message):
        trial_of(table().assign(**change), **settings)


def test_persons_without_a_time_or_an_event_have_no_outcome() -> None:
    df = table()
    df.loc[:4, "months"] = np.nan
    df["died"] = df.died.astype(float)
    df.loc[10:12, "died"] = np.nan
    trial = trial_of(df)
    assert (trial.n, trial.n_missing_outcome) == (232, 8)


def test_the_command_line_takes_times(tmp_path, capsys) -> None:
    path = tmp_path / "trial.csv"
    table().to_csv(path, index=False)
    words = ["--outcome", "months", "--treatment", "arm", "--covariates", "x,z", "--event", "died"]
    assert main(["check", str(path), *words, "--horizon", "24", "--censoring", "covariates"]) == 0
    assert "events by the horizon" in capsys.readouterr().out
    assert main(["check", str(path), *words]) == 2
    assert "--horizon is needed" in capsys.readouterr().err
    lost = ["--event", "cause", "--event-value", "1", "--endpoint", "time-lost", "--horizon", "24"]
    assert main(["check", str(path), *words[:-2], *lost]) == 0


# What is told of both arms.


def test_curves_of_the_arms_are_compared_without_covariates() -> None:
    df = table(n=400)
    found = th.survival_by_arm(trial_of(df))
    for arm in (0, 1):
        own = df[df.arm == arm]
        curve = kaplan_meier(own.months.to_numpy(), own.died.to_numpy() > 0)
        assert found.table.estimate[arm] == pytest.approx(curve.area(HORIZON), abs=1e-10)
        by_then = (own.months <= HORIZON) & (own.died == 1)
        assert found.table.events[arm] == by_then.sum()
    assert found.table.se[2] == pytest.approx(np.hypot(found.table.se[0], found.table.se[1]))
    with pytest.raises(TrialError, match="give event= and horizon="):
        th.survival_by_arm(trial_of(df, event=None, horizon=None))


@pytest.mark.parametrize("cluster", [None, "clinic"])
def test_averages_have_a_ratio_near_that_of_the_curves(cluster: str | None) -> None:
    df = table(n=600, clusters=30)
    for endpoint in ("rmst", "survival"):
        trial = trial_of(df, endpoint=endpoint, cluster=cluster)
        found = th.average_effects(trial)
        ratio, of_clusters = found.on("ratio")
        control, treated, _ = th.survival_by_arm(trial).table.itertuples(index=False)
        assert ratio.estimate == pytest.approx(treated.estimate / control.estimate, rel=0.06)
        error = ratio.estimate * np.hypot(
            control.se / control.estimate, treated.se / treated.estimate
        )
        assert ratio.se == pytest.approx(error / ratio.estimate, rel=0.15)
        assert (of_clusters is None) == (cluster is None)
        assert f" control: {ratio.estimate:.3g} (" in found.text
        with pytest.raises(TrialError, match="odds ratio"):
            found.on("odds ratio")


def test_effects_over_horizons_end_with_the_planned_one() -> None:
    trial = trial_of(table(n=400))
    found = th.effect_over_horizons(trial, [6, 18])
    assert found.table.horizon.tolist() == [6, 18, HORIZON]
    planned = th.average_effects(trial).individual
    last = found.table.iloc[-1]
    assert (last.estimate, last.se) == (planned.estimate, planned.se)
    early = th.average_effects(trial_of(table(n=400), horizon=6)).individual
    assert found.table.estimate[0] == pytest.approx(early.estimate)
    assert (found.table.p_adjusted >= found.table.p_value).all()
    assert "hold one at a time" in found.text
    for horizons, words in (([30], "between 0 and"), ([1e-6], "no event by"), (["x"], "be times")):
        with pytest.raises(TrialError, match=words):
            th.effect_over_horizons(trial, horizons)
    with pytest.raises(TrialError, match="give event= and horizon="):
        th.effect_over_horizons(trial_of(event=None, horizon=None))


def test_errors_count_clusters() -> None:
    df = table(n=600, clusters=30)
    alike = df.assign(months=df.groupby("clinic").months.transform("first"))
    alike["died"] = df.groupby("clinic").died.transform("first")
    persons = th.survival_by_arm(trial_of(alike)).table.se[2]
    clusters = th.survival_by_arm(trial_of(alike, cluster="clinic")).table.se[2]
    # Twenty persons with the same time are one.
    assert clusters == pytest.approx(persons * np.sqrt(20) * np.sqrt(15 / 14), rel=1e-6)


def test_what_is_passed_on_tells_nothing_about_fewer_than_five() -> None:
    found = th.survival_by_arm(trial_of(table(n=160)))
    points = found.shown()
    assert set(points.at_risk % 5) == {0}
    assert len(points) > 4
    for arm, own in points.groupby("arm"):
        curve = found.curves[found.curves.arm == arm]
        events = [curve[curve.time <= time].events.iloc[-1] for time in own.time]
        assert all(step == 0 or step >= 5 for step in np.diff(events))
        assert own.at_risk.min() >= 5
    late = table(n=160)
    late["died"] = np.where((late.died == 0) & (late.months < HORIZON), 1, late.died)
    late.loc[late.index[late.months < HORIZON][:3], "died"] = 0
    arms = th.survival_by_arm(trial_of(late)).record()["arms"]
    assert [arm["censored"] for arm in arms].count(None) >= 1
    hidden = next(arm for arm in arms if arm["censored"] is None)
    assert hidden["at_risk"] is None


def test_curves_of_a_profile_part_where_the_treatment_works() -> None:
    trial = trial_of(table(n=1500))
    people = trial.X.iloc[:2].assign(x=[-1.5, 1.5], z=0.0)
    found = th.profile_curves(trial, people, times=[0, 12, 24])
    assert found.control[:, 0].tolist() == [1.0, 1.0]
    gap = found.treated[:, 2] - found.control[:, 2]
    assert gap[1] > 0.15 > gap[0] + 0.05
    with pytest.raises(TrialError, match="between 0 and the horizon, 24"):
        th.profile_curves(trial, people, times=[0, 30])


@pytest.mark.usefixtures("quick_run")
@pytest.mark.parametrize("cluster", ["clinic", pytest.param(None, marks=pytest.mark.slow)])
def test_an_analysis_tells_of_the_time(cluster: str | None, tmp_path: Path) -> None:
    trial = trial_of(table(n=500, clusters=20 if cluster else 0), cluster=cluster)
    found = th.analyze(trial, models=["LMM"], random_state=1, n_permutations=99)
    run = found.to_json()
    assert run["endpoint"]["horizon"] == HORIZON
    assert run["endpoint"]["kind"] == "rmst"
    assert run["survival_by_arm"]["difference"] == pytest.approx(
        th.survival_by_arm(trial).table.iloc[2][["estimate", "se", "lower", "upper"]].to_dict()
    )
    assert "survival-by-arm" in found.plots()
    page = found.to_html()
    assert "The time to the event" in page
    assert "RMST differences in months, horizon 24, treated minus control" in page


def test_the_test_makes_its_outcome_with_slopes_that_the_arms_share() -> None:
    data = trial_of(table(n=300)).data
    shared = data.with_outcome_made_anew("shared")
    found = [
        th.test_heterogeneity(one, random_state=1, n_permutations=99).statistic
        for one in (data, shared)
    ]
    assert found[0] == found[1]
    assert not np.allclose(shared.y, data.y)
    # Both are the outcome without censoring where nobody is censored.
    known = trial_of(table(n=300, extra=1e9), horizon=12).data
    np.testing.assert_allclose(known.y, np.minimum(known.measured[:, 1], 12), atol=1e-9)


def test_blocks_of_one_arm_and_weights_go_with_times() -> None:
    df = table(n=300)
    df["site"] = np.arange(300) // 2 % 10
    df.loc[df.site == 3, "arm"] = 1
    df["w"] = 1.0 + df.index % 3
    trial = trial_of(df, block="site", weight="w")
    assert trial.n_without_counterfactual == 30
    assert np.isfinite(trial.y).all()
    data = trial.data.with_outcome_made_anew("none")
    for arm in (0, 1):
        rows = data.treatment == arm
        time, event, weight = data.measured[rows, 1], data.measured[rows, 2] > 0, data.sample_weight
        area = kaplan_meier(time, event, weight[rows]).area(HORIZON)
        assert np.average(data.y[rows], weights=weight[rows]) == pytest.approx(area, abs=1e-10)
    assert th.average_effects(trial).individual.se > 0


def test_groups_by_held_out_effect_have_curves_that_part_where_it_works() -> None:
    trial = trial_of(table(n=1200))
    fit = th.cross_fit(trial, "LMM", n_splits=2, random_state=1)
    found = th.survival_of_groups(fit)
    last = found.table[found.table.time == HORIZON].set_index(["group", "arm"]).probability
    gap = {g: last[g]["treated"] - last[g]["control"] for g in ("smallest", "largest")}
    # The treatment halves the hazard of those with x > 0 and of nobody else.
    assert gap["largest"] > 0.12 > gap["smallest"] + 0.05
    # The curve of a group is that of its members.
    rows = [
        np.flatnonzero((own == 3) & (fit.data.treatment == 1)) for own in fit.quantile_groups(4)
    ]
    time, cause = fit.data.times
    curves = [kaplan_meier(time[own], cause[own] > 0).at(np.array(HORIZON)) for own in rows]
    assert last["largest"]["treated"] == pytest.approx(np.mean(curves))
    assert set(found.table.at_risk % 5) == {0}
    assert found.record(["a", "b"])[1]["curves"][1]["arm"] == "b"
    assert "nothing here is a test" in found.text
    with pytest.raises(TrialError, match="give event= and horizon="):
        th.survival_of_groups(trial_of(event=None, horizon=None), "LMM", n_splits=1)


@pytest.mark.slow
def test_the_report_tells_of_groups_horizons_ratio_and_units() -> None:
    found = th.analyze(trial_of(table(n=400)), models=["LMM"], random_state=1, n_permutations=99)
    run, page = found.to_json(), found.to_html()
    over = run["survival_by_arm"]["over_horizons"]
    assert [row["horizon"] for row in over] == [6, 12, 18, 24]
    individual = run["average_effect"]["individual"]
    assert over[-1]["estimate"] == pytest.approx(individual["estimate"])
    assert run["average_effect"]["ratio"]["individual"]["estimate"] == pytest.approx(
        found.average_effects.on("ratio")[0].estimate
    )
    assert [one["group"] for one in run["survival_by_arm"]["groups"]] == ["smallest", "largest"]
    drawn = found.plots()
    assert {"survival-largest-effects", "survival-smallest-effects"} <= set(drawn)
    assert drawn["effect-over-horizons"].data.label.tolist()[-1] == "24 months"
    for words in (
        "Of 4 horizons one can look good by chance", "times the control arm", "24 months",
        "RMST difference, months", "months since randomization",
    ):  # fmt: skip
        assert words in page or any(words in one.svg() for one in drawn.values()), words


def test_horizons_of_persons_without_an_outcome_end_with_the_planned_answer() -> None:
    df = table(n=300)
    df.loc[df.index[::9], "months"] = np.nan
    trial = trial_of(df)
    found = th.effect_over_horizons(trial, [12]).table.iloc[-1]
    assert found.estimate == pytest.approx(th.average_effects(trial).individual.estimate)
