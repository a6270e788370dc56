"""The average effect of a subgroup named in advance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray
from tauhat.arguments import check_level
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.average_risks import AverageRisks
from tauhat.inference.cross_fitting import CrossFit, RandomState
from tauhat.inference.descriptive import (
    DESCRIPTIVE,
    estimate_columns,
    interval_text,
    jackknife_words,
    over_splits,
    split_group_effects,
    units_an_arm,
)
from tauhat.inference.estimate import Estimate
from tauhat.inference.given_or_fitted import as_cross_fit
from tauhat.inference.group_risks import group_risks
from tauhat.inference.inputs import TrialLike
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread
from tauhat.wording import counted

Rule = str | Callable[[pd.DataFrame], Any] | Any


@dataclass(frozen=True)
class GroupEffect(Shown):
    """Average effect of a named subgroup; the result of `group_effect`.

    Attributes
    ----------
    rule
        The subgroup in words.
    inside, outside, difference
        Average effect of its members, of everyone else, and the first less the second.
    n_inside, n_outside
        Persons in and outside the subgroup.
    units
        Randomized units with members who have an outcome: (control, treated).
    method
        How it was estimated.
    inside_risks, outside_risks
        Risks of both arms and their ratios where the outcome is an event
        (`tauhat.inference.AverageRisks`); else None.
    """

    rule: str
    inside: Estimate
    outside: Estimate
    difference: Estimate
    n_inside: int
    n_outside: int
    units: tuple[int, int]
    method: str
    inside_risks: AverageRisks | None = None
    outside_risks: AverageRisks | None = None

    @property
    def table(self) -> pd.DataFrame:
        """One row each for members, everyone else, and the difference."""
        rows: list[tuple[str, int | None, Estimate]] = [
            ("in the subgroup", self.n_inside, self.inside),
            ("outside", self.n_outside, self.outside),
            ("difference", None, self.difference),
        ]
        table = pd.DataFrame(
            [{"group": name, "persons": n, **estimate_columns(e)} for name, n, e in rows]
        )
        return table.astype({"persons": "Int64"})

    @property
    def text(self) -> str:
        """The result in sentences."""
        risks = ""
        if self.inside_risks is not None and self.outside_risks is not None:
            risks = f"In it, {self.inside_risks.text} Outside, {self.outside_risks.text} "
        return (
            f"In the subgroup {self.rule} ({counted(self.n_inside, 'person')}), the average "
            "effect is "
            f"{interval_text(self.inside)}; outside it, {interval_text(self.outside)}; difference "
            f"{interval_text(self.difference)}. {risks}"
            "The interval holds for a subgroup that was named "
            "without looking at outcomes; for one that the data suggested use find_subgroups. "
            f"{DESCRIPTIVE} {self.method}."
        )


@on_one_thread
def group_effect(
    trial: TrialLike | CrossFit,
    rule: Rule,
    estimator: str | CateEstimator | None = None,
    *,
    level: float = 0.95,
    target: Any = None,
    n_splits: int = 5,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> GroupEffect:
    r"""Average effect of a subgroup that was named in advance, every person counted the same.

    .. math::
        \hat\theta_G = \overline{\hat\tau}_G
        + \frac{\sum_{i \in G} A_i r_i / \pi_i}{\sum_{i \in G} A_i / \pi_i}
        - \frac{\sum_{i \in G} (1 - A_i) r_i / (1 - \pi_i)}
               {\sum_{i \in G} (1 - A_i) / (1 - \pi_i)},

    with cross-fitted effects :math:`\hat\tau` and residuals r of cross-fitted
    outcome regressions, averaged over splits. The regressions need not be true:
    they move the precision, not the target. The standard error is the
    delete-one-cluster jackknife (delete-one-person without clusters), the
    interval t with the degrees of freedom of the average effects, counted in clusters with
    members (`tauhat.numerics.arm_variances.design_degrees_of_freedom`). With blocks, what
    the arms of a block share does not count as error
    (`tauhat.design.Design.errors`).

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity, or a `CrossFit`.
    rule
        The subgroup: one boolean a row of the trial (analysed persons, in the
        trial's row order), a function of the covariates' DataFrame that gives
        them, or a string that `DataFrame.eval` understands, such as
        ``"age >= 65 and female == 1"``. Covariates carry the names of the
        user's table, before encoding.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    level
        Coverage of the intervals.
    target
        Another population, as in `average_effects`: persons count by its weights, in the scores of
        models that are fitted without them. With a `CrossFit`, the ``target`` of the result of
        `average_effects`. None for the trial's own.
    n_splits, n_folds, random_state, n_jobs
        As in `cross_fit`.

    Returns
    -------
    GroupEffect

    Raises
    ------
    TrialError
        If the rule cannot be read, does not give one yes or no a row, or
        leaves an arm with fewer than two units in or outside the subgroup.

    References
    ----------
    Li, Tong, Fang, Cheng, Kahan and Wang (2025), Statistics in Medicine, for
    the estimator with clusters; Kennedy (2023), Electronic Journal of
    Statistics 17:3008-3049, for the scores.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X = pd.DataFrame({"age": rng.uniform(30, 80, 400), "bmi": rng.normal(25, 3, 400)})
    >>> arm = np.arange(400) % 2
    >>> y = arm * (X.age > 60) * 2 + rng.normal(size=400)
    >>> result = group_effect((X, y, arm), "age > 60", "LMM", n_splits=2)
    >>> result.inside.lower < 2 < result.inside.upper, result.outside.lower < 0
    (True, True)
    """
    check_level(level)
    fit = as_cross_fit(
        trial,
        estimator,
        n_splits=n_splits,
        n_folds=n_folds,
        random_state=random_state,
        n_jobs=n_jobs,
        target=target,
    )
    chosen, words = read_rule(fit.frame, rule)
    inside = chosen[fit.rows]
    member = np.column_stack([inside, ~inside]).astype(np.float64)
    units = units_an_arm(fit, member)
    for where, (control, treated) in zip(("in", "outside"), units, strict=True):
        if min(control, treated) < 2:
            anyone = (
                "anyone in it" if fit.data.missing is None else "anyone in it who has an outcome"
            )
            raise TrialError(
                f"{where} the subgroup {words} there are {control} control and {treated} treated "
                f"{fit.design.units_word} with {anyone}; an average effect needs two in each "
                "arm. Choose a wider subgroup"
            )
    contrast = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, -1.0]])
    groups = [split_group_effects(fit, s, member) for s in range(fit.n_splits)]
    results = [one.combine(contrast) for one in groups]
    estimates = over_splits(fit, results, level=level, fixed=True)
    inside_risks, outside_risks = group_risks(fit, member, groups, estimates[:2], level)
    return GroupEffect(
        rule=words,
        inside=estimates[0],
        outside=estimates[1],
        difference=estimates[2],
        n_inside=int(inside.sum()),
        n_outside=int((~inside).sum()),
        units=units[0],
        method=f"Model-robust estimate, {fit.method}; {jackknife_words(fit)}",
        inside_risks=inside_risks,
        outside_risks=outside_risks,
    )


def read_rule(frame: pd.DataFrame, rule: Rule) -> tuple[BoolArray, str]:
    """Members of a subgroup in the user's row order, and the subgroup in words.

    Parameters
    ----------
    frame
        Covariates as the user knows them, n rows.
    rule
        As in `group_effect`.

    Returns
    -------
    members
        Shape (n,).
    words
        The rule itself if it is a string, else what it is.

    Raises
    ------
    TrialError
        If the rule does not give one yes or no a row.
    """
    words = "given by the user"
    if isinstance(rule, str):
        words = f"'{rule}'"
        try:
            values = frame.eval(rule)
        except Exception as error:
            raise TrialError(
                f"the rule {rule!r} cannot be read: {error}; the covariates are "
                f"{', '.join(map(str, frame.columns))} (put names with spaces in backticks)"
            ) from error
    elif callable(rule):
        values = rule(frame.copy())
        name = getattr(rule, "__name__", "")
        words = f"'{name}'" if name.isidentifier() else words
    else:
        values = rule
    array = np.asarray(values)
    if array.shape != (len(frame),):
        raise TrialError(
            f"the rule gives an array of shape {array.shape}; it must give one yes or no for "
            f"each of the {len(frame)} persons who count (the rows of trial.counted_frame)"
        )
    if array.dtype != bool:
        missing = int(pd.isna(array).sum())
        if missing:
            raise TrialError(
                f"the rule is missing for {counted(missing, 'person')}; say yes or no for each"
            )
        if not np.isin(array, (0, 1)).all():
            raise TrialError(f"the rule gives values of type {array.dtype}, not yes or no")
    return array.astype(bool), words
