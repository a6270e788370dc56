"""How much the effect differs along modifiers that were named beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.inference.cross_fitting import covariate_frame
from tauhat.inference.descriptive import estimate_columns, no_estimate
from tauhat.inference.estimate import Estimate
from tauhat.inference.group_effect import read_rule
from tauhat.inference.inputs import OrderedTrial, TrialLike, ordered_trial
from tauhat.inference.interactions import (
    Comparison,
    Interaction,
    between_clusters,
    between_persons,
    holm,
    within_clusters,
)
from tauhat.inference.named_modifiers import NamedModifier, column_modifier, subgroup_modifier
from tauhat.numerics.standardised_columns import constant_within
from tauhat.runtime.display import Shown
from tauhat.tables.extremes import frame_within
from tauhat.wording import counted, p_words

# Below this many degrees of freedom an interval says next to nothing.
FEW_DEGREES = 4
_POWER = 0.8


@dataclass(frozen=True, eq=False)
class InteractionEffects(Shown):
    """Differences of the effect along named modifiers; the result of `interaction_effects`.

    Attributes
    ----------
    table
        One row a comparison: ``modifier``; ``level`` ("person" or "cluster");
        ``comparison``, such as "girl less boy" or "per SD of 12.3"; ``estimate`` (difference
        of the effects, in units of the outcome), ``se``, ``lower``, ``upper``,
        ``degrees_of_freedom``; ``p_value`` of the comparison; ``control units`` and
        ``treated units``, randomized units that tell anything about it; ``detectable``, the
        difference that would be found with power .8. Numbers are missing where an arm has
        fewer than two units to compare.
    tests
        One row a modifier: ``modifier``, ``p_value`` (of all its comparisons together) and
        ``p_adjusted`` by Holm for the number of modifiers.
    notes
        Sentences on single modifiers: persons without a value, few units.
    method
        How they were estimated, by modifier.
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    notes: tuple[str, ...]
    method: str

    @property
    def text(self) -> str:
        """The results in sentences."""
        told = []
        for modifier, rows in self.table.groupby("modifier", sort=False):
            test = self.tests.set_index("modifier").loc[[modifier]]
            known = rows[rows.estimate.notna()]
            parts = [
                f"{row.comparison}: {row.estimate:.3g} ({row.lower:.3g} to {row.upper:.3g})"
                for row in known.itertuples()
            ]
            if parts:
                p = _p_words(float(test.p_value.iloc[0]))
                adjusted = _p_words(float(test.p_adjusted.iloc[0]))
                told.append(f"{modifier}: {'; '.join(parts)} ({p}, adjusted {adjusted})")
            else:
                told.append(f"{modifier}: cannot be estimated")
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


def _p_words(p: float) -> str:
    if not np.isfinite(p):
        return "no p-value"
    return p_words(p)


def interaction_effects(
    trial: TrialLike, modifiers: str | Sequence[Any], *, level: float = 0.95
) -> InteractionEffects:
    r"""Interactions of the treatment with modifiers that were named beforehand.

    Each modifier is analysed alone, adjusted for the trial's covariates without looking at
    the arm, by the method that holds for what was randomized:

    * clusters randomized, modifier of persons: each cluster's slope on the modifier, then
      the difference between the arms, with CR2 errors over clusters;
    * clusters randomized, modifier of clusters: adjusted means of the clusters, CR2; if the
      modifier is the same in all clusters of a block, differences within blocks, with t;
    * persons randomized: least squares within blocks with HC2 errors.

    Degrees of freedom are the fewer of Satterthwaite's and Welch's, so that arms may differ
    in variance and in number of units (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018).
    Ordinary interaction tests of mixed models reject far too often where slopes vary between
    clusters, whatever the number of clusters. A modifier of persons is compared within
    clusters: what goes with the mean of the modifier in the cluster has no part in it.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, or an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity.
    modifiers
        Names of covariates of the user's table, and subgroups as in
        `tauhat.group_effect`: rules such as ``"age > 65"``, or booleans.
    level
        Coverage of each interval.

    Returns
    -------
    InteractionEffects

    Raises
    ------
    TrialError
        If a modifier is neither a covariate nor a rule, has one value only, more than ten
        categories, or is named twice.
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
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    ordered = ordered_trial(trial, counted=True)
    data = ordered.data
    frame = frame_within(covariate_frame(trial, data), data)
    named = [modifiers] if isinstance(modifiers, str) else list(modifiers)
    if not named:
        raise TrialError("name at least one modifier")
    read = [_read(frame, one).of(ordered.rows) for one in named]
    names = [one.name for one in read]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TrialError(f"the modifier {twice[0]!r} is named twice")
    rows: list[dict[str, Any]] = []
    p_values: list[float] = []
    notes: list[str] = []
    methods: dict[str, list[str]] = {}
    for modifier in read:
        of_cluster = _is_of_cluster(data, modifier)
        found, told = _analysed(ordered, modifier, of_cluster=of_cluster)
        notes += told
        methods.setdefault(found.method, []).append(modifier.name)
        for words, one in zip(modifier.comparisons, found.comparisons, strict=True):
            rows.append(
                {
                    "modifier": modifier.name,
                    "level": "cluster" if of_cluster else "person",
                    "comparison": words,
                    **_numbers(one, level),
                }
            )
        p_values.append(_p_value(found))
        notes += _few(modifier.name, found, data)
    tests = pd.DataFrame({"modifier": names, "p_value": p_values, "p_adjusted": holm(p_values)})
    method = ". ".join(f"{how} ({', '.join(which)})" for how, which in methods.items())
    return InteractionEffects(pd.DataFrame(rows), tests, tuple(notes), f"{method}.")


def _read(frame: pd.DataFrame, modifier: Any) -> NamedModifier:
    if isinstance(modifier, str) and modifier in frame.columns:
        return column_modifier(frame[modifier], modifier)
    if isinstance(modifier, str) and modifier.isidentifier():
        known = ", ".join(map(str, frame.columns))
        raise TrialError(f"there is no covariate {modifier!r} to be a modifier; they are {known}")
    member, words = read_rule(frame, modifier)
    return subgroup_modifier(member, words)


def _is_of_cluster(data: TrialData, modifier: NamedModifier) -> bool:
    if not data.design.holds_persons:
        return False
    known = modifier.known
    return bool(constant_within(modifier.values[known], data.design.unit[known]).all())


def _analysed(
    ordered: OrderedTrial, modifier: NamedModifier, *, of_cluster: bool
) -> tuple[Interaction, list[str]]:
    data, known = ordered.data, modifier.known
    other = np.array([source != modifier.name for source in ordered.sources], dtype=bool)
    notes = []
    if not known.all():
        lost = counted(int((~known).sum()), "person has", "persons have")
        notes.append(f"{lost} no value of {modifier.name} and take no part in its comparisons.")
        data, modifier = data.take(np.flatnonzero(known)), modifier.of(np.flatnonzero(known))
    covariates = data.X[:, other]
    if not data.design.holds_persons:
        return between_persons(data, modifier, covariates), notes
    if of_cluster:
        return between_clusters(data, modifier, covariates), notes
    return within_clusters(data, modifier, covariates), notes


def _numbers(one: Comparison, level: float) -> dict[str, float]:
    estimate = no_estimate(level)
    detectable = np.nan
    if one.test is not None:
        df = one.test.degrees_of_freedom
        estimate = Estimate.from_t(
            one.test.estimate, one.test.se, degrees_of_freedom=df, level=level
        )
        quantiles = stats.t.ppf((1 + level) / 2, df) + stats.t.ppf(_POWER, df)
        detectable = float(quantiles * one.test.se)
    return {
        **estimate_columns(estimate),
        "degrees_of_freedom": estimate.degrees_of_freedom,
        "p_value": estimate.p_value,
        "control units": one.units[0],
        "treated units": one.units[1],
        "detectable": detectable,
    }


def _p_value(found: Interaction) -> float:
    if found.joint is not None:
        return found.joint.p_value
    tests = [one.test for one in found.comparisons]
    if len(tests) == 1 and tests[0] is not None:
        return tests[0].p_value
    return float("nan")


def _few(name: str, found: Interaction, data: TrialData) -> list[str]:
    """What to say of comparisons of few units."""
    missing = [one for one in found.comparisons if one.test is None]
    word = data.design.units_word
    if missing:
        control, treated = missing[0].units
        return [
            f"{name} cannot be analysed in full: a comparison rests on {control} control and "
            f"{treated} treated {word}, and needs two in each arm."
        ]
    df = min(one.test.degrees_of_freedom for one in found.comparisons if one.test is not None)
    if df < FEW_DEGREES:
        return [f"{name} rests on {df:.1f} degrees of freedom: its interval says very little."]
    return []
