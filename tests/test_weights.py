"""Only the ratios of sample weights matter, for every registered name and outcome model."""

import numpy as np
import pytest

import tauhat as th
from tauhat.data import validate_trial
from tauhat.ensembles.aggregations import AGGREGATIONS
from tauhat.learners.catalog import single_estimator
from tauhat.learners.outcome_models import OUTCOME_MODELS, outcome_model
from tauhat.testing import example_trial


@pytest.fixture(scope="module")
def arrays():
    return example_trial(10, 6)


@pytest.fixture(scope="module")
def weight(arrays):
    return 0.5 + np.random.default_rng(3).random(len(arrays[1])).round(2)


def test_every_estimator_gets_the_same_weights_whatever_their_scale(arrays, weight):
    # That every registered name gets them from here is in the common suite (check_weights).
    X, y, arm, clusters = arrays
    small, one, large = (
        validate_trial(X, y, arm, clusters, scale * weight).sample_weight
        for scale in (1e-4, 1.0, 1e4)
    )
    np.testing.assert_array_equal(small, one)
    np.testing.assert_array_equal(large, one)
    assert abs(one.mean() - 1) < 1e-9
    for equal in (1e-4, 0.3, 7.0):
        found = validate_trial(X, y, arm, clusters, np.full(len(y), equal)).sample_weight
        assert found is None


@pytest.mark.slow
@pytest.mark.parametrize("rule", AGGREGATIONS)
@pytest.mark.filterwarnings("ignore")
def test_rules_of_ensembles_do_not_depend_on_the_scale(arrays, weight, rule):
    X, y, arm, clusters = arrays
    members = [(part, single_estimator(part)) for part in ("LMM", "T-LMM", "GAMM")]
    ensemble = th.estimator(rule, random_state=1).set_params(members=members)
    effects = [
        ensemble.fit(X, y, arm, clusters, sample_weight=scale * weight).effect(X)
        for scale in (1e-4, 1.0, 1e4)
    ]
    np.testing.assert_allclose(effects[0], effects[1], rtol=1e-9)
    np.testing.assert_allclose(effects[2], effects[1], rtol=1e-9)


def test_intervals_do_not_depend_on_the_scale(arrays, weight):
    X, y, arm, clusters = arrays
    small, one, large = (
        th.estimator("LMM", random_state=1)
        .fit(X, y, arm, clusters, sample_weight=scale * weight)
        .effect_interval(X[:5])
        for scale in (1e-4, 1.0, 1e4)
    )
    np.testing.assert_allclose(small, one, rtol=1e-9)
    np.testing.assert_allclose(large, one, rtol=1e-9)


QUICK = ("LMM", "GAMM", "Linear", "Boosting")


@pytest.mark.parametrize(
    "name",
    [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in OUTCOME_MODELS if n not in QUICK)],
)
@pytest.mark.filterwarnings("ignore")
def test_an_outcome_model_of_its_own_does_not_depend_on_the_scale(arrays, weight, name):
    X, y, _, clusters = arrays
    predicted = []
    for scale in (1e-4, 1.0, 1e4):
        model = outcome_model(name)
        if "random_state" in model.get_params():
            model.set_params(random_state=1)
        model.fit(X, y, clusters=clusters, sample_weight=scale * weight)
        predicted.append(model.predict(X))
    # Trees break ties by the last digit of the weights.
    tolerance = 0.01 * predicted[1].std()
    np.testing.assert_allclose(predicted[0], predicted[1], atol=tolerance)
    np.testing.assert_allclose(predicted[2], predicted[1], atol=tolerance)


def test_weights_of_mean_one_stay_as_they_are_and_others_keep_their_ratios(arrays, weight):
    X, y, arm, clusters = arrays
    mean_one = weight / weight.mean()
    kept = th.estimator("LMM").fit(X, y, arm, clusters, sample_weight=mean_one).trial_data_
    assert set(kept.sample_weight) == set(mean_one)
    scaled = th.estimator("LMM").fit(X, y, arm, clusters, sample_weight=1e300 * weight).trial_data_
    np.testing.assert_allclose(scaled.sample_weight, kept.sample_weight, rtol=1e-10)


def test_a_row_of_weight_two_counts_as_two_rows():
    X, y, arm, _ = example_trial(120, 1)
    twice = np.where(np.arange(120) < 60, 2.0, 1.0)
    rows = np.repeat(np.arange(120), twice.astype(int))
    model = th.estimator("T-LMM")
    weighted = model.fit(X, y, arm, sample_weight=twice).effect(X)
    np.testing.assert_allclose(weighted, model.fit(X[rows], y[rows], arm[rows]).effect(X))


@pytest.mark.parametrize(
    ("bad", "words"),
    [(0.0, "has 1 zero;"), (-1.0, "has 1 negative value;"), (np.nan, "1 missing")],
)
def test_zero_negative_and_missing_weights_are_refused(arrays, bad, words):
    X, y, arm, clusters = arrays
    weight = np.ones(len(y))
    weight[3] = bad
    with pytest.raises(ValueError, match=f"sample_weight.*{words}"):
        th.estimator("LMM").fit(X, y, arm, clusters, sample_weight=weight)
