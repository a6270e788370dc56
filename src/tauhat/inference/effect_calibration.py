"""Calibration of estimated effects: held-out predictions against the effects that came true."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tauhat.arguments import check_count, check_level
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.best_linear_predictor import best_linear_predictor
from tauhat.inference.cross_fitting import CrossFit, RandomState
from tauhat.inference.descriptive import (
    DESCRIPTIVE,
    estimate_columns,
    interval_text,
    no_estimate,
    over_splits,
    split_group_effects,
)
from tauhat.inference.estimate import Estimate
from tauhat.inference.given_or_fitted import as_cross_fit
from tauhat.inference.inputs import TrialLike
from tauhat.inference.sorted_effects import sorted_group_effects
from tauhat.runtime.display import html
from tauhat.runtime.parallel import on_one_thread

#: Largest standard error of a slope that is given. Beyond it the slopes of perfect and of worthless
#: predictions, 1 and 0, are less than half a standard error apart: the predictions differ between
#: persons by less than half the error with which effects can be told apart along them.
LARGEST_SLOPE_ERROR = 2.0


@dataclass(frozen=True)
class EffectCalibration:
    """Calibration of estimated effects; the result of `effect_calibration`.

    Attributes
    ----------
    curve
        One row per group of persons with like held-out effects: ``group``,
        ``persons``, ``predicted`` (mean held-out effect), and the group's effect:
        ``estimate``, ``se``, ``lower``, ``upper``.
    slope
        Of the effect on the held-out effect: 1 for perfect calibration, below 1
        when predictions differ too much, above 1 when they differ too little. Not
        a number where the predictions hardly differ (see `effect_calibration`).
    bias
        Average effect less mean held-out effect, units of the outcome.
    spread
        Standard deviation of the held-out effects between persons, units of the
        outcome, median over splits.
    method
        How it was estimated.
    """

    curve: pd.DataFrame
    slope: Estimate
    bias: Estimate
    spread: float
    method: str

    @property
    def table(self) -> pd.DataFrame:
        """One row each for the slope and the bias."""
        named = {"slope": self.slope, "bias": self.bias}
        return pd.DataFrame([{"measure": k, **estimate_columns(e)} for k, e in named.items()])

    @property
    def text(self) -> str:
        """The result in sentences."""
        if np.isfinite(self.slope.estimate):
            found = (
                f"The calibration slope is {interval_text(self.slope)}: 1 is perfect, less means "
                "that the predictions differ more between persons than the effects do"
            )
        else:
            found = (
                f"The held-out effects hardly differ between persons (SD {self.spread:.3g}), so "
                "the calibration slope cannot be estimated: perfect predictions (slope 1) and "
                f"worthless ones (slope 0) lie less than {1 / LARGEST_SLOPE_ERROR:g} standard "
                "errors apart. What differences were predicted is neither confirmed nor refuted; "
                "read it as no heterogeneity found"
            )
        return (
            f"{found}. On average the effect exceeds the prediction by {interval_text(self.bias)}. "
            f"{DESCRIPTIVE} {self.method}."
        )

    def _repr_html_(self) -> str:
        return html(self.text, self.table, self.curve)


@on_one_thread
def effect_calibration(
    trial: TrialLike | CrossFit,
    estimator: str | CateEstimator | None = None,
    *,
    n_groups: int = 5,
    level: float = 0.95,
    n_splits: int = 11,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> EffectCalibration:
    r"""Compare held-out effects with the effects of the persons they were predicted for.

    The curve is that of `sorted_group_effects` beside the mean prediction of
    each group; the slope is that of `best_linear_predictor`; the bias is

    .. math:: \hat\theta - \overline{\hat\tau},

    the model-robust average effect less the mean prediction. The slope's
    interval is too low when effects do not differ, where cross-fitting makes
    the slope negative; it says how much to trust differences, not whether
    there are any.

    The slope divides by the spread of the predictions. Where its standard
    error exceeds 2 it is not a number: the slopes 1 of perfect and 0 of
    worthless predictions are then less than half a standard error apart, in
    other words the predictions' standard deviation is less than half the
    standard error of the change in effect along one standard deviation of
    them. Such predictions say that no heterogeneity was found, and how well
    they are calibrated cannot be asked.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity, or a `CrossFit`.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    n_groups
        Points of the curve.
    level
        Coverage of the intervals.
    n_splits, n_folds, random_state, n_jobs
        As in `cross_fit`.

    Returns
    -------
    EffectCalibration

    Raises
    ------
    TrialError
        If ``n_groups`` is less than 2 or more than a fold has persons.

    References
    ----------
    van Klaveren, Steyerberg, Serruys and Kent (2018), Journal of Clinical
    Epidemiology 94:59-68, for calibration of predicted benefit.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, arm = rng.normal(size=(600, 2)), np.arange(600) % 2
    >>> y = arm * (1 + X[:, 0]) + rng.normal(size=600)
    >>> result = effect_calibration((X, y, arm), "LMM", n_splits=3)
    >>> bool(result.slope.lower < 1 < result.slope.upper), len(result.curve)
    (True, 5)
    """
    check_count(n_groups, "n_groups", 2)
    check_level(level)
    fit = as_cross_fit(
        trial,
        estimator,
        n_splits=n_splits,
        n_folds=n_folds,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    groups = sorted_group_effects(fit, n_groups=n_groups, level=level)
    everyone = np.ones((fit.data.n, 1))
    results = []
    for s in range(fit.n_splits):
        average = split_group_effects(fit, s, everyone)
        predicted = float(np.average(fit.effects[s], weights=fit.weight))
        results.append(
            replace(
                average,
                estimate=average.estimate - predicted,
                deleted=average.deleted - predicted,
                largest=None if average.largest is None else 2 * average.largest,
            )
        )
    slope = best_linear_predictor(fit, level=level).slope
    if not slope.se <= LARGEST_SLOPE_ERROR:
        slope = no_estimate(level)
    return EffectCalibration(
        curve=groups.table.iloc[:-1].astype({"persons": "int64"}),
        slope=slope,
        bias=over_splits(fit, results, level=level, fixed=True)[0],
        spread=float(np.median(fit.centred_effects.std(axis=1))),
        method=f"Calibration, {fit.method}",
    )
