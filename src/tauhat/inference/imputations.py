"""Missing covariates with their uncertainty: completed trials, and results pooled over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.arguments import check_count, check_level
from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import refuse_no_estimator
from tauhat.inference.average_risks import AverageRisks
from tauhat.inference.averages import AverageEffects
from tauhat.inference.estimate import Estimate
from tauhat.inference.inputs import missing_marks, source_columns
from tauhat.numerics.imputation import IncompleteCovariate, draw_completed
from tauhat.numerics.seeds import derive_seed
from tauhat.registry import estimator as registered_estimator
from tauhat.runtime.parallel import on_one_thread
from tauhat.tables.columns import missing_values
from tauhat.trial.trial import Trial

#: How the method of pooled averages ends.
RUBINS_RULES = "Rubin's rules"


@on_one_thread
def completed_trials(trial: Trial, imputations: int, *, random_state: int = 0) -> list[TrialData]:
    """The trial with its missing covariates drawn several times (multiple imputation).

    Values are drawn from the other covariates and the cluster alone, never from the outcome and
    never from the arm (`tauhat.numerics.imputation.draw_completed`): whatever is drawn, the arms
    stay comparable by randomization, and no outcome reaches a model of another fold. Marks of
    missing values stay. Every function that takes a trial takes a completed one; `pooled` puts
    their results together.

    Parameters
    ----------
    trial
        The trial, with two arms.
    imputations
        How often, 2 or more.
    random_state
        Seed.

    Returns
    -------
    list of TrialData
        Everyone who counts in averages (`Trial.enrolled_data`), in the same order each time; the
        trial as it is, alone, if no covariate that is used has missing values.

    Raises
    ------
    TrialError
        If ``imputations`` is less than two, or this is not a `tauhat.Trial`.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"arm": np.arange(200) % 2, "x": rng.normal(size=200)})
    >>> df["z"] = df.x + rng.normal(size=200)
    >>> df["y"] = df.z + df.arm + rng.normal(size=200)
    >>> df.loc[::5, "z"] = np.nan
    >>> parts = completed_trials(Trial(df, outcome="y", treatment="arm"), 3)
    >>> len(parts), parts[0].n, bool(np.array_equal(parts[0].X, parts[1].X))
    (3, 200, False)
    """
    if not isinstance(trial, Trial):
        raise TrialError("imputations need a tauhat.Trial, which knows what is missing")
    check_count(imputations, "imputations", 2)
    data = trial.enrolled_data
    incomplete, predictors = incomplete_covariates(trial, data)
    if not incomplete:
        return [data]
    found = []
    ratios: dict[int, FloatArray] = {}
    for k in range(imputations):
        rng = np.random.default_rng(derive_seed(random_state, "imputation", k))
        X = draw_completed(data.X, predictors, incomplete, data.clusters, rng, ratios)
        found.append(replace(data, X=X).with_outcome_made_anew())
    return found


def incomplete_covariates(
    trial: Trial, data: TrialData
) -> tuple[list[IncompleteCovariate], IntArray]:
    """Covariates with missing values among those counted, and the columns without marks."""
    sources, marks = source_columns(trial), missing_marks(trial)
    columns: dict[str, list[int]] = {}
    for j, name in enumerate(data.feature_names):
        if name not in marks:
            columns.setdefault(sources[name], []).append(j)
    frame = trial.counted_frame.iloc[data.rows]
    found = []
    for source, of_source in columns.items():
        missing = np.asarray(missing_values(frame[source]), dtype=bool)
        if missing.any() and not missing.all():
            whole = source in trial.cluster_level_names
            found.append(IncompleteCovariate(np.array(of_source), missing, whole))
    every = np.array([j for of_source in columns.values() for j in of_source], dtype=np.int64)
    return found, every


def pooled(estimates: Sequence[Estimate], *, of_ratio: bool = False) -> Estimate:
    r"""One estimate of those from several completed trials, by Rubin's rules.

    .. math::
        T = \bar W + (1 + 1/m) B, \quad \lambda = (1 + 1/m) B / T, \quad
        \frac{1}{\nu} = \frac{\lambda^2}{m - 1} +
        \frac{\nu_0 + 3}{(\nu_0 + 1)\, \nu_0\, (1 - \lambda)}

    with the mean :math:`\bar W` of the squared errors, the variance B of the estimates and
    the degrees of freedom :math:`\nu_0` that the complete trial would have. Estimates that
    are all the same are left as they are.

    Parameters
    ----------
    estimates
        One from each completed trial.
    of_ratio
        Whether these are ratios, with errors of their logarithms.

    References
    ----------
    Barnard and Rubin (1999), Biometrika 86:948-955.

    Examples
    --------
    >>> three = [Estimate.from_t(q, 0.5, degrees_of_freedom=22, level=0.95) for q in (1, 1.2, 1.4)]
    >>> one = pooled(three)
    >>> round(one.estimate, 2), round(one.se, 3), round(one.degrees_of_freedom, 1)
    (1.2, 0.551, 13.3)
    """
    values = np.array([one.estimate for one in estimates])
    values = np.log(values) if of_ratio else values
    errors = np.array([one.se for one in estimates])
    complete = np.mean([one.degrees_of_freedom for one in estimates])
    estimate, se, degrees = (
        float(found[0]) for found in _rubin(values[:, None], errors[:, None], np.array([complete]))
    )
    if np.ptp(values) == 0:
        return estimates[0]
    make = Estimate.of_ratio if of_ratio else Estimate.from_t
    return make(estimate, se, degrees_of_freedom=degrees, level=estimates[0].level)


def _rubin(
    values: FloatArray, errors: FloatArray, complete: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Estimates, errors and degrees of freedom of m draws of k quantities, each of shape (k,)."""
    m = len(values)
    between = values.var(axis=0, ddof=1) if m > 1 else np.zeros(values.shape[1])
    added = (1 + 1 / m) * between
    total = (errors**2).mean(axis=0) + added
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0, added / total, 0.0)
        observed = np.where(
            np.isinf(complete), complete, (complete + 1) / (complete + 3) * complete
        )
        inverse = share**2 / max(m - 1, 1) + 1 / (observed * (1 - share))
        degrees = np.where(added > 0, 1 / inverse, complete)
    return values.mean(axis=0), np.sqrt(total), degrees


def pooled_tables(tables: Sequence[pd.DataFrame], *, level: float = 0.95) -> pd.DataFrame:
    """Tables of estimates from several completed trials, row by row as in `pooled`.

    Parameters
    ----------
    tables
        Of the same rows in the same order, with ``estimate``, ``lower`` and ``upper``, and
        ``se`` if errors are known, such as ``covariate_group_effects(...).table``. Degrees of
        freedom of the complete trial are those that the intervals tell.
    level
        Coverage of these intervals.

    Returns
    -------
    DataFrame
        The first table with ``estimate``, ``se``, ``lower`` and ``upper`` pooled; rows without an
        estimate in one of them have none.

    Examples
    --------
    >>> one = pd.DataFrame({"group": ["a"], "estimate": [1.0], "se": [0.5],
    ...                     "lower": [-0.09], "upper": [2.09]})
    >>> other = one.assign(estimate=1.2, lower=0.11, upper=2.29)
    >>> pooled_tables([one, other]).round(2).iloc[0, 1:].tolist()
    [1.1, 0.53, -0.11, 2.31]
    """
    check_level(level)
    values, lower, upper = (
        np.array([table[name].to_numpy(dtype=np.float64) for table in tables])
        for name in ("estimate", "lower", "upper")
    )
    half = (upper - lower) / 2
    if "se" in tables[0]:
        errors = np.array([table["se"].to_numpy(dtype=np.float64) for table in tables])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(errors > 0, half / errors, np.nan)
        complete = _degrees_of(ratio.mean(axis=0), level)
    else:
        errors = half / stats.norm.ppf((1 + level) / 2)
        complete = np.full(values.shape[1], np.inf)
    estimate, se, degrees = _rubin(values, errors, complete)
    wide = stats.t.ppf((1 + level) / 2, np.where(np.isnan(degrees), np.inf, degrees)) * se
    pooled_columns = {"estimate": estimate, "se": se}
    return tables[0].assign(**pooled_columns, lower=estimate - wide, upper=estimate + wide)


def _degrees_of(ratio: FloatArray, level: float) -> FloatArray:
    """Degrees of freedom whose quantile of t is this many standard errors."""
    grid = np.concatenate([np.geomspace(1, 5000, 4000), [np.inf]])
    quantile = stats.t.ppf((1 + level) / 2, grid)
    place = np.clip(np.searchsorted(-quantile, -ratio), 0, len(grid) - 1)
    degrees: FloatArray = grid[place]
    return degrees


@on_one_thread
def effects_over_imputations(
    trial: Trial,
    estimator: Any,
    *,
    imputations: int,
    level: float = 0.95,
    random_state: int = 0,
) -> pd.DataFrame:
    """Effects of the persons with an outcome, their missing covariates drawn several times.

    The estimator is fitted to each completed trial and asked about the persons as completed there.
    Made for learners whose intervals need no resampling, such as LMM.

    Parameters
    ----------
    trial
        The trial, with two arms.
    estimator
        A `tauhat.CateEstimator`, which is not changed, or the name of one.
    imputations, random_state
        As in `completed_trials`.
    level
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        ``row`` (position among the analysed persons, from 0), ``estimate``, ``se``, ``lower`` and
        ``upper``. Persons in blocks with one arm only are not among them.

    Examples
    --------
    >>> from tauhat.learners import LinearMixedEffect
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"arm": np.arange(200) % 2, "x": rng.normal(size=200)})
    >>> df["y"] = df.arm * df.x + rng.normal(size=200)
    >>> df["z"] = df.x.where(df.index % 4 > 0)
    >>> trial = Trial(df, outcome="y", treatment="arm", covariates=["x", "z"])
    >>> effects_over_imputations(trial, LinearMixedEffect(), imputations=2).shape
    (200, 5)
    """
    check_level(level)
    refuse_no_estimator(estimator)
    chosen = registered_estimator(estimator) if isinstance(estimator, str) else estimator
    tables = []
    for data in completed_trials(trial, imputations, random_state=random_state):
        # Learners see those with an outcome.
        part = data if data.missing is None else _with_outcome_only(data, trial.data)
        fitted = clone(chosen).fit_data(part)
        lower, upper = fitted.effect_interval(part.X, level=level)
        tables.append(
            pd.DataFrame({"estimate": fitted.effect(part.X), "lower": lower, "upper": upper})
        )
    rows = part.rows
    if trial.data is not trial.enrolled_data:
        rows = (np.cumsum(trial.has_outcome) - 1)[rows]
    found = pooled_tables(tables, level=level).assign(row=rows)
    found = found[["row", "estimate", "se", "lower", "upper"]]
    return found.sort_values("row", ignore_index=True)


def averages_over_imputations(
    trial: Any,
    imputations: int,
    random_state: int,
    of_data: Callable[[TrialData, float], AverageEffects],
    level: float,
) -> AverageEffects:
    """Average effects with missing covariates drawn several times, pooled by Rubin's rules.

    Parameters
    ----------
    trial, imputations, random_state
        As in `completed_trials`.
    of_data
        What gives the average effects of one completed trial.
    level
        Coverage of the intervals.
    """
    parts = completed_trials(trial, imputations, random_state=random_state)
    found = [of_data(data, level) for data in parts]
    result = _pooled_averages(found)
    if trial.data is trial.enrolled_data:
        return result
    if len(parts) == 1:
        return replace(result, complete_cases=_pooled_averages([of_data(trial.data, level)]))
    alone = [_with_outcome_only(data, trial.data) for data in parts]
    return replace(result, complete_cases=_pooled_averages([of_data(one, level) for one in alone]))


def _with_outcome_only(data: TrialData, analysed: TrialData) -> TrialData:
    """Those of a completed trial who have an outcome, with the outcome as it was measured."""
    assert data.missing is not None
    data = data.take(data.missing.observed)
    measured = data.measured if data.endpoint.follow_up is not None else data.measured[:, 1:]
    data = replace(data, measured=measured, missing=None, endpoint=analysed.endpoint)
    return data.with_outcome_made_anew()


def _pooled_averages(found: Sequence[AverageEffects]) -> AverageEffects:
    first = found[0]
    if len(found) == 1:
        return replace(first, method=f"{first.method}; no covariate had to be imputed")
    ends = [one.without_one for one in found if one.without_one is not None]
    return replace(
        first,
        individual=pooled([one.individual for one in found]),
        cluster=_pooled([one.cluster for one in found]),
        difference=_pooled([one.difference for one in found]),
        without_one=(
            float(np.mean([low for low, _ in ends])),
            float(np.mean([high for _, high in ends])),
        )
        if ends
        else None,
        individual_risks=_pooled_risks([one.individual_risks for one in found]),
        cluster_risks=_pooled_risks([one.cluster_risks for one in found]),
        individual_ratio=_pooled([one.individual_ratio for one in found], of_ratio=True),
        cluster_ratio=_pooled([one.cluster_ratio for one in found], of_ratio=True),
        individual_means=_pooled_means([one.individual_means for one in found]),
        cluster_means=_pooled_means([one.cluster_means for one in found]),
        method=f"{first.method}; missing covariates drawn {len(found)} times from the other "
        f"covariates and the cluster, {RUBINS_RULES}",
    )


def _pooled(estimates: Sequence[Estimate | None], *, of_ratio: bool = False) -> Estimate | None:
    """What `pooled` gives, or None where one of them is open."""
    known = [one for one in estimates if one is not None]
    return pooled(known, of_ratio=of_ratio) if len(known) == len(estimates) else None


def _pooled_means(found: Sequence[tuple[float, float] | None]) -> tuple[float, float] | None:
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    control, treated = np.mean(known, axis=0).tolist()
    return control, treated


def _pooled_risks(found: Sequence[AverageRisks | None]) -> AverageRisks | None:
    risks = [one for one in found if one is not None]
    if len(risks) < len(found):
        return None
    arms = [
        [one.control for one in risks if one.control is not None],
        [one.treated for one in risks if one.treated is not None],
    ]
    control, treated = (float(np.mean(arm)) if arm else None for arm in arms)
    return AverageRisks(
        control,
        treated,
        pooled([one.difference for one in risks]),
        _pooled([one.ratio for one in risks], of_ratio=True),
        _pooled([one.odds_ratio for one in risks], of_ratio=True),
    )
