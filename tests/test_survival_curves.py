"""Curves, Cox and outcomes of censored times, against R's survival package and known values."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.numerics.censored_outcomes import (
    ALIVE,
    RESTRICTED_TIME,
    TIME_LOST,
    Curves,
    censored_outcome,
)
from tauhat.numerics.cox import fit_cox
from tauhat.numerics.survival_curves import (
    StepCurve,
    aalen_johansen,
    censoring_curve,
    kaplan_meier,
)

FOLDER = Path(__file__).resolve().parent / "reference"
R = {k: np.array(v) for k, v in json.loads((FOLDER / "survival.json").read_text()).items()}
HORIZON = 24.0


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(FOLDER / "survival_times.csv")


def arms(table):
    for arm in (0, 1):
        rows = (table.arm == arm).to_numpy()
        yield arm, rows, table.time[rows].to_numpy(float), table.event[rows].to_numpy()


def without_covariates(time, cause, weight=None, horizon=HORIZON, functional=RESTRICTED_TIME):
    """Outcome with one curve of each kind for all, and the curve's own value."""
    survival = kaplan_meier(time, cause > 0, weight)
    incidence = aalen_johansen(time, cause, weight=weight) if functional is TIME_LOST else None
    made = censored_outcome(
        time,
        cause,
        horizon,
        functional,
        Curves(survival, incidence=incidence),
        Curves(censoring_curve(time, cause > 0, weight)),
    )
    if functional is ALIVE:
        return made.values, survival.at(np.array(horizon))
    return made.values, (survival if incidence is None else incidence).area(horizon)


def test_restricted_means_and_their_errors_are_those_of_survfit(table):
    trial = th.Trial(
        table.assign(died=table.event > 0),
        outcome="time",
        treatment="arm",
        event="died",
        horizon=HORIZON,
        covariates=["x1", "x2"],
    )
    told = th.survival_by_arm(trial).table
    for arm, _, time, cause in arms(table):
        assert kaplan_meier(time, cause > 0).area(HORIZON) == pytest.approx(R["rmst"][arm], 1e-9)
        assert told.estimate[arm] == pytest.approx(R["rmst"][arm], rel=1e-9)
        # By pseudo-observations; survfit has Greenwood's.
        assert told.se[arm] == pytest.approx(R["rmst_se"][arm], rel=5e-3)


@pytest.mark.parametrize(
    ("functional", "key"),
    [
        (RESTRICTED_TIME, "pseudo_rmst"),
        (ALIVE, "pseudo_survival"),
        (TIME_LOST, "pseudo_time_lost"),
    ],
)
def test_outcomes_with_kaplan_meier_curves_are_the_pseudo_observations_of_r(table, functional, key):
    for _, rows, time, cause in arms(table):
        made, _ = without_covariates(time, cause, functional=functional)
        np.testing.assert_allclose(made, R[key][rows], atol=1e-8)


def test_incidence_is_that_of_survfit(table):
    for arm, _, time, cause in arms(table):
        at = aalen_johansen(time, cause).at(np.array(HORIZON))
        assert at == pytest.approx(R["incidence"][arm], rel=1e-9)


def test_cox_is_that_of_coxph(table):
    X = table[["x1", "x2"]].to_numpy(float)
    time, event = table.time.to_numpy(float), table.event.to_numpy() > 0
    plain = fit_cox(X, time, event, penalty=0.0)
    np.testing.assert_allclose(plain.coefficients, R["cox"], atol=1e-6)
    at_zero = -np.log(plain.survival(np.zeros((1, 2)), np.array([HORIZON])))
    assert at_zero[0, 0] == pytest.approx(R["baseline_hazard"], rel=1e-6)
    # R standardises with n - 1, so that its penalty is a little stronger.
    n = len(table)
    ridge = fit_cox(X, time, event, penalty=10.0 * n / (n - 1))
    np.testing.assert_allclose(ridge.coefficients, R["cox_ridge"], atol=1e-6)


@pytest.mark.parametrize("functional", [RESTRICTED_TIME, ALIVE, TIME_LOST])
@pytest.mark.parametrize("weighed", [False, True])
def test_means_are_those_of_the_curves(functional, weighed):
    rng = np.random.default_rng(3)
    n = 400
    time = np.ceil(4 * np.minimum(rng.exponential(size=n) * 20, rng.exponential(size=n) * 25)) / 4
    cause = rng.integers(0, 3, n)
    weight = rng.uniform(0.5, 2, n) if weighed else None
    made, value = without_covariates(time, cause, weight, functional=functional)
    assert np.average(made, weights=weight) == pytest.approx(value, abs=1e-10)


def test_without_censoring_outcomes_are_the_times_themselves():
    rng = np.random.default_rng(4)
    time = rng.exponential(size=50)
    made, _ = without_covariates(time, np.ones(50, dtype=int), horizon=1.0)
    np.testing.assert_allclose(made, np.minimum(time, 1.0), atol=1e-12)


def test_events_at_the_horizon_end_survival_and_censorings_there_do_not():
    time, cause = np.array([2.0, 5.0, 5.0, 7.0]), np.array([1, 1, 0, 0])
    made, value = without_covariates(time, cause, horizon=5.0, functional=ALIVE)
    assert made.tolist() == [0.0, 0.0, 1.0, 1.0]
    assert value == 0.5


def covariate_outcome(rng, n, slope=1.0, own_censoring=False):
    x = rng.normal(size=n)
    time = rng.exponential(size=n) * 20 * np.exp(-slope * x)
    left = rng.exponential(size=n) * 25 * np.exp(-0.7 * x)
    seen, cause = np.minimum(time, left), (time <= left).astype(int)
    X = x[:, None]

    def curves(event):
        model = fit_cox(X, seen, event)
        survival = np.exp(-model.baseline.values)
        return Curves(StepCurve(model.baseline.times, survival), model.log_ratio(X))

    censoring = curves(cause == 0) if own_censoring else Curves(censoring_curve(seen, cause > 0))
    made = censored_outcome(seen, cause, HORIZON, RESTRICTED_TIME, curves(cause > 0), censoring)
    return made, np.minimum(time, HORIZON), curves, seen, cause


def test_interpolation_over_the_hazard_ratio_is_exact():
    made, _, curves, seen, cause = covariate_outcome(np.random.default_rng(5), 600, slope=3.0)
    event = curves(cause > 0)
    assert np.ptp(event.log_ratio) == 10.0  # the largest there is
    # Curves of one's own that are alike for all go another way to the same values.
    same = Curves(censoring_curve(seen, cause > 0), np.zeros(600))
    other = censored_outcome(seen, cause, HORIZON, RESTRICTED_TIME, event, same)
    np.testing.assert_allclose(made.values, other.values, atol=1e-8)
    assert made.smallest == other.smallest


@pytest.mark.parametrize("own_censoring", [False, True])
def test_outcomes_keep_the_mean_where_censoring_goes_with_covariates(own_censoring):
    made, truth, *_ = covariate_outcome(np.random.default_rng(6), 4000, own_censoring=own_censoring)
    error = made.values - truth
    # Not so those of complete cases, or times taken as they are: they are off by more than one.
    assert abs(error.mean()) < 3 * error.std() / np.sqrt(len(error))


def test_small_probabilities_are_floored_and_counted():
    # 98 are censored before 2; of the last five the probability of being there is below 0.05.
    time = np.concatenate([np.linspace(1, 2, 98), [5.0, 6.0]])
    cause = np.concatenate([np.zeros(98, dtype=int), [1, 0]])
    made = censored_outcome(
        time,
        cause,
        6.0,
        RESTRICTED_TIME,
        Curves(kaplan_meier(time, cause > 0)),
        Curves(censoring_curve(time, cause > 0)),
    )
    assert made.n_floored == 5
    assert made.smallest == pytest.approx(0.02)
