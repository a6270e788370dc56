"""Estimators are scikit-learn citizens: clone, pipelines, routing, grid search."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tauhat as th
from tauhat.data import validate_trial
from tauhat.learners.additive_mixed_effect import AdditiveMixedEffect
from tauhat.learners.linear_mixed_effect import LinearMixedEffect
from tauhat.learners.t import TLearner
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.testing import example_trial


@pytest.fixture
def arrays():
    return example_trial(n_clusters=24, size=10)


def test_pipeline_with_routed_treatment_and_clusters(arrays):
    X, y, treatment, clusters = arrays
    with config_context(enable_metadata_routing=True):
        model = LinearMixedEffect().set_fit_request(treatment=True, clusters=True)
        pipeline = make_pipeline(StandardScaler(), model)
        pipeline.fit(X, y, treatment=treatment, clusters=clusters)
        direct = LinearMixedEffect().fit(X, y, treatment=treatment, clusters=clusters)
        np.testing.assert_allclose(pipeline.predict(X), direct.effect(X), rtol=1e-6)


def test_cross_validation_by_cluster(arrays):
    X, y, treatment, clusters = arrays
    with config_context(enable_metadata_routing=True):
        model = LinearMixedEffect()
        model.set_fit_request(treatment=True, clusters=True)
        model.set_score_request(treatment=True, clusters=True)
        result = cross_validate(
            model,
            X,
            y,
            cv=GroupKFold(3),
            params={"treatment": treatment, "clusters": clusters, "groups": clusters},
        )
    assert result["test_score"].shape == (3,)
    assert np.isfinite(result["test_score"]).all()


def test_grid_search_over_a_nested_parameter(arrays):
    X, y, treatment, _ = arrays
    with config_context(enable_metadata_routing=True):
        model = TLearner(AdditiveMixedModel(), random_state=1)
        model.set_fit_request(treatment=True).set_score_request(treatment=True)
        search = GridSearchCV(model, {"outcome_model__n_splines": [4, 8]}, cv=3)
        search.fit(X, y, treatment=treatment)
    assert search.best_params_["outcome_model__n_splines"] in (4, 8)


def test_score_prefers_the_true_effect():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(4000, 1))
    A = rng.integers(0, 2, 4000)
    y = A * 2 * X[:, 0] + rng.normal(size=4000)
    model = LinearMixedEffect().fit(X[:2000], y[:2000], treatment=A[:2000])
    wrong = LinearMixedEffect().fit(X[:2000], -y[:2000], treatment=A[:2000])
    held_out = {"X": X[2000:], "y": y[2000:], "treatment": A[2000:]}
    assert model.score(**held_out) > wrong.score(**held_out) + 1


def test_clone_keeps_parameters_and_drops_the_fit(arrays):
    X, y, treatment, clusters = arrays
    fitted = AdditiveMixedEffect(n_splines=6).fit(X, y, treatment=treatment, clusters=clusters)
    copy = clone(fitted)
    assert copy.n_splines == 6
    assert not hasattr(copy, "n_features_in_")


def test_html_representation_names_the_estimator():
    assert "LinearMixedEffect" in LinearMixedEffect()._repr_html_()


def test_any_table_with_to_pandas_is_taken(arrays):
    X, y, treatment, clusters = arrays

    class Frame:
        columns = ("a", "b", "c", "d")

        def to_pandas(self):
            return pd.DataFrame(X, columns=list(self.columns))

    from_frame = LinearMixedEffect().fit(Frame(), y, treatment=treatment, clusters=clusters)
    direct = LinearMixedEffect().fit(X, y, treatment=treatment, clusters=clusters)
    np.testing.assert_array_equal(from_frame.effect(Frame()), direct.effect(X))


GRID = {"outcome_model__n_splines": [4, 8]}


@pytest.mark.parametrize("n_splits", [3, 12])
def test_grid_search_over_whole_clusters_needs_no_requests(arrays, n_splits):
    X, y, treatment, clusters = arrays
    metadata = {"treatment": treatment, "clusters": clusters}
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(TLearner(AdditiveMixedModel()), GRID, cv=GroupKFold(n_splits))
        search.fit(X, y, **metadata, groups=clusters)
        # Parts of one cluster in an arm, or of one arm, have a score too.
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        named = GroupKFold(n_splits).set_split_request(groups="clusters")
        again = GridSearchCV(TLearner(AdditiveMixedModel()), GRID, cv=named).fit(X, y, **metadata)
    np.testing.assert_array_equal(
        again.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )
    alone = cross_val_score_by_hand(X, y, treatment, clusters, n_splits)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"][0], alone)


def cross_val_score_by_hand(X, y, treatment, clusters, n_splits):
    scores = []
    for learn, test in GroupKFold(n_splits).split(X, y, clusters):
        model = TLearner(AdditiveMixedModel(n_splines=4))
        model.fit(X[learn], y[learn], treatment=treatment[learn], clusters=clusters[learn])
        scores.append(model.score(X[test], y[test], treatment[test], clusters[test]))
    return np.mean(scores)


# scikit-learn says what is missing, and then that there are no scores.
@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_without_routing_the_message_says_what_is_missing(arrays):
    X, y, treatment, clusters = arrays
    search = GridSearchCV(TLearner(AdditiveMixedModel()), GRID, cv=GroupKFold(3))
    metadata = {"treatment": treatment, "clusters": clusters, "groups": clusters}
    with pytest.warns(UserWarning, match=r"needs the treatment.*enable_metadata_routing=True"):
        search.fit(X, y, **metadata)
    with pytest.raises(ValueError, match=r"needs the treatment.*enable_metadata_routing=True"):
        search.set_params(error_score="raise").fit(X, y, **metadata)
    with pytest.raises(ValueError, match=r"needs the treatment.*enable_metadata_routing=True"):
        GridSearchCV(LinearMixedEffect(), {}, error_score="raise").fit(X, y)


def test_a_held_out_part_of_one_arm_is_scored_by_the_propensity_of_the_fit(arrays):
    X, y, treatment, clusters = arrays
    model = LinearMixedEffect().fit(X, y, treatment=treatment, clusters=clusters)
    one = clusters == 1
    centred = 2 * (y[one] - y[one].mean())
    expected = -np.mean((centred - model.effect(X[one])) ** 2)
    assert model.score(X[one], y[one], treatment[one], clusters[one]) == pytest.approx(expected)


def test_columns_are_checked_however_the_estimator_was_fitted(arrays, tmp_path):
    X, y, treatment, clusters = arrays
    names = ["x1", "x2", "x3", "x4"]
    frame = pd.DataFrame(X, columns=names).assign(y=y, arm=treatment, clinic=clusters)
    trial = th.Trial(frame, outcome="y", treatment="arm", cluster="clinic", covariates=names)
    by_trial, analysis = trial.fit("LMM"), LinearMixedEffect().fit_data(validate_trial(*trial))
    th.save(by_trial, tmp_path / "model.tauhat")
    for model in (by_trial, analysis, th.load(tmp_path / "model.tauhat"), pickled(by_trial)):
        assert list(model.feature_names_in_) == names
        for call in (
            model.effect,
            model.effect_interval,
            lambda X, model=model: model.score(X, y, treatment, clusters),
        ):
            with pytest.raises(ValueError, match="another order"):
                call(trial.X[names[::-1]])
    # A model of an array has no names to check.
    nameless = LinearMixedEffect().fit(X, y, treatment=treatment, clusters=clusters)
    np.testing.assert_array_equal(nameless.effect(trial.X), nameless.effect(X))


def pickled(model):
    return pickle.loads(pickle.dumps(model))
