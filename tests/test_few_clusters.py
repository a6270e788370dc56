"""Few clusters and cluster-level covariates: no learner's level may leave the average effect."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tauhat import Trial, average_effects, estimator, estimator_names
from tauhat.data import TrialData, validate_trial
from tauhat.ensembles import TStacking
from tauhat.fitting.few_clusters import (
    unlearnable_covariates,
    without_average_effect,
    without_unlearnable_covariates,
)
from tauhat.numerics.mixed_model import fit_random_intercept
from tauhat.registry import ENSEMBLES, registered
from tauhat.report.cannot_show import limits
from tauhat.report.text import certainty_answer, models_astray


def cluster_trial(m: int, n_covariates: int, seed: int, size: int = 40) -> TrialData:
    """True average effect 1; the first column is the person's, the others the cluster's."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    arm = np.repeat(rng.permutation(np.arange(m) % 2), size)
    x = rng.normal(size=m * size)
    V = rng.normal(size=(m, n_covariates))[clusters]
    intercept = 0.3 * rng.normal(size=m)[clusters]
    y = x + 0.3 * V.sum(axis=1) + arm * (1 + 0.5 * x) + intercept + rng.normal(size=m * size)
    return validate_trial(np.column_stack([x, V]), y, arm, clusters)


def skewed_trial(m: int, seed: int) -> TrialData:
    """Two lognormal covariates of clusters; the outcome goes with their logarithms."""
    rng = np.random.default_rng([seed, m, 2])
    clusters = np.repeat(np.arange(m), 40)
    arm = rng.permutation(np.arange(m) % 2)[clusters]
    x = rng.normal(size=40 * m)
    V = np.exp(4 + 1.5 * rng.normal(size=(m, 2)))[clusters]
    intercept = 0.3 * rng.normal(size=m)[clusters]
    y = x + 0.3 * np.log(V).sum(axis=1) + arm * (1 + 0.5 * x) + intercept
    return validate_trial(np.column_stack([x, V]), y + rng.normal(size=40 * m), arm, clusters)


def mean_effects(name: str, trials: list[TrialData], *, reduced: bool = False) -> np.ndarray:
    model = estimator(name, random_state=1)
    model = model.reduced() if reduced else model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = [clone(model).fit_data(data) for data in trials]
    return np.array(
        [fit.predict_effect(data.X).mean() for fit, data in zip(fits, trials, strict=True)]
    )


# This trial gave mean effects of 3 to 5 for all linear learners.
FOUR_CLUSTERS = [cluster_trial(4, 1, seed=11)]


OF_MEANS = [name for name in estimator_names() if "continuous" not in registered(name).refuses]


@pytest.mark.parametrize("name", [name for name in OF_MEANS if name not in ENSEMBLES])
def test_mean_effect_of_four_clusters_stays_near_the_average_effect(name):
    average = [average_effects(data).individual for data in FOUR_CLUSTERS]
    means = mean_effects(name, FOUR_CLUSTERS, reduced=True)
    for mean, robust in zip(means, average, strict=True):
        assert abs(mean - robust.estimate) < 2 * robust.se


@pytest.mark.slow
@pytest.mark.parametrize("cell", [(6, 2), (8, 1), (8, 3), (16, 2), "skewed"])
@pytest.mark.parametrize("name", [n for n in OF_MEANS if n not in ("Robust", "Stacked-X")])
def test_mean_effects_are_as_good_as_the_average_effect(name, cell):
    trials = [
        skewed_trial(12, seed) if cell == "skewed" else cluster_trial(*cell, seed)
        for seed in range(8)
    ]
    average = np.array([average_effects(data).individual.estimate for data in trials])
    means = mean_effects(name, trials)
    error, robust_error = np.sqrt(np.mean((means - 1) ** 2)), np.sqrt(np.mean((average - 1) ** 2))
    assert error < 1.3 * robust_error + 0.1


def test_the_level_of_t_stacking_is_adjusted_for_the_covariates_of_clusters():
    members = [(name, estimator(name)) for name in ("LMM", "T-LMM")]
    trials = [cluster_trial(16, 2, seed) for seed in range(100, 106)]
    fits = [TStacking(members, random_state=1).fit_data(data) for data in trials]
    away = [
        fit.predict_effect(data.X).mean() - average_effects(data).individual.estimate
        for fit, data in zip(fits, trials, strict=True)
    ]
    # Differences between the arms' mean outcomes lie .28 from the adjusted ones.
    assert np.sqrt(np.mean(np.square(away))) < 0.12


def test_covariates_need_two_clusters_an_arm_for_each_of_them_and_the_mean():
    def left_out(m: int, q: int) -> list[bool]:
        return unlearnable_covariates(cluster_trial(m, q, seed=1, size=3)).tolist()

    assert left_out(8, 1) == [False, False]
    assert left_out(7, 1) == [False, True]
    assert left_out(12, 2) == [False, False, False]
    assert left_out(10, 2) == [False, True, True]


@pytest.mark.parametrize("slips", ["a cell", "noise", "filled"])
def test_a_covariate_that_hardly_varies_within_clusters_is_one_of_the_cluster(slips):
    data, rng = cluster_trial(4, 1, seed=11), np.random.default_rng(2)
    X = data.X.copy()
    if slips == "a cell":
        X[0, 1] += 0.1
    elif slips == "noise":
        X[:, 1] += 0.2 * X[:, 1].std() * rng.normal(size=data.n)
    else:
        X[rng.random(data.n) < 0.05, 1] = X[:, 1].mean()
    almost = validate_trial(X, data.y, data.treatment, data.clusters)
    assert unlearnable_covariates(almost).tolist() == [False, True]
    average = average_effects(almost).individual
    for name in ("LMM", "T-Linear", "Effect-Boosting", "CF-DML-linear"):
        (mean,) = mean_effects(name, [almost])
        assert abs(mean - average.estimate) < average.se


def test_a_covariate_that_one_cluster_decides_is_left_out_alone():
    data = cluster_trial(30, 2, seed=5, size=4)
    X = data.X.copy()
    X[:, 1] = np.where(data.clusters == 3, 1.0, 0.0)
    one = validate_trial(X, data.y, data.treatment, data.clusters)
    assert unlearnable_covariates(one).tolist() == [False, True, False]
    for arm in (0, 1):
        for cluster in np.unique(data.clusters[data.treatment == arm])[:2]:
            X[:, 1] = np.where(data.clusters == cluster, 1.0, X[:, 1])
    two = validate_trial(X, data.y, data.treatment, data.clusters)
    assert not unlearnable_covariates(two).any()


def test_slopes_that_an_arm_would_extrapolate_are_not_learned():
    """A mean effect of -4.5 by T-Linear, where the average effect is 1.01."""
    # One treated cluster has most of a covariate that hardly varies among the controls.
    data = skewed_trial(12, seed=0)
    assert unlearnable_covariates(data).tolist() == [False, True, True]
    average = average_effects(data).individual
    for name in ("T-Linear", "X-GAMM-RF", "Effect-Boosting"):
        (mean,) = mean_effects(name, [data], reduced=True)
        assert abs(mean - average.estimate) < average.se


def test_only_the_covariate_that_is_extrapolated_is_left_out():
    clinic = np.repeat(np.arange(12), 3)
    arm, rng = clinic % 2, np.random.default_rng(1)
    alike = np.tile([-1.0, -1, 1, 1], 3)[clinic]
    # Within arms it varies by 1, between the arms by 4: then by 1 only.
    for apart, left_out in ((4, True), (1, False)):
        far = (np.tile([-1.0, -1, 0, 0, 1, 1], 2) + apart * (np.arange(12) % 2))[clinic]
        data = validate_trial(np.column_stack([alike, far]), rng.normal(size=36), arm, clinic)
        assert unlearnable_covariates(data).tolist() == [False, left_out]
    # Nothing can be learned in an arm in which a covariate is constant, nor extrapolated.
    constant = np.where(arm == 1, 1.0, alike)
    one = validate_trial(constant[:, None], rng.normal(size=36), arm, clinic)
    assert unlearnable_covariates(one).tolist() == [False]


def test_a_copy_of_a_covariate_needs_no_clusters_of_its_own():
    data = cluster_trial(8, 1, seed=1, size=3)
    twice = np.column_stack([data.X, 3 - 2 * data.X[:, 1]])
    assert not unlearnable_covariates(
        validate_trial(twice, data.y, data.treatment, data.clusters)
    ).any()


def test_effects_do_not_vary_with_a_covariate_that_was_left_out():
    data = FOUR_CLUSTERS[0]
    moved = data.X.copy()
    moved[:, 1] += 5
    for name in ("LMM", "GAMM", "X-Boosting", "T-Linear", "Effect-Boosting"):
        model = estimator(name, random_state=1).fit_data(data)
        np.testing.assert_allclose(
            model.predict_effect(moved), model.predict_effect(data.X), atol=1e-10
        )
        # What a person's own covariate does is still there.
        assert model.predict_effect(data.X).std() > 0.1


@pytest.mark.parametrize("name", ["LMM", "LMM-lasso", "MERT-Boosting", "GPBoost", "X-RF", "BRM"])
def test_a_trial_of_which_no_covariate_is_left_has_one_effect(name):
    full = cluster_trial(6, 1, seed=1, size=10)
    data = validate_trial(full.X[:, 1:], full.y, full.treatment, full.clusters)
    (mean,) = mean_effects(name, [data], reduced=True)
    average = average_effects(data).individual
    assert abs(mean - average.estimate) < average.se


def test_what_is_taken_out_is_the_same_in_both_arms_and_in_the_units_of_the_outcome():
    data = FOUR_CLUSTERS[0]
    part = data.y - without_unlearnable_covariates(data).working
    assert np.ptp(part) > 0.1
    by_cluster = [np.unique(np.round(part[data.clusters == c], 12)) for c in range(4)]
    assert [len(values) for values in by_cluster] == [1, 1, 1, 1]
    level = np.array([values[0] for values in by_cluster])
    v = data.X[np.unique(data.clusters, return_index=True)[1], 1]
    slope = np.polyfit(v, level, 1)
    np.testing.assert_allclose(np.polyval(slope, v), level, atol=1e-10)
    other_units = validate_trial(
        data.X * [1, 7] + [0, 3], 20 * data.y - 4, data.treatment, data.clusters
    )
    np.testing.assert_allclose(
        other_units.y - without_unlearnable_covariates(other_units).working, 20 * part, atol=1e-9
    )


def test_a_trial_with_clusters_enough_is_left_as_it_is():
    data = cluster_trial(12, 2, seed=3)
    assert without_unlearnable_covariates(data) is data
    persons = validate_trial(data.X, data.y, np.arange(data.n) % 2)
    assert without_unlearnable_covariates(persons) is persons


def test_a_regression_without_the_arm_learns_the_slope_within_arms():
    # All treated clusters have v = 1, all but one of the controls v = 0: v goes with the arm.
    clusters = np.repeat(np.arange(10), 50)
    arm, v = (clusters >= 5).astype(int), (clusters >= 4).astype(float)
    noise = 0.1 * np.random.default_rng(1).normal(size=500)
    data = validate_trial(v[:, None], 4 * arm + noise, arm, clusters)
    ones = np.ones(500)
    with_arms = fit_random_intercept(data.y, np.column_stack([ones, data.X]), data.clusters)
    y = without_average_effect(data)
    within_arms = fit_random_intercept(y, np.column_stack([ones, data.X]), data.clusters)
    assert with_arms.coefficients[1] > 3
    assert abs(within_arms.coefficients[1]) < 0.5


def test_the_check_names_covariates_that_there_are_too_few_clusters_for():
    clinic = np.repeat(np.arange(6), 10)
    df = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "urban": (clinic > 2).astype(int)})
    df["y"], df["age"] = np.random.default_rng(1).normal(size=(2, 60))
    trial = Trial(df, outcome="y", treatment="arm", cluster="clinic", covariates=["age", "urban"])
    (sentence,) = [s for s in trial.check().warnings if "too few clusters" in s]
    assert "how the effect depends on urban" in sentence
    age_only = Trial(df, outcome="y", treatment="arm", cluster="clinic", covariates=["age"])
    assert not any("too few clusters" in s for s in age_only.check().warnings)


def report_run():
    return json.loads((Path(__file__).parent / "report_run.json").read_text(encoding="utf-8"))


def test_the_first_page_warns_of_a_model_that_leaves_the_average_effect():
    run = report_run()
    average = run["average_effect"]["individual"]
    assert models_astray(run) == []
    assert "Warning" not in certainty_answer(run).text
    model = next(m for m in run["models"] if m["kept"])
    model["mean_effect"] = average["estimate"] + 1.9 * average["se"]
    assert models_astray(run) == []
    model["mean_effect"] = average["estimate"] - 2.1 * average["se"]
    assert [m["name"] for m in models_astray(run)] == [model["name"]]
    assert f"the mean effect by {model['name']}" in certainty_answer(run).text


def test_limits_say_that_effects_do_not_vary_with_covariates_of_too_few_clusters():
    run = report_run()
    assert not any("their effects do not vary" in text for text in limits(run))
    run["design"]["too_few_clusters_for"] = ["urban"]
    (said,) = [text for text in limits(run) if "their effects do not vary" in text]
    assert "urban" in said
