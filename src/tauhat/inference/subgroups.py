"""Subgroups that the data suggest, with effects from persons that did not suggest them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.arguments import check_count, check_level, check_share, listed
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.boxes import Box, extreme_boxes
from tauhat.inference.credibility import credibility_table
from tauhat.inference.cross_fitting import CrossFit, RandomState
from tauhat.inference.descriptive import (
    DESCRIPTIVE,
    estimate_columns,
    interval_text,
    no_estimate,
    over_splits,
    split_group_effects,
    units_an_arm,
)
from tauhat.inference.estimate import Estimate
from tauhat.inference.given_or_fitted import as_cross_fit
from tauhat.inference.heterogeneity import test_heterogeneity
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.inference.inputs import TrialLike
from tauhat.runtime.display import Shown, html
from tauhat.runtime.parallel import on_one_thread
from tauhat.wording import counted

Boxes = tuple[Box, Box] | None


@dataclass(frozen=True)
class Subgroup(Shown):
    """A subgroup that the data suggest.

    Attributes
    ----------
    name
        "largest effect" or "smallest effect".
    rule
        Who belongs to it, in words.
    persons
        Number of members.
    units
        Randomized units with members: (control, treated).
    effect
        Average effect of the groups found in the same way by the other folds.
    agreement
        Mean overlap of those groups with this one (members of both over
        members of either), 0 to 1.
    """

    name: str
    rule: str
    persons: int
    units: tuple[int, int]
    effect: Estimate
    agreement: float

    @property
    def table(self) -> pd.DataFrame:
        """The subgroup in one row."""
        row = {
            "subgroup": self.name,
            "rule": self.rule,
            "persons": self.persons,
            "control units": self.units[0],
            "treated units": self.units[1],
            **estimate_columns(self.effect),
            "agreement": self.agreement,
        }
        return pd.DataFrame([row])

    @property
    def text(self) -> str:
        """The subgroup in a sentence."""
        return (
            f"{self.name}: {self.rule} ({counted(self.persons, 'person')}), "
            f"{interval_text(self.effect)}"
        )


@dataclass(frozen=True)
class Subgroups:
    """Subgroups that the data suggest; the result of `find_subgroups`.

    Attributes
    ----------
    subgroups
        The ones with the largest and the smallest effect; none when the
        estimated effects do not differ.
    difference
        Effect of the first less that of the second, in held-out persons.
    covariates
        One row per covariate of the rules: ``covariate`` and ``share`` of the fits
        whose rules use it.
    credibility
        One row per question: ``item``, ``answer``, ``basis``.
    found
        Share of the fits that found any subgroup.
    method
        How it was estimated.
    """

    subgroups: tuple[Subgroup, ...]
    difference: Estimate
    covariates: pd.DataFrame
    credibility: pd.DataFrame
    found: float
    method: str

    @property
    def table(self) -> pd.DataFrame:
        """One row per subgroup."""
        columns = [
            "subgroup", "rule", "persons", "control units", "treated units",
            "estimate", "se", "lower", "upper", "agreement",
        ]  # fmt: skip
        rows = [group.table.iloc[0].to_dict() for group in self.subgroups]
        return pd.DataFrame(rows, columns=columns)

    @property
    def text(self) -> str:
        """The result in sentences."""
        if not self.subgroups:
            return (
                "The estimated effects do not differ enough between persons to cut out a "
                f"subgroup. {DESCRIPTIVE} {self.method}."
            )
        parts = [group.text for group in self.subgroups]
        return (
            f"Subgroups that the data suggest: {'; '.join(parts)}. Difference "
            f"{interval_text(self.difference)}. The rules come from all persons; each effect is "
            "that of groups found in the same way without the persons it is measured on, "
            f"averaged over splits, which agree with the reported rules by "
            f"{100 * min(group.agreement for group in self.subgroups):.0f}% or more. "
            f"{DESCRIPTIVE} {self.method}."
        )

    def _repr_html_(self) -> str:
        return html(self.text, self.table, self.covariates, self.credibility)


@on_one_thread
def find_subgroups(
    trial: TrialLike | CrossFit,
    estimator: str | CateEstimator | None = None,
    *,
    max_depth: int = 2,
    min_share: float = 0.2,
    prespecified: str | Sequence[str] = (),
    heterogeneity: HeterogeneityTest | None = None,
    level: float = 0.95,
    n_splits: int = 11,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> Subgroups:
    r"""Find the subgroups with the largest and the smallest effect, and judge them honestly.

    A shallow regression tree of the estimated effects on the covariates is cut;
    its leaves with the largest and the smallest mean are the subgroups. The
    rules reported come from the mean of all cross-fitted effect surfaces. A
    rule must not be judged on the persons that suggested it, so in each split
    and for each fold of whole clusters the tree is grown on the surface fitted
    without the fold and its leaves are filled with the fold's persons:

    .. math:: \hat\theta = \frac1S \sum_s
              \hat\theta_{G_s}, \qquad G_s = \bigcup_k \{i \in \text{fold } k :
              i \in \text{leaf found without fold } k\},

    each :math:`\hat\theta_{G_s}` as in `group_effect`, with the error of
    `sorted_group_effects` and t quantiles. The target is the average
    effect of subgroups found in this way, not of the one rule reported;
    ``agreement`` says how alike they are.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity, or a `CrossFit`.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    max_depth
        Conditions in a rule, at most.
    min_share
        Smallest share of persons in a subgroup.
    prespecified
        Covariates of the user's table that were named as effect modifiers in
        advance, one or several; they change the table of credibility, not the search.
    heterogeneity
        Result of `test_heterogeneity` on the same trial; None to run it.
    level
        Coverage of the intervals.
    n_splits, n_folds, random_state, n_jobs
        As in `cross_fit`.

    Returns
    -------
    Subgroups

    Raises
    ------
    TrialError
        If ``max_depth``, ``min_share`` or ``prespecified`` is not usable.

    References
    ----------
    Athey and Imbens (2016), PNAS 113:7353-7360, for honest leaves;
    Schandelmaier, Briel, Varadhan and others (2020), Canadian Medical
    Association Journal 192:E901-E906, for the questions of credibility.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X = pd.DataFrame({"age": rng.uniform(30, 80, 600), "bmi": rng.normal(25, 3, 600)})
    >>> arm = np.arange(600) % 2
    >>> y = arm * 2.0 * (X.age > 60) + rng.normal(size=600)
    >>> found = find_subgroups((X, y, arm), n_splits=2, max_depth=1)
    >>> found.subgroups[0].rule.startswith("age > "), found.difference.lower > 0
    (True, True)
    """
    check_count(max_depth, "max_depth", 1)
    check_share(min_share, "min_share", 0.5)
    check_level(level)
    prespecified = listed(prespecified, "prespecified")
    fit = as_cross_fit(
        trial,
        estimator,
        n_splits=n_splits,
        n_folds=n_folds,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    data, sources = fit.data, fit.trial.sources
    unknown = [name for name in prespecified if name not in {*sources, *data.feature_names}]
    if unknown:
        raise TrialError(
            f"prespecified names {unknown}, which are no covariates; they are "
            f"{', '.join(dict.fromkeys(sources))}"
        )
    # Marks of missing values help to predict; nobody means them as a subgroup.
    columns = np.flatnonzero(~fit.trial.marks)

    def search(surface: FloatArray) -> Boxes:
        return extreme_boxes(
            data.X, surface, fit.weight, columns, max_depth=max_depth, min_share=min_share
        )

    held_out = [[search(surface) for surface in split] for split in fit.surfaces]
    fits = [boxes for split in held_out for boxes in split]
    reported = search(fit.surfaces.mean(axis=(0, 1)))
    test = heterogeneity or test_heterogeneity(data, random_state=fit.seed)
    subgroups, difference = _judge(fit, reported, held_out, level)
    used = _used(reported, sources)
    candidates = list(dict.fromkeys(sources[j] for j in columns))
    share = [_share_using(fits, sources, name) for name in candidates]
    covariates = pd.DataFrame({"covariate": candidates, "share": share})
    covariates = covariates[covariates.share > 0].sort_values(
        "share", ascending=False, kind="stable"
    )
    cut = [j for box in reported or () for j in box.columns]
    return Subgroups(
        subgroups,
        difference,
        covariates.reset_index(drop=True),
        credibility_table(
            used=used,
            prespecified=prespecified,
            n_candidates=len(candidates),
            continuous=any(len(np.unique(data.X[:, j])) > 2 for j in cut),
            heterogeneity=test,
            difference=difference,
            agreement=float(np.mean([group.agreement for group in subgroups] or [0.0])),
            fewest_units=min((min(group.units) for group in subgroups), default=0),
            unit=data.design.units_word,
        ),
        float(np.mean([boxes is not None for boxes in fits])),
        f"Trees of depth {max_depth} on effects of {fit.method}",
    )


def _judge(
    fit: CrossFit, reported: Boxes, held_out: list[list[Boxes]], level: float
) -> tuple[tuple[Subgroup, ...], Estimate]:
    """The reported subgroups with the effects of their held-out counterparts."""
    if reported is None:
        return (), no_estimate(level)
    contrast = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, -1.0]])
    results = [
        split_group_effects(fit, s, _members(fit, fit.folds[s], boxes)).combine(contrast)
        for s, boxes in enumerate(held_out)
    ]
    *effects, difference = over_splits(fit, results, level=level)
    X = fit.data.X
    inside = np.column_stack([box.members(X) for box in reported])
    units = units_an_arm(fit, inside.astype(np.float64))
    subgroups = []
    for j, name in enumerate(("largest effect", "smallest effect")):
        overlaps = []
        for boxes in (boxes for split in held_out for boxes in split):
            other = np.zeros(len(X), dtype=bool) if boxes is None else boxes[j].members(X)
            overlaps.append((other & inside[:, j]).sum() / (other | inside[:, j]).sum())
        subgroups.append(
            Subgroup(
                name,
                reported[j].words(fit.data, fit.trial.sources),
                int(inside[:, j].sum()),
                units[j],
                effects[j],
                float(np.mean(overlaps)),
            )
        )
    return tuple(subgroups), difference


def _members(fit: CrossFit, folds: IntArray, boxes: list[Boxes]) -> FloatArray:
    """1 for the persons of each fold in the two boxes found without it, shape (n, 2)."""
    member = np.zeros((len(folds), 2))
    for fold, pair in enumerate(boxes):
        if pair is not None:
            rows = np.flatnonzero(folds == fold)
            member[rows] = np.column_stack([box.members(fit.data.X[rows]) for box in pair])
    return member


def _used(boxes: Boxes, sources: tuple[str, ...]) -> list[str]:
    """The user's covariates in the rules of a fit."""
    return list(dict.fromkeys(sources[j] for box in boxes or () for j in box.columns))


def _share_using(fits: list[Boxes], sources: tuple[str, ...], name: str) -> float:
    """Share of the fits whose rules use a covariate."""
    return float(np.mean([name in _used(boxes, sources) for boxes in fits]))
