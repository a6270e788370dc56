"""Estimators of effects from other libraries, with the interface of ours."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.errors import TauhatWarning, TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.fitting.scikit_learn import settle
from tauhat.numerics.seeds import derive_seed

# What libraries call the arguments of `fit`; the first name that a signature has is used, so
# that EconML's W (controls) is not taken for the treatment where there is a T.
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "covariates": ("X", "x"),
    "outcome": ("y", "Y"),
    "treatment": ("treatment", "T", "t", "A", "a", "W", "w"),
    "clusters": ("clusters", "groups"),
    "sample_weight": ("sample_weight",),
    "blocks": ("blocks",),
    "propensity": ("propensity", "p"),
    "seed": ("seed",),
}
_REQUIRED = ("covariates", "outcome", "treatment")


class ExternalEstimator(CateEstimator):
    """An estimator of effects from another library.

    It needs ``fit`` and one of ``effect`` and ``predict``. The arguments of
    ``fit`` are found by their names: ``fit(Y, T, X=X)`` as in EconML,
    ``fit(X, treatment, y)`` as in causalml, ``fit(X, y, treatment=...)`` as
    here. Clusters go to an argument ``clusters`` or ``groups``, the known
    propensity to ``propensity`` or ``p``. Every fit is of a copy, with one job
    and with the seed set wherever the estimator or a model in it has a
    ``random_state``. Ensembles wrap such objects by themselves.

    Parameters
    ----------
    estimator
        The object, not changed.
    random_state, n_jobs
        As in `tauhat.CateEstimator`; ``n_jobs`` is not used.

    Attributes
    ----------
    fitted_
        The fitted copy.

    Warns
    -----
    TauhatWarning
        If a cluster trial, or one with weights, is fitted by an estimator that
        takes no clusters or weights.

    Raises
    ------
    TrialError
        If the signature of ``fit`` cannot be read, or the effects are not one
        number a person.

    Examples
    --------
    >>> from econml.metalearners import TLearner
    >>> from sklearn.linear_model import LinearRegression
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), rng.integers(0, 2, 200)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + 0.1 * rng.normal(size=200)
    >>> outside = TLearner(models=LinearRegression())
    >>> model = ExternalEstimator(outside, random_state=1).fit(X, y, treatment=A)
    >>> bool(abs(model.effect([[0.0, 1.0]])[0] - 2) < 0.1)
    True
    """

    flips_exactly: ClassVar[bool] = False

    def __init__(self, estimator: Any, random_state: Any = None, n_jobs: int = 1) -> None:
        self.estimator = estimator
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Nothing: the object fits its own."""
        return ()

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit a copy of the object."""
        self._effect_method()
        own_seed = derive_seed(seed, "external")
        values: dict[str, Any] = {
            "covariates": data.X,
            "outcome": data.working,
            "treatment": data.treatment,
            "clusters": data.clusters,
            "sample_weight": data.sample_weight,
            "blocks": data.blocks,
            "propensity": data.propensity,
            "seed": own_seed,
        }
        names = fit_arguments(self.estimator)
        for role in ("clusters", "sample_weight"):
            if values[role] is not None and role not in names:
                what = "clusters" if role == "clusters" else "sample weights"
                warnings.warn(
                    f"{type(self.estimator).__name__} ignores {what}: its fit takes none",
                    TauhatWarning,
                    stacklevel=2,
                )
        self.fitted_ = clone(self.estimator, safe=False)
        settle(self.fitted_, own_seed)
        arguments = {name: values[role] for role, name in names.items()}
        self.fitted_.fit(**{name: v for name, v in arguments.items() if v is not None})
        self.propensity_ = float(data.propensity.mean())

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        method = getattr(self.fitted_, self._effect_method())
        extra = {}
        # causalml's X-learner needs the propensity of new persons too.
        if "p" in _parameters(method):
            extra["p"] = np.full(len(X), self.propensity_)
        effect = np.asarray(method(X, **extra), dtype=np.float64)
        if effect.ndim > 1 and effect.shape[0] == len(X) and effect.size == len(X):
            effect = effect.reshape(len(X))
        if effect.shape != (len(X),):
            raise TrialError(
                f"{type(self.estimator).__name__} gave effects of shape {effect.shape} for "
                f"{len(X)} persons; one number a person is needed"
            )
        return effect

    def _effect_method(self) -> str:
        for name in ("effect", "predict"):
            if callable(getattr(self.estimator, name, None)):
                return name
        raise TrialError(
            f"{type(self.estimator).__name__} has neither effect(X) nor predict(X); "
            "write a tauhat.CateEstimator around it"
        )


def fit_arguments(estimator: Any) -> dict[str, str]:
    """Names that an estimator's ``fit`` has for covariates, outcome, treatment and so on.

    Parameters
    ----------
    estimator
        Any object with ``fit``.

    Returns
    -------
    dict
        Name of the argument by role, for the roles that ``fit`` takes.

    Raises
    ------
    TrialError
        If there is no ``fit``, a needed role has no argument, or an argument
        without default has no role.

    Examples
    --------
    >>> from econml.grf import CausalForest
    >>> names = fit_arguments(CausalForest())
    >>> names["treatment"], names["outcome"]
    ('T', 'y')
    """
    kind = type(estimator).__name__
    if not callable(getattr(estimator, "fit", None)):
        raise TrialError(f"{kind} is no estimator: it has no fit")
    parameters = _parameters(estimator.fit)
    names = {}
    for role, candidates in _ARGUMENTS.items():
        found = [name for name in candidates if name in parameters]
        if found:
            names[role] = found[0]
    missing = [role for role in _REQUIRED if role not in names]
    if missing:
        raise TrialError(
            f"the fit of {kind} has no argument for {' and '.join(missing)} (it takes "
            f"{', '.join(parameters)}); write a tauhat.CateEstimator around it"
        )
    unfilled = [
        name
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind is not inspect.Parameter.VAR_KEYWORD
        and parameter.kind is not inspect.Parameter.VAR_POSITIONAL
        and name not in names.values()
    ]
    if unfilled:
        raise TrialError(
            f"the fit of {kind} needs {', '.join(unfilled)}, which a trial does not have; "
            "write a tauhat.CateEstimator around it"
        )
    return names


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters
