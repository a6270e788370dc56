"""Whether a covariate or the outcome holds codes for missing values, or slips."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tauhat._typing import FloatArray, IntArray
from tauhat.covariate_checks import Finding
from tauhat.extremes import FarValues, codes_apart, far_values, number
from tauhat.numerics.extremes import ColumnLimits

if TYPE_CHECKING:
    from tauhat.trial import Trial


def far_value_findings(
    trial: Trial, X: FloatArray, limits: ColumnLimits, clusters: IntArray | None
) -> Iterator[Finding]:
    """Give values of the outcome and of numeric covariates that stand apart from the others.

    Parameters
    ----------
    trial
        The trial.
    X
        Encoded covariates of those who are compared, shape (k, p).
    limits
        Their limits.
    clusters
        Cluster number of each of these, shape (k,), or None.
    """
    outcome, y = trial.roles["outcome"], trial.y[trial.has_counterfactual, None]
    for far in _apart(y, ColumnLimits.of(y, clusters), [outcome]):
        one = len(far.values) == 1
        yield Finding(
            "outcomes far outside",
            _value(far),
            "warning",
            f"{far.text}. If {far.shown} stands for a missing outcome, leave "
            f"{'this cell' if one else 'these cells'} empty; if it is a slip, put it right. The "
            f"analysis takes {'it' if one else 'them'} as measured.",
        )
    numeric = [j for j, name in enumerate(trial.X.columns) if name in trial.covariate_names]
    names = [str(trial.X.columns[j]) for j in numeric]
    for far in _apart(X[:, numeric], limits.take(numeric), names):
        one = len(far.values) == 1
        taken = (
            f"takes {'it' if one else 'them'} as measured"
            if far.read_as is None
            else f"reads {'it' if one else 'them'} as {number(far.read_as)}"
        )
        yield Finding(
            "values far outside",
            _value(far),
            "warning",
            f"{far.text}. If {far.shown} stands for a missing value, leave "
            f"{'this cell' if one else 'these cells'} empty; if it is a slip, put it right; if "
            f"the column is measured so, give its logarithm. The analysis {taken}.",
        )


def _value(far: FarValues) -> str:
    return f"{far.name} ({len(far.values)}: {far.shown})"


def _apart(X: FloatArray, limits: ColumnLimits, names: list[str]) -> Iterator[FarValues]:
    """Values beyond the limits and, on sides without, codes that stand apart."""
    for j, name in enumerate(names):
        column = X[:, [j]]
        beyond = list(far_values(column, limits.take([j]), [name]))
        yield from beyond
        told = {far.values[0] > far.highest for far in beyond}
        inside = column[~limits.take([j]).outside(column)]
        for code in codes_apart(inside, name):
            if (code.values[0] > code.highest) not in told:
                yield code
