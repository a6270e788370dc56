"""Tables to numbers: learned on the training rows and replayed on new ones."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from tauhat._typing import AnyArray, BoolArray, FloatArray
from tauhat.errors import TauhatWarning, TrialError
from tauhat.tables.columns import (
    Kind,
    column_kind,
    level_labels,
    missing_values,
    numeric_values,
    refuse_scale,
)
from tauhat.tables.reading import as_pandas
from tauhat.tables.table_limits import close_names
from tauhat.tables.written_numbers import way_of_writing
from tauhat.wording import counted, first_of

_IDENTIFIER_SHARE = 0.8
_IDENTIFIER_LEVELS = 10


@dataclass(frozen=True)
class _Column:
    """How one source column becomes numbers."""

    source: str
    kind: Kind
    fill: float | str
    names: tuple[str, ...]
    levels: tuple[str, ...] = ()
    pooled: tuple[str, ...] = ()
    had_missing: bool = False
    indicator: str | None = None


class TableEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Covariates of any type as a table of floats, the same way for new rows.

    ===================  ========================================================
    column               becomes
    ===================  ========================================================
    number               itself; missing values the training median
    boolean              0/1; missing values the more frequent one
    two levels           0/1, ``column=level`` for the level that comes last
    more levels          0/1 for each level, ``column=level``, but the most
                         frequent one, which is the reference
    very many levels     0/1 for the most frequent ones and ``column=other`` for
                         the rest
    ordered categorical  rank 0, 1, ...; missing values the median rank
    missing values       filled as above and marked by ``column (missing)`` when
                         the training rows had any; equal marks are kept once
    constant, empty      nothing; said in ``notes_``
    ===================  ========================================================

    Levels come in the order of a categorical's categories, otherwise sorted.
    Text in which every value is a number is numeric; blank text is missing. In
    new rows, an unseen level is read as ``other``, or as the most frequent
    level when nothing was pooled, and a missing value in a column that had
    none is filled; both with a `TauhatWarning`.

    Parameters
    ----------
    max_categories
        Columns with more levels than this are pooled: the ``max_categories - 1``
        most frequent are kept.

    Attributes
    ----------
    sources_ : dict of str to str
        Source column of each encoded column.
    notes_ : list of str
        What was dropped, pooled or merged.
    feature_names_in_ : ndarray of str
        Columns of the fit.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [50.0, None, 70.0], "sex": ["f", "m", "f"]})
    >>> TableEncoder().fit(table).transform(table)
        age  age (missing)  sex=m
    0  50.0            0.0    0.0
    1  60.0            1.0    1.0
    2  70.0            0.0    0.0
    """

    def __init__(self, max_categories: int = 20) -> None:
        self.max_categories = max_categories

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn types, levels and fill values.

        Parameters
        ----------
        X
            Table of covariates, shape (n, p).
        y
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        TrialError
            Naming the column: dates, stray text among numbers, infinite values,
            identifiers, odd objects, names that are empty or collide, or no
            usable column at all.
        """
        if self.max_categories < 2:
            raise ValueError(f"max_categories must be at least 2, got {self.max_categories}")
        table = as_pandas(X)
        self.notes_: list[str] = []
        self.columns_: list[_Column] = []
        seen: dict[bytes, str] = {}
        for name in table.columns:
            learned = self._learn(table[name], name)
            missing = missing_values(table[name])
            if missing.any() and not missing.all():
                learned = replace(learned, had_missing=True)
                pattern = np.packbits(missing).tobytes()
                if pattern in seen:
                    self.notes_.append(
                        f"column {name!r} is missing in the same rows as {seen[pattern]!r}; "
                        f"one mark, '{seen[pattern]} (missing)', stands for both"
                    )
                else:
                    seen[pattern] = name
                    learned = replace(learned, indicator=f"{name} (missing)")
            if learned.names or learned.indicator:
                self.columns_.append(learned)
        self.feature_names_in_ = np.array(list(table.columns), dtype=object)
        self.n_features_in_ = len(table.columns)
        self.sources_ = self._sources()
        return self

    def _sources(self) -> dict[str, str]:
        sources: dict[str, str] = {}
        for column in self.columns_:
            for name in (*column.names, *([column.indicator] if column.indicator else [])):
                if name in sources:
                    raise TrialError(
                        f"columns {sources[name]!r} and {column.source!r} would both be encoded "
                        f"as {name!r}; rename one of them"
                    )
                sources[name] = column.source
        if not sources:
            raise TrialError("no usable covariate is left: " + "; ".join(self.notes_))
        return sources

    def _learn(self, column: pd.Series[Any], name: str) -> _Column:
        if missing_values(column).all():
            self.notes_.append(f"column {name!r} is missing in every row and was left out")
            return _Column(name, "numeric", 0.0, ())
        kind = column_kind(column, name)
        if kind == "category":
            return self._learn_category(column, name)
        levels = tuple(level_labels(pd.Series(column.cat.categories))) if kind == "ordered" else ()
        learned = _Column(name, kind, 0.0, (name,), levels=levels)
        values = _ranks(column, learned)[0] if kind == "ordered" else numeric_values(column, name)
        present = values[~np.isnan(values)]
        if np.ptp(present) == 0:
            self._note_constant(column, name)
            return replace(learned, names=(), fill=float(present[0]))
        refuse_scale(present, name)
        fill = float(present.mean() > 0.5) if kind == "boolean" else float(np.median(present))
        return replace(learned, fill=fill)

    def _learn_category(self, column: pd.Series[Any], name: str) -> _Column:
        labels = level_labels(column)
        counts = Counter(label for label in labels if label is not None)
        order = self._level_order(column, counts)
        n = sum(counts.values())
        if len(order) > _IDENTIFIER_LEVELS and len(order) >= _IDENTIFIER_SHARE * n:
            written = way_of_writing(order)
            if written:
                raise TrialError(f"column {name!r} holds numbers {written}")
            raise TrialError(
                f"column {name!r} looks like an identifier: {len(order)} different values in "
                f"{counted(n, 'row')}; give it as id= or cluster=, or leave it out of the "
                "covariates"
            )
        # Equal counts: the level that comes first, whatever the order of the rows.
        by_frequency = sorted(order, key=lambda level: (-counts[level], order.index(level)))
        most_frequent = by_frequency[0]
        if len(order) == 1:
            self._note_constant(column, name)
            return _Column(name, "category", most_frequent, (), levels=tuple(order))
        if len(order) == 2:
            return _Column(name, "category", most_frequent, (f"{name}={order[1]}",), tuple(order))
        if len(order) <= self.max_categories:
            kept = [level for level in order if level != most_frequent]
            names = tuple(f"{name}={level}" for level in kept)
            return _Column(name, "category", most_frequent, names, (most_frequent, *kept))
        return self._pool(name, order, by_frequency)

    def _pool(self, name: str, order: list[str], by_frequency: list[str]) -> _Column:
        # A level that is itself called "other" goes where the pooled ones go.
        ranked = [level for level in by_frequency if level != "other"][: self.max_categories - 1]
        kept = sorted(ranked[1:], key=order.index)
        pooled = tuple(level for level in order if level not in ranked)
        self.notes_.append(
            f"column {name!r} has {len(order)} levels: the {len(ranked)} most frequent were kept "
            f"and {len(pooled)} pooled as '{name}=other'"
        )
        return _Column(
            name,
            "category",
            ranked[0],
            tuple(f"{name}={level}" for level in (*kept, "other")),
            levels=(ranked[0], *kept),
            pooled=pooled,
        )

    @staticmethod
    def _level_order(column: pd.Series[Any], counts: Counter[str]) -> list[str]:
        if isinstance(column.dtype, pd.CategoricalDtype):
            declared = level_labels(pd.Series(column.cat.categories))
            return [level for level in dict.fromkeys(declared) if level in counts]
        return sorted(counts)

    def _note_constant(self, column: pd.Series[Any], name: str) -> None:
        kept = "; only its missing values are marked" if missing_values(column).any() else ""
        self.notes_.append(f"column {name!r} has one value only and was left out{kept}")

    def transform(self, X: Any) -> pd.DataFrame:
        """Encode rows the way the fit learned.

        Parameters
        ----------
        X
            Table with the columns of the fit, in any order; others are ignored
            and those that the fit left out need not be there.

        Returns
        -------
        DataFrame of float, shape (k, columns)
            With the index of ``X``.

        Raises
        ------
        TrialError
            Naming missing columns, or words and infinite values among numbers.
        """
        check_is_fitted(self, "columns_")
        table = as_pandas(X)
        absent = [c.source for c in self.columns_ if c.source not in table.columns]
        if absent:
            names = first_of([repr(name) for name in absent], 10)
            near = close_names(absent[0], table.columns) if len(absent) == 1 else ""
            raise TrialError(f"the table lacks covariates that the encoder learned: {names}{near}")
        encoded: dict[str, FloatArray] = {}
        for column in self.columns_:
            encoded.update(self._encode(table[column.source], column))
        result = pd.DataFrame(encoded, index=table.index)
        return result[list(self.sources_)]

    def _encode(self, values: pd.Series[Any], column: _Column) -> dict[str, FloatArray]:
        missing = missing_values(values)
        encoded: dict[str, FloatArray] = {}
        if column.indicator:
            encoded[column.indicator] = missing.astype(np.float64)
        elif missing.any() and not column.had_missing:
            _warn(
                f"column {column.source!r} has {counted(missing.sum(), 'missing value')} but "
                "had none in the training rows; filled with the training rows' typical value"
            )
        if not column.names:
            return encoded
        if column.kind == "category":
            return encoded | _indicators(values, missing, column)
        if column.kind == "ordered":
            numbers, unseen = _ranks(values, column)
            _warn_unseen(column, unseen, "the median rank")
        else:
            numbers = numeric_values(values, column.source)
        encoded[column.source] = np.where(np.isnan(numbers), column.fill, numbers)
        return encoded

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> pd.DataFrame:
        """Learn from the rows and encode them."""
        return self.fit(X).transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> AnyArray:
        """Names of the encoded columns."""
        check_is_fitted(self, "columns_")
        return np.array(list(self.sources_), dtype=object)


def _indicators(
    values: pd.Series[Any], missing: BoolArray, column: _Column
) -> dict[str, FloatArray]:
    """0/1 columns of a category, unseen levels pooled or read as the most frequent."""
    labels = level_labels(values)
    labels[missing] = column.fill
    unseen = sorted(set(labels) - {*column.levels, *column.pooled})
    into = "other" if column.pooled else column.fill
    _warn_unseen(column, unseen, f"{into!r}" + ("" if column.pooled else ", the most frequent"))
    labels[~np.isin(labels.astype(str), np.array(column.levels, dtype=str))] = into
    prefix = len(column.source) + 1
    return {name: (labels == name[prefix:]).astype(np.float64) for name in column.names}


def _ranks(values: pd.Series[Any], column: _Column) -> tuple[FloatArray, list[str]]:
    """Rank of each value, NaN where missing or unseen, and the unseen levels."""
    labels = level_labels(values)
    rank = {level: float(position) for position, level in enumerate(column.levels)}
    numbers = np.array([rank.get(label, np.nan) for label in labels])
    return numbers, sorted({label for label in labels if label is not None and label not in rank})


def _warn_unseen(column: _Column, unseen: list[str], into: str) -> None:
    if unseen:
        _warn(
            f"column {column.source!r} has {counted(len(unseen), 'level')} that the training "
            f"rows did not have, such as {unseen[0]!r}; read as {into}"
        )


def _warn(message: str) -> None:
    warnings.warn(message, TauhatWarning, stacklevel=4)
