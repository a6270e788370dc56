"""Counts of events over a time at risk, read as rates with the time as weight."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.columns import numeric_values, refuse_all_missing
from tauhat.trial.roles import refuse_numbers, require_column, single_roles, whole_numbers


def counts_as_rates(
    table: pd.DataFrame, outcome: Any, exposure: Any | None, weight: Any | None
) -> tuple[pd.DataFrame, str | None]:
    r"""A table of counts as one of rates, and the column of their weights.

    .. math:: y_i = c_i / t_i, \qquad w_i = t_i

    so that the weighted mean of an arm is its events over its time at risk.

    Parameters
    ----------
    table
        One row per person.
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
    counts = whole_numbers(
        table[name], "outcome", "with endpoint='count' it holds numbers of events"
    )
    if exposure is None:
        return table, weight
    time_name = single_roles(table, outcome=name, exposure=exposure)["exposure"]
    if weight is not None:
        raise TrialError(
            "weight= cannot be given beside exposure= with endpoint='count': persons are weighted "
            "by their time at risk"
        )
    refuse_all_missing(table[time_name], "exposure")
    time = numeric_values(table[time_name], time_name)
    bad = ~np.isnan(time) & ~((time > 0) & np.isfinite(time))
    refuse_numbers(
        time,
        bad,
        f"exposure column {time_name!r}",
        "zero, negative or infinite",
        "leave out persons without time at risk",
    )
    return table.assign(**{name: counts / time}), time_name
