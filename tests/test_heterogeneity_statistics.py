"""The statistics of the heterogeneity test against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from heterogeneity_trials import cluster_trial
from tauhat.inference import test_heterogeneity
from tauhat.inference.heterogeneity import DEFAULT_WEIGHTS
from tauhat.inference.heterogeneity_comparison import Problem
from tauhat.inference.inputs import ordered_trial
from tauhat.inference.permutation_statistics import (
    ClusterLevelComponent,
    UnitScores,
    column_statistics,
    component_statistic,
)
from tauhat.numerics.centring import center_within


def by_the_recipe(trial, assigned):
    """Statistics of the person-level components step by step as docs/methods.md describes them."""
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
def test_person_level_components_follow_the_recipe(treated):
    trial = cluster_trial(2, treated=treated)
    arm = np.array([trial[2][trial[3] == c][0] for c in range(20)])
    rng = np.random.default_rng(0)
    assigned = np.array([arm, *(rng.permutation(arm) for _ in range(5))]).astype(float)
    ordered = ordered_trial(trial)
    labels = ordered.unit_labels
    problem = Problem.of(ordered, DEFAULT_WEIGHTS)
    for name, expected in by_the_recipe(trial, assigned).items():
        np.testing.assert_allclose(
            problem.statistics[name](assigned[:, labels]), expected, rtol=1e-6, err_msg=name
        )


def test_component_statistic_is_the_studentized_distance_of_arm_means():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(14, 3))
    assigned = np.array([rng.permutation(np.repeat([0.0, 1.0], [8, 6])) for _ in range(4)])
    computed = component_statistic(UnitScores(scores), assigned)
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


def test_cluster_level_component_is_the_f_test_of_the_interaction():
    rng = np.random.default_rng(2)
    m, q = 24, 2
    covariates = rng.normal(size=(m, q))
    arm = rng.permutation(np.repeat([0, 1], 12))
    outcome = covariates @ [1.0, -1.0] + arm * (2 + covariates[:, 0]) + rng.normal(size=m)
    variance = rng.uniform(0.05, 0.2, size=m)
    component = ClusterLevelComponent(outcome, covariates, arm, np.zeros(m, dtype=int), variance)
    weight = component._root**2

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
    assert component.joint(assigned)[0] == pytest.approx(expected, rel=1e-6)
    for k in range(q):
        single = squares(np.column_stack([main, interactions[:, k]]))
        t_squared = (reduced - single) / (single / (m - q - 3))
        assert component.each(assigned, covariates)[0, k] ** 2 == pytest.approx(t_squared, rel=1e-6)


def test_unequal_arms_compare_slopes_with_separate_variances():
    rng = np.random.default_rng(4)
    m = 20
    arm = np.repeat([0, 1], [13, 7])
    v = rng.normal(size=m)
    outcome = v + 0.5 * arm * v + rng.normal(size=m) * (1 + arm)
    component = ClusterLevelComponent(outcome, v[:, None], arm, np.zeros(m, dtype=int), np.zeros(m))
    slopes, variances = [], []
    for value in (0, 1):
        x, y = v[arm == value], outcome[arm == value]
        slope, intercept = np.polyfit(x, y, 1)
        residual = y - intercept - slope * x
        variances.append(residual @ residual / (len(x) - 2) / ((x - x.mean()) ** 2).sum())
        slopes.append(slope)
    expected = (slopes[1] - slopes[0]) / np.sqrt(sum(variances))
    assigned = arm[None, :].astype(float)
    assert component.each(assigned, v[:, None])[0, 0] == pytest.approx(expected, rel=1e-6)
    assert component.joint(assigned)[0] == pytest.approx(expected**2, rel=1e-6)


def test_a_column_constant_within_an_arm_says_nothing_about_slopes():
    rng = np.random.default_rng(4)
    arm = np.repeat([0, 1], [12, 8])
    binary = np.r_[np.ones(3), np.zeros(17)]
    columns = np.column_stack([binary - binary.mean(), rng.normal(size=20)])
    component = ClusterLevelComponent(
        rng.normal(size=20), columns, arm, np.zeros(20, int), np.ones(20)
    )
    assigned = arm[None, :].astype(float)
    assert abs(component.each(assigned, columns)[0, 0]) < 1e-3
    assert abs(component.each(assigned, columns)[0, 1]) > 1e-3
    assert np.isfinite(component.joint(assigned)).all()


def test_cluster_weights_favour_clusters_with_precise_means():
    outcome = np.random.default_rng(0).normal(size=20)
    variance = np.r_[np.full(10, 0.01), np.full(10, 5.0)]
    component = ClusterLevelComponent(
        outcome, outcome[:, None] ** 2, np.arange(20) % 2, np.zeros(20, dtype=int), variance
    )
    assert component._root[:10].min() > component._root[10:].max()


def test_centering_within_groups_uses_the_weights():
    values = np.array([[1.0, 0.0], [3.0, 4.0], [7.0, 7.0]])
    centered = center_within(values, np.array([0, 0, 1]), np.array([3.0, 1.0, 2.0]))
    np.testing.assert_allclose(centered, [[-0.5, -1.0], [1.5, 3.0], [0.0, 0.0]])


def test_pairs_of_persons_tell_whether_effects_differ() -> None:
    rng = np.random.default_rng(8)
    found = {}
    for slope in (0.0, 0.8):
        p_values = []
        for _ in range(40):
            pair, arm = np.repeat(np.arange(60), 2), np.tile([0, 1], 60)
            X = rng.normal(size=(120, 2))
            y = rng.normal(size=60)[pair] + arm * (0.5 + slope * X[:, 0]) + rng.normal(size=120)
            test = test_heterogeneity(
                (X, y, arm, None, None, pair), random_state=1, n_permutations=99
            )
            p_values.append(test.p_value)
        found[slope] = np.mean(np.array(p_values) <= 0.05)
    assert found[0.0] <= 0.15
    assert found[0.8] >= 0.5
