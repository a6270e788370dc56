"""Every registered estimator passes the common suite."""

import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tauhat as th
from cli_runs import take_few_points
from tauhat.ensembles.aggregations import AGGREGATIONS
from tauhat.learners.catalog import single_estimator
from tauhat.learners.outcome_models import outcome_model
from tauhat.learners.t import TLearner
from tauhat.outcome import StackedModel
from tauhat.registry import registered
from tauhat.testing import Subject, check_cate_estimator, checks
from tauhat.testing.checks import CHECKS

ENSEMBLES = ("CBA", "Stacked-X", "Robust")
OTHER_AGGREGATIONS = [name for name in AGGREGATIONS if name not in ENSEMBLES]
SINGLES = [name for name in th.estimator_names() if name not in (*ENSEMBLES, *OTHER_AGGREGATIONS)]

# Each goes the way of one that is tried by default, with another outcome model or first stage
# (see `test_mixed_boosting` and `test_outcome_common`); all take their turn with the slow tests.
LIKE_ANOTHER = {
    "MEGB", "MERT-Boosting", "REEM-Boosting",  # GPBoost
    "X-AGLM", "X-Boosting", "X-GAMM-RF",  # X-RF
    "CF-DML-linear",  # CF-DML-forest
    "BCF",  # BCF-RE
}  # fmt: skip


def outcome(name):
    """The outcome to try an estimator on: numbers, but where it refuses them."""
    refused = registered(name).refuses
    times = {"continuous", "binary"} <= set(refused)
    return {"times": times, "events": "continuous" in refused and not times}


# The checks ask what holds of few trees as well as of many.
FEW = {
    "n_estimators": 8,
    "max_rounds": 8,
    "max_iterations": 3,
    "n_trees": 20,
    "n_outcome_trees": 15,
    "n_effect_trees": 8,
}


@pytest.fixture
def short(monkeypatch):
    """Short chains, and 250 columns for 40 persons, where the slow tests have a thousand."""
    take_few_points(monkeypatch)
    monkeypatch.setattr(checks, "MANY_COLUMNS", 250)


def with_few_trees(name):
    """An estimator at the settings of the bootstrap with a part of their trees and rounds."""
    model = th.estimator(name).reduced()
    settings = model.get_params(deep=True)
    fewer = {
        key: min(value, FEW[key.rpartition("__")[2]])
        for key, value in settings.items()
        if key.rpartition("__")[2] in FEW
    }
    return model.set_params(**fewer)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", [name for name in SINGLES if name not in LIKE_ANOTHER])
def test_single_estimator_with_few_trees(name):
    check_cate_estimator(with_few_trees(name), **outcome(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", SINGLES)
def test_single_estimator_at_the_settings_of_the_bootstrap(name):
    check_cate_estimator(th.estimator(name).reduced(), **outcome(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", SINGLES)
def test_single_estimator(name):
    check_cate_estimator(th.estimator(name), **outcome(name))


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", ["LMM", "GAMM"])
def test_learners_with_a_form_for_events(name):
    check_cate_estimator(th.estimator(name), events=True)


@pytest.mark.usefixtures("short")
def test_learner_on_a_model_of_scikit_learn():
    check_cate_estimator(TLearner(make_pipeline(StandardScaler(), Ridge())))


@pytest.mark.usefixtures("short")
def test_consensus_of_quick_members():
    members = [(name, single_estimator(name)) for name in ("LMM", "T-Linear", "X-LMM", "GAMM")]
    check_cate_estimator(th.estimator("CBA").set_params(members=members))


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHER_AGGREGATIONS)
def test_other_rules_of_quick_members(name):
    members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM", "GAMM")]
    check_cate_estimator(th.estimator(name).set_params(members=members))


@pytest.mark.usefixtures("short")
def test_robust_of_quick_members(monkeypatch):
    # Of its six models the slow test below makes use.
    stack = StackedModel([(name, outcome_model(name)) for name in ("LMM", "Linear")])
    for module in ("robust", "given_and_earned"):
        monkeypatch.setattr(f"tauhat.ensembles.{module}.imputing_stack", lambda: clone(stack))
    members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM")]
    check_cate_estimator(th.estimator("Robust").set_params(members=members, n_folds=2))


@pytest.mark.slow
def test_stacked_x_of_quick_members():
    members = [(name, outcome_model(name)) for name in ("LMM", "Linear", "GAMM")]
    check_cate_estimator(th.estimator("Stacked-X").set_params(members=members))


@pytest.mark.slow
@pytest.mark.parametrize("name", ENSEMBLES)
def test_ensemble_of_its_default_members(name):
    check_cate_estimator(th.estimator(name))


class Broken(type(th.estimator("LMM"))):
    """Adds the mean outcome of the rows it is asked about: depends on the company."""

    def predict_effect(self, X):
        return super().predict_effect(X) + X.mean()


def test_the_suite_finds_an_estimator_that_depends_on_the_company():
    with pytest.raises(AssertionError, match="Broken fails check_effect_shape"):
        check_cate_estimator(Broken())


class Labelled(type(th.estimator("LMM"))):
    """Learns from the order of the rows: cluster effects by position."""

    def fit(self, X, y, treatment=None, clusters=None, **others):
        self.first_ = float(y[0])
        return super().fit(X, y, treatment, clusters, **others)

    def predict_effect(self, X):
        return super().predict_effect(X) + self.first_


def test_the_suite_finds_an_estimator_that_depends_on_the_row_order():
    names = [check.__name__ for check in CHECKS]
    check = CHECKS[names.index("check_row_order_and_labels")]
    with pytest.raises(AssertionError):
        check(Subject(Labelled()))
