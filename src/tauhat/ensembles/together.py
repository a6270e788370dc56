"""Many estimators on one trial, each distinct piece of work done once."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joblib import hash as joblib_hash
from sklearn.base import clone

from tauhat.cate_estimator import CateEstimator
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble, MemberFit, fit_member
from tauhat.errors import TauhatWarning
from tauhat.nuisance import Nuisance, NuisanceFit, fit_nuisances, pick
from tauhat.parallel import run_tasks


@dataclass(frozen=True)
class _Single:
    """One distinct estimator and the regressions it declared, or why it could not."""

    estimator: CateEstimator
    declared: Sequence[Nuisance]
    message: str


def _prepared(estimator: CateEstimator, seed: int) -> CateEstimator:
    copy: CateEstimator = clone(estimator)
    copy.set_params(random_state=seed, n_jobs=1)
    return copy


def _identity(estimator: CateEstimator) -> str:
    """Equal for two estimators that do the same."""
    kind = type(estimator)
    described = (kind.__module__, kind.__qualname__, estimator.get_params(deep=True))
    return str(joblib_hash(described))


def _declare(estimator: CateEstimator, data: TrialData, seed: int) -> _Single:
    try:
        return _Single(estimator, estimator.declare_nuisances(data, seed), "")
    except Exception as error:
        return _Single(estimator, (), f"{type(error).__name__}: {error}")


def fit_together(
    estimators: Mapping[str, CateEstimator], data: TrialData, seed: int, *, n_jobs: int = 1
) -> dict[str, MemberFit]:
    """Fit many estimators to one trial, sharing all that they have in common.

    Equal regressions are fitted once, and so are equal estimators: an ensemble
    takes the members that stand in ``estimators`` too, or in another ensemble.
    Every estimator gets the same seed, so the results are those of separate
    fits with that seed.

    Parameters
    ----------
    estimators
        Estimators by name; they are copied, not changed.
    data
        The trial.
    seed
        Seed of every estimator.
    n_jobs
        Number of fits at once.

    Returns
    -------
    dict
        `tauhat.ensembles.ensemble.MemberFit` by name: the fitted estimator, the
        message of its failure (or of the members that an ensemble goes
        without), and the seconds that it would have taken alone (shared work
        counts for each).

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.data import validate_trial
    >>> from tauhat.learners.t import TLearner
    >>> from tauhat.learners.x import XLearner
    >>> from tauhat.outcome.linear_mixed import LinearMixedModel
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(80, 2)), np.tile([0, 1], 40)
    >>> data = validate_trial(X, X[:, 0] + A + rng.normal(size=80), A)
    >>> learners = {"T": TLearner(LinearMixedModel()), "X": XLearner(LinearMixedModel())}
    >>> fits = fit_together(learners, data, seed=1)
    >>> fits["T"].estimator.effect([[0.0, 0.0]]).shape
    (1,)
    """
    members: dict[str, list[tuple[str, str]]] = {}
    ensembles: dict[str, Ensemble] = {}
    singles: dict[str, _Single] = {}
    messages: dict[str, str] = {}
    for name, estimator in estimators.items():
        copy = _prepared(estimator, seed)
        parts: list[tuple[str, Any]] = [(name, copy)]
        if isinstance(copy, Ensemble):
            ensembles[name] = copy
            try:
                parts = copy.resolve_members(data)
            except Exception as error:
                messages[name] = f"{type(error).__name__}: {error}"
                continue
        members[name] = []
        for part_name, part in parts:
            part.set_params(random_state=seed, n_jobs=1)
            identity = _identity(part)
            if identity not in singles:
                singles[identity] = _declare(part, data, seed)
            members[name].append((part_name, identity))
    declared = [nuisance for single in singles.values() for nuisance in single.declared]
    fits = fit_nuisances(declared, data, n_jobs=n_jobs)
    fitted = _fit_singles(singles, data, fits, seed, n_jobs)
    results: dict[str, MemberFit] = {}
    for name in estimators:
        if name in messages:
            results[name] = MemberFit(None, messages[name], 0.0)
        elif name in ensembles:
            parts_fitted = {part: fitted[identity] for part, identity in members[name]}
            own = [singles[identity] for _, identity in members[name]]
            repeated = _repeated_seconds(own, fits)
            results[name] = _combine(ensembles[name], parts_fitted, data, seed, repeated)
        else:
            results[name] = fitted[members[name][0][1]]
    return results


def _fit_singles(
    singles: Mapping[str, _Single],
    data: TrialData,
    fits: Mapping[str, NuisanceFit],
    seed: int,
    n_jobs: int,
) -> dict[str, MemberFit]:
    ready = {identity: single for identity, single in singles.items() if not single.message}
    tasks = []
    for single in ready.values():
        own = pick(single.declared, fits)
        shared = sum(fit.seconds for fit in own.values())
        tasks.append((single.estimator, data, own, seed, shared))
    results = dict(zip(ready, run_tasks(fit_member, tasks, n_jobs=n_jobs), strict=True))
    for identity, single in singles.items():
        if single.message:
            results[identity] = MemberFit(None, single.message, 0.0)
    for result in results.values():
        if result.estimator is not None:
            # Workers return copies of the data; keep one.
            result.estimator.trial_data_ = data
    return results


def _repeated_seconds(members: Sequence[_Single], fits: Mapping[str, NuisanceFit]) -> float:
    """Time of regressions that the members' own times count more than once."""
    keys = [nuisance.key for single in members for nuisance in single.declared]
    return sum(fits[key].seconds for key in keys) - sum(fits[key].seconds for key in set(keys))


def _combine(
    ensemble: Ensemble,
    members: Mapping[str, MemberFit],
    data: TrialData,
    seed: int,
    repeated: float,
) -> MemberFit:
    start = time.perf_counter()
    alone = sum(member.seconds for member in members.values()) - repeated
    fitted: CateEstimator | None = None
    message = ""
    try:
        with warnings.catch_warnings():
            # The failure of a member is in the message.
            warnings.simplefilter("ignore", TauhatWarning)
            fitted = ensemble.fit_from_members(data, members, seed)
        message = "; ".join(f"member {name}: {why}" for name, why in ensemble.failures_.items())
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    return MemberFit(fitted, message, alone + time.perf_counter() - start)
