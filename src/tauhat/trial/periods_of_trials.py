"""Trials whose clusters are observed over periods: how periods are read, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, IntArray
from tauhat.design.periods import UNSEEN, arms_of_cells
from tauhat.endpoint import OF_COUNTS
from tauhat.errors import DesignError, TrialError
from tauhat.tables.account import codes_of
from tauhat.tables.labels import plain_label, read_labels
from tauhat.trial.design_hints import MOST_PERIODS, order_of_labels, order_of_moments
from tauhat.wording import counted, first_of

_LEAST_CLUSTERS = 4
_NO_COUNTS = (
    "counted events have no model with periods. Without endpoint= and exposure= their mean number "
    "is compared, as is right where everybody was at risk for the same time"
)


def refuse_beside_any_period(given: Mapping[str, Any]) -> None:
    """Raise a `TrialError` where an argument is supported with no design that has periods.

    Parameters
    ----------
    given
        The arguments of `tauhat.Trial` by name.

    Examples
    --------
    >>> refuse_beside_any_period({"period": "month", "cluster": "ward", "event": "death"})
    Traceback (most recent call last):
    tauhat.errors.TrialError: event= is not supported with period= yet: times to an event are ...
    """
    if given.get("period") is None:
        raise TrialError("baseline_rows= needs period=, the column that says which rows they are")
    if given.get("cluster") is None:
        raise TrialError("period= needs cluster=: it says when clusters were observed")
    if given.get("event") is not None:
        raise TrialError(
            "event= is not supported with period= yet: times to an event are compared between "
            "persons randomized at one time. An outcome of 1 for the event within a fixed time "
            "and 0 for none is"
        )


def refuse_beside_periods(given: Mapping[str, Any]) -> None:
    """Raise a `TrialError` where an argument does not go with clusters that change their arm.

    Parameters
    ----------
    given
        The arguments of `tauhat.Trial` by name.

    Examples
    --------
    >>> refuse_beside_periods({"weight": "kg"})
    Traceback (most recent call last):
    tauhat.errors.TrialError: weight= is not supported with period= yet: averages over periods ...
    """
    reasons = {
        "exposure": _NO_COUNTS,
        "weight": "averages over periods count persons, clusters or periods alike",
        "propensity": "the shares of the clusters treated in each period are the design's",
        "auxiliary": "outcomes are not made for persons who lack one",
        "participant": "each period is taken to have other persons",
        "crossed": "clusters have intercepts of their periods there",
        "cluster_size": "clusters have a size in each period",
        "log_cluster_size": "clusters have a size in each period",
    }
    cluster = given.get("cluster")
    if isinstance(cluster, (list, tuple)) and len(cluster) > 1:
        raise TrialError("several levels in cluster= are not supported with period= yet: name one")
    for name, because in reasons.items():
        value = given.get(name)
        # A number of probability 0 is one that was given.
        if value is not None and value is not False:
            raise TrialError(f"{name}= is not supported with period= yet: {because}")
    if given.get("endpoint") == OF_COUNTS:
        raise TrialError(f"endpoint='count' is not supported with period= yet: {_NO_COUNTS}")


def read_periods(
    kept: pd.DataFrame, roles: Mapping[str, str], account: Mapping[str, Any] | None, **known: Any
) -> tuple[IntArray, tuple[Any, ...]]:
    """Number of the period of everyone enrolled, and the periods' labels in their order.

    Parameters
    ----------
    kept
        Columns of the trial, for everyone enrolled.
    roles
        Column of each role.
    account
        Account of the file, if the table was read from one.
    **known
        Arguments of `check_over_periods` but the period.

    Raises
    ------
    TrialError
        If the periods cannot be read, or arms, clusters and periods make no stepped wedge and
        no crossover.
    """
    numbers, labels = period_numbers(kept[roles["period"]], account)
    check_over_periods(period=numbers, period_labels=labels, **known)
    if "id" in roles:
        refuse_cohorts(kept[roles["id"]], numbers, known["clusters"])
    return numbers, tuple(labels)


def period_numbers(
    column: pd.Series[Any], account: Mapping[str, Any] | None = None
) -> tuple[IntArray, list[Any]]:
    """Number of the period of each row, and the labels of the periods in their order.

    Numbers, dates and ordered categories are in their order, and text in the one that it says
    (`tauhat.tables.text_order.order_of_texts`). Labels of a file are in the order of their codes.

    Raises
    ------
    TrialError
        If some are missing, there is one only, there are too many to be periods, or text does
        not say its order.

    Examples
    --------
    >>> numbers, labels = period_numbers(pd.Series(["month 2", "month 10", "month 2"]))
    >>> numbers.tolist(), labels
    ([0, 1, 0], ['month 2', 'month 10'])
    >>> period_numbers(pd.Series(["usual", "new"], name="phase"))
    Traceback (most recent call last):
    tauhat.errors.TrialError: period column 'phase' is text that does not say which period comes ...
    """
    missing = int(column.isna().sum())
    if missing:
        raise TrialError(
            f"period column {column.name!r} is missing in {missing} of {len(column)} rows; fill "
            "it in"
        )
    codes = codes_of(column, account)
    if codes and all(isinstance(code, (int, float)) for code in codes.values()):
        in_order = sorted(column.cat.categories, key=codes.__getitem__)
        column = column.cat.set_categories(in_order, ordered=True)
    moments = order_of_moments(column)
    if moments is None:
        raise TrialError(
            f"period column {column.name!r} has {column.nunique()} values; from 2 to "
            f"{MOST_PERIODS} are periods. Put dates together to the periods of the design"
        )
    first = np.unique(moments, return_index=True)[1]
    labels = [column.iloc[k] for k in first]
    if not pd.api.types.is_numeric_dtype(column.dtype) and order_of_labels(column, labels) is None:
        raise TrialError(
            f"period column {column.name!r} is text that does not say which period comes first: "
            f"{first_of([repr(plain_label(label)) for label in labels], 5)}. Number the periods "
            '(1, 2, ...), such as "1 usual" and "2 new"; in Python an ordered categorical will do'
        )
    return np.asarray(moments, dtype=np.int64), labels


def check_over_periods(
    arm: IntArray,
    clusters: AnyArray,
    blocks: AnyArray | None,
    period: IntArray,
    observed: BoolArray,
    missing: str,
    n_arms: int,
    period_labels: Sequence[Any] | None = None,
) -> None:
    """Raise an error when arms, clusters and periods make no stepped wedge and no crossover.

    Parameters
    ----------
    arm
        Number of the arm of each row, shape (n,).
    clusters, blocks
        Labels, shape (n,); blocks may be None.
    period
        Number of the period of each row, shape (n,).
    observed
        Which rows have an outcome, shape (n,).
    missing
        What is done about the others.
    n_arms
        Number of arms.
    period_labels
        Labels of the periods, by their numbers; None for the numbers.

    Examples
    --------
    >>> ward, half = np.repeat(np.arange(4), 4), np.tile([0, 0, 1, 1], 4)
    >>> check_over_periods(half, ward, None, half, np.ones(16, bool), "complete-cases", 2)
    Traceback (most recent call last):
    tauhat.errors.DesignError: in each period all clusters have the same arm, so that the ...
    """
    if n_arms > 2:
        raise DesignError(
            f"{n_arms} arms are not supported with period= yet: name two of them with arms="
        )
    lost = int((~observed).sum())
    if lost and missing != "complete-cases":
        raise TrialError(
            f"{counted(lost, 'person has', 'persons have')} no outcome, and with period= outcomes "
            "are not made for them yet; missing='complete-cases' leaves them out"
        )
    codes, labels = pd.factorize(clusters)
    try:
        numbers = range(int(period.max()) + 1)
        named = (list(labels), period_labels or numbers)
        cells = arms_of_cells(arm[observed], codes[observed], period[observed], named)
    except ValueError as error:
        raise DesignError(
            f"{error}. If persons were randomized within clusters, clusters are blocks: give them "
            "as block and not as cluster, without period"
        ) from None
    cells = cells[(cells != UNSEEN).any(axis=1)]
    if blocks is not None:
        pairs = pd.DataFrame({"cluster": codes, "block": pd.factorize(blocks)[0]})
        split = int((pairs.drop_duplicates().groupby("cluster").size() > 1).sum())
        if split:
            raise DesignError(
                f"the block varies within {split} of {len(labels)} clusters; a cluster lies in "
                "one block. Leave block out if it names parts of clusters"
            )
    seen = [(cells == a).any(axis=0) for a in (0, 1)]
    if not (seen[0] & seen[1]).any():
        raise DesignError(
            "in each period all clusters have the same arm, so that the effect cannot be told "
            "from what else changed: period= needs clusters of both arms in some period"
        )
    ever = [int((cells == a).any(axis=1).sum()) for a in (0, 1)]
    if min(ever) < 2:
        raise DesignError(
            f"{counted(ever[0], 'cluster has', 'clusters have')} outcomes as controls and "
            f"{ever[1]} when treated; at least two of each are needed"
        )
    if len(cells) < _LEAST_CLUSTERS:
        raise DesignError(
            f"there are {len(cells)} clusters; with period= at least {_LEAST_CLUSTERS} are needed"
        )
    changes = ((cells == 0).any(axis=1) & (cells == 1).any(axis=1)).any()
    if not changes:
        raise DesignError(
            "no cluster has both arms in the course of the periods: this is a parallel trial. "
            "Leave period= out if all outcomes were measured after randomization. If the first "
            "periods are a baseline, give their rows the control's label in the treatment column: "
            "of more than two it cannot be told otherwise which they are"
        )


def refuse_cohorts(ids: pd.Series[Any], period: IntArray, clusters: AnyArray) -> None:
    """Raise a `DesignError` where the same participants were seen in several periods.

    Examples
    --------
    >>> ids = pd.Series(list("abcab"), name="patient")
    >>> refuse_cohorts(ids, np.array([0, 0, 0, 1, 1]), np.zeros(5, int))
    Traceback (most recent call last):
    tauhat.errors.DesignError: 2 participants of 'patient' have rows in several periods: this ...
    """
    read = read_labels(ids)
    known = ~np.asarray(read.missing, dtype=bool)
    table = pd.DataFrame({"id": read.values, "cluster": clusters, "period": period})[known]
    several = table.groupby(["id", "cluster"])["period"].nunique()
    count = int((several > 1).sum())
    if count:
        raise DesignError(
            f"{counted(count, 'participant')} of {ids.name!r} "
            f"{'has' if count == 1 else 'have'} rows in several periods: this looks like a closed "
            "cohort, and with period= only repeated cross-sections (new persons in each period) "
            "are supported yet. Leave id out if it numbers persons anew in each period"
        )
