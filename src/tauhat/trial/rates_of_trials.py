"""Counts of events over a time at risk, read as rates with the time as weight."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.columns import numeric_values
from tauhat.trial.roles import require_column
from tauhat.wording import counted


def counts_as_rates(
    table: pd.DataFrame, outcome: Any, exposure: Any | None, weight: Any | None
) -> tuple[pd.DataFrame, str | None]:
    r"""A table of counts as one of rates, and the column of their weights.

    .. math:: y_i = c_i / t_i, \qquad w_i = t_i

    so that the weighted mean of an arm is its events over its time at risk.

    Parameters
    ----------
    table
        One row a person.
    outcome
        Column of the number of events; missing where it is unknown.
    exposure
        Column of the time at risk, or None if it is the same for everyone.
    weight
        Column of other weights, which cannot be given beside a time at risk.

    Returns
    -------
    table
        With the rate in the column of the outcome, missing where count or time is.
    weight
        Column of the weights.

    Raises
    ------
    TrialError
        If counts are negative or not whole, times zero, negative or infinite, or weights are given
        twice.

    Examples
    --------
    >>> rows = pd.DataFrame({"falls": [3, 0, 1], "years": [1.5, 2.0, 0.5]})
    >>> read, weight = counts_as_rates(rows, "falls", "years", None)
    >>> read["falls"].tolist(), weight
    ([2.0, 0.0, 2.0], 'years')
    """
    name = require_column(table, outcome, "outcome")
    counts = numeric_values(table[name], name)
    wrong = ~np.isnan(counts) & ((counts < 0) | (counts != np.floor(counts)))
    if wrong.any():
        raise TrialError(
            f"outcome column {name!r} has {counted(int(wrong.sum()), 'value')} that "
            f"{'are' if wrong.sum() > 1 else 'is'} negative or not whole, such as "
            f"{counts[wrong][0]:g}; with endpoint='count' it holds numbers of events"
        )
    if exposure is None:
        return table, weight
    time_name = require_column(table, exposure, "exposure")
    if time_name == name:
        raise TrialError(f"column {name!r} cannot be both outcome and exposure")
    if weight is not None:
        raise TrialError(
            "weight= cannot be given beside exposure= with endpoint='count': persons are weighted "
            "by their time at risk"
        )
    time = numeric_values(table[time_name], time_name)
    bad = ~np.isnan(time) & ~((time > 0) & np.isfinite(time))
    if bad.any():
        raise TrialError(
            f"exposure column {time_name!r} has {counted(int(bad.sum()), 'value')} that "
            f"{'are' if bad.sum() > 1 else 'is'} zero, negative or infinite, such as "
            f"{time[bad][0]:g}; leave out persons without time at risk"
        )
    with np.errstate(invalid="ignore"):
        rates = counts / time
    return table.assign(**{name: rates}), time_name
