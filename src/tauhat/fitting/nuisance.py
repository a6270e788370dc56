"""Declared outcome regressions, computed once each however many learners ask for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pickle import PicklingError
from typing import Any, Literal

import numpy as np
from joblib import hash as joblib_hash
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.fitting.few_clusters import without_average_effect
from tauhat.fitting.prognosis_curvature import as_straight_learners_see_it
from tauhat.fitting.scikit_learn import as_outcome_model
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome_model import OutcomeModel, VarianceComponents
from tauhat.runtime.parallel import WorkerLostError, run_tasks

Arm = Literal[0, 1] | None


@dataclass(frozen=True, eq=False)
class Nuisance:
    """One outcome regression that a learner needs.

    Attributes
    ----------
    name
        Key under which the learner finds the result.
    model
        Unfitted outcome model; a regressor or classifier of scikit-learn becomes one.
    arm
        Rows to learn from: 0 control, 1 treated, None all.
    with_treatment
        Whether the treatment is among the features (an S-learner's model).
    n_folds
        0 for one fit on all these rows; otherwise predictions for every row by
        a model that never saw the row's fold (whole clusters).
    seed
        Seed of the model and of the folds, the same for equal regressions.
    of_risks
        Whether a model that can (``fit_latent``) is fitted to what lies behind events, where
        there is such a thing: its predictions are then risks.
    features_of
        Model for which the features of an S-learner are made: a part of a
        composite takes those of the composite. None means ``model``.
    straight
        Whether it is of the outcome without the curvature of the prognosis, which straight
        learners do not see where outcomes are missing (`tauhat.fitting.prognosis_curvature`).
    """

    name: str
    model: OutcomeModel
    arm: Arm = None
    with_treatment: bool = False
    n_folds: int = 0
    seed: int = 0
    features_of: OutcomeModel | None = None
    of_risks: bool = False
    straight: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", as_outcome_model(self.model))

    @property
    def feature_model(self) -> OutcomeModel:
        """Model whose kind decides on the features of an S-learner."""
        return self.model if self.features_of is None else self.features_of

    @cached_property
    def key(self) -> str:
        """Equal for two declarations that describe the same regression."""
        described = (
            type(self.model).__qualname__,
            self.model.get_params(deep=True),
            self.arm,
            self.with_treatment,
            self.with_treatment and self.feature_model.needs_interactions,
            self.n_folds,
            self.seed,
            self.of_risks,
            self.straight,
        )
        try:
            return str(joblib_hash(described))
        except PicklingError as error:
            raise TrialError(
                f"{self.model} holds something that cannot be pickled, such as a lambda; define "
                "its functions with def, outside of other functions"
            ) from error


@dataclass(frozen=True)
class NuisanceFit:
    """Result of one declared regression.

    Attributes
    ----------
    model
        The model fitted on all declared rows (``n_folds`` 0), else None.
    out_of_fold
        Cross-fitted predictions, shape (n,) — or (n, 2) for control and
        treated when the treatment is a feature — else None.
    error
        The exception that the fit raised, if it did; raised again when the
        result is asked for, so that one bad regression stops only its learners.
    seconds
        Time spent on the fit, over all folds.
    components
        Variance components of a mixed model that was cross-fitted, one a fold.
    """

    model: OutcomeModel | None = None
    out_of_fold: FloatArray | None = None
    error: Exception | None = None
    seconds: float = 0.0
    components: tuple[VarianceComponents, ...] = ()

    @property
    def fitted(self) -> OutcomeModel:
        """The fitted model; an error when the declaration was cross-fitted only."""
        if self.error is not None:
            raise self.error
        if self.model is None:
            raise RuntimeError("this nuisance was cross-fitted: it has no model for all rows")
        return self.model

    @property
    def cross_fitted(self) -> FloatArray:
        """The out-of-fold predictions; an error when there are none."""
        if self.error is not None:
            raise self.error
        if self.out_of_fold is None:
            raise RuntimeError("this nuisance was fitted once: it has no out-of-fold predictions")
        return self.out_of_fold


def treatment_features(
    X: FloatArray, treatment: FloatArray | IntArray | float, model: OutcomeModel
) -> FloatArray:
    """Features of an S-learner: covariates, treatment, and products if the model is additive.

    The treatment enters as -1/2 and 1/2, so that swapping the arms only turns
    the sign of its columns.
    """
    centred = np.broadcast_to(np.asarray(treatment, dtype=np.float64) - 0.5, len(X))[:, None]
    if model.needs_interactions:
        return np.hstack([X, centred, centred * X])
    return np.hstack([X, centred])


def _fit_model(nuisance: Nuisance, data: TrialData, rows: IntArray) -> OutcomeModel:
    part = data.take(rows)
    if nuisance.straight:
        part = as_straight_learners_see_it(part)
    features = part.X
    if nuisance.with_treatment:
        features = treatment_features(part.X, part.treatment, nuisance.feature_model)
    y = part.working
    if nuisance.arm is None and not nuisance.with_treatment and part.design.holds_persons:
        y = without_average_effect(part)
    model: OutcomeModel = clone(nuisance.model)
    if "random_state" in model.get_params(deep=False):
        model.set_params(random_state=derive_seed(nuisance.seed, "model"))
    latent = part.latent() if nuisance.of_risks and hasattr(model, "fit_latent") else None
    if latent is not None:
        risks: OutcomeModel = model.fit_latent(features, latent, clusters=part.clusters)
        return risks
    fitted: OutcomeModel = model.fit(
        features, y, clusters=part.clusters, sample_weight=part.sample_weight
    )
    return fitted


def fit_once(nuisance: Nuisance, data: TrialData) -> OutcomeModel:
    """Fit one declared model on all its rows."""
    rows = (
        np.arange(data.n)
        if nuisance.arm is None
        else np.flatnonzero(data.treatment == nuisance.arm)
    )
    return _fit_model(nuisance, data, rows)


def fit_without_fold(nuisance: Nuisance, data: TrialData, fold: int) -> FloatArray:
    """Predictions for one fold by a model that never saw it.

    Returns an array with one row per person of the fold: one column, or control
    and treated predictions when the treatment is a feature.
    """
    return _fold(nuisance, data, fold)[0]


def _fold(
    nuisance: Nuisance, data: TrialData, fold: int
) -> tuple[FloatArray, VarianceComponents | None]:
    """Predictions for one fold, and the variance components of a mixed model."""
    folds = data.design.folds(nuisance.n_folds, nuisance.seed)
    learn = folds != fold
    if nuisance.arm is not None:
        learn &= data.treatment == nuisance.arm
    model = _fit_model(nuisance, data, np.flatnonzero(learn))
    components = model.variance_components_ if model.models_clusters else None
    X = data.X[folds == fold]
    if not nuisance.with_treatment:
        return model.predict(X)[:, None], components
    arms = [treatment_features(X, arm, nuisance.feature_model) for arm in (0.0, 1.0)]
    return np.column_stack([model.predict(features) for features in arms]), components


@dataclass(frozen=True)
class _Outcome:
    """What one task gave: a result or an exception, and the time it took."""

    result: Any
    error: Exception | None
    seconds: float


def _run(task: Callable[..., Any], arguments: tuple[Any, ...]) -> _Outcome:
    start = time.perf_counter()
    try:
        return _Outcome(task(*arguments), None, time.perf_counter() - start)
    except Exception as error:
        return _Outcome(None, error, time.perf_counter() - start)


def _lost(error: WorkerLostError) -> _Outcome:
    return _Outcome(None, error, 0.0)


def _with_base_models(nuisances: Sequence[Nuisance]) -> list[Nuisance]:
    """The declarations with composite models replaced by the fits of their base models."""
    flat: list[Nuisance] = []
    for nuisance in nuisances:
        parts = nuisance.model.base_models() if nuisance.n_folds == 0 else ()
        if not parts:
            flat.append(nuisance)
        judged = nuisance.model.cross_fitted_models() if parts else ()
        for (name, whole), (_, held_out) in zip(parts, judged, strict=True):
            inner = int(nuisance.model.get_params(deep=False)["n_folds"])
            for folds, part in ((0, whole), (inner, held_out)):
                flat.append(
                    Nuisance(
                        f"{nuisance.name}/{name}/{folds}",
                        part,
                        nuisance.arm,
                        nuisance.with_treatment,
                        folds,
                        nuisance.seed,
                        nuisance.model,
                    )
                )
    return flat


def fit_nuisances(
    nuisances: Sequence[Nuisance],
    data: TrialData,
    *,
    n_jobs: int = 1,
    on_done: Callable[[int, int], None] | None = None,
) -> dict[str, NuisanceFit]:
    """Fit every distinct declared regression once.

    Parameters
    ----------
    nuisances
        Declarations, of one learner or of all members of an ensemble.
    data
        The trial.
    n_jobs
        Number of fits at once.
    on_done
        Progress callback, see `tauhat.runtime.parallel.run_tasks`.

    Returns
    -------
    dict
        `NuisanceFit` by the declaration's ``key``.
    """
    distinct: dict[str, Nuisance] = {}
    for nuisance in _with_base_models(nuisances):
        distinct.setdefault(nuisance.key, nuisance)
    tasks: list[tuple[Any, ...]] = []
    places: list[tuple[str, int]] = []
    folds: dict[tuple[int, int], IntArray] = {}
    for key, nuisance in distinct.items():
        if nuisance.n_folds == 0:
            tasks.append((fit_once, (nuisance, data)))
            places.append((key, -1))
            continue
        pair = (nuisance.n_folds, nuisance.seed)
        if pair not in folds:
            folds[pair] = data.design.folds(*pair)
        for fold in range(int(folds[pair].max()) + 1):
            tasks.append((_fold, (nuisance, data, fold)))
            places.append((key, fold))
    outcomes = run_tasks(_run, tasks, n_jobs=n_jobs, on_done=on_done, on_lost=_lost)
    fits: dict[str, NuisanceFit] = {}
    for key, nuisance in distinct.items():
        own = [
            (fold, outcome)
            for (place, fold), outcome in zip(places, outcomes, strict=True)
            if place == key
        ]
        fits[key] = _gather(nuisance, own, folds, data.n)
    _assemble_composites(nuisances, data, fits)
    return fits


def _gather(
    nuisance: Nuisance,
    outcomes: Sequence[tuple[int, _Outcome]],
    folds: Mapping[tuple[int, int], IntArray],
    n: int,
) -> NuisanceFit:
    """One result from the tasks of one declaration."""
    seconds = sum(outcome.seconds for _, outcome in outcomes)
    errors = [outcome.error for _, outcome in outcomes if outcome.error is not None]
    if errors:
        return NuisanceFit(error=errors[0], seconds=seconds)
    if nuisance.n_folds == 0:
        return NuisanceFit(model=outcomes[0][1].result, seconds=seconds)
    held_out = np.empty((n, 2 if nuisance.with_treatment else 1))
    for fold, outcome in outcomes:
        held_out[folds[nuisance.n_folds, nuisance.seed] == fold] = outcome.result[0]
    values = held_out if nuisance.with_treatment else held_out[:, 0]
    components = [outcome.result[1] for _, outcome in outcomes]
    return NuisanceFit(
        out_of_fold=values,
        seconds=seconds,
        components=tuple(part for part in components if part is not None),
    )


def _assemble_composites(
    nuisances: Sequence[Nuisance], data: TrialData, fits: dict[str, NuisanceFit]
) -> None:
    """Put composite models together from the fits of their base models."""
    for nuisance in nuisances:
        if nuisance.key in fits:
            continue
        parts = _with_base_models([nuisance])
        failed = [fits[part.key].error for part in parts if fits[part.key].error is not None]
        seconds = sum(fits[part.key].seconds for part in parts)
        if failed:
            fits[nuisance.key] = NuisanceFit(error=failed[0], seconds=seconds)
            continue
        rows = (
            np.arange(data.n)
            if nuisance.arm is None
            else np.flatnonzero(data.treatment == nuisance.arm)
        )
        models = [fits[part.key].fitted for part in parts[::2]]
        columns = []
        for part in parts[1::2]:
            held_out = fits[part.key].cross_fitted[rows]
            if nuisance.with_treatment:
                held_out = np.take_along_axis(held_out, data.treatment[rows][:, None], 1)[:, 0]
            columns.append(held_out)
        weight = data.sample_weight_of(rows)
        composite: Any = clone(nuisance.model)
        assembled = _run(
            composite.assemble, (models, np.column_stack(columns), data.working[rows], weight)
        )
        model = None if assembled.error is not None else composite
        fits[nuisance.key] = NuisanceFit(
            model=model, error=assembled.error, seconds=seconds + assembled.seconds
        )


def pick(nuisances: Sequence[Nuisance], fits: Mapping[str, NuisanceFit]) -> dict[str, NuisanceFit]:
    """Results of a learner's own declarations, by the names it gave them."""
    return {nuisance.name: fits[nuisance.key] for nuisance in nuisances}
