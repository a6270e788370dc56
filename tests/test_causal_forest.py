"""Causal forest: recovery, symmetry in the arms, clusters that absorb no effect."""

import pickle
import warnings

import numpy as np
import pytest

from tauhat.data import validate_trial
from tauhat.learners.causal_forest import CausalForest, residual_intercepts
from tauhat.learners.meta import components_given_effect
from tauhat.outcome import ElasticNetModel, RandomForest


def trial(n=400, p=5, seed=0, clusters=None, between=0.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    if clusters is None:
        A = rng.permutation(n) % 2
    else:
        m = clusters.max() + 1
        A = (rng.permutation(m) % 2)[clusters]
        X[:, -1] = rng.normal(size=m)[clusters]
    effect = 1.0 + (X[:, 1] > 0)
    y = 2 * X[:, 0] + A * effect + 0.5 * rng.normal(size=n)
    if clusters is not None:
        y = y + np.sqrt(between) * rng.normal(size=m)[clusters]
    return X, y, A, effect


@pytest.mark.parametrize("outcome_model", [ElasticNetModel(), RandomForest()], ids=["linear", "rf"])
def test_finds_a_step_in_the_effect(outcome_model):
    X, y, A, _ = trial(800)
    X_new, _, _, effect = trial(800, seed=1)
    model = CausalForest(outcome_model, n_estimators=100, random_state=1).fit(X, y, treatment=A)
    found = model.effect(X_new)
    assert np.corrcoef(found, effect)[0, 1] > 0.85
    assert found.mean() == pytest.approx(1.5, abs=0.15)


@pytest.mark.parametrize("grouped", [False, True])
def test_exchanging_the_arms_turns_the_sign_exactly(grouped):
    clusters = np.repeat(np.arange(20), 15) if grouped else None
    X, y, A, _ = trial(300, clusters=clusters, between=0.5)
    model = CausalForest(ElasticNetModel(), n_estimators=40, random_state=1)
    effect = model.fit(X, y, treatment=A, clusters=clusters).effect(X)
    swapped = model.fit(X, y, treatment=1 - A, clusters=clusters).effect(X)
    assert np.ptp(effect) > 0.3
    np.testing.assert_allclose(swapped, -effect, rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [4.0, -4.0])
def test_units_and_order_of_rows_do_not_matter(scale):
    X, y, A, _ = trial(200)
    order = np.random.default_rng(0).permutation(200)
    model = CausalForest(ElasticNetModel(), n_estimators=40, random_state=1)
    effect = model.fit(X, y, treatment=A).effect(X)
    moved = model.fit(8 * X[order] + 16, 100 + scale * y[order], treatment=A[order])
    np.testing.assert_allclose(moved.effect(8 * X + 16), scale * effect, rtol=0, atol=1e-8)


def test_same_seed_same_bytes_and_pickle():
    X, y, A, _ = trial(200)
    model = CausalForest(ElasticNetModel(), n_estimators=40, random_state=1).fit(X, y, treatment=A)
    effect = model.effect(X)
    revived = pickle.loads(pickle.dumps(model))
    assert revived.effect(X).tobytes() == effect.tobytes()
    again = CausalForest(ElasticNetModel(), n_estimators=40, random_state=1)
    assert again.fit(X, y, treatment=A).effect(X).tobytes() == effect.tobytes()
    other = CausalForest(ElasticNetModel(), n_estimators=40, random_state=2)
    assert not np.array_equal(other.fit(X, y, treatment=A).effect(X), effect)


def test_intercepts_are_found_and_hold_nothing_of_the_arm():
    clusters = np.repeat(np.arange(40), 20)
    rng = np.random.default_rng(3)
    X, y, A, _ = trial(800, clusters=clusters)
    intercepts = rng.normal(size=40)
    data = validate_trial(X, y + intercepts[clusters], A, clusters)
    centred = data.treatment - data.propensity
    residual = data.y - 2 * data.X[:, 0]
    found = residual_intercepts(residual, centred, data)
    components = components_given_effect(data, 1.0 + (data.X[:, 1] > 0))
    first = np.unique(data.clusters, return_index=True)[1]
    design = np.column_stack([np.ones(40), centred[first], data.X[first, -1]])
    np.testing.assert_allclose(design.T @ found, 0, atol=1e-8)
    # What the projection leaves of the true intercepts, cluster by cluster.
    left = residual - centred * (1.0 + (data.X[:, 1] > 0))
    means = np.bincount(data.clusters, left) / 20
    means -= design @ np.linalg.lstsq(design, means, rcond=None)[0]
    assert np.corrcoef(found, means)[0, 1] > 0.95
    assert components.between_cluster == pytest.approx(intercepts.var(ddof=1), rel=0.3)
    assert components.residual < 0.7


def test_removing_intercepts_helps_and_leaves_the_average_effect():
    errors = {"with": [], "without": []}
    means = []
    for seed in range(3):
        clusters = np.repeat(np.arange(30), 20)
        X, y, A, effect = trial(600, seed=seed, clusters=clusters, between=2.0)
        for name, groups in (("with", clusters), ("without", None)):
            model = CausalForest(ElasticNetModel(), n_estimators=40, random_state=1)
            found = model.fit(X, y, treatment=A, clusters=groups).effect(X)
            errors[name].append(np.std(found - effect))
            if name == "with":
                adjusted = y - 2 * X[:, 0]
                difference = adjusted[A == 1].mean() - adjusted[A == 0].mean()
                means.append(found.mean() - difference)
    assert np.mean(errors["with"]) < 0.8 * np.mean(errors["without"])
    assert np.abs(np.mean(means)) < 0.35


def test_weights_move_the_effect():
    X, y, A, _ = trial(400)
    weight = np.where(X[:, 1] > 0, 10.0, 0.1)
    model = CausalForest(ElasticNetModel(), n_estimators=40, min_samples_leaf=60, random_state=1)
    plain = model.fit(X, y, treatment=A).effect(X).mean()
    weighted = model.fit(X, y, treatment=A, sample_weight=weight).effect(X).mean()
    assert weighted > plain + 0.15


@pytest.mark.parametrize(("n", "p"), [(8, 2), (20, 3), (40, 400)])
def test_small_and_wide(n, p):
    X, y, A, _ = trial(n, p=p)
    model = CausalForest(ElasticNetModel(), n_estimators=20, random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        effect = model.fit(X, y, treatment=A).effect(X)
        in_clusters = model.fit(
            X, y, treatment=np.arange(n) // 2 % 2, clusters=np.arange(n) // 2
        ).effect(X)
    for found in (effect, in_clusters):
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 5 * y.std()


def test_reduced_is_cheaper():
    model = CausalForest(RandomForest(), random_state=1)
    assert model.reduced().n_estimators == 100
    assert CausalForest(RandomForest(), n_estimators=48).reduced().n_estimators == 48
