"""Codes for missing values next to a column's range: read as missing, and nothing measured is."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.numerics.codes import codes_at_end
from tauhat.numerics.far_values import ColumnLimits
from tauhat.tables.extremes import third_values

ROLES: dict[str, Any] = {"outcome": "y", "treatment": "arm", "cluster": "clinic"}


def clinics() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    clinic = np.repeat(np.arange(20), 15)
    arm = clinic % 2
    age = np.clip((60 + 10 * rng.normal(size=300)).round(), 32, 93)
    level = 0.3 * rng.normal(size=20)[clinic]
    y = arm * (1 + 0.05 * (age - 60)) + level + rng.normal(size=300)
    sex = rng.integers(0, 2, 300).astype(float)
    return pd.DataFrame({"clinic": clinic, "arm": arm, "age": age, "sex": sex, "y": y})


def coded(column: str, value: float, cells: int = 3) -> pd.DataFrame:
    df = clinics()
    df.loc[np.linspace(3, 290, cells).astype(int), column] = value
    return df


def trial_of(df: pd.DataFrame, **roles: Any) -> th.Trial:
    return th.Trial(df, **(ROLES | {"covariates": ["age", "sex"]} | roles))


def effects(df: pd.DataFrame) -> Any:
    trial = trial_of(df)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", th.TauhatWarning)
        return th.estimator("LMM", random_state=1).fit(*trial).effect(trial.X)


def findings(df: pd.DataFrame, **roles: Any) -> list[tuple[str, str, str]]:
    found = trial_of(df, **roles).check().findings
    return [(f.item, f.value, f.status) for f in found if "far" in f.item or "rare" in f.item]


@pytest.mark.parametrize(("value", "cells"), [(-9, 3), (-1, 3), (0, 3), (9, 5), (-9, 30)])
def test_a_code_next_to_the_ages_does_not_flatten_the_effects(value: float, cells: int) -> None:
    df = coded("age", value, cells)
    assert effects(df).std() == pytest.approx(effects(clinics()).std(), rel=0.12)
    (found,) = findings(df)
    assert found == ("values far outside", f"age ({cells}: {value})", "warning")


def read_as(column: Any) -> tuple[float, int]:
    """What the last value is read as, and how many of the others change."""
    values = np.asarray(column, dtype=np.float64)[:, None]
    within = ColumnLimits.of(values).apply(values)[:, 0]
    coded = values[:, 0] == values[-1, 0]
    return float(within[-1]), int((within != values[:, 0])[~coded].sum())


def test_what_codes_are_read_as() -> None:
    rng = np.random.default_rng(2)
    age, answers = rng.normal(60, 10, 300).round(), np.tile(np.arange(1.0, 6), 60)
    assert read_as([*age, -9, -9]) == (np.median(age), 0)
    assert read_as([*age, -9]) == (age.min(), 0)
    assert read_as([*age, *[0] * 6]) == (np.median(age), 0)
    assert read_as([*answers, 9, 9]) == (5, 0)
    assert read_as([*answers, -9, -9]) == (1, 0)
    assert read_as([*answers % 2, 9, 9]) == (1, 0)
    # Below costs of any size, as far as their lower half goes.
    costs = rng.lognormal(5, 1, 300)
    assert read_as([*costs, -99, -99]) == (np.median(costs), 0)


@pytest.mark.parametrize(
    ("others", "value", "rows"),
    [
        (np.arange(21), 100, 12),  # a dose that one in 26 has
        ([0, 5, 10, 20], 100, 12),
        ([1, 2, 4], 8, 12),
        ([0, 3], 9, 12),
        (np.arange(11), -1, 3),  # a change for the worse
        (np.arange(1, 8), 0, 12),
        (np.arange(1, 61), 0, 20),  # none of what the others have
        ([0, 1], 2, 3),
        ([0, 1], -1, 3),
    ],
)
def test_levels_and_amounts_stay_as_measured(others: Any, value: float, rows: int) -> None:
    column = [*np.resize(others, 300), *[value] * rows]
    assert read_as(column) == (value, 0)


def test_a_dose_far_off_is_named_and_taken_as_measured() -> None:
    df = clinics().assign(dose=lambda d: d.index % 21)
    df.loc[::25, "dose"] = 100
    check = trial_of(df, covariates=["dose"]).check()
    (found,) = [f for f in check.findings if f.item == "values far outside"]
    assert found.value == "dose (12: 100)"
    assert found.sentence.endswith("The analysis takes them as measured.")


def columns_without_codes(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    some = rng.random(n) < 0.95
    return np.column_stack(
        [
            rng.normal(60, 10, n),
            rng.integers(18, 91, n),
            rng.lognormal(0, 1, n),
            rng.exponential(1, n),
            rng.poisson(0.05, n),
            rng.poisson(1, n),
            rng.lognormal(1, 0.5, n) * some,
            rng.gamma(5, 1, n) * some,
            rng.choice([1, 2, 4, 8], n, p=[0.3, 0.3, 0.36, 0.04]),
            rng.choice([0, 3, 9], n, p=[0.48, 0.48, 0.04]),
            rng.normal(12, 5, n).round(),
            rng.normal(3, 2, n).round(),
            np.clip(rng.normal(75, 15, n) / 5, 0, 20).round() * 5,
        ]
    )


def test_clean_columns_keep_every_bit() -> None:
    changed = [
        ColumnLimits.of(X).outside(X).any(axis=0)
        for n in (100, 300)
        for X in (columns_without_codes(seed, n) for seed in range(40))
    ]
    assert np.mean(changed) < 0.005


def test_real_trials_hold_no_codes(shared_data: Path) -> None:
    for path in sorted(shared_data.glob("*.csv")):
        table = pd.read_csv(path).select_dtypes("number")
        for name in table:
            values = table[name].dropna().to_numpy(dtype=np.float64)
            assert [codes_at_end(values, sign) for sign in (-1.0, 1.0)] == [0, 0], name


@pytest.mark.parametrize(
    ("value", "item"),
    [(-1, "rare third value"), (2, "rare third value"), (9, "values far outside")],
)
def test_a_third_code_beside_two_is_named(value: float, item: str) -> None:
    assert findings(coded("sex", value)) == [(item, f"sex (3: {value})", "warning")]


def test_a_rare_two_of_a_count_is_a_note() -> None:
    genotype = np.repeat([0.0, 1, 2], [240, 56, 4])
    df = clinics().assign(sex=np.random.default_rng(1).permutation(genotype))
    assert findings(df) == [("rare third value", "sex (4: 2)", "note")]
    levels = pd.Categorical.from_codes(df["sex"].astype(int), list("abc"), ordered=True)
    assert findings(df.assign(sex=levels)) == []
    assert list(third_values(np.repeat([0.0, 1, 2], 100), "stage")) == []


@pytest.mark.parametrize("value", [9, -9, 99, 999])
def test_codes_in_an_outcome_of_two_values_are_refused(value: float) -> None:
    with pytest.raises(th.TrialError, match=f"'sex' is 0 or 1 but for 3 rows with {value}"):
        trial_of(coded("sex", value), outcome="sex", covariates=["age"])


def test_a_code_in_an_outcome_is_refused_beside_a_third_value() -> None:
    df = coded("sex", 9)
    df.loc[10, "sex"] = -1
    with pytest.raises(th.TrialError, match="'sex' is 0 or 1 but for 3 rows with 9"):
        trial_of(df, outcome="sex", covariates=["age"])


@pytest.mark.parametrize("value", [2, -1])
def test_a_third_outcome_is_named_and_effects_stay_bounded(value: float) -> None:
    df, roles = coded("sex", value), {"outcome": "sex", "covariates": ["age"]}
    assert findings(df, **roles) == [("rare third outcome", f"sex (3: {value})", "warning")]
    model = trial_of(df, **roles).fit("LMM", random_state=1)
    assert model.trial_data_.endpoint.largest_effect == 1 + abs(value - 0.5) - 0.5


def test_codes_in_blocks_with_one_arm_are_counted() -> None:
    df = clinics().assign(block=lambda d: d["clinic"] // 4)
    df.loc[df["block"] == 4, "arm"] = 0
    df.loc[[3, 40, 290, 295], "age"] = -9
    (found,) = findings(df, block="block")
    assert found[1] == "age (4: -9)"
