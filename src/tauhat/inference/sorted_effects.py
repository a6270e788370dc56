"""Effects of groups of persons sorted by their held-out effect, and who is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.arguments import check_count, check_level
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.cross_fitting import CrossFit, RandomState
from tauhat.inference.descriptive import (
    DESCRIPTIVE,
    estimate_columns,
    interval_text,
    jackknife_words,
    over_splits,
    split_group_effects,
)
from tauhat.inference.estimate import Estimate
from tauhat.inference.given_or_fitted import as_cross_fit
from tauhat.inference.inputs import TrialLike
from tauhat.inference.jackknife import Jackknife
from tauhat.numerics.centring import sums_by_unit
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread


@dataclass(frozen=True)
class SortedGroupEffects(Shown):
    """Average effects of groups sorted by held-out effect; the result of `sorted_group_effects`.

    Attributes
    ----------
    groups
        One estimate a group, smallest held-out effects first.
    difference
        Effect of the last group less that of the first.
    predicted
        Mean held-out effect of each group, units of the outcome, shape (groups,).
    persons
        Mean number of persons in each group over splits, shape (groups,).
    method
        How it was estimated.
    """

    groups: tuple[Estimate, ...]
    difference: Estimate
    predicted: FloatArray
    persons: FloatArray
    method: str

    @property
    def table(self) -> pd.DataFrame:
        """One row per group and one for the difference; ``persons`` to the nearest whole number."""
        rows = [
            {"group": _group_name(k, len(self.groups)), "persons": round(self.persons[k])}
            | {"predicted": self.predicted[k]}
            | estimate_columns(estimate)
            for k, estimate in enumerate(self.groups)
        ]
        gap = float(self.predicted[-1] - self.predicted[0])
        rows.append(
            {"group": "largest less smallest", "persons": None, "predicted": gap}
            | estimate_columns(self.difference)
        )
        return pd.DataFrame(rows).astype({"persons": "Int64"})

    @property
    def text(self) -> str:
        """The result in sentences."""
        share = f"{100 / len(self.groups):.0f}%"
        return (
            f"Among the {share} of persons with the largest held-out effects the average effect "
            f"is {interval_text(self.groups[-1])}; among the {share} with the smallest, "
            f"{interval_text(self.groups[0])}; difference {interval_text(self.difference)}. The "
            "groups are found without the persons they are judged on, and the figures are those "
            f"of groups found in this way, averaged over splits. {DESCRIPTIVE} {self.method}."
        )


@dataclass(frozen=True)
class ClassificationAnalysis(Shown):
    """Who is most and least affected; the result of `classification_analysis`.

    Attributes
    ----------
    table
        One row per covariate: ``covariate`` (encoded), ``source`` (the user's
        column), its mean in the groups with the ``largest`` and the ``smallest``
        held-out effects, their ``difference`` with ``se``, ``lower`` and
        ``upper``, and ``standardized``, the difference over the covariate's
        standard deviation. Largest standardized differences first.
    share
        Share of persons in either group.
    level
        Coverage of each interval, not adjusted for the number of covariates.
    method
        How it was estimated.
    """

    table: pd.DataFrame
    share: float
    level: float
    method: str

    @property
    def text(self) -> str:
        """The covariates that differ most, in sentences."""
        clear = self.table[(self.table.lower > 0) | (self.table.upper < 0)]
        named = "; ".join(
            f"{row.covariate} (mean {row.largest:.3g} against {row.smallest:.3g})"
            for row in clear.head(5).itertuples()
        )
        who = f"{100 * self.share:.0f}%"
        found = (
            f"The {who} of persons with the largest held-out effects differ from the {who} with "
            f"the smallest in {named}."
            if named
            else f"The {who} of persons with the largest and the smallest held-out effects do not "
            "clearly differ in any covariate."
        )
        return (
            f"{found} Each interval stands alone: with {len(self.table)} covariates some exclude "
            "zero by chance. A covariate that differs need not be what changes the effect. "
            f"{DESCRIPTIVE} {self.method}."
        )


@on_one_thread
def sorted_group_effects(
    trial: TrialLike | CrossFit,
    estimator: str | CateEstimator | None = None,
    *,
    n_groups: int = 4,
    level: float = 0.95,
    target: Any = None,
    n_splits: int = 11,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> SortedGroupEffects:
    r"""Sorted group average treatment effects: effects by quantile of the held-out effect.

    Every fold is cut at the quantiles of its own held-out effects. In each
    split the effect of group k is the mean of the model-robust scores of its
    members in the Hajek form of `group_effect`, with the delete-one-cluster
    jackknife. Over splits,

    .. math:: \hat\theta_k = \frac1S \sum_s \hat\theta_{ks}, \qquad
              se_k^2 = \frac1S \sum_s se_{ks}^2
              + \frac{1}{S - 1} \sum_s (\hat\theta_{ks} - \hat\theta_k)^2,

    with the degrees of freedom of `group_effect`. The target is the average effect
    of the groups so found, averaged over splits: it depends on the data, and is not
    that of a fixed subgroup.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity, or a `CrossFit`.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    n_groups
        Number of groups of equal size, at least 2.
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
    SortedGroupEffects

    Raises
    ------
    TrialError
        If ``n_groups`` is less than 2 or more than a fold has persons.

    References
    ----------
    Chernozhukov, Demirer, Duflo and Fernandez-Val (2018), NBER 24678.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, arm = rng.normal(size=(600, 2)), np.arange(600) % 2
    >>> y = arm * (1 + X[:, 0]) + rng.normal(size=600)
    >>> result = sorted_group_effects((X, y, arm), "LMM", n_splits=3)
    >>> [bool(g.lower < target < g.upper) for g, target in
    ...  zip(result.groups, (-0.27, 0.68, 1.32, 2.27))]
    [True, True, True, True]
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
        target=target,
    )
    members = _members(fit, n_groups)
    contrast = np.hstack([np.eye(n_groups), np.zeros((n_groups, 1))])
    contrast[[0, -1], -1] = -1.0, 1.0
    results = [
        split_group_effects(fit, s, members[s]).combine(contrast) for s in range(fit.n_splits)
    ]
    estimates = over_splits(fit, results, level=level)
    weighted = members * fit.weight[None, :, None]
    predicted = (weighted * fit.effects[:, :, None]).sum(axis=(0, 1)) / weighted.sum(axis=(0, 1))
    return SortedGroupEffects(
        groups=tuple(estimates[:-1]),
        difference=estimates[-1],
        predicted=predicted,
        persons=members.sum(axis=1).mean(axis=0),
        method=(
            f"Sorted group average treatment effects, {fit.method}; mean over splits, "
            f"{jackknife_words(fit)} error plus variance between splits"
        ),
    )


@on_one_thread
def classification_analysis(
    trial: TrialLike | CrossFit,
    estimator: str | CateEstimator | None = None,
    *,
    n_groups: int = 4,
    level: float = 0.95,
    n_splits: int = 11,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> ClassificationAnalysis:
    r"""Covariate means of the most and the least affected persons.

    In each split the groups are those of `sorted_group_effects`; the means of a
    covariate in the last and the first group are compared,

    .. math:: \hat\delta = \bar x_{G_K} - \bar x_{G_1},

    with the delete-one-cluster jackknife, so that a covariate of the cluster is
    not taken for as many observations as the cluster has persons. Mean over
    splits, error and degrees of freedom as in `sorted_group_effects`.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity, or a `CrossFit`.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    n_groups
        The groups compared hold one in ``n_groups`` persons each, at least 2.
    level
        Coverage of the intervals.
    n_splits, n_folds, random_state, n_jobs
        As in `cross_fit`.

    Returns
    -------
    ClassificationAnalysis

    Raises
    ------
    TrialError
        If ``n_groups`` is less than 2 or more than a fold has persons.

    References
    ----------
    Chernozhukov, Demirer, Duflo and Fernandez-Val (2018), NBER 24678.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, arm = rng.normal(size=(400, 3)), np.arange(400) % 2
    >>> y = arm * (1 + X[:, 1]) + rng.normal(size=400)
    >>> table = classification_analysis((X, y, arm), "LMM", n_splits=3).table
    >>> table.covariate[0], bool(table.lower[0] > 1)
    ('x2', True)
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
    members = _members(fit, n_groups)
    X, weight = fit.data.X, fit.weight
    p = X.shape[1]
    results = []
    means = []
    for member in members:
        low, high = (_means(fit, X, weight * member[:, k]) for k in (0, -1))
        means.append((low.estimate, high.estimate))
        both = Jackknife(
            np.r_[low.estimate, high.estimate],
            np.hstack([low.deleted, high.deleted]),
            np.hstack([low.expected, high.expected]),
            fit.design,
        )
        results.append(both.combine(np.vstack([-np.eye(p), np.eye(p)])))
    estimates = over_splits(fit, results, level=level)
    smallest, largest = np.mean(means, axis=0)
    spread = np.sqrt(np.average((X - np.average(X, axis=0, weights=weight)) ** 2, axis=0))
    spread = np.where(spread > 0, spread, 1.0)
    table = pd.DataFrame(
        [
            {
                "covariate": name,
                "source": fit.trial.sources[j],
                "largest": largest[j],
                "smallest": smallest[j],
                "difference": estimate.estimate,
                "se": estimate.se,
                "lower": estimate.lower,
                "upper": estimate.upper,
                "standardized": estimate.estimate / spread[j],
            }
            for j, (name, estimate) in enumerate(
                zip(fit.data.feature_names, estimates, strict=True)
            )
        ]
    )
    order = table.standardized.abs().sort_values(ascending=False, kind="stable").index
    return ClassificationAnalysis(
        table.loc[order].reset_index(drop=True),
        1 / n_groups,
        level,
        f"Classification analysis, {fit.method}; {jackknife_words(fit)}",
    )


def _members(fit: CrossFit, n_groups: int) -> FloatArray:
    """1 for members of each group in each split, shape (splits, n, groups)."""
    smallest = int(np.bincount(fit.folds[0]).min())
    if n_groups > smallest:
        raise TrialError(
            f"n_groups must be at most {smallest}, the persons of the smallest fold, got {n_groups}"
        )
    return np.eye(n_groups)[fit.quantile_groups(n_groups)]


def _means(fit: CrossFit, X: FloatArray, weight: FloatArray) -> Jackknife:
    """Weighted means of the columns with their versions without each unit."""
    sums = sums_by_unit(X * weight[:, None], fit.units)
    size = sums_by_unit(weight[:, None], fit.units)
    with np.errstate(divide="ignore", invalid="ignore"):
        deleted = (sums.sum(axis=0) - sums) / (size.sum() - size)
    expected = np.repeat((size / size.sum()) ** 2, X.shape[1], axis=1)
    return Jackknife(sums.sum(axis=0) / size.sum(), deleted, expected, fit.design)


def _group_name(k: int, n_groups: int) -> str:
    """Place of a group among the others, in words."""
    if k == 0:
        return "1 (smallest)"
    return f"{k + 1} (largest)" if k == n_groups - 1 else str(k + 1)
