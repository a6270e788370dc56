"""The heterogeneity test: exactness, invariances, size, power, options and words."""

from __future__ import annotations

import time
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import pytest

from heterogeneity_trials import cluster_trial, p_values, person_trial, rejections
from tauhat.data import validate_trial
from tauhat.errors import TrialError
from tauhat.inference import test_heterogeneity

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


def test_size_and_power_with_16_and_20_clusters():
    null = rejections((cluster_trial(s, m=16) for s in range(200)), n_permutations=199)
    assert null < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    power = rejections((cluster_trial(s, slope=0.4) for s in range(40)), n_permutations=199)
    assert power > 0.6


@pytest.mark.slow
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
    assert result.table.component.tolist() == ["linear", "cluster-level"]
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


def test_few_clusters_drop_the_cluster_level_component_and_say_so():
    result = test_heterogeneity(cluster_trial(1, m=10), random_state=1)
    assert "cluster-level" not in result.table.component.tolist()
    assert result.table.weight.tolist() == [0.5, 0.25, 0.25]
    assert "at least 12" in result.text
    row = result.modifiers.set_index("covariate").loc["x4"]
    assert row.direction == "not tested"
    assert np.isnan(row.p_adjusted)


@pytest.mark.parametrize(("m", "smallest"), [(6, 2 / 20), (5, 1 / 10)])
def test_smallest_p_value_named_is_the_one_that_can_be(m, smallest):
    clusters = np.repeat(np.arange(m), 20)
    arm = clusters % 2
    x = np.random.default_rng(1).normal(size=len(clusters))
    y = 50 * x * arm + np.random.default_rng(2).normal(size=len(clusters))
    result = test_heterogeneity((x[:, None], y, arm, clusters))
    assert result.p_value == pytest.approx(smallest)
    assert f"smallest p-value this test can give is {smallest:.3f}." in result.text


def test_absent_cluster_level_covariates_are_mentioned():
    X, y, arm, clusters = cluster_trial(1)
    result = test_heterogeneity((X[:, :3], y, arm, clusters), random_state=1, n_permutations=99)
    assert "No cluster-level covariate was given" in result.text


def test_more_cluster_level_covariates_than_the_clusters_allow_are_condensed():
    X, y, arm, clusters = cluster_trial(1, m=14)
    extra = np.random.default_rng(0).normal(size=(14, 10))[clusters]
    result = test_heterogeneity((np.c_[X, extra], y, arm, clusters), random_state=1)
    assert result.table.set_index("component").n_terms["cluster-level"] == 3
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
