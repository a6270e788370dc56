"""Folds and bootstrap samples take whole clusters, within arm and block."""

import numpy as np
import pytest

from tauhat.data import validate_trial
from tauhat.design import design_of
from tauhat.fitting.bootstrap import bootstrap_standard_error
from tauhat.learners.linear_mixed_effect import LinearMixedEffect
from tauhat.testing import example_trial


def trial(n_clusters=30, seed=1):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, n_clusters)
    clusters = np.repeat(np.arange(n_clusters), sizes)
    treatment = (clusters % 2).astype(np.int64)
    return clusters, treatment


def test_folds_hold_whole_clusters_and_both_arms():
    clusters, treatment = trial()
    fold = design_of(treatment, clusters=clusters).folds(5, seed=3)
    assert all(len(np.unique(fold[clusters == c])) == 1 for c in range(30))
    arm = design_of(treatment, clusters).arm
    fold_of_cluster = np.array([fold[clusters == c][0] for c in range(30)])
    for a in (0, 1):
        assert np.bincount(fold_of_cluster[arm == a], minlength=5).tolist() == [3] * 5


def test_folds_balance_arms_within_blocks():
    treatment = np.tile([0, 1], 60)
    blocks = np.repeat(np.arange(12), 10)
    fold = design_of(treatment, blocks=blocks).folds(5, seed=1)
    for block in range(12):
        for a in (0, 1):
            rows = (blocks == block) & (treatment == a)
            assert sorted(fold[rows]) == [0, 1, 2, 3, 4]


def test_small_blocks_still_fill_every_fold():
    treatment = np.tile([0, 1], 20)
    blocks = np.repeat(np.arange(20), 2)
    fold = design_of(treatment, blocks=blocks).folds(5, seed=1)
    for a in (0, 1):
        assert np.bincount(fold[treatment == a]).tolist() == [4] * 5


def test_few_clusters_reduce_the_folds_and_one_is_refused():
    clusters = np.repeat(np.arange(6), 4)
    treatment = (clusters >= 4).astype(int)
    fold = design_of(treatment, clusters=clusters).folds(5, seed=1)
    assert fold.max() + 1 == 2
    with pytest.raises(ValueError, match="two clusters in each arm, got 1"):
        design_of((clusters >= 5).astype(int), clusters).folds(5, seed=1)


def test_swapped_arms_give_the_same_folds():
    treatment = np.random.default_rng(2).permutation(np.repeat([0, 1], [40, 37]))
    first = design_of(treatment).folds(5, seed=4)
    second = design_of(1 - treatment).folds(5, seed=4)
    np.testing.assert_array_equal(first, second)


def test_bootstrap_draws_whole_clusters_within_arm():
    X, y, treatment, clusters = example_trial()
    data = validate_trial(X, y, treatment, clusters)
    sample = data.resample(seed=1)
    assert sample.n_units == data.n_units == 12
    assert sample.design.arm_sizes.tolist() == [6, 6]
    originals = {tuple(data.y[data.clusters == c]) for c in range(12)}
    drawn = [tuple(sample.y[sample.clusters == c]) for c in range(12)]
    assert set(drawn) <= originals
    assert len(set(drawn)) < 12


def test_bootstrap_keeps_block_totals():
    rng = np.random.default_rng(1)
    blocks = np.repeat(["a", "b", "c"], 20)
    treatment = np.tile([0, 1], 30)
    data = validate_trial(rng.normal(size=(60, 2)), rng.normal(size=60), treatment, blocks=blocks)
    sample = data.resample(seed=2)
    for block in range(3):
        rows = sample.blocks == block
        assert (rows.sum(), sample.treatment[rows].sum()) == (20, 10)


class MeanDifference:
    """The simplest effect: a constant whose bootstrap error is known."""

    def set_params(self, **_):
        return self

    def fit_data(self, data):
        treated = data.treatment == 1
        self.difference = data.y[treated].mean() - data.y[~treated].mean()
        return self

    def predict_effect(self, X):
        return np.full(len(X), self.difference)


def test_bootstrap_error_is_that_of_cluster_means():
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(40), 10)
    treatment = clusters % 2
    y = rng.normal(size=40)[clusters] + 0.3 * rng.normal(size=400)
    data = validate_trial(rng.normal(size=(400, 1)), y, treatment, clusters)
    error = bootstrap_standard_error(MeanDifference(), data, data.X[:1], n_bootstrap=400, seed=1)
    means = np.array([y[clusters == c].mean() for c in range(40)])
    arm = np.arange(40) % 2
    expected = np.sqrt(sum(means[arm == a].var(ddof=0) / 20 for a in (0, 1)))
    assert error[0] == pytest.approx(expected, rel=0.12)


def test_bootstrap_does_not_depend_on_the_number_of_jobs():
    X, y, treatment, clusters = example_trial()
    data = validate_trial(X, y, treatment, clusters)
    one, two = (
        bootstrap_standard_error(
            LinearMixedEffect(), data, data.X[:3], n_bootstrap=6, seed=1, n_jobs=jobs
        )
        for jobs in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert (one > 0).all()


def test_pairs_stay_whole_and_large_blocks_are_dealt_by_arm() -> None:
    pair = np.repeat(np.arange(12), 2)
    arm = np.tile([0, 1], 12)
    fold = design_of(arm, blocks=pair).folds(5, seed=3)
    assert all(len(set(fold[pair == k])) == 1 for k in range(12))
    assert np.bincount(fold).tolist() == [6, 6, 4, 4, 4]
    np.testing.assert_array_equal(fold, design_of(1 - arm, blocks=pair).folds(5, seed=3))
    # Fewer pairs than folds are dealt one by one, as the large blocks are.
    few = np.r_[0, 0, 1, 1, np.full(8, 2)]
    fold = design_of(arm[:12], blocks=few).folds(3, seed=3)
    assert np.bincount(fold[arm[:12] == 0]).tolist() == [2, 2, 2]
    large = np.repeat([0, 1], 12)
    fold = design_of(arm, blocks=large).folds(3, seed=3)
    for this_block in (0, 1):
        for this_arm in (0, 1):
            here = fold[(large == this_block) & (arm == this_arm)]
            assert np.bincount(here).tolist() == [2, 2, 2]


def test_blocks_that_a_part_of_the_trial_lacks_do_not_count():
    whole = design_of(np.tile([0, 1], 12), blocks=np.repeat(np.arange(12), 2))
    part = whole.take(np.isin(whole.block, [0, 3, 4, 8, 9, 11]))
    assert part.small_blocks.tolist() == [0, 1, 2, 3, 4, 5]
    assert np.bincount(part.folds(3, seed=1)).tolist() == [4, 4, 4]
    assert whole.take(whole.block == 5).small_blocks.tolist() == []


def test_bootstrap_of_a_paired_trial_draws_pairs():
    rng = np.random.default_rng(5)
    clusters = np.repeat(np.arange(60), 5)
    pair, treatment = clusters // 2, clusters % 2
    y = rng.normal(size=30)[pair] + 0.5 * rng.normal(size=60)[clusters]
    data = validate_trial(rng.normal(size=(300, 1)), y, treatment, clusters, blocks=pair)
    sample = data.resample(seed=3)
    assert (sample.n_units, len(set(sample.blocks))) == (60, 30)
    for block in range(30):
        rows = sample.blocks == block
        assert (rows.sum(), sample.treatment[rows].sum()) == (10, 5)
    # What a pair shares drops out of its difference: the error is that of thirty differences.
    error = bootstrap_standard_error(MeanDifference(), data, data.X[:1], n_bootstrap=400, seed=1)
    means = np.bincount(data.clusters, data.y) / 5
    arms = np.bincount(data.clusters, data.treatment) / 5
    of_cluster = np.bincount(data.clusters, data.blocks) / 5
    order = np.argsort(of_cluster, kind="stable")
    signed = (means * (2 * arms - 1))[order].reshape(-1, 2).sum(axis=1)
    assert error[0] == pytest.approx(signed.std(ddof=1) / np.sqrt(30), rel=0.1)
