"""What every estimator of effects must do, ours or a third party's."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from tauhat._typing import FloatArray
from tauhat.testing.subject import Subject, fit_given, fit_trial

Check = Callable[[Subject], None]

#: Columns of `check_many_columns`.
MANY_COLUMNS = 1000


def _close(first: FloatArray, second: FloatArray, tolerance: float) -> None:
    """Equal up to a share of the spread and size of the effects."""
    scale = max(float(np.std(first)), 0.1 * float(np.abs(first).mean()), 1e-12)
    distance = float(np.sqrt(np.mean((first - second) ** 2))) / scale
    assert distance <= tolerance, f"effects differ by {distance:.2g} of their spread"


def check_parameters(subject: Subject) -> None:
    """Parameters live in ``__init__`` only, survive `clone` and are not changed by `fit`."""
    copy = clone(subject.estimator)
    before = {key: repr(value) for key, value in copy.get_params(deep=False).items()}
    assert {"random_state", "n_jobs"} <= set(before), "random_state and n_jobs are required"
    X, y, treatment, clusters = subject.arrays
    arguments = {"X": X, "y": y, "treatment": treatment, "clusters": clusters}
    fitted = fit_given(copy, arguments, times=subject.times)
    assert fitted is copy, "fit must return self"
    after = {key: repr(value) for key, value in copy.get_params(deep=False).items()}
    assert before == after, "fit changed the parameters"


def check_effect_shape(subject: Subject) -> None:
    """`effect` gives one finite number a person, the same alone or in company."""
    X, y, _, _ = subject.arrays
    assert subject.effect.shape == y.shape
    assert np.isfinite(subject.effect).all()
    alone = subject.fitted.effect(X[3:5])
    np.testing.assert_allclose(alone, subject.effect[3:5], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(subject.fitted.predict(X), subject.effect)


def check_inputs_untouched(subject: Subject) -> None:
    """Neither `fit` nor `effect` writes to what it is given."""
    fresh = subject.trial()
    assert subject.effect is not None
    for array, copy in zip(subject.arrays, fresh, strict=True):
        np.testing.assert_array_equal(array, copy)


def check_same_seed(subject: Subject) -> None:
    """The same seed gives the same bytes, with one job or two."""
    two_jobs = clone(subject.estimator).set_params(n_jobs=2)
    again = fit_trial(two_jobs, subject.arrays, times=subject.times)
    np.testing.assert_array_equal(again.effect(subject.arrays[0]), subject.effect)


def check_row_order_and_labels(subject: Subject) -> None:
    """Shuffled rows and renamed clusters change nothing."""
    X, y, treatment, clusters = subject.arrays
    order = np.random.default_rng(1).permutation(len(y))
    names = np.array([f"clinic {(5 * c) % 17:02d}" for c in clusters], dtype=object)
    shuffled = subject.fit(
        X=X[order], y=y[order], treatment=treatment[order], clusters=names[order]
    )
    np.testing.assert_array_equal(shuffled.effect(X), subject.effect)


def check_affine_outcome(subject: Subject) -> None:
    """The effect scales with the outcome, whatever its origin; that on no event is opposite.

    Times have their origin.
    """
    X, y, _, _ = subject.arrays
    if subject.events:
        tolerance = 1e-6 if subject.estimator.flips_exactly else 0.75
        _close(-subject.effect, subject.fit(y=1 - y).effect(X), tolerance)
        return
    _close(2 * subject.effect, subject.fit(y=2 * y).effect(X), 1e-6)
    if subject.times:
        return
    # A Markov chain turns the rounding of a shift into another draw of its posterior.
    tolerance = 0.02 if subject.estimator.flips_exactly else 0.75
    _close(3 * subject.effect, subject.fit(y=10 + 3 * y).effect(X), tolerance)


def check_swapped_arms(subject: Subject) -> None:
    """Exchanging treatment and control turns the sign of the effect."""
    X, _, treatment, _ = subject.arrays
    swapped = subject.fit(treatment=1 - treatment).effect(X)
    _close(-subject.effect, swapped, 1e-6 if subject.estimator.flips_exactly else 0.75)


def check_tables(subject: Subject) -> None:
    """A DataFrame and its array give the same effects; its names are kept and checked."""
    X, table, fitted = subject.arrays[0], subject.table, subject.fitted_to_table
    np.testing.assert_array_equal(fitted.effect(table), subject.effect)
    assert list(fitted.feature_names_in_) == list(table.columns)
    _raises(lambda: fitted.effect(table.rename(columns={"age": "years"})), "age")
    _raises(lambda: fitted.effect(X[:, :2]), "2")


def check_columns(subject: Subject) -> None:
    """Every method that takes covariates refuses a table with other columns or another order."""
    _, y, treatment, clusters = subject.arrays
    table, fitted = subject.table, subject.fitted_to_table
    methods: dict[str, Callable[[Any], Any]] = {
        "effect": fitted.effect,
        "predict": fitted.predict,
        "effect_interval": fitted.effect_interval,
        "risks": fitted.risks,
        "score": lambda X: fitted.score(X, y, treatment=treatment, clusters=clusters),
    }
    if fitted.has_draws:
        methods["effect_draws"] = fitted.effect_draws
    wrong = {
        "order": table[["sbp", "age", "bmi", "beds"]],
        "bmi": table.drop(columns="bmi"),
        "rooms": table.assign(rooms=1.0),
        "years": table.rename(columns={"age": "years"}),
    }
    for name, method in methods.items():
        for word, other in wrong.items():
            try:
                _raises(lambda: method(other), word)  # noqa: B023
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error
    assert np.isfinite(fitted.score(table, y, treatment=treatment, clusters=clusters))


def check_pickle(subject: Subject) -> None:
    """A fitted estimator survives pickling."""
    copy = pickle.loads(pickle.dumps(subject.fitted))
    np.testing.assert_array_equal(copy.effect(subject.arrays[0]), subject.effect)


def check_not_fitted(subject: Subject) -> None:
    """Every method that takes covariates says before the fit that it is not fitted."""
    X, y, treatment, _ = subject.arrays
    unfitted = clone(subject.estimator)
    for name in ("effect", "predict", "effect_interval", "effect_draws", "risks", "score"):
        arguments = (X, y, treatment) if name == "score" else (X,)
        try:
            getattr(unfitted, name)(*arguments)
        except NotFittedError:
            continue
        raise AssertionError(f"{name}() before fit() must raise NotFittedError")


def check_new_clusters(subject: Subject) -> None:
    """The effect is that for a person in a new cluster: labels are no input to it."""
    X = subject.arrays[0]
    twice = subject.fitted.effect(np.vstack([X[:1], X[:1]]))
    assert twice[0] == twice[1]
    unseen = X.copy()
    unseen[:, -1] += 0.01
    assert np.isfinite(subject.fitted.effect(unseen)).all()


def check_individual_trial(subject: Subject) -> None:
    """Without clusters the estimator works on a trial of 20 persons."""
    X, y, treatment, _ = subject.trial(n_clusters=20, size=1)
    fitted = subject.fit_to((X, y, treatment, treatment), clusters=None)
    assert np.isfinite(fitted.effect(X)).all()


def check_many_columns(subject: Subject) -> None:
    """A thousand columns and 40 persons in 8 clusters."""
    X, y, treatment, clusters = subject.trial(n_clusters=8, size=5, n_features=MANY_COLUMNS)
    effect = subject.fit_to((X, y, treatment, clusters)).effect(X)
    assert np.isfinite(effect).all()
    assert np.abs(effect).max() < 100 * np.ptp(y)


def check_constant_column(subject: Subject) -> None:
    """Constant and duplicated columns do no harm."""
    X = subject.arrays[0]
    wide = np.column_stack([X, np.full(len(X), 3.0), X[:, 0]])
    assert np.isfinite(subject.fit(X=wide).effect(wide)).all()


def check_interval(subject: Subject) -> None:
    """Intervals contain the estimate for most persons and widen with the level."""
    X, y, _, _ = subject.arrays
    some = X[::12]
    narrow, wide = (subject.fitted.effect_interval(some, level=level) for level in (0.5, 0.95))
    assert (wide[1] - wide[0] > narrow[1] - narrow[0]).all()
    effect = subject.effect[::12]
    assert np.mean((wide[0] <= effect) & (effect <= wide[1])) > 0.9
    assert (wide[1] - wide[0]).max() < 50 * y.std()
    _raises(lambda: subject.fitted.effect_interval(some, level=95), "level")


def check_draws(subject: Subject) -> None:
    """Posterior draws, where they exist, have the effect as their mean."""
    X = subject.arrays[0]
    if not subject.fitted.has_draws:
        try:
            subject.fitted.effect_draws(X)
        except NotImplementedError:
            return
        raise AssertionError("effect_draws() without a posterior must raise NotImplementedError")
    draws = subject.fitted.effect_draws(X)
    assert draws.ndim == 2
    assert draws.shape[1] == len(X)
    assert (draws.std(axis=0) > 0).all()
    # Of an event the effects differ little beside the error of a few hundred draws.
    _close(subject.effect, draws.mean(axis=0), 0.1 if subject.events else 0.02)


def check_weights(subject: Subject) -> None:
    """Only the ratios of sample weights matter; equal weights are no weights."""
    X, y, _, _ = subject.arrays
    weight = 1.0 + np.arange(len(y)) % 3
    small, large = (subject.fit(sample_weight=scale * weight).effect(X) for scale in (1e-4, 1e4))
    _close(small, large, 1e-6)
    _close(subject.effect, subject.fit(sample_weight=np.full(len(y), 7.0)).effect(X), 1e-6)


def check_bad_input(subject: Subject) -> None:
    """Bad input is refused with an error that says what is wrong."""
    X, y, treatment, clusters = subject.arrays
    with_nan, with_inf = X.copy(), X.copy()
    with_nan[2, 1] = np.nan
    with_inf[2, 1] = np.inf
    one_cluster = np.where(clusters == 0, 0, 1)
    bad: list[tuple[dict[str, Any], str]] = [
        ({"X": with_nan}, "x2"),
        ({"X": with_inf}, "x2"),
        ({"X": pd.DataFrame({"sex": ["f"] * len(y)})}, "sex"),
        ({"X": X[:, 0]}, "dimension"),
        ({"y": np.where(np.arange(len(y)) == 3, np.nan, y)}, "y"),
        ({"y": np.ones(len(y))}, "constant"),
        ({"y": y[:-1]}, "y"),
        ({"treatment": np.ones(len(y))}, "one arm"),
        ({"treatment": treatment + 1}, "treatment"),
        ({"treatment": None}, "treatment"),
        ({"treatment": treatment[:-1]}, "treatment"),
        ({"treatment": np.arange(len(y)) % 2}, "within"),
        ({"clusters": one_cluster, "treatment": one_cluster}, "clusters"),
        ({"clusters": clusters[:-1]}, "clusters"),
        ({"propensity": 1.0}, "propensity"),
        ({"sample_weight": np.zeros(len(y))}, "sample_weight"),
        ({"sample_weight": np.r_[-1.0, np.ones(len(y) - 1)]}, "sample_weight"),
        ({"sample_weight": np.r_[np.nan, np.ones(len(y) - 1)]}, "sample_weight"),
        ({"sample_weight": np.ones(len(y) - 1)}, "sample_weight"),
    ]
    for changes, word in bad:
        _raises(lambda changes=changes: subject.fit(**changes), word)  # type: ignore[misc]


def _raises(call: Callable[[], Any], word: str) -> None:
    message = None
    try:
        call()
    except ValueError as error:
        message = str(error)
    assert message is not None, f"no ValueError that mentions {word!r}"
    assert word in message, f"the message does not mention {word!r}: {message}"


CHECKS: tuple[Check, ...] = (
    check_parameters,
    check_effect_shape,
    check_inputs_untouched,
    check_same_seed,
    check_row_order_and_labels,
    check_affine_outcome,
    check_swapped_arms,
    check_tables,
    check_columns,
    check_pickle,
    check_not_fitted,
    check_new_clusters,
    check_individual_trial,
    check_many_columns,
    check_constant_column,
    check_interval,
    check_draws,
    check_weights,
    check_bad_input,
)


def cate_checks(
    estimator: Any, *, events: bool = False, times: bool = False
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Name and call of every check, for use with a test runner's parametrization.

    Parameters
    ----------
    estimator
        Unfitted estimator with the interface of `tauhat.CateEstimator`.
    events
        Whether to try it on an outcome that is an event.
    times
        Whether to try it on a time to an event.

    Yields
    ------
    name, call

    Examples
    --------
    >>> from tauhat.learners import LinearMixedEffect
    >>> [name for name, _ in cate_checks(LinearMixedEffect())][:2]
    ['check_parameters', 'check_effect_shape']
    """
    subject = Subject(estimator, events=events, times=times)
    for check in CHECKS:
        yield check.__name__, partial(check, subject)


def check_cate_estimator(estimator: Any, *, events: bool = False, times: bool = False) -> None:
    """Run the whole suite on an estimator.

    Parameters
    ----------
    estimator
        Unfitted estimator with the interface of `tauhat.CateEstimator`.
    events
        Whether to run it on an outcome that is an event.
    times
        Whether to run it on a time to an event.

    Raises
    ------
    AssertionError
        With the name of the first check that fails and what it found.

    Examples
    --------
    >>> from tauhat.learners import LinearMixedEffect
    >>> check_cate_estimator(LinearMixedEffect())
    """
    for name, call in cate_checks(estimator, events=events, times=times):
        try:
            call()
        except Exception as error:
            raise AssertionError(
                f"{type(estimator).__name__} fails {name}: {type(error).__name__}: {error}"
            ) from error
