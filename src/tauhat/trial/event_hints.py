"""Columns that say that an outcome is a time that may have been censored."""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.tables.columns import missing_values
from tauhat.trial.covariate_choice import name_words

_EVENT = re.compile(r"status|stat|event|evt|cens\w*|died|dead|death|fustat|relapsed?|uncensored")
_TIME = re.compile(r"days|weeks|months|years|\w*time|surv\w*|tte|os|pfs|dfs|rfs|ttp|futime")
_MOST_CODES = 3
# Fewer values than this are visits at which something was measured, not times.
_FEWEST_TIMES = 15


def event_columns(
    table: pd.DataFrame, outcome: str, values: FloatArray, taken: Collection[str]
) -> tuple[str, ...]:
    """Columns beside an outcome that is named like a time, and that look like its event.

    Parameters
    ----------
    table
        The whole table.
    outcome
        Name of the outcome.
    values
        Its values, shape (n,).
    taken
        Columns with a role.

    Examples
    --------
    >>> table = pd.DataFrame({"days": np.arange(50.0), "cens": [0, 1] * 25, "age": 60.0})
    >>> event_columns(table, "days", table.days.to_numpy(), ["days"])
    ('cens',)
    """
    known = values[~np.isnan(values)]
    if not _speaks(outcome, _TIME) or (known < 0).any() or len(np.unique(known)) < _FEWEST_TIMES:
        return ()
    return tuple(
        str(name)
        for name in table.columns
        if name not in taken
        and _speaks(str(name), _EVENT)
        and 2 <= table[name][~missing_values(table[name])].astype(str).nunique() <= _MOST_CODES
    )


def _speaks(name: str, words: re.Pattern[str]) -> bool:
    return any(words.fullmatch(word) for word in name_words(name))
