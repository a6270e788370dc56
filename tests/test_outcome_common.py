"""What every outcome model must do, whatever is inside."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from tauhat.outcome import (
    BART,
    AGLMModel,
    BoostedTrees,
    ElasticNetModel,
    MixedBART,
    RandomForest,
    StackedModel,
)

SHORT = {"n_trees": 20, "n_chains": 2, "n_grow": 5, "n_burn_in": 20, "n_draws": 20}
MODELS = {
    "elastic net": ElasticNetModel(random_state=3),
    "random forest": RandomForest(n_estimators=50, random_state=3),
    "boosted trees": BoostedTrees(random_state=3),
    "aglm": AGLMModel(random_state=3),
    "stack": StackedModel(
        [("Linear", ElasticNetModel()), ("RF", RandomForest(n_estimators=20))], random_state=3
    ),
    "convex stack": StackedModel(
        [("Linear", ElasticNetModel()), ("Boosting", BoostedTrees())],
        weights="convex",
        random_state=3,
    ),
    "bart": BART(**SHORT, random_state=3),
    "mixed bart": MixedBART(**SHORT, random_state=3),
}


def make_data(n, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    clusters = np.arange(n) // max(2, n // 10)
    signal = X[:, 0] + 1.0 * (X[:, 1 % p] > 0)
    return X, signal + 0.5 * rng.normal(size=n), clusters, signal


@pytest.fixture(params=MODELS, ids=lambda name: name.replace(" ", "_"))
def name(request):
    return request.param


@pytest.fixture
def model(name):
    return clone(MODELS[name])


def test_recovers_a_smooth_and_step_signal(model):
    X, y, clusters, _ = make_data(300)
    X_new, _, _, signal = make_data(1000, seed=1)
    predicted = model.fit(X, y, clusters=clusters).predict(X_new)
    explained = 1 - np.mean((predicted - signal) ** 2) / np.var(signal)
    assert explained > 0.78


def test_same_seed_gives_the_same_bytes_and_another_does_not(name, model):
    X, y, clusters, _ = make_data(80)
    first = model.fit(X, y, clusters=clusters).predict(X)
    again = clone(model).fit(X, y, clusters=clusters).predict(X)
    assert first.tobytes() == again.tobytes()
    if name not in ("elastic net", "aglm"):
        other = clone(model).set_params(random_state=4).fit(X, y, clusters=clusters).predict(X)
        assert not np.array_equal(first, other)


def test_global_random_state_is_left_alone(model):
    X, y, clusters, _ = make_data(60)
    np.random.seed(5)
    before = np.random.get_state()[1].tobytes()
    model.fit(X, y, clusters=clusters).predict(X)
    assert np.random.get_state()[1].tobytes() == before


def test_pickle_and_copy_keep_predictions(model):
    X, y, clusters, _ = make_data(60)
    model.fit(X, y, clusters=clusters)
    expected = model.predict(X)
    twice = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(model))))
    assert np.array_equal(twice.predict(X), expected)
    assert np.array_equal(copy.deepcopy(model).predict(X), expected)
    assert np.array_equal(model.predict(X), expected)


def test_clone_keeps_parameters_verbatim(model):
    before = model.get_params()
    X, y, clusters, _ = make_data(40)
    model.fit(X, y, clusters=clusters)
    assert model.get_params() == before
    assert not [name for name in vars(clone(model)) if name.endswith("_")]


@pytest.mark.parametrize("scale", [4.0, -4.0])
def test_units_and_sign_of_the_outcome_do_not_matter(model, scale):
    X, y, clusters, _ = make_data(80)
    plain = model.fit(X, y, clusters=clusters).predict(X)
    moved = clone(model).fit(X, 1000 + scale * y, clusters=clusters).predict(X)
    np.testing.assert_allclose(moved, 1000 + scale * plain, rtol=0, atol=1e-9)


def test_units_of_the_covariates_do_not_matter(name, model):
    X, y, clusters, _ = make_data(80)
    plain = model.fit(X, y, clusters=clusters).predict(X)
    moved = clone(model).fit(8 * X + 16, y, clusters=clusters).predict(8 * X + 16)
    np.testing.assert_allclose(moved, plain, rtol=0, atol=1e-6)


def test_scale_of_the_weights_does_not_matter_but_their_ratio_does(model):
    X, y, clusters, _ = make_data(120)
    weight = np.where(X[:, 0] > 0, 5.0, 1.0)
    y = y + 3 * (X[:, 2] * X[:, 3] > 0)
    first = model.fit(X, y, clusters=clusters, sample_weight=weight).predict(X)
    scaled = clone(model).fit(X, y, clusters=clusters, sample_weight=8 * weight).predict(X)
    plain = clone(model).fit(X, y, clusters=clusters).predict(X)
    np.testing.assert_allclose(scaled, first, rtol=0, atol=1e-9)
    assert np.abs(plain - first).max() > 0.02


@pytest.mark.parametrize("ratio", [4.0, 100.0])
def test_weights_pull_towards_the_heavy_rows(model, ratio):
    X, _, clusters, signal = make_data(300)
    hidden = np.random.default_rng(1).normal(size=300)
    weight = np.where(hidden > 0, ratio, 1.0)
    model.fit(X, signal + hidden, clusters=clusters, sample_weight=weight)
    wanted = np.average(signal + hidden, weights=weight)
    assert model.predict(X).mean() == pytest.approx(wanted, abs=0.15)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 10, 20])
def test_few_rows(model, n, capfd):
    X, y, clusters, _ = make_data(n, p=3)
    X[:, 2] = 7.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for groups in (None, clusters, np.zeros(n, dtype=np.int64), np.arange(n)):
            predicted = clone(model).fit(X, y, clusters=groups).predict(X)
            assert predicted.shape == (n,)
            spread = np.ptp(y)
            assert y.min() - spread <= predicted.min() <= predicted.max() <= y.max() + spread
    said = capfd.readouterr()
    assert said.out + said.err == ""


def test_constant_outcome_is_predicted_exactly(model):
    X, _, clusters, _ = make_data(30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predicted = model.fit(X, np.full(30, 3.7), clusters=clusters).predict(X[:4])
    np.testing.assert_allclose(predicted, 3.7, rtol=1e-14)
    revived = pickle.loads(pickle.dumps(model))
    assert np.array_equal(revived.predict(X[:4]), predicted)


def test_constant_covariates_give_the_mean(model):
    rng = np.random.default_rng(0)
    y = rng.normal(size=30)
    predicted = model.fit(np.ones((30, 2)), y).predict(np.ones((3, 2)))
    assert np.ptp(predicted) == 0
    assert abs(predicted[0] - y.mean()) < 0.3


def test_a_thousand_columns(model):
    X, y, clusters, _ = make_data(40, p=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predicted = model.fit(X, 3 * y, clusters=clusters).predict(X)
    assert predicted.shape == (40,)
    assert np.isfinite(predicted).all()


def test_reduced_is_unfitted_and_no_dearer(model):
    X, y, clusters, _ = make_data(40)
    model.fit(X, y, clusters=clusters)
    reduced = model.reduced()
    assert type(reduced) is type(model)
    assert not [name for name in vars(reduced) if name.endswith("_")]
    for name, value in reduced.get_params(deep=False).items():
        given = getattr(model, name)
        assert name == "members" or value == given or value < given
    assert BART().reduced().get_params() != BART().get_params()


def test_inputs_are_not_changed(model):
    X, y, clusters, _ = make_data(40)
    copies = X.copy(), y.copy(), clusters.copy()
    model.fit(X, y, clusters=clusters, sample_weight=np.ones(40)).predict(X)
    for after, before in zip((X, y, clusters), copies, strict=True):
        assert np.array_equal(after, before)
