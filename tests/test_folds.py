"""Folds and bootstrap samples take whole clusters, within arm and block."""

import numpy as np
import pytest

from tauhat.data import validate_trial
from tauhat.folds import assign_folds, randomization_units, small_blocks
from tauhat.learners.linear_mixed import LinearMixedEffect
from tauhat.resampling import bootstrap_standard_error, resample_units
from tauhat.testing import example_trial


def trial(n_clusters=30, seed=1):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, n_clusters)
    clusters = np.repeat(np.arange(n_clusters), sizes)
    treatment = (clusters % 2).astype(np.int64)
    return clusters, treatment


def test_folds_hold_whole_clusters_and_both_arms():
    clusters, treatment = trial()
    fold = assign_folds(treatment, n_folds=5, random_state=3, clusters=clusters)
    assert all(len(np.unique(fold[clusters == c])) == 1 for c in range(30))
    _, arm, _ = randomization_units(treatment, clusters, None)
    fold_of_cluster = np.array([fold[clusters == c][0] for c in range(30)])
    for a in (0, 1):
        assert np.bincount(fold_of_cluster[arm == a], minlength=5).tolist() == [3] * 5


def test_folds_balance_arms_within_blocks():
    treatment = np.tile([0, 1], 60)
    blocks = np.repeat(np.arange(12), 10)
    fold = assign_folds(treatment, n_folds=5, random_state=1, blocks=blocks)
    for block in range(12):
        for a in (0, 1):
            rows = (blocks == block) & (treatment == a)
            assert sorted(fold[rows]) == [0, 1, 2, 3, 4]


def test_small_blocks_still_fill_every_fold():
    treatment = np.tile([0, 1], 20)
    blocks = np.repeat(np.arange(20), 2)
    fold = assign_folds(treatment, n_folds=5, random_state=1, blocks=blocks)
    for a in (0, 1):
        assert np.bincount(fold[treatment == a]).tolist() == [4] * 5


def test_few_clusters_reduce_the_folds_and_one_is_refused():
    clusters = np.repeat(np.arange(6), 4)
    treatment = (clusters >= 4).astype(int)
    fold = assign_folds(treatment, n_folds=5, random_state=1, clusters=clusters)
    assert fold.max() + 1 == 2
    with pytest.raises(ValueError, match="two clusters in each arm, got 1"):
        assign_folds((clusters >= 5).astype(int), n_folds=5, random_state=1, clusters=clusters)


def test_swapped_arms_give_the_same_folds():
    treatment = np.random.default_rng(2).permutation(np.repeat([0, 1], [40, 37]))
    first = assign_folds(treatment, n_folds=5, random_state=4)
    second = assign_folds(1 - treatment, n_folds=5, random_state=4)
    np.testing.assert_array_equal(first, second)


def test_bootstrap_draws_whole_clusters_within_arm():
    X, y, treatment, clusters = example_trial()
    data = validate_trial(X, y, treatment, clusters)
    sample = resample_units(data, seed=1)
    assert sample.n_units == data.n_units == 12
    _, arm, _ = randomization_units(sample.treatment, sample.clusters, None)
    assert arm.sum() == 6
    originals = {tuple(data.y[data.clusters == c]) for c in range(12)}
    drawn = [tuple(sample.y[sample.clusters == c]) for c in range(12)]
    assert set(drawn) <= originals
    assert len(set(drawn)) < 12


def test_bootstrap_keeps_block_totals():
    rng = np.random.default_rng(1)
    blocks = np.repeat(["a", "b", "c"], 20)
    treatment = np.tile([0, 1], 30)
    data = validate_trial(rng.normal(size=(60, 2)), rng.normal(size=60), treatment, blocks=blocks)
    sample = resample_units(data, seed=2)
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
    fold = assign_folds(arm, n_folds=5, random_state=3, blocks=pair)
    assert all(len(set(fold[pair == k])) == 1 for k in range(12))
    assert np.bincount(fold).tolist() == [6, 6, 4, 4, 4]
    np.testing.assert_array_equal(
        fold, assign_folds(1 - arm, n_folds=5, random_state=3, blocks=pair)
    )
    # Fewer pairs than folds are dealt one by one, as the large blocks are.
    few = np.r_[0, 0, 1, 1, np.full(8, 2)]
    fold = assign_folds(arm[:12], n_folds=3, random_state=3, blocks=few)
    assert np.bincount(fold[arm[:12] == 0]).tolist() == [2, 2, 2]
    large = np.repeat([0, 1], 12)
    fold = assign_folds(arm, n_folds=3, random_state=3, blocks=large)
    for this_block in (0, 1):
        for this_arm in (0, 1):
            here = fold[(large == this_block) & (arm == this_arm)]
            assert np.bincount(here).tolist() == [2, 2, 2]


def test_blocks_that_a_part_of_the_trial_lacks_do_not_count():
    arm, block = np.tile([0, 1], 6), np.repeat([0, 3, 4, 8, 9, 11], 2)
    assert small_blocks(arm, block).tolist() == [0, 3, 4, 8, 9, 11]
    fold = assign_folds(arm, n_folds=3, random_state=1, blocks=block)
    assert np.bincount(fold).tolist() == [4, 4, 4]
    assert small_blocks(np.array([0, 1]), np.array([5, 5])).tolist() == []


def test_bootstrap_of_a_paired_trial_draws_pairs():
    rng = np.random.default_rng(5)
    clusters = np.repeat(np.arange(60), 5)
    pair, treatment = clusters // 2, clusters % 2
    y = rng.normal(size=30)[pair] + 0.5 * rng.normal(size=60)[clusters]
    data = validate_trial(rng.normal(size=(300, 1)), y, treatment, clusters, blocks=pair)
    sample = resample_units(data, seed=3)
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
