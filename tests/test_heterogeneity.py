"""The heterogeneity test: exactness, invariances, size, power, and the modifier tables."""

from __future__ import annotations

import time
from itertools import combinations
from math import comb
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from tauhat.data import validate_trial
from tauhat.errors import TrialError
from tauhat.inference import effect_modifiers, test_heterogeneity
from tauhat.inference.heterogeneity import DEFAULT_WEIGHTS
from tauhat.inference.heterogeneity_blocks import center_within
from tauhat.inference.heterogeneity_comparison import Problem
from tauhat.inference.inputs import ordered_trial, row_order
from tauhat.inference.permutation_statistics import (
    ClusterLevelBlock,
    UnitScores,
    block_statistic,
    column_statistics,
)

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="real trial data are not on this machine")


def cluster_trial(seed, m=20, *, slope=0.0, between=0.0, treated=None, size=20):
    """X (2 continuous, 1 binary, 1 cluster-level), y, arm, clusters; effect .4 + slope x1."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(size - 8, size + 9, size=m)
    clusters = np.repeat(np.arange(m), sizes)
    n = len(clusters)
    arm = np.zeros(m, dtype=int)
    arm[rng.permutation(m)[: treated or m // 2]] = 1
    w = rng.normal(size=m)
    x = rng.normal(size=(n, 2)) + 0.3 * rng.normal(size=(m, 2))[clusters]
    X = np.column_stack([x, rng.random(n) < 0.4, w[clusters]]).astype(float)
    y = np.sin(1.5 * X[:, 0]) + 0.4 * X[:, 1] + 0.4 * X[:, 3]
    y += arm[clusters] * (0.4 + slope * X[:, 0] + between * X[:, 3])
    y += 0.33 * rng.normal(size=m)[clusters] + 0.95 * rng.normal(size=n)
    return X, y, arm[clusters], clusters


def person_trial(seed, n=200, *, slope=0.0, skewed=False):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=(n, 3)), rng.random(n) < 0.4]).astype(float)
    arm = np.zeros(n, dtype=int)
    arm[rng.permutation(n)[: n // 2]] = 1
    e = (rng.chisquare(2, n) - 2) / 2 if skewed else rng.normal(size=n)
    return X, np.sin(X[:, 0]) + arm * (0.4 + slope * X[:, 1]) + e * (1 + 0.4 * arm), arm


def p_values(result):
    return result.table.set_index("block").p_value


# ---------------------------------------------------------------- statistics against definitions


def by_the_recipe(trial, assigned):
    """Statistics of the person-level blocks step by step as docs/methods.md describes them."""
    X, y, _, g = trial
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    person, cluster, many = X[:, :3], X[:, 3:], [0, 1]

    def centred(columns):
        return columns - np.array([columns[g == c].mean(axis=0) for c in range(g.max() + 1)])[g]

    def hinges(quantiles):
        cuts = [(k, c) for c in quantiles for k in many]
        return [np.maximum(person[:, k] - np.quantile(person[:, k], c), 0) for k, c in cuts]

    M, y = centred(np.column_stack([person, *hinges([0.25, 0.5, 0.75])])), centred(y)
    gram = M.T @ M
    residual = y - M @ np.linalg.solve(gram + 0.01 * np.diag(np.diag(gram)), M.T @ y)
    linear = centred(person)
    pairs = [person[:, j] * person[:, k] for j, k in ((0, 1), (0, 2), (1, 2))]
    bases = {
        "linear": linear,
        "curvature": np.column_stack([person[:, many] ** 2, *hinges([0.33, 0.67])]),
        "products": np.column_stack([*pairs, person * cluster]),
    }
    found = {}
    for name, basis in bases.items():
        if name != "linear":
            basis = centred(basis)
            basis = basis - linear @ np.linalg.lstsq(linear, basis, rcond=None)[0]
        basis = basis / np.sqrt((basis**2).mean(axis=0))
        values, vectors = np.linalg.eigh(
            0.9 * basis.T @ basis / len(y) + 0.1 * np.eye(len(basis.T))
        )
        products = basis @ (vectors / np.sqrt(values)) @ vectors.T * residual[:, None]
        scores = np.array([products[g == c].sum(axis=0) for c in range(g.max() + 1)])
        arms = [(scores[a == 1], scores[a == 0]) for a in assigned]
        found[name] = [
            ((s1.mean(axis=0) - s0.mean(axis=0)) ** 2).sum()
            / sum(s.var(axis=0, ddof=1).sum() / len(s) for s in (s1, s0))
            for s1, s0 in arms
        ]
    return found


@pytest.mark.parametrize("treated", [10, 7])
def test_person_level_blocks_follow_the_recipe(treated):
    trial = cluster_trial(2, treated=treated)
    arm = np.array([trial[2][trial[3] == c][0] for c in range(20)])
    rng = np.random.default_rng(0)
    assigned = np.array([arm, *(rng.permutation(arm) for _ in range(5))]).astype(float)
    ordered = ordered_trial(trial)
    first = np.unique(ordered.data.clusters, return_index=True)[1]
    labels = np.asarray(trial[3])[row_order(trial)][first]
    problem = Problem.of(ordered, arm[labels], np.zeros(20, dtype=np.int64), DEFAULT_WEIGHTS)
    for name, expected in by_the_recipe(trial, assigned).items():
        np.testing.assert_allclose(
            problem.statistics[name](assigned[:, labels]), expected, rtol=1e-6, err_msg=name
        )


def test_block_statistic_is_the_studentized_distance_of_arm_means():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(14, 3))
    assigned = np.array([rng.permutation(np.repeat([0.0, 1.0], [8, 6])) for _ in range(4)])
    computed = block_statistic(UnitScores(scores), assigned)
    each = column_statistics(UnitScores(scores), assigned)
    for row, value, columns in zip(assigned, computed, each, strict=True):
        one, zero = scores[row == 1], scores[row == 0]
        difference = one.mean(axis=0) - zero.mean(axis=0)
        variance = one.var(axis=0, ddof=1) / 6 + zero.var(axis=0, ddof=1) / 8
        assert value == pytest.approx((difference**2).sum() / variance.sum())
        np.testing.assert_allclose(columns, difference / np.sqrt(variance))


def test_scores_of_persons_compare_covariances_within_arms():
    rng = np.random.default_rng(1)
    basis, residual = rng.normal(size=(20, 2)), rng.normal(size=20)
    units = UnitScores(basis * residual[:, None], (basis, residual))
    row = rng.permutation(np.repeat([0.0, 1.0], 10))
    expected = 0
    for value, sign in ((1, 1), (0, -1)):
        rows = row == value
        centered = basis[rows] - basis[rows].mean(axis=0)
        expected = expected + sign * centered.T @ (residual[rows] - residual[rows].mean()) / 10
    np.testing.assert_allclose(units.differences(row[None, :])[0][0], expected)


def test_cluster_level_block_is_the_f_test_of_the_interaction():
    rng = np.random.default_rng(2)
    m, q = 24, 2
    covariates = rng.normal(size=(m, q))
    arm = rng.permutation(np.repeat([0, 1], 12))
    outcome = covariates @ [1.0, -1.0] + arm * (2 + covariates[:, 0]) + rng.normal(size=m)
    variance = rng.uniform(0.05, 0.2, size=m)
    block = ClusterLevelBlock(outcome, covariates, arm, np.zeros(m, dtype=int), variance)
    weight = block._root**2

    def squares(design):
        root = np.sqrt(weight)
        fitted = np.linalg.lstsq(design * root[:, None], outcome * root, rcond=None)[0]
        return (weight * (outcome - design @ fitted) ** 2).sum()

    main = np.column_stack([np.ones(m), covariates, arm])
    interactions = arm[:, None] * covariates
    reduced, full = squares(main), squares(np.column_stack([main, interactions]))
    expected = ((reduced - full) / q) / (full / (m - 2 * q - 2))
    # For the observed arm the plug-in effect is absorbed by the main effect.
    assigned = arm[None, :].astype(float)
    assert block.joint(assigned)[0] == pytest.approx(expected, rel=1e-6)
    for k in range(q):
        single = squares(np.column_stack([main, interactions[:, k]]))
        t_squared = (reduced - single) / (single / (m - q - 3))
        assert block.each(assigned, covariates)[0, k] ** 2 == pytest.approx(t_squared, rel=1e-6)


def test_unequal_arms_compare_slopes_with_separate_variances():
    rng = np.random.default_rng(4)
    m = 20
    arm = np.repeat([0, 1], [13, 7])
    v = rng.normal(size=m)
    outcome = v + 0.5 * arm * v + rng.normal(size=m) * (1 + arm)
    block = ClusterLevelBlock(outcome, v[:, None], arm, np.zeros(m, dtype=int), np.zeros(m))
    slopes, variances = [], []
    for value in (0, 1):
        x, y = v[arm == value], outcome[arm == value]
        slope, intercept = np.polyfit(x, y, 1)
        residual = y - intercept - slope * x
        variances.append(residual @ residual / (len(x) - 2) / ((x - x.mean()) ** 2).sum())
        slopes.append(slope)
    expected = (slopes[1] - slopes[0]) / np.sqrt(sum(variances))
    assigned = arm[None, :].astype(float)
    assert block.each(assigned, v[:, None])[0, 0] == pytest.approx(expected, rel=1e-6)
    assert block.joint(assigned)[0] == pytest.approx(expected**2, rel=1e-6)


def test_a_column_constant_within_an_arm_says_nothing_about_slopes():
    rng = np.random.default_rng(4)
    arm = np.repeat([0, 1], [12, 8])
    binary = np.r_[np.ones(3), np.zeros(17)]
    columns = np.column_stack([binary - binary.mean(), rng.normal(size=20)])
    block = ClusterLevelBlock(rng.normal(size=20), columns, arm, np.zeros(20, int), np.ones(20))
    assigned = arm[None, :].astype(float)
    assert abs(block.each(assigned, columns)[0, 0]) < 1e-3
    assert abs(block.each(assigned, columns)[0, 1]) > 1e-3
    assert np.isfinite(block.joint(assigned)).all()


def test_cluster_weights_favour_clusters_with_precise_means():
    outcome = np.random.default_rng(0).normal(size=20)
    variance = np.r_[np.full(10, 0.01), np.full(10, 5.0)]
    block = ClusterLevelBlock(
        outcome, outcome[:, None] ** 2, np.arange(20) % 2, np.zeros(20, dtype=int), variance
    )
    assert block._root[:10].min() > block._root[10:].max()


def test_centering_within_groups_uses_the_weights():
    values = np.array([[1.0, 0.0], [3.0, 4.0], [7.0, 7.0]])
    centered = center_within(values, np.array([0, 0, 1]), np.array([3.0, 1.0, 2.0]))
    np.testing.assert_allclose(centered, [[-0.5, -1.0], [1.5, 3.0], [0.0, 0.0]])


# ---------------------------------------------------------------------------------- exactness


def test_constants_of_clusters_leave_person_level_blocks_alone():
    """An arbitrary effect a cluster is not heterogeneity between its persons."""
    X, y, arm, clusters = cluster_trial(1, m=16)
    shift = (5 + 3 * np.random.default_rng(0).normal(size=16))[clusters] * arm
    # The level only keeps both tests at the same number of permutations.
    options = {"random_state": 3, "significance_level": 0.9999}
    before = p_values(test_heterogeneity((X, y, arm, clusters), **options))
    after = p_values(test_heterogeneity((X, y + shift, arm, clusters), **options))
    person = ["linear", "curvature", "products"]
    assert before[person].tolist() == after[person].tolist()
    assert before["cluster-level"] != after["cluster-level"]


def test_eight_clusters_are_enumerated_and_the_p_value_is_exact():
    """Over all 70 assignments of one data set, P(p <= alpha) <= alpha for every alpha."""
    X, y, arm, clusters = cluster_trial(5, m=8)
    control = y - 0.4 * arm
    p = []
    for treated in combinations(range(8), 4):
        other = np.isin(np.arange(8), treated).astype(int)[clusters]
        result = test_heterogeneity((X, control + 0.4 * other, other, clusters), random_state=0)
        assert result.exact
        assert result.n_assignments == comb(8, 4)
        p.append(result.p_value)
    p = np.array(p)
    assert p.min() == pytest.approx(2 / 70)
    for alpha in np.unique(p):
        # Each statistic has at least one tie, its mirror image.
        assert (p <= alpha).mean() <= alpha + 1e-12


def test_no_seed_is_needed_when_all_assignments_are_compared():
    trial = cluster_trial(2, m=8)
    results = [test_heterogeneity(trial, random_state=seed).p_value for seed in (0, 1, None)]
    assert len(set(results)) == 1


# -------------------------------------------------------------------------------- invariances


@pytest.mark.parametrize("make", [cluster_trial, person_trial])
def test_order_labels_arms_and_units_do_not_matter(make):
    X, y, arm, *clusters = make(7)
    base = test_heterogeneity((X, y, arm, *clusters), random_state=2, n_permutations=499)
    shuffled = np.random.default_rng(1).permutation(len(y))
    relabelled = [np.array([f"clinic {99 - c}" for c in part[shuffled]]) for part in clusters]
    variants = {
        "shuffled": (X[shuffled], y[shuffled], arm[shuffled], *relabelled),
        "swapped": (X, y, 1 - arm, *clusters),
        "affine": (X, 3 - 20 * y, arm, *clusters),
        "rescaled": (X * [100, 1, 1, 5] + 4, y, arm, *clusters),
    }
    for name, variant in variants.items():
        result = test_heterogeneity(variant, random_state=2, n_permutations=499)
        assert result.p_value == base.p_value, name
        assert p_values(result).tolist() == p_values(base).tolist(), name
    swapped = test_heterogeneity(variants["swapped"], random_state=2, n_permutations=499)
    one = base.modifiers.set_index("covariate").statistic
    two = swapped.modifiers.set_index("covariate").statistic
    np.testing.assert_allclose(two[one.index], -one, rtol=1e-6)


def test_trial_data_and_arrays_agree_and_seeds_matter():
    trial = cluster_trial(4)
    one = test_heterogeneity(trial, random_state=1, n_permutations=99)
    assert test_heterogeneity(
        validate_trial(*trial), random_state=1, n_permutations=99
    ).p_value == (one.p_value)
    others = {
        test_heterogeneity(trial, random_state=s, n_permutations=99).statistic for s in range(8)
    }
    assert len(others) > 1


# ------------------------------------------------------------------------------ size and power


def rejections(trials, **options):
    return np.mean(
        [test_heterogeneity(t, random_state=1, **options).p_value <= 0.05 for t in trials]
    )


def test_size_and_power_with_16_and_20_clusters():
    null = rejections((cluster_trial(s, m=16) for s in range(200)), n_permutations=199)
    assert null < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    power = rejections((cluster_trial(s, slope=0.4) for s in range(40)), n_permutations=199)
    assert power > 0.6


def test_size_and_power_with_persons():
    null = rejections((person_trial(s, 100, skewed=True) for s in range(200)), n_permutations=199)
    assert null < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    power = rejections((person_trial(s, 200, slope=0.9) for s in range(30)), n_permutations=199)
    assert power > 0.8


def test_p_values_of_permuted_treatments_are_uniform():
    X, y, _, clusters = cluster_trial(0, m=24)
    p = []
    for seed in range(60):
        arm = np.random.default_rng(seed).permutation(np.arange(24) % 2)[clusters]
        p.append(
            test_heterogeneity((X, y, arm, clusters), random_state=0, n_permutations=199).p_value
        )
    grid = np.sort(p)
    distance = np.abs(grid - (np.arange(60) + 0.5) / 60).max()
    # 1.63 / sqrt(60) is the 1 % point of the Kolmogorov-Smirnov distance.
    assert distance < 1.63 / np.sqrt(60)


def test_cluster_level_modification_is_found_by_its_own_block():
    trial = cluster_trial(3, m=60, between=1.0)
    result = test_heterogeneity(trial, random_state=1)
    assert p_values(result)["cluster-level"] < 0.01
    assert p_values(result)["linear"] > 0.01
    assert result.modifiers.covariate[0] == "x4"
    assert result.modifiers.varies[0] == "between clusters"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (cluster_trial, {"m": 12}),
        (cluster_trial, {"m": 16}),
        (cluster_trial, {"m": 32, "treated": 12}),
        (person_trial, {"n": 100, "skewed": True}),
        (person_trial, {"n": 750, "skewed": True}),
    ],
)
def test_size_is_at_most_six_percent(make, options):
    share = rejections((make(10_000 + s, **options) for s in range(1500)), n_permutations=499)
    assert share < 0.06 + 2 * np.sqrt(0.06 * 0.94 / 1500)


# ---------------------------------------------------------------------------------- the options


def test_weights_choose_the_blocks_in_advance():
    trial = cluster_trial(6, m=16)
    result = test_heterogeneity(
        trial, random_state=1, weights={"linear": 3, "cluster-level": 1, "products": 0}
    )
    assert result.table.block.tolist() == ["linear", "cluster-level"]
    assert result.table.weight.tolist() == [0.75, 0.25]
    alone = test_heterogeneity(
        trial, random_state=1, weights={"linear": 1}, significance_level=0.999
    )
    assert alone.p_value == p_values(alone)["linear"] == alone.statistic


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"liner": 1}, "'liner'"), ({"linear": -1}, "not negative"), ({"linear": 0}, "positive")],
)
def test_wrong_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        test_heterogeneity(cluster_trial(0), weights=weights)


def test_more_permutations_are_drawn_near_the_level():
    trial = cluster_trial(1)
    first = test_heterogeneity(trial, random_state=1, n_permutations=199, significance_level=0.9999)
    again = test_heterogeneity(
        trial, random_state=1, n_permutations=199, significance_level=min(first.p_value, 0.99)
    )
    assert first.n_assignments == 200
    assert again.n_assignments == 10_000
    assert abs(again.p_value - first.p_value) < 0.15


def test_blocks_of_the_design_restrict_the_permutations():
    X, y, arm, clusters = cluster_trial(1, m=12)
    pairs = np.empty(12, dtype=int)
    arms = arm[np.unique(clusters, return_index=True)[1]]
    for value in (0, 1):
        pairs[arms == value] = np.arange(6)
    result = test_heterogeneity((X, y, arm, clusters, None, pairs[clusters]), random_state=1)
    assert result.exact
    assert result.n_assignments == 2**6
    assert "within 6 strata" in result.method


def test_allocations_are_matched_to_cluster_labels():
    X, y, arm, clusters = cluster_trial(3, m=14)
    labels = np.array([f"c{k:02d}" for k in range(14)])
    observed = arm[np.unique(clusters, return_index=True)[1]]
    rng = np.random.default_rng(0)
    allowed = np.array([observed, *(rng.permutation(observed) for _ in range(300))])
    trial = (X, y, arm, labels[clusters])
    frame = pd.DataFrame(allowed, columns=labels)
    by_label = test_heterogeneity(trial, allocations=frame.iloc[:, ::-1])
    by_position = test_heterogeneity(trial, allocations=allowed)
    assert by_label.exact
    assert by_label.n_assignments == len(np.unique(allowed, axis=0))
    assert by_label.p_value == by_position.p_value
    with pytest.raises(TrialError, match="not among the allocations"):
        test_heterogeneity(trial, allocations=1 - allowed[1:2].repeat(2, axis=0))
    with pytest.raises(TrialError, match="missing"):
        test_heterogeneity(trial, allocations=frame.rename(columns={"c03": "other"}))


def test_few_clusters_drop_the_cluster_level_block_and_say_so():
    result = test_heterogeneity(cluster_trial(1, m=10), random_state=1)
    assert "cluster-level" not in result.table.block.tolist()
    assert result.table.weight.tolist() == [0.5, 0.25, 0.25]
    assert "at least 12" in result.text
    row = result.modifiers.set_index("covariate").loc["x4"]
    assert row.direction == "not tested"
    assert np.isnan(row.p_adjusted)


def test_absent_cluster_level_covariates_are_mentioned():
    X, y, arm, clusters = cluster_trial(1)
    result = test_heterogeneity((X[:, :3], y, arm, clusters), random_state=1, n_permutations=99)
    assert "No cluster-level covariate was given" in result.text


def test_more_cluster_level_covariates_than_the_clusters_allow_are_condensed():
    X, y, arm, clusters = cluster_trial(1, m=14)
    extra = np.random.default_rng(0).normal(size=(14, 10))[clusters]
    result = test_heterogeneity((np.c_[X, extra], y, arm, clusters), random_state=1)
    assert result.table.set_index("block").n_terms["cluster-level"] == 3
    assert result.modifiers.p_adjusted.notna().all()


@pytest.mark.parametrize("treated", [10, 8])
def test_constant_columns_change_nothing(treated):
    X, y, arm, clusters = cluster_trial(1, treated=treated)
    expected = test_heterogeneity((X, y, arm, clusters), random_state=1, n_permutations=199)
    wider = (np.c_[X, np.full(len(X), 3.0)], y, arm, clusters)
    result = test_heterogeneity(wider, random_state=1, n_permutations=199)
    pd.testing.assert_frame_equal(result.table, expected.table)
    pd.testing.assert_frame_equal(result.modifiers, expected.modifiers)


def test_nothing_to_test_is_an_error():
    X, y, arm, clusters = cluster_trial(1, m=8)
    with pytest.raises(TrialError, match="nothing to test"):
        test_heterogeneity((X[:, 3:], y, arm, clusters))


def test_a_covariate_that_is_unbalanced_by_weighting_changes_the_result():
    X, y, arm, clusters = cluster_trial(2)
    weight = np.random.default_rng(0).uniform(0.2, 3, size=len(y))
    plain = test_heterogeneity((X, y, arm, clusters), random_state=1, n_permutations=199)
    weighted = test_heterogeneity((X, y, arm, clusters, weight), random_state=1, n_permutations=199)
    ten = test_heterogeneity((X, y, arm, clusters, 10 * weight), random_state=1, n_permutations=199)
    assert weighted.p_value == ten.p_value
    assert p_values(weighted).tolist() != p_values(plain).tolist()


def test_wide_tables_are_condensed():
    rng = np.random.default_rng(0)
    X, y, arm, clusters = cluster_trial(2)
    wide = np.c_[X, rng.normal(size=(len(y), 400))]
    start = time.process_time()
    result = test_heterogeneity((wide, y, arm, clusters), random_state=1, n_permutations=199)
    assert time.process_time() - start < 15
    assert "principal components" in result.text
    assert len(result.modifiers) == 404
    assert result.table.n_terms.max() <= 500


def test_time_at_the_usual_size():
    trial = cluster_trial(1, m=32, size=24)
    start = time.process_time()
    test_heterogeneity(trial, random_state=1, n_permutations=1999, significance_level=0.9999)
    assert time.process_time() - start < 1


# ------------------------------------------------------------------------------------ the words


def test_text_keeps_absence_of_evidence_apart_from_evidence_of_absence():
    found = test_heterogeneity(cluster_trial(1, m=30, slope=0.8), random_state=1)
    assert found.p_value < 0.05
    assert "evidence that the treatment effect differs" in found.text
    assert "x1 (larger effect at larger values)" in found.text
    missing = test_heterogeneity(cluster_trial(1, m=30), random_state=1, n_permutations=199)
    assert missing.p_value > 0.05
    assert "not evidence that it is the same for everyone" in missing.text
    assert "not whether there is one" in missing.text


def test_html_escapes_column_names():
    X, y, arm, clusters = cluster_trial(1, m=30, slope=0.8)
    frame = pd.DataFrame(X, columns=["<script>x</script>", "b", "c", "d"])
    html = test_heterogeneity((frame, y, arm, clusters), random_state=1)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


# ---------------------------------------------------------------------------- effect modifiers


def encoded_trial(X, names, sources, marks=()):
    """What the functions read of a trial whose covariates were encoded."""
    rng = np.random.default_rng(0)
    y, arm = rng.normal(size=len(X)), np.arange(len(X)) % 2
    frame = pd.DataFrame(X, columns=names)

    class Encoded:
        encoder_ = SimpleNamespace(
            sources_=dict(zip(names, sources, strict=True)),
            columns_=[SimpleNamespace(indicator=mark) for mark in marks],
        )

        def __iter__(self):
            return iter((frame, y, arm))

    return Encoded()


def test_modifiers_rank_what_the_effect_depends_on_not_the_outcome():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(800, 4))
    y = 10 * X[:, 3] + rng.normal(size=800)
    effect = 1 - 2 * X[:, 0] + 0.8 * np.abs(X[:, 1])
    found = effect_modifiers(effect, (X, y, np.arange(800) % 2))
    table = found.table.set_index("covariate")
    assert found.table.covariate[:2].tolist() == ["x1", "x2"]
    assert table.direction["x1"] == "larger effect at smaller values"
    assert table.direction["x2"] == "no steady direction"
    assert table.strength["x4"] < 0.05
    # Var(2 x1) / (Var(2 x1) + Var(.8 |x2|)) = 4 / (4 + .64 (1 - 2 / pi)).
    assert table.share["x1"] == pytest.approx(4 / (4 + 0.64 * (1 - 2 / np.pi)), abs=0.08)
    assert "not the outcome" in found.text


def test_interactions_are_seen_by_the_partial_share():
    X = np.random.default_rng(2).normal(size=(1500, 3))
    table = effect_modifiers(X[:, 0] * X[:, 1], (X, X[:, 2], np.arange(1500) % 2)).table
    table = table.set_index("covariate")
    assert table.share[["x1", "x2"]].max() < 0.1
    assert table.partial_share[["x1", "x2"]].min() > 0.25
    assert table.partial_share["x3"] < 0.05


def test_modifiers_join_encoded_columns_and_adjusted_p_values():
    rng = np.random.default_rng(3)
    level = rng.integers(0, 3, size=600)
    missing = rng.random(600) < 0.2
    X = np.column_stack([level == 1, level == 2, rng.normal(size=600), missing]).astype(float)
    trial = encoded_trial(
        X,
        ["site=b", "site=c", "age", "age (missing)"],
        ["site", "site", "age", "age"],
        ["age (missing)"],
    )
    test = test_heterogeneity(trial, random_state=1, n_permutations=199)
    assert "age (missing)" not in test.modifiers.covariate.tolist()
    found = effect_modifiers(np.where(level == 2, 3.0, 1.0), trial, heterogeneity=test).table
    assert found.covariate.tolist() == ["site", "age"]
    assert found["columns"].tolist() == ["site=b, site=c", "age, age (missing)"]
    assert found.direction[0] == "differs between levels"
    assert found.trend[0] == pytest.approx(2.0)
    smallest = test.modifiers.groupby("source").p_adjusted.min()
    assert found.set_index("covariate").p_adjusted["site"] == smallest["site"]


def test_constant_effects_have_no_modifier():
    X = np.random.default_rng(0).normal(size=(100, 2))
    found = effect_modifiers(np.full(100, 0.3), (X, X[:, 0], np.arange(100) % 2))
    assert found.strongest == []
    assert found.effect_sd == 0
    assert "depends on no covariate" in found.text


def test_wrong_effects_are_refused():
    trial = person_trial(0)
    with pytest.raises(ValueError, match="150 effects"):
        effect_modifiers(np.zeros(150), trial)
    with pytest.raises(ValueError, match="missing or infinite"):
        effect_modifiers(np.full(200, np.nan), trial)


# ----------------------------------------------------------------------------------- real data


@needs_data
def test_school_trial_differs_by_sex():
    """The reference mixed model has treatment by female -1.10 (SE .42)."""
    school = pd.read_csv(DATA / "schoolrct_brazil.csv")
    y, arm, clusters = school.outcome_test_score, school.treatment, school.school
    known = school.is_female.notna()
    sex = school.loc[known, ["is_female"]]
    planned = test_heterogeneity((sex, y[known], arm[known], clusters[known]), random_state=1)
    assert planned.p_value < 0.05
    assert planned.modifiers.direction[0] == "larger effect at smaller values"
    X = school.drop(columns=["outcome_test_score", "treatment", "school"])
    start = time.process_time()
    everything = test_heterogeneity((X.fillna(X.median()), y, arm, clusters), random_state=1)
    assert time.process_time() - start < 30
    assert everything.modifiers.covariate[0] == "is_female"
    assert everything.modifiers.p_value[0] < 0.05


def star():
    """Covariates, score in mathematics, small class, class, school of the kindergarten pupils."""
    star = pd.read_csv(DATA / "star_kindergarten.csv")
    star = star[star.cltype.isin(["small", "reg"]) & (star.class_n >= 5) & star.math.notna()]
    star = star.reset_index(drop=True)
    X = pd.DataFrame(
        {
            "girl": star.female,
            "black": (star.eth == "B").astype(float),
            "free lunch": (star.ses == "F").astype(float),
            "born": star.age_1985_09.fillna(star.age_1985_09.median()),
            "teacher's years": star.exp.fillna(star.exp.median()),
        }
    )
    return X, star.math, (star.cltype == "small").astype(int), star.class_id, None, star.school_id


def permuted_copies(trial, copies):
    """The trial with the arms of whole clusters exchanged within blocks: nothing can modify."""
    X, y, arm, clusters, _, blocks = trial
    units = pd.DataFrame({"arm": arm, "cluster": clusters, "block": blocks}).drop_duplicates()
    for seed in range(copies):
        rng = np.random.default_rng(seed)
        dealt = units.groupby("block").arm.transform(lambda a, r=rng: r.permutation(a.to_numpy()))
        new = pd.Series(dealt.to_numpy(), index=units.cluster)
        yield X, y, new.loc[clusters].to_numpy(), clusters, None, blocks


@needs_data
def test_star_is_compared_within_its_schools():
    """A published model has no interaction with free lunch (.28, SE 3.02): none is found here."""
    trial = star()
    result = test_heterogeneity(trial, random_state=1)
    assert "whole clusters permuted within 79 strata" in result.method
    modifiers = result.modifiers.set_index("covariate")
    assert modifiers.p_adjusted["free lunch"] > 0.2
    assert modifiers.varies["teacher's years"] == "between clusters"
    assert list(result.table.block) == ["linear", "curvature", "products", "cluster-level"]


@needs_data
def test_attention_trial_shows_no_heterogeneity():
    """2,480 persons and an average effect of about zero."""
    paid = pd.read_csv(DATA / "attentionrct_payday.csv").dropna()
    X = paid.drop(columns=["treatment", *(c for c in paid if c.startswith("outcome"))])
    result = test_heterogeneity(
        (X, paid.outcome_correct_ans_per_second, paid.treatment), random_state=1
    )
    assert result.p_value > 0.05
    assert result.modifiers.p_adjusted.min() > 0.05


def most_rejections(trials):
    """A number that a test at 5 % exceeds once in a thousand sets of trials."""
    return binom.isf(0.001, trials, 0.05)


@needs_data
def test_permuted_copies_of_star_do_not_reject_beyond_chance():
    rejected = rejections(permuted_copies(star(), 30), n_permutations=199)
    assert 30 * rejected <= most_rejections(30)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("trial", ["star", "schools", "attention"])
def test_many_permuted_copies_of_real_trials(trial):
    if trial == "star":
        copies = permuted_copies(star(), 400)
    elif trial == "schools":
        school = pd.read_csv(DATA / "schoolrct_brazil.csv")
        school = school[school.school.isin(np.sort(school.school.unique())[::14])]
        X = school.drop(columns=["outcome_test_score", "treatment", "school"])
        given = (X.fillna(X.median()), school.outcome_test_score, school.treatment, school.school)
        copies = permuted_copies((*given, None, np.zeros(len(school))), 400)
    else:
        paid = pd.read_csv(DATA / "attentionrct_payday.csv").dropna()
        X = paid.drop(columns=["treatment", *(c for c in paid if c.startswith("outcome"))])
        copies = (
            (
                X,
                paid.outcome_correct_ans_per_second,
                np.random.default_rng(s).permutation(paid.treatment),
            )
            for s in range(100)
        )
    trials = 100 if trial == "attention" else 400
    assert trials * rejections(copies, n_permutations=199) <= most_rejections(trials)
