"""Value of treating by the model, against treating everyone or no one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat.cate_estimator import CateEstimator
from tauhat.display import Shown
from tauhat.inference.average_effects import Estimate
from tauhat.inference.cross_fitting import CrossFit, RandomState, as_cross_fit
from tauhat.inference.descriptive import (
    DESCRIPTIVE,
    estimate_columns,
    interval_text,
    jackknife_words,
    over_splits,
    score_means,
)
from tauhat.inference.inputs import TrialLike


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
    """

    over_none: Estimate
    over_all: Estimate
    all_over_none: Estimate
    share_treated: float
    threshold: float
    method: str

    @property
    def table(self) -> pd.DataFrame:
        """One row a comparison of two policies."""
        named = {
            "by the model against no one": self.over_none,
            "by the model against everyone": self.over_all,
            "everyone against no one": self.all_over_none,
        }
        return pd.DataFrame([{"treating": k, **estimate_columns(e)} for k, e in named.items()])

    @property
    def text(self) -> str:
        """The result in sentences."""
        if self.over_all.lower > 0:
            verdict = "better than treating everyone"
        elif self.over_all.upper < 0:
            verdict = "worse than treating everyone"
        else:
            verdict = "not clearly better or worse than treating everyone"
        return (
            f"The model would treat {100 * self.share_treated:.0f} % of persons, with a mean gain "
            f"a person of {interval_text(self.over_none)} over treating no one and "
            f"{interval_text(self.over_all)} over treating everyone: {verdict}. Gains are in units "
            "of the outcome, positive when the outcome is better, without the cost of treatment. "
            f"{DESCRIPTIVE} {self.method}."
        )


def policy_value(
    trial: TrialLike | CrossFit,
    estimator: str | CateEstimator | None = None,
    *,
    threshold: float = 0.0,
    higher_is_better: bool = True,
    level: float = 0.95,
    n_splits: int = 11,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> PolicyValue:
    r"""Compare treating by the held-out effects with treating everyone and no one.

    The model treats a person when the held-out benefit S exceeds the
    threshold, :math:`d_i = 1(S_i > t)`; by the model-robust scores
    :math:`\psi_i` of the effect (turned when a lower outcome is better),

    .. math::
        \hat V_{none} = \frac1n \sum_i d_i \psi_i, \qquad
        \hat V_{all} = -\frac1n \sum_i (1 - d_i) \psi_i

    are its mean gains a person over treating no one and everyone. Nobody is
    treated by a model that saw the person or the cluster. The
    estimate is the mean over splits; its squared error is the mean squared
    delete-one-cluster jackknife error plus the variance between splits, whose
    decisions differ; t with the degrees of freedom of the average effects. In a
    cluster trial these are gains of treating single persons, if treatment works
    as it did when whole clusters received it.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity, or a `CrossFit`.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    threshold
        Least benefit that makes treatment worth while, in units of the outcome.
    higher_is_better
        Whether a positive effect is a benefit.
    level
        Coverage of the intervals.
    n_splits, n_folds, random_state, n_jobs
        As in `cross_fit`.

    Returns
    -------
    PolicyValue

    Raises
    ------
    TrialError
        If ``level`` is not between 0 and 1 or the cross-fitting is not possible.

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
    """
    fit = as_cross_fit(
        trial,
        estimator,
        n_splits=n_splits,
        n_folds=n_folds,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    sign = 1.0 if higher_is_better else -1.0
    treats = (sign * fit.effects > threshold).astype(np.float64)
    results = [
        score_means(fit, s, sign * np.column_stack([chosen, chosen - 1, np.ones(fit.data.n)]))
        for s, chosen in enumerate(treats)
    ]
    over_none, over_all, all_over_none = over_splits(fit, results, level=level)
    return PolicyValue(
        over_none,
        over_all,
        all_over_none,
        float(np.average(treats.mean(axis=0), weights=fit.weight)),
        threshold,
        f"Policy value, {fit.method}; {jackknife_words(fit)}",
    )
