"""Properties that hold for any table, any design and any effects, by random search."""

from __future__ import annotations

import string
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tauhat as th
from tauhat.data import validate_trial
from tauhat.design import design_of
from tauhat.simulate.metrics import (
    bias,
    calibration_slope,
    centred_srmse,
    coverage,
    mean_width,
    rmse,
    rod,
    srmse,
    true_policy_value,
)
from tauhat.tables.encoding import TableEncoder

FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)
SEEDS = st.integers(0, 2**32 - 1)
WORDS = st.text(string.ascii_letters + "é =-_", min_size=1, max_size=6)
COLUMNS = st.sampled_from(["number", "whole", "bool", "text", "category", "missing number"])


@st.composite
def designs(draw: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arm, cluster and block of each row: whole clusters of unequal sizes, rows shuffled."""
    rng = np.random.default_rng(draw(SEEDS))
    blocks = draw(st.integers(1, 3))
    a_block = draw(st.integers(4, 8))
    clusters = np.repeat(np.arange(blocks * a_block), rng.integers(1, 6, blocks * a_block))
    clusters = rng.permutation(clusters)
    arm_of = np.concatenate([rng.permutation(np.arange(a_block) % 2) for _ in range(blocks)])
    return arm_of[clusters], clusters, clusters // a_block


@given(designs(), st.integers(2, 6), SEEDS)
@FEW
def test_folds_keep_clusters_whole_and_arms_balanced(
    design: tuple[np.ndarray, np.ndarray, np.ndarray], n_folds: int, seed: int
) -> None:
    arm, clusters, blocks = design
    folds = design_of(arm, clusters, blocks).folds(n_folds, seed)
    per_cluster = pd.DataFrame({"c": clusters, "a": arm, "f": folds, "b": blocks}).drop_duplicates()
    assert per_cluster["c"].is_unique
    used = int(folds.max()) + 1
    assert used == min(n_folds, int(per_cluster.groupby("a")["c"].size().min()))
    counts = pd.crosstab(per_cluster["f"], per_cluster["a"]).reindex(range(used), fill_value=0)
    assert (counts.max() - counts.min() <= 1).all()
    within = per_cluster.groupby(["a", "b", "f"]).size().unstack(fill_value=0)
    assert (within.max(axis=1) - within.min(axis=1) <= 1).all()
    flipped = design_of(1 - arm, clusters, blocks).folds(n_folds, seed)
    assert np.array_equal(folds, flipped)


@st.composite
def tables(draw: Any) -> pd.DataFrame:
    """A table of columns of several types, with missing values."""
    n = draw(st.integers(8, 30))
    columns: dict[str, Any] = {}
    for j, kind in enumerate(draw(st.lists(COLUMNS, min_size=1, max_size=5))):
        rng = np.random.default_rng(draw(SEEDS))
        levels = draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
        columns[f"{draw(WORDS)}{j}"] = {
            "number": rng.normal(size=n) * 10.0 ** draw(st.integers(-8, 8)),
            "whole": rng.integers(-3, 3, n),
            "bool": rng.random(n) < 0.5,
            "text": rng.choice([*levels, None], n),
            "category": pd.Categorical(rng.choice(levels, n), categories=levels, ordered=True),
            "missing number": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
        }[kind]
    return pd.DataFrame(columns)


@given(tables())
@FEW
def test_encoded_columns_are_finite_and_the_same_on_new_rows(table: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            encoder = TableEncoder().fit(table)
        except th.TrialError:
            return
        encoded = encoder.transform(table)
        new = encoder.transform(table.iloc[::-2].reset_index(drop=True))
    assert encoded.columns.is_unique
    assert list(new.columns) == list(encoded.columns)
    assert all(kind == np.float64 for kind in encoded.dtypes)
    assert np.isfinite(encoded.to_numpy()).all()
    assert (np.ptp(encoded.to_numpy(), axis=0) > 0).all()
    # What a row becomes does not depend on the rows beside it.
    assert np.array_equal(new.to_numpy(), encoded.iloc[::-2].to_numpy())


@given(tables(), SEEDS)
@FEW
def test_encoding_replays_on_rows_that_training_never_saw(table: pd.DataFrame, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            encoder = TableEncoder().fit(table)
        except th.TrialError:
            return
        new = table.sample(frac=1, replace=True, random_state=seed).reset_index(drop=True)
        learned = encoder.transform(new)
        spoilt = new.copy()
        row = int(rng.integers(len(new)))
        for name in spoilt.columns:
            text = spoilt[name].dtype == object or isinstance(spoilt[name].dtype, pd.StringDtype)
            spoilt[name] = spoilt[name].astype(object)
            spoilt.loc[row, name] = "never seen before" if text else None
        replayed = encoder.transform(spoilt)
    assert list(replayed.columns) == list(learned.columns) == list(encoder.get_feature_names_out())
    assert np.isfinite(replayed.to_numpy()).all()
    # One row's surprise is its own.
    others = np.arange(len(new)) != row
    assert np.array_equal(replayed.to_numpy()[others], learned.to_numpy()[others])
    # And no column leaves the range that training showed.
    seen = encoder.transform(table).to_numpy()
    marks = [name.endswith((" (missing)", "=other")) for name in learned.columns]
    inside = (replayed >= seen.min(axis=0) - 1e-9) & (replayed <= seen.max(axis=0) + 1e-9)
    assert inside.to_numpy()[:, ~np.array(marks, dtype=bool)].all()


pairs = st.integers(3, 12).flatmap(
    lambda n: st.tuples(
        hnp.arrays(float, n, elements=NUMBERS), hnp.arrays(float, n, elements=NUMBERS)
    )
)


@given(pairs, st.floats(0.01, 100), st.floats(-1000, 1000))
@FEW
def test_srmse_ignores_units_and_rod_lies_between_0_and_1(
    both: tuple[np.ndarray, np.ndarray], scale: float, shift: float
) -> None:
    effect, truth = both
    assume(truth.std() > 1e-3 and np.abs(truth).max() / truth.std() < 1e4)
    moved = srmse(scale * effect + shift, scale * truth + shift)
    tolerance = 1e-6 * (1 + abs(shift) / (scale * truth.std()))
    np.testing.assert_allclose(moved, srmse(effect, truth), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        centred_srmse(effect + shift, truth), centred_srmse(effect, truth), rtol=1e-5, atol=1e-5
    )
    assert srmse(truth, truth) == 0
    assert 0 <= rod(effect, truth) <= 1


@given(designs(), SEEDS)
@FEW
def test_canonical_order_forgets_rows_and_labels(
    design: tuple[np.ndarray, np.ndarray, np.ndarray], seed: int
) -> None:
    arm, clusters, blocks = design
    rng = np.random.default_rng(seed)
    # Rounded, so that rows tie.
    X, y = rng.normal(size=(len(arm), 2)).round(1), rng.normal(size=len(arm)).round(1)
    assume(np.ptp(y) > 0)
    order = rng.permutation(len(arm))
    names = rng.permutation([f"c{k}" for k in range(int(clusters.max()) + 1)])
    first = validate_trial(X, y, arm, clusters, blocks=blocks)
    second = validate_trial(
        X[order], y[order], arm[order], names[clusters][order], blocks=-blocks[order]
    )
    for field in ("X", "y", "treatment", "clusters", "propensity"):
        assert np.array_equal(getattr(first, field), getattr(second, field)), field


@given(designs(), SEEDS)
@settings(FEW, max_examples=4)
def test_effects_of_a_trial_do_not_depend_on_its_order(
    design: tuple[np.ndarray, np.ndarray, np.ndarray], seed: int
) -> None:
    arm, clusters, _ = design
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"arm": arm, "clinic": clusters, "age": rng.normal(size=len(arm))})
    df["sex"] = rng.choice(["f", "m"], len(arm))
    df["y"] = df["age"] * arm + rng.normal(size=len(arm))
    roles = {"outcome": "y", "treatment": "arm", "cluster": "clinic"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trial = th.Trial(df, **roles)
        shuffled = th.Trial(df.sample(frac=1, random_state=seed), **roles)
        effect = trial.fit("LMM", random_state=1).effect(trial.X)
        again = shuffled.fit("LMM", random_state=1).effect(trial.X)
    assert list(shuffled.X.columns) == list(trial.X.columns)
    np.testing.assert_allclose(again, effect, rtol=1e-9, atol=1e-9)


@given(pairs, SEEDS, st.floats(0.1, 10))
@FEW
def test_metrics_do_not_depend_on_order_and_follow_their_definitions(
    both: tuple[np.ndarray, np.ndarray], seed: int, width: float
) -> None:
    effect, truth = both
    assume(truth.std() > 1e-3 and np.abs(truth).max() / truth.std() < 1e4)
    order = np.random.default_rng(seed).permutation(len(truth))
    for metric in (rmse, srmse, centred_srmse, rod, bias, calibration_slope, true_policy_value):
        moved = metric(effect[order], truth[order])
        np.testing.assert_allclose(moved, metric(effect, truth), rtol=1e-6, atol=1e-9)
    assert rmse(effect, truth) >= abs(bias(effect, truth)) * (1 - 1e-9)
    assert rmse(effect, truth) == pytest.approx(rmse(truth, effect))
    # Nobody gains more than by the truth, and turning the outcome turns all signs.
    best = true_policy_value(truth, truth)
    assert true_policy_value(effect, truth) <= best * (1 + 1e-9) + 1e-9
    turned = true_policy_value(-effect, -truth, higher_is_better=False)
    assert turned == pytest.approx(true_policy_value(effect, truth), abs=1e-9)
    low, high = effect - width, effect + width
    wider = coverage(low - 1, high + 1, truth)
    assert 0 <= coverage(low, high, truth) <= wider <= 1
    assert mean_width(low, high) == pytest.approx(2 * width, rel=1e-6)


@given(designs(), SEEDS)
@settings(FEW, max_examples=6)
def test_trials_count_and_keep_their_rows(
    design: tuple[np.ndarray, np.ndarray, np.ndarray], seed: int
) -> None:
    arm, clusters, blocks = design
    rng = np.random.default_rng(seed)
    n = len(arm)
    df = pd.DataFrame(
        {
            "who": rng.permutation(n) + 2**60,
            "arm": np.where(arm == 1, "new", "old"),
            "clinic": clusters,
            "block": blocks,
            "age": rng.normal(size=n),
            "sex": rng.choice(["f", "m", None], n),
            "y": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
        }
    )
    roles = {"outcome": "y", "treatment": "arm", "cluster": "clinic", "block": "block", "id": "who"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            trial = th.Trial(df, control="old", **roles)
        except th.TrialError:
            return
        again = th.Trial(df[rng.permutation(df.columns)], control="old", **roles)
    assert trial.n + trial.n_missing_outcome == trial.n_rows == n
    kept = df.iloc[trial.rows]
    assert kept["y"].notna().all()
    assert np.array_equal(trial.id, kept["who"])
    assert np.array_equal(np.asarray(trial.treatment), (kept["arm"] == "new").to_numpy(dtype=int))
    assert trial.n_clusters == kept["clinic"].nunique()
    assert np.array_equal(trial.X["age"], kept["age"])
    # The order of the columns in the file says nothing.
    assert sorted(again.X.columns) == sorted(trial.X.columns)
    assert again.X[trial.X.columns].equals(trial.X)
