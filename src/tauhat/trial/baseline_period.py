"""Parallel cluster trials with a baseline period: its rows are no outcomes but a covariate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.design.periods import UNSEEN, arms_of_cells
from tauhat.endpoint import weight_values
from tauhat.errors import DesignError, TrialError
from tauhat.tables.account import as_codes
from tauhat.tables.labels import label_text, read_labels
from tauhat.trial.outcome_columns import OutcomeColumns
from tauhat.trial.periods_of_trials import period_numbers, refuse_beside_periods
from tauhat.trial.roles import label_values
from tauhat.wording import first_of

MODELLED = "model"
BASELINE_ROWS = ("covariate", MODELLED)
"""What the rows of a baseline period are for."""


@dataclass(frozen=True, eq=False)
class BaselinePeriod:
    """What was measured in each cluster before any was treated.

    Attributes
    ----------
    rows
        Which rows of the table lie in it, those of other arms aside, shape (n,).
    name
        Of the covariate that is made of them.
    means
        Mean of the outcome in each cluster, by the text of its label.
    labels, later_labels
        Labels of the periods that belong to it, and of those after it, in their order.
    n_persons
        Persons with an outcome in it.
    n_clusters_without
        Clusters seen later that have no such person.
    n_clusters_lost
        Clusters that have such persons but no rows later.
    n_repeated
        Participants, as far as a column tells them apart, with rows in it and later.
    by_allocation
        Whether treated clusters have the label of their later arm in it, rather than the control's.
    """

    rows: BoolArray
    name: str
    means: Mapping[str, float]
    labels: tuple[Any, ...]
    later_labels: tuple[Any, ...]
    n_persons: int
    n_clusters_without: int
    n_clusters_lost: int
    n_repeated: int
    by_allocation: bool

    def of_clusters(self, clusters: AnyArray) -> FloatArray:
        """The covariate of persons of these clusters, NaN where there is none, shape (k,)."""
        texts = pd.Series(clusters).map(label_text)
        return np.asarray(texts.map(self.means), dtype=np.float64)

    def added_to(self, table: pd.DataFrame, cluster: str) -> pd.DataFrame:
        """A table of persons with the covariate, looked up by their clusters if it has none."""
        if self.name in table.columns:
            return table
        if cluster not in table.columns:
            raise TrialError(
                f"the table needs the column {self.name!r}, or {cluster!r} to look it up"
            )
        return table.assign(
            **{self.name: self.of_clusters(label_values(table[cluster], "cluster"))}
        )


def baseline_periods(arms: IntArray) -> tuple[int, bool] | None:
    """How many periods came before any cluster was treated, in a trial of parallel arms.

    The arms must be parallel thereafter. If treated clusters have their later arm in all periods,
    the first of two periods is the baseline; of more it cannot be told how many are.

    Parameters
    ----------
    arms
        Arm of each cluster in each period, `tauhat.design.periods.UNSEEN` without rows, shape
        (m, T).

    Returns
    -------
    tuple or None
        Number of periods, and whether the arm was the one allocated there too; None if the
        clusters do not have parallel arms after a baseline.

    Examples
    --------
    >>> baseline_periods(np.array([[0, 0, 1], [0, 0, 0]])), baseline_periods(np.eye(2, dtype=int))
    ((2, False), None)
    >>> baseline_periods(np.array([[1, 1], [0, 0]])), baseline_periods(np.array([[0, 1], [1, 1]]))
    ((1, True), None)
    """
    treated, control = arms == 1, arms == 0
    start = int(np.argmax(treated.any(axis=0)))
    by_allocation = False
    if start == 0 and arms.shape[1] == 2:
        by_allocation, start = True, 1
        if (treated.any(axis=1) & control.any(axis=1)).any():
            return None
    if start == 0:
        return None
    later_treated, later_control = treated[:, start:].any(axis=1), control[:, start:].any(axis=1)
    if (later_treated & later_control).any() or not (later_treated.any() and later_control.any()):
        return None
    return start, by_allocation


def baseline_period(
    table: pd.DataFrame,
    roles: Mapping[str, str],
    arm: IntArray,
    file: Mapping[str, Any] | None,
    given: Mapping[str, Any],
) -> tuple[BaselinePeriod | None, BaselinePeriod | None, IntArray]:
    """What the rows before any cluster was treated say, and the arm of each row.

    What they say comes first where they are a covariate, and second where they are to be modelled
    like the others; the arm of whoever was not treated yet is then the control. Both are None if
    this is no such trial.

    Parameters
    ----------
    table
        The trial's table.
    roles
        Column of each role.
    arm
        Number of the arm of each row, negative where it is not compared, shape (n,).
    file
        What was found in the file that the table was read from.
    given
        The arguments of `tauhat.Trial` by name.

    Raises
    ------
    TrialError
        If the columns cannot be read, the covariate's name is taken, or this is no such trial
        and arguments do not go with clusters that change their arm.
    """
    rows_are_for = given["baseline_rows"]
    if rows_are_for not in BASELINE_ROWS:
        raise TrialError(
            f"baseline_rows must be one of {', '.join(BASELINE_ROWS)}, got {rows_are_for!r}"
        )
    found = _found(table, roles, arm, file, given)
    if rows_are_for == MODELLED and found is None:
        raise TrialError(
            f"baseline_rows={MODELLED!r} is for parallel clusters that were observed before any "
            "was treated, and these are not: leave it out"
        )
    if found is None or rows_are_for == MODELLED:
        refuse_beside_periods(given)
    if found is None or rows_are_for != MODELLED:
        return found, None, arm
    return None, found, np.where(found.rows, 0, arm)


def _found(
    table: pd.DataFrame,
    roles: Mapping[str, str],
    arm: IntArray,
    file: Mapping[str, Any] | None,
    given: Mapping[str, Any],
) -> BaselinePeriod | None:
    compared = np.flatnonzero(arm >= 0)
    kept, arm = table.iloc[compared], arm[compared]
    clusters = label_values(kept[roles["cluster"]], "cluster")
    codes, labels = pd.factorize(clusters)
    period, period_labels = period_numbers(kept[roles["period"]], file)
    if arm.max() > 1:
        return None
    try:
        arms = arms_of_cells(arm, codes, period)
    except ValueError:
        return None
    before_and_how = baseline_periods(arms)
    if before_and_how is None:
        return None
    start, by_allocation = before_and_how
    name = f"baseline mean of {roles['outcome']}"
    if name in table.columns:
        raise TrialError(
            f"the table has a column {name!r} already, and period= makes one: leave period= and "
            "the rows of the baseline period out, or rename it"
        )
    values = OutcomeColumns.of(
        kept, roles, given["endpoint"], file, event_value=given["event_value"]
    ).values
    before = period < start
    counts = before & ~np.isnan(values)
    if not counts.any():
        raise DesignError(
            "nobody has an outcome in the baseline period: leave its rows and period= out"
        )
    weight = np.ones(len(kept))
    if "weight" in roles:
        weight[counts] = weight_values(as_codes(kept[roles["weight"]], file), counts)
    m = len(labels)
    total = np.bincount(codes[counts], weights=weight[counts], minlength=m)
    of_outcome = np.bincount(codes[counts], weights=(weight * values)[counts], minlength=m)
    seen, later = total > 0, np.bincount(codes[~before], minlength=m) > 0
    if not (seen & later).any():
        raise DesignError(
            f"period column {roles['period']!r}: no cluster of {roles['cluster']!r} was seen both "
            f"in the baseline period ({first_of(list(map(str, period_labels[:start])), 3)}) and "
            "after it, so it says nothing of those that are compared: leave period= out, and give "
            "a column that tells clusters apart as a covariate or block"
        )
    rows = np.zeros(len(table), dtype=bool)
    rows[compared[before]] = True
    return BaselinePeriod(
        rows,
        name,
        {label_text(labels[k]): float(of_outcome[k] / total[k]) for k in np.flatnonzero(seen)},
        tuple(period_labels[:start]),
        tuple(period_labels[start:]),
        int(counts.sum()),
        int((later & ~seen).sum()),
        int(((arms[:, :start] != UNSEEN).any(axis=1) & ~later).sum()),
        _seen_in_both(kept, roles, codes, before),
        by_allocation,
    )


def _seen_in_both(
    kept: pd.DataFrame, roles: Mapping[str, str], codes: IntArray, before: BoolArray
) -> int:
    """Participants of a cluster with rows in the baseline period and later."""
    column = roles.get("participant", roles.get("id"))
    if column is None:
        return 0
    read = read_labels(kept[column])
    known = ~np.asarray(read.missing, dtype=bool)
    rows = pd.DataFrame({"id": read.values, "cluster": codes, "before": before})[known]
    return int((rows.groupby(["id", "cluster"])["before"].nunique() == 2).sum())
