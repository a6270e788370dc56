"""One task: one draw of one scenario, all estimators fitted to it and measured."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.fits import MemberFit
from tauhat.ensembles.together import effects_together, fit_together
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.average_effects import average_effects
from tauhat.numerics.seeds import derive_seed
from tauhat.runtime.parallel import one_thread
from tauhat.simulate.metrics import effect_metrics
from tauhat.simulate.population import PopulationValues
from tauhat.simulate.scenario import SimulatedPersons, SimulatedTrial, scenario
from tauhat.simulate.subgroup_metrics import subgroup_metrics
from tauhat.study.measures import AVERAGES, METRICS, TaskResult
from tauhat.study.plan import Plan, Row


def task_seed(plan: Plan, row: Row, replicate: int) -> int:
    """Seed of a task: it hangs on the plan's seed, the row's key and the replicate only."""
    # "unit" is what a task was once called; the key must stay, or all studies draw anew.
    return derive_seed(plan.seed, "unit", row.key, replicate)


def run_task(plan: Plan, row: Row, replicate: int) -> TaskResult:
    """Draw one trial, fit every estimator of the plan to it and measure them.

    Parameters
    ----------
    plan
        The plan.
    row
        One of its rows.
    replicate
        Number of the draw, from 0.

    Returns
    -------
    TaskResult
        A failure of an estimator, or of the draw itself, is a message in it.
    """
    start = time.perf_counter()
    seed = task_seed(plan, row, replicate)
    estimators = {spec.name: plan.make(spec) for spec in plan.estimators}
    shape = (len(estimators), len(METRICS))
    metrics, fit_seconds = np.full(shape, np.nan), np.full(len(estimators), np.nan)
    averages = np.full(len(AVERAGES), np.nan)
    messages: dict[str, str] = {}
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            trial, persons = draw_task(plan, row, seed)
            data = trial.data
        except (ValueError, ArithmeticError) as error:
            message = f"the draw failed: {type(error).__name__}: {error}"
            messages = dict.fromkeys(estimators, message)
        else:
            fits = _fit_all(estimators, trial, data, derive_seed(seed, "fit"))
            fit_seconds = np.array([fits[name].seconds for name in estimators])
            messages = {name: fits[name].message for name in fits if fits[name].message}
            metrics = _measure(plan, row, fits, persons, messages)
            if plan.average_effects:
                averages = _averages(row, data)
    return TaskResult(
        row=row.key,
        replicate=replicate,
        metrics=metrics,
        averages=averages,
        fit_seconds=fit_seconds,
        seconds=time.perf_counter() - start,
        messages=messages,
    )


def draw_task(plan: Plan, row: Row, seed: int) -> tuple[SimulatedTrial, SimulatedPersons]:
    """Trial and test persons of the task with this seed."""
    source = scenario(row.scenario, **row.settings)
    draw_seed = derive_seed(seed, "draw")
    return source.draw(row.n, draw_seed).compared, source.population(plan.test_size, draw_seed)


def _fit_all(
    estimators: Mapping[str, Any], trial: SimulatedTrial, data: TrialData, seed: int
) -> dict[str, MemberFit]:
    """Fit all; estimators that only have ``fit`` and ``effect`` are fitted by themselves."""
    ours = {name: one for name, one in estimators.items() if isinstance(one, CateEstimator)}
    fits = fit_together(ours, data, seed)
    for name, one in estimators.items():
        if name not in ours:
            fits[name] = _fit_foreign(one, trial, seed)
    return fits


def _fit_foreign(estimator: Any, trial: SimulatedTrial, seed: int) -> MemberFit:
    start = time.perf_counter()
    message = ""
    fitted: Any = None
    try:
        if hasattr(estimator, "set_params") and "random_state" in estimator.get_params():
            estimator.set_params(random_state=seed)
        clusters = {} if trial.clusters is None else {"clusters": trial.clusters}
        estimator.fit(trial.X, trial.y, treatment=trial.treatment, **clusters)
        fitted = estimator
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    return MemberFit(fitted, message, time.perf_counter() - start)


def _measure(
    plan: Plan,
    row: Row,
    fits: Mapping[str, MemberFit],
    persons: SimulatedPersons,
    messages: dict[str, str],
) -> FloatArray:
    """Measures of every estimator on the test persons; failures are added to the messages."""
    measures: dict[str, dict[str, float]] = {}
    effects: dict[str, FloatArray] = {}
    together = _effects_of_ours(fits, persons.X)
    for name in plan.names:
        fitted = fits[name].estimator
        if fitted is None:
            continue
        try:
            effect = together.get(name)
            if effect is None:
                effect = np.asarray(fitted.effect(persons.X), dtype=np.float64)
            interval = fitted.effect_interval(persons.X) if plan.intervals else (None, None)
            measured = effect_metrics(
                effect,
                persons.tau,
                lower=interval[0],
                upper=interval[1],
                higher_is_better=row.higher_is_better,
            )
        except Exception as error:
            messages[name] = f"{type(error).__name__}: {error}"
            continue
        effects[name] = effect
        measures[name] = {**measured, "sd_effect": float(effect.std()), **_components(fitted)}
    if effects and persons.X.shape[1] > 1:
        shares = plan.subgroup_shares
        subgroups = subgroup_metrics(persons.X, effects, persons.tau, shares=shares)
        for metric in subgroups.columns:
            for name in effects:
                measures[name][metric] = float(subgroups[metric][name])
    if np.ptp(persons.tau) == 0:
        # Where all effects are the same there is no order to get wrong.
        for one in measures.values():
            one.update(rod=np.nan, subgroup_rod=np.nan)
    table = [
        [measures.get(name, {}).get(metric, np.nan) for metric in METRICS] for name in plan.names
    ]
    return np.array(table, dtype=np.float64)


def _effects_of_ours(fits: Mapping[str, MemberFit], X: Any) -> dict[str, FloatArray]:
    """Effects of our own estimators by name; empty when one fails, which is then found alone."""
    fitted = {name: fit.estimator for name, fit in fits.items()}
    ours = {name: one for name, one in fitted.items() if isinstance(one, CateEstimator)}
    try:
        return effects_together(ours, X)
    except Exception:
        return {}


def _components(fitted: Any) -> dict[str, float]:
    components = getattr(fitted, "variance_components_", None)
    if components is None:
        return {}
    return {
        "between_cluster": float(components.between_cluster),
        "residual": float(components.residual),
        "icc": float(components.icc),
    }


def _averages(row: Row, data: TrialData) -> FloatArray:
    """Model-robust average effects beside the true ones, as ``AVERAGES`` lists them."""
    estimated = average_effects(data)
    true = _population_values(row.scenario, json.dumps(dict(row.settings), sort_keys=True))
    values: list[float] = []
    for estimate, truth in (
        (estimated.individual, true.individual_average),
        (estimated.cluster, true.cluster_average),
    ):
        if estimate is None:
            values += [np.nan] * 5
        else:
            values += [estimate.estimate, estimate.se, estimate.lower, estimate.upper, truth]
    return np.array(values)


@lru_cache(maxsize=256)
def _population_values(name: str, settings: str) -> PopulationValues:
    return scenario(name, **json.loads(settings)).population_values()
