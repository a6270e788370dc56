"""Estimators are scikit-learn citizens: clone, pipelines, routing, grid search."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tauhat.learners.gamm import AdditiveMixedEffect
from tauhat.learners.linear_mixed import LinearMixedEffect
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
