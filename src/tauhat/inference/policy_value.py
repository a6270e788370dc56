"""Value of treating by the model, against treating everyone or no one."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.arguments import check_level, check_number, check_switch
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.cross_fitting import CrossFit, RandomState
from tauhat.inference.descriptive import (
    DESCRIPTIVE,
    estimate_columns,
    interval_text,
    jackknife_words,
    over_splits,
    score_means,
)
from tauhat.inference.estimate import Estimate
from tauhat.inference.given_or_fitted import as_cross_fit
from tauhat.inference.inputs import TrialLike
from tauhat.numerics.mid_ranks import tied_levels
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread
from tauhat.wording import counted


@dataclass(frozen=True)
class PolicyValue(Shown):
    """Value of treating by the model; the result of `policy_value`.

    Attributes
    ----------
    over_none
        Mean gain a person of treating by the model over treating no one.
    over_all
        Mean gain a person of treating by the model over treating everyone.
    all_over_none
        Mean gain a person of treating everyone over treating no one.
    share_treated
        Share of persons whom the model would treat, mean over splits.
    threshold
        Least held-out benefit for which the model treats.
    method
        How it was estimated.
    treat_at_most
        Largest number (int) or share (float) of persons that could be treated;
        None without a limit.
    over_random
        Mean gain a person of treating by the model over treating as many persons
        chosen at random; None without a limit.
    """

    over_none: Estimate
    over_all: Estimate
    all_over_none: Estimate
    share_treated: float
    threshold: float
    method: str
    treat_at_most: int | float | None = None
    over_random: Estimate | None = None

    @property
    def table(self) -> pd.DataFrame:
        """One row per comparison of two policies."""
        named = {
            "by the model against no one": self.over_none,
            "by the model against everyone": self.over_all,
            "everyone against no one": self.all_over_none,
        }
        if self.over_random is not None:
            named["by the model against as many at random"] = self.over_random
        return pd.DataFrame([{"treating": k, **estimate_columns(e)} for k, e in named.items()])

    @property
    def text(self) -> str:
        """The result in sentences."""
        if self.over_random is None:
            other, what = self.over_all, "everyone"
            start = f"The model would treat {100 * self.share_treated:.0f}% of persons"
        else:
            other, what = self.over_random, "as many at random"
            most: Any = self.treat_at_most
            share = isinstance(most, float)
            limit = f"{100 * most:.3g}% of persons" if share else counted(most, "person")
            start = (
                f"If at most {limit} can be treated, the model would treat "
                f"{100 * self.share_treated:.3g}% of persons"
            )
        if other.lower > 0:
            verdict = f"better than treating {what}"
        elif other.upper < 0:
            verdict = f"worse than treating {what}"
        else:
            verdict = f"not clearly better or worse than treating {what}"
        return (
            f"{start}, with a mean gain "
            f"a person of {interval_text(self.over_none)} over treating no one and "
            f"{interval_text(other)} over treating {what}: {verdict}. Gains are in units "
            "of the outcome, positive when the outcome is better, without the cost of treatment. "
            f"{DESCRIPTIVE} {self.method}."
        )


@on_one_thread
def policy_value(
    trial: TrialLike | CrossFit,
    estimator: str | CateEstimator | None = None,
    *,
    threshold: float = 0.0,
    treat_at_most: int | float | None = None,
    higher_is_better: bool = True,
    level: float = 0.95,
    target: Any = None,
    n_splits: int = 11,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> PolicyValue:
    r"""Compare treating by the held-out effects with treating everyone and no one.

    The model treats a person when the held-out benefit S exceeds the
    threshold, :math:`d_i = 1(S_i > t)`, and, where only some can be treated,
    those of them with the largest benefit. By the model-robust scores
    :math:`\psi_i` of the effect (turned when a lower outcome is better),

    .. math::
        \hat V_{none} = \frac1n \sum_i d_i \psi_i, \qquad
        \hat V_{all} = -\frac1n \sum_i (1 - d_i) \psi_i

    are its mean gains a person over treating no one and everyone, and
    :math:`\frac1n \sum_i (d_i - \bar d) \psi_i` is that over treating as many at
    random. Nobody is
    treated by a model that saw the person or the cluster. The
    estimate is the mean over splits; its squared error is the mean squared
    delete-one-cluster jackknife error plus the variance between splits, whose
    decisions differ; t with the degrees of freedom of the average effects. In a
    cluster trial these are gains of treating single persons, if treatment works
    as it did when whole clusters received it: persons are ranked, not clusters,
    and the error counts clusters.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity, or a `CrossFit`.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    threshold
        Least benefit that makes treatment worth while, in units of the outcome.
    treat_at_most
        A whole number of the trial's persons, or a share above 0 and at most 1,
        when no more can be treated; None for no limit. Every fold treats that
        share of its own persons (of their weight, with weights), since benefits
        predicted by different fits are not on one scale. With ``target`` it is a share.
        Persons with equal benefit share the last places: each is treated with the
        probability that a draw among them gives.
    higher_is_better
        Whether a positive effect is a benefit.
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
    PolicyValue

    Raises
    ------
    TrialError
        If ``level`` is not between 0 and 1, ``threshold`` is no number, ``treat_at_most`` is no
        number or share of the trial's persons, or the cross-fitting is not possible.

    References
    ----------
    Athey and Wager (2021), Econometrica 89:133-161, for policy values from
    doubly robust scores.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, arm = rng.normal(size=(800, 2)), np.arange(800) % 2
    >>> y = arm * X[:, 0] + rng.normal(size=800)
    >>> result = policy_value((X, y, arm), "LMM", n_splits=2)
    >>> bool(result.over_none.lower < 0.4 < result.over_none.upper), result.over_all.lower > 0
    (True, True)
    >>> limited = policy_value((X, y, arm), "LMM", n_splits=2, treat_at_most=80)
    >>> round(limited.share_treated, 3), limited.over_random.lower > 0
    (0.1, True)
    """
    check_number(threshold, "threshold", "a number in units of the outcome")
    check_switch(higher_is_better, "higher_is_better")
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
    sign = 1.0 if higher_is_better else -1.0
    benefit = sign * fit.effects
    treats = (benefit > threshold).astype(np.float64)
    if treat_at_most is not None:
        share = _share(treat_at_most, fit.data.n)
        whole = isinstance(treat_at_most, Integral)
        if whole and fit.population is not None:
            raise TrialError(
                "treat_at_most must be a share with target=: the trial's persons are not those of "
                "the population"
            )
        treat_at_most = int(treat_at_most) if whole else float(treat_at_most)
        treats *= np.array([_first(fit, s, benefit[s], share) for s in range(fit.n_splits)])
    results = []
    for s, chosen in enumerate(treats):
        as_many = np.average(chosen, weights=fit.weight)
        gains = [chosen, chosen - 1, np.ones(fit.data.n), chosen - as_many]
        results.append(score_means(fit, s, sign * np.column_stack(gains)))
    over_none, over_all, all_over_none, over_random = over_splits(fit, results, level=level)
    return PolicyValue(
        over_none,
        over_all,
        all_over_none,
        float(np.average(treats.mean(axis=0), weights=fit.weight)),
        threshold,
        f"Policy value, {fit.method}; {jackknife_words(fit)}",
        treat_at_most,
        None if treat_at_most is None else over_random,
    )


def _share(treat_at_most: Any, n: int) -> float:
    """The limit as a share of n persons."""
    if not isinstance(treat_at_most, bool) and isinstance(treat_at_most, Real):
        share = float(treat_at_most) / (n if isinstance(treat_at_most, Integral) else 1)
        if 0 < share <= 1:
            return share
    raise TrialError(
        f"treat_at_most must be a whole number from 1 to the {n} persons of the trial, or a share "
        f"above 0 and at most 1, got {treat_at_most!r}"
    )


def _first(fit: CrossFit, split: int, benefit: FloatArray, share: float) -> FloatArray:
    """Probability that each person is among the share with most benefit in the fold, shape (n,)."""
    chance = np.empty(len(benefit))
    for fold in range(fit.n_folds):
        rows = np.flatnonzero(fit.folds[split] == fold)
        places = share * fit.weight[rows].sum()
        level = tied_levels(-benefit[rows])
        size = np.bincount(level, weights=fit.weight[rows])
        before = np.cumsum(size) - size
        chance[rows] = np.clip((places - before) / size, 0.0, 1.0)[level]
    return chance
