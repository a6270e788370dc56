"""The average effect along one covariate, from data and not from a fitted curve."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from tauhat._typing import IntArray
from tauhat.arguments import check_count, check_level
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.cross_fitting import CrossFit, RandomState
from tauhat.inference.descriptive import (
    DESCRIPTIVE,
    fixed_group_rows,
    interval_text,
    jackknife_words,
)
from tauhat.inference.estimate import Estimate
from tauhat.inference.given_or_fitted import as_cross_fit
from tauhat.inference.inputs import TrialLike
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread
from tauhat.tables.extremes import frame_within

MISSING = "missing"


@dataclass(frozen=True)
class EffectCurve(Shown):
    """Average effect along one covariate; the result of `effect_curve`.

    Attributes
    ----------
    covariate
        The covariate, as the user's table names it.
    table
        One row per group in the order of the covariate: ``group`` in words;
        ``value``, the mean of the covariate in the group (missing for
        categories); ``persons``; ``control units`` and ``treated units``,
        randomized units with members; ``estimate``, ``se``, ``lower`` and
        ``upper`` of the average effect of its members.
    difference
        Effect of the last group less that of the first, when the covariate is
        a number; not estimated for categories of more than two levels.
    method
        How it was estimated.
    """

    covariate: str
    table: pd.DataFrame
    difference: Estimate | None
    method: str

    @property
    def text(self) -> str:
        """The result in sentences."""
        known = self.table[self.table.estimate.notna()]
        parts = "; ".join(
            f"{row.group}: {row.estimate:.3g} ({row.lower:.3g} to {row.upper:.3g})"
            for row in known.itertuples()
        )
        gap = ""
        if self.difference is not None:
            gap = f" Last group less first: {interval_text(self.difference)}."
        return (
            f"Average effect along {self.covariate}, with intervals: {parts}.{gap} Each interval "
            "stands alone. Groups that differ in this covariate may differ in others too, so the "
            "curve does not say that this covariate is what changes the effect. "
            f"{DESCRIPTIVE} {self.method}."
        )


@on_one_thread
def effect_curve(
    trial: TrialLike | CrossFit,
    covariate: str,
    estimator: str | CateEstimator | None = None,
    *,
    n_groups: int = 5,
    level: float = 0.95,
    n_splits: int = 5,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> EffectCurve:
    r"""Average effect along one covariate that was named in advance, with intervals.

    A number of many values is cut at its quantiles into ``n_groups`` groups
    :math:`G_1, \dots, G_K`; fewer values, and categories, are groups themselves,
    missing values are one of their own. Each group has the model-robust average
    effect of `group_effect`,

    .. math::
        \hat\theta_k = \overline{\hat\tau}_{G_k}
        + \frac{\sum_{i \in G_k} A_i r_i / \pi_i}{\sum_{i \in G_k} A_i / \pi_i}
        - \frac{\sum_{i \in G_k} (1 - A_i) r_i / (1 - \pi_i)}
               {\sum_{i \in G_k} (1 - A_i) / (1 - \pi_i)},

    with its delete-one-cluster jackknife. A fitted curve that is too smooth, or
    wrong, only widens the intervals: the estimates are corrected by the
    residuals of persons that the fit had not seen.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity, or a `CrossFit`.
    covariate
        Column of the user's covariates, before encoding.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    n_groups
        Groups of a covariate with more values than that, at least 2.
    level
        Coverage of each interval.
    n_splits, n_folds, random_state, n_jobs
        As in `cross_fit`.

    Returns
    -------
    EffectCurve
        A group with fewer than two units in an arm has no estimate.

    Raises
    ------
    TrialError
        If there is no such covariate, it has one value only, or ``n_groups`` is
        less than 2.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> X = pd.DataFrame({"age": rng.uniform(30, 80, 600), "bmi": rng.normal(25, 3, 600)})
    >>> arm = clusters % 2
    >>> y = arm * (X.age - 55) / 10 + rng.normal(size=600)
    >>> curve = effect_curve((X, y, arm, clusters), "age", n_splits=2)
    >>> curve.table.estimate.round().astype(int).tolist(), curve.difference.lower > 2
    ([-2, -1, 0, 1, 2], True)
    """
    check_count(n_groups, "n_groups", 2)
    check_level(level)
    if not pd.api.types.is_hashable(covariate):
        raise TrialError(f"covariate must be the name of one covariate, got {covariate!r}")
    fit = as_cross_fit(
        trial,
        estimator,
        n_splits=n_splits,
        n_folds=n_folds,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    if covariate not in fit.frame.columns:
        known = ", ".join(map(str, fit.frame.columns))
        raise TrialError(f"there is no covariate {covariate!r}; they are {known}")
    group, names, values = _groups(frame_within(fit.frame, fit.data)[covariate], n_groups)
    if len(names) < 2:
        raise TrialError(f"{covariate!r} has one value only, so there is nothing to compare")
    member = np.eye(len(names))[group[fit.rows]]
    ends = _ends(names, values)
    gap = None
    if ends is not None:
        gap = np.zeros((len(names), 1))
        gap[list(ends), 0] = -1.0, 1.0
    rows, combined = fixed_group_rows(fit, member, names, level=level, differences=gap)
    table = pd.DataFrame(rows)
    table.insert(1, "value", values)
    return EffectCurve(
        covariate,
        table,
        combined[0] if combined else None,
        f"Model-robust estimates, {fit.method}; {jackknife_words(fit)}",
    )


def _groups(column: pd.Series, n_groups: int) -> tuple[IntArray, list[str], list[float]]:
    """Group of each person, the groups in words, and the mean of the covariate in each."""
    missing = column.isna().to_numpy()
    numeric = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
    if numeric:
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        known = np.unique(numbers[~missing])
        if len(known) > n_groups:
            quantiles = np.quantile(numbers[~missing], np.linspace(0, 1, n_groups + 1)[1:-1])
            cuts = np.unique(quantiles[(quantiles >= known[0]) & (quantiles < known[-1])])
            group = np.searchsorted(cuts, numbers, side="left")
            edges = [f"{cut:.4g}" for cut in cuts]
            names = [f"up to {edges[0]}"] if edges else ["all"]
            names += [f"{low} to {high}" for low, high in pairwise(edges)]
            names += [f"above {edges[-1]}"] if edges else []
        else:
            group = np.searchsorted(known, numbers, side="left")
            names = [f"{value:.4g}" for value in known]
        values = [float(numbers[~missing & (group == k)].mean()) for k in range(len(names))]
    else:
        codes, levels = pd.factorize(column, sort=True)
        group, names = codes, [str(level) for level in levels]
        values = [float("nan")] * len(names)
    group = np.where(missing, len(names), group).astype(np.int64)
    if missing.any():
        names, values = [*names, MISSING], [*values, float("nan")]
    return group, names, values


def _ends(names: list[str], values: list[float]) -> tuple[int, int] | None:
    """First and last group of a number, both levels of two, or None."""
    ordered = [k for k, value in enumerate(values) if np.isfinite(value)]
    if not ordered and len(names) == 2 and MISSING not in names:
        ordered = [0, 1]
    return (ordered[0], ordered[-1]) if len(ordered) > 1 else None
