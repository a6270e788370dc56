"""Which models a run fits, their shared fits, and what each of them says."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.design import DesignName
from tauhat.ensembles.consensus import ConsensusAverage
from tauhat.ensembles.ensemble import Ensemble
from tauhat.ensembles.stacked_x import StackedX
from tauhat.errors import TauhatWarning, TrialError
from tauhat.fitting.cate_estimator import NO_PERIODS, CateEstimator
from tauhat.fitting.learning_view import learning_view
from tauhat.fitting.nuisance import fit_nuisances, pick
from tauhat.learners.chains import LARGEST_R_HAT, average_effect_r_hat
from tauhat.numerics.kendall import kendall_matrix, puts_in_order
from tauhat.registry import estimator, estimator_names

# Words that stand for a list of models.
_LISTS = ("default", "quick")
#: The ensemble of ``models="default"``.
DEFAULT_MODEL = "Robust"
#: The same where clusters change their arm over periods, for which no ensemble is supported.
DEFAULT_OVER_PERIODS = "GAMM"
# Designs over periods.
_DESIGNS_OVER_PERIODS: tuple[DesignName, ...] = (
    "stepped wedge",
    "cluster crossover",
    "parallel trial with a baseline period",
)
#: What averages several single models that are named.
CONSENSUS = "CBA"
#: Models of ``models="quick"``: one of each family, cheap enough for a first look.
QUICK_MODELS: Mapping[DesignName, tuple[str, ...]] = {
    "individual": ("T-Linear", "X-Boosting", "CF-DML-linear"),
    "cluster": ("LMM", "GAMM", "X-GAMM-RF", "Additive-Boosting"),
    "clusters in one arm": ("LMM", "GAMM", "X-GAMM-RF", "Additive-Boosting"),
    "stepped wedge": ("LMM",),
    "cluster crossover": ("LMM",),
    "parallel trial with a baseline period": ("LMM",),
}
#: The same where the outcome is an event: models of its log odds, since those that take 0 and 1
#: as numbers are both slower and further off.
QUICK_OF_EVENTS = ("LMM", "GAMM", "Risk")


@dataclass(frozen=True)
class FittedModels:
    """What was fitted, and which of it is reported.

    Attributes
    ----------
    name
        Name of the reported estimator.
    reported
        The estimator whose effects are reported.
    others
        Fitted estimators named beside it.
    failures
        Message by name of each estimator beside it that failed.
    seconds
        Time of each estimator, its share of the shared regressions included.
    """

    name: str
    reported: CateEstimator
    others: Mapping[str, CateEstimator]
    failures: Mapping[str, str]
    seconds: Mapping[str, float]


def model_names(
    models: str | Sequence[str], design: DesignName, link: str = "identity"
) -> tuple[str, ...]:
    """Names of the models to fit.

    Parameters
    ----------
    models
        "default", "quick", or names of estimators, in capitals or not.
    design
        What was randomized.
    link
        Name of the link of the outcome's models (`tauhat.endpoint.Endpoint.link`).

    Returns
    -------
    tuple of str

    Raises
    ------
    TrialError
        If a name is unknown (with the nearest known ones) or given twice, or
        there is none.

    Examples
    --------
    >>> model_names("quick", "cluster")
    ('LMM', 'GAMM', 'X-GAMM-RF', 'Additive-Boosting')
    >>> model_names("quick", "individual", link="logit")
    ('LMM', 'GAMM', 'Risk')
    """
    typed = (models,) if isinstance(models, str) else tuple(models)
    known = {name.casefold(): name for name in (*_LISTS, *estimator_names(every=True))}
    names = tuple(known.get(name.casefold(), name) for name in typed)
    over_periods = design in _DESIGNS_OVER_PERIODS
    if names == ("default",):
        return (DEFAULT_OVER_PERIODS if over_periods else DEFAULT_MODEL,)
    if names == ("quick",):
        return QUICK_OF_EVENTS if link == "logit" and not over_periods else QUICK_MODELS[design]
    for name in names:
        meant = get_close_matches(name.casefold(), _LISTS, n=1, cutoff=0.7)
        if meant and name not in known.values():
            raise TrialError(f"unknown estimator {name!r}; did you mean {meant[0]}?")
    if not names:
        raise TrialError("no models are named; use default, quick or names of estimators")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TrialError(f"models are named twice: {', '.join(repeated)}")
    for name in names:
        if name in _LISTS:
            raise TrialError(f"models: {name!r} stands for a whole list; name it alone")
        if over_periods and not estimator(name).knows_periods:
            raise TrialError(f"{name} is not supported with period=, because {NO_PERIODS}")
        estimator(name)
    if over_periods and len(names) > 1:
        raise TrialError(
            "several models are not supported with period= yet, because no ensemble is: name one "
            "of LMM, GAMM and BRM"
        )
    return names


def is_ensemble(model: CateEstimator) -> bool:
    """Whether an estimator combines others."""
    return isinstance(model, (Ensemble, StackedX))


def fit_models(
    data: TrialData, names: Sequence[str], *, seed: int, n_jobs: int = 1
) -> FittedModels:
    """Fit the models, every regression that several of them declare once.

    The first ensemble among the names is reported; without one, the consensus
    of all of them (`ConsensusAverage`), or the only one.

    Parameters
    ----------
    data
        The trial.
    names
        Names of estimators.
    seed
        Seed of every model.
    n_jobs
        Number of fits at once.

    Raises
    ------
    ValueError
        If the reported estimator cannot be fitted.
    """
    data = learning_view(data)
    models = {name: estimator(name, random_state=seed, n_jobs=n_jobs) for name in names}
    ensembles = [name for name, model in models.items() if is_ensemble(model)]
    if ensembles or len(models) == 1:
        reported_name = ensembles[0] if ensembles else names[0]
        reported = models.pop(reported_name)
    else:
        reported_name = CONSENSUS
        reported = ConsensusAverage(list(models.items()), random_state=seed, n_jobs=n_jobs)
        models = {}
    declared = {
        name: model.declare_nuisances(data, seed)
        for name, model in {reported_name: reported, **models}.items()
    }
    everything = [nuisance for own in declared.values() for nuisance in own]
    fits = fit_nuisances(everything, data, n_jobs=n_jobs)
    seconds = {
        name: sum(fit.seconds for fit in pick(own, fits).values()) for name, own in declared.items()
    }
    failures: dict[str, str] = {}
    others: dict[str, CateEstimator] = {}
    for name, model in {reported_name: reported, **models}.items():
        start = time.perf_counter()
        try:
            model.fit_with(data, pick(declared[name], fits), seed)
            others[name] = model
        except Exception as error:
            if model is reported:
                raise
            failures[name] = f"{type(error).__name__}: {error}"
            warnings.warn(f"{name} failed: {failures[name]}", TauhatWarning, stacklevel=2)
        seconds[name] += time.perf_counter() - start
    del others[reported_name]
    return FittedModels(reported_name, reported, others, failures, seconds)


def members_of(fitted: FittedModels) -> dict[str, CateEstimator]:
    """Fitted single models: the ensemble's members and what was named beside it."""
    return {**getattr(fitted.reported, "members_", {}), **fitted.others}


def model_effects(
    fitted: FittedModels, X: FloatArray, rows: IntArray | None = None
) -> pd.DataFrame:
    """Effects of the reported estimator and of every single model, one column each.

    Parameters
    ----------
    fitted
        What was fitted.
    X
        Covariates of the analysed persons within their limits, shape (n, p).
    rows
        Position in ``X`` of each row of the fit where they are the same rows: members of an
        ensemble then keep the effects that they were weighed by. None to predict all, which
        can give another last digit.

    Returns
    -------
    DataFrame
        As the models give them, before they are cut to what is possible.
    """
    model = fitted.reported
    known = {} if rows is None else getattr(model, "training_effects_", {})
    effects = {}
    for name, member in members_of(fitted).items():
        if name in known and name not in fitted.others:
            effects[name] = np.empty(len(X))
            effects[name][rows] = known[name]
        else:
            effects[name] = member.predict_effect(X)
    own = (
        model.weighing_.combined(effects)
        if isinstance(model, Ensemble)
        else model.predict_effect(X)
    )
    return pd.DataFrame({fitted.name: own, **effects})


def models_table(fitted: FittedModels, effects: pd.DataFrame) -> pd.DataFrame:
    """One row per model: its use, weight, time, and the mean and spread of its effects.

    Parameters
    ----------
    fitted
        What was fitted.
    effects
        From `model_effects`.

    Returns
    -------
    DataFrame
        ``name``, ``role`` ("reported", "member", "also fitted"), ``weight``,
        ``kept``, ``seconds``, ``mean_effect``, ``sd_effect``, ``r_hat`` (of the
        average effect; missing for a model without chains), ``converged`` (whether
        ``r_hat`` is at most 1.1; None without chains), ``failure``.
    """
    ensemble = fitted.reported
    weights: Mapping[str, float] = getattr(ensemble, "weights_", {})
    own_seconds: Mapping[str, float] = getattr(ensemble, "seconds_", {})
    members: Mapping[str, CateEstimator] = getattr(ensemble, "members_", {})
    own = fitted.seconds[fitted.name]
    rows = [_row(fitted.name, "reported", effects, ensemble, seconds=own)]
    for name, member in members.items():
        weight, seconds = weights[name], own_seconds[name]
        rows.append(_row(name, "member", effects, member, weight=weight, seconds=seconds))
    for name, message in getattr(ensemble, "failures_", {}).items():
        rows.append(_row(name, "member", None, failure=message, seconds=own_seconds[name]))
    for name, other in fitted.others.items():
        rows.append(_row(name, "also fitted", effects, other, seconds=fitted.seconds[name]))
    for name, message in fitted.failures.items():
        seconds = fitted.seconds[name]
        rows.append(_row(name, "also fitted", None, failure=message, seconds=seconds))
    table = pd.DataFrame(rows)
    # Text columns of pandas would turn None into a missing float.
    for name in ("converged", "failure"):
        table[name] = pd.Series([row[name] for row in rows], dtype=object)
    return table


def _row(
    name: str,
    role: str,
    effects: pd.DataFrame | None,
    model: CateEstimator | None = None,
    *,
    seconds: float,
    weight: float | None = None,
    failure: str | None = None,
) -> dict[str, Any]:
    effect = None if effects is None else effects[name].to_numpy(dtype=np.float64)
    r_hat = average_effect_r_hat(model)
    return {
        "name": name,
        "role": role,
        "weight": weight,
        "kept": role == "reported" or bool(weight),
        "seconds": seconds,
        "mean_effect": np.nan if effect is None else float(effect.mean()),
        "sd_effect": np.nan if effect is None else float(effect.std()),
        "r_hat": r_hat,
        "converged": None if np.isnan(r_hat) else r_hat <= LARGEST_R_HAT,
        "failure": failure,
    }


def agreement_table(
    fitted: FittedModels, effects: pd.DataFrame, outcome: FloatArray
) -> pd.DataFrame | None:
    """Kendall's tau-b between the models that put persons in an order; None with fewer than two."""
    singles = list(members_of(fitted))
    # The mean of one member is that member: there is nothing to agree with.
    alone = list(getattr(fitted.reported, "members_", {})) == singles
    if len(singles) == 1 and not alone:
        singles = [fitted.name, *singles]
    names = [name for name in singles if puts_in_order(effects[name].to_numpy(np.float64), outcome)]
    if len(names) < 2:
        return None
    matrix = kendall_matrix(effects[names].to_numpy(dtype=np.float64))
    return pd.DataFrame(matrix, index=names, columns=names)


def variance_table(fitted: FittedModels) -> pd.DataFrame:
    """Variance components of every model that has them."""
    rows = []
    for name, model in {fitted.name: fitted.reported, **members_of(fitted)}.items():
        components = getattr(model, "variance_components_", None)
        if components is not None:
            rows.append(
                {
                    "model": name,
                    "between_cluster": components.between_cluster,
                    "residual": components.residual,
                    "icc": components.icc,
                    "within_cluster": list(components.within_cluster),
                    "icc_within_cluster": list(components.iccs[1:]),
                    "crossed": list(components.crossed),
                    "icc_crossed": list(components.crossed_iccs),
                    "between_period": components.between_period,
                    "scale": components.scale,
                }
            )
    names = [
        "model", "between_cluster", "residual", "icc", "within_cluster", "icc_within_cluster",
        "crossed", "icc_crossed", "between_period", "scale",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=names)
