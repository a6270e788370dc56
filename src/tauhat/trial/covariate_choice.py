"""Which columns are the covariates of a trial, named or not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.table_limits import MAX_COLUMNS
from tauhat.trial.roles import require_columns

# Names made of these words alone, run together or not, speak of what happened to a person
# after randomization ...
_FOLLOW_UP = re.compile(
    r"status|stat|events?|evt|times?|visits?|follow(?:ed)?|fup?|cens(?:or(?:ed|ing)?)?|deaths?|died"
    r"|dead|mortality|days|weeks|months|surv(?:ival)?|tte|os|pfs|dfs|rfs|ttp|lost"
)
# ... also together with these.
_FILLERS = re.compile(
    r"to|of|up|until|since|from|last|first|end|study|vital|day|week|month|years?|number|num|no|nr"
    r"|ind(?:icator)?|flag|code|overall|progression|free|disease|relapse|recurrence|point"
)
_ONLY = re.compile(rf"(?:{_FOLLOW_UP.pattern}|{_FILLERS.pattern})+")
# "Pain at 12 weeks" is no time.
_TIME_POINT = re.compile(r"\d+\s*(?:days|weeks|months)|(?:days|weeks|months)\s*\d+")
_TIME_OUTCOME = re.compile(
    r"(?:^| )(?:\w*time|days|weeks|months|\w*survival|surv|tte|os|pfs|dfs|rfs|ttp"
    r"|\w*event|status|died|dead|\w*death|mortality|relapse|fustat)(?: |$)"
)


@dataclass(frozen=True)
class CovariateChoice:
    """The covariates of a trial.

    Attributes
    ----------
    names
        Columns of the covariates.
    of_cluster
        Those that were named as the clusters'.
    left_out
        Columns that were left out for their names, since none were named.
    notes
        What was decided, in sentences.
    """

    names: list[str]
    of_cluster: list[str]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def choose_covariates(
    table: pd.DataFrame,
    roles: Mapping[str, str],
    covariates: Sequence[str] | None,
    cluster_covariates: Sequence[str] | None,
) -> CovariateChoice:
    """Covariates as named, or all columns without another role.

    Beside an outcome that is a time or an event, columns whose names speak of
    follow-up alone (status, time, visit ...) are left out unless they are named.

    Parameters
    ----------
    table
        The trial's table.
    roles
        Column of each other role.
    covariates, cluster_covariates
        As in `tauhat.Trial`.

    Raises
    ------
    TrialError
        If columns do not exist, have another role, or are too many.

    Examples
    --------
    >>> table = pd.DataFrame(columns=["days", "arm", "age", "status", "marital status"])
    >>> choice = choose_covariates(table, {"outcome": "days", "treatment": "arm"}, None, None)
    >>> choice.names, choice.left_out
    (['age', 'marital status'], ('status',))
    """
    of_cluster = require_columns(table, cluster_covariates or [], "cluster_covariates")
    if of_cluster and "cluster" not in roles:
        raise TrialError("cluster_covariates are given but cluster= is not")
    if covariates is not None:
        chosen = require_columns(table, covariates, "covariates")
        return CovariateChoice(_checked([*chosen, *of_cluster], roles), of_cluster)
    taken = set(roles.values())
    free = [name for name in table.columns if name not in taken]
    left_out: tuple[str, ...] = ()
    if speaks_of_time_or_event(roles["outcome"]):
        left_out = tuple(n for n in free if speaks_of_follow_up(n) and n not in of_cluster)
    chosen = [name for name in free if name not in left_out]
    listed = ", ".join(chosen[:20]) + (" ..." if len(chosen) > 20 else "")
    notes = [
        f"Covariates were not named, so all {len(chosen)} columns without another "
        f"role are used: {listed}."
    ]
    if left_out:
        notes.append(f"Columns of follow-up, {_listed(left_out)}, were left out.")
    names = _checked([*chosen, *of_cluster], roles)
    return CovariateChoice(names, of_cluster, left_out, tuple(notes))


def left_out_sentence(left_out: Sequence[str], outcome: str) -> str:
    """Why columns were left out, and what to do if they should not be.

    Examples
    --------
    >>> left_out_sentence(["status"], "days")
    "Beside the outcome 'days' the name of 'status' is one of follow-up: ..."
    """
    names = "name of {} is one" if len(left_out) == 1 else "names of {} are those"
    return (
        f"Beside the outcome {outcome!r} the {names.format(_listed(left_out))} of follow-up: not "
        "used as covariates. Name in covariates= what was measured before randomization."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (" ..." if len(names) > 10 else "")


def _checked(names: list[str], roles: Mapping[str, str]) -> list[str]:
    names = list(dict.fromkeys(names))
    for role, name in roles.items():
        if name in names:
            raise TrialError(f"column {name!r} cannot be both {role} and a covariate")
    if len(names) > MAX_COLUMNS:
        raise TrialError(
            f"{len(names):,} covariates are more than {MAX_COLUMNS:,}; "
            "name the ones you mean to use with covariates="
        )
    return names


def speaks_of_time_or_event(outcome: Any) -> bool:
    """Whether an outcome's name is that of a time to an event, or of the event.

    Examples
    --------
    >>> speaks_of_time_or_event("survTime"), speaks_of_time_or_event("pain_12_weeks")
    (True, False)
    """
    words = " ".join(name_words(_TIME_POINT.sub(" ", _spaced(str(outcome)))))
    return _TIME_OUTCOME.search(words) is not None


def speaks_of_follow_up(name: str) -> bool:
    """Whether a name is made of words of follow-up and nothing else.

    Examples
    --------
    >>> [speaks_of_follow_up(name) for name in ("futime", "follow-up", "smoking_status", "age")]
    [True, True, False, False]
    """
    joined = "".join(name_words(name))
    return _ONLY.fullmatch(joined) is not None and _FOLLOW_UP.search(joined) is not None


def name_words(name: str) -> list[str]:
    """Words of a column's name in any of the usual styles, in lower case, without digits.

    Examples
    --------
    >>> name_words("survTime_2b")
    ['surv', 'time', 'b']
    """
    return [word for word in re.split(r"[^a-z]+", _spaced(name)) if word]


def _spaced(name: str) -> str:
    """A name in lower case with blanks between its words and its numbers."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    return re.sub(r"[^a-z0-9]+", " ", apart)
