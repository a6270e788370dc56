"""Effect modifiers that were named: a column, or a subgroup, as numbers to interact with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.errors import TrialError
from tauhat.tables.columns import column_kind, level_labels, missing_values, numeric_values

# Categories beyond which a modifier says too little about each.
MOST_CATEGORIES = 10
_OF_SUBGROUPS = ("in the subgroup less outside",)


@dataclass(frozen=True)
class NamedModifier:
    """One modifier of the persons of a trial.

    Attributes
    ----------
    name
        As it was named.
    known
        Persons for whom it is not missing, shape (n,).
    values
        What the treatment interacts with, shape (n, q): one column of a number in standard
        deviations, or indicators of all categories but the first. Zero where missing.
    comparisons
        Each column in words, such as "girl less boy".
    group
        Category of each person, -1 where missing, shape (n,); None for a number.
    labels
        The categories in words; none for a number.
    mean, spread
        Of a number, in its own units: value i of ``values`` is (number i - mean) / spread.
    """

    name: str
    known: BoolArray
    values: FloatArray
    comparisons: tuple[str, ...]
    group: IntArray | None
    labels: tuple[str, ...] = ()
    mean: float = float("nan")
    spread: float = float("nan")

    def of(self, rows: IntArray) -> NamedModifier:
        """The modifier of some persons, by their places."""
        group = None if self.group is None else self.group[rows]
        return replace(self, known=self.known[rows], values=self.values[rows], group=group)

    def led_by(self, first: int) -> NamedModifier:
        """The same categories, one of them first: the one that all others are compared with."""
        assert self.group is not None
        places = [first, *(k for k in range(len(self.labels)) if k != first)]
        group = np.where(self.known, np.argsort(places)[self.group], -1)
        return _categories(self.name, group, [self.labels[k] for k in places])

    def among(self, kept: BoolArray) -> NamedModifier:
        """The modifier of persons who all have one of the categories kept, shape (q + 1,)."""
        assert self.group is not None
        group = np.where(self.known, (np.cumsum(kept) - 1)[self.group], -1)
        return _categories(self.name, group, [self.labels[k] for k in np.flatnonzero(kept)])


def column_modifier(column: pd.Series[Any], name: str) -> NamedModifier:
    """Modifier that is a column of the table.

    Parameters
    ----------
    column
        Numbers, booleans, text or a categorical, shape (n,). A number of two values counts
        as two categories. Text comes in alphabetical, a categorical in its own order.
    name
        What to call it.

    Raises
    ------
    TrialError
        If it has one value only, or more than ten categories.

    Examples
    --------
    >>> found = column_modifier(pd.Series(["girl", "boy", None, "girl"]), "sex")
    >>> found.comparisons, found.values[:, 0].tolist()
    (('girl less boy',), [1.0, 0.0, 0.0, 1.0])
    >>> column_modifier(pd.Series([40.0, 50, 60]), "age").comparisons
    ('per SD of 8.165',)
    """
    kind = column_kind(column, name)
    known = ~missing_values(column)
    if kind == "numeric":
        numbers = numeric_values(column, name)
        present = np.unique(numbers[known])
        if len(present) > 2:
            mean, spread = float(numbers[known].mean()), float(numbers[known].std())
            values = np.where(known, (numbers - mean) / spread, 0.0)[:, None]
            return NamedModifier(name, known, values, (f"per SD of {spread:.4g}",), None,
                                 mean=mean, spread=spread)  # fmt: skip
        labels = [f"{value:g}" for value in present]
        group = np.where(known, np.searchsorted(present, np.where(known, numbers, 0.0)), -1)
    else:
        text = level_labels(column)
        if isinstance(column.dtype, pd.CategoricalDtype):
            order = level_labels(pd.Series(column.dtype.categories))
            labels = [label for label in order if (text[known] == label).any()]
        else:
            labels = sorted(set(text[known]))
        places = {label: k for k, label in enumerate(labels)}
        group = np.array([places.get(label, -1) for label in text], dtype=np.int64)
    if len(labels) < 2:
        raise TrialError(f"the modifier {name!r} has one value only, so nothing can differ")
    if len(labels) > MOST_CATEGORIES:
        raise TrialError(
            f"the modifier {name!r} has {len(labels)} categories; at most {MOST_CATEGORIES} can "
            "be compared. Merge some of them"
        )
    return _categories(name, group, labels)


def subgroup_modifier(
    member: BoolArray, name: str, known: BoolArray | None = None
) -> NamedModifier:
    """Modifier that says who is in a subgroup.

    Parameters
    ----------
    member
        Whether each person is in it, shape (n,).
    name
        The subgroup in words.
    known
        For whom that can be told, shape (n,); None for everyone.

    Raises
    ------
    TrialError
        If it holds everyone or no one.

    Examples
    --------
    >>> subgroup_modifier(np.array([True, False]), "'age > 60'").comparisons
    ('in the subgroup less outside',)
    """
    known = np.ones(len(member), dtype=bool) if known is None else known
    if member[known].all() or not member[known].any():
        raise TrialError(f"the subgroup {name} holds everyone or no one")
    group = np.where(known, member, -1).astype(np.int64)
    made = _categories(name, group, ["outside", "in"])
    return replace(made, comparisons=_OF_SUBGROUPS)


def refuse_same_groups(modifiers: Sequence[NamedModifier]) -> None:
    """See that no two subgroups divide the persons into the same groups.

    One test would count as two, and be adjusted for itself.

    Raises
    ------
    TrialError
        If two do.
    """
    subgroups = [one for one in modifiers if one.comparisons == _OF_SUBGROUPS]
    for one, other in combinations(subgroups, 2):
        both = one.values[:, 0], other.values[:, 0]
        same = np.array_equal(*both) or np.array_equal(both[0], other.known - both[1])
        if same and np.array_equal(one.known, other.known):
            raise TrialError(
                f"the subgroups {one.name} and {other.name} divide the persons into the same two "
                "groups, which is one comparison: name one of them"
            )


def _categories(name: str, group: IntArray, labels: list[str]) -> NamedModifier:
    values = (group[:, None] == np.arange(1, len(labels))).astype(np.float64)
    comparisons = tuple(f"{label} less {labels[0]}" for label in labels[1:])
    return NamedModifier(name, group >= 0, values, comparisons, group, tuple(labels))
