"""Whether covariates are complete, distinct, and measured before randomization."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, IntArray
from tauhat.disclosure import FEW, share_text
from tauhat.numerics.balance import (
    ArmDifferences,
    chance_of_separation,
    duplicate_columns,
    missing_with_outcome,
    outcome_correlation,
)
from tauhat.numerics.far_values import ColumnLimits
from tauhat.tables.columns import missing_values
from tauhat.trial.checks.finding import Finding
from tauhat.trial.covariate_choice import left_out_sentence, name_words
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

# A covariate that sorts units by arm this rarely by chance is a copy of the treatment.
CHANCE_OF_SEPARATION = 1e-3
# An imbalance this rare (|t| about 5 in a large trial) is not one of a randomized trial.
CHANCE_OF_IMBALANCE = 1e-6
NEARLY_OUTCOME = 0.95
MISSING_TOGETHER = 0.8
_UNLIKELY = 0.01
_FEW_LEVELS = 20
_FEW_ROWS = 20
_LATER_WORDS = frozenset(
    {"adherence", "adherent", "adhered", "censor", "censored", "cens", "compliance", "compliant"}
    | {"complied", "comply", "death", "died", "discontinued", "dropout", "endline", "event"}
    | {"followup", "offtrt", "post", "posttest", "relapse", "withdrawal", "withdrawn", "withdrew"}
)


def covariate_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give what was left out or pooled, copies of other covariates, and identifiers."""
    yield Finding(
        "covariates",
        f"{len(trial.covariate_names)} ({counted(trial.X.shape[1], 'column')} encoded)",
        "ok" if trial.covariates_named else "note",
        ""
        if trial.covariates_named
        else "Every column without another role is a covariate, since none were named: the data "
        "cannot tell which were measured before randomization. Name those with covariates=.",
    )
    if trial.left_out:
        sentence = left_out_sentence(trial.left_out, trial.roles["outcome"])
        yield Finding("columns of follow-up", ", ".join(trial.left_out[:10]), "note", sentence)
    for note in trial.encoder_.notes_:
        yield Finding("encoding", note, "note", note[0].upper() + note[1:] + ".")
    pairs = duplicate_columns(trial.X.to_numpy(), list(trial.X.columns))
    for first, second in pairs:
        yield Finding(
            "duplicate columns",
            f"{first} and {second}",
            "note",
            f"{first!r} and {second!r} carry the same information; one of them is enough.",
        )
    for name in trial.covariate_names:
        if looks_like_numbering(trial.frame[name]):
            yield Finding(
                "numbering",
                name,
                "warning",
                f"{name!r} has a different whole number in every row: if it is an identifier, "
                "give it as id= and not as a covariate.",
            )


def leakage_findings(
    trial: TrialTable,
    units: IntArray,
    names: Sequence[str],
    differences: ArmDifferences,
    limits: ColumnLimits,
    few: BoolArray,
) -> Iterator[Finding]:
    """Give the covariates that look like the outcome, the treatment, or what came after it."""
    questioned: set[str] = set()
    within = limits.apply(trial.X.to_numpy(dtype=np.float64))
    correlation = outcome_correlation(within, trial.y, trial.treatment)
    for name, r in zip(trial.X.columns, correlation, strict=True):
        if r > NEARLY_OUTCOME:
            questioned.add(trial.encoder_.sources_[name])
            same = r > 1 - 1e-9
            yield Finding(
                "like the outcome",
                f"{name} (correlation {r:.3f})",
                "fail" if same else "warning",
                f"{name!r} is the outcome in other units (correlation {r:.3f}): remove it from the "
                "covariates."
                if same
                else f"{name!r} is nearly the outcome (correlation {r:.3f}): it looks measured "
                "after randomization; if so, remove it from the covariates.",
            )
    for name in trial.covariate_names:
        chance = separates_arms(trial.enrolled_frame[name], trial.enrolled_treatment, units)
        if chance is not None:
            questioned.add(name)
            yield _separation_finding(name, chance)
    yield from _imbalance_findings(trial, names, differences, few, questioned)
    outcome = trial.roles["outcome"]
    later = [n for n in trial.covariate_names if n not in questioned and sounds_later(n, outcome)]
    if later:
        listed = ", ".join(map(repr, later))
        yield Finding(
            "names",
            ", ".join(later),
            "note",
            f"By their names, {listed} may have been measured after randomization; if so, remove "
            "such columns from the covariates.",
        )


def _separation_finding(name: str, chance: float) -> Finding:
    if chance < CHANCE_OF_SEPARATION:
        sentence = (
            f"{name!r} tells the arm of everyone: it is a copy of the treatment or was measured "
            "after it; remove it from the covariates."
        )
        return Finding("like the treatment", name, "fail", sentence)
    sentence = (
        f"{name!r} separates the arms completely, which with so few units happens by chance "
        f"(probability up to {chance:.2g}): its effect cannot be told from the treatment's."
    )
    return Finding("like the treatment", name, "warning", sentence)


def _imbalance_findings(
    trial: TrialTable,
    names: Sequence[str],
    differences: ArmDifferences,
    few: BoolArray,
    questioned: set[str],
) -> Iterator[Finding]:
    standardized = differences.standardized
    worst: dict[str, int] = {}
    told: set[str] = set()
    for j, name in enumerate(names):
        source = trial.encoder_.sources_[name]
        best = worst.get(source)
        if best is None or differences.p_value[j] < differences.p_value[best]:
            worst[source] = j
    for source, j in worst.items():
        p_value = differences.p_value[j]
        if source in questioned or not p_value < 0.05 / len(names):
            continue
        told.add(names[j])
        beyond = p_value < CHANCE_OF_IMBALANCE
        if beyond:
            questioned.add(source)
        measured = f"{standardized[j]:+.2f} SD, t = {differences.t[j]:.1f}"
        usual = f"{measured}, p = {p_value:.2g}"
        if few[j]:
            measured = usual = f"{FEW} of an arm, so no figure is shown"
        yield Finding(
            "imbalance beyond chance" if beyond else "imbalance",
            f"{names[j]} ({measured})",
            "warning" if beyond else "note",
            f"{names[j]!r} differs between the arms by more than chance allows ({measured}): it "
            "looks measured after randomization; if so, remove it from the covariates."
            if beyond
            else f"{names[j]!r} differs between the arms more than usual ({usual}).",
        )
    if few.all():
        return
    finite = np.where(np.isfinite(standardized) & ~few, np.abs(standardized), -1.0)
    j = int(np.argmax(finite))
    yield Finding(
        "largest standardised difference",
        f"{standardized[j]:+.2f} ({names[j]})",
        "ok",
        ""
        if names[j] in told
        else f"The arms differ most in {names[j]!r}, by {standardized[j]:+.2f} standard deviations "
        f"(p = {differences.p_value[j]:.2g} by the variation between "
        f"{trial.randomization.units_word}).",
    )


def missing_findings(
    trial: TrialTable, missing: BoolArray, gaps: ArmDifferences
) -> Iterator[Finding]:
    """Give the covariates with missing values, unevenly by arm or along with the outcome."""
    # What is missing everywhere was left out and not filled in.
    used = {column.source for column in trial.encoder_.columns_}
    some = missing.any(axis=0) & np.array([name in used for name in trial.covariate_names])
    missing = missing & some
    n = len(missing)
    incomplete = share_text(int(missing.any(axis=1).sum()), n)
    rows = incomplete if FEW in incomplete else f"{incomplete} of rows"
    largest = share_text(int(missing.sum(axis=0).max(initial=0)), n)
    arm = trial.enrolled_treatment
    by_arm = [
        [share_text(int(count), int((arm == a).sum())) for count in missing[arm == a].sum(axis=0)]
        for a in (0, 1)
    ]
    yield Finding(
        "missing covariates",
        f"{int(some.sum())} of {some.size} columns, {rows}",
        "note" if some.any() else "ok",
        f"{int(some.sum())} of {some.size} covariates "
        f"{'has' if some.sum() == 1 else 'have'} missing values, up to "
        f"{largest}; {rows} lack something. They were filled in and marked."
        if some.any()
        else "",
    )
    together = missing_with_outcome(missing, ~trial.has_outcome)
    for j in np.flatnonzero(some):
        name = trial.covariate_names[j]
        if gaps.p_value[j] < _UNLIKELY / some.sum():
            yield Finding(
                "missing by arm",
                f"{name} ({by_arm[0][j]} control, {by_arm[1][j]} treated)",
                "warning",
                f"{name!r} is missing in {by_arm[0][j]} of the control and "
                f"{by_arm[1][j]} of the treated arm (p = {gaps.p_value[j]:.2g}): what is "
                "missing depends on the arm, as for a measurement after randomization.",
            )
        if together[j] > MISSING_TOGETHER:
            yield Finding(
                "missing with the outcome",
                f"{name} (correlation {together[j]:.2f})",
                "warning",
                f"{name!r} is missing for the same persons as the outcome: it looks measured at "
                "follow-up; if so, remove it from the covariates.",
            )


def separates_arms(column: pd.Series[Any], arm: IntArray, units: IntArray) -> float | None:
    """Chance that a covariate tells the arm of everyone as it does, or None if it does not.

    It tells the arm when all values of one arm lie above those of the other, or
    when it has few levels and each occurs in one arm only.

    Parameters
    ----------
    column
        Covariate before encoding, shape (n,).
    arm, units
        As in `arm_differences`.

    Examples
    --------
    >>> arm = np.repeat([0, 1], 10)
    >>> separates_arms(pd.Series(arm + 5), arm, np.arange(20)) < 0.001
    True
    >>> separates_arms(pd.Series(np.arange(20) % 7), arm, np.arange(20)) is None
    True
    """
    present = ~missing_values(column)
    arm, units, column = arm[present], units[present], column[present]
    if len(arm) == 0 or arm.min() == arm.max():
        return None
    values, levels = pd.factorize(column)
    n_levels = len(levels)
    occurs = np.zeros((2, n_levels), dtype=bool)
    occurs[arm, values] = True
    if occurs.all(axis=0).any():
        return None
    arm_of_unit = pd.Series(arm).groupby(units).first()
    n_units, n_treated = len(arm_of_unit), int(arm_of_unit.sum())
    if n_levels == 2 or _arms_apart(column, arm):
        return chance_of_separation(n_units, n_treated, 2)
    chance = chance_of_separation(n_units, n_treated, n_levels)
    # Levels that each occur in few units are pure anyway, as the clinic's name is.
    return chance if n_levels <= _FEW_LEVELS and chance < _UNLIKELY else None


def _arms_apart(column: pd.Series[Any], arm: IntArray) -> bool:
    """Whether all numbers of one arm lie above those of the other."""
    if not pd.api.types.is_numeric_dtype(column.dtype):
        return False
    numbers = column.to_numpy(dtype=np.float64)
    first, second = (numbers[arm == a] for a in (0, 1))
    return bool(first.max() < second.min() or second.max() < first.min())


def sounds_later(name: str, outcome: str) -> bool:
    """Whether a name has a word for what comes after randomization, or the outcome's name later.

    Later is a number at least as large as that of the outcome: ``cd820`` or
    ``cd420_b`` for the outcome ``cd420``, but not ``cd40``.

    Parameters
    ----------
    name, outcome
        Names of the covariate and of the outcome.

    Examples
    --------
    >>> sounds_later("comply", "y"), sounds_later("postcode", "y")
    (True, False)
    >>> sounds_later("cd820", "cd420"), sounds_later("cd40", "cd420")
    (True, False)
    """
    words = set(name_words(name))
    if not _LATER_WORDS.isdisjoint(words):
        return True
    number, outcome_number = (re.search(r"\d+", text) for text in (name, outcome))
    if number is None or outcome_number is None or name_words(name)[:1] != name_words(outcome)[:1]:
        return False
    return int(number[0]) >= int(outcome_number[0])


def looks_like_numbering(column: pd.Series[Any]) -> bool:
    """Whether every row has a different whole number, as identifiers do.

    Examples
    --------
    >>> looks_like_numbering(pd.Series(range(100, 140)))
    True
    """
    if len(column) < _FEW_ROWS or not pd.api.types.is_integer_dtype(column.dtype):
        return False
    return bool(column.is_unique)
