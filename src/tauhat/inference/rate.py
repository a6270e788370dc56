"""Rank-weighted average treatment effects: AUTOC, Qini and the targeting curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.arguments import check_level, check_switch
from tauhat.design import Design
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.cross_fitting import CrossFit, RandomState
from tauhat.inference.descriptive import (
    DESCRIPTIVE,
    estimate_columns,
    expected_in_groups,
    expected_without_weights,
    mean_scores,
    one_sided,
    over_splits,
    score_columns,
    score_moves,
)
from tauhat.inference.estimate import Estimate
from tauhat.inference.given_or_fitted import as_cross_fit
from tauhat.inference.inputs import TrialLike
from tauhat.inference.jackknife import Jackknife
from tauhat.numerics.mid_ranks import mid_ranks
from tauhat.numerics.seeds import derive_seed
from tauhat.runtime.display import html
from tauhat.runtime.parallel import on_one_thread
from tauhat.wording import p_words

# Shares treated at which the targeting curve is drawn.
SHARES = np.arange(1, 21) / 20

# Persons are left out one by one up to this number, beyond it in this many groups, each with
# persons of both arms: in no more than the smaller arm has persons.
MOST_DELETIONS = 200


@dataclass(frozen=True)
class RankWeightedEffect:
    """Rank-weighted average treatment effects; the result of `rate`.

    Attributes
    ----------
    autoc
        Area under the targeting curve, units of the outcome; ``p_value`` one-sided.
    qini
        The same weighted by the share treated; ``p_value`` one-sided.
    curve
        One row per share of persons: ``share`` treated, largest held-out benefit
        first; ``estimate`` of how much more they gain than everyone does on
        average (the targeting operator characteristic), with ``se``, ``lower``,
        ``upper``; and ``qini``, share times estimate.
    higher_is_better
        Whether a positive effect is a benefit.
    method
        How it was estimated.
    """

    autoc: Estimate
    qini: Estimate
    curve: pd.DataFrame
    higher_is_better: bool
    method: str

    @property
    def table(self) -> pd.DataFrame:
        """One row each for AUTOC and Qini."""
        named = {"AUTOC": self.autoc, "Qini": self.qini}
        return pd.DataFrame(
            [{"measure": k, **estimate_columns(e), "p_value": e.p_value} for k, e in named.items()]
        )

    @property
    def text(self) -> str:
        """The result in sentences."""
        p = p_words(self.autoc.p_value)
        fifth = self.curve[np.isclose(self.curve.share, 0.2)].iloc[0]
        gain = "rise" if self.higher_is_better else "fall"
        return (
            f"Treating the fifth of persons with the largest held-out benefit gives a {gain} of "
            f"the outcome {fifth.estimate:.3g} larger than treating a fifth at random "
            f"({100 * self.autoc.level:g}% confidence interval {fifth.lower:.3g} to "
            f"{fifth.upper:.3g}). Over all shares, AUTOC is {self.autoc.estimate:.3g} "
            f"({self.autoc.lower:.3g} to {self.autoc.upper:.3g}; one-sided {p} against a ranking "
            f"that says nothing). {DESCRIPTIVE} {self.method}."
        )

    def _repr_html_(self) -> str:
        return html(self.text, self.table, self.curve)


@on_one_thread
def rate(
    trial: TrialLike | CrossFit,
    estimator: str | CateEstimator | None = None,
    *,
    higher_is_better: bool = True,
    level: float = 0.95,
    n_splits: int = 11,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> RankWeightedEffect:
    r"""Rank-weighted average treatment effects of the ranking by held-out effects.

    The targeting operator characteristic is what treating the share q with the
    largest held-out effects S gains over treating as many at random, for each
    person treated,

    .. math::
        \mathrm{TOC}(q) = E[\psi \mid F(S) \ge 1 - q] - E[\psi], \qquad
        \mathrm{AUTOC} = \int_0^1 \mathrm{TOC}(q)\, dq, \qquad
        \mathrm{Qini} = \int_0^1 q\, \mathrm{TOC}(q)\, dq,

    with model-robust scores :math:`\psi` and ranks within the fold. Both
    integrals are means of scores weighted by :math:`-\log v - 1` and
    :math:`1/2 - v`, where v is the share of persons ranked above. The standard
    error is the jackknife that leaves out one cluster and ranks the rest anew
    (without clusters: one person, or from 201 persons on one group of persons of both arms,
    of 200 groups or as many as the smaller arm has persons). Mean over splits, error as in
    `sorted_group_effects`; t with the degrees of freedom of the average effects, of groups
    with their number less two.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity, or a `CrossFit`.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    higher_is_better
        Whether a positive effect is a benefit; if not, those with the smallest
        effects come first and signs are turned, so that a gain is positive.
    level
        Coverage of the intervals.
    n_splits, n_folds, random_state, n_jobs
        As in `cross_fit`.

    Returns
    -------
    RankWeightedEffect

    Raises
    ------
    TrialError
        If ``level`` is not between 0 and 1 or the cross-fitting is not possible.

    References
    ----------
    Yadlowsky, Fleming, Shah, Brunskill and Wager (2025), Journal of the
    American Statistical Association 120:38-51.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> X, arm = rng.normal(size=(600, 2)), clusters % 2
    >>> y = arm * (1 + X[:, 0]) + rng.normal(size=600)
    >>> result = rate((X, y, arm, clusters), "LMM", n_splits=2)
    >>> bool(result.autoc.lower < 0.9 < result.autoc.upper), result.autoc.p_value < 0.001
    (True, True)
    """
    check_switch(higher_is_better, "higher_is_better")
    check_level(level)
    fit = as_cross_fit(
        trial,
        estimator,
        n_splits=n_splits,
        n_folds=n_folds,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    sign = 1.0 if higher_is_better else -1.0
    units, deleted = fit.design.deletion_groups(MOST_DELETIONS, derive_seed(fit.seed, "deletions"))
    results = [_one_split(fit, s, sign, units, deleted) for s in range(fit.n_splits)]
    autoc, qini, *toc = over_splits(fit, results, level=level)
    curve = pd.DataFrame(
        [
            {"share": q, **estimate_columns(at), "qini": q * at.estimate}
            for q, at in zip(SHARES, toc, strict=True)
        ]
    )
    what = fit.design.unit_word if deleted is fit.design else "group of persons"
    return RankWeightedEffect(
        one_sided(autoc),
        one_sided(qini),
        curve,
        higher_is_better,
        f"Rank-weighted effects, {fit.method}; delete-one-{what.replace(' ', '-')} jackknife",
    )


def _rank_weights(effects: FloatArray, weight: FloatArray) -> FloatArray:
    """Weights of AUTOC, Qini and the targeting curve, mean 0 each, shape (n, 2 + shares)."""
    above = 1 - mid_ranks(effects, weight)
    columns = np.column_stack([-np.log(above), -above, *[(above <= q + 1e-9) / q for q in SHARES]])
    # A group that ties leave empty says nothing at this share.
    mean = weight @ columns / weight.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        columns[:, 2:] = np.where(mean[2:] > 0, columns[:, 2:] / mean[2:], 1.0)
    mean[2:] = 1.0
    result: FloatArray = columns - mean
    return result


def _one_split(
    fit: CrossFit, split: int, sign: float, units: IntArray, design: Design
) -> Jackknife:
    """AUTOC, Qini and targeting curve of one split, with every unit left out in turn."""
    columns = score_columns(fit, split) * np.array([1.0, sign, 1.0, sign, 1.0, sign])
    effects, folds = sign * fit.effects[split], fit.folds[split]

    def part(rows: IntArray) -> FloatArray:
        sums: FloatArray = _rank_weights(effects[rows], fit.weight[rows]).T @ columns[rows]
        return sums

    rows_of = [np.flatnonzero(folds == fold) for fold in range(fit.n_folds)]
    parts = [part(rows) for rows in rows_of]
    whole, totals = np.sum(parts, axis=0), columns.sum(axis=0)
    moved = np.zeros((design.n_units, len(whole) + 1, 6))
    if design is fit.design and fit.outcome_changes is not None:
        # Ranks stay: only outcomes that are made change beside what is left out.
        share = np.ones((len(effects), len(whole) + 1))
        for rows in rows_of:
            share[rows, :-1] = _rank_weights(effects[rows], fit.weight[rows])
        moved = score_moves(fit, sign * share)[0]
    deleted = np.empty((design.n_units, len(whole)))
    members = np.split(np.argsort(units, kind="stable"), np.cumsum(np.bincount(units))[:-1])
    for i, rows in enumerate(members):
        without = whole.copy()
        for fold in np.unique(folds[rows]):
            kept = rows_of[fold][~np.isin(rows_of[fold], rows)]
            without += (part(kept) if len(kept) else 0.0) - parts[fold]
        left = totals - columns[rows].sum(axis=0) + moved[i, -1]
        deleted[i] = mean_scores(without + moved[i, :-1], left)
    expected, even = np.ones(deleted.shape), None
    if design is fit.design:
        everybody = np.ones((fit.data.n, deleted.shape[1]))
        expected = expected_in_groups(fit, everybody)
        even = expected_without_weights(fit, everybody)
    return Jackknife(mean_scores(whole, totals), deleted, expected, design, even=even)
