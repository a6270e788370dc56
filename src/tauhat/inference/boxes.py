"""Boxes: subgroups that a few cut points describe, read off shallow trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.numerics.standard_units import StandardUnits
from tauhat.runtime.engines import engine


@dataclass(frozen=True)
class Box:
    """Persons whose covariates lie between cut points.

    Attributes
    ----------
    bounds
        For each covariate used, its column and the ends (low, high] of its interval.

    Examples
    --------
    >>> box = Box(((0, 1.0, np.inf), (1, -np.inf, 5.0)))
    >>> box.members(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 9.0]])).tolist()
    [False, True, False]
    """

    bounds: tuple[tuple[int, float, float], ...]

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns of the covariates used."""
        return tuple(column for column, _, _ in self.bounds)

    def members(self, X: FloatArray) -> BoolArray:
        """Who lies in the box, shape (n,)."""
        inside = np.ones(len(X), dtype=bool)
        for column, low, high in self.bounds:
            inside &= (X[:, column] > low) & (X[:, column] <= high)
        return inside

    def words(self, data: TrialData, sources: tuple[str, ...]) -> str:
        """The box in words, with the user's names of covariates and levels.

        Examples
        --------
        >>> from tauhat.data import validate_trial
        >>> data = validate_trial([[2.0], [1.0], [3.0], [4.0]], [0, 1, 2, 3], [0, 1, 0, 1])
        >>> Box(((0, 1.5, 3.5),)).words(data, ("x1",))
        '1.5 < x1 <= 3.5'
        """
        return " and ".join(
            _interval_words(data, sources, column, low, high) for column, low, high in self.bounds
        )


def _interval_words(
    data: TrialData, sources: tuple[str, ...], column: int, low: float, high: float
) -> str:
    name, source = data.feature_names[column], sources[column]
    levels = np.unique(data.X[:, column])
    if len(levels) == 2:
        kept = levels[(levels > low) & (levels <= high)][0]
        if name != source and levels.tolist() == [0.0, 1.0]:
            # The column marks one level of a category, named after it.
            return f"{source} is {'' if kept == 1 else 'not '}{name[len(source) + 1 :]}"
        return f"{name} = {kept:.12g}"
    if np.isinf(low):
        return f"{name} <= {high:.12g}"
    return f"{name} > {low:.12g}" if np.isinf(high) else f"{low:.12g} < {name} <= {high:.12g}"


def extreme_boxes(
    X: FloatArray,
    effects: FloatArray,
    weight: FloatArray,
    columns: IntArray,
    *,
    max_depth: int,
    min_share: float,
) -> tuple[Box, Box] | None:
    """Leaves with the largest and the smallest mean effect of a shallow tree of the effects.

    Parameters
    ----------
    X
        Covariates, shape (n, p).
    effects
        Estimated effects, shape (n,).
    weight
        Weight of each person, shape (n,).
    columns
        Columns that may be used.
    max_depth
        Conditions that a leaf may have, at most.
    min_share
        Smallest share of persons in a leaf.

    Returns
    -------
    tuple of Box or None
        Largest, smallest; None when no cut tells effects apart.

    Examples
    --------
    >>> X = np.arange(10.0)[:, None]
    >>> effects = (X[:, 0] > 6).astype(float)
    >>> extreme_boxes(X, effects, np.ones(10), np.array([0]), max_depth=1, min_share=0.2)[0]
    Box(bounds=((0, 6.5, inf),))
    """
    if float(effects.std()) <= 1e-8 * max(float(np.abs(effects).max()), 1e-300):
        return None
    # The seed only orders covariates that cut equally well.
    tree = engine("sklearn.tree").DecisionTreeRegressor(
        max_depth=max_depth, min_weight_fraction_leaf=min_share, random_state=0
    )
    # The tree takes differences below 1e-7 for none, whatever the units.
    units = StandardUnits.of(X[:, columns])
    target = (effects - effects.mean()) / effects.std()
    grown = tree.fit(units.apply(X[:, columns]), target, sample_weight=weight).tree_
    if grown.node_count == 1:
        return None
    leaves: list[tuple[float, dict[int, tuple[float, float]]]] = []
    stack: list[tuple[int, dict[int, tuple[float, float]]]] = [(0, {})]
    while stack:
        node, limits = stack.pop()
        if grown.children_left[node] < 0:
            leaves.append((float(grown.value[node].ravel()[0]), limits))
            continue
        feature = int(grown.feature[node])
        column = int(columns[feature])
        cut = float(units.location[feature] + units.scale[feature] * grown.threshold[node])
        cut = _short_cut(X[:, column], cut)
        low, high = limits.get(column, (-np.inf, np.inf))
        stack.append((int(grown.children_left[node]), limits | {column: (low, min(high, cut))}))
        stack.append((int(grown.children_right[node]), limits | {column: (max(low, cut), high)}))
    ordered = sorted(leaves, key=lambda leaf: leaf[0])
    smallest, largest = (
        Box(tuple((column, *ends) for column, ends in sorted(leaf[1].items())))
        for leaf in (ordered[0], ordered[-1])
    )
    return largest, smallest


def _short_cut(values: FloatArray, cut: float) -> float:
    """The cut with the fewest digits that parts the values as it does, from three on."""
    below = int((values <= cut).sum())
    for digits in range(3, 17):
        short = float(f"{cut:.{digits}g}")
        if int((values <= short).sum()) == below:
            return short
    return cut
