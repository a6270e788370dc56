"""Estimators fitted to one trial, equal ones and equal regressions once; failures as messages."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from joblib import hash as joblib_hash
from sklearn.base import clone

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.learning_view import learning_view
from tauhat.fitting.nuisance import Nuisance, NuisanceFit, fit_nuisances, pick
from tauhat.runtime.parallel import WorkerLostError, run_tasks


@dataclass(frozen=True)
class MemberFit:
    """What fitting one estimator gave.

    Attributes
    ----------
    estimator
        The fitted estimator, None if it failed; `fit_member` leaves it without its trial.
    message
        What went wrong, else empty.
    seconds
        Time that it would have taken alone.
    effects
        Its effects on the rows of the trial, shape (n,); None if it failed, and
        for ensembles and other libraries' estimators.
    """

    estimator: CateEstimator | None
    message: str
    seconds: float
    effects: FloatArray | None = None


def fit_member(
    member: CateEstimator,
    data: TrialData,
    nuisances: Mapping[str, NuisanceFit],
    seed: int,
) -> MemberFit:
    """Fit an estimator from shared regressions; a failure becomes a message."""
    shared = sum(fit.seconds for fit in nuisances.values())
    start = time.perf_counter()
    message = ""
    fitted: CateEstimator | None = None
    effects: FloatArray | None = None
    try:
        fitted = member.fit_with(data, nuisances, seed)
        effects = fitted.predict_effect(data.X)
        if not np.isfinite(effects).all():
            fitted, message = None, "it gave effects that are not finite"
        else:
            # Whoever asked has the trial and puts it back: no worker has to send a copy.
            del fitted.trial_data_
    except Exception as error:
        fitted, message = None, f"{type(error).__name__}: {error}"
    return MemberFit(fitted, message, time.perf_counter() - start + shared, effects)


def lost_member(error: WorkerLostError) -> MemberFit:
    """What is left of a fit whose worker process was lost."""
    return MemberFit(None, f"{type(error).__name__}: {error}", 0.0)


def prepared(estimator: CateEstimator, seed: int) -> CateEstimator:
    """Return an unfitted copy with a seed that uses one thread."""
    copy: CateEstimator = clone(estimator)
    copy.set_params(random_state=seed, n_jobs=1)
    return copy


def identity_of(estimator: CateEstimator) -> str:
    """Equal for two estimators that do the same."""
    kind = type(estimator)
    described = (kind.__module__, kind.__qualname__, estimator.get_params(deep=True))
    try:
        return str(joblib_hash(described))
    except Exception:
        # Objects of other libraries cannot always be pickled, which the hash needs.
        return f"object {id(estimator)}"


@dataclass(frozen=True)
class _Declared:
    """One distinct estimator and the regressions it declared, or why it could not."""

    estimator: CateEstimator
    nuisances: Sequence[Nuisance]
    message: str


class SharedFits:
    """Estimators that are fitted to one trial with one seed, each distinct one once.

    Parameters
    ----------
    data
        The trial as its learners see it.
    seed
        Seed of every estimator.
    """

    def __init__(self, data: TrialData, seed: int) -> None:
        self.data = data
        self.seed = seed
        self._declared: dict[str, _Declared] = {}

    def add(self, estimator: CateEstimator) -> str:
        """Take an estimator, of which a copy is fitted; the key under which its fit is found."""
        copy = prepared(estimator, self.seed)
        identity = identity_of(copy)
        if identity not in self._declared:
            try:
                nuisances = copy.declare_nuisances(self.data, self.seed)
                self._declared[identity] = _Declared(copy, nuisances, "")
            except Exception as error:
                self._declared[identity] = _Declared(copy, (), f"{type(error).__name__}: {error}")
        return identity

    def nuisances(self, identity: str) -> Sequence[Nuisance]:
        """Regressions that an estimator declared."""
        return self._declared[identity].nuisances

    @property
    def all_nuisances(self) -> list[Nuisance]:
        """Regressions that the estimators declared, equal ones as often as they were."""
        return [one for declared in self._declared.values() for one in declared.nuisances]

    def fit(self, fits: Mapping[str, NuisanceFit], *, n_jobs: int = 1) -> dict[str, MemberFit]:
        """Fit the estimators, given their regressions; by their keys."""
        ready = {key: one for key, one in self._declared.items() if not one.message}
        tasks = [
            (one.estimator, self.data, pick(one.nuisances, fits), self.seed)
            for one in ready.values()
        ]
        found = run_tasks(fit_member, tasks, n_jobs=n_jobs, on_lost=lost_member)
        results = dict(zip(ready, found, strict=True))
        for key, one in self._declared.items():
            if one.message:
                results[key] = MemberFit(None, one.message, 0.0)
        for result in results.values():
            if result.estimator is not None:
                result.estimator.trial_data_ = self.data
        return results


def fit_sharing(
    estimators: Mapping[str, CateEstimator], data: TrialData, seed: int
) -> dict[str, MemberFit]:
    """Fit estimators to a trial, equal ones and equal regressions once.

    What ensembles have in common is for `tauhat.ensembles.together.fit_together`.

    Parameters
    ----------
    estimators
        By name; they are copied, not changed.
    data
        The trial.
    seed
        Seed of every estimator.

    Returns
    -------
    dict
        `MemberFit` by name.
    """
    data = learning_view(data)
    shared = SharedFits(data, seed)
    keys = {name: shared.add(estimator) for name, estimator in estimators.items()}
    fitted = shared.fit(fit_nuisances(shared.all_nuisances, data))
    return {name: fitted[key] for name, key in keys.items()}
