"""Persons who stand on several rows of a table without an identifier that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, IntArray
from tauhat.tables.labels import read_labels
from tauhat.trial.checks.finding import Finding
from tauhat.trial.checks.unnamed_clusters import unnamed_cluster_findings
from tauhat.trial.identifier_columns import names_persons, names_something
from tauhat.trial.later_names import name_words
from tauhat.trial.levels import PARTICIPANT
from tauhat.trial.repeated_identifiers import (
    FEWEST_PERSONS,
    MANY_VALUES,
    NEARLY_ALL,
    Repeats,
    balanced,
    check_identifiers,
    find_repeats,
    in_one_arm,
    n_distinct,
    numbered_within,
    persons_are_clusters,
    row_codes,
    shared_columns,
    what_to_do,
    where_they_stand,
)
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

_VISIT = frozenset(
    {"visit", "time", "timepoint", "week", "month", "day", "wave", "period", "occasion", "year"}
    | {"session", "round", "followup", "assessment", "measurement", "measure", "phase", "avisit"}
)
_GROUP = re.compile(
    r"site|cent(?:re|er)|clinic|school|hospital|village|class|ward|practice|district|region|state"
    r"|country|county|city|block|strat|cluster|household|famil|teacher|provider|doctor|physician"
    r"|therapist|interviewer|rater|team|group|pair|hub|area|zip|post|facility|worker"
)
_MOST_ROWS_A_PERSON = 60
# In wider tables only a column's name brings it under suspicion.
_MOST_COLUMNS = 200
# This share of rows that repeat others makes errors of estimates wrong.
_MANY_COPIES = 0.01
# In smaller tables whole numbers are easily all different.
_FEW_ROWS = 20


def row_findings(
    table: pd.DataFrame, enrolled: pd.DataFrame, trial: TrialTable
) -> Iterator[Finding]:
    """Give rows that are copies of others, groups of one arm, and persons with several rows.

    Parameters
    ----------
    table
        The analysed rows with all their columns, shape (n, columns).
    enrolled
        Everyone enrolled.
    trial
        The trial, as far as its roles and rows are known.

    Raises
    ------
    DesignError
        If identifiers repeat although the design does not say why.
    """
    roles = trial.roles
    rows = _Rows(table, trial.treatment, trial.clusters, trial.blocks, trial.frame)
    if trial.rows_of_events is not None:
        # Persons of one row are no copies of each other.
        rows = rows.taken(*trial.rows_of_events.of(trial.rows))
        table = rows.table
    yield from _copies(table, roles)
    yield from unnamed_cluster_findings(table, trial, roles.values())
    if "id" in roles:
        yield from _identifier_findings(rows, enrolled[roles["id"]], trial)
        return
    taken = set(roles.values())
    visits = [name for name in table.columns if not _VISIT.isdisjoint(name_words(name))]
    visits = visits if table.shape[1] <= _MOST_COLUMNS else []
    for name in table.columns:
        if name not in taken and _may_identify(table[name], name):
            finding = _suspect(rows, name, visits, roles)
            if finding is not None:
                yield finding


@dataclass(frozen=True, eq=False)
class _Rows:
    """The analysed rows with all their columns, and who they are, n rows each."""

    table: pd.DataFrame
    arm: IntArray
    clusters: AnyArray | None
    blocks: AnyArray | None
    frame: pd.DataFrame

    def taken(self, table: pd.DataFrame, at: IntArray) -> _Rows:
        """Some of them, with columns of their own."""
        clusters, blocks = (
            None if one is None else one[at] for one in (self.clusters, self.blocks)
        )
        return _Rows(table, self.arm[at], clusters, blocks, self.frame.iloc[at])


def _identifier_findings(
    rows: _Rows, enrolled: pd.Series[Any], trial: TrialTable
) -> Iterator[Finding]:
    """What the design explains, and persons that only repeat among those without an outcome."""
    name = trial.roles["id"]
    if name == trial.roles.get(PARTICIPANT):
        return
    note = check_identifiers(
        rows.table[name], rows.arm, rows.clusters, rows.blocks, rows.frame, trial.roles
    )
    if note:
        yield Finding(
            "identifiers", f"{name} on several rows", "note", note, "repeated-measurements"
        )
        return
    found = find_repeats(read_labels(enrolled).values, trial.enrolled_treatment)
    if found is not None and trial.rows_of_events is None:
        yield Finding(
            "persons on several rows",
            f"{name} ({counted(found.n_values, 'value')} on {found.n_rows} rows)",
            "warning",
            f"{counted(found.n_values, 'identifier')} of {name!r} "
            f"{'stands' if found.n_values == 1 else 'stand'} on {found.n_rows} rows, of which at "
            "most one each has an outcome: the others count as persons without an outcome. Leave "
            "them out.",
            "persons-on-several-rows",
        )


def _may_identify(column: pd.Series[Any], name: str) -> bool:
    if pd.api.types.is_bool_dtype(column.dtype) or _GROUP.search(name.lower()):
        return False
    if pd.api.types.is_float_dtype(column.dtype):
        # Columns of Arrow know no remainder.
        present = column.dropna().to_numpy(dtype=np.float64)
        return len(present) > 0 and bool((present % 1 == 0).all())
    return not pd.api.types.is_datetime64_any_dtype(column.dtype)


def _suspect(
    rows: _Rows, name: str, visits: Sequence[str], roles: Mapping[str, str]
) -> Finding | None:
    """What is wrong if a column without a role tells persons apart, None if it does not."""
    table, arm, clusters = rows.table, rows.arm, rows.clusters
    of_person, of_something = names_persons(name), names_something(name)
    if not (of_person or of_something or visits):
        return None
    try:
        unique = table[name].is_unique
    except TypeError:
        return None
    found = None if unique else find_repeats(read_labels(table[name]).values, arm, clusters)
    if found is None or persons_are_clusters(found, clusters) or _of_clusters(found, clusters):
        return None
    n_values = int(found.codes.max()) + 1
    if of_person and n_values > 0.8 * len(table):
        return _finding(found, name, arm, roles, fails=False)
    crossed = found.n_in_both_arms >= NEARLY_ALL * found.n_values and balanced(found, arm)
    if (
        found.n_values < FEWEST_PERSONS
        or len(table) > _MOST_ROWS_A_PERSON * n_values
        or not (crossed or in_one_arm(found))
    ):
        return None
    if numbered_within(found, (clusters, rows.blocks), arm) is not None:
        return None
    if of_person:
        return _finding(found, name, arm, roles, fails=True)
    by_visit = any(_tells_apart(found, table[visit]) for visit in visits if visit != name)
    if not (by_visit or of_something):
        return None
    shared = shared_columns(found, table.drop(columns=[name, *roles.values()]))
    if not (of_something and (shared or by_visit)) and not (shared and by_visit):
        return None
    return _finding(found, name, arm, roles, fails=of_something and by_visit and bool(shared))


def _of_clusters(found: Repeats, clusters: AnyArray | None) -> bool:
    """Whether a column says something of clusters, being constant in each."""
    if clusters is None:
        return False
    return bool((n_distinct(pd.Series(pd.factorize(clusters)[0]), found.codes) <= 1).all())


def _tells_apart(found: Repeats, visit: pd.Series[Any]) -> bool:
    """Whether a visit occurs once for each value, and several times in all."""
    try:
        codes = pd.factorize(visit.astype(object))[0]
    except TypeError:
        return False
    pairs = pd.DataFrame({"value": found.codes, "visit": codes})[found.repeated]
    return not pairs.duplicated().any() and pairs["visit"].nunique() < len(pairs) / 2


def _finding(
    found: Repeats, name: str, arm: IntArray, roles: Mapping[str, str], *, fails: bool
) -> Finding:
    return Finding(
        "persons on several rows",
        f"{name} ({counted(found.n_values, 'value')} on {found.n_rows} rows)",
        "error" if fails else "warning",
        f"{name!r} looks like an identifier of persons, and {found.n_values} of its values stand "
        f"on {found.n_rows} rows{where_they_stand(found)}: one row per person is needed, or errors "
        f"come out too small. {what_to_do(found, arm, name, roles)}.",
        "persons-on-several-rows",
        columns=() if fails else (name,),
    )


def _copies(table: pd.DataFrame, roles: Mapping[str, str]) -> Iterator[Finding]:
    """Rows that are equal in all columns, where that cannot be chance."""
    tells = [
        name for name in table.columns if name == roles.get("id") or _numbers_rows(table[name])
    ]
    compared = [name for name in table.columns if name not in tells]
    first = roles["outcome"]
    n_copies = n_copied_rows(table[sorted(compared, key=lambda name: name != first)])
    if not n_copies:
        return
    but = f" but {', '.join(map(repr, tells[:3]))}" if tells else ""
    yield Finding(
        "repeated rows",
        counted(n_copies, "row"),
        "error" if not tells and n_copies >= _MANY_COPIES * len(table) else "warning",
        f"{counted(n_copies, 'row repeats', 'rows repeat')} another one in all "
        f"columns{but}: a person who stands twice in the table counts twice. Leave copies out.",
        "repeated-rows",
    )


def _numbers_rows(column: pd.Series[Any]) -> bool:
    """Whether a column has a different whole number or text in every row."""
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    whole = pd.api.types.is_integer_dtype(column.dtype) and len(column) >= _FEW_ROWS
    try:
        return (whole or not numeric) and column.is_unique
    except TypeError:
        return False


def n_copied_rows(table: pd.DataFrame) -> int:
    r"""Rows that repeat another one, or 0 when so many may be equal by chance.

    By chance, if the column :math:`c` with the most values were independent of
    the others, :math:`p_c \sum_g \binom{n_g}{2}` pairs of different persons
    would be equal, where :math:`p_c` is the probability that two persons agree
    in it and the sum goes over groups that agree in all others.

    Examples
    --------
    >>> table = pd.DataFrame({"y": np.arange(40) / 7, "sex": ["f", "m"] * 20})
    >>> n_copied_rows(table), n_copied_rows(pd.concat([table, table.head(3)]))
    (0, 3)
    >>> n_copied_rows(table[["sex"]])
    0
    """
    table = table.reset_index(drop=True)
    rows, codes = np.arange(len(table)), np.zeros(len(table), dtype=np.int64)
    for name in table.columns:
        codes = pd.factorize(codes * (len(rows) + 1) + row_codes(table[name].iloc[rows]))[0]
        several = np.bincount(codes)[codes] > 1
        rows, codes = rows[several], codes[several]
        if not len(rows):
            return 0
    copies = rows[pd.Series(codes).duplicated().to_numpy()]
    by_chance = _equal_by_chance(table.drop(index=copies.tolist()))
    return len(copies) if len(copies) >= max(1.0, 20 * by_chance) else 0


def _equal_by_chance(table: pd.DataFrame) -> float:
    """Expected number of equal pairs among rows that are all different."""
    n = len(table)
    columns = [row_codes(table[name]) for name in table.columns]
    sizes = [len(np.unique(codes)) for codes in columns]
    for j in sorted(range(len(columns)), key=lambda j: -sizes[j]):
        if sizes[j] < max(MANY_VALUES, n / 2):
            break
        others = [columns[k] for k in range(len(columns)) if k != j]
        if any(_says(other, columns[j]) for other in others):
            continue
        groups = np.zeros(n, dtype=np.int64)
        for codes in others:
            groups = pd.factorize(groups * (n + 1) + codes)[0]
        return _n_pairs(groups) * _n_pairs(columns[j]) / (n * (n - 1) / 2)
    return np.inf


def _says(first: IntArray, second: IntArray) -> bool:
    """Whether the first column has groups of rows, and each has one value of the second."""
    size = np.bincount(first)
    if (size > 1).sum() == 0:
        return False
    grouped = size[first] > 1
    return bool((n_distinct(pd.Series(first[grouped]), second[grouped]) == 1).all())


def _n_pairs(codes: IntArray) -> float:
    """Pairs of rows with equal codes."""
    size = np.bincount(codes).astype(np.float64)
    return float((size * (size - 1)).sum()) / 2
