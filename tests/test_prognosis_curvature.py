"""Straight learners do not see how the prognosis bends where outcomes are missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, rankdata

import tauhat as th
from tauhat._typing import FloatArray
from tauhat.analysis.missing_record import straight_models
from tauhat.data import TrialData, validate_trial
from tauhat.fitting.learning_view import learning_view
from tauhat.fitting.prognosis_curvature import as_straight_learners_see_it, has_curvature

COVARIATES = ["x1", "x2", "sex"]
STRAIGHT = ["LMM", "LMM-lasso", "T-LMM", "S-LMM", "X-LMM", "DR-LMM", "R-LMM", "T-Linear"]


def bent(seed: int = 1, clusters: int = 0, n: int = 600, bend: float = 0.7) -> pd.DataFrame:
    """The control arm keeps those with large x2, along which the prognosis bends; all else is even.

    The effect is .3 + .3 x1.
    """
    rng = np.random.default_rng(seed)
    unit = np.arange(n) % clusters if clusters else np.arange(n)
    arm = unit % 2
    x = rng.normal(size=(n, 2))
    sex = rng.integers(0, 2, n)
    y = x[:, 0] + bend * x[:, 1] ** 2 + arm * (0.3 + 0.3 * x[:, 0]) + 0.5 * rng.normal(size=n)
    if clusters:
        y += 0.3 * rng.normal(size=clusters)[unit]
    seen = rng.random(n) < 1 / (1 + np.exp(-(0.5 + 1.5 * (1 - 2 * arm) * x[:, 1])))
    frame = pd.DataFrame({"x1": x[:, 0], "x2": x[:, 1], "sex": sex, "arm": arm, "unit": unit})
    return frame.assign(y=np.where(seen, y, np.nan), block=unit // 4)


def trial_of(frame: pd.DataFrame, clusters: int = 0, **changes: object) -> th.Trial:
    roles = {"outcome": "y", "treatment": "arm", "covariates": COVARIATES}
    roles |= {"cluster": "unit"} if clusters else {}
    return th.Trial(frame, **{**roles, **changes})


def curvature_of(view: TrialData) -> FloatArray:
    assert view.learning is not None
    assert view.learning.curvature is not None
    return view.learning.curvature


def squares_of(X: FloatArray) -> FloatArray:
    """One, and the squares of the normal scores of x1 and x2."""
    scores = norm.ppf((rankdata(X[:, :2], axis=0) - 0.5) / len(X))
    return np.column_stack([np.ones(len(X)), (scores - scores.mean(axis=0)) ** 2])


def errors(name: str, clusters: int) -> tuple[float, float]:
    """Root mean squared errors of effects of complete cases, and as they are usually fitted."""
    found = []
    for seed in range(8):
        frame = bent(seed, clusters)
        truth = 0.3 + 0.3 * frame["x1"].to_numpy()
        for missing in ("complete-cases", "doubly-robust"):
            trial = trial_of(frame, clusters, missing=missing)
            effect = trial.fit(name, random_state=1).effect(trial.encode(frame))
            found.append(((effect - truth) ** 2).mean())
    complete, usual = np.sqrt(np.reshape(found, (8, 2)).mean(axis=0))
    return float(complete), float(usual)


@pytest.mark.parametrize("clusters", [0, 60])
@pytest.mark.parametrize("name", ["LMM", "T-Linear"])
def test_a_bend_is_not_taken_for_an_effect(name: str, clusters: int) -> None:
    complete, usual = errors(name, clusters)
    assert usual < 0.5 * complete


def test_what_others_see_is_as_before() -> None:
    frame = bent()
    both = [trial_of(frame, missing=way) for way in ("doubly-robust", "complete-cases")]
    for name in ("GAMM", "X-RF"):
        effects = [one.fit(name, random_state=1).effect(one.X) for one in both]
        np.testing.assert_array_equal(*effects)


def test_nothing_is_taken_out_where_nobody_lacks_an_outcome() -> None:
    trial = trial_of(bent().dropna(subset="y"))
    assert trial.data.n_without_outcome == 0
    assert not has_curvature(learning_view(trial.data))
    assert not has_curvature(learning_view(trial_of(bent(), missing="complete-cases").data))
    assert has_curvature(learning_view(trial_of(bent()).data))


@pytest.mark.parametrize("name", STRAIGHT)
def test_it_is_as_if_the_outcome_did_not_bend(name: str) -> None:
    """The same, to rounding, as complete cases of the outcome less the curvature."""
    data = trial_of(bent()).data
    curvature = curvature_of(learning_view(data))
    alone = replace(data, measured=data.measured - curvature[:, None], n_without_outcome=0)
    ours, theirs = (th.estimator(name, random_state=1).fit_data(one) for one in (data, alone))
    assert ours.is_straight
    np.testing.assert_allclose(ours.effect(data.X), theirs.effect(data.X), rtol=1e-8, atol=1e-9)
    complete = th.estimator(name, random_state=1).fit_data(replace(data, n_without_outcome=0))
    assert np.abs(complete.effect(data.X) - ours.effect(data.X)).max() > 0.02


def test_it_is_a_function_of_the_covariates_alone_and_has_mean_zero() -> None:
    data = trial_of(bent(clusters=40), 40).data
    curvature, x = curvature_of(learning_view(data)), data.X
    assert abs(curvature.mean()) < 1e-12
    columns = squares_of(x)
    found = np.linalg.lstsq(columns, curvature, rcond=None)[0]
    assert np.abs(curvature - columns @ found).max() < 1e-10
    assert found[2] == pytest.approx(0.7, rel=0.15)
    assert abs(found[1]) < 0.15


def test_it_goes_with_the_unit_of_the_outcome_and_ignores_its_origin() -> None:
    frame = bent()
    effects = []
    for shift, unit in ((0.0, 1.0), (1e6, 1.0), (0.0, 1000.0)):
        trial = trial_of(frame.assign(y=shift + unit * frame["y"]))
        effects.append(trial.fit("LMM").effect(trial.X) / unit)
    np.testing.assert_allclose(effects[1], effects[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(effects[2], effects[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("roles", [{}, {"block": "block"}, {"weight": "weight"}])
def test_order_of_rows_labels_and_workers_do_not_matter(roles: dict[str, str]) -> None:
    frame = bent(clusters=40).assign(weight=lambda d: 1.0 + d["sex"])
    shuffled = frame.sample(frac=1, random_state=1)
    shuffled = shuffled.assign(unit="c" + shuffled["unit"].astype(str))
    new = frame[:50]
    intervals = []
    for one, n_jobs in ((frame, 1), (shuffled, 2)):
        trial = trial_of(one, 40, **roles)
        fit = trial.fit("LMM", random_state=1, n_jobs=n_jobs)
        X = trial.encode(new)
        intervals.append(np.column_stack([fit.effect(X), *fit.effect_interval(X, n_bootstrap=4)]))
    np.testing.assert_allclose(*intervals, rtol=1e-7, atol=1e-9)


def test_each_resample_has_its_own() -> None:
    data = trial_of(bent(clusters=40), 40).data
    drawn = data.resample(1)
    assert drawn.n_without_outcome == data.n_without_outcome > 100
    bends = []
    for one in (data, drawn):
        curvature = curvature_of(learning_view(one))
        bends.append(np.linalg.lstsq(squares_of(one.X), curvature, rcond=None)[0][2])
    assert 0.001 < abs(bends[1] - bends[0]) < 0.1


def test_rows_of_a_view_keep_theirs_and_it_is_taken_out_once() -> None:
    view = learning_view(trial_of(bent()).data)
    rows = np.arange(0, view.n, 3)
    part = learning_view(view.take(rows))
    curvature = curvature_of(view)
    np.testing.assert_array_equal(curvature_of(part), curvature[rows])
    straight = as_straight_learners_see_it(view)
    np.testing.assert_allclose(straight.working, view.working - curvature)
    assert as_straight_learners_see_it(straight) is straight


def one_of(y: np.ndarray, X: np.ndarray, **given: object) -> TrialData:
    data = validate_trial(X, y, np.arange(len(y)) % 2, **given)
    return learning_view(replace(data, n_without_outcome=9))


def test_a_long_tail_does_not_make_the_curve() -> None:
    """Of a covariate with a log-normal tail the curve stays within what the outcome can bend."""
    rng = np.random.default_rng(2)
    X = np.exp(1.5 * rng.normal(size=(400, 1)))
    y = np.log(X[:, 0]) + 0.5 * rng.normal(size=400)
    assert np.abs(curvature_of(one_of(y, X))).max() < np.ptp(y)


def test_where_there_is_none() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 2))
    y = X[:, 0] ** 2 + rng.normal(size=200)
    assert has_curvature(one_of(y, X))
    # Two values, counts of few persons a covariate, covariates of two values.
    assert not has_curvature(one_of((y > 0).astype(float), X))
    assert not has_curvature(one_of(y, rng.normal(size=(200, 21))))
    assert not has_curvature(one_of(y, (X > 0).astype(float)))


def test_a_covariate_of_too_few_clusters_has_none() -> None:
    rng = np.random.default_rng(1)
    clinic = np.arange(240) % 6
    v = rng.normal(size=6)[clinic]
    y = v**2 + rng.normal(size=240)
    data = validate_trial(v[:, None], y, clinic % 2, clinic)
    assert not has_curvature(learning_view(replace(data, n_without_outcome=9)))


def test_a_saved_model_says_the_same(tmp_path: Path) -> None:
    trial = trial_of(bent())
    fit = trial.fit("LMM", random_state=1)
    th.save(fit, tmp_path / "model.tauhat")
    again = th.load(tmp_path / "model.tauhat")
    np.testing.assert_array_equal(again.effect(trial.X), fit.effect(trial.X))
    ours, theirs = (one.effect_interval(trial.X[:9], n_bootstrap=3) for one in (fit, again))
    np.testing.assert_array_equal(ours, theirs)
    assert again.text == fit.text
    assert "did not see how the prognosis bends" in fit.text


def test_a_run_names_the_models_that_did_not_see_it() -> None:
    trial = trial_of(bent())
    seen = learning_view(trial.data)
    assert straight_models(["CBA", "LMM", "GAMM", "T-Linear"], seen) == ["LMM", "T-Linear"]
    assert straight_models(["Effect-Boosting", "X-GAMM-RF"], seen) == ["Effect-Boosting"]
    seen = learning_view(trial_of(bent(), missing="complete-cases").data)
    assert straight_models(["LMM"], seen) == []
