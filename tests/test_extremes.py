"""Codes for missing and slips among covariates and outcomes: named, and no lever on the effects."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.data import validate_trial
from tauhat.ensembles.together import fit_together
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.numerics.far_values import ColumnLimits

ROLES: dict[str, Any] = {"outcome": "y", "treatment": "arm", "cluster": "clinic"}


def clinics(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    clinic = np.repeat(np.arange(20), n // 20)
    arm = clinic % 2
    age = 60 + 10 * rng.normal(size=n)
    level = 0.3 * rng.normal(size=20)[clinic]
    y = arm * (1 + 0.05 * (age - 60)) + level + rng.normal(size=n)
    beds = np.round(100 + 20 * rng.normal(size=20))[clinic]
    return pd.DataFrame({"clinic": clinic, "arm": arm, "age": age, "beds": beds, "y": y})


def with_codes(df: pd.DataFrame, value: float, cells: int, column: str = "age") -> pd.DataFrame:
    """The table with a code in some cells, spread over the clinics."""
    df = df.copy()
    df.loc[np.linspace(3, len(df) - 5, cells).astype(int), column] = value
    return df


def trial_of(df: pd.DataFrame, covariates: list[str] | None = None) -> th.Trial:
    return th.Trial(df, **ROLES, covariates=covariates or ["age"])


def quiet_fit(name: str, trial: th.Trial) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return th.estimator(name, random_state=1).fit(*trial)


def spread(name: str, df: pd.DataFrame) -> float:
    trial = trial_of(df)
    return float(quiet_fit(name, trial).effect(trial.X).std())


@pytest.mark.parametrize(
    ("value", "cells"), [(999999, 2), (999999, 1), (999, 2), (-99, 2), (-9999, 10), (1e12, 6)]
)
def test_codes_do_not_flatten_the_effects(value: float, cells: int) -> None:
    clean, coded = clinics(), with_codes(clinics(), value, cells)
    assert spread("LMM", coded) == pytest.approx(spread("LMM", clean), rel=0.15)


@pytest.mark.parametrize("name", ["GAMM", "T-Linear", "X-AGLM"])
def test_other_learners_are_not_flattened_either(name: str) -> None:
    clean, coded = clinics(), with_codes(clinics(), 999999, 2)
    assert spread(name, coded) == pytest.approx(spread(name, clean), rel=0.15)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tauhat.TauhatWarning")
def test_no_registered_estimator_is_flattened() -> None:
    names = {name: th.estimator(name) for name in th.estimator_names()}
    spreads = {}
    for label, df in (("clean", clinics()), ("coded", with_codes(clinics(), 999999, 2))):
        trial = trial_of(df)
        fits = fit_together(names, validate_trial(*trial), seed=1)
        spreads[label] = {
            name: fit.estimator.effect(trial.X).std()
            for name, fit in fits.items()
            if fit.estimator is not None
        }
    assert set(spreads["clean"]) == set(names)
    # Boosting stops after another number of rounds when two cells change.
    assert spreads["coded"] == pytest.approx(spreads["clean"], rel=0.2)


def test_every_registered_estimator_goes_through_the_one_door() -> None:
    for name in th.estimator_names(every=True):
        kind = type(th.estimator(name))
        assert (kind.fit, kind.effect) == (CateEstimator.fit, CateEstimator.effect)


def test_the_test_average_effect_and_held_out_effects_keep_their_numbers() -> None:
    clean, coded = (trial_of(df) for df in (clinics(), with_codes(clinics(), 999999, 2)))
    settings: dict[str, Any] = {"random_state": 1, "n_permutations": 199}
    p_values = [th.test_heterogeneity(t, **settings).p_value for t in (clean, coded)]
    assert abs(p_values[0] - p_values[1]) < 0.03
    averages = [th.average_effects(t).individual for t in (clean, coded)]
    assert averages[1].se == pytest.approx(averages[0].se, rel=0.02)
    surfaces = [th.cross_fit(t, "LMM", n_splits=1).effects.std() for t in (clean, coded)]
    assert surfaces[1] == pytest.approx(surfaces[0], rel=0.15)


def test_a_code_for_a_whole_clinic_counts_once() -> None:
    df = clinics()
    df["y"] += 0.03 * df["arm"] * (df["beds"] - 100)
    coded = df.assign(beds=df["beds"].where(df["clinic"] != 4, 9999))
    spreads = []
    for one in (df, coded):
        trial = trial_of(one, ["age", "beds"])
        spreads.append(quiet_fit("LMM", trial).effect(trial.X).std())
    assert spreads[1] == pytest.approx(spreads[0], rel=0.25)


def columns_without_codes(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = 300
    return np.column_stack(
        [
            rng.normal(60, 10, n),
            np.clip(rng.normal(75, 12, n).round(), 18, 99),
            rng.lognormal(0, 1, n),
            rng.lognormal(0, 1.5, n),
            rng.exponential(1, n),
            rng.poisson(0.05, n),
            rng.negative_binomial(0.4, 0.1, n) * (rng.random(n) < 0.4),
            rng.random(n) < 0.02,
            rng.integers(1, 10, n),
            rng.uniform(-1, 1, n),
        ]
    ).astype(float)


def test_columns_without_such_values_keep_every_bit() -> None:
    for seed in range(20):
        X = columns_without_codes(seed)
        limits = ColumnLimits.of(X)
        assert limits.apply(X) is X, np.flatnonzero(limits.outside(X).any(axis=0))


def test_limits_move_with_the_units_of_a_column_and_not_with_the_order_of_rows() -> None:
    X = np.r_[columns_without_codes(1), np.full((2, 10), 1e6)]
    inside = ColumnLimits.of(X).apply(X)
    for factor, shift in ((-2.0, 8.0), (1024.0, 0.0)):
        moved = X * factor + shift
        np.testing.assert_allclose(
            ColumnLimits.of(moved).apply(moved), inside * factor + shift, rtol=1e-12
        )
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_array_equal(ColumnLimits.of(X[order]).apply(X[order]), inside[order])


def test_a_repeated_value_is_read_as_missing_and_a_single_one_as_the_nearest() -> None:
    age = np.random.default_rng(1).normal(60, 10, 100)
    twice, once = np.r_[age, 999, 999][:, None], np.r_[age, 999][:, None]
    assert ColumnLimits.of(twice).apply(twice)[-1, 0] == np.median(age)
    assert ColumnLimits.of(once).apply(once)[-1, 0] == age.max()
    answers = np.r_[np.tile(np.arange(1.0, 6), 20), 99, 99][:, None]
    # Among few values a repeated one may be a level of its own.
    assert ColumnLimits.of(answers).apply(answers)[-1, 0] == 5


def test_new_persons_are_read_as_those_of_the_trial(tmp_path: Path) -> None:
    trial = trial_of(clinics())
    model = th.estimator("LMM", random_state=1).fit(*trial)
    oldest = trial.X["age"].max()
    new = pd.DataFrame({"age": [oldest, 999999.0]})
    with pytest.warns(th.TauhatWarning, match=r"'age': 999999 \(1 time\), read as 9"):
        effect = model.effect(new)
    assert effect[0] == effect[1]
    for with_data in (True, False):
        th.save(model, tmp_path / "model.tauhat", with_data=with_data)
        loaded = th.load(tmp_path / "model.tauhat")
        with pytest.warns(th.TauhatWarning, match="far outside those of the trial"):
            np.testing.assert_array_equal(loaded.effect(new), effect)


def test_the_fit_warns_once_and_names_column_value_and_count() -> None:
    coded = trial_of(with_codes(clinics(), 999999, 2))
    with pytest.warns(
        th.TauhatWarning, match=r"'age': 999999 \(2 times\), read as 59\.\d+"
    ) as said:
        model = th.estimator("LMM", random_state=1).fit(*coded)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.effect(coded.X)


def test_arrays_are_kept_within_limits_in_the_order_of_the_raw_values() -> None:
    df = with_codes(clinics(), 999999, 2)
    parts = tuple(trial_of(df))
    data = validate_trial(*parts)
    assert data.X.max() < 100
    assert np.isin(data.y, df["y"]).all()


def far(df: pd.DataFrame, covariates: list[str]) -> list[tuple[str, str, str]]:
    check = trial_of(df, covariates).check()
    assert not check.failures
    return [(f.item, f.value, f.sentence) for f in check.findings if f.item.endswith("far outside")]


@pytest.mark.parametrize("value", [999999, 999, 8888, -9, -99, -1, 777])
def test_the_check_names_a_code_with_its_count(value: float) -> None:
    df = with_codes(clinics(), value, 2)
    (found,) = far(df, ["age"])
    assert found[:2] == ("values far outside", f"age (2: {value})")
    assert "leave these cells empty" in found[2]


@pytest.mark.parametrize("value", [9, 99, -9])
def test_codes_among_few_answers_are_named(value: float) -> None:
    df = clinics().assign(answer=lambda d: 1 + d.index % 5)
    (found,) = far(with_codes(df, value, 3, "answer"), ["age", "answer"])
    assert found[1] == f"answer (3: {value})"


@pytest.mark.parametrize("value", [-9, 999, 99])
def test_codes_in_the_outcome_are_named_and_taken_as_measured(value: float) -> None:
    df = clinics()
    df["y"] = (120 + 10 * df["y"]).clip(100, 140)
    coded = with_codes(df, value, 2, "y") if value != 99 else with_codes(df, 9999, 2, "y")
    (found,) = far(coded, ["age"])
    assert found[0] == "outcomes far outside"
    assert found[2].endswith("The analysis takes them as measured.")
    assert (trial_of(coded).y == coded["y"]).all()


def test_clean_columns_are_not_questioned() -> None:
    X = columns_without_codes(3)
    df = clinics().assign(**{f"x{j}": X[:, j] for j in range(10)})
    assert far(df, ["age", *(f"x{j}" for j in range(10))]) == []


def test_real_trials_are_not_questioned(shared_data: Path) -> None:
    looked_at = 0
    for path in sorted(shared_data.glob("*.csv")):
        table = pd.read_csv(path).select_dtypes("number")
        for name in table:
            values = table[name].dropna().to_numpy(dtype=np.float64)[:, None]
            limits = ColumnLimits.of(values)
            assert not limits.outside(values).any(), (path.name, name)
            looked_at += 1
    assert looked_at > 100


def test_balance_is_judged_without_the_codes() -> None:
    clean, coded = (trial_of(df).check() for df in (clinics(), with_codes(clinics(), 999999, 2)))
    assert coded.balance["sd"][0] == pytest.approx(clean.balance["sd"][0], rel=0.05)


def test_a_single_clinic_far_outside_is_no_repeated_value() -> None:
    clinic = np.repeat(np.arange(40), 10)
    beds = np.random.default_rng(1).normal(100, 20, 40)
    once, twice = beds.copy(), beds.copy()
    once[3] = 99999
    twice[[3, 8]] = 99999
    for per_clinic, read_as in (
        (once, np.delete(beds, 3).max()),
        (twice, np.median(np.delete(beds, [3, 8]))),
    ):
        X = per_clinic[clinic][:, None]
        assert ColumnLimits.of(X, clinic).apply(X)[30, 0] == read_as
