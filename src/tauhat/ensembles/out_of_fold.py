"""Effects and outcomes predicted for rows that the fits did not see."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.ensembles.fits import MemberFit, fit_sharing
from tauhat.errors import TauhatWarning
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.numerics.seeds import derive_seed
from tauhat.runtime.parallel import WorkerLostError, run_tasks

_Fit = Callable[[Mapping[str, CateEstimator], TrialData, int], Mapping[str, MemberFit]]
_FoldTask = tuple[_Fit, Mapping[str, CateEstimator], TrialData, IntArray, int, int]


@dataclass(frozen=True, eq=False)
class Refits:
    """Effects of many estimators, each refitted without one fold at a time.

    Attributes
    ----------
    folds
        Fold of each row, shape (n,); whole clusters.
    effects
        Effects by name, shape (n,), each row's by a fit without its fold.
    messages
        What went wrong in the first fold that failed, by name.
    seconds
        Time of the refits by name, regressions shared with others included.
    elapsed
        Time of all refits together.
    """

    folds: IntArray
    effects: Mapping[str, FloatArray]
    messages: Mapping[str, str]
    seconds: Mapping[str, float]
    elapsed: float

    def under(self, names: Mapping[str, str]) -> Refits:
        """Return the part of some estimators, under other names.

        Parameters
        ----------
        names
            Present name by new name.
        """
        return Refits(
            self.folds,
            {new: self.effects[old] for new, old in names.items() if old in self.effects},
            {new: self.messages[old] for new, old in names.items() if old in self.messages},
            {new: self.seconds[old] for new, old in names.items()},
            min(self.elapsed, sum(self.seconds[old] for old in set(names.values()))),
        )


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """All that an aggregation weighs members by: what was said of rows that the fits had not seen.

    Attributes
    ----------
    folds
        Fold of each row, shape (n,); whole clusters, balanced by arm and block.
    names
        Names of the members that were refitted without each fold.
    effects
        Their effects, shape (n, k).
    mean
        Expected outcome given the covariates, arms mixed, shape (n,).
    control, treated
        Expected outcome in each arm, shape (n,).
    seed
        Seed of an aggregation that draws.
    imputed
        Effects imputed by the other arm, shape (n,), for aggregations that ask for them.
    """

    folds: IntArray
    names: tuple[str, ...]
    effects: FloatArray
    mean: FloatArray
    control: FloatArray
    treated: FloatArray
    seed: int = 0
    imputed: FloatArray | None = None

    def only(self, names: Sequence[str]) -> OutOfFold:
        """Return the part of some members; those that were not refitted are passed over."""
        columns = [k for k, name in enumerate(self.names) if name in names]
        chosen = tuple(self.names[k] for k in columns)
        return replace(self, names=chosen, effects=self.effects[:, columns])


def out_of_fold_effects(
    estimators: Mapping[str, CateEstimator],
    data: TrialData,
    n_folds: int,
    seed: int,
    *,
    n_jobs: int = 1,
    fit: _Fit = fit_sharing,
) -> Refits:
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
    fit
        Fits the estimators in each fold: `tauhat.ensembles.fits.fit_sharing`, or
        `tauhat.ensembles.together.fit_together` where several may be ensembles of the same
        members.

    Returns
    -------
    Refits
    """
    folds = data.design.folds(n_folds, seed)
    tasks: list[_FoldTask] = [
        (fit, estimators, data, folds, fold, derive_seed(seed, "held out", fold))
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
    return Refits(folds, effects, messages, seconds, sum(part.elapsed for part in parts))


def _one_by_one(task: _FoldTask, n_jobs: int) -> Refits:
    """One fold after its worker was lost: each estimator alone, to see which one it was."""
    fit, estimators, data, folds, fold, seed = task
    tasks = [(fit, {name: one}, data, folds, fold, seed) for name, one in estimators.items()]
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
    return Refits(folds, effects, messages, seconds, sum(seconds.values()))


def _without_fold(
    fit: _Fit,
    estimators: Mapping[str, CateEstimator],
    data: TrialData,
    folds: IntArray,
    fold: int,
    seed: int,
) -> Refits:
    """Effects of one fold's rows by fits to the others."""
    start = time.perf_counter()
    outside = folds == fold
    with warnings.catch_warnings():
        # What members have to say they say when they are fitted to all rows.
        warnings.simplefilter("ignore", TauhatWarning)
        fits = fit(estimators, data.take(~outside), seed)
    effects: dict[str, FloatArray] = {}
    messages: dict[str, str] = {}
    for name, found in fits.items():
        try:
            if found.estimator is None:
                raise RuntimeError(found.message)
            effects[name] = found.estimator.predict_effect(data.X[outside])
            if not np.isfinite(effects[name]).all():
                raise RuntimeError("it gave effects that are not finite")
        except Exception as error:
            messages[name] = f"without fold {fold + 1}: {error}"
    seconds = {name: found.seconds for name, found in fits.items()}
    return Refits(folds, effects, messages, seconds, time.perf_counter() - start)
