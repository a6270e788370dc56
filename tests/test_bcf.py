"""Bayesian causal forest: recovery, clusters that never leak, draws, pickling."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import stats

from tauhat.analysis.run_words import interval_method
from tauhat.learners.bayesian_causal_forest import BayesianCausalForest

SHORT = {
    "n_outcome_trees": 30,
    "n_effect_trees": 20,
    "n_chains": 2,
    "n_grow": 5,
    "n_burn_in": 20,
    "n_draws": 30,
    "random_state": 1,
}


def individual(n=300, p=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    A = rng.permutation(n) % 2
    effect = 2.0 + 2.0 * (X[:, 1 % p] > 0)
    return X, 3 * X[:, 0] + A * effect + rng.normal(size=n), A, effect


def clustered(seed=0, between=0.1, m=30, size=25):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    X = rng.normal(size=(m * size, 5))
    A = (rng.permutation(m) % 2)[clusters]
    effect = 0.5 + 0.5 * X[:, 1]
    intercepts = np.sqrt(between) * rng.normal(size=m)
    y = X[:, 0] + A * effect + intercepts[clusters] + np.sqrt(0.9) * rng.normal(size=m * size)
    return X, y, A, clusters, effect, intercepts


@pytest.fixture(scope="module")
def fitted():
    X, y, A, clusters, _, _ = clustered(between=1.0)
    model = BayesianCausalForest(**SHORT, random_intercept=True)
    return model.fit(X, y, treatment=A, clusters=clusters), X, y, A, clusters


def test_finds_a_step_in_the_effect_at_new_persons():
    X, y, A, _ = individual(500)
    X_new, _, _, effect = individual(500, seed=1)
    model = BayesianCausalForest(random_state=1).fit(X, y, treatment=A)
    found = model.effect(X_new)
    assert np.corrcoef(found, effect)[0, 1] > 0.9
    assert found.mean() == pytest.approx(3, abs=0.3)
    assert np.sqrt(np.mean((found - effect) ** 2)) < 0.5


def test_labels_of_the_clusters_and_order_of_rows_change_nothing(fitted):
    model, X, y, A, clusters = fitted
    names = np.array([f"clinic {(7 * c) % 30}" for c in clusters])
    order = np.random.default_rng(0).permutation(len(y))
    renamed = BayesianCausalForest(**SHORT, random_intercept=True)
    renamed.fit(X[order], y[order], treatment=A[order], clusters=names[order])
    assert renamed.effect(X).tobytes() == model.effect(X).tobytes()


def test_effects_do_not_follow_the_clusters_intercepts():
    X, y, A, clusters, _, intercepts = clustered(between=4.0)
    V = np.random.default_rng(5).normal(size=30)[clusters]
    model = BayesianCausalForest(**SHORT, random_intercept=True)
    model.fit(np.column_stack([X, V]), y, treatment=A, clusters=clusters)
    effect = model.effect(np.column_stack([np.zeros((750, 5)), V]))
    # A leaked intercept would give these persons, alike but for V, a spread of 2.
    assert effect.std() < 0.4
    assert model.variance_components_.between_cluster == pytest.approx(
        intercepts.var(ddof=1), rel=0.5
    )


def test_variances_are_recovered():
    sets = [clustered(seed) for seed in range(4)]
    found = [
        BayesianCausalForest(**SHORT, random_intercept=True)
        .fit(X, y, treatment=A, clusters=c)
        .variance_components_
        for X, y, A, c, _, _ in sets
    ]
    realised = np.mean([b.var(ddof=1) for *_, b in sets])
    assert np.mean([v.between_cluster for v in found]) == pytest.approx(realised, abs=0.05)
    assert np.mean([v.residual for v in found]) == pytest.approx(0.9, abs=0.06)


def test_intercepts_belong_to_their_clusters(fitted):
    model, *_ = fitted
    data = model.trial_data_
    left = data.y - data.X[:, 0] - data.treatment * (0.5 + 0.5 * data.X[:, 1])
    means = np.bincount(data.clusters, left) / 25
    assert np.corrcoef(model.cluster_effects_, means)[0, 1] > 0.9


def test_without_an_intercept_there_are_no_variance_components():
    X, y, A, clusters, _, _ = clustered(m=8)
    plain = BayesianCausalForest(**SHORT).fit(X, y, treatment=A, clusters=clusters)
    assert not hasattr(plain, "variance_components_")
    alone = BayesianCausalForest(**SHORT, random_intercept=True).fit(
        X, y, treatment=np.arange(200) % 2
    )
    assert not hasattr(alone, "variance_components_")


def test_draws_and_intervals(fitted):
    model, X, *_ = fitted
    draws = model.effect_draws(X)
    assert draws.shape == (60, 750)
    np.testing.assert_allclose(draws.mean(axis=0), model.effect(X), atol=1e-12)
    lower, upper = model.effect_interval(X, level=0.8)
    assert ((lower < model.effect(X)) & (model.effect(X) < upper)).all()
    with pytest.raises(ValueError, match="columns"):
        model.effect_draws(X[:, :3])


def test_interval_in_cluster_trials_is_that_of_the_mixture_of_two_posteriors(fitted):
    model, X = fitted[0], fitted[1][:12]
    own, reference = model.effect_draws(X), model.reference_posterior().effect_draws(X)
    # Three draws of its own for two of the reference are draws of the mixture.
    own_times, reference_times = 3 * len(reference), 2 * len(own)
    both = np.vstack([np.repeat(own, own_times, 0), np.repeat(reference, reference_times, 0)])
    half = stats.t.ppf(0.975, 28) * both.std(axis=0)
    lower, upper = model.effect_interval(X)
    np.testing.assert_allclose(lower, both.mean(axis=0) - half, rtol=1e-9)
    np.testing.assert_allclose(upper, both.mean(axis=0) + half, rtol=1e-9)
    assert "mixture of the model's own posterior" in interval_method(model, 0.95).method


def test_narrowest_interval_still_holds_the_estimate(fitted):
    model, X, *_ = fitted
    lower, upper = model.effect_interval(X, level=0.01)
    effect = model.effect(X)
    assert ((lower <= effect) & (effect <= upper)).all()
    middle = (lower + upper) / 2
    # Stretched on one side only: for nearly everyone the two means lie farther apart than that.
    assert np.mean(np.isclose(effect, lower) | np.isclose(effect, upper)) > 0.5
    reference = model.reference_posterior().effect_draws(X).mean(axis=0)
    assert (np.sign(middle - effect) == np.sign(reference - effect)).mean() > 0.9


def test_own_posterior_does_not_count_where_persons_are_randomized():
    X, y, *_ = clustered(m=8)
    model = BayesianCausalForest(**SHORT).fit(X, y, treatment=np.arange(200) % 2)
    reference, effect = model.reference_posterior().effect_draws(X), model.effect(X)
    half = stats.t.ppf(0.975, 198) * np.sqrt(((reference - effect) ** 2).mean(axis=0))
    lower, upper = model.effect_interval(X)
    np.testing.assert_allclose(lower, effect - half, rtol=1e-9)
    np.testing.assert_allclose(upper, effect + half, rtol=1e-9)
    # The report says so too.
    assert "mixture" not in interval_method(model, 0.95).method


def test_same_seed_same_bytes_other_seed_not(fitted):
    model, X, y, A, clusters = fitted
    again = BayesianCausalForest(**SHORT, random_intercept=True)
    again.fit(X, y, treatment=A, clusters=clusters)
    assert again.effect(X).tobytes() == model.effect(X).tobytes()
    other = again.set_params(random_state=2).fit(X, y, treatment=A, clusters=clusters)
    assert not np.array_equal(other.effect(X), model.effect(X))


def test_pickle_keeps_draws(fitted):
    model, X, *_ = fitted
    revived = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(model))))
    assert revived.effect_draws(X).tobytes() == model.effect_draws(X).tobytes()


def test_units_do_not_matter():
    X, y, A, _ = individual(120)
    model = BayesianCausalForest(**SHORT)
    effect = model.fit(X, y, treatment=A).effect(X)
    moved = model.fit(8 * X + 16, 100 + 4 * y, treatment=A).effect(8 * X + 16)
    np.testing.assert_allclose(moved, 4 * effect, rtol=0, atol=1e-8)


def test_exchanging_the_arms_turns_the_sign_of_the_mean_and_little_else_of_the_ranking():
    X, y, A, _ = individual(300)
    model = BayesianCausalForest(random_state=1).quick()
    effect = model.fit(X, y, treatment=A).effect(X)
    swapped = model.fit(X, y, treatment=1 - A).effect(X)
    assert np.corrcoef(effect, -swapped)[0, 1] > 0.85
    assert -swapped.mean() == pytest.approx(effect.mean(), abs=0.3)


@pytest.mark.parametrize("grouped", [False, True])
def test_weights_move_the_effect_to_where_they_are(grouped):
    X, y, A, _ = individual(300)
    clusters = None
    if grouped:
        A = np.repeat(np.arange(20) % 2, 15)
        clusters = np.repeat(np.arange(20), 15)
        y = (
            3 * X[:, 0]
            + A * (2.0 + 2.0 * (X[:, 1] > 0))
            + np.random.default_rng(0).normal(size=300)
        )
    weight = np.where(X[:, 1] > 0, 20.0, 0.05)
    model = BayesianCausalForest(**SHORT, random_intercept=grouped)
    plain = model.fit(X[:, [0]], y, treatment=A, clusters=clusters).effect(X[:, [0]])
    model.fit(X[:, [0]], y, treatment=A, clusters=clusters, sample_weight=weight)
    weighted = model.effect(X[:, [0]])
    # The effect is 2 where the weights are small and 4 where they are large.
    assert plain.mean() == pytest.approx(3, abs=0.5)
    assert weighted.mean() == pytest.approx(4, abs=0.5)
    same = model.fit(X[:, [0]], y, treatment=A, clusters=clusters, sample_weight=np.full(300, 3.0))
    np.testing.assert_allclose(same.effect(X[:, [0]]), plain, atol=1e-8)


@pytest.mark.parametrize(("n", "p"), [(4, 1), (20, 3), (40, 400)])
def test_small_and_wide(n, p):
    X, y, A, _ = individual(n, p=p)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = BayesianCausalForest(**SHORT, random_intercept=True)
        alone = model.fit(X, y, treatment=A).effect(X)
        pairs = np.arange(n) // max(1, n // 4)
        together = model.fit(X, y, treatment=pairs % 2, clusters=pairs).effect(X)
    for found in (alone, together):
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 5 * np.ptp(y)


def test_settings_are_checked_and_reduced():
    X, y, A, _ = individual(40)
    with pytest.raises(ValueError, match=r"n_grow \(1\) must be at least n_chains \(4\)"):
        BayesianCausalForest(n_grow=1).fit(X, y, treatment=A)
    reduced = BayesianCausalForest(random_intercept=True).reduced()
    assert (reduced.n_chains, reduced.n_burn_in, reduced.n_draws) == (1, 20, 60)
    assert reduced.random_intercept


def test_greedy_forests_look_at_no_more_cutpoints_than_they_are_given():
    X, y, A, _ = individual(60)
    short = {"n_outcome_trees": 5, "n_effect_trees": 5, "n_chains": 1, "n_grow": 1}
    seen = {
        n: BayesianCausalForest(n_cutpoints=n, n_burn_in=0, n_draws=1, random_state=1, **short)
        .fit(X, y, treatment=A)
        .effect(X)
        for n in (1, 100)
    }
    assert not np.array_equal(seen[1], seen[100])
