"""Groups of persons for display: no value of a single person, no group of fewer than five."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.disclosure import may_be_told, most_groups
from tauhat.report.numbers import decimals_for, format_fixed
from tauhat.tables.columns import has_more_values

FEW_VALUES = 6
MOST_CATEGORIES = 8
MOST_BINS = 8
MOST_EQUAL_GROUPS = 20
# Rows and columns of a two-way map.
MOST_CELLS = 5
# Bins of fewer persons than this are too noisy to be worth a point of their own.
PERSONS_A_BIN = 15


@dataclass(frozen=True)
class EffectGroups:
    """Estimated effects in groups of persons along one ordering or covariate.

    Attributes
    ----------
    name
        What the groups are made of.
    position
        Mean of a numeric covariate in each group, shape (groups,); None for categories.
    labels
        Label of each group.
    effect
        Mean estimate of each group, shape (groups,). It has no interval: the mean of the persons'
        intervals is none.
    count
        Persons in each group, shape (groups,).
    """

    name: str
    position: FloatArray | None
    labels: tuple[str, ...]
    effect: FloatArray
    count: IntArray


def sorted_groups(effect: FloatArray, *, n_groups: int = MOST_EQUAL_GROUPS) -> EffectGroups:
    """Equal groups of persons from the smallest to the largest estimated effect.

    Parameters
    ----------
    effect
        Estimate of each person, shape (n,).
    n_groups
        Number of groups, fewer when groups would hold fewer than five persons.

    Examples
    --------
    >>> tau = np.arange(40.0)
    >>> sorted_groups(tau, n_groups=4).effect.tolist()
    [4.5, 14.5, 24.5, 34.5]
    """
    codes = equal_groups(effect, n_groups)
    labels = tuple(map(str, range(int(codes.max()) + 1)))
    return _groups("estimated effect", None, labels, codes, effect)


def equal_groups(effect: FloatArray, n_groups: int = MOST_EQUAL_GROUPS) -> IntArray:
    """Group 0 to k - 1 of each person in order of effect, of at least five persons each.

    Examples
    --------
    >>> equal_groups(np.array([3.0, 1, 2, 9, 8, 7, 4, 5, 6, 0]), 2).tolist()
    [0, 0, 0, 1, 1, 1, 0, 1, 1, 0]
    """
    n = len(effect)
    k = max(1, min(n_groups, most_groups(n)))
    codes = np.empty(n, dtype=np.int64)
    codes[np.argsort(effect, kind="stable")] = np.arange(n) * k // n
    return codes


def _groups(
    name: str,
    position: FloatArray | None,
    labels: tuple[str, ...],
    codes: IntArray,
    effect: FloatArray,
) -> EffectGroups:
    k = len(labels)
    count = np.bincount(codes, minlength=k).astype(np.int64)
    mean = np.bincount(codes, weights=effect, minlength=k) / count
    return EffectGroups(name, position, labels, mean, count)


def histogram(
    effect: FloatArray, *, n_bins: int = 22, least: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Counts of estimated effects; bars under five persons are NaN.

    The range is that of the middle 98%; the outermost bars hold the tails.

    Parameters
    ----------
    effect
        Estimated effects, shape (n,).
    n_bins
        Number of bars.
    least
        Effects whose range is narrower become one bar of this width, which can be seen.

    Returns
    -------
    edges
        Shape (bars + 1,).
    counts
        Shape (bars,).

    Examples
    --------
    >>> edges, counts = histogram(np.r_[np.zeros(50), np.ones(50), 0.5], n_bins=3)
    >>> counts.tolist()
    [50.0, nan, 50.0]
    """
    low, high = np.quantile(effect, [0.01, 0.99])
    if high - low < least:
        middle = (low + high) / 2
        return middle + least / 2 * np.array([-1.0, 1.0]), np.array([float(len(effect))])
    if high - low <= 1e-9 * max(1.0, abs(low), abs(high)):
        half = 0.5 * max(abs(float(low)), 1.0)
        return np.array([low - half, low + half]), np.array([float(len(effect))])
    edges = np.linspace(low, high, max(2, min(n_bins, most_groups(len(effect)))) + 1)
    counts = np.histogram(np.clip(effect, low, high), edges)[0].astype(np.float64)
    counts[~may_be_told(counts)] = np.nan
    return edges, counts


def covariate_groups(column: pd.Series[Any], effect: FloatArray) -> EffectGroups | None:
    """Mean estimated effects along a covariate: quantile bins or categories.

    A numeric covariate with more than six values is cut at its quantiles; its
    missing values are left out. Anything else is taken as categories, missing
    being one; those under five persons, and those beyond the eight most
    frequent, are gathered as "other".

    Parameters
    ----------
    column
        The covariate as it stands in the table, shape (n,).
    effect
        Estimate of each person, shape (n,).

    Returns
    -------
    EffectGroups or None
        None when fewer than two groups of five persons can be made.

    Examples
    --------
    >>> sex = pd.Series(["f"] * 6 + ["m"] * 6 + ["x"] * 2, name="sex")
    >>> tau = np.r_[np.zeros(6), np.ones(8)]
    >>> covariate_groups(sex, tau).labels
    ('f', 'm')
    """
    found = covariate_codes(column)
    if found is None:
        return None
    keep = found.codes >= 0
    return _groups(
        str(column.name),
        found.position,
        found.labels,
        found.codes[keep],
        effect[keep],
    )


@dataclass(frozen=True, eq=False)
class CovariateCodes:
    """Group of each person along a covariate, every group of at least five persons.

    Attributes
    ----------
    codes
        Group 0 to k - 1 of each person, -1 for one who is in none, shape (n,).
    labels
        Label of each group.
    position
        Mean of a numeric covariate in each group, shape (k,); None for categories.
    """

    codes: IntArray
    labels: tuple[str, ...]
    position: FloatArray | None


def covariate_codes(
    column: pd.Series[Any], *, most_bins: int = MOST_BINS, most_categories: int = MOST_CATEGORIES
) -> CovariateCodes | None:
    """Groups along a covariate as `covariate_groups` makes them; None with fewer than two.

    Examples
    --------
    >>> found = covariate_codes(pd.Series(np.arange(60.0)), most_bins=2)
    >>> found.labels, np.bincount(found.codes).tolist()
    (('around 14', 'around 44'), [30, 30])
    """
    numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(
        column.dtype
    )
    if numeric and has_more_values(column, FEW_VALUES):
        return _numeric_codes(column, most_bins)
    return _category_codes(column, most_categories, numeric=numeric)


def _numeric_codes(column: pd.Series[Any], most_bins: int) -> CovariateCodes | None:
    everyone = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known: BoolArray = np.isfinite(everyone)
    values = everyone[known]
    k = min(most_bins, len(values) // PERSONS_A_BIN)
    if k < 2:
        return None
    cuts = np.unique(np.quantile(values, np.arange(1, k) / k))
    codes = np.searchsorted(cuts, values, side="left")
    # Ties can leave a bin empty or small: it joins its left neighbour.
    count = np.bincount(codes, minlength=len(cuts) + 1)
    target = np.zeros(len(count), dtype=np.int64)
    for j in range(1, len(count)):
        target[j] = target[j - 1] + (may_be_told(count[j]) and count[:j].sum() > 0)
    filled = np.bincount(target[codes]) > 0
    codes = (np.cumsum(filled) - 1)[target[codes]].astype(np.int64)
    k = int(filled.sum())
    sizes = np.bincount(codes)
    if k < 2 or not may_be_told(sizes.min()):
        return None
    position = np.bincount(codes, weights=values, minlength=k) / sizes
    decimals = decimals_for(float(np.ptp(position)) / 10) - 1
    labels = tuple(f"around {format_fixed(p, max(decimals, 0))}" for p in position)
    # Values far from 0 for their spread need more digits to be told apart.
    digits = 4
    while len(set(labels)) < k and digits < 17:
        digits += 1
        labels = tuple(f"around {p:.{digits}g}" for p in position)
    placed = np.full(len(everyone), -1, dtype=np.int64)
    placed[known] = codes
    return CovariateCodes(placed, labels, position)


def _category_codes(
    column: pd.Series[Any], most_categories: int, *, numeric: bool
) -> CovariateCodes | None:
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = [str(level) for level in column.cat.categories]
    else:
        present = list(pd.unique(column.dropna()))
        levels = [_label(v) for v in (sorted(present) if numeric else sorted(present, key=str))]
    missing = column.isna()
    text = pd.Series(
        ["(missing)" if m else _label(v) for v, m in zip(column, missing, strict=True)]
    )
    counts = text.value_counts()
    levels = [level for level in dict.fromkeys([*levels, "(missing)"]) if level in counts.index]
    large = [level for level in levels if may_be_told(counts[level])]
    # A single one that is left over has its name.
    if len(large) > most_categories and len(levels) > most_categories + 1:
        most = set(
            counts[large].sort_values(ascending=False, kind="stable").index[:most_categories]
        )
        large = [level for level in large if level in most]
    other = ~text.isin(large).to_numpy()
    labels = list(large)
    if may_be_told(other.sum()):
        labels.append("(other)")
    if len(labels) < 2:
        return None
    code_of = {level: k for k, level in enumerate(large)}
    codes = text.map(code_of).fillna(len(large)).to_numpy(dtype=np.int64)
    return CovariateCodes(np.where(codes < len(labels), codes, -1), tuple(labels), None)


def two_way_groups(
    first: pd.Series[Any], second: pd.Series[Any], effect: FloatArray
) -> pd.DataFrame | None:
    """Mean estimated effects in cells of two covariates; cells under five persons are empty.

    Parameters
    ----------
    first, second
        Covariates as they stand in the table, shape (n,).
    effect
        Estimated effects, shape (n,).

    Returns
    -------
    DataFrame or None
        One row per cell: ``first`` and ``second`` (labels), ``effect`` and
        ``persons``, both missing where fewer than five persons are. None when a
        covariate makes fewer than two groups.

    Examples
    --------
    >>> sex, urban = pd.Series(list("fm") * 12, name="sex"), pd.Series([0, 0, 1, 1] * 6)
    >>> two_way_groups(sex, urban, np.arange(24.0)).effect.tolist()
    [10.0, 12.0, 11.0, 13.0]
    """
    one = covariate_codes(first, most_bins=MOST_CELLS, most_categories=MOST_CELLS)
    two = covariate_codes(second, most_bins=MOST_CELLS, most_categories=MOST_CELLS)
    if one is None or two is None:
        return None
    keep = (one.codes >= 0) & (two.codes >= 0)
    k = len(two.labels)
    cell = one.codes[keep] * k + two.codes[keep]
    n_cells = len(one.labels) * k
    count = np.bincount(cell, minlength=n_cells)
    total = np.bincount(cell, weights=effect[keep], minlength=n_cells)
    shown = may_be_told(count)
    return pd.DataFrame(
        {
            "first": np.repeat(np.array(one.labels, dtype=object), k),
            "second": np.tile(np.array(two.labels, dtype=object), len(one.labels)),
            "effect": np.where(shown, total / np.maximum(count, 1), np.nan),
            "persons": pd.array(np.where(shown, count, np.nan), dtype="Int64"),
        }
    )


def _label(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
