"""Whether covariates were measured before randomization: they tell neither arm nor outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.disclosure import FEW, share_text
from tauhat.numerics.balance import (
    ArmDifferences,
    chance_of_separation,
    missing_with_outcome,
    outcome_correlation,
)
from tauhat.numerics.determination import mutual_determination, telling_pair
from tauhat.numerics.far_values import ColumnLimits
from tauhat.numerics.seeds import derive_seed
from tauhat.tables.account import variable_label
from tauhat.tables.columns import has_more_values, missing_values
from tauhat.trial.checks.finding import Finding
from tauhat.trial.later_names import says_before, sounds_later
from tauhat.trial.used_covariates import used_covariates

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

# A covariate that sorts units by arm this rarely by chance is a copy of the treatment.
CHANCE_OF_SEPARATION = 1e-3
# One trial in so many has, by chance, an imbalance that is called beyond chance.
CHANCE_OF_IMBALANCE = 1e-5
NEARLY_OUTCOME = 0.95
# Shares of variance in units that were left out, of one covariate and of two together.
_TOLD_BY_ONE = 0.9
_TOLD_BY_TWO = 0.98
MISSING_TOGETHER = 0.8
_UNLIKELY = 0.01
_CHANCE_OF_GAPS = 1e-3
_FEW_LEVELS = 20
_TO_JUDGE_A_KIND = 5
_FOLDS = 5
# So many persons tell whether a column is computed from the outcome.
_MOST_ROWS = 20_000
_SEED = 1


def leakage_findings(
    trial: TrialTable,
    units: IntArray,
    names: Sequence[str],
    differences: ArmDifferences,
    limits: ColumnLimits,
    few: BoolArray,
) -> Iterator[Finding]:
    """Give the covariates that look like the outcome, the treatment, or what came after it.

    Parameters
    ----------
    trial
        The trial.
    units
        Number of the randomized unit of everyone enrolled.
    names, differences, few
        Encoded covariates that were compared between the arms, how, and whether figures would
        tell of fewer than five persons.
    limits
        How far the encoded covariates go.
    """
    questioned: set[str] = set()
    for finding in _outcome_findings(trial, limits.apply(trial.X.to_numpy(dtype=np.float64))):
        questioned.update(finding.columns)
        yield finding
    for name in trial.covariate_names:
        chance = separates_arms(trial.enrolled_frame[name], trial.enrolled_treatment, units)
        if chance is not None:
            questioned.add(name)
            yield _separation_finding(name, chance)
    yield from _imbalance_findings(trial, names, differences, few, questioned)
    outcome = trial.roles["outcome"]
    later = [
        name
        for name in trial.covariate_names
        if name not in questioned and sounds_later(name, outcome, _label(trial, name))
    ]
    if later:
        listed = ", ".join(map(repr, later))
        yield Finding(
            "names",
            ", ".join(later),
            "warning",
            f"By {'its name' if len(later) == 1 else 'their names'}, {listed} may have been "
            "measured after randomization; if so, remove "
            f"{'it' if len(later) == 1 else 'such columns'} from the covariates.",
            "follow-up-name",
            columns=tuple(later),
        )


def _outcome_findings(trial: TrialTable, X: FloatArray) -> Iterator[Finding]:
    """Columns that are the outcome, that nearly tell it, or that it tells."""
    names, sources = list(trial.X.columns), trial.encoder_.sources_
    told: set[str] = set()
    correlation = outcome_correlation(X, trial.outcome.values, trial.treatment)
    for name, r in zip(names, correlation, strict=True):
        if r <= NEARLY_OUTCOME or sources[name] in told:
            continue
        told.add(sources[name])
        same = r > 1 - 1e-9
        yield Finding(
            "like the outcome",
            f"{name} (correlation {r:.3f})",
            "error" if same else "warning",
            f"{name!r} is the outcome in other units (correlation {r:.3f}): remove it from the "
            "covariates."
            if same
            else f"{name!r} is nearly the outcome (correlation {r:.3f}): it looks measured "
            "after randomization; if so, remove it from the covariates.",
            "outcome-copy" if same else "outcome-determined",
            columns=(sources[name],),
        )
    for name in _told_events(trial):
        if name not in told:
            told.add(name)
            yield Finding(
                "like the event",
                name,
                "warning",
                f"{name!r} tells of everyone whether the event was seen: it looks recorded with "
                "it; if so, remove it from the covariates.",
                "outcome-determined",
                columns=(name,),
            )
    rows, fold = _folds(trial)
    if fold is None:
        return
    y, arm = trial.outcome.values[rows], trial.treatment[rows]
    left = np.array([j for j, name in enumerate(names) if sources[name] not in told], dtype=int)
    for j, share in zip(left, mutual_determination(X[rows][:, left], y, arm, fold), strict=True):
        source = sources[names[j]]
        if share > _TOLD_BY_ONE and source not in told:
            told.add(source)
            yield Finding(
                "like the outcome",
                f"{names[j]} ({share:.0%} told)",
                "warning",
                f"{names[j]!r} and the outcome tell each other nearly without error (one explains "
                f"{share:.0%} of the other, in units that were left out): it looks computed from "
                "the outcome, or measured with it; if so, remove it from the covariates.",
                "outcome-determined",
                columns=(source,),
            )
    left = np.array([j for j, name in enumerate(names) if sources[name] not in told], dtype=int)
    pair = [names[left[k]] for k in telling_pair(X[rows][:, left], y, fold, _TOLD_BY_TWO)]
    if pair:
        first, second = pair
        # Of a baseline and a change from it, only the change is from later.
        before = [sources[n] for n in pair if says_before(sources[n], _label(trial, sources[n]))]
        later = [sources[name] for name in pair if sources[name] not in before or len(before) > 1]
        yield Finding(
            "like the outcome",
            f"{first} with {second}",
            "warning",
            f"{first!r} and {second!r} together tell the outcome nearly without error: one of them "
            "looks computed from it, as a change from baseline is; if so, remove it from the "
            "covariates.",
            "outcome-determined",
            columns=tuple(dict.fromkeys(later)),
        )


def _told_events(trial: TrialTable) -> Iterator[str]:
    """Covariates of a few levels, each of which only persons with the event have, or without."""
    if trial.outcome.cause is None:
        return
    seen = (trial.outcome.cause != 0).astype(np.int64)
    if np.bincount(seen, minlength=2).min() < _TO_JUDGE_A_KIND:
        return
    for name in trial.covariate_names:
        if has_more_values(trial.frame[name], _FEW_LEVELS):
            continue
        codes = pd.factorize(trial.frame[name], use_na_sentinel=False)[0]
        share = np.bincount(codes, weights=seen) / np.bincount(codes)
        if np.isin(share, (0, 1)).all():
            yield name


def _label(trial: TrialTable, name: str) -> str:
    return variable_label(trial.enrolled_frame, name)


def _folds(trial: TrialTable) -> tuple[IntArray, IntArray | None]:
    """Rows of those compared, whole units of a large trial, and their folds; None if too few."""
    design, rows = trial.data.design, trial.data.rows
    if len(rows) > _MOST_ROWS:
        rng = np.random.default_rng(derive_seed(_SEED, "rows that are asked"))
        place = rng.permutation(design.n_units)[design.unit]
        size = np.bincount(place)
        asked = np.flatnonzero(np.cumsum(size)[place] <= _MOST_ROWS)
        if len(asked) and min(design.take(asked).arm_sizes) >= _FOLDS:
            design, rows = design.take(asked), rows[asked]
    if min(design.arm_sizes) < 2:
        return rows, None
    return rows, design.folds(_FOLDS, _SEED)


def _separation_finding(name: str, chance: float) -> Finding:
    if chance < CHANCE_OF_SEPARATION:
        sentence = (
            f"{name!r} tells the arm of everyone: it is a copy of the treatment or was measured "
            "after it; remove it from the covariates."
        )
        return Finding(
            "like the treatment", name, "error", sentence, "treatment-copy", columns=(name,)
        )
    sentence = (
        f"{name!r} separates the arms completely, which with so few units happens by chance "
        f"(probability up to {chance:.2g}): its effect cannot be told from the treatment's."
    )
    return Finding("like the treatment", name, "warning", sentence, "treatment-copy")


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
        beyond = p_value < CHANCE_OF_IMBALANCE / len(names)
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
            "differs-by-arm" if beyond else "imbalance",
            columns=(source,) if beyond else (),
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
    encoded = used_covariates(trial)
    used = np.array([name in encoded for name in trial.covariate_names])
    some = missing.any(axis=0) & used
    missing = missing & some
    n = len(missing)
    incomplete = share_text(int(missing.any(axis=1).sum()), n)
    rows = incomplete if FEW in incomplete else f"{incomplete} of rows"
    largest = share_text(int(missing.sum(axis=0).max(initial=0)), n)
    most = f"in {largest}" if FEW in largest else f"up to {largest}"
    at_all = "" if rows == largest else f"; {rows} have at least one"
    arm = trial.enrolled_treatment
    by_arm = [
        [share_text(int(count), int((arm == a).sum())) for count in missing[arm == a].sum(axis=0)]
        for a in (0, 1)
    ]
    yield Finding(
        "missing covariates",
        f"{int(some.sum())} of {int(used.sum())} columns, {rows}",
        "note" if some.any() else "ok",
        f"{int(some.sum())} of {int(used.sum())} covariates "
        f"{'has' if some.sum() == 1 else 'have'} missing values, {most}{at_all}. "
        "They were imputed and marked."
        if some.any()
        else "",
        "missing-covariates" if some.any() else "",
    )
    together = missing_with_outcome(missing, ~trial.has_outcome)
    for j in np.flatnonzero(some):
        name = trial.covariate_names[j]
        if gaps.p_value[j] < _CHANCE_OF_GAPS / some.sum():
            yield Finding(
                "missing by arm",
                f"{name} ({by_arm[0][j]} control, {by_arm[1][j]} treated)",
                "warning",
                f"{name!r} is missing in {by_arm[0][j]} of the control and "
                f"{by_arm[1][j]} of the treated arm (p = {gaps.p_value[j]:.2g}): what is "
                "missing depends on the arm, as for a measurement after randomization.",
                "missing-by-arm",
                columns=(name,),
            )
        if together[j] > MISSING_TOGETHER:
            yield Finding(
                "missing with the outcome",
                f"{name} (correlation {together[j]:.2f})",
                "warning",
                f"{name!r} is missing for the same persons as the outcome: it looks measured at "
                "follow-up; if so, remove it from the covariates.",
                "missing-with-outcome",
                columns=(name,),
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
    many = column.dtype != object and has_more_values(column, _FEW_LEVELS)
    if many and not _arms_apart(column, arm):
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
