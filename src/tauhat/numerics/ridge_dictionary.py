"""Feature blocks of the Bayesian ridge mixed model: steps, hinges, products, random trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.standardised_columns import column_scales, row_parts

_FEWEST_VALUES = 3
_MOST_FOR_PRODUCTS = 25
_FARTHEST = 4.0
# Directions kept of each block but the straight lines, and as many for each many-valued
# covariate as soon as that is more. What is left out has no variance in the posterior: with too
# few directions intervals are too narrow. Curves need them most; the others stop at `_WIDEST`,
# since the time grows with the cube of all directions.
_LEAST_DIRECTIONS = {"additive": 40, "products": 40, "trees": 50}
_DIRECTIONS_EACH = 4
_WIDEST = 80
# Share of its straight line that a step or a hinge keeps. With all of it lines carry nearly all
# of the block's variance and curves next to none; with none of it a monotone curve, which lies
# near its line, needs two blocks at once.
_LINE_KEPT = 0.25

#: In trials with more rows features are learned on a sample of as many, and made a few rows at a
#: time.
MANY_ROWS = 20_000


@dataclass(frozen=True)
class _RandomTree:
    """Splits of a depth-3 tree: one column and cut for each of its 7 inner nodes."""

    columns: IntArray
    cuts: FloatArray

    def leaves(self, X: FloatArray) -> IntArray:
        """Leaf 0 to 7 of each row."""
        # Whole columns are compared, which is quicker than to follow each row down the tree.
        right = X[:, self.columns] > self.cuts
        first = right[:, 0]
        second = np.where(first, right[:, 2], right[:, 1])
        third = np.where(
            first,
            np.where(second, right[:, 6], right[:, 5]),
            np.where(second, right[:, 4], right[:, 3]),
        )
        leaf: IntArray = 4 * first.astype(np.int64) + 2 * second + third
        return leaf


@dataclass(frozen=True)
class _Rotation:
    """Centre, rotate to principal components and scale a block to unit total variance."""

    centre: FloatArray
    matrix: FloatArray

    def apply(self, raw: FloatArray) -> FloatArray:
        """Columns of the block at rows whose raw features are given, which are overwritten."""
        raw -= self.centre
        rotated: FloatArray = raw @ self.matrix
        return rotated


def _rotation(parts: list[FloatArray] | _Parts, most: int) -> _Rotation:
    """Principal components of a block whose rows come in parts, which are overwritten."""
    n = sum(len(part) for part in parts)
    centre: FloatArray = sum(part.sum(axis=0) for part in parts) / n
    q = len(centre)
    # Eigenvectors of the smaller of the two Gram matrices.
    if q <= n:
        gram = np.zeros((q, q))
        for part in parts:
            part -= centre
            gram += part.T @ part
        values, vectors = np.linalg.eigh(gram / n)
    else:
        centred = np.vstack(list(parts)) - centre
        values, left = np.linalg.eigh(centred @ centred.T / n)
        vectors = centred.T @ left / np.sqrt(n * np.maximum(values, 1e-300))
    kept = np.argsort(values)[::-1][:most]
    kept = kept[values[kept] > 1e-10 * max(values.max(), 1e-300)]
    total = values[kept].sum()
    return _Rotation(centre, vectors[:, kept] / np.sqrt(total if total > 0 else 1.0))


def _line(x: FloatArray, columns: FloatArray) -> FloatArray:
    """Slope of each column on x, shape (q,)."""
    centred = x - x.mean()
    slopes: FloatArray = centred @ columns / (centred @ centred)
    return slopes


class RidgeDictionary:
    """Blocks of features learned on training rows and replayed on new ones.

    Every block is centred on the training rows and scaled so that coefficients
    of variance 1 give a function of average variance 1.

    Parameters
    ----------
    X
        Covariates of the training rows, shape (n, p).
    seed
        Seed of the random trees.
    n_trees
        Number of random trees.

    Attributes
    ----------
    names
        "linear", "additive", "products" and "trees", as far as the covariates
        allow them.
    """

    def __init__(self, X: FloatArray, seed: int, n_trees: int = 60) -> None:
        self.mean, self.scale = column_scales(X)
        self.varying = np.flatnonzero(np.ptp(X, axis=0) > 0)
        Z = self._standardise(X)
        values = [len(np.unique(X[:, j])) for j in self.varying]
        self.continuous = [k for k, count in enumerate(values) if count >= _FEWEST_VALUES]
        deciles = np.arange(1, 10) / 10
        self.steps = [np.unique(np.quantile(Z[:, k], deciles)) for k in self.continuous]
        hinges = np.array([0.2, 0.4, 0.6, 0.8])
        self.hinges = [np.unique(np.quantile(Z[:, k], hinges)) for k in self.continuous]
        self.lines = [
            _line(Z[:, k], self._bends(Z, place)) for place, k in enumerate(self.continuous)
        ]
        self.trees = self._draw_trees(Z, seed, n_trees) if Z.shape[1] else []
        self.rotations = {}
        for name in ("linear", "additive", "products", "trees"):
            parts = _Parts(self, name, Z)
            if parts.width:
                most = min(self._most_directions(name), len(Z) - 1)
                rotation = _rotation(list(parts) if len(parts) == 1 else parts, most)
                if rotation.matrix.shape[1]:
                    self.rotations[name] = rotation

    @property
    def names(self) -> list[str]:
        """Blocks that exist."""
        return list(self.rotations)

    def blocks(self, X: FloatArray) -> dict[str, FloatArray]:
        """Columns of every block at any rows, shape (k, q) each."""
        Z = self._standardise(X)
        return {name: self._rotated(name, Z) for name in self.rotations}

    def block(self, name: str, X: FloatArray) -> FloatArray:
        """Columns of one block at any rows, shape (k, q)."""
        return self._rotated(name, self._standardise(X))

    def width(self, name: str) -> int:
        """Number of columns of a block."""
        return int(self.rotations[name].matrix.shape[1])

    def _rotated(self, name: str, Z: FloatArray) -> FloatArray:
        parts = _Parts(self, name, Z)
        columns: FloatArray = np.vstack([self.rotations[name].apply(raw) for raw in parts])
        return columns

    def _most_directions(self, name: str) -> int:
        """Directions kept of a block, if it has as many."""
        if name == "linear":
            return len(self.varying)
        wanted = _DIRECTIONS_EACH * len(self.continuous)
        if name != "additive":
            wanted = min(wanted, _WIDEST)
        return max(_LEAST_DIRECTIONS[name], wanted)

    def _standardise(self, X: FloatArray) -> FloatArray:
        # A level that one person in a hundred has lies ten standard deviations out: unclipped,
        # it would carry most of a block's variance, and its products all of it.
        standardised = np.clip((X - self.mean) / self.scale, -_FARTHEST, _FARTHEST)
        varying: FloatArray = standardised[:, self.varying]
        return varying

    def _draw_trees(self, Z: FloatArray, seed: int, n_trees: int) -> list[_RandomTree]:
        rng = np.random.default_rng(derive_seed(seed, "dictionary trees"))
        trees = []
        ordered = np.sort(Z, axis=0)
        for _ in range(n_trees):
            columns = rng.integers(Z.shape[1], size=7)
            places = rng.uniform(0.15, 0.85, size=7)
            cuts = ordered[(places * (len(Z) - 1)).astype(int), columns]
            trees.append(_RandomTree(columns.astype(np.int64), cuts))
        return trees

    def _bends(self, Z: FloatArray, place: int) -> FloatArray:
        """Steps and hinges of one covariate, shape (k, q)."""
        bends = np.empty((len(Z), self._n_bends(place)))
        self._put_bends(Z, place, bends)
        return bends

    def _n_bends(self, place: int) -> int:
        return len(self.steps[place]) + len(self.hinges[place])

    def _put_bends(self, Z: FloatArray, place: int, bends: FloatArray) -> None:
        x, n_steps = Z[:, [self.continuous[place]]], len(self.steps[place])
        np.greater(x, self.steps[place], out=bends[:, :n_steps])
        hinges = np.subtract(x, self.hinges[place], out=bends[:, n_steps:])
        np.maximum(hinges, 0, out=hinges)

    def features(self, name: str, Z: FloatArray) -> FloatArray:
        """Columns of a block before their rotation, at standardised rows."""
        if name == "linear":
            return Z.copy(order="K")
        if name == "additive":
            edges = np.cumsum([0, *map(self._n_bends, range(len(self.continuous)))])
            bends = np.empty((len(Z), edges[-1]))
            for place, (k, line) in enumerate(zip(self.continuous, self.lines, strict=True)):
                own = bends[:, edges[place] : edges[place + 1]]
                self._put_bends(Z, place, own)
                own -= (1 - _LINE_KEPT) * np.outer(Z[:, k], line)
            return bends
        if name == "products":
            # With many covariates their pairs would swamp the other blocks.
            p = min(Z.shape[1], _MOST_FOR_PRODUCTS)
            products, first = np.empty((len(Z), p * (p - 1) // 2), order="F"), 0
            for j in range(p - 1):
                last = first + p - 1 - j
                np.multiply(Z[:, [j]], Z[:, j + 1 : p], out=products[:, first:last])
                first = last
            return products
        indicators = np.zeros((len(Z), 8 * len(self.trees)))
        rows = np.arange(len(Z))
        for k, tree in enumerate(self.trees):
            indicators[rows, 8 * k + tree.leaves(Z)] = 1.0
        return indicators


class _Parts:
    """Features of a block of a dictionary, some rows at a time, made anew at each pass."""

    def __init__(self, dictionary: RidgeDictionary, name: str, Z: FloatArray) -> None:
        self.dictionary, self.name, self.Z = dictionary, name, Z
        self.width = dictionary.features(name, Z[:1]).shape[1]
        # Parts of many rows are small enough for the processor's cache.
        copies = 1 if len(Z) <= MANY_ROWS else 16
        self.slices = row_parts(len(Z), copies * self.width)

    def __len__(self) -> int:
        return len(self.slices)

    def __iter__(self) -> Iterator[FloatArray]:
        return (self.dictionary.features(self.name, self.Z[rows]) for rows in self.slices)
