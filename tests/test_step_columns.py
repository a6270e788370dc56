"""Steps at quantiles of covariates: which there are, and that they find a threshold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import tauhat as th
from tauhat.fitting import hazards_form
from tauhat.numerics import sparse_slopes
from tauhat.numerics.sparse_slopes import average_over_sets
from tauhat.numerics.step_columns import StepColumns
from timed_trials import table, trial_of


def made_of(X: np.ndarray, most: int = 100, allowed: bool = True) -> StepColumns:
    return StepColumns.of(X, np.full(X.shape[1], allowed), most)


def test_steps_are_at_deciles_and_in_standard_units() -> None:
    x = np.random.default_rng(1).permutation(np.arange(200.0))
    steps = made_of(np.column_stack([x, x % 2, x % 5]))
    # Two values have no steps; five have one below each but the largest.
    assert np.bincount(steps.covariate).tolist() == [9, 0, 4]
    assert steps.cut[-4:].tolist() == [0, 1, 2, 3]
    columns = steps.columns(np.column_stack([x, x % 2, x % 5]))
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(columns.std(axis=0), 1)
    assert (columns[:, 0] > 0).mean() == pytest.approx(0.9, abs=0.01)


def test_steps_are_fewer_where_they_would_be_too_many() -> None:
    X = np.random.default_rng(2).normal(size=(400, 30))
    assert np.bincount(made_of(X).covariate).tolist() == [3] * 30
    assert len(made_of(X[:299]).cut) == 0
    assert len(made_of(X, allowed=False).cut) == 0
    assert len(made_of(X, 59).cut) == 30
    assert len(made_of(X, 29).cut) == 0


def test_hazards_have_fewer_curves_and_steps_in_large_trials(monkeypatch) -> None:
    data = trial_of().data
    sizes = []
    for most in (5_000_000, 15_000, 3000):
        monkeypatch.setattr(hazards_form, "_MOST_NUMBERS", most)
        form = th.estimator("PEM").fit_data(data).form_
        curves = [block.shape[1] for block in form.columns_.blocks(data.X)[1:]]
        sizes.append((sum(curves), len(form.steps_.cut)))
    # 240 persons in 8 intervals: room for 100, 7 and 1 columns for two covariates.
    assert sizes == [(16, 18), (6, 6), (0, 0)]


def test_a_covariate_has_one_form_in_a_set(monkeypatch) -> None:
    covariate = np.array([0, 1, 2, 0, 0, 1])
    sets = [
        (tuple(one), float(log_share))
        for chosen, shares in sparse_slopes._sets(covariate)
        for one, log_share in zip(chosen.tolist(), shares, strict=True)
    ]
    assert np.exp(logsumexp([share for _, share in sets])) == pytest.approx(0.8)
    assert all(len(set(covariate[list(one)])) == len(one) for one, _ in sets)
    # One or two of three covariates in all of their forms, or all lines.
    assert len(sets) == (3 + 2 + 1) + (3 * 2 + 3 * 1 + 2 * 1) + 1
    share = dict(sets)
    assert np.exp(share[(0,)]) == pytest.approx(0.4 / 3 * LINE)
    assert np.exp(share[(3,)]) == pytest.approx(0.4 / 3 * (1 - LINE) / 2)
    assert np.exp(share[(2,)]) == pytest.approx(0.4 / 3)
    # Too many pairs with steps: those of lines are left.
    monkeypatch.setattr(sparse_slopes, "_MOST_SETS", 10)
    fewer = [one for chosen, _ in sparse_slopes._sets(covariate) for one in chosen.tolist()]
    assert [one for one in fewer if len(one) == 2] == [[0, 1], [0, 2], [1, 2]]


LINE = sparse_slopes._LINE


def test_a_threshold_is_told_from_a_line() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(1500, 4))
    steps = made_of(X)
    columns = np.column_stack([X, steps.columns(X)])
    covariate = np.r_[np.arange(4), steps.covariate]
    for truth, exact in ((X[:, 1] > 0.25, False), (0.4 * X[:, 1], True)):
        y = truth - truth.mean() + rng.normal(size=1500)
        found = average_over_sets(columns.T @ columns, columns.T @ y, covariate)
        lines = average_over_sets(X.T @ X, X.T @ y)
        error, of_lines = (
            np.std(part @ mean - truth) for part, mean in ((columns, found.mean), (X, lines.mean))
        )
        assert error < (1.6 * of_lines if exact else 0.5 * of_lines)
        assert (found.log_marginal > lines.log_marginal + 3) == (not exact)


def test_the_effect_on_times_may_set_in_at_a_threshold() -> None:
    df = table(2000, seed=5)
    trial = trial_of(df)
    model = trial.fit("PEM")
    at = pd.DataFrame({"x": [-1.5, -0.5, 0.4, 0.9, 1.8], "z": 0.0})
    effect = model.effect(at)
    # Its hazard is halved where x is above zero.
    assert np.abs(effect[:2]).max() < 1.2
    assert np.ptp(effect[2:]) < 1.2
    assert effect[2:].mean() > 2
    again = th.estimator("PEM").fit_data(trial_of(df.sample(frac=1, random_state=1)).data)
    np.testing.assert_allclose(again.effect(at), effect, atol=1e-8)


def test_what_clusters_have_in_common_has_no_steps() -> None:
    df = table(480, clusters=24)
    df["size"] = df.clinic * 1.5
    model = trial_of(df, cluster="clinic", covariates=["x", "size"]).fit("PEM")
    assert set(model.form_.steps_.covariate) == {0}
