"""Mixed-effects forest and boosting: as outcome models, and as estimators that keep the effect."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from cli_runs import take_few_points
from tauhat.errors import TauhatWarning
from tauhat.learners.catalog import DIRECT, single_estimator
from tauhat.learners.mixed_s import MixedEffectsLearner
from tauhat.outcome.gpboost import GPBoost
from tauhat.outcome.megb import MEGB
from tauhat.outcome.merf import MERF
from tauhat.outcome.mermboost import AdditiveBoosting
from tauhat.outcome.mert_boosting import MERTBoosting
from tauhat.outcome.reem_boosting import REEMBoosting
from tauhat.testing import check_cate_estimator

NAMES = ("MERF", "GPBoost", "MEGB", "MERT-Boosting", "REEM-Boosting", "Additive-Boosting")
MODELS = {
    "merf": MERF(n_estimators=50, random_state=3),
    "merf linear": MERF(n_estimators=50, linear_part=True, random_state=3),
    "gpboost": GPBoost(random_state=3),
    "megb": MEGB(random_state=3),
    "mert": MERTBoosting(random_state=3),
    "reem": REEMBoosting(random_state=3),
    "additive": AdditiveBoosting(random_state=3),
}
pytestmark = pytest.mark.filterwarnings("error")


def make_data(m=30, mean_size=15, icc=0.3, seed=0, unequal=False):
    """Nonlinear signal with variance about 1 beside b + e with variance 1."""
    rng = np.random.default_rng(seed)
    sizes = np.full(m, mean_size)
    if unequal:
        sizes = np.maximum(np.round(rng.gamma(1.0, mean_size, m)), 1).astype(int)
    clusters = np.repeat(np.arange(m), sizes)
    n = len(clusters)
    X = rng.normal(size=(n, 4))
    X[:, 3] = rng.normal(size=m)[clusters]
    signal = np.sin(2 * X[:, 0]) + 0.7 * np.abs(X[:, 1]) + 0.3 * X[:, 3]
    effects = np.sqrt(icc) * rng.normal(size=m)
    y = signal + effects[clusters] + np.sqrt(1 - icc) * rng.normal(size=n)
    return X, y, clusters, signal, effects


@pytest.fixture(params=MODELS, ids=lambda name: name.replace(" ", "_"))
def model(request):
    return clone(MODELS[request.param])


def test_learns_the_fixed_part_and_the_intercepts(model):
    X, y, clusters, signal, effects = make_data()
    model.fit(X, y, clusters=clusters)
    fixed = model.predict(X)
    assert np.corrcoef(fixed, signal)[0, 1] > 0.8
    assert np.corrcoef(model.cluster_effects_, effects)[0, 1] > 0.75
    assert abs(model.variance_components_.between_cluster - 0.3) < 0.2
    assert abs(model.variance_components_.residual / 0.7 - 1) < 0.3
    named = model.predict(X, clusters=clusters)
    np.testing.assert_allclose(named - fixed, model.cluster_effects_[clusters])
    # A cluster the fit has not seen gets no intercept, as does a new one.
    unseen = model.predict(X[:3], clusters=np.array([-1, 99, 30]))
    np.testing.assert_allclose(unseen, fixed[:3], rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("icc", [0.0, 0.6])
def test_variances_at_no_and_at_high_correlation(model, icc):
    parts = []
    for seed in (1, 2):
        X, y, clusters, _, _ = make_data(m=40, icc=icc, seed=seed)
        parts.append(clone(model).fit(X, y, clusters=clusters).variance_components_)
    between = np.mean([part.between_cluster for part in parts])
    residual = np.mean([part.residual for part in parts])
    assert abs(between - icc) < (0.06 if icc == 0 else 0.25)
    assert abs(residual / (1 - icc) - 1) < 0.3


def test_cluster_labels_and_their_gaps_do_not_matter(model):
    X, y, clusters, _, _ = make_data(m=12)
    plain = model.fit(X, y, clusters=clusters).predict(X, clusters=clusters)
    relabelled = 5 * clusters + 7
    again = clone(model).fit(X, y, clusters=relabelled)
    np.testing.assert_array_equal(again.predict(X, clusters=relabelled), plain)


def test_same_seed_pickle_and_copy(model):
    X, y, clusters, _, _ = make_data(m=10)
    first = model.fit(X, y, clusters=clusters).predict(X, clusters=clusters)
    again = clone(model).fit(X, y, clusters=clusters)
    assert again.predict(X, clusters=clusters).tobytes() == first.tobytes()
    for revived in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(revived.predict(X, clusters=clusters), first)


def test_units_of_the_outcome_do_not_matter(model):
    X, y, clusters, _, _ = make_data(m=10)
    plain = clone(model).fit(X, y, clusters=clusters)
    spread = np.std(plain.predict(X))
    for scale in (4.0, -4.0):
        moved = clone(model).fit(X, 100 + scale * y, clusters=clusters)
        np.testing.assert_allclose(
            (moved.predict(X) - 100) / scale, plain.predict(X), rtol=0, atol=0.02 * spread
        )
        np.testing.assert_allclose(
            moved.variance_components_.residual,
            scale**2 * plain.variance_components_.residual,
            rtol=0.02,
        )


def test_hostile_cluster_sizes(model):
    X, y, clusters, signal, _ = make_data(m=30, mean_size=10, unequal=True, seed=4)
    assert np.std(np.bincount(clusters)) > 0.8 * np.mean(np.bincount(clusters))
    giant = np.where(np.arange(len(y)) < len(y) - 12, 0, np.arange(len(y)))
    alone = np.arange(len(y))
    single = np.zeros(len(y), dtype=np.int64)
    plain = clone(model).fit(X, y).predict(X)
    for groups in (clusters, giant, alone, single):
        fitted = clone(model).fit(X, y, clusters=groups)
        assert np.corrcoef(fitted.predict(X), signal)[0, 1] > 0.7
        assert np.isfinite(fitted.variance_components_.table["value"]).all()
        # One cluster, or one row in each, is no cluster at all.
        if groups is alone or groups is single:
            assert fitted.variance_components_.between_cluster == 0
        if groups is alone:
            np.testing.assert_allclose(fitted.predict(X), plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [2, 5, 20])
def test_few_rows(model, n):
    X, y, _, _, _ = make_data(m=2, mean_size=10)
    X, y = X[:n].copy(), y[:n]
    X[:, 2] = 7.0
    pairs = np.arange(n) // 2
    for groups in (None, pairs, np.arange(n)):
        predicted = clone(model).fit(X, y, clusters=groups).predict(X)
        assert np.isfinite(predicted).all()
        assert np.abs(predicted - y.mean()).max() <= 2 * np.ptp(y)


def test_constant_outcome(model):
    X, y, clusters, _, _ = make_data(m=5)
    fitted = model.fit(X, np.full(len(y), 3.7), clusters=clusters)
    np.testing.assert_allclose(fitted.predict(X, clusters=clusters), 3.7, rtol=1e-14)
    assert fitted.variance_components_.icc == 0


def test_weights_count_as_rows_do_not_their_scale(model):
    X, y, clusters, _, _ = make_data(m=12)
    weight = np.where(X[:, 0] > 0, 4.0, 1.0)
    first = clone(model).fit(X, y, clusters=clusters, sample_weight=weight).predict(X)
    scaled = clone(model).fit(X, y, clusters=clusters, sample_weight=8 * weight).predict(X)
    plain = clone(model).fit(X, y, clusters=clusters).predict(X)
    np.testing.assert_allclose(scaled, first, rtol=0, atol=1e-9)
    assert np.abs(plain - first).max() > 0.02


def test_more_columns_than_rows(model):
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(8), 5)
    X, y = rng.normal(size=(40, 300)), rng.normal(size=40)
    X[:, 200:] = rng.normal(size=(8, 100))[clusters]
    assert np.isfinite(model.fit(X, y, clusters=clusters).predict(X)).all()


@pytest.mark.parametrize("kind", [GPBoost, MEGB, MERTBoosting, REEMBoosting])
def test_stumps_are_refused(kind):
    X, y, clusters, _, _ = make_data(m=5)
    with pytest.raises(ValueError, match="num_leaves"):
        kind(num_leaves=2).fit(X, y, clusters=clusters)


def test_forest_stops_by_its_criterion_and_needs_a_growth():
    X, y, clusters, _, _ = make_data()
    quick = MERF(tolerance=1e-2, random_state=1).fit(X, y, clusters=clusters)
    slow = MERF(tolerance=1e-6, random_state=1).fit(X, y, clusters=clusters)
    assert quick.n_iterations_ < slow.n_iterations_ <= 100
    assert np.corrcoef(quick.predict(X), slow.predict(X))[0, 1] > 0.98
    with pytest.raises(ValueError, match="n_growths"):
        MERF(n_growths=0).fit(X, y, clusters=clusters)


def make_trial(seed=0, m=40, size=15):
    """Constant effect 1 of a cluster-level treatment."""
    X, y, clusters, _, _ = make_data(m=m, mean_size=size, icc=0.1, seed=seed)
    treatment = (clusters % 2).astype(np.int64)
    return X, y + treatment, treatment, clusters


@pytest.mark.slow
def test_textbook_forms_lose_the_effect_and_say_so_and_the_defaults_keep_it():
    lost, kept = {"MERF": [], "GPBoost": []}, {name: [] for name in NAMES}
    warned = 0
    for seed in (0, 1):
        X, y, treatment, clusters = make_trial(seed, m=30, size=12)
        for name in lost:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                fitted = single_estimator(f"{name}-textbook", random_state=1)
                fitted.fit(X, y, treatment=treatment, clusters=clusters)
            warned += any(issubclass(w.category, TauhatWarning) for w in caught)
            lost[name].append(fitted.effect(X).mean() / fitted.reference_effect_)
        for name in NAMES if seed == 0 else ("MERF", "GPBoost"):
            fitted = single_estimator(name, random_state=1)
            fitted.fit(X, y, treatment=treatment, clusters=clusters)
            kept[name].append(fitted.effect(X).mean() / fitted.reference_effect_)
    assert max(np.mean(ratio) for ratio in lost.values()) < 0.8
    assert warned >= 3
    for name in NAMES:
        assert abs(np.mean(kept[name]) - 1) < 0.12, name


@pytest.mark.parametrize("form", ["x", "x-pooled", "dr", "r", "s-fixed"])
def test_forms_without_absorption_agree_on_the_average_effect(form):
    X, y, treatment, clusters = make_trial()
    model = MixedEffectsLearner(MERF(n_estimators=50), form=form, random_state=1)
    model.fit(X, y, treatment=treatment, clusters=clusters)
    assert abs(model.effect(X).mean() - model.reference_effect_) < 0.12
    assert 0.5 < model.variance_components_.residual < 1.5


def test_projection_recovers_part_of_what_the_textbook_loses():
    X, y, treatment, clusters = make_trial()
    means = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TauhatWarning)
        for form in ("s-projected", "textbook"):
            model = MixedEffectsLearner(MERF(), form=form, random_state=1)
            means[form] = model.fit(X, y, treatment=treatment, clusters=clusters).effect(X).mean()
    assert means["textbook"] + 0.05 < means["s-projected"] < 1.1


def test_nothing_learned_is_said():
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(10), 8)
    y = rng.normal(size=10)[clusters] + 0.1 * rng.normal(size=80)
    model = MixedEffectsLearner(GPBoost(max_rounds=0), form="textbook", random_state=1)
    with pytest.warns(TauhatWarning, match="found no effect of treatment at all"):
        model.fit(rng.normal(size=(80, 2)), y, treatment=clusters % 2, clusters=clusters)


def test_wrong_forms_are_refused():
    X, y, treatment, clusters = make_trial(m=8, size=5)
    for outcome, form, word in ((MERF(), "s", "form"), (GPBoost(), "s-projected", "GPBoost")):
        with pytest.raises(ValueError, match=word):
            MixedEffectsLearner(outcome, form=form).fit(
                X, y, treatment=treatment, clusters=clusters
            )


def test_every_name_is_in_the_registry_and_combines():
    assert set(NAMES) <= set(DIRECT)
    X, y, treatment, clusters = make_trial(m=12, size=8)
    for name in ("DR-GPBoost", "X-MERF"):
        fitted = single_estimator(name, random_state=1).reduced()
        fitted.fit(X, y, treatment=treatment, clusters=clusters)
        assert np.isfinite(fitted.effect(X)).all()


@pytest.mark.slow
def test_common_suite(monkeypatch):
    take_few_points(monkeypatch)
    check_cate_estimator(MixedEffectsLearner(MERF(n_estimators=8, linear_part=True)))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "MERF-textbook", "GPBoost-textbook"])
def test_common_suite_of_the_names(name):
    with warnings.catch_warnings():
        # The textbook forms say that they lost the effect.
        warnings.simplefilter("ignore", TauhatWarning)
        check_cate_estimator(single_estimator(name))
