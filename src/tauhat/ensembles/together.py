"""Many estimators on one trial, each distinct piece of work done once."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from joblib import hash as joblib_hash
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble, MemberFit, fit_member, lost_member
from tauhat.ensembles.out_of_fold import HeldOut
from tauhat.errors import TauhatWarning
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.learning_view import learning_view
from tauhat.fitting.nuisance import Nuisance, NuisanceFit, fit_nuisances, pick
from tauhat.numerics.seeds import derive_seed
from tauhat.runtime.parallel import WorkerLostError, run_tasks

_FoldTask = tuple[Mapping[str, CateEstimator], TrialData, IntArray, int, int]


@dataclass(frozen=True)
class _Single:
    """One distinct estimator and the regressions it declared, or why it could not."""

    estimator: CateEstimator
    declared: Sequence[Nuisance]
    message: str


@dataclass(frozen=True)
class _Ensemble:
    """An ensemble, identities of its members and of their refits, and its own regressions."""

    estimator: Ensemble
    members: Mapping[str, str]
    refits: Mapping[str, str]
    declared: Sequence[Nuisance]


def _prepared(estimator: CateEstimator, seed: int) -> CateEstimator:
    copy: CateEstimator = clone(estimator)
    copy.set_params(random_state=seed, n_jobs=1)
    return copy


def _identity(estimator: CateEstimator) -> str:
    """Equal for two estimators that do the same."""
    kind = type(estimator)
    described = (kind.__module__, kind.__qualname__, estimator.get_params(deep=True))
    try:
        return str(joblib_hash(described))
    except Exception:
        # Objects of other libraries cannot always be pickled, which the hash needs.
        return f"object {id(estimator)}"


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
    takes the members that stand in ``estimators`` too, or in another ensemble,
    and their refits without each fold. Every estimator gets the same seed, so
    the results are those of separate fits with that seed.

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
    data = learning_view(data)
    singles: dict[str, _Single] = {}
    ensembles: dict[str, _Ensemble] = {}
    identities: dict[str, str] = {}
    messages: dict[str, str] = {}
    wanted: dict[int, dict[str, CateEstimator]] = {}

    def register(part: CateEstimator) -> str:
        part.set_params(random_state=seed, n_jobs=1)
        identity = _identity(part)
        if identity not in singles:
            singles[identity] = _declare(part, data, seed)
        return identity

    def register_refit(part: CateEstimator, n_folds: int) -> str:
        part.set_params(random_state=seed, n_jobs=1)
        identity = _identity(part)
        wanted.setdefault(n_folds, {}).setdefault(identity, part)
        return identity

    for name, estimator in estimators.items():
        copy = _prepared(estimator, seed)
        if not isinstance(copy, Ensemble):
            identities[name] = register(copy)
            continue
        try:
            members = {part: register(one) for part, one in copy.resolve_members(data)}
            n_folds = copy.refit_folds()
            refitted = copy.refit_members(data) if n_folds else []
            refits = {part: register_refit(one, n_folds) for part, one in refitted}
            ensembles[name] = _Ensemble(copy, members, refits, copy.own_nuisances(data, seed))
        except Exception as error:
            messages[name] = f"{type(error).__name__}: {error}"
    declared = [nuisance for single in singles.values() for nuisance in single.declared]
    declared += [nuisance for one in ensembles.values() for nuisance in one.declared]
    fits = fit_nuisances(declared, data, n_jobs=n_jobs)
    fitted = _fit_singles(singles, data, fits, seed, n_jobs)
    held_out = {
        n_folds: held_out_effects(parts, data, n_folds, seed, n_jobs=n_jobs)
        for n_folds, parts in wanted.items()
    }
    results: dict[str, MemberFit] = {}
    for name in estimators:
        if name in messages:
            results[name] = MemberFit(None, messages[name], 0.0)
        elif name in identities:
            results[name] = fitted[identities[name]]
        else:
            one = ensembles[name]
            parts = {part: fitted[identity] for part, identity in one.members.items()}
            declared = [
                *one.declared,
                *(n for identity in one.members.values() for n in singles[identity].declared),
            ]
            # The members' own times count a shared regression for each.
            distinct = sum(fits[key].seconds for key in {n.key for n in declared})
            counted = sum(fits[n.key].seconds for n in declared[len(one.declared) :])
            alone = sum(part.seconds for part in parts.values()) + distinct - counted
            own = held_out.get(one.estimator.refit_folds())
            own = None if own is None else own.under(one.refits)
            results[name] = _combine(one, parts, data, seed, alone, own, fits)
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
    results = dict(
        zip(ready, run_tasks(fit_member, tasks, n_jobs=n_jobs, on_lost=lost_member), strict=True)
    )
    for identity, single in singles.items():
        if single.message:
            results[identity] = MemberFit(None, single.message, 0.0)
    for result in results.values():
        if result.estimator is not None:
            # Workers return copies of the data; keep one.
            result.estimator.trial_data_ = data
    return results


def _combine(
    one: _Ensemble,
    members: Mapping[str, MemberFit],
    data: TrialData,
    seed: int,
    alone: float,
    held_out: HeldOut | None,
    fits: Mapping[str, NuisanceFit],
) -> MemberFit:
    start = time.perf_counter()
    fitted: CateEstimator | None = None
    message = ""
    try:
        with warnings.catch_warnings():
            # The failure of a member is in the message.
            warnings.simplefilter("ignore", TauhatWarning)
            own = pick(one.declared, fits)
            fitted = one.estimator.fit_from_members(data, members, seed, held_out, own)
        failures = one.estimator.failures_.items()
        message = "; ".join(f"member {name}: {why}" for name, why in failures)
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    refits = 0.0 if held_out is None else held_out.elapsed
    return MemberFit(fitted, message, alone + refits + time.perf_counter() - start)


def held_out_effects(
    estimators: Mapping[str, CateEstimator],
    data: TrialData,
    n_folds: int,
    seed: int,
    *,
    n_jobs: int = 1,
) -> HeldOut:
    """Effects of every row by estimators that did not see its fold.

    Folds are those of `tauhat.design.Design.folds`: whole clusters,
    balanced by arm and block, the same as for cross-fitted outcome regressions
    with this seed and number of folds. In every fold the estimators are fitted
    together, with the propensity of the design.

    Parameters
    ----------
    estimators
        Estimators by name; they are copied, not changed.
    data
        The trial.
    n_folds
        Number of folds.
    seed
        Seed; each fold's is derived from it.
    n_jobs
        Number of folds at once.

    Returns
    -------
    HeldOut
    """
    folds = data.design.folds(n_folds, seed)
    tasks: list[_FoldTask] = [
        (estimators, data, folds, fold, derive_seed(seed, "held out", fold))
        for fold in range(int(folds.max()) + 1)
    ]
    found = run_tasks(_without_fold, tasks, n_jobs=n_jobs, on_lost=lambda error: None)
    parts = [
        _one_by_one(task, n_jobs) if part is None else part
        for task, part in zip(tasks, found, strict=True)
    ]
    effects: dict[str, FloatArray] = {}
    messages: dict[str, str] = {}
    for name in estimators:
        failed = [part.messages[name] for part in parts if name in part.messages]
        if failed:
            messages[name] = failed[0]
            continue
        effects[name] = np.empty(data.n)
        for fold, part in enumerate(parts):
            effects[name][folds == fold] = part.effects[name]
    seconds = {name: sum(part.seconds[name] for part in parts) for name in estimators}
    return HeldOut(folds, effects, messages, seconds, sum(part.elapsed for part in parts))


def _one_by_one(task: _FoldTask, n_jobs: int) -> HeldOut:
    """One fold after its worker was lost: each estimator alone, to see which one it was."""
    estimators, data, folds, fold, seed = task
    tasks = [({name: one}, data, folds, fold, seed) for name, one in estimators.items()]
    losses: list[str] = []

    def lose(error: WorkerLostError) -> None:
        losses.append(f"without fold {fold + 1}: {type(error).__name__}: {error}")

    parts = run_tasks(_without_fold, tasks, n_jobs=n_jobs, on_lost=lose)
    effects: dict[str, FloatArray] = {}
    messages: dict[str, str] = {}
    seconds = dict.fromkeys(estimators, 0.0)
    for name, part in zip(estimators, parts, strict=True):
        if part is None:
            messages[name] = losses[0]
            continue
        effects.update(part.effects)
        messages.update(part.messages)
        seconds.update(part.seconds)
    return HeldOut(folds, effects, messages, seconds, sum(seconds.values()))


def _without_fold(
    estimators: Mapping[str, CateEstimator],
    data: TrialData,
    folds: IntArray,
    fold: int,
    seed: int,
) -> HeldOut:
    """Effects of one fold's rows by fits to the others."""
    start = time.perf_counter()
    outside = folds == fold
    with warnings.catch_warnings():
        # What members have to say they say when they are fitted to all rows.
        warnings.simplefilter("ignore", TauhatWarning)
        fits = fit_together(estimators, data.take(~outside), seed)
    effects: dict[str, FloatArray] = {}
    messages: dict[str, str] = {}
    for name, fit in fits.items():
        try:
            if fit.estimator is None:
                raise RuntimeError(fit.message)
            effects[name] = fit.estimator.predict_effect(data.X[outside])
            if not np.isfinite(effects[name]).all():
                raise RuntimeError("it gave effects that are not finite")
        except Exception as error:
            messages[name] = f"without fold {fold + 1}: {error}"
    seconds = {name: fit.seconds for name, fit in fits.items()}
    return HeldOut(folds, effects, messages, seconds, time.perf_counter() - start)
