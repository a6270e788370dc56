"""Regressors and classifiers of scikit-learn, and what looks like them, as outcome models."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.design.folds import cluster_folds
from tauhat.errors import TrialError
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.numerics.weights import mean_one
from tauhat.outcome_model import OutcomeModel

# Weights that differ by less than this share are all the same.
_SAME_WEIGHT = 1e-9
# Folds of a search that was given none, as in scikit-learn.
_SEARCH_FOLDS = 5


class ScikitLearnModel(OutcomeModel):
    r"""A regressor or classifier with scikit-learn's interface as an outcome model.

    Learners take such objects as they are, ``TLearner(RidgeCV())``; this class
    is what they make of them, and the place to say that a model is additive.
    A regressor predicts the mean outcome. A classifier needs an outcome of two
    values and predicts

    .. math:: \hat\mu(x) = y_0 + (y_1 - y_0)\, \hat P(Y = y_1 \mid X = x)

    Every fit is of a copy, with one job, its seeds derived from ``random_state``
    wherever the object or a part of it has a ``random_state``. Rows come in
    random order, since models that tune themselves often split them as they
    stand; those of a cluster stay together. Where the object itself has a ``cv``
    that is a number of folds or a splitter with groups, a cluster trial is
    split by whole clusters. Otherwise clusters are ignored: there is no random
    intercept. Covariates are an array, without the names of their columns.

    Parameters
    ----------
    estimator
        Any object with ``fit(X, y)`` and ``predict(X)``, such as a regressor, a
        pipeline or a grid search; a classifier needs ``predict_proba(X)`` too.
    additive
        True for a model that adds up its columns, such as a linear regression.
        An S-learner then gives it the products of treatment and covariates,
        without which it would estimate the same effect for everybody.
    random_state
        Seed.

    Attributes
    ----------
    model_
        The fitted copy; None for a classifier that saw one value only.
    values_
        The two values of a classifier's outcome.

    Raises
    ------
    TrialError
        On the fit, if the object is no such model, is a classifier and the outcome has not
        two values, or takes no ``sample_weight`` where weights are needed.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(200, 2))
    >>> relapse = (X[:, 0] + rng.logistic(size=200) > 0).astype(float)
    >>> risk = ScikitLearnModel(LogisticRegression()).fit(X, relapse).predict(X)
    >>> bool(0 < risk.min() < 0.3 < 0.7 < risk.max() < 1)
    True
    """

    def __init__(self, estimator: Any, additive: bool = False, random_state: Any = None) -> None:
        self.estimator = estimator
        self.additive = additive
        self.random_state = random_state

    @property
    def needs_interactions(self) -> bool:  # type: ignore[override]
        """Whether the model adds up its columns."""
        return self.additive

    def fit(
        self,
        X: FloatArray,
        y: FloatArray,
        *,
        clusters: IntArray | None = None,
        sample_weight: FloatArray | None = None,
    ) -> Self:
        """Fit a copy of the object to ``X`` of shape (n, p) and ``y`` of shape (n,)."""
        check_outcome_model(self.estimator)
        seed = resolve_seed(self.random_state)
        model = clone(self.estimator, safe=False)
        settle(model, seed)
        self.n_features_in_ = X.shape[1]
        self.values_: FloatArray | None = None
        self.model_: Any = None
        target: AnyArray = y
        if _kind(model) == "classifier":
            target = self._classes(y)
            if len(np.unique(target)) < 2:
                return self
        rows = _shuffled(len(y), clusters, seed)
        if clusters is not None:
            _split_by_cluster(model, X[rows], target[rows], clusters[rows], seed)
        arguments = {}
        if sample_weight is not None and np.ptp(sample_weight) > _SAME_WEIGHT * sample_weight.max():
            arguments[_weight_argument(model)] = mean_one(sample_weight)[rows]
        # Here, so that what the user routes to the learner is not asked of its parts.
        with config_context(enable_metadata_routing=False):
            self.model_ = model.fit(X[rows], target[rows], **arguments)
        return self

    def _classes(self, y: FloatArray) -> IntArray:
        """Outcome as 0 and 1; its values are kept."""
        values = np.unique(y)
        if len(values) > 2:
            raise TrialError(
                f"{_name(self.estimator)} is a classifier and needs an outcome of two values; "
                f"here it has {len(values)}: use a regressor (block intercepts and what "
                "goes with unequal allocation are taken out of the outcome first)"
            )
        self.values_ = values[[0, -1]]
        return (y == values[-1]).astype(np.int64) if len(values) == 2 else np.zeros(len(y), int)

    def predict(self, X: FloatArray) -> FloatArray:
        """Expected outcome at ``X`` of shape (k, p), shape (k,)."""
        if self.values_ is None:
            predicted: AnyArray = np.asarray(self.model_.predict(X), dtype=np.float64)
            if predicted.size != len(X):
                raise TrialError(
                    f"{_name(self.estimator)} predicts an array of shape {predicted.shape} for "
                    f"{len(X)} persons; one number a person is needed"
                )
            return predicted.reshape(len(X))
        low, high = self.values_
        if self.model_ is None:
            return np.full(len(X), low)
        mean: FloatArray = low + (high - low) * self.model_.predict_proba(X)[:, 1]
        return mean


def as_outcome_model(model: Any) -> OutcomeModel:
    """The outcome model given, or one around a regressor or classifier.

    Parameters
    ----------
    model
        A `tauhat.OutcomeModel`, or an object with ``fit`` and ``predict``.

    Returns
    -------
    OutcomeModel

    Raises
    ------
    TrialError
        If it is neither; the message says what is accepted.

    Examples
    --------
    >>> from sklearn.linear_model import RidgeCV
    >>> as_outcome_model(RidgeCV())
    ScikitLearnModel(estimator=RidgeCV())
    >>> as_outcome_model("RF")
    Traceback (most recent call last):
    tauhat.errors.TrialError: 'RF' is no outcome model; one is a tauhat.OutcomeModel or ...
    """
    if isinstance(model, OutcomeModel):
        return model
    check_outcome_model(model)
    return ScikitLearnModel(model)


def is_classifier(model: Any) -> bool:
    """Whether a model predicts classes, itself or as what a `ScikitLearnModel` wraps.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> is_classifier(ScikitLearnModel(LogisticRegression()))
    True
    """
    inner = model.estimator if isinstance(model, ScikitLearnModel) else model
    return not isinstance(inner, OutcomeModel) and _kind(inner) == "classifier"


def check_outcome_model(model: Any) -> None:
    """Raise a `TrialError` unless an object can predict an outcome.

    Examples
    --------
    >>> from sklearn.svm import LinearSVC
    >>> check_outcome_model(LinearSVC())
    Traceback (most recent call last):
    tauhat.errors.TrialError: LinearSVC is a classifier without predict_proba; ...
    """
    name = repr(model) if isinstance(model, (str, int, float)) or model is None else _name(model)
    accepted = (
        "one is a tauhat.OutcomeModel or a regressor or classifier with fit(X, y) and predict(X), "
        "such as those of scikit-learn"
    )
    if isinstance(model, type):
        raise TrialError(f"{model.__name__} is a class; give an object: {model.__name__}()")
    if hasattr(model, "predict_effect"):
        raise TrialError(f"{name} estimates effects, not an outcome; {accepted}")
    if not (_has(model, "fit") and _has(model, "predict")):
        raise TrialError(f"{name} is no outcome model; {accepted}")
    kind = _kind(model)
    if kind not in (None, "regressor", "classifier"):
        raise TrialError(f"{name} is a {kind.replace('_', ' ')}, no outcome model; {accepted}")
    if kind == "classifier" and not _has(model, "predict_proba"):
        raise TrialError(
            f"{name} is a classifier without predict_proba; effects are differences of "
            "probabilities: choose one that gives them, or a regressor"
        )


def settle(estimator: Any, seed: int) -> None:
    """Set seed and one job in an object and in the models that it holds.

    Parameters
    ----------
    estimator
        The object, changed in place.
    seed
        From which the seed of each part is derived.

    Examples
    --------
    >>> from sklearn.ensemble import BaggingRegressor, RandomForestRegressor
    >>> model = BaggingRegressor(RandomForestRegressor(n_jobs=4))
    >>> settle(model, 1)
    >>> model.estimator.n_jobs, model.estimator.random_state != model.random_state
    (1, True)
    """
    if hasattr(estimator, "get_params"):
        parameters = estimator.get_params(deep=True)
        for name, value in parameters.items():
            owner, _, last = name.rpartition("__")
            if last == "random_state":
                estimator.set_params(**{name: derive_seed(seed, name)})
            elif last == "n_jobs" and not (
                value is None and _of_scikit_learn(parameters.get(owner, estimator))
            ):
                estimator.set_params(**{name: 1})
            elif getattr(value, "shuffle", False) and hasattr(value, "random_state"):
                # A splitter of folds.
                value.random_state = derive_seed(seed, name)
        return
    for name, value in list(vars(estimator).items()):
        if name == "random_state":
            estimator.random_state = seed
        elif name == "n_jobs":
            estimator.n_jobs = 1
        parts = value if isinstance(value, (list, tuple)) else [value]
        for place, part in enumerate(parts):
            if hasattr(part, "get_params") and not isinstance(part, type):
                settle(part, derive_seed(seed, name, place))


def _of_scikit_learn(model: Any) -> bool:
    """Whether no number of jobs means one, as it does there and nowhere else."""
    return type(model).__module__.startswith("sklearn.")


def _name(model: Any) -> str:
    return type(model).__name__


def _has(model: Any, method: str) -> bool:
    # A stack of scikit-learn has its methods from its final model, once it is fitted.
    owner = type(model) if hasattr(model, "final_estimator") else model
    return callable(getattr(owner, method, None))


def _kind(model: Any) -> str | None:
    """What scikit-learn takes an object for, such as "regressor"; None if it does not say."""
    try:
        found: str | None = get_tags(model).estimator_type
    except Exception:
        # An object of another library need not know of tags.
        found = getattr(model, "_estimator_type", None)
    return found


def _shuffled(n: int, clusters: IntArray | None, seed: int) -> IntArray:
    """Rows in random order, those of a cluster together."""
    rng = np.random.default_rng(derive_seed(seed, "rows"))
    rows: IntArray = rng.permutation(n)
    if clusters is None:
        return rows
    place = rng.permutation(int(clusters.max()) + 1)[clusters]
    together: IntArray = rows[np.argsort(place[rows], kind="stable")]
    return together


def _is_search(model: Any) -> bool:
    """Whether a model tries settings of another one."""
    return hasattr(model, "estimator") and hasattr(model, "refit") and hasattr(model, "scoring")


def _split_by_cluster(
    model: Any, X: FloatArray, y: AnyArray, clusters: IntArray, seed: int
) -> None:
    """Have a model that splits its rows split them by whole clusters, where one can tell it to."""
    cv: Any = getattr(model, "cv", None)
    if cv is None and _is_search(model):
        cv = _SEARCH_FOLDS
    if len(np.unique(clusters)) < 2 or isinstance(cv, bool):
        return
    if isinstance(cv, int) and cv > 1:
        folds = cluster_folds(len(y), clusters, cv, derive_seed(seed, "cv"))
        numbers = range(int(folds.max()) + 1)
        model.cv = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in numbers]
    elif "Group" in _name(cv):
        model.cv = list(cv.split(X, y, groups=clusters))


def _weight_argument(model: Any) -> str:
    """Name under which the fit of a model takes weights of the rows."""
    if hasattr(model, "steps"):
        # A pipeline: the weights are its last step's.
        name, last = model.steps[-1]
        return f"{name}__{_weight_argument(last)}"
    if _is_search(model):
        return _weight_argument(model.estimator)
    if getattr(model, "regressor", None) is not None and hasattr(model, "transformer"):
        # A regression of a transformed target.
        return _weight_argument(model.regressor)
    members = getattr(model, "estimators", None)
    if isinstance(members, list) and members:
        # A vote or a stack hands the weights on to its members, under this name only.
        names = {_weight_argument(member) for _, member in members if member != "drop"}
        if names == {"sample_weight"}:
            return "sample_weight"
    if not has_fit_parameter(model, "sample_weight"):
        raise TrialError(
            f"the fit of {_name(model)} takes no sample_weight, and there are weights: the "
            "trial's own, or those that an R-learner needs where the probability of treatment is "
            "not one half. Leave sample_weight out, or choose another model or learner"
        )
    return "sample_weight"
