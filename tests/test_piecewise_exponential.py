"""The piecewise-exponential mixed model of times: likelihood, means, frailty, competing events."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import tauhat as th
from tauhat.errors import TrialError
from tauhat.learners import PiecewiseExponentialEffect
from tauhat.numerics.censored_outcomes import ALIVE, RESTRICTED_TIME, TIME_LOST
from tauhat.numerics.piecewise_hazards import (
    PersonPeriods,
    PiecewiseHazards,
    fit_piecewise_hazards,
    interval_cuts,
    mean_in_new_cluster,
    polynomials,
)
from tauhat.simulate import SurvivalTrial
from tauhat.study.plan import EstimatorSpec, Plan, Row
from tauhat.study.tasks import run_task


def times(n: int = 900, seed: int = 1, clusters: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    df["arm"] = np.arange(n) % 2
    frailty = np.zeros(n)
    if clusters:
        df["clinic"] = np.arange(n) % clusters
        df["arm"] = df.clinic % 2
        frailty = 0.6 * rng.normal(size=clusters)[df.clinic]
    hazard = 0.06 * np.exp(0.5 * df.z + frailty - df.arm * (0.4 + 0.6 * df.x))
    time, left = rng.exponential(size=n) / hazard, rng.uniform(10, 40, size=n)
    df["months"], df["died"] = np.minimum(time, left), (time <= left).astype(int)
    df["cause"] = df.died * (1 + (rng.random(n) < 0.4))
    return df


def trial_of(df: pd.DataFrame, **more: Any) -> th.Trial:
    settings = {"outcome": "months", "treatment": "arm", "event": "died", "horizon": 24.0}
    return th.Trial(df, **{**settings, "covariates": ["x", "z"], **more})


def test_without_covariates_hazards_are_events_over_time_at_risk() -> None:
    df = times(4000)
    nothing = np.zeros((len(df), 0))
    time, died = df.months.to_numpy(), df.died.to_numpy() > 0
    cuts = np.array([0.0, 6.0, 12.0, 24.0])
    arm = df.arm.to_numpy()
    fit = fit_piecewise_hazards(time, died, cuts, arm, [nothing], [nothing])
    rows = PersonPeriods.of(time, died, cuts)
    for which in (0, 1):
        own = arm[rows.person] == which
        events = np.bincount(rows.interval[own], rows.event[own])
        rate = events / np.bincount(rows.interval[own], rows.exposure[own])
        found = fit.hazards(nothing[:1], nothing[:1], which)[0]
        # Levels of intervals and the effect along them are shrunk a little.
        np.testing.assert_allclose(found, rate, rtol=0.08)


def test_what_is_split_is_all_time_and_every_event_by_the_horizon() -> None:
    time, event = np.array([0.0, 3.0, 5.0, 8.0, 12.0]), np.array([1, 0, 1, 1, 1]) > 0
    rows = PersonPeriods.of(time, event, np.array([0.0, 3.0, 8.0]))
    spent = np.bincount(rows.person, rows.exposure, 5)
    np.testing.assert_allclose(spent, np.minimum(time, 8), atol=1e-5)
    assert np.bincount(rows.person, rows.event, 5).tolist() == [1, 0, 1, 1, 0]
    assert (rows.exposure > 0).all()


def test_means_are_the_integrals_of_the_curves() -> None:
    length, event = np.array([2.0, 3.0, 4.0]), np.array([[0.1, 0.3, 0.0], [0.0, 0.0, 0.2]])
    other = np.array([[0.05, 0.0, 0.2], [0.0, 0.1, 0.0]])
    ends = np.cumsum(length)

    def passed(t: float, rates: np.ndarray) -> float:
        return float(rates @ np.clip(t - (ends - length), 0, length))

    for person in (0, 1):
        total = event[person] + other[person]

        def alive(t: float, total: np.ndarray = total) -> float:
            return float(np.exp(-passed(t, total)))

        def density(t: float, person: int = person, total: np.ndarray = total) -> float:
            return event[person][np.searchsorted(ends, t)] * np.exp(-passed(t, total))

        wanted = {
            RESTRICTED_TIME: quad(alive, 0, 9, points=ends[:-1])[0],
            ALIVE: alive(9.0),
            TIME_LOST: quad(lambda t: (9 - t) * density(t), 0, 9, points=ends[:-1])[0],
        }
        for functional, value in wanted.items():
            assert functional.of_hazards(length, event, other)[person] == pytest.approx(value)


def test_the_mean_is_that_of_a_new_cluster() -> None:
    none = np.zeros((1, 0))
    coefficients = np.r_[np.log(2.0), 0.0, 0.0]
    fit = PiecewiseHazards(np.array([0.0, 1.0]), coefficients, 0, 0, (0.5, 0.5), none[0], 0.5, 0.0)
    drawn = np.exp(np.sqrt(0.5) * np.random.default_rng(1).normal(size=400_000))
    survival = mean_in_new_cluster(ALIVE, [fit], none, none, 0)
    assert survival[0] == pytest.approx(np.exp(-2 * drawn).mean(), abs=2e-3)


@pytest.mark.parametrize("clusters", [0, 30])
def test_effects_and_the_frailty_are_recovered(clusters: int) -> None:
    df = times(3000, clusters=clusters)
    trial = trial_of(df, cluster="clinic" if clusters else None)
    model = trial.fit("PEM")
    low, high = model.effect(pd.DataFrame({"x": [-1.0, 1.0], "z": [0.0, 0.0]}))
    nodes, shares = np.polynomial.hermite_e.hermegauss(15)
    frailty = np.exp((0.6 if clusters else 0.0) * nodes)[:, None]

    def mean(x: float) -> float:
        rates = 0.06 * frailty * np.exp([[0.0, -(0.4 + 0.6 * x)]])
        by_arm = shares / shares.sum() @ ((1 - np.exp(-24 * rates)) / rates)
        return float(by_arm[1] - by_arm[0])

    assert low == pytest.approx(mean(-1.0), abs=0.9)
    assert high == pytest.approx(mean(1.0), abs=0.9)
    between = model.variance_components_.between_cluster
    assert (0.2 < between < 0.7) if clusters else between == 0


def test_probabilities_and_time_lost_have_models_of_their_own() -> None:
    df = times()
    survival = trial_of(df, endpoint="survival").fit("PEM")
    assert 0 < survival.effect(trial_of(df).X).mean() < 0.5
    lost = trial_of(df, endpoint="time-lost", event="cause", event_value=1).fit("PEM")
    assert len(lost.hazards_) == 2
    means = lost.predict_means(trial_of(df).X.to_numpy())
    observed = th.survival_by_arm(
        trial_of(df, endpoint="time-lost", event="cause", event_value=1)
    ).table.estimate
    np.testing.assert_allclose(means.mean(axis=0), observed[:2], atol=0.9)


def test_ratios_of_restricted_means_are_those_of_the_arms() -> None:
    df = times(3000)
    trial = trial_of(df)
    persons = pd.DataFrame({"x": [-1.0, 1.0], "z": [0.0, 0.0]})
    hazard = 0.06 * np.exp([[0.0, 0.2], [0.0, -1.0]])
    mean = (1 - np.exp(-24 * hazard)) / hazard
    truth = mean[:, 1] / mean[:, 0]
    for name in ("PEM", "LMM", "T-Linear"):
        model = trial.fit(name, random_state=1)
        ratio = model.effect(persons, scale="ratio")
        np.testing.assert_allclose(ratio, truth, rtol=0.12)
        low, high = model.effect_interval(persons, scale="ratio")
        assert ((low < ratio) & (ratio < high)).all()
        sure = np.concatenate(model.effect_interval(persons))
        # Longer is a ratio above one, and as sure.
        np.testing.assert_array_equal(np.sign(sure), np.sign(np.log(np.concatenate([low, high]))))
    one, _ = th.average_effects(trial).on("ratio")
    means = trial.fit("PEM").predict_means(trial.X.to_numpy()).mean(axis=0)
    assert means[1] / means[0] == pytest.approx(one.estimate, rel=0.03)


@pytest.mark.parametrize("endpoint", ["survival", "time-lost"])
def test_probabilities_and_time_lost_have_ratios_too(tmp_path, endpoint: str) -> None:
    trial = trial_of(
        times(800, clusters=20), endpoint=endpoint, event="cause", event_value=1, cluster="clinic"
    )
    model = trial.fit("BCF-RE", random_state=1)
    ratio = model.effect(trial.X, scale="ratio")
    assert np.array_equal(ratio > 1, model.effect(trial.X) > 0)
    draws = model.effect_draws(trial.X, scale="ratio")
    assert np.quantile(np.abs(np.log(np.median(draws, axis=0) / ratio)), 0.9) < 0.1
    average, _ = th.average_effects(trial).on("ratio")
    assert np.exp(np.log(ratio).mean()) == pytest.approx(average.estimate, rel=0.1)
    th.save(model, tmp_path / "m.tauhat", with_data=False)
    loaded = th.load(tmp_path / "m.tauhat")
    np.testing.assert_array_equal(loaded.effect(trial.X, scale="ratio"), ratio)
    with pytest.raises(TrialError, match="effects on it are differences or ratios"):
        model.effect(trial.X, scale="odds ratio")


def test_a_trial_without_interactions_has_next_to_none() -> None:
    trial = SurvivalTrial(n_clusters=None, effect="null").draw(1500, 4)
    df = pd.DataFrame(trial.X).assign(t=trial.time, d=trial.event, arm=trial.treatment)
    effect = th.Trial(df, outcome="t", treatment="arm", event="d", horizon=24).fit("PEM")
    assert effect.effect(trial.X).std() < 0.6


def test_few_events_and_none_have_finite_answers() -> None:
    df = times(120, clusters=12)
    events = df.died.to_numpy()
    few, one = events * (df.index < 30), (df.index == 3).astype(int)
    for died in (few, one, events * df.arm.to_numpy()):
        data = trial_of(df, cluster="clinic").data
        data.measured[:, 2] = np.asarray(died)[data.rows]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = PiecewiseExponentialEffect().fit_data(data)
        assert np.abs(model.effect(data.X)).max() < 24
    assert interval_cuts(np.array([1.0]), np.array([False]), 2.0).tolist() == [0.0, 2.0]
    assert [polynomials(k).shape for k in (1, 2, 3)] == [(1, 0), (2, 1), (3, 2)]


def test_outcomes_that_are_no_times_are_refused(tmp_path) -> None:
    df = times()
    plain = th.Trial(df, outcome="z", treatment="arm", covariates=["x"])
    with pytest.raises(TrialError, match="PEM models the hazard of an event, so it needs a time"):
        plain.fit("PEM")
    trial = trial_of(df)
    model = trial.fit("PEM")
    th.save(model, tmp_path / "m.tauhat", with_data=False)
    loaded = th.load(tmp_path / "m.tauhat")
    np.testing.assert_array_equal(loaded.effect(trial.X), model.effect(trial.X))


def test_a_study_gives_the_times_of_a_survival_scenario_to_estimators() -> None:
    trial = SurvivalTrial(n_clusters=12, mean_size=15.0).draw(random_state=3)
    np.testing.assert_allclose(trial.data.y, trial.y[trial.data.rows], atol=1e-9)
    plan = Plan(
        name="times",
        rows=(Row("crt-survival", {"n_clusters": 12, "mean_size": 15.0}),),
        estimators=tuple(EstimatorSpec(name, name) for name in ("PEM", "LMM")),
        replicates=1,
        test_size=50,
    )
    result = run_task(plan, plan.rows[0], 0)
    assert result.messages == {}
    assert np.isfinite(result.metrics).any(axis=1).all()
