"""Average effects: closed forms, invariances, coverage and real trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.data import validate_trial
from tauhat.inference.average_effects import average_effects
from tauhat.inference.averages import AverageEffects
from tauhat.inference.estimate import Estimate
from tauhat.numerics.working_models import ExchangeableWorkingModel, standardize
from tauhat.trial.checks.size_checks import degrees_of_freedom

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="real trial data are not on this machine")


def cluster_trial(seed, m=16, *, informative=False, covariates=3, blocks=None, treated=None):
    """X, y, arm, clusters with an average effect of .4, or .4 + .5 log(size / 25)."""
    rng = np.random.default_rng(seed)
    cv = 0.8 if informative else 0.4
    sizes = np.maximum(5, np.round(rng.gamma(1 / cv**2, 25 * cv**2, m))).astype(int)
    clusters = np.repeat(np.arange(m), sizes)
    arm = np.zeros(m, dtype=int)
    if blocks is None:
        arm[rng.permutation(m)[: treated or m // 2]] = 1
    else:
        for block in np.unique(blocks):
            arm[rng.choice(np.flatnonzero(blocks == block))] = 1
    shift = 0.5 * np.log(sizes / 25) if informative else np.zeros(m)
    X = (
        rng.normal(size=(len(clusters), covariates))
        + 0.3 * rng.normal(size=(m, covariates))[clusters]
    )
    X[:, -1] = rng.normal(size=m)[clusters]
    y = 0.5 * X[:, 0] + 0.4 * X[:, -1] + shift[clusters] + (0.4 + shift)[clusters] * arm[clusters]
    y += 0.33 * rng.normal(size=m)[clusters] + 0.95 * rng.normal(size=len(clusters))
    if blocks is not None:
        y += 0.7 * rng.normal(size=blocks.max() + 1)[blocks][clusters]
    return X, y, arm[clusters], clusters


def person_trial(seed, n=100, p=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    arm = np.zeros(n, dtype=int)
    arm[rng.permutation(n)[: n // 2]] = 1
    y = (
        X[:, 0]
        + 0.5 * X[:, 1] ** 2
        + arm * (1 + 0.7 * X[:, 2])
        + rng.normal(size=n) * (1 + 0.4 * arm)
    )
    return X, y, arm


def test_without_informative_covariates_the_estimates_are_differences_of_means():
    rng = np.random.default_rng(0)
    sizes = np.array([4, 10, 7, 4, 10, 7])
    clusters = np.repeat(np.arange(6), sizes)
    arm = (clusters >= 3).astype(int)
    y = rng.normal(size=len(clusters)) + 2 * arm
    result = average_effects((np.ones((len(y), 1)), y, arm, clusters))
    means = np.array([y[clusters == g].mean() for g in range(6)])
    # Sizes are balanced over the arms, so log size moves neither contrast by adjustment of means.
    by_cluster = means[3:].mean() - means[:3].mean()
    assert result.cluster.estimate == pytest.approx(by_cluster, rel=1e-6)
    assert result.cluster.degrees_of_freedom == 4


def test_down_dated_regression_is_the_penalized_gls_without_the_cluster():
    X, y, arm, clusters = cluster_trial(3, m=12)
    weight = np.random.default_rng(0).uniform(0.5, 1.5, size=len(y))
    weight /= weight.mean()
    fixed = np.column_stack([np.ones(len(y)), arm])
    model = ExchangeableWorkingModel(
        y, fixed, X, clusters=clusters, weight=weight, correlation=0.05, penalty=2.0
    )
    without = model.jackknife()[1]
    design = np.column_stack([fixed, standardize(X, weight)])
    outcome = standardize(y[:, None], weight)[:, 0]
    for g in (0, 7):
        gram, cross = np.diag([0.0, 0, 6, 6, 6]), np.zeros(5)
        for other in set(range(12)) - {g}:
            rows = clusters == other
            covariance = 0.95 * np.diag(1 / weight[rows]) + 0.05
            gram += design[rows].T @ np.linalg.solve(covariance, design[rows])
            cross += design[rows].T @ np.linalg.solve(covariance, outcome[rows])
        np.testing.assert_allclose(without[g], np.linalg.solve(gram, cross), rtol=1e-5)


def test_jackknife_is_that_of_refits_on_the_remaining_clusters():
    X, y, arm, clusters = cluster_trial(3, m=12)
    full = average_effects((X, y, arm, clusters))
    left_out = []
    for g in range(12):
        kept = clusters != g
        part = average_effects((X[kept], y[kept], arm[kept], clusters[kept]))
        left_out.append([part.individual.estimate, part.cluster.estimate])
    spread = ((np.array(left_out) - np.mean(left_out, axis=0)) ** 2).sum(axis=0)
    # A refit also rescales the covariates anew, so the agreement is not exact.
    expected = np.sqrt(11 / 12 * spread)
    np.testing.assert_allclose([full.individual.se, full.cluster.se], expected, rtol=0.12)


def test_equal_sizes_make_both_averages_equal():
    X, y, arm, clusters = cluster_trial(5, m=10)
    keep = np.concatenate([np.flatnonzero(clusters == g)[:5] for g in range(10)])
    result = average_effects((X[keep], y[keep], arm[keep], clusters[keep]))
    assert result.individual.estimate == pytest.approx(result.cluster.estimate, abs=1e-12)
    assert result.difference.estimate == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("make", [cluster_trial, person_trial])
def test_invariances(make):
    X, y, arm, *clusters = make(7)
    base = average_effects((X, y, arm, *clusters)).individual
    shuffled = np.random.default_rng(1).permutation(len(y))
    relabelled = [100 - 7 * c[shuffled] for c in clusters]
    assert (
        average_effects((X[shuffled], y[shuffled], arm[shuffled], *relabelled)).individual == base
    )
    swapped = average_effects((X, y, 1 - arm, *clusters)).individual
    assert swapped.estimate == pytest.approx(-base.estimate, rel=1e-9)
    assert swapped.se == pytest.approx(base.se, rel=1e-9)
    moved = average_effects((X * 10 - 3, 5 + 2 * y, arm, *clusters)).individual
    assert moved.estimate == pytest.approx(2 * base.estimate, rel=1e-8)
    assert moved.se == pytest.approx(2 * base.se, rel=1e-8)


@pytest.mark.parametrize("make", [cluster_trial, person_trial])
def test_the_scale_of_sample_weights_does_not_matter_but_weights_do(make):
    X, y, arm, *clusters = make(2)
    clusters = clusters[0] if clusters else None
    weight = np.random.default_rng(3).uniform(0.5, 2, size=len(y))
    one = average_effects((X, y, arm, clusters, weight)).individual
    ten = average_effects((X, y, arm, clusters, 10 * weight)).individual
    none = average_effects((X, y, arm, clusters)).individual
    assert ten.estimate == pytest.approx(one.estimate, rel=1e-9)
    assert ten.se == pytest.approx(one.se, rel=1e-9)
    assert abs(one.estimate - none.estimate) > 1e-4


def test_cluster_size_that_the_treatment_determines_is_not_adjusted_for():
    """Small classes against large ones: adjusting for size would remove the effect itself."""
    rng = np.random.default_rng(4)
    arm_of = np.arange(40) % 2
    sizes = np.where(arm_of == 1, 8, 16) + rng.integers(0, 3, size=40)
    clusters = np.repeat(np.arange(40), sizes)
    arm = arm_of[clusters]
    y = 2.0 * arm + 0.3 * rng.normal(size=40)[clusters] + rng.normal(size=len(clusters))
    result = average_effects((rng.normal(size=(len(y), 2)), y, arm, clusters))
    assert abs(result.cluster.estimate - 2.0) < 0.5
    assert result.cluster.se < 0.3
    assert "result of the treatment" in result.method


def test_covariates_that_explain_the_outcome_narrow_the_interval():
    X, y, arm, clusters = cluster_trial(11, m=30)
    noise = np.random.default_rng(0).normal(size=X.shape)
    assert (
        average_effects((X, y, arm, clusters)).individual.se
        < 0.9 * average_effects((noise, y, arm, clusters)).individual.se
    )


def test_more_covariates_than_clusters_do_not_explode():
    errors = {}
    for extra in (0, 20):
        estimates = []
        for seed in range(20):
            X, y, arm, clusters = cluster_trial(seed)
            rng = np.random.default_rng(seed)
            noise = rng.normal(size=(16, extra))[clusters]
            estimates.append(
                average_effects((np.c_[X, noise], y, arm, clusters)).individual.estimate
            )
        errors[extra] = np.sqrt(np.mean((np.array(estimates) - 0.4) ** 2))
    assert errors[20] < 1.6 * errors[0]


def test_pairs_lose_degrees_of_freedom_and_are_not_counted_twice():
    pairs = np.repeat(np.arange(16), 2)
    ratios, covered = [], []
    for seed in range(120):
        X, y, arm, clusters = cluster_trial(seed, m=32, blocks=pairs)
        result = average_effects((X, y, arm, clusters, None, pairs[clusters])).individual
        ratios.append((result.estimate - 0.4, result.se))
        covered.append(result.lower <= 0.4 <= result.upper)
    assert result.degrees_of_freedom == 15
    errors, ses = np.array(ratios).T
    # Counting each pair twice would give a ratio of 1.41.
    assert 0.9 < ses.mean() / errors.std() < 1.3
    assert np.mean(covered) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 120)


def test_arms_that_change_names_change_the_sign_and_nothing_else():
    pairs = np.repeat(np.arange(8), 2)
    X, y, arm, clusters = cluster_trial(3, m=16, blocks=pairs)
    given, changed = (
        average_effects((X, y, a, clusters, None, pairs[clusters])) for a in (arm, 1 - arm)
    )
    for one, other in (
        (given.individual, changed.individual),
        (given.cluster, changed.cluster),
        (given.difference, changed.difference),
    ):
        assert one.estimate == pytest.approx(-other.estimate)
        assert one.se == pytest.approx(other.se)


def test_individual_trials_have_no_cluster_average():
    result = average_effects(person_trial(1))
    assert result.cluster is None
    assert result.difference is None
    assert result.table.estimand.tolist() == ["individual-average"]
    assert result.individual.degrees_of_freedom == 98


def test_known_propensity_by_block_removes_confounding_by_block():
    rng = np.random.default_rng(8)
    block = np.repeat([0, 1], 300)
    chance = np.where(block == 1, 0.8, 0.2)
    arm = np.concatenate([rng.permutation(np.r_[np.ones(k), np.zeros(300 - k)]) for k in (60, 240)])
    y = 3.0 * block + arm + rng.normal(size=600)
    X = rng.normal(size=(600, 2))
    result = average_effects((X, y, arm, None, None, block, chance)).individual
    assert result.lower < 1 < result.upper
    assert abs(y[arm == 1].mean() - y[arm == 0].mean() - 1) > 1.5


def test_binary_outcome_gives_a_risk_difference():
    rng = np.random.default_rng(6)
    clusters = np.repeat(np.arange(40), 50)
    arm = clusters % 2
    y = (rng.random(2000) < 0.3 + 0.2 * arm).astype(float)
    result = average_effects((rng.normal(size=(2000, 1)), y, arm, clusters)).individual
    assert result.lower < 0.2 < result.upper
    assert result.se < 0.03


def test_informative_size_separates_the_two_averages():
    differences = [
        average_effects(cluster_trial(seed, m=60, informative=True)).difference
        for seed in range(10)
    ]
    assert np.mean([d.estimate for d in differences]) > 0.15
    assert np.mean([d.p_value < 0.05 for d in differences]) >= 0.6


def test_text_says_both_averages_and_table_holds_the_interval():
    result = average_effects(cluster_trial(1), level=0.9)
    assert "every person counted the same" in result.text
    assert "every cluster counted the same" in result.text
    assert "90%" in result.text
    row = result.table.set_index("estimand").loc["cluster-average"]
    assert row.lower < row.estimate < row.upper
    assert "<script" not in result._repr_html_()


def test_text_says_that_persons_counted_by_weight():
    for X, y, arm, clusters in (cluster_trial(2), (*person_trial(1)[:3], None)):
        weight = np.where(np.arange(len(y)) % 3, 1.0, 2.0)
        said = average_effects((X, y, arm, clusters, weight)).text
        assert "counted by weight" in said
        assert "person counted the same" not in said


def test_interval_is_the_t_interval():
    estimate = Estimate.from_t(1.0, 2.0, degrees_of_freedom=14, level=0.95)
    assert estimate.upper == pytest.approx(1 + 2 * 2.144787, rel=1e-6)


def test_trial_data_is_accepted_and_bad_levels_are_refused():
    trial = cluster_trial(1)
    assert average_effects(validate_trial(*trial)).individual == average_effects(trial).individual
    with pytest.raises(ValueError, match="level"):
        average_effects(trial, level=95)


def coverage(trials, target):
    hits = []
    for trial in trials:
        result = average_effects(trial)
        hits.append(
            [
                estimate.lower <= value <= estimate.upper
                for estimate, value in zip((result.individual, result.cluster), target, strict=True)
            ]
        )
    return np.mean(hits, axis=0)


def informative_target():
    sizes = np.random.default_rng(9).gamma(1 / 0.64, 25 * 0.64, 1_000_000)
    sizes = np.maximum(5, np.round(sizes))
    effect = 0.4 + 0.5 * np.log(sizes / 25)
    return (sizes * effect).sum() / sizes.sum(), effect.mean()


def test_coverage_with_16_clusters_of_informative_sizes():
    trials = (cluster_trial(seed, informative=True) for seed in range(150))
    # Three Monte Carlo standard errors below .95; the sharper bound is in the slow test.
    assert coverage(trials, informative_target()).min() > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 150)


@pytest.mark.slow
@pytest.mark.parametrize("informative", [False, True])
@pytest.mark.parametrize("m", [8, 16, 20, 32])
def test_coverage_is_at_least_93_percent(m, informative):
    target = informative_target() if informative else (0.4, 0.4)
    trials = (cluster_trial(10_000 + s, m=m, informative=informative) for s in range(1500))
    assert coverage(trials, target).min() > 0.93 - 2 * np.sqrt(0.93 * 0.07 / 1500)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "p"), [(40, 5), (100, 10), (100, 60), (750, 10)])
def test_coverage_for_persons(n, p):
    hits = []
    for seed in range(1000):
        result = average_effects(person_trial(seed, n, p)).individual
        hits.append(result.lower <= 1 <= result.upper)
    assert np.mean(hits) > 0.93 - 2 * np.sqrt(0.93 * 0.07 / 1000)


def encode(frame):
    """Dummies and median filling, as a trial does it."""
    X = pd.get_dummies(frame, dtype=float)
    for column in list(X):
        if X[column].isna().any():
            X[f"{column} missing"] = X[column].isna().astype(float)
            X[column] = X[column].fillna(X[column].median())
    return X


@needs_data
def test_school_trial_agrees_with_published_analyses():
    """A mixed model gives 4.20 (SE .54), OLS 4.33 (.58); blind to clusters the SE is .22."""
    school = pd.read_csv(DATA / "schoolrct_brazil.csv")
    X = encode(school.drop(columns=["outcome_test_score", "treatment", "school"]))
    result = average_effects((X, school.outcome_test_score, school.treatment, school.school))
    assert 4.0 < result.individual.estimate < 4.5
    assert 0.48 < result.individual.se < 0.6
    assert 3.8 < result.cluster.estimate < 4.5


@needs_data
@pytest.mark.parametrize("blocked", [False, True])
def test_star_small_classes(blocked):
    star = pd.read_csv(DATA / "star_kindergarten.csv")
    star = star[star.cltype.isin(["small", "reg"]) & (star.class_n >= 5) & star.math.notna()]
    X = encode(star[["female", "eth", "ses", "age_1985_09"]])
    arm = (star.cltype == "small").astype(int)
    result = average_effects(
        (X, star.math, arm, star.class_id, None, star.school_id if blocked else None)
    )
    assert 6.5 < result.individual.estimate < 9
    assert 2.5 < result.individual.se < 4


def test_weights_that_let_few_clusters_speak_leave_few_degrees_of_freedom() -> None:
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(12), 20)
    arm, x = clusters % 2, rng.normal(size=240)
    y = x + arm + rng.normal(size=12)[clusters] + rng.normal(size=240)
    weight = np.where(clusters < 4, 9.0, 1.0)

    def found(w: np.ndarray) -> AverageEffects:
        return average_effects((x[:, None], y, arm, clusters, w))

    uneven, nearly = found(weight), found(1 + 1e-9 * weight)
    # Two clusters of an arm count 9 and four 1: 166^2 / 13126 of 6 tell as much of its variance.
    share = (2 * 81 + 4) ** 2 / (2 * 81**2 + 4) / 6
    assert uneven.individual.degrees_of_freedom == pytest.approx(2 * (5 * share + 1))
    assert nearly.individual.degrees_of_freedom == pytest.approx(10)
    # Clusters count alike in the cluster-average, whatever their weights.
    assert uneven.cluster.degrees_of_freedom == pytest.approx(10)
    df = pd.DataFrame({"y": y, "arm": arm, "c": clusters, "x": x, "w": weight})
    trial = th.Trial(df, outcome="y", treatment="arm", cluster="c", covariates=["x"], weight="w")
    assert degrees_of_freedom(trial) == f"{uneven.individual.degrees_of_freedom:.1f} and 10"
