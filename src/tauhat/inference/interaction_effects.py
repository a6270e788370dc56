"""How much the effect differs along modifiers that were named beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tauhat.arguments import check_level, listed
from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.inference.cross_fitting import covariate_frame
from tauhat.inference.descriptive import estimate_columns, no_estimate
from tauhat.inference.estimate import Estimate
from tauhat.inference.group_effect import read_rule
from tauhat.inference.inputs import OrderedTrial, TrialLike, ordered_trial, refuse_over_periods
from tauhat.inference.interactions import (
    Comparison,
    Interaction,
    between_clusters,
    between_persons,
    same_in_blocks,
    within_clusters,
)
from tauhat.inference.modifier_groups import (
    effect_in_group,
    groups_of,
    over_all_clusters,
    single_group_share,
)
from tauhat.inference.named_modifiers import (
    NamedModifier,
    column_modifier,
    refuse_same_groups,
    subgroup_modifier,
)
from tauhat.inference.rare_groups import Estimator, among_frequent, rare_notes, with_a_reference
from tauhat.numerics.missing_outcomes import MadeOutcome
from tauhat.numerics.several_tests import holm
from tauhat.numerics.standardised_columns import constant_within
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread
from tauhat.tables.extremes import frame_within
from tauhat.tables.where import rows_where
from tauhat.wording import counted, p_words

# Differences, in standard deviations of the outcome, whose power is told.
MODERATE = 0.3
# Share of clusters of one group only from which the difference over all clusters is told too.
MANY_SINGLE = 0.2
_POWER = 0.8


@dataclass(frozen=True, eq=False)
class InteractionEffects(Shown):
    """Differences of the effect along named modifiers; the result of `interaction_effects`.

    Attributes
    ----------
    table
        One row per comparison: ``modifier``; ``measured_on`` ("person" or "cluster"); ``question``,
        what is compared ("persons", "within clusters", "between clusters", "within blocks", in
        ``all_clusters`` "all clusters"); ``comparison``, "girl less boy" or "per SD of 12.3";
        ``spread``, that SD (missing for groups); ``estimate`` (difference of the effects, in
        units of the outcome), ``se``, ``lower``, ``upper``, ``degrees_of_freedom``; ``p_value``
        of the comparison; ``control units`` and ``treated units``, randomized units that tell
        anything about it; ``detectable``, the difference that would be found with power .8, and
        ``power`` for ``moderate``. Numbers are missing where an arm has fewer than two units to
        compare.
    all_clusters
        The same columns for modifiers of persons where at least a fifth of the clusters hold
        one group only: the second line, which answers another question. Not counted among
        the tests.
    groups
        One row per group of each modifier, a category or a range: ``modifier``, ``group``,
        ``value`` (mean of a number), ``persons``, ``control units``, ``treated units``, and the
        effect within the group with ``se``, ``lower``, ``upper`` and ``degrees_of_freedom``.
    tests
        One row per modifier: ``modifier``, ``p_value`` (of all its comparisons together) and
        ``p_adjusted`` by Holm for ``n_tests``.
    n_tests
        Tests that ``p_adjusted`` allows for: one a modifier named, whether it could be made or
        not; in an analysis of several arms those of all contrasts.
    notes
        Sentences on single modifiers: persons without a value, few units.
    method
        How they were estimated, by modifier.
    adjusted_for
        Covariates that all are adjusted for; each modifier is left out of its own.
    moderate
        .3 standard deviations of the outcome within arms, in its units.
    """

    table: pd.DataFrame
    all_clusters: pd.DataFrame
    groups: pd.DataFrame
    tests: pd.DataFrame
    n_tests: int
    notes: tuple[str, ...]
    method: str
    adjusted_for: tuple[str, ...]
    moderate: float

    @property
    def text(self) -> str:
        """The results in sentences."""
        told = []
        for modifier, rows in self.table.groupby("modifier", sort=False):
            test = self.tests.set_index("modifier").loc[[modifier]]
            parts = _comparisons_words(rows)
            if parts:
                p = _p_words(float(test.p_value.iloc[0]))
                adjusted = _p_words(float(test.p_adjusted.iloc[0]))
                joint = "together " if len(rows) > 1 else ""
                told.append(f"{modifier}: {'; '.join(parts)} ({joint}{p}, adjusted {adjusted})")
            else:
                told.append(f"{modifier}: cannot be estimated")
            second = _comparisons_words(self.all_clusters[self.all_clusters.modifier == modifier])
            if second:
                told.append(f"Over all clusters, which is another question: {'; '.join(second)}")
        return " ".join(
            [
                f"Difference of the effect along {counted(len(self.tests), 'named modifier')}. "
                + ". ".join(told)
                + ".",
                "An effect that differs between groups need not differ because of the modifier. "
                "A wide interval is not evidence of equal effects.",
                *self.notes,
                self.method,
            ]
        )


def _comparisons_words(rows: pd.DataFrame) -> list[str]:
    return [
        f"{row.comparison}: {row.estimate:.3g} ({row.lower:.3g} to {row.upper:.3g})"
        for row in rows[rows.estimate.notna()].itertuples()
    ]


def _p_words(p: float) -> str:
    if not np.isfinite(p):
        return "no p-value"
    return p_words(p)


@on_one_thread
def interaction_effects(
    trial: TrialLike,
    modifiers: str | Sequence[Any],
    *,
    adjust: Sequence[str] | None = None,
    level: float = 0.95,
) -> InteractionEffects:
    r"""Interactions of the treatment with modifiers that were named beforehand.

    Each modifier is analysed alone, adjusted for covariates without looking at the arm, by the
    method that holds for what was randomized:

    * clusters randomized, modifier of persons: each cluster's slope on the modifier, then
      the difference between the arms, with CR2 errors over clusters;
    * clusters randomized, modifier of clusters: adjusted means of the clusters, CR2; if the
      modifier is the same in all clusters of a block, differences within blocks, with t;
    * persons randomized: least squares within blocks with HC2 errors.

    Degrees of freedom are the fewer of Satterthwaite's and Welch's, so that arms may differ
    in variance and in number of units (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018).
    Ordinary interaction tests of mixed models reject far too often where slopes vary between
    clusters, whatever the number of clusters. A modifier of persons is compared within
    clusters: what goes with the mean of the modifier in the cluster has no part in it. Where at
    least a fifth of the clusters hold one group only, a second line (``all_clusters``) compares
    persons over all clusters; what goes with the mix of groups in a cluster has a part in that.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, or an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity.
    modifiers
        Names of covariates of the user's table, and subgroups: conditions such as
        ``'sex == "girl" and age > 65'`` (`tauhat.tables.where.rows_where`), one boolean a row of
        the trial, or a function of the covariates' DataFrame that gives them.
    adjust
        Covariates to adjust for; None for all of the trial's.
    level
        Coverage of each interval.

    Returns
    -------
    InteractionEffects

    Raises
    ------
    TrialError
        If a modifier is neither a covariate nor a condition, has one value only, more than ten
        categories, or is named twice; if two subgroups divide the persons into the same groups;
        or if ``adjust`` names something else than covariates.
    ValueError
        If ``level`` is not between 0 and 1.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(30), 20)
    >>> arm = clusters % 2
    >>> X = pd.DataFrame({"age": rng.normal(60, 10, 600), "sex": rng.integers(0, 2, 600)})
    >>> y = arm * X.sex + rng.normal(size=30)[clusters] + rng.normal(size=600)
    >>> found = interaction_effects((X, y, arm, clusters), ["sex", "age"])
    >>> found.table[["modifier", "comparison"]].to_numpy().tolist()
    [['sex', '1 less 0'], ['age', 'per SD of 9.488']]
    >>> bool(found.table.lower[0] < 1 < found.table.upper[0]), bool(found.tests.p_value[1] > 0.05)
    (True, True)
    """
    check_level(level)
    ordered = ordered_trial(trial, counted=True)
    refuse_over_periods(ordered.data, "comparisons along named modifiers are")
    data = ordered.data
    frame = frame_within(covariate_frame(trial, data), data)
    named = listed(modifiers, "modifiers")
    if not named:
        raise TrialError("name at least one modifier")
    account = getattr(trial, "file", None)
    others = getattr(trial, "no_covariates", {})
    read = [read_modifier(frame, one, account, others).of(ordered.rows) for one in named]
    names = [one.name for one in read]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TrialError(f"the modifier {twice[0]!r} is named twice")
    refuse_same_groups(read)
    asked = _adjusted_for(frame, adjust)
    adjusted_for = tuple(name for name in asked if name in ordered.sources)
    moderate, made = MODERATE * _spread_within_arms(data), data.outcome_changes()
    rows: list[dict[str, Any]] = []
    second: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []
    p_values: list[float] = []
    notes: list[str] = []
    methods: dict[str, list[str]] = {}
    for modifier in read:
        one = _Analysed(ordered, modifier, adjusted_for, made)
        main = one.main()
        notes += one.notes
        methods.setdefault(main.method, []).append(modifier.name)
        rows += one.rows(main, one.question, level, moderate)
        groups += one.groups(level)
        p_values.append(_p_value(main))
        notes += rare_notes(one.data, one.modifier, main, one.question)
        if one.asks_over_all_clusters():
            second += one.rows(one.over_all_clusters(), "all clusters", level, moderate)
    # Those without a p-value count too: which they are is seen in the data only.
    adjusted = holm(p_values, planned=len(names))
    tests = pd.DataFrame({"modifier": names, "p_value": p_values, "p_adjusted": adjusted})
    method = ". ".join(f"{how} ({', '.join(which)})" for how, which in methods.items())
    table = pd.DataFrame(rows)
    return InteractionEffects(
        table=table,
        all_clusters=pd.DataFrame(second, columns=table.columns),
        groups=pd.DataFrame(groups),
        tests=tests,
        n_tests=len(names),
        notes=tuple(notes),
        method=f"{method}.",
        adjusted_for=adjusted_for,
        moderate=moderate,
    )


def read_modifier(
    frame: pd.DataFrame, modifier: Any, account: Any, others: Mapping[str, str]
) -> NamedModifier:
    """The modifier that a column's name, a condition, booleans or a function stand for.

    ``others`` are columns that are no covariates, with the reason.
    """
    if isinstance(modifier, str) and modifier in frame.columns:
        return column_modifier(frame[modifier], modifier)
    if isinstance(modifier, str) and modifier in others:
        raise TrialError(f"{modifier!r} cannot be a modifier: {others[modifier]}")
    if isinstance(modifier, str) and modifier.isidentifier():
        known = ", ".join(map(str, frame.columns))
        raise TrialError(f"there is no covariate {modifier!r} to be a modifier; they are {known}")
    if isinstance(modifier, str):
        members = rows_where(frame, modifier, account, what="subgroup", others=others)
        return subgroup_modifier(members.true, f"'{modifier}'", members.known)
    member, words = read_rule(frame, modifier)
    return subgroup_modifier(member, words)


def _adjusted_for(frame: pd.DataFrame, adjust: Sequence[str] | None) -> tuple[str, ...]:
    known = tuple(map(str, frame.columns))
    if adjust is None:
        return known
    adjust = listed(adjust, "adjust")
    unknown = [name for name in adjust if name not in known]
    if unknown:
        raise TrialError(
            f"there is no covariate {unknown[0]!r} to adjust for; they are {', '.join(known)}"
        )
    return tuple(name for name in known if name in adjust)


def _spread_within_arms(data: TrialData) -> float:
    """Standard deviation of the outcome within arms, pooled."""
    squares = [data.y[data.treatment == arm] for arm in (0, 1)]
    total = sum(float(((one - one.mean()) ** 2).sum()) for one in squares)
    return float(np.sqrt(total / max(data.n - 2, 1)))


class _Analysed:
    """One modifier among those for whom it is known."""

    def __init__(
        self,
        ordered: OrderedTrial,
        modifier: NamedModifier,
        adjusted_for: Sequence[str],
        made: MadeOutcome | None,
    ) -> None:
        self.data, self.made, known = ordered.data, made, modifier.known
        self.notes: list[str] = []
        of_cluster = is_of_cluster(self.data, modifier)
        if not known.all():
            lost = counted(int((~known).sum()), "person has", "persons have")
            self.notes.append(
                f"{lost} no value of {modifier.name} and take no part in its comparisons."
            )
            kept = np.flatnonzero(known)
            self.data, modifier = self.data.take(kept), modifier.of(kept)
            self.made = self.data.outcome_changes()
        used = [source in adjusted_for and source != modifier.name for source in ordered.sources]
        self.covariates = self.data.X[:, np.array(used, dtype=bool)]
        self.measured_on = "cluster" if of_cluster else "person"
        self.question = "persons"
        if of_cluster:
            paired = same_in_blocks(self.data, modifier)
            self.question = "within blocks" if paired else "between clusters"
        elif self.data.design.holds_persons and self.data.design.can_permute:
            self.question = "within clusters"
        self.modifier = with_a_reference(self.data, modifier, self.question)

    def main(self) -> Interaction:
        """Its interaction with the treatment."""
        if self.question == "within clusters":
            return within_clusters(self.data, self.modifier, self.covariates, self.made)
        estimate = between_persons if self.question == "persons" else between_clusters
        return self._among_frequent(estimate, self.question)

    def asks_over_all_clusters(self) -> bool:
        """Whether many clusters tell nothing within them, so that the second line is told too."""
        if self.question != "within clusters":
            return False
        return single_group_share(self.data, self.modifier) >= MANY_SINGLE

    def over_all_clusters(self) -> Interaction:
        """The difference between its groups over all clusters."""
        return self._among_frequent(over_all_clusters, "all clusters")

    def _among_frequent(self, estimate: Estimator, question: str) -> Interaction:
        return among_frequent(estimate, self.data, self.modifier, self.covariates, question)

    def rows(
        self, found: Interaction, question: str, level: float, moderate: float
    ) -> list[dict[str, Any]]:
        """Its comparisons as rows of a table."""
        return [
            {
                "modifier": self.modifier.name,
                "measured_on": self.measured_on,
                "question": question,
                "comparison": words,
                "spread": self.modifier.spread,
                **_numbers(one, level, moderate),
            }
            for words, one in zip(self.modifier.comparisons, found.comparisons, strict=True)
        ]

    def groups(self, level: float) -> list[dict[str, Any]]:
        """Its groups as rows of a table."""
        first = self.data.design.first if self.measured_on == "cluster" else None
        rows = []
        for group in groups_of(self.modifier, first):
            one = effect_in_group(
                self.data, self.covariates, group.rows, in_blocks=self.question == "within blocks"
            )
            effect = _estimate(one, level)
            rows.append(
                {
                    "modifier": self.modifier.name,
                    "group": group.name,
                    "value": group.value,
                    "persons": int(group.rows.sum()),
                    "control units": one.units[0],
                    "treated units": one.units[1],
                    **estimate_columns(effect),
                    "degrees_of_freedom": effect.degrees_of_freedom,
                }
            )
        return rows


def is_of_cluster(data: TrialData, modifier: NamedModifier) -> bool:
    """Whether it is the same for all known persons of each cluster."""
    if not data.design.holds_persons or not data.design.can_permute:
        return False
    known = modifier.known
    return bool(constant_within(modifier.values[known], data.design.unit[known]).all())


def _estimate(one: Comparison, level: float) -> Estimate:
    if one.test is None:
        return no_estimate(level)
    df = one.test.degrees_of_freedom
    return Estimate.from_t(one.test.estimate, one.test.se, degrees_of_freedom=df, level=level)


def _numbers(one: Comparison, level: float, moderate: float) -> dict[str, float]:
    estimate = _estimate(one, level)
    detectable = power = np.nan
    if one.test is not None:
        se, df = one.test.se, one.test.degrees_of_freedom
        quantile = stats.t.ppf((1 + level) / 2, df)
        detectable = float((quantile + stats.t.ppf(_POWER, df)) * se)
        if se > 0:
            away = moderate / se
            # Far out, scipy has no number for the tail on the other side, which is nothing.
            other_side = np.nan_to_num(stats.nct.cdf(-quantile, df, away))
            power = float(stats.nct.sf(quantile, df, away) + other_side)
    return {
        **estimate_columns(estimate),
        "degrees_of_freedom": estimate.degrees_of_freedom,
        "p_value": estimate.p_value,
        "control units": one.units[0],
        "treated units": one.units[1],
        "detectable": detectable,
        "power": power,
    }


def _p_value(found: Interaction) -> float:
    if found.joint is not None:
        return found.joint.p_value
    tests = [one.test for one in found.comparisons if one.test is not None]
    if len(tests) == 1:
        return tests[0].p_value
    return float("nan")
