"""Whether a covariate or the outcome holds codes for missing values, or slips."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from tauhat._typing import BoolArray, FloatArray
from tauhat.numerics.codes import goes_on_rarely, usual_codes
from tauhat.numerics.far_values import ColumnLimits
from tauhat.tables.account import variable_label
from tauhat.tables.extremes import FarValues, codes_apart, far_values, number, third_values
from tauhat.trial.checks.finding import Finding, Status
from tauhat.trial.checks.value_checks import (
    heap_findings,
    impossible_finding,
    impossible_values,
)
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable


def far_value_findings(
    trial: TrialTable, X: FloatArray, limits: ColumnLimits, tails: FloatArray
) -> Iterator[Finding]:
    """Give values of the outcome and of numeric covariates that stand apart from the others.

    Parameters
    ----------
    trial
        The trial.
    X
        Encoded covariates of everyone analysed, shape (n, p).
    limits, tails
        Of the columns of ``X``, by those who are compared (`ColumnLimits.with_tails`).
    """
    numeric = [j for j, name in enumerate(trial.X.columns) if name in trial.covariate_names]
    names = [str(trial.X.columns[j]) for j in numeric]
    compared = trial.has_counterfactual
    outcome = trial.outcome.values[:, None]
    of_outcome = ColumnLimits.with_tails(
        outcome[compared], trial.randomization.take(compared).clusters
    )
    cause = trial.outcome.cause
    yield from _findings(
        trial,
        outcome,
        [trial.roles["outcome"]],
        *of_outcome,
        of_outcome=True,
        censored=None if cause is None else cause == 0,
    )
    of_columns = limits.take(numeric), tails[:, numeric]
    yield from _findings(trial, X[:, numeric], names, *of_columns, of_outcome=False)


def _findings(
    trial: TrialTable,
    X: FloatArray,
    names: list[str],
    limits: ColumnLimits,
    tails: FloatArray,
    *,
    of_outcome: bool,
    censored: BoolArray | None = None,
) -> Iterator[Finding]:
    """What stands apart among everyone analysed, by the limits of those who are compared."""
    ranks = {column.source for column in trial.encoder_.columns_ if column.kind == "ordered"}
    for j, name in enumerate(names):
        told: set[bool] = set()
        column = X[:, [j]]
        label = variable_label(trial.source, name)
        impossible, why = impossible_values(X[:, j], name, label)
        # Codes for missing values are told as such, also where they cannot be.
        slips = np.setdiff1d(X[impossible, j], X[usual_codes(X[:, j]), j])
        if len(slips):
            yield impossible_finding(X[np.isin(X[:, j], slips), j], name, why)
        own = limits.take([j])
        outside = own.outside(column)
        inside = column[~outside]
        for far in chain(
            far_values(column, own, [name]),
            codes_apart(inside, name),
            _levels_apart(inside, name, tails[:, j]),
        ):
            if far.above in told:
                continue
            told.add(far.above)
            if not np.isin(far.values, slips).all():
                yield _far_finding(far, of_outcome)
        for third in third_values(inside, name):
            if third.above not in told and name not in ranks:
                yield _third_finding(third, inside, of_outcome)
        if of_outcome and trial.endpoint.kind.counts_events:
            # Counts heap at zero and at small numbers by nature.
            continue
        # What the encoding filled in is one value by design.
        measured = ~outside.ravel() & (of_outcome or _measured(trial, name))
        lost = None if censored is None else censored[measured]
        yield from heap_findings(column[measured, 0], name, of_outcome=of_outcome, censored=lost)


def _measured(trial: TrialTable, name: str) -> BoolArray:
    """Whether each value of a covariate stands in the table, shape (n,)."""
    mark = f"{name} (missing)"
    if mark in trial.X.columns:
        measured: BoolArray = trial.X[mark].to_numpy() == 0
        return measured
    return np.ones(len(trial.X), dtype=bool)


def _levels_apart(column: FloatArray, name: str, tail: FloatArray) -> Iterator[FarValues]:
    """Values that the tail does not explain, and that are levels of their own."""
    within = column[(column >= tail[0]) & (column <= tail[1])]
    for beyond in (column < tail[0], column > tail[1]):
        if beyond.any():
            yield FarValues(name, column[beyond], float(within.min()), float(within.max()))


def _far_finding(far: FarValues, of_outcome: bool) -> Finding:
    one = len(far.values) == 1
    what, it = ("a missing outcome" if of_outcome else "a missing value"), "it" if one else "them"
    logarithm = "" if of_outcome else "; if the column is measured so, give its logarithm"
    taken = (
        f"takes {it} as measured"
        if of_outcome or far.read_as is None
        else f"reads {it} as {number(far.read_as)}"
    )
    return Finding(
        "outcomes far outside" if of_outcome else "values far outside",
        _value(far),
        "warning",
        f"{far.text}. If {far.shown} stands for {what}, leave "
        f"{'this cell' if one else 'these cells'} empty; if it is a slip, put it right{logarithm}. "
        f"The analysis {taken}.",
        _code_of(far),
    )


def _third_finding(third: FarValues, column: FloatArray, of_outcome: bool) -> Finding:
    pair = (third.lowest, third.highest)
    likely = all(goes_on_rarely(column, pair, value) for value in np.unique(third.values))
    status: Status = "note" if likely else "warning"
    one = len(third.values) == 1
    return Finding(
        "rare third outcome" if of_outcome else "rare third value",
        _value(third),
        status,
        f"{third.name!r} is {number(pair[0])} or {number(pair[1])} but for "
        f"{counted(len(third.values), 'row')} with {third.shown}. If this stands for a missing "
        f"{'outcome' if of_outcome else 'value'}, leave {'the cell' if one else 'these cells'} "
        "empty; if it is a slip, put it right. The analysis takes it as measured.",
        _code_of(third),
    )


def _code_of(far: FarValues) -> str:
    return "missing-code" if usual_codes(far.values).all() else "far-value"


def _value(far: FarValues) -> str:
    return f"{far.name} ({len(far.values)}: {far.shown})"
